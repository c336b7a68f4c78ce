//! What was recorded and not yet submitted.

use super::buffer::DeviceBuffer;
use super::timing::{Stamping, Stamps};
use std::collections::HashSet;

/// One command encoder and the compute pass that is open in it.
///
/// A pass costs about 36 µs of processor time, so one stays open across dispatches and ends only where a copy or the
/// submission needs the encoder itself.
#[derive(Default)]
pub(super) struct Recorder {
    // Declared first, so dropped first: a pass must end before its encoder.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    stamping: Option<Stamping>,
    touched: HashSet<u64>,
}

/// Commands to be submitted, and the timestamps among them.
pub(super) struct Recorded {
    pub(super) encoder: wgpu::CommandEncoder,
    pub(super) stamps: Option<Stamps>,
}

impl Recorder {
    /// The open compute pass, for commands that use these buffers.
    pub(super) fn pass<'b>(
        &mut self,
        device: &wgpu::Device,
        buffers: impl IntoIterator<Item = &'b DeviceBuffer>,
    ) -> &mut wgpu::ComputePass<'static> {
        self.touched.extend(buffers.into_iter().map(DeviceBuffer::id));
        let encoder = self.encoder.get_or_insert_with(|| new_encoder(device));
        self.pass.get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime())
    }

    /// A compute pass for one kernel, between two timestamps.
    pub(super) fn timed_pass<'b>(
        &mut self,
        device: &wgpu::Device,
        name: &str,
        buffers: impl IntoIterator<Item = &'b DeviceBuffer>,
    ) -> &mut wgpu::ComputePass<'static> {
        self.encoder(device, buffers);
        let encoder = self.encoder.get_or_insert_with(|| new_encoder(device));
        let stamping = self.stamping.get_or_insert_with(|| Stamping::new(device));
        let timestamp_writes = Some(stamping.next(name));
        let pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        self.pass.insert(pass.forget_lifetime())
    }

    /// Whether no further kernel of this submission can be timed.
    pub(super) fn is_full(&self) -> bool {
        self.stamping.as_ref().is_some_and(Stamping::is_full)
    }

    /// The encoder outside of any pass, for commands that use these buffers.
    pub(super) fn encoder<'b>(
        &mut self,
        device: &wgpu::Device,
        buffers: impl IntoIterator<Item = &'b DeviceBuffer>,
    ) -> &mut wgpu::CommandEncoder {
        self.touched.extend(buffers.into_iter().map(DeviceBuffer::id));
        self.pass = None;
        self.encoder.get_or_insert_with(|| new_encoder(device))
    }

    /// Whether a recorded command uses the buffer.
    pub(super) fn uses(&self, buffer: &DeviceBuffer) -> bool {
        self.touched.contains(&buffer.id())
    }

    /// What was recorded, ready to be finished; `None` if nothing was.
    pub(super) fn take(&mut self, device: &wgpu::Device) -> Option<Recorded> {
        self.pass = None;
        self.touched.clear();
        let mut encoder = self.encoder.take()?;
        let stamps = self.stamping.take().map(|stamping| stamping.finish(device, &mut encoder));
        Some(Recorded { encoder, stamps })
    }
}

fn new_encoder(device: &wgpu::Device) -> wgpu::CommandEncoder {
    device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("superstep") })
}
