//! What is known of the processor as a device.

use crate::backend::{DeviceInfo, DeviceKind};

/// The processor this program runs on.
pub fn info() -> DeviceInfo {
    DeviceInfo {
        name: model().unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH)),
        kind: DeviceKind::Cpu,
        interface: "native".to_owned(),
        driver: String::new(),
        max_binding_bytes: u64::MAX,
        max_buffer_bytes: u64::MAX,
    }
}

/// The processor's name, where the operating system keeps it in a file.
fn model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
