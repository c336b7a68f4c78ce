//! What a fit of bisecting k-means came to: its JSON object, and its summary for a person.

use super::clusters::clusters;
use super::fit::item_json;
use super::head::Head;
use super::number::{counted, value};
use serde_json::{Value, json};
use superstep::algorithms::bisecting::{Branch, Split};
use superstep::queue::ItemTime;

/// Everything that is told of a finished fit.
#[derive(Debug, Clone)]
pub(crate) struct BisectReport {
    /// What is told of any job.
    pub(crate) head: Head,
    /// The clusters of the result.
    pub(crate) k: usize,
    /// The distance's name.
    pub(crate) metric: String,
    /// How the cluster to split was chosen.
    pub(crate) strategy: String,
    /// That of the clusters.
    pub(crate) inertia: f64,
    /// Rows in each cluster.
    pub(crate) cluster_sizes: Vec<u64>,
    /// Each cluster's share of the inertia.
    pub(crate) cluster_inertias: Vec<f64>,
    /// The splits in their order.
    pub(crate) splits: Vec<Split>,
}

impl BisectReport {
    /// The object that `bisect --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        self.head.json(
            json!({ "k": self.k, "metric": self.metric, "strategy": self.strategy }),
            json!({ "inertia": self.inertia }),
            json!({
                "cluster_sizes": self.cluster_sizes,
                "cluster_inertias": self.cluster_inertias,
                "splits": self.splits.iter().map(split_json).collect::<Vec<_>>(),
            }),
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let (found, splits) = (counted(self.k as u64, "cluster"), counted(self.splits.len() as u64, "split"));
        let result = self.head.ending(&format!("{found} by {splits}"));
        let lines = [("settings", settings.to_owned()), ("result", result), ("inertia", value(self.inertia))];
        self.head.summary(data, &lines) + "\n" + &clusters(&self.cluster_sizes)
    }
}

fn split_json(split: &Split) -> Value {
    let timings = split.timings();
    let mut object = json!({
        "rows": split.rows(),
        "sizes": split.sizes(),
        "inertias": split.inertias(),
        "branches": split.branches().map(branch_json),
        "iterations": split.iterations(),
        "converged": split.converged(),
        "seconds": (timings.pin + timings.init + timings.iterate).as_secs_f64(),
    });
    let items = summed(split.trace().iter().flat_map(|round| &round.items));
    if !items.is_empty() {
        object["items"] = items.iter().map(item_json).collect();
    }
    object
}

fn branch_json(branch: Branch) -> Value {
    match branch {
        Branch::Split(split) => json!({ "split": split }),
        Branch::Cluster(cluster) => json!({ "cluster": cluster }),
    }
}

/// What each item took in all rounds together, in the order in which they first ran.
fn summed<'a>(items: impl Iterator<Item = &'a ItemTime>) -> Vec<ItemTime> {
    let mut sums: Vec<ItemTime> = Vec::new();
    for item in items {
        match sums.iter_mut().find(|sum| (sum.device, &sum.name) == (item.device, &item.name)) {
            Some(sum) => {
                sum.runs += item.runs;
                sum.time += item.time;
            }
            None => sums.push(item.clone()),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::head::tests::head;
    use std::time::Duration;

    fn report() -> BisectReport {
        BisectReport {
            head: head(),
            k: 2,
            metric: "euclidean".into(),
            strategy: "biggest_inertia".into(),
            inertia: 2.5,
            cluster_sizes: vec![1000, 797],
            cluster_inertias: vec![1.5, 1.0],
            splits: Vec::new(),
        }
    }

    #[test]
    fn the_object_has_its_keys_in_their_order() {
        let json = report().json();
        let keys: Vec<&String> = json.as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let expected = "n d k metric strategy device devices seed iterations converged inertia seconds \
                        seconds_per_iteration peak_rss_mb cluster_sizes cluster_inertias splits streamed ranks";
        assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(branch_json(Branch::Split(3)), json!({ "split": 3 }));
        assert_eq!(branch_json(Branch::Cluster(0)), json!({ "cluster": 0 }));
    }

    #[test]
    fn a_person_reads_how_many_splits_there_were() {
        let text = report().summary("digits.csv", "k 2");
        assert!(text.contains("\nresult    2 clusters by 0 splits, converged after 2 iterations\n"), "{text}");
        assert!(text.contains("\ninertia   2.5\n") && text.contains("      1    797  44.4 %"), "{text}");
    }

    #[test]
    fn items_of_all_rounds_are_summed_by_device_and_name() {
        let item = |device, name: &str, milliseconds| ItemTime {
            device,
            name: name.into(),
            runs: 1,
            time: Duration::from_millis(milliseconds),
        };
        let items = [item(0, "tally", 1), item(0, "search", 5), item(1, "tally", 7), item(0, "tally", 2)];
        let expected = [ItemTime { runs: 2, ..item(0, "tally", 3) }, item(0, "search", 5), item(1, "tally", 7)];
        assert_eq!(summed(items.iter()), expected);
    }
}
