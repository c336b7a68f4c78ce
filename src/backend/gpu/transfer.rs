//! Data to a device and back.

use super::buffer::{DeviceBuffer, copied};
use super::device::{GpuDevice, Shared};
use super::dispatch::check_span;
use super::fence::lock;
use crate::Result;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// A piece of a transfer: large enough to keep the bus busy, small enough that the ring is no burden.
const CHUNK_BYTES: u64 = 4 << 20;
/// Pieces of a download in flight: one is read while one is copied and one waits.
const RING: usize = 3;
/// Staging buffers of uploads, at most: what the host can be ahead of the device. A new one is made only while all
/// others are in use.
const STAGED: usize = 8;

impl GpuDevice {
    /// A buffer that holds these bytes.
    pub fn upload(&self, label: &str, bytes: &[u8]) -> Result<DeviceBuffer> {
        if bytes.len() as u64 <= CHUNK_BYTES {
            let buffer = self.create_zeroed(label, bytes.len() as u64)?;
            return self.write(&buffer, bytes).map(|()| buffer);
        }
        let copy = &mut |offset: u64, out: &mut [u8]| {
            let piece = usize::try_from(offset).ok().and_then(|start| bytes.get(start..)?.get(..out.len()));
            if let Some(piece) = piece {
                out.copy_from_slice(piece);
            }
            Ok(())
        };
        self.upload_with(label, bytes.len() as u64, 1, copy)
    }

    /// A buffer of `bytes` bytes that `fill(offset, piece)` produces, piece after piece, in order.
    ///
    /// Each piece starts at a multiple of `granule` bytes (a row, say) and ends at one or at the end. Pieces have a few
    /// MiB, or one granule where that is larger, and are copied while the next is filled.
    ///
    /// # Errors
    /// Those of [`create_zeroed`](Self::create_zeroed), and what `fill` returns, which ends the upload.
    pub fn upload_with(
        &self,
        label: &str,
        bytes: u64,
        granule: u64,
        fill: &mut dyn FnMut(u64, &mut [u8]) -> Result<()>,
    ) -> Result<DeviceBuffer> {
        let buffer = self.create_zeroed(label, bytes)?;
        self.write_with(&buffer, bytes, granule, fill).map(|()| buffer)
    }

