//! The devices, for people and for scripts.

use super::number::bytes;
use super::table::{Align, Table};
use serde_json::{Value, json};
use superstep::backend::{DeviceInfo, DeviceKind};

/// A device and the word that asks for it on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceLine {
    /// What `--device` takes to get it: `cpu`, `gpu:0`.
    pub(crate) choice: String,
    /// The name its driver gives it.
    pub(crate) name: String,
    /// What kind of machine it is.
    pub(crate) kind: DeviceKind,
    /// The interface it is reached by.
    pub(crate) interface: String,
    /// The driver and its version, empty where there is none.
    pub(crate) driver: String,
    /// The largest piece of memory a kernel binding may cover, in bytes; `None` without a limit.
    pub(crate) max_binding_bytes: Option<u64>,
    /// The largest buffer, in bytes; `None` without a limit.
    pub(crate) max_buffer_bytes: Option<u64>,
}

impl DeviceLine {
    /// What is known of a device, under the word that asks for it.
    pub(crate) fn new(choice: impl Into<String>, info: &DeviceInfo) -> Self {
        let limit = |bytes: u64| (bytes != u64::MAX).then_some(bytes);
        Self {
            choice: choice.into(),
            name: info.name.clone(),
            kind: info.kind,
            interface: info.interface.clone(),
            driver: info.driver.clone(),
            max_binding_bytes: limit(info.max_binding_bytes),
            max_buffer_bytes: limit(info.max_buffer_bytes),
        }
    }

    /// One line for a person: `gpu:0, NVIDIA H200 (discrete-gpu, vulkan)`.
    pub(crate) fn sentence(&self) -> String {
        format!("{}, {} ({}, {})", self.choice, self.name, kind_in_words(self.kind), self.interface)
    }

    /// The members of a report's `devices[]`.
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "kind": self.kind.as_str(),
            "interface": self.interface,
            "driver": self.driver,
        })
    }
}

/// The kind as a person reads it: a program that plays a GPU is told from one.
pub(crate) fn kind_in_words(kind: DeviceKind) -> String {
    match kind {
        DeviceKind::Software => "software adapter, not a GPU".into(),
        kind => kind.to_string(),
    }
}

/// The list of `superstep devices --json`: the members of `devices[]` with the word that asks for each and its limits in
/// bytes (`null`: none).
pub(crate) fn devices_json(devices: &[DeviceLine]) -> Value {
    let entry = |device: &DeviceLine| {
        json!({
            "device": device.choice,
            "name": device.name,
            "kind": device.kind.as_str(),
            "interface": device.interface,
            "driver": device.driver,
            "max_binding_bytes": device.max_binding_bytes,
            "max_buffer_bytes": device.max_buffer_bytes,
        })
    };
    json!({ "devices": devices.iter().map(entry).collect::<Vec<_>>() })
}

/// The table of `superstep devices`.
pub(crate) fn devices_table(devices: &[DeviceLine]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("device", Left),
        ("kind", Left),
        ("name", Left),
        ("interface", Left),
        ("driver", Left),
        ("binding", Right),
        ("buffer", Right),
    ]);
    let limit = |limit: Option<u64>| limit.map_or_else(|| "no limit".into(), bytes);
    let word = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    for device in devices {
        table.row(vec![
            device.choice.clone(),
            kind_in_words(device.kind),
            device.name.clone(),
            device.interface.clone(),
            word(&device.driver),
            limit(device.max_binding_bytes),
            limit(device.max_buffer_bytes),
        ]);
    }
    table.render("")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A software adapter, as Mesa presents it.
    pub(in crate::report) fn lavapipe() -> DeviceLine {
        DeviceLine {
            choice: "gpu:0".into(),
            name: "llvmpipe (LLVM 19)".into(),
            kind: DeviceKind::Software,
            interface: "vulkan".into(),
            driver: "llvmpipe Mesa 25".into(),
            max_binding_bytes: Some(134_217_728),
            max_buffer_bytes: Some(2_000_000_000),
        }
    }

    #[test]
    fn a_software_adapter_is_never_called_a_gpu() {
        let table = devices_table(&[lavapipe()]);
        let row = table.lines().nth(1).unwrap_or_default();
        assert!(row.contains("software adapter, not a GPU"), "{row}");
        assert_eq!(devices_json(&[lavapipe()])["devices"][0]["kind"], "software-adapter");
        assert!(!lavapipe().sentence().contains("(gpu"));
    }

    #[test]
    fn limits_are_shown_where_there_are_any() {
        let unlimited = DeviceLine { max_buffer_bytes: None, ..lavapipe() };
        let table = devices_table(std::slice::from_ref(&unlimited));
        assert!(table.ends_with("134 MB  no limit\n"), "{table}");
        let json = devices_json(&[unlimited]);
        assert_eq!(json["devices"][0]["max_binding_bytes"], 134_217_728_u64);
        assert!(json["devices"][0]["max_buffer_bytes"].is_null());
    }
}
