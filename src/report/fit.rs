//! What a fit came to, and its JSON object.

use super::device::DeviceLine;
use serde_json::{Value, json};
use superstep::algorithms::kmeans::Round;
use superstep::queue::{ItemTime, Streamed};

/// Everything that is told of a finished fit.
#[derive(Debug, Clone)]
pub(crate) struct FitReport {
    /// The rows.
    pub(crate) n: u64,
    /// The columns.
    pub(crate) d: usize,
    /// The clusters of the result: those asked for, less those dropped.
    pub(crate) k: usize,
    /// The distance's name.
    pub(crate) metric: String,
    /// The name of the algorithm that ran.
    pub(crate) algorithm: String,
    /// The devices as `--device` would name them: `cpu`, `gpu:0`, `gpu:0,cpu`.
    pub(crate) device: String,
    /// Each of them.
    pub(crate) devices: Vec<DeviceLine>,
    /// The seed of all draws.
    pub(crate) seed: u64,
    /// Updates of the centroids.
    pub(crate) iterations: u32,
    /// Whether it ended because nothing moved any more.
    pub(crate) converged: bool,
    /// Whether it was stopped after a round.
    pub(crate) interrupted: bool,
    /// That of the returned centroids.
    pub(crate) inertia: f64,
    /// Time by phase.
    pub(crate) seconds: Seconds,
    /// The most memory held at once, in MB.
    pub(crate) peak_rss_mb: Option<f64>,
    /// What was streamed; `None` where the memory held all rows.
    pub(crate) streamed: Option<Streamed>,
    /// The rows that the start chose among, where these were not all.
    pub(crate) init_sample: Option<u64>,
    /// How many processes did it together.
    pub(crate) ranks: usize,
    /// Rows in each cluster.
    pub(crate) cluster_sizes: Vec<u64>,
    /// What each round did.
    pub(crate) trace: Vec<Round>,
}

/// Wall-clock seconds of each phase of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Seconds {
    /// Opening the files, reading and checking them.
    pub(crate) load: f64,
    /// Bringing the rows to the devices.
    pub(crate) pin: f64,
    /// Choosing the first centroids.
    pub(crate) init: f64,
    /// All rounds and the final inertia.
    pub(crate) iterate: f64,
    /// Writing the results.
    pub(crate) write: f64,
    /// The whole job, from the start of the program's work to the last file written.
    pub(crate) total: f64,
}

impl FitReport {
    /// The mean time of a round, in seconds: of those that updated centroids (`iteration` ≥ 1), so without pinning,
    /// initialisation and the first assignment. `None` when no round updated any.
    pub(crate) fn seconds_per_iteration(&self) -> Option<f64> {
        seconds_per_iteration(&self.trace)
    }

    /// The object that `kmeans --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        let Seconds { load, pin, init, iterate, write, total } = self.seconds;
        json!({
            "n": self.n,
            "d": self.d,
            "k": self.k,
            "metric": self.metric,
            "algorithm": self.algorithm,
            "device": self.device,
            "devices": self.devices.iter().map(DeviceLine::json).collect::<Vec<_>>(),
            "seed": self.seed,
            "iterations": self.iterations,
            "converged": self.converged,
            "inertia": self.inertia,
            "seconds": {
                "load": load, "pin": pin, "init": init, "iterate": iterate, "write": write, "total": total,
            },
            "seconds_per_iteration": self.seconds_per_iteration(),
            "peak_rss_mb": self.peak_rss_mb,
            "cluster_sizes": self.cluster_sizes,
            "trace": self.trace.iter().map(round_json).collect::<Vec<_>>(),
            "init_sample": self.init_sample,
            "streamed": self.streamed.as_ref().map(streamed_json),
            "ranks": self.ranks,
        })
    }
}

