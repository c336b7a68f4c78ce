//! What is told of every job of an algorithm, whatever it computes: the shape of the input, the devices, how it ended and how
//! long it took. Each algorithm's report embeds it and adds its own.

use super::device::DeviceLine;
use super::number::{count, counted, scaled, seconds};
use serde_json::{Map, Value, json};
use superstep::algorithms::kmeans::Timings;
use superstep::queue::Streamed;

/// The head of a report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    /// The rows.
    pub(crate) n: u64,
    /// The columns.
    pub(crate) d: usize,
    /// Where the input is a graph: its edges. It has nodes where others have rows, and no columns.
    pub(crate) edges: Option<u64>,
    /// The devices as `--device` would name them: `cpu`, `gpu:0`, `gpu:0,cpu`.
    pub(crate) device: String,
    /// Each of them.
    pub(crate) devices: Vec<DeviceLine>,
    /// The seed of all draws.
    pub(crate) seed: u64,
    /// Rounds that changed the result, such as updates of centroids.
    pub(crate) iterations: u32,
    /// Whether it ended because nothing moved any more.
    pub(crate) converged: bool,
    /// Whether it was stopped after a round.
    pub(crate) interrupted: bool,
    /// Time by phase.
    pub(crate) seconds: Seconds,
    /// The mean time of a round that counts as an iteration; `None` where there was none.
    pub(crate) seconds_per_iteration: Option<f64>,
    /// The most memory held at once, in MB.
    pub(crate) peak_rss_mb: Option<f64>,
    /// What was streamed; `None` where the memory held all rows.
    pub(crate) streamed: Option<Streamed>,
    /// How often rows have moved to other devices.
    pub(crate) moves: u32,
    /// How many processes did it together.
    pub(crate) ranks: usize,
}

/// Wall-clock seconds of each phase of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Seconds {
    /// Opening the files, reading and checking them.
    pub(crate) load: f64,
    /// Bringing the rows to the devices.
    pub(crate) pin: f64,
    /// Choosing where to start, such as the first centroids.
    pub(crate) init: f64,
    /// All rounds, and what follows from the last.
    pub(crate) iterate: f64,
    /// Writing the results.
    pub(crate) write: f64,
    /// The whole job, from the start of the program's work to the last file written.
    pub(crate) total: f64,
}

impl Seconds {
    /// The same with the phases that a fit has timed.
    pub(crate) fn with(self, timings: &Timings) -> Self {
        let [pin, init, iterate] = [timings.pin, timings.init, timings.iterate].map(|time| time.as_secs_f64());
        Self { pin, init, iterate, ..self }
    }

    /// The mean time of so many rounds; `None` where there was none.
    pub(crate) fn each_of(&self, rounds: u32) -> Option<f64> {
        (rounds > 0).then(|| self.iterate / f64::from(rounds))
    }
}

impl Head {
    /// The object of a report. The order of its keys is part of the contract: what the algorithm says of the problem
    /// (`shape`), of the result and of its details (three objects) stands between the parts of the head.
    pub(crate) fn json(&self, shape: Value, result: Value, details: Value) -> Value {
        let Seconds { load, pin, init, iterate, write, total } = self.seconds;
        let parts = [
            self.edges
                .map_or_else(|| json!({ "n": self.n, "d": self.d }), |edges| json!({ "n": self.n, "edges": edges })),
            shape,
            json!({
                "device": self.device,
                "devices": self.devices.iter().map(DeviceLine::json).collect::<Vec<_>>(),
                "seed": self.seed,
                "iterations": self.iterations,
                "converged": self.converged,
            }),
            result,
            json!({
                "seconds": {
                    "load": load, "pin": pin, "init": init, "iterate": iterate, "write": write, "total": total,
                },
                "seconds_per_iteration": self.seconds_per_iteration,
                "peak_rss_mb": self.peak_rss_mb,
            }),
            details,
            if self.moves > 0 { json!({ "moves": self.moves }) } else { Value::Null },
            json!({ "streamed": self.streamed.as_ref().map(streamed_json), "ranks": self.ranks }),
        ];
        let members =
            parts.into_iter().filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None });
        Value::Object(members.flatten().collect::<Map<_, _>>())
    }

    /// What was done, on what, how it ended and how long it took, in aligned lines; `data` names the input, `own` are the
    /// lines of the algorithm: settings, result, and what it came to.
    pub(crate) fn summary(&self, data: &str, own: &[(&str, String)]) -> String {
        let mut text = String::new();
        let mut line = |name: &str, what: &str| text += &format!("{name:<10}{what}\n");
        let shape = match self.edges {
            Some(edges) => format!("{}, {}", counted(self.n, "node"), counted(edges, "edge")),
            None => format!("{} × {}", counted(self.n, "row"), counted(self.d as u64, "column")),
        };
        line("data", &format!("{data}: {shape}"));
        for (at, device) in self.devices.iter().enumerate() {
            line(if at == 0 { "device" } else { "" }, &device.sentence());
        }
        own.iter().for_each(|(name, what)| line(name, what));
        line("time", &self.times());
        if let Some(streamed) = &self.streamed {
            let of = self.edges.map_or_else(|| counted(self.n, "row"), |_| counted(streamed.of_rows, "pack"));
            line("streamed", &stream(streamed, &of));
        }
        if self.moves > 0 {
            let times = counted(u64::from(self.moves), "time");
            line("moved", &format!("rows were shared out anew {times}, by how long each device was busy"));
        }
        if let Some(peak) = self.peak_rss_mb {
            line("memory", &format!("{} at the peak", scaled(peak * 1e6, "B")));
        }
        text
    }

    /// What there is at the end, and how it came to it: `3 clusters, converged after 2 iterations`.
    pub(crate) fn ending(&self, what: &str) -> String {
        let after = counted(u64::from(self.iterations), "iteration");
        let how = match (self.interrupted, self.converged) {
            (true, _) => "interrupted",
            (false, true) => "converged",
            (false, false) => "not converged: stopped",
        };
        format!("{what}, {how} after {after}")
    }

    fn times(&self) -> String {
        let phases = self.seconds;
        let named = [
            ("load", phases.load),
            ("pin", phases.pin),
            ("init", phases.init),
            ("iterate", phases.iterate),
            ("write", phases.write),
        ];
        let listed: Vec<String> = named.iter().map(|(name, time)| format!("{name} {}", seconds(*time))).collect();
        let each = self.seconds_per_iteration.map(|time| format!(" ({} an iteration)", seconds(time)));
        format!("{} in all: {}{}", seconds(phases.total), listed.join(", "), each.unwrap_or_default())
    }
}

