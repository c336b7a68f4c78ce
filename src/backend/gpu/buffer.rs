//! Memory on a device.

use super::device::Shared;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The least a buffer takes: some drivers refuse empty ones, and a shader may declare an array of `vec4`.
const LEAST_BYTES: u64 = 16;

/// A piece of a device's memory. Clones share it; it is returned to the device when the last is dropped and no
/// submitted work uses it any more.
#[derive(Clone)]
pub struct DeviceBuffer(Arc<Inner>);

struct Inner {
    /// Declared first, so dropped first: what the buffer took of the device's memory.
    _room: Room,
    id: u64,
    label: String,
    bytes: u64,
    raw: wgpu::Buffer,
    device: Weak<Shared>,
}

const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<(Room, u64, String, wgpu::Buffer, Weak<Shared>)>();
};

// SAFETY: every field is Send, as the lines above prove; see `Shared` for why the proof ends here.
unsafe impl Send for Inner {}
// SAFETY: as for Send.
unsafe impl Sync for Inner {}

impl DeviceBuffer {
    pub(super) fn new(device: &Arc<Shared>, label: &str, bytes: u64, raw: wgpu::Buffer, room: Room) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let device = Arc::downgrade(device);
        Self(Arc::new(Inner { _room: room, id, label: label.to_owned(), bytes, raw, device }))
    }

    /// Its length in bytes, as it was asked for.
    pub fn len(&self) -> u64 {
        self.0.bytes
    }

    /// Whether it holds no byte.
    pub fn is_empty(&self) -> bool {
        self.0.bytes == 0
    }

    /// The name it was given.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn raw(&self) -> &wgpu::Buffer {
        &self.0.raw
    }

    pub(super) fn is_on(&self, device: &Arc<Shared>) -> bool {
        std::ptr::eq(self.0.device.as_ptr(), Arc::as_ptr(device))
    }
}

/// How much memory of a device buffers may take, and how much they do.
#[derive(Debug)]
pub(super) struct Ledger {
    limit: AtomicU64,
    taken: AtomicU64,
    peak: AtomicU64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { limit: AtomicU64::new(u64::MAX), taken: AtomicU64::new(0), peak: AtomicU64::new(0) }
    }
}

impl Ledger {
    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Takes room for a buffer; `None` where the limit does not leave it.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Option<Room> {
        let limit = self.limit();
        let more = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= limit);
        let before = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.peak.fetch_max(before + bytes, Ordering::Relaxed);
        Some(Room { ledger: self.clone(), bytes })
    }
}

/// What one buffer takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.ledger.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The memory that a buffer of `bytes` takes: copies and bindings want a multiple of four.
pub(super) fn allocated(bytes: u64) -> Option<u64> {
    bytes.max(LEAST_BYTES).checked_next_multiple_of(LEAST_BYTES)
}

/// `bytes`, up to the next multiple that copies want.
pub(super) fn copied(bytes: u64) -> u64 {
    bytes.next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)
}

impl Drop for Inner {
    /// Bind groups hold the memory: those kept for later go with it.
    fn drop(&mut self) {
        if let Some(device) = self.device.upgrade() {
            device.forget_bind_groups(self.id);
        }
    }
}

impl fmt::Debug for DeviceBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuffer").field("label", &self.0.label).field("bytes", &self.0.bytes).finish()
    }
}
