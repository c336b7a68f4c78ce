//! An open device: its memory, its kernels and its queue.

use super::adapters;
use super::buffer::{DeviceBuffer, Ledger, allocated};
use super::fence::{Fence, lock};
use super::kernel::{Kernel, KernelKey};
use super::recorder::Recorder;
use super::timing::Timer;
use super::transfer::Ring;
use crate::backend::DeviceInfo;
use crate::{Error, Result};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a device can do at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest piece of memory that one variable of a kernel may cover, in bytes.
    pub max_binding_bytes: u64,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// The workgroup memory of a kernel, in bytes.
    pub max_workgroup_bytes: u32,
    /// Threads in a workgroup.
    pub max_invocations: u32,
    /// Workgroups along one dimension of a dispatch.
    pub max_workgroups_per_dimension: u32,
    /// Storage buffers that one kernel may bind.
    pub max_storage_buffers: u32,
}

impl Limits {
    fn of(limits: &wgpu::Limits) -> Self {
        Self {
            max_binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            max_buffer_bytes: limits.max_buffer_size,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        }
    }
}

/// A device that is open. Clones are the same device; all threads may use it at once.
///
/// Commands are recorded in the order of the calls and run in that order; nothing runs before [`submit`](Self::submit),
/// a download or a read-back. Once the device is lost every call returns [`Error::Device`].
///
/// ```
/// # use superstep::backend::gpu::{GpuDevice, KernelSpec, adapters};
/// # fn main() -> superstep::Result<()> {
/// # if adapters().is_empty() { return Ok(()); }
/// let device = GpuDevice::open(0)?;
/// let source = "@group(0) @binding(0) var<storage, read_write> values: array<u32>;
///               @compute @workgroup_size(1) fn double(@builtin(workgroup_id) group: vec3<u32>) {
///                   values[group.x] *= 2u;
///               }";
/// let kernel = device.compile(&KernelSpec { label: "double", source, entry: None, constants: &[] })?;
/// let values = device.upload("values", &[21, 0, 0, 0])?;
/// device.dispatch(&kernel, &[("values", &values)], 1)?;
/// assert_eq!(device.download(&values)?, [42, 0, 0, 0]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GpuDevice {
    pub(super) shared: Arc<Shared>,
}

/// A device's state. The recorder's lock is held while a command is recorded or submitted, the others for a look-up.
pub(super) struct Shared {
    pub(super) recorder: Mutex<Recorder>,
    pub(super) kernels: Mutex<HashMap<KernelKey, Kernel>>,
    pub(super) bind_groups: Mutex<HashMap<BindGroupKey, BindGroups>>,
    pub(super) ring: Mutex<Ring>,
    pub(super) timer: Mutex<Timer>,
    submissions: AtomicU64,
    memory: Arc<Ledger>,
    info: DeviceInfo,
    /// Its place among the adapters; `None` where the caller has opened it.
    place: Option<usize>,
    pub(super) limits: Limits,
    // Declared last, so dropped last: what wgpu made goes before its device.
    pub(super) fence: Fence,
}

/// The compiler checks each field here, so that the two lines below cannot become false unnoticed.
const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Mutex<Recorder>>();
    shared_by_threads::<Mutex<HashMap<KernelKey, Kernel>>>();
    shared_by_threads::<Mutex<HashMap<BindGroupKey, BindGroups>>>();
    shared_by_threads::<(Mutex<Ring>, Mutex<Timer>, AtomicU64, Arc<Ledger>, DeviceInfo, Limits, Fence)>();
};

// SAFETY: every field is Send, as the lines above prove. The proof for the whole goes so deep into wgpu's types that it
// passes rustc's default recursion limit, and every crate that sends a session to a thread would have to raise it.
unsafe impl Send for Shared {}
// SAFETY: as for Send.
unsafe impl Sync for Shared {}

/// A kernel by its number, and buffer, offset and bytes of each of its variables.
pub(super) type BindGroupKey = (u64, Vec<(u64, u64, u64)>);
/// Bind groups with their numbers.
pub(super) type BindGroups = Arc<[(u32, wgpu::BindGroup)]>;

impl GpuDevice {
    /// Opens the adapter at a place of [`adapters`](super::adapters), with all its limits.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is no such place, [`Error::Device`] if the driver refuses.
    pub fn open(index: usize) -> Result<Self> {
        let adapter = adapters::adapter(index)?;
        let name = adapter.get_info().name;
        let mut wanted = wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY;
        let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
        let matrix_units = adapters::has_matrix_units(&adapter);
        if matrix_units {
            wanted |= adapters::MATRIX_FEATURES;
            // SAFETY: of the experimental features only cooperative matrices are asked for, and only two kernels of this crate
            // use them: in the sizes and types that the adapter lists, on memory whose bounds they check themselves. Their
            // labels are compared with those of the plain kernels on every device that offers them.
            experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("superstep"),
            required_features: adapter.features() & wanted,
            required_limits: adapter.limits(),
            experimental_features,
            ..Default::default()
        };
        let opened = catch_unwind(AssertUnwindSafe(|| pollster::block_on(adapter.request_device(&descriptor))));
        let (device, queue) = opened
            .map_err(|_| Error::device(&name, "the driver failed while the device was opened"))?
            .map_err(|error| Error::device(&name, format!("could not be opened: {error}")))?;
        Ok(Self::new(&device.clone(), Fence::owned(device, queue, name), matrix_units, Some(index)))
    }

