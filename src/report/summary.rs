//! The summary of a fit that a person reads.

use super::fit::FitReport;
use super::number::{count, counted, scaled, seconds, value};
use super::table::{Align, Table};
use superstep::queue::Streamed;

/// Up to this many clusters, the summary lists each.
const LISTED_CLUSTERS: usize = 16;

/// What was done, on what, how it ended and how long it took, in aligned lines. `data` names the input, `settings` says
/// what the run was asked for.
pub(crate) fn summary(report: &FitReport, data: &str, settings: &str) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| text += &format!("{name:<10}{what}\n");
    let shape = format!("{} × {}", counted(report.n, "row"), counted(report.d as u64, "column"));
    line("data", &format!("{data}: {shape}"));
    for (at, device) in report.devices.iter().enumerate() {
        line(if at == 0 { "device" } else { "" }, &device.sentence());
    }
    line("settings", settings);
    line("result", &ending(report));
    line("inertia", &value(report.inertia));
    line("time", &times(report));
    if let Some(streamed) = &report.streamed {
        line("streamed", &stream(streamed, report.n));
    }
    if let Some(peak) = report.peak_rss_mb {
        line("memory", &format!("{} at the peak", scaled(peak * 1e6, "B")));
    }
    text + "\n" + &clusters(&report.cluster_sizes)
}

fn ending(report: &FitReport) -> String {
    let after = counted(u64::from(report.iterations), "iteration");
    let how = match (report.interrupted, report.converged) {
        (true, _) => "interrupted",
        (false, true) => "converged",
        (false, false) => "not converged: stopped",
    };
    format!("{}, {how} after {after}", counted(report.k as u64, "cluster"))
}

fn times(report: &FitReport) -> String {
    let phases = report.seconds;
    let named = [
        ("load", phases.load),
        ("pin", phases.pin),
        ("init", phases.init),
        ("iterate", phases.iterate),
        ("write", phases.write),
    ];
    let listed: Vec<String> = named.iter().map(|(name, time)| format!("{name} {}", seconds(*time))).collect();
    let each = report.seconds_per_iteration().map(|time| format!(" ({} an iteration)", seconds(time)));
    format!("{} in all: {}{}", seconds(phases.total), listed.join(", "), each.unwrap_or_default())
}

/// `1,900,000 of 2,000,000 rows, read anew in each round: 4.20 GB in all; bound by computing (reading 12 %)`
fn stream(streamed: &Streamed, rows: u64) -> String {
    format!(
        "{} of {}, read anew in each round: {} in all; bound by {} (reading {:.0} %)",
        count(streamed.rows),
        counted(rows, "row"),
        scaled(streamed.bytes as f64, "B"),
        streamed.bound_by(),
        100.0 * streamed.reading_share()
    )
}

/// The sizes of the clusters: each, where they are few, else the smallest, the middle and the largest.
fn clusters(sizes: &[u64]) -> String {
    if sizes.len() > LISTED_CLUSTERS {
        return size_range(sizes);
    }
    let total = sizes.iter().sum::<u64>().max(1);
    let mut table = Table::new(&[("cluster", Align::Right), ("rows", Align::Right), ("share", Align::Right)]);
    for (cluster, size) in sizes.iter().enumerate() {
        let share = 100.0 * *size as f64 / total as f64;
        table.row(vec![cluster.to_string(), count(*size), format!("{share:.1} %")]);
    }
    table.render("")
}

fn size_range(sizes: &[u64]) -> String {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let at = |place: usize| sorted.get(place).copied().unwrap_or(0);
    let (smallest, middle, largest) = (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)));
    let empty = match sorted.partition_point(|size| *size == 0) {
        0 => String::new(),
        empty => format!("; {empty} empty"),
    };
    let listed = format!("min {}, median {}, max {}", count(smallest), count(middle), count(largest));
    format!("{:<10}{listed} rows{empty}\n", "clusters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fit::tests::report;
    use std::time::Duration;

    #[test]
    fn a_person_finds_data_device_settings_result_and_times() {
        let expected = "\
data      digits.csv: 1,797 rows × 64 columns
device    gpu:0, llvmpipe (LLVM 19) (software adapter, not a GPU, vulkan)
settings  k-means++
result    3 clusters, converged after 2 iterations
inertia   2.5
time      2.00 s in all: load 250 ms, pin 500 ms, init 125 ms, iterate 1.00 s, write 0 s (30.0 ms an iteration)
memory    12.5 MB at the peak

cluster   rows   share
      0  1,000  55.6 %
      1    700  39.0 %
      2     97   5.4 %
";
        assert_eq!(summary(&report(), "digits.csv", "k-means++"), expected);
    }

    #[test]
    fn what_was_streamed_is_said_with_what_bounds_it() {
        let second = Duration::from_secs(1);
        let streamed =
            Streamed { rows: 1500, of_rows: 1797, bytes: 4_200_000, reading: second, readers: 2, rounds: 2 * second };
        let expected =
            "1,500 of 1,797 rows, read anew in each round: 4.20 MB in all; bound by computing (reading 25 %)";
        assert_eq!(stream(&streamed, 1797), expected);
        let slow = Streamed { reading: 3 * second, ..streamed };
        assert!(stream(&slow, 1797).ends_with("bound by reading (reading 75 %)"));
        let text = summary(&FitReport { streamed: Some(slow), ..report() }, "digits.csv", "k-means++");
        assert!(text.contains("\nstreamed  1,500 of 1,797 rows"), "{text}");
    }

    #[test]
    fn how_it_ended_is_said() {
        let cases = [
            (true, false, "converged after 2 iterations"),
            (false, false, "not converged: stopped after 2 iterations"),
            (false, true, "interrupted after 2 iterations"),
        ];
        for (converged, interrupted, words) in cases {
            let report = FitReport { converged, interrupted, ..report() };
            assert!(ending(&report).ends_with(words), "{}", ending(&report));
        }
    }

    #[test]
    fn many_clusters_are_shown_by_their_range() {
        let mut sizes = vec![10; 20];
        (sizes[3], sizes[5]) = (0, 2500);
        assert_eq!(clusters(&sizes), "clusters  min 0, median 10, max 2,500 rows; 1 empty\n");
        assert_eq!(clusters(&[]), "cluster  rows  share\n");
    }
}
