//! How long kernels take, by the device's own clock.
//!
//! While it is asked for, each dispatch has a compute pass of its own, between two timestamps; that costs some time itself,
//! so times of whole rounds are not to be taken meanwhile.

use super::device::{GpuDevice, Shared};
use super::fence::lock;
use super::recorder::Recorded;
use crate::Result;
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Dispatches of one submission that are timed: half of the timestamps that every device has room for.
pub(super) const MOST: usize = 2048;

/// The time that a kernel has taken on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelTime {
    /// The kernel's label.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How long it took, all runs together.
    pub time: Duration,
}

/// What was timed so far.
#[derive(Default)]
pub(super) struct Timer {
    pub(super) is_on: bool,
    pending: Vec<Pending>,
    totals: BTreeMap<String, (u64, f64)>,
}

/// Timestamps on their way from the device.
struct Pending {
    stamps: Stamps,
    submission: wgpu::SubmissionIndex,
    mapping: Receiver<bool>,
}

/// A start and an end for each of some kernels, in a buffer that can be mapped.
pub(super) struct Stamps {
    staging: wgpu::Buffer,
    names: Vec<String>,
}

/// Timestamps of the dispatches that were recorded.
pub(super) struct Stamping {
    set: wgpu::QuerySet,
    names: Vec<String>,
}

impl Stamping {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let (ty, count) = (wgpu::QueryType::Timestamp, 2 * MOST as u32);
        let set = device.create_query_set(&wgpu::QuerySetDescriptor { label: Some("kernel times"), ty, count });
        Self { set, names: Vec::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.names.len() >= MOST
    }

    /// Where the next kernel's timestamps are to be written.
    pub(super) fn next(&mut self, name: &str) -> wgpu::ComputePassTimestampWrites<'_> {
        let begin = 2 * self.names.len() as u32;
        self.names.push(name.to_owned());
        wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(begin),
            end_of_pass_write_index: Some(begin + 1),
        }
    }

    /// Records that all timestamps are brought to where the host can read them.
    pub(super) fn finish(self, device: &wgpu::Device, encoder: &mut wgpu::CommandEncoder) -> Stamps {
        let count = 2 * self.names.len() as u32;
        let size = u64::from(count) * u64::from(wgpu::QUERY_SIZE);
        let buffer = |usage| {
            let label = Some("kernel times");
            device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ);
        encoder.resolve_query_set(&self.set, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, size);
        Stamps { staging, names: self.names }
    }
}

impl Shared {
    /// Submits what was recorded, and sees to its timestamps; to be called inside the fence.
    pub(super) fn hand_over_recorded(&self, recorded: Recorded) -> wgpu::SubmissionIndex {
        let Recorded { encoder, stamps } = recorded;
        let submission = self.hand_over(encoder);
        if let Some(stamps) = stamps {
            let mapping = self.fence.map(&stamps.staging, wgpu::MapMode::Read);
            lock(&self.timer).pending.push(Pending { stamps, submission: submission.clone(), mapping });
        }
        submission
    }
}

impl GpuDevice {
    /// Begins or ends the timing of kernels. Returns whether the device can: not all have a clock.
    ///
    /// # Errors
    /// As [`submit`](Self::submit): what was recorded before is handed over first.
    pub fn time_kernels(&self, on: bool) -> Result<bool> {
        self.submit()?;
        let can = self.shared.fence.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        lock(&self.shared.timer).is_on = on && can;
        Ok(can)
    }

    /// What kernels took since this was asked last, by name, while [`time_kernels`](Self::time_kernels) was on. Waits for
    /// those that are under way.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the device is lost.
    pub fn kernel_times(&self) -> Result<Vec<KernelTime>> {
        self.submit()?;
        let shared = &self.shared;
        let (pending, mut totals) = {
            let mut timer = lock(&shared.timer);
            (std::mem::take(&mut timer.pending), std::mem::take(&mut timer.totals))
        };
        let tick = f64::from(shared.fence.queue.get_timestamp_period()) * 1e-9;
        for one in pending {
            let Pending { stamps: Stamps { staging, names }, submission, mapping } = one;
            let stamps: Vec<u64> = shared
                .fence
                .read(&staging, &submission, &mapping, |bytes| Some(bytemuck::pod_collect_to_vec(bytes)))?;
            for (name, stamps) in names.into_iter().zip(stamps.chunks_exact(2)) {
                let total = totals.entry(name).or_default();
                total.0 += 1;
                // A clock that jumped back has measured nothing.
                total.1 += stamps[1].saturating_sub(stamps[0]) as f64 * tick;
            }
        }
        let of = |(name, (runs, seconds))| KernelTime { name, runs, time: Duration::from_secs_f64(seconds) };
        Ok(totals.into_iter().map(of).collect())
    }
}