    /// As [`upload_with`](Self::upload_with), to the start of a buffer that is there already. What was recorded
    /// before and uses it is submitted first, and so runs before.
    ///
    /// # Errors
    /// [`Error::Wiring`](crate::Error::Wiring) if the bytes do not fit; else as `upload_with`.
    pub fn write_with(
        &self,
        buffer: &DeviceBuffer,
        bytes: u64,
        granule: u64,
        fill: &mut dyn FnMut(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        self.shared.check_owner(buffer)?;
        check_span("write", buffer, bytes)?;
        let is_used = lock(&self.shared.recorder).uses(buffer);
        if is_used && piece_bytes(granule) < bytes {
            self.submit()?;
        }
        let piece = piece_bytes(granule).min(bytes);
        let mut host = self.host_memory(buffer.label(), piece)?;
        host.resize(self.host_size(buffer.label(), piece)?, 0);
        let mut offset = 0;
        while offset < bytes {
            let count = self.host_size(buffer.label(), piece.min(bytes - offset))?;
            let filled = &mut host[..count];
            fill(offset, filled)?;
            if piece == bytes {
                self.write(buffer, filled)?;
            } else {
                lock(&self.shared.ring).send(&self.shared, filled, buffer, offset)?;
            }
            offset += count as u64;
        }
        Ok(())
    }

    /// Puts bytes at the start of a buffer, after what was recorded before and before what is recorded later.
    ///
    /// # Errors
    /// [`Error::Wiring`](crate::Error::Wiring) if they do not fit, or end inside a group of four bytes before the end of
    /// the buffer.
    pub fn write(&self, buffer: &DeviceBuffer, bytes: &[u8]) -> Result<()> {
        let shared = &self.shared;
        shared.check_owner(buffer)?;
        check_span("write", buffer, bytes.len() as u64)?;
        if bytes.is_empty() {
            return shared.fence.check();
        }
        let padded = pad(bytes);
        let mut recorder = lock(&shared.recorder);
        let doing = || format!("write {} bytes to buffer `{}`", bytes.len(), buffer.label());
        let written = shared.fence.run(doing, || {
            if !recorder.uses(buffer) {
                // wgpu runs such writes before the next submission: right, as nothing recorded uses the buffer.
                shared.fence.queue.write_buffer(buffer.raw(), 0, &padded);
                return Some(());
            }
            let staging = staging(shared, wgpu::BufferUsages::COPY_SRC, padded.len() as u64, true);
            staging.get_mapped_range_mut(..).ok()?.copy_from_slice(&padded);
            staging.unmap();
            let encoder = recorder.encoder(&shared.fence.device, [buffer]);
            encoder.copy_buffer_to_buffer(&staging, 0, buffer.raw(), 0, padded.len() as u64);
            Some(())
        })?;
        written.ok_or_else(|| shared.fence.error(format!("could not write to buffer `{}`", buffer.label())))
    }

    /// Submits what was recorded, waits for it, and copies a buffer's bytes out.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the device is lost meanwhile,
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if no piece of staging memory is left.
    pub fn download(&self, buffer: &DeviceBuffer) -> Result<Vec<u8>> {
        self.shared.check_owner(buffer)?;
        let mut out = self.host_memory(buffer.label(), buffer.len())?;
        if buffer.is_empty() {
            return self.submit().map(|()| out);
        }
        let (mut offset, mut pending) = (0, VecDeque::new());
        while offset < buffer.len() || !pending.is_empty() {
            while offset < buffer.len() && pending.len() < RING {
                let count = CHUNK_BYTES.min(buffer.len() - offset);
                pending.push_back(self.read_range(buffer, offset, count)?);
                offset += count;
            }
            if let Some(piece) = pending.pop_front() {
                piece.append_to(&mut out)?;
            }
        }
        Ok(out)
    }

    /// Submits what was recorded, with a copy of a (small) buffer behind it, and does not wait: more work can be recorded
    /// and submitted before the bytes are looked at.
    pub fn read_back(&self, buffer: &DeviceBuffer) -> Result<ReadBack> {
        self.shared.check_owner(buffer)?;
        self.read_range(buffer, 0, buffer.len())
    }

    fn read_range(&self, buffer: &DeviceBuffer, offset: u64, bytes: u64) -> Result<ReadBack> {
        let shared = &self.shared;
        let count = self.host_size(buffer.label(), bytes)?;
        let mut recorder = lock(&shared.recorder);
        let doing = || format!("read {bytes} bytes of buffer `{}`", buffer.label());
        let (staging, submission, mapping) = shared.fence.run(doing, || {
            let size = copied(bytes.max(1));
            let staging = staging(shared, wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ, size, false);
            let encoder = recorder.encoder(&shared.fence.device, [buffer]);
            encoder.copy_buffer_to_buffer(buffer.raw(), offset, &staging, 0, size);
            let submission = recorder.take(&shared.fence.device).map(|recorded| shared.hand_over_recorded(recorded));
            let mapping = shared.fence.map(&staging, wgpu::MapMode::Read);
            (staging, submission, mapping)
        })?;
        let submission = submission.ok_or_else(|| shared.fence.error("nothing was recorded to be read"))?;
        Ok(ReadBack { device: shared.clone(), staging, submission, mapping, count })
    }

    fn host_size(&self, label: &str, bytes: u64) -> Result<usize> {
        let too_large =
            |_| self.shared.fence.error(format!("buffer `{label}` has {bytes} bytes, too many for this host"));
        usize::try_from(bytes).map_err(too_large)
    }

    /// An empty vector with room for `bytes`.
    fn host_memory(&self, label: &str, bytes: u64) -> Result<Vec<u8>> {
        let mut memory = Vec::new();
        let full = |_| self.shared.fence.error(format!("the host has no {bytes} bytes left for buffer `{label}`"));
        memory.try_reserve_exact(self.host_size(label, bytes)?).map_err(full)?;
        Ok(memory)
    }
}

/// Bytes on their way from a device.
pub struct ReadBack {
    device: Arc<Shared>,
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    mapping: Receiver<bool>,
    count: usize,
}

impl ReadBack {
    /// Waits for the bytes: those that the buffer held when it was recorded.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the device is lost meanwhile.
    pub fn wait(self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.append_to(&mut out)?;
        Ok(out)
    }