/// The mean time of the rounds that updated centroids, in seconds.
pub(crate) fn seconds_per_iteration(trace: &[Round]) -> Option<f64> {
    let times: Vec<f64> =
        trace.iter().filter(|round| round.iteration >= 1).map(|round| round.time.as_secs_f64()).collect();
    (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64)
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

fn round_json(round: &Round) -> Value {
    let mut object = json!({
        "iteration": round.iteration,
        "inertia": round.inertia,
        "shift": round.shift,
        "moved": round.moved,
        "seconds": round.time.as_secs_f64(),
        "communicate_seconds": round.communicate.as_secs_f64(),
    });
    if !round.items.is_empty() {
        object["items"] = round.items.iter().map(item_json).collect();
    }
    object
}

fn item_json(item: &ItemTime) -> Value {
    json!({ "device": item.device, "name": item.name, "runs": item.runs, "seconds": item.time.as_secs_f64() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::device::tests::lavapipe;
    use std::time::Duration;

    fn round(iteration: u32, milliseconds: u64) -> Round {
        let inertia = 10.0 / f64::from(iteration + 1);
        let (time, communicate) = (Duration::from_millis(milliseconds), Duration::from_millis(5));
        Round { iteration, inertia, shift: 0.5, moved: 3, time, communicate, items: Vec::new() }
    }

    /// Two rounds on a software adapter.
    pub(in crate::report) fn report() -> FitReport {
        FitReport {
            n: 1797,
            d: 64,
            k: 3,
            metric: "euclidean".into(),
            algorithm: "lloyd".into(),
            device: "gpu:0".into(),
            devices: vec![lavapipe()],
            seed: 7,
            iterations: 2,
            converged: true,
            interrupted: false,
            inertia: 2.5,
            seconds: Seconds { load: 0.25, pin: 0.5, init: 0.125, iterate: 1.0, write: 0.0, total: 2.0 },
            peak_rss_mb: Some(12.5),
            streamed: None,
            init_sample: None,
            ranks: 1,
            cluster_sizes: vec![1000, 700, 97],
            trace: vec![round(0, 900), round(1, 20), round(2, 40)],
        }
    }

    #[test]
    fn an_iteration_is_timed_without_the_first_assignment() {
        assert_eq!(report().seconds_per_iteration(), Some(0.03));
        let first_alone = FitReport { trace: vec![round(0, 900)], ..report() };
        assert_eq!(first_alone.seconds_per_iteration(), None);
    }

    #[test]
    fn the_object_has_the_keys_of_the_contract_in_their_order() {
        let keys = |value: &Value| -> Vec<String> {
            value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
        };
        let json = report().json();
        let expected = "n d k metric algorithm device devices seed iterations converged inertia seconds \
                        seconds_per_iteration peak_rss_mb cluster_sizes trace init_sample streamed ranks";
        assert_eq!(keys(&json), expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(keys(&json["seconds"]), ["load", "pin", "init", "iterate", "write", "total"]);
        assert_eq!(keys(&json["devices"][0]), ["name", "kind", "interface", "driver"]);
        assert_eq!(
            keys(&json["trace"][1]),
            ["iteration", "inertia", "shift", "moved", "seconds", "communicate_seconds"]
        );
        assert_eq!(json["trace"][2]["seconds"], 0.04);
    }

    #[test]
    fn a_round_tells_what_its_items_took_where_they_were_measured() {
        let mut report = report();
        let time = Duration::from_millis(15);
        report.trace[1].items = vec![ItemTime { device: 0, name: "tally".into(), runs: 2, time }];
        let item = json!({ "device": 0, "name": "tally", "runs": 2, "seconds": 0.015 });
        assert_eq!(report.json()["trace"][1]["items"], json!([item]));
        assert_eq!(report.json()["trace"][2].get("items"), None);
    }

    #[test]
    fn what_is_unknown_is_null() {
        let json = FitReport { peak_rss_mb: None, inertia: f64::INFINITY, trace: vec![], ..report() }.json();
        assert!(["peak_rss_mb", "inertia", "seconds_per_iteration"].iter().all(|key| json[key].is_null()));
    }
}
