//! What online k-means came to: the lines of its versions, its JSON object, its summary.

use super::head::Head;
use super::number::{count, counted, value};
use super::table::{Align, Table};
use serde_json::{Value, json};
use superstep::algorithms::kmeans::OnlineVersion;

/// Everything that is told of a stream that has ended.
#[derive(Debug, Clone)]
pub(crate) struct OnlineReport {
    /// What is told of any job; iterations are batches.
    pub(crate) head: Head,
    /// The clusters.
    pub(crate) k: usize,
    /// The distance's name.
    pub(crate) metric: String,
    /// That of the rows of the last batch, before the centroids moved; `None` where none came.
    pub(crate) inertia: Option<f64>,
    /// The mass of each cluster.
    pub(crate) weights: Vec<f64>,
}

impl OnlineReport {
    /// The object that `online --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        self.head.json(
            json!({ "k": self.k, "metric": self.metric }),
            json!({ "inertia": self.inertia }),
            json!({ "weights": self.weights }),
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let batches = counted(u64::from(self.head.iterations), "batch").replace("batchs", "batches");
        let how = if self.head.interrupted { "interrupted" } else { "the input ended" };
        let result = format!("{}, {how} after {batches}", counted(self.k as u64, "cluster"));
        let inertia =
            self.inertia.map_or_else(|| "–".into(), |inertia| format!("{} of the last batch", value(inertia)));
        let lines = [("settings", settings.to_owned()), ("result", result), ("inertia", inertia)];
        let mut listed = Table::new(&[("cluster", Align::Right), ("weight", Align::Right)]);
        for (cluster, weight) in self.weights.iter().enumerate().take(LISTED) {
            let exact = weight.fract() == 0.0;
            listed.row(vec![cluster.to_string(), if exact { count(*weight as u64) } else { value(*weight) }]);
        }
        let more = self.weights.len().saturating_sub(LISTED);
        let more = if more > 0 { format!("and {}\n", counted(more as u64, "more cluster")) } else { String::new() };
        self.head.summary(data, &lines) + "\n" + &listed.render("") + &more
    }
}

/// Up to this many clusters are listed.
const LISTED: usize = 16;

/// A version of the model as one line of JSON.
pub(crate) fn version_json(version: &OnlineVersion) -> Value {
    json!({
        "batch": version.batch,
        "rows": version.rows,
        "inertia": version.inertia,
        "shift": version.shift,
        "weights": version.weights,
        "centroids": version.centroids.outer_iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::head::tests::head;

    #[test]
    fn the_object_has_its_keys_in_their_order_and_a_version_is_one_line() {
        let report = OnlineReport {
            head: head(),
            k: 2,
            metric: "euclidean".into(),
            inertia: Some(2.5),
            weights: vec![1000.0, 0.5],
        };
        let json = report.json();
        let keys: Vec<&String> = json.as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let expected = "n d k metric device devices seed iterations converged inertia seconds seconds_per_iteration \
                        peak_rss_mb weights streamed ranks";
        assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
        let summary = report.summary("-", "k 2");
        assert!(summary.contains("after 2 batches") && summary.contains("1,000"), "{summary}");
        let version = OnlineVersion {
            batch: 3,
            rows: 7,
            inertia: 1.5,
            shift: 0.25,
            centroids: ndarray::array![[1.0, 2.0]],
            weights: vec![4.0],
        };
        let line = version_json(&version).to_string();
        assert_eq!(line, r#"{"batch":3,"rows":7,"inertia":1.5,"shift":0.25,"weights":[4.0],"centroids":[[1.0,2.0]]}"#);
    }
}
