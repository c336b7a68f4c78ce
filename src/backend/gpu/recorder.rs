//! What was recorded and not yet submitted.

use super::buffer::DeviceBuffer;
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
    touched: HashSet<u64>,
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
    pub(super) fn take(&mut self) -> Option<wgpu::CommandEncoder> {
        self.pass = None;
        self.touched.clear();
        self.encoder.take()
    }
}

fn new_encoder(device: &wgpu::Device) -> wgpu::CommandEncoder {
    device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("superstep") })
}