    fn append_to(self, out: &mut Vec<u8>) -> Result<()> {
        self.device.fence.read(&self.staging, &self.submission, &self.mapping, |bytes| {
            out.extend_from_slice(bytes.get(..self.count)?);
            Some(())
        })
    }
}

/// Staging buffers that are filled, copied and filled again; one ring for all uploads of a device.
#[derive(Default)]
pub(super) struct Ring {
    /// The one that was sent first comes first.
    slots: VecDeque<Slot>,
}

struct Slot {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    mapping: Receiver<bool>,
    /// Whether it was reported as mapped, and so can be filled.
    is_free: bool,
}

impl Ring {
    /// Copies a piece to a place of a buffer; waits only where all staging buffers are in use.
    fn send(&mut self, device: &Shared, piece: &[u8], to: &DeviceBuffer, offset: u64) -> Result<()> {
        let fence = &device.fence;
        let size = copied(piece.len() as u64);
        let free = self.free(device, size)?;
        let doing = || format!("upload {} bytes to buffer `{}`", piece.len(), to.label());
        let sent = fence.run(doing, || {
            let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::MAP_WRITE;
            let staging = free.unwrap_or_else(|| staging(device, usage, size.max(CHUNK_BYTES), true));
            let padded = pad(piece);
            let mut view = staging.get_mapped_range_mut(..padded.len() as u64).ok()?;
            view.copy_from_slice(&padded);
            drop(view);
            staging.unmap();
            let mut encoder = fence.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&staging, 0, to.raw(), offset, padded.len() as u64);
            let submission = device.hand_over(encoder);
            let mapping = fence.map(&staging, wgpu::MapMode::Write);
            Some(Slot { staging, submission, mapping, is_free: false })
        })?;
        self.slots.push_back(sent.ok_or_else(|| fence.error("staging memory could not be mapped"))?);
        Ok(())
    }

    /// A staging buffer that can be filled; `None` where a new one is to be made.
    fn free(&mut self, device: &Shared, size: u64) -> Result<Option<wgpu::Buffer>> {
        let full = self.slots.len() >= STAGED;
        let Some(oldest) = self.slots.front_mut() else { return Ok(None) };
        oldest.is_free |= oldest.mapping.try_recv() == Ok(true);
        if !oldest.is_free && !full {
            return Ok(None);
        }
        let Some(oldest) = self.slots.pop_front() else { return Ok(None) };
        if !oldest.is_free {
            device.fence.mapped(&oldest.submission, &oldest.mapping)?;
        }
        // One that is too small, as for a row of several MiB, makes room for a larger one.
        Ok((oldest.staging.size() >= size).then_some(oldest.staging))
    }
}

/// The pieces of an upload: whole granules, and whole groups of four bytes.
fn piece_bytes(granule: u64) -> u64 {
    let granule = granule.max(1);
    let unit = match granule % 4 {
        0 => Some(granule),
        2 => granule.checked_mul(2),
        _ => granule.checked_mul(4),
    };
    // A granule near 2⁶⁴ exceeds any buffer: the whole of it is one piece.
    unit.map_or(u64::MAX, |unit| (CHUNK_BYTES / unit).max(1).saturating_mul(unit))
}

/// The bytes with zeros up to the next multiple of four, copied only where there are some to add.
fn pad(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if bytes.len().is_multiple_of(4) {
        return bytes.into();
    }
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded.into()
}

fn staging(shared: &Shared, usage: wgpu::BufferUsages, size: u64, mapped_at_creation: bool) -> wgpu::Buffer {
    let descriptor = wgpu::BufferDescriptor { label: Some("staging"), size, usage, mapped_at_creation };
    shared.fence.device.create_buffer(&descriptor)
}
