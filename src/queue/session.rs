//! Where queues run: the devices, the threads, the memory.

use super::choice::{DeviceChoice, OneDevice};
use super::memory::Memory;
use super::profile::Profile;
#[cfg(feature = "gpu")]
use super::tune::Tuning;
use crate::backend::DeviceInfo;
use crate::backend::cpu;
#[cfg(feature = "gpu")]
use crate::backend::gpu::{self, GpuDevice};
use crate::collective::{Collective, Local};
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The devices, the thread pool and the memory budget that queues run with: Alink's `MLEnvironment`.
///
/// ```
/// use superstep::Session;
///
/// let session = Session::builder().device("cpu".parse()?).threads(2).partitions(3).build()?;
/// assert_eq!(session.devices()[0].info().interface, "native");
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// A session is cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    devices: Vec<Device>,
    /// Devices that were lost, each with the one that was opened in its place.
    reopened: Mutex<Vec<(Device, Device)>>,
    pool: rayon::ThreadPool,
    partitions: usize,
    memory: Memory,
    interrupt: Arc<AtomicBool>,
    collective: Arc<dyn Collective>,
    items: Arc<Profile>,
    #[cfg(feature = "gpu")]
    tuning: Arc<Tuning>,
}

/// A device that a session has opened.
#[derive(Clone)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    Cpu(DeviceInfo),
    /// A device reached through wgpu.
    #[cfg(feature = "gpu")]
    Gpu(GpuDevice),
}

impl Device {
    pub(super) fn the_cpu() -> Self {
        Self::Cpu(cpu::info())
    }

    /// What is known of it.
    pub fn info(&self) -> &DeviceInfo {
        match self {
            Self::Cpu(info) => info,
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => device.info(),
        }
    }

    /// Whether it is lost: taken out, or reset by the system.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Cpu(_) => false,
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => device.is_lost(),
        }
    }

    /// The same device, opened once more.
    fn open_again(&self) -> Option<Self> {
        match self {
            Self::Cpu(_) => None,
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => device.open_again().map(Self::Gpu),
        }
    }

    /// Whether the two are one.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            #[cfg(feature = "gpu")]
            (Self::Gpu(own), Self::Gpu(other)) => own.is(other),
            _ => false,
        }
    }

    /// Whether it computes in the host's own memory.
    pub fn is_host(&self) -> bool {
        matches!(self, Self::Cpu(_))
    }

    /// The most bytes of its memory that may be taken; `u64::MAX` where nothing was set.
    pub(crate) fn memory_limit(&self) -> u64 {
        match self {
            Self::Cpu(_) => u64::MAX,
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => device.memory_limit(),
        }
    }

    /// The rows of a partition are cut so that none is larger than this many bytes.
    pub(crate) fn max_partition_bytes(&self) -> u64 {
        match self {
            Self::Cpu(_) => u64::MAX,
            #[cfg(feature = "gpu")]
            Self::Gpu(device) => device.limits().max_binding_bytes.min(device.limits().max_buffer_bytes),
        }
    }
}

/// Every adapter that can be asked for as `gpu:I`, hardware first; empty without the feature `gpu`.
pub fn adapters() -> Vec<DeviceInfo> {
    #[cfg(feature = "gpu")]
    {
        gpu::adapters()
    }
    #[cfg(not(feature = "gpu"))]
    {
        Vec::new()
    }
}

/// The settings of a [`Session`]; each has a default.
#[derive(Default)]
pub struct SessionBuilder {
    choice: DeviceChoice,
    own: Vec<Device>,
    threads: Option<usize>,
    partitions: Option<usize>,
    memory: Option<u64>,
    device_memory: Option<u64>,
    interrupt: Arc<AtomicBool>,
    collective: Option<Arc<dyn Collective>>,
    untuned: bool,
    cache: Option<PathBuf>,
}

impl Session {
    /// Whether the two are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The best hardware GPU at hand, else the CPU.
    ///
    /// # Errors
    /// When the thread pool cannot be started. A GPU that fails to open is passed over.
    pub fn auto() -> Result<Self> {
        Self::builder().build()
    }

