//! What the operating system tells of this process's memory.

/// The most memory this process has held at once, in MB of 10⁶ bytes; `None` where the system does not tell (it does on
/// Linux, as `VmHWM` in `/proc/self/status`).
pub(crate) fn peak_rss_mb() -> Option<f64> {
    peak_of_status(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn peak_of_status(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kibibytes * 1024.0 / 1e5).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status_file() {
        let cases = [
            ("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t    5000 kB\n", Some(5.1)),
            ("Name:\tx\n", None),
            ("VmHWM:\tmany kB\n", None),
            ("", None),
        ];
        for (status, peak) in cases {
            assert_eq!(peak_of_status(status), peak, "{status:?}");
        }
    }
}
