//! What principal components came to: the JSON object, and the summary for a person.

use super::head::Head;
use super::number::value;
use super::table::{Align, Table};
use serde_json::{Value, json};
use superstep::algorithms::pca::Round;

/// Up to this many components are listed.
const LISTED: usize = 16;

/// Everything that is told of a finished fit.
#[derive(Debug, Clone)]
pub(crate) struct PcaReport {
    /// What is told of any job.
    pub(crate) head: Head,
    /// Whether transformed rows have the variance 1 in each component.
    pub(crate) whiten: bool,
    /// Directions beyond those wanted that the rounds carried along.
    pub(crate) oversample: usize,
    /// Of each component, the largest first.
    pub(crate) explained_variance: Vec<f64>,
    pub(crate) explained_variance_ratio: Vec<f64>,
    pub(crate) singular_values: Vec<f64>,
    /// The mean variance of all other directions.
    pub(crate) noise_variance: f64,
    /// What each round did.
    pub(crate) trace: Vec<Round>,
}

impl PcaReport {
    /// The object that `pca --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        let round = |round: &Round| {
            json!({
                "iteration": round.iteration,
                "residual": round.residual,
                "explained_variance": round.explained_variance,
            })
        };
        self.head.json(
            json!({
                "components": self.explained_variance.len(),
                "whiten": self.whiten,
                "oversample": self.oversample,
            }),
            json!({
                "explained_variance": self.explained_variance,
                "explained_variance_ratio": self.explained_variance_ratio,
                "singular_values": self.singular_values,
                "noise_variance": self.noise_variance,
            }),
            json!({ "trace": self.trace.iter().map(round).collect::<Vec<_>>() }),
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let part = 100.0 * self.explained_variance_ratio.iter().sum::<f64>();
        let count = self.explained_variance.len() as u64;
        let result = self.head.ending(&super::number::counted(count, "component"));
        let lines =
            [("settings", settings.to_owned()), ("result", result), ("variance", format!("{part:.1} % explained"))];
        let columns = ["component", "variance", "of all", "together"];
        let mut listed = Table::new(&columns.map(|column| (column, Align::Right)));
        let mut together = 0.0;
        let components = self.explained_variance.iter().zip(&self.explained_variance_ratio).enumerate();
        for (component, (variance, ratio)) in components.take(LISTED) {
            together += ratio;
            let percent = |part: f64| format!("{:.2} %", 100.0 * part);
            listed.row(vec![component.to_string(), value(*variance), percent(*ratio), percent(together)]);
        }
        let more = self.explained_variance.len().saturating_sub(LISTED);
        let more = if more > 0 { format!("and {more} more\n") } else { String::new() };
        self.head.summary(data, &lines) + "\n" + &listed.render("") + &more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::head::tests::head;

    #[test]
    fn the_object_has_its_keys_in_their_order_and_the_summary_adds_up() {
        let report = PcaReport {
            head: head(),
            whiten: false,
            oversample: 10,
            explained_variance: vec![6.0, 3.0],
            explained_variance_ratio: vec![0.6, 0.3],
            singular_values: vec![2.0, 1.0],
            noise_variance: 0.5,
            trace: Vec::new(),
        };
        let json = report.json();
        let keys: Vec<&String> = json.as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let expected = "n d components whiten oversample device devices seed iterations converged explained_variance \
                        explained_variance_ratio singular_values noise_variance seconds seconds_per_iteration \
                        peak_rss_mb trace streamed ranks";
        assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
        let summary = report.summary("points.csv", "2 components");
        for text in ["90.0 % explained", "60.00 %", "90.00 %"] {
            assert!(summary.contains(text), "{text} is not in\n{summary}");
        }
    }
}