    /// Works on a device that the caller has opened, beside the caller's own use of it.
    ///
    /// The caller's callbacks for lost devices and uncaptured errors stay as they are, and no error of this crate
    /// reaches them. The device's limits are those that the caller asked for.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let name = device.adapter_info().name;
        Self::new(&device.clone(), Fence::borrowed(device, queue, name), false, None)
    }

    /// Whether the device is lost: taken out, reset by the system, or [destroyed](Self::destroy).
    pub fn is_lost(&self) -> bool {
        self.shared.fence.is_lost()
    }

    /// Whether the two are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether a buffer lives on this device.
    pub(crate) fn holds(&self, buffer: &DeviceBuffer) -> bool {
        buffer.is_on(&self.shared)
    }

    /// Opens the adapter of a lost device again, with the same limit of memory; `None` where it does not open, another one is in its
    /// place, or the device is the caller's own.
    pub fn open_again(&self) -> Option<Self> {
        let again = Self::open(self.shared.place?).ok().filter(|again| again.info() == self.info())?;
        again.limit_memory(self.memory_limit());
        Some(again)
    }

    /// Destroys the device: from now on it is lost to all that use it. So one sees what they do then.
    pub fn destroy(&self) {
        self.shared.fence.destroy();
    }

    fn new(device: &wgpu::Device, fence: Fence, matrix_units: bool, place: Option<usize>) -> Self {
        let limits = device.limits();
        let shared = Shared {
            recorder: Mutex::default(),
            kernels: Mutex::default(),
            bind_groups: Mutex::default(),
            ring: Mutex::default(),
            timer: Mutex::default(),
            submissions: AtomicU64::new(0),
            memory: Arc::default(),
            place,
            info: adapters::describe(&device.adapter_info(), &limits, matrix_units),
            limits: Limits::of(&limits),
            fence,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What is known of the device.
    pub fn info(&self) -> &DeviceInfo {
        &self.shared.info
    }

    /// What it can do at once.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// How often work was handed to the device so far, uploads and downloads included.
    pub fn submissions(&self) -> u64 {
        self.shared.submissions.load(Ordering::Relaxed)
    }

    /// The most bytes that its buffers may take together; `u64::MAX` where nothing was set.
    pub fn memory_limit(&self) -> u64 {
        self.shared.memory.limit()
    }

    /// Sets the most bytes that its buffers may take together, whatever the device has. A buffer that would take more is
    /// refused as if the device were out of memory. Staging memory, which lies on the host's side, does not count.
    pub fn limit_memory(&self, bytes: u64) {
        self.shared.memory.set_limit(bytes);
    }

    /// The bytes that its buffers take now, and the most they have taken at once.
    pub fn memory_taken(&self) -> (u64, u64) {
        (self.shared.memory.taken(), self.shared.memory.peak())
    }

    /// A buffer of `bytes` zeros.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the device, or its [`memory_limit`](Self::memory_limit), has not that much left, [`Error::Device`] if no buffer may be that large.
    pub fn create_zeroed(&self, label: &str, bytes: u64) -> Result<DeviceBuffer> {
        let shared = &self.shared;
        let most = shared.limits.max_buffer_bytes;
        let size = allocated(bytes).filter(|&size| size <= most).ok_or_else(|| {
            shared
                .fence
                .error(format!("buffer `{label}` of {bytes} bytes: no buffer may exceed {most} bytes, split it"))
        })?;
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::UNIFORM
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let room = shared.memory.take(size).ok_or_else(|| {
            let (taken, limit) = (shared.memory.taken(), shared.memory.limit());
            let message = format!("{bytes} bytes for buffer `{label}`, of the {limit} allowed {taken} are taken");
            shared.fence.out_of_memory(message)
        })?;
        let doing = || format!("set aside {bytes} bytes for buffer `{label}`");
        let raw = shared.fence.run_alive(doing, || shared.fence.device.create_buffer(&descriptor))?;
        Ok(DeviceBuffer::new(shared, label, bytes, raw, room))
    }

    /// Waits until all that was submitted has ended.
    ///
    /// # Errors
    /// [`Error::Device`] if the device is lost.
    pub fn wait(&self) -> Result<()> {
        self.shared.fence.wait(None)
    }

    /// Hands over what was recorded, without waiting for it. Where nothing was recorded nothing happens.
    ///
    /// # Errors
    /// [`Error::Device`] or [`Error::OutOfMemory`]; what was recorded is dropped then.
    pub fn submit(&self) -> Result<()> {
        let shared = &self.shared;
        let mut recorder = lock(&shared.recorder);
        shared.fence.run_alive(
            || "submit the recorded work".into(),
            || {
                if let Some(recorded) = recorder.take(&shared.fence.device) {
                    shared.hand_over_recorded(recorded);
                }
            },
        )
    }
}

impl Shared {
    /// Submits an encoder's commands; to be called inside the fence.
    pub(super) fn hand_over(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        self.submissions.fetch_add(1, Ordering::Relaxed);
        self.fence.queue.submit([encoder.finish()])
    }

    pub(super) fn forget_bind_groups(&self, buffer: u64) {
        lock(&self.bind_groups).retain(|(_, bound), _| bound.iter().all(|(id, ..)| *id != buffer));
    }

    /// Checks that a buffer lives on this device.
    pub(super) fn check_owner(self: &Arc<Self>, buffer: &DeviceBuffer) -> Result<()> {
        if buffer.is_on(self) {
            return Ok(());
        }
        Err(self.fence.error(format!("buffer `{}` lives on another device", buffer.label())))
    }
}

impl fmt::Debug for GpuDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuDevice").field("info", &self.shared.info).finish_non_exhaustive()
    }
}