/// `1,900,000 of 2,000,000 rows, read anew in each round: 4.20 GB in all; bound by computing (reading 12 %)`
fn stream(streamed: &Streamed, of: &str) -> String {
    format!(
        "{} of {of}, read anew in each round: {} in all; bound by {} (reading {:.0} %)",
        count(streamed.rows),
        scaled(streamed.bytes as f64, "B"),
        streamed.bound_by(),
        100.0 * streamed.reading_share()
    )
}

fn streamed_json(streamed: &Streamed) -> Value {
    json!({
        "rows": streamed.rows,
        "bytes": streamed.bytes,
        "seconds": streamed.rounds.as_secs_f64(),
        "reading_share": streamed.reading_share(),
        "bound_by": streamed.bound_by(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::device::tests::lavapipe;
    use std::time::Duration;

    /// Two iterations on a software adapter.
    pub(in crate::report) fn head() -> Head {
        Head {
            n: 1797,
            d: 64,
            edges: None,
            device: "gpu:0".into(),
            devices: vec![lavapipe()],
            seed: 7,
            iterations: 2,
            converged: true,
            interrupted: false,
            seconds: Seconds { load: 0.25, pin: 0.5, init: 0.125, iterate: 1.0, write: 0.0, total: 2.0 },
            seconds_per_iteration: Some(0.03),
            peak_rss_mb: Some(12.5),
            streamed: None,
            moves: 0,
            ranks: 1,
        }
    }

    #[test]
    fn what_was_streamed_is_said_with_what_bounds_it() {
        let second = Duration::from_secs(1);
        let streamed =
            Streamed { rows: 1500, of_rows: 1797, bytes: 4_200_000, reading: second, readers: 2, rounds: 2 * second };
        let expected =
            "1,500 of 1,797 rows, read anew in each round: 4.20 MB in all; bound by computing (reading 25 %)";
        assert_eq!(stream(&streamed, "1,797 rows"), expected);
        let slow = Streamed { reading: 3 * second, ..streamed };
        assert!(stream(&slow, "1,797 rows").ends_with("bound by reading (reading 75 %)"));
        let text = Head { streamed: Some(slow), ..head() }.summary("digits.csv", &[]);
        assert!(text.contains("\nstreamed  1,500 of 1,797 rows"), "{text}");
        let graph = Head { n: 10, edges: Some(20), streamed: Some(slow), ..head() }.summary("edges.txt", &[]);
        assert!(graph.contains("edges.txt: 10 nodes, 20 edges\n"), "{graph}");
        assert!(graph.contains("\nstreamed  1,500 of 1,797 packs"), "{graph}");
    }

    #[test]
    fn how_it_ended_is_said() {
        let cases = [
            (true, false, "3 clusters, converged after 2 iterations"),
            (false, false, "3 clusters, not converged: stopped after 2 iterations"),
            (false, true, "3 clusters, interrupted after 2 iterations"),
        ];
        for (converged, interrupted, words) in cases {
            assert_eq!(Head { converged, interrupted, ..head() }.ending("3 clusters"), words);
        }
    }
}
