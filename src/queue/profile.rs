//! How long items take: those of the host by its clock, kernels by that of their device.

use super::session::{Device, Session};
use crate::Result;
use crate::backend::Ceilings;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time that an item of a queue, or one kernel of it, has taken on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemTime {
    /// The device's place among those of the session.
    pub device: usize,
    /// The item's name; of WGSL that of the kernel.
    pub name: String,
    /// How often it ran: once a round and task.
    pub runs: u64,
    /// How long it took, all runs together.
    pub time: Duration,
}

/// What the host has measured of its items.
#[derive(Default)]
pub(crate) struct Profile {
    is_on: AtomicBool,
    totals: Mutex<BTreeMap<(usize, String), (u64, Duration)>>,
}

impl Profile {
    /// Runs an item's computation, and measures it where that is asked for.
    #[cfg(feature = "gpu")]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    pub(crate) fn run<T>(&self, device: usize, name: &str, run: impl FnOnce() -> T) -> T {
        if !self.is_on.load(Ordering::Relaxed) {
            return run();
        }
        let clock = Instant::now();
        let result = run();
        let time = clock.elapsed();
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let total = totals.entry((device, name.to_owned())).or_default();
        *total = (total.0 + 1, total.1 + time);
        result
    }
}

impl Session {
    /// Begins or ends measuring how long the items of queues take, and forgets what was measured. Kernels of a device are
    /// timed one by one meanwhile, which takes some time itself; those of a device without a clock are not told.
    ///
    /// # Errors
    /// When a device is lost.
    pub fn profile(&self, on: bool) -> Result<()> {
        self.item_times()?;
        self.items().is_on.store(on, Ordering::Relaxed);
        #[cfg(feature = "gpu")]
        for gpu in self.living() {
            if let Device::Gpu(gpu) = gpu {
                gpu.time_kernels(on)?;
            }
        }
        Ok(())
    }

    /// Runs something while items are measured, and gives what it came to and what they took.
    ///
    /// # Errors
    /// What `run` fails with; when a device is lost.
    pub fn profiled<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<(T, Vec<ItemTime>)> {
        self.profile(true)?;
        let (done, times) = (run(), self.item_times());
        let ended = self.profile(false);
        let done = done?;
        ended.and(times).map(|times| (done, times))
    }

    /// What items have taken since this was asked last, while [`profile`](Self::profile) was on: device by device, the
    /// longest first.
    ///
    /// # Errors
    /// When a device is lost.
    pub fn item_times(&self) -> Result<Vec<ItemTime>> {
        let totals = std::mem::take(&mut *self.items().totals.lock().unwrap_or_else(PoisonError::into_inner));
        let of = |((device, name), (runs, time))| ItemTime { device, name, runs, time };
        let mut times: Vec<ItemTime> = totals.into_iter().map(of).collect();
        #[cfg(feature = "gpu")]
        for (device, gpu) in self.living().into_iter().enumerate() {
            if let Device::Gpu(gpu) = gpu {
                let kernels = gpu.kernel_times()?.into_iter();
                times.extend(kernels.map(|kernel| ItemTime {
                    device,
                    name: kernel.name,
                    runs: kernel.runs,
                    time: kernel.time,
                }));
            }
        }
        times.sort_by(|a, b| (a.device, b.time).cmp(&(b.device, a.time)));
        Ok(times)
    }

    /// Measures what each device can do at most: how fast it copies memory, and how many operations a second it does in a
    /// loop of nothing but multiplications and additions. Takes about a fifth of a second for each.
    ///
    /// # Errors
    /// When a device fails or has no memory left.
    pub fn ceilings(&self) -> Result<Vec<Ceilings>> {
        self.devices().iter().map(|device| self.ceilings_of(device)).collect()
    }

    pub(super) fn ceilings_of(&self, device: &Device) -> Result<Ceilings> {
        match device {
            Device::Cpu(_) => Ok(self.install(crate::backend::cpu::ceilings)),
            #[cfg(feature = "gpu")]
            Device::Gpu(gpu) => gpu.ceilings(),
        }
    }

    /// How many rows each device is to get, as against the others: without GPUs all are the same processor.
    #[cfg(not(feature = "gpu"))]
    pub(super) fn weights(&self, devices: &[Device]) -> Result<Vec<u64>> {
        Ok(vec![1; devices.len()])
    }
}
