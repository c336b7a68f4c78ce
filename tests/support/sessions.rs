//! Sessions to run on.

use crate::adapters::at_hand;
use std::sync::{Mutex, MutexGuard, PoisonError};
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{Result, Session};

/// Runs a test on the CPU and on every adapter.
pub(crate) fn on_every_device(test: impl Fn(&Session, &str) -> Result<()>) {
    let run = |device: OneDevice, name: &str| {
        if let Err(error) = test(&session(device, 2, 1), name) {
            panic!("{name}: {error}");
        }
    };
    run(OneDevice::Cpu, "the CPU");
    for number in 0..at_hand() {
        let _alone = alone();
        run(OneDevice::Adapter(number), &format!("gpu:{number}"));
    }
}

/// Keeps the adapters to one test: a software adapter serves one faster than two.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ADAPTERS: Mutex<()> = Mutex::new(());
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session on a device.
pub(crate) fn session(device: OneDevice, threads: usize, partitions: usize) -> Session {
    let builder = Session::builder().device(DeviceChoice::These(vec![device]));
    builder.threads(threads).partitions(partitions).build().expect("the device opens")
}

pub(crate) fn cpu() -> Session {
    session(OneDevice::Cpu, 2, 1)
}

/// The device that `on_every_device` calls so.
pub(crate) fn named(name: &str) -> OneDevice {
    let number = name.strip_prefix("gpu:").map(|number| number.parse().expect("a number"));
    number.map_or(OneDevice::Cpu, OneDevice::Adapter)
}

/// A session on several devices, each of which may stand more than once.
pub(crate) fn together(devices: Vec<OneDevice>) -> Session {
    Session::builder().device(DeviceChoice::These(devices)).threads(2).build().expect("the devices open")
}

/// A session on an adapter, and what takes the device away from it.
#[cfg(feature = "gpu")]
pub(crate) fn takeable(adapter: usize) -> Result<(Session, impl Fn() + Send + Sync + 'static)> {
    let device = superstep::backend::gpu::GpuDevice::open(adapter)?;
    let session = Session::builder().own_device(device.clone()).threads(2).build()?;
    Ok((session, move || device.destroy()))
}

/// What a run that has lost its device says of that.
#[cfg(feature = "gpu")]
pub(crate) fn assert_told_of_a_loss(warnings: &[String], case: &str) {
    assert_eq!(warnings.iter().filter(|warning| warning.contains("was lost")).count(), 1, "{case}: {warnings:?}");
}