    /// The CPU alone, with all its threads.
    ///
    /// # Errors
    /// When the thread pool cannot be started.
    pub fn cpu() -> Result<Self> {
        Self::builder().device(DeviceChoice::These(vec![OneDevice::Cpu])).build()
    }

    /// The best adapter there is, be it a software one.
    ///
    /// # Errors
    /// When there is none; the message lists what was found.
    pub fn gpu() -> Result<Self> {
        Self::builder().device(DeviceChoice::Gpu).build()
    }

    /// Settings to choose from.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// The devices, in the order in which they get their share of the rows.
    pub fn devices(&self) -> &[Device] {
        &self.0.devices
    }

    /// How many of the devices, those that were opened again among them, are lost.
    pub(crate) fn losses(&self) -> usize {
        let reopened = self.0.reopened.lock().unwrap_or_else(PoisonError::into_inner);
        let again = reopened.iter().map(|(_, again)| again);
        self.devices().iter().chain(again).filter(|device| device.is_lost()).count()
    }

    /// The devices, in place of those that are lost the ones that were opened again; what is lost for good is left out.
    pub(super) fn living(&self) -> Vec<Device> {
        let reopened = self.0.reopened.lock().unwrap_or_else(PoisonError::into_inner);
        let again = |lost: &Device| reopened.iter().find(|(before, _)| before.is(lost)).map(|(_, again)| again.clone());
        let devices = self.devices().iter().filter_map(|device| {
            if device.is_lost() { again(device).filter(|device| !device.is_lost()) } else { Some(device.clone()) }
        });
        devices.collect()
    }

    /// A device in place of one that is lost: opened again, once for all queues of the session.
    pub(super) fn in_place_of(&self, lost: &Device) -> Option<Device> {
        let mut reopened = self.0.reopened.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reopened.iter_mut().find(|(before, again)| before.is(lost) || again.is(lost));
        if let Some((_, again)) = known.as_ref().filter(|(_, again)| !again.is_lost()) {
            return Some(again.clone());
        }
        let again = lost.open_again()?;
        #[cfg(feature = "gpu")]
        if let (true, Device::Gpu(gpu)) = (self.items().is_on(), &again) {
            // Its kernels go untimed where that is refused.
            let _ = gpu.time_kernels(true);
        }
        match known {
            Some((_, place)) => *place = again.clone(),
            None => reopened.push((lost.clone(), again.clone())),
        }
        Some(again)
    }

    /// How many threads compute on the CPU.
    pub fn threads(&self) -> usize {
        self.0.pool.current_num_threads()
    }

    /// How many partitions, and so tasks, each device has at least.
    pub fn partitions(&self) -> usize {
        self.0.partitions
    }

    /// What may be kept on the host, and what of it is taken.
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// The processes that queues run on together; this one alone unless another was given.
    pub fn collective(&self) -> &Arc<dyn Collective> {
        &self.0.collective
    }

    /// How it chooses among shaders that compute the same.
    #[cfg(feature = "gpu")]
    pub(super) fn tuning(&self) -> &Arc<Tuning> {
        &self.0.tuning
    }

    /// What is measured of the items of its queues.
    pub(super) fn items(&self) -> &Arc<Profile> {
        &self.0.items
    }

    /// Runs a closure in the session's thread pool, where `rayon`'s parallel iterators use its threads.
    pub fn install<R: Send>(&self, run: impl FnOnce() -> R + Send) -> R {
        self.0.pool.install(run)
    }

    /// Asks running queues to end after the round they are in; their results are complete up to there.
    pub fn interrupt(&self) {
        self.0.interrupt.store(true, Ordering::Relaxed);
    }

    /// Whether [`interrupt`](Self::interrupt) was called.
    pub fn is_interrupted(&self) -> bool {
        self.0.interrupt.load(Ordering::Relaxed)
    }
}

impl SessionBuilder {
    /// Which devices to take; [`DeviceChoice::Auto`] by default.
    #[must_use]
    pub fn device(mut self, choice: DeviceChoice) -> Self {
        self.choice = choice;
        self
    }

