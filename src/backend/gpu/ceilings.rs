//! What a device can do at most, measured by `shaders/ceiling_copy.wgsl` and `shaders/ceiling_multiply.wgsl`.

use super::buffer::DeviceBuffer;
use super::device::GpuDevice;
use super::kernel::{Kernel, KernelSpec};
use crate::Result;
use crate::backend::Ceilings;
use std::time::{Duration, Instant};

const COPY: &str = include_str!("../../../shaders/ceiling_copy.wgsl");
const MULTIPLY: &str = include_str!("../../../shaders/ceiling_multiply.wgsl");

/// A measurement takes at least so long, and no submission of it longer than desktops allow.
const ENOUGH: Duration = Duration::from_millis(50);

/// The most that is copied: beyond the caches of all devices.
const COPIED: u64 = 256 << 20;

/// Threads of a workgroup of both kernels; bytes that a thread copies, and operations that it does.
const WORKGROUP: u64 = 256;
const BYTES: u64 = 16;
const OPERATIONS: u64 = 64 * 8 * 4 * 2;

/// Workgroups of multiplication: some waves on the largest devices.
const WORKGROUPS: u64 = 8192;

impl GpuDevice {
    /// Measures what the device can do at most: how fast it copies memory, and how many operations a second it does in a loop
    /// of multiplications and additions.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) or [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn ceilings(&self) -> Result<Ceilings> {
        let limits = self.limits();
        let bytes = COPIED.min(limits.max_binding_bytes).min(limits.max_buffer_bytes) / BYTES * BYTES;
        let (from, to) = (self.create_zeroed("original", bytes)?, self.create_zeroed("copied", bytes)?);
        let copy = self.ceiling("ceiling_copy", COPY)?;
        let copied = self.rate(&copy, &[("original", &from), ("copied", &to)], bytes.div_ceil(BYTES * WORKGROUP))?;
        let sums = self.create_zeroed("sums", WORKGROUPS * WORKGROUP * 4)?;
        let multiply = self.ceiling("ceiling_multiply", MULTIPLY)?;
        let runs = self.rate(&multiply, &[("sums", &sums)], WORKGROUPS)?;
        Ok(Ceilings {
            copied_bytes_per_second: copied * (WORKGROUP * BYTES * 2) as f64,
            operations_per_second: runs * (WORKGROUP * OPERATIONS) as f64,
        })
    }

    fn ceiling(&self, label: &str, source: &str) -> Result<Kernel> {
        self.compile(&KernelSpec { label, source, entry: None, constants: &[] })
    }

    /// Workgroups a second: of more and more of them, up to `most`, until it takes long enough.
    fn rate(&self, kernel: &Kernel, buffers: &[(&str, &DeviceBuffer)], most: u64) -> Result<f64> {
        // The first run compiles what the driver has left for it.
        self.timed(kernel, buffers, 1, 1)?;
        let (mut workgroups, mut times) = (most.min(16), 1);
        loop {
            let time = self.timed(kernel, buffers, workgroups, times)?;
            if time >= ENOUGH || times >= 1 << 16 {
                return Ok((workgroups * times) as f64 / time.as_secs_f64().max(1e-9));
            }
            // Towards what takes long enough, by steps that no surprise makes too long.
            let factor = (1.5 * ENOUGH.as_secs_f64() / time.as_secs_f64().max(1e-6)).clamp(1.5, 8.0);
            if workgroups < most {
                workgroups = ((workgroups as f64 * factor) as u64).min(most);
            } else {
                times = (times as f64 * factor).ceil() as u64;
            }
        }
    }

    /// How long it takes to run a kernel so often, in one submission.
    fn timed(
        &self,
        kernel: &Kernel,
        buffers: &[(&str, &DeviceBuffer)],
        workgroups: u64,
        times: u64,
    ) -> Result<Duration> {
        let clock = Instant::now();
        for _ in 0..times {
            self.dispatch(kernel, buffers, workgroups)?;
        }
        self.submit()?;
        self.wait()?;
        Ok(clock.elapsed())
    }
}
