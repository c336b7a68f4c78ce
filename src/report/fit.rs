//! What a fit of k-means came to: its JSON object, and its summary for a person.

use super::clusters::clusters;
use super::head::Head;
use super::number::{counted, value};
use serde_json::{Value, json};
use superstep::algorithms::kmeans::Round;
use superstep::queue::ItemTime;

/// Everything that is told of a finished fit.
#[derive(Debug, Clone)]
pub(crate) struct FitReport {
    /// What is told of any job.
    pub(crate) head: Head,
    /// The clusters of the result: those asked for, less those dropped.
    pub(crate) k: usize,
    /// The distance's name.
    pub(crate) metric: String,
    /// The name of the algorithm that ran.
    pub(crate) algorithm: String,
    /// That of the returned centroids.
    pub(crate) inertia: f64,
    /// The rows that the start chose among, where these were not all.
    pub(crate) init_sample: Option<u64>,
    /// Rows in each cluster.
    pub(crate) cluster_sizes: Vec<u64>,
    /// What each round did.
    pub(crate) trace: Vec<Round>,
}

impl FitReport {
    /// The object that `kmeans --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        self.head.json(
            json!({ "k": self.k, "metric": self.metric, "algorithm": self.algorithm }),
            json!({ "inertia": self.inertia }),
            json!({
                "cluster_sizes": self.cluster_sizes,
                "trace": self.trace.iter().map(round_json).collect::<Vec<_>>(),
                "init_sample": self.init_sample,
            }),
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let result = self.head.ending(&counted(self.k as u64, "cluster"));
        let lines = [("settings", settings.to_owned()), ("result", result), ("inertia", value(self.inertia))];
        self.head.summary(data, &lines) + "\n" + &clusters(&self.cluster_sizes)
    }
}

/// The mean time of the rounds that updated centroids (`iteration` ≥ 1), in seconds: without pinning, initialisation and the
/// first assignment. `None` when no round updated any.
pub(crate) fn seconds_per_iteration<'a>(trace: impl IntoIterator<Item = &'a Round>) -> Option<f64> {
    let updates = trace.into_iter().filter(|round| round.iteration >= 1);
    let times: Vec<f64> = updates.map(|round| round.time.as_secs_f64()).collect();
    (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64)
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

pub(super) fn item_json(item: &ItemTime) -> Value {
    json!({ "device": item.device, "name": item.name, "runs": item.runs, "seconds": item.time.as_secs_f64() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::head::tests::head;
    use std::time::Duration;

    fn round(iteration: u32, milliseconds: u64) -> Round {
        let inertia = 10.0 / f64::from(iteration + 1);
        let (time, communicate) = (Duration::from_millis(milliseconds), Duration::from_millis(5));
        Round { iteration, inertia, shift: 0.5, moved: 3, time, communicate, items: Vec::new() }
    }

    /// Two rounds on a software adapter.
    pub(in crate::report) fn report() -> FitReport {
        FitReport {
            head: head(),
            k: 3,
            metric: "euclidean".into(),
            algorithm: "lloyd".into(),
            inertia: 2.5,
            init_sample: None,
            cluster_sizes: vec![1000, 700, 97],
            trace: vec![round(0, 900), round(1, 20), round(2, 40)],
        }
    }

    #[test]
    fn an_iteration_is_timed_without_the_first_assignment() {
        assert_eq!(seconds_per_iteration(&report().trace), Some(0.03));
        assert_eq!(seconds_per_iteration(&[round(0, 900)]), None);
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
        let head = Head { peak_rss_mb: None, seconds_per_iteration: None, ..head() };
        let json = FitReport { head, inertia: f64::INFINITY, ..report() }.json();
        assert!(["peak_rss_mb", "inertia", "seconds_per_iteration"].iter().all(|key| json[key].is_null()));
    }

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
        assert_eq!(report().summary("digits.csv", "k-means++"), expected);
    }
}