    /// Takes a device the caller has opened, instead of a choice: with [`GpuDevice::from_wgpu`] that is the caller's own
    /// `wgpu` device and queue. May be called several times.
    ///
    /// [`GpuDevice::from_wgpu`]: crate::backend::gpu::GpuDevice::from_wgpu
    #[cfg(feature = "gpu")]
    #[must_use]
    pub fn own_device(mut self, device: GpuDevice) -> Self {
        self.own.push(Device::Gpu(device));
        self
    }

    /// How many threads compute on the CPU; all processors by default.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// How many partitions each device gets at least; 1 by default, more where a device's limits ask for it.
    #[must_use]
    pub fn partitions(mut self, partitions: usize) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// The most bytes that may be kept on the host: pinned rows, labels, sums. Rows that do not fit are streamed: read
    /// anew in every round, with the same result. By default four fifths of what the machine has free.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// The most bytes that each device may keep in its own memory. Rows that do not fit are streamed to it in every round.
    /// By default what the device gives: if it runs out, half of that is tried.
    #[must_use]
    pub fn device_memory(mut self, bytes: u64) -> Self {
        self.device_memory = Some(bytes);
        self
    }

    /// Whether shaders that compute the same are tried on the first rows of a device, so that the fastest goes on; they are
    /// by default. Without it each item's first is taken. The result is the same.
    #[must_use]
    pub fn tune(mut self, tune: bool) -> Self {
        self.untuned = !tune;
        self
    }

    /// The folder for what is worth keeping from run to run, such as which shaders were the fastest: `superstep` in the
    /// user's own for such things by default (on Linux `~/.cache`).
    #[must_use]
    pub fn cache_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Uses the caller's flag for [`Session::interrupt`], so that a signal handler can set it.
    #[must_use]
    pub fn interrupt_flag(mut self, flag: Arc<AtomicBool>) -> Self {
        self.interrupt = flag;
        self
    }

    /// The processes that queues run on together: each takes its share of the rows, and every rank builds its session and
    /// runs the same queues in the same order. The ranks of a host share out its threads and its adapters.
    #[must_use]
    pub fn collective(mut self, collective: Arc<dyn Collective>) -> Self {
        self.collective = Some(collective);
        self
    }

    /// Opens the devices and starts the threads.
    ///
    /// # Errors
    /// When a device that was asked for is not there or does not open, or when a setting is zero; on all ranks, when this
    /// is so on one.
    pub fn build(mut self) -> Result<Session> {
        let collective = self.collective.take().unwrap_or_else(|| Arc::new(Local));
        let session = self.build_here(collective.clone());
        collective.agree(session)
    }

    fn build_here(self, collective: Arc<dyn Collective>) -> Result<Session> {
        let at_least_one = |name: &str, value: Option<usize>| match value {
            Some(0) => Err(Error::parameter(name, "0 is too few: take 1 or more")),
            _ => Ok(value),
        };
        let threads = at_least_one("threads", self.threads)?;
        let partitions = at_least_one("partitions", self.partitions)?.unwrap_or(1);
        let (place, neighbours) = collective.on_this_host();
        let devices = if self.own.is_empty() { open(&self.choice, place)? } else { self.own };
        if devices.is_empty() {
            return Err(Error::parameter("device", "the list names no device: take `cpu`, `gpu` or `auto`"));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or_else(|| fair_threads(neighbours)))
            .thread_name(|number| format!("superstep-{number}"))
            .build()
            .map_err(|error| Error::parameter("threads", error.to_string()))?;
        #[cfg(feature = "gpu")]
        if let Some(bytes) = self.device_memory {
            for device in &devices {
                if let Device::Gpu(gpu) = device {
                    gpu.limit_memory(bytes);
                }
            }
        }
        let (memory, interrupt) = (Memory::new(self.memory, neighbours), self.interrupt);
        #[cfg(not(feature = "gpu"))]
        let _ = (self.untuned, self.cache);
        Ok(Session(Arc::new(Inner {
            devices,
            reopened: Mutex::default(),
            pool,
            partitions,
            memory,
            interrupt,
            collective,
            items: Arc::default(),
            #[cfg(feature = "gpu")]
            tuning: Arc::new(Tuning::new(!self.untuned, self.cache)),
        })))
    }
}

