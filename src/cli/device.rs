//! `superstep devices`, and which devices a session has.

use super::args::DevicesArgs;
use super::failure::Failure;
use super::{Ended, print};
use crate::report::{DeviceLine, devices_json, devices_table};
use superstep::Session;
use superstep::backend::{DeviceInfo, DeviceKind, cpu};
use superstep::queue::{DeviceChoice, OneDevice, adapters};

/// Lists the CPU and every adapter.
pub(super) fn run(args: &DevicesArgs) -> Result<Ended, Failure> {
    let gpus = adapters();
    let gpus = gpus.iter().enumerate().map(|(number, info)| DeviceLine::new(adapter(number), info));
    let devices: Vec<DeviceLine> = std::iter::once(DeviceLine::new("cpu", &cpu::info())).chain(gpus).collect();
    let text = if args.json { format!("{}\n", devices_json(&devices)) } else { devices_table(&devices) };
    print(&text)?;
    Ok(Ended::Done)
}

/// The CPU and every adapter, each as the choice that takes it alone.
pub(super) fn all() -> Vec<DeviceChoice> {
    let gpus = (0..adapters().len()).map(OneDevice::Adapter);
    std::iter::once(OneDevice::Cpu).chain(gpus).map(|one| DeviceChoice::These(vec![one])).collect()
}

/// The devices a session took for a choice, each under the word that asks for it.
pub(super) fn of_session(session: &Session, choice: &DeviceChoice) -> Vec<DeviceLine> {
    let infos = session.devices().iter().map(|device| device.info());
    match choice {
        DeviceChoice::These(list) => {
            let words = list.iter().map(|one| DeviceChoice::These(vec![*one]).to_string());
            words.zip(infos).map(|(word, info)| DeviceLine::new(word, info)).collect()
        }
        _ => {
            let infos: Vec<&DeviceInfo> = infos.collect();
            let is_cpu = |info: &DeviceInfo| info.kind == DeviceKind::Cpu;
            // Adapters are listed only where there is one to be found: that loads the drivers.
            let found = if infos.iter().all(|info| is_cpu(info)) { Vec::new() } else { adapters() };
            let word = |info: &DeviceInfo| match found.iter().position(|other| other == info) {
                _ if is_cpu(info) => "cpu".to_owned(),
                Some(number) => adapter(number),
                None => "gpu".to_owned(),
            };
            infos.into_iter().map(|info| DeviceLine::new(word(info), info)).collect()
        }
    }
}

/// The choice that takes these devices: `cpu`, `gpu:0,cpu`.
pub(super) fn joined(devices: &[DeviceLine]) -> String {
    devices.iter().map(|device| device.choice.as_str()).collect::<Vec<_>>().join(",")
}

fn adapter(number: usize) -> String {
    DeviceChoice::These(vec![OneDevice::Adapter(number)]).to_string()
}
