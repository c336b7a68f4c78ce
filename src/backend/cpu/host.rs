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
        matrix_units: false,
    }
}

/// The processor's name, where the operating system keeps it in a file.
fn model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The memory this process could still take, in bytes: what the system has free, or its control group where that allows
/// less. `None` where the system does not tell (it does on Linux).
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB"))?;
    let free = kibibytes.trim().parse::<u64>().ok()?.saturating_mul(1024);
    Some(group_memory().map_or(free, |group| free.min(group)))
}

/// What the limits of the process's control group leave (version 2, as containers have it).
fn group_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = std::path::Path::new("/sys/fs/cgroup").join(group);
    let number = |file: &str| std::fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}