/// The threads of one of several processes on this host; 0 where it is alone: what the pool thinks best.
fn fair_threads(neighbours: usize) -> usize {
    if neighbours <= 1 {
        return 0;
    }
    std::thread::available_parallelism().map_or(1, |all| (all.get() / neighbours).max(1))
}

#[cfg(not(feature = "gpu"))]
fn open(choice: &DeviceChoice, _: usize) -> Result<Vec<Device>> {
    let without = || Error::NoDevice {
        asked: choice.to_string(),
        found: "this build has no GPU support: build it with the feature `gpu`, or take `cpu`".into(),
    };
    match choice {
        DeviceChoice::Auto | DeviceChoice::All => Ok(vec![Device::the_cpu()]),
        DeviceChoice::Gpu => Err(without()),
        DeviceChoice::These(list) if list.iter().all(|one| *one == OneDevice::Cpu) => {
            Ok(list.iter().map(|_| Device::the_cpu()).collect())
        }
        DeviceChoice::These(_) => Err(without()),
    }
}

/// Opens the devices of a choice. Several processes on one host take its GPUs in turn: `place` is this one's number there.
#[cfg(feature = "gpu")]
fn open(choice: &DeviceChoice, place: usize) -> Result<Vec<Device>> {
    match choice {
        DeviceChoice::Auto => Ok(vec![first_that_opens(place).unwrap_or_else(Device::the_cpu)]),
        DeviceChoice::Gpu => {
            let found = gpu::adapters();
            if found.is_empty() {
                return Err(no_device(choice, &[]));
            }
            // Hardware is listed first; where there is none, all share the first software adapter.
            let hardware = found.iter().filter(|info| info.kind.is_hardware_gpu()).count();
            Ok(vec![Device::Gpu(GpuDevice::open(place % hardware.max(1))?)])
        }
        DeviceChoice::All => {
            let hardware = gpu::adapters()
                .iter()
                .enumerate()
                .filter(|(_, info)| info.kind.is_hardware_gpu())
                .map(|(at, _)| at)
                .collect::<Vec<_>>();
            let gpus = hardware.into_iter().filter_map(|at| GpuDevice::open(at).ok()).map(Device::Gpu);
            Ok(gpus.chain([Device::the_cpu()]).collect())
        }
        DeviceChoice::These(list) => {
            let found = if list.iter().all(|one| *one == OneDevice::Cpu) { Vec::new() } else { gpu::adapters() };
            list.iter()
                .map(|one| match one {
                    OneDevice::Cpu => Ok(Device::the_cpu()),
                    OneDevice::Adapter(number) if *number < found.len() => GpuDevice::open(*number).map(Device::Gpu),
                    OneDevice::Adapter(_) => Err(no_device(choice, &found)),
                })
                .collect()
        }
    }
}

/// The first hardware GPU that opens, counted on from this process's own.
#[cfg(feature = "gpu")]
fn first_that_opens(place: usize) -> Option<Device> {
    let hardware = gpu::adapters().iter().filter(|info| info.kind.is_hardware_gpu()).count();
    (0..hardware)
        .map(|number| (place + number) % hardware)
        .find_map(|number| GpuDevice::open(number).ok())
        .map(Device::Gpu)
}

#[cfg(feature = "gpu")]
fn no_device(choice: &DeviceChoice, found: &[DeviceInfo]) -> Error {
    let mut list = found
        .iter()
        .enumerate()
        .map(|(number, info)| format!("gpu:{number} {} ({}, {})", info.name, info.kind, info.interface))
        .collect::<Vec<_>>()
        .join("; ");
    if list.is_empty() {
        list = "no adapter (is a Vulkan, Metal or DX12 driver installed, and do WGPU_BACKEND and WGPU_ADAPTER_NAME \
                leave one?)"
            .into();
    }
    Error::NoDevice { asked: choice.to_string(), found: format!("found {list}; `cpu` is always there") }
}
