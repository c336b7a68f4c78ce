//! What a fit of a Gaussian mixture came to: its JSON object, and its summary for a person.

use super::fit::item_json;
use super::head::Head;
use super::number::{counted, value};
use super::table::{Align, Table};
use serde_json::{Value, json};
use superstep::algorithms::gmm::Round;
use superstep::queue::ItemTime;

/// Up to this many components, each is listed.
const LISTED: usize = 16;

/// Everything that is told of a finished fit.
#[derive(Debug, Clone)]
pub(crate) struct GmmReport {
    /// What is told of any job.
    pub(crate) head: Head,
    /// How many there are.
    pub(crate) components: usize,
    /// The shape of their covariances.
    pub(crate) covariance: String,
    /// The mean log-likelihood of a row, as the last round found it.
    pub(crate) lower_bound: f64,
    /// Akaike's and the Bayesian criterion of the rows, where they were asked for.
    pub(crate) criteria: Option<(f64, f64)>,
    /// Those of the components.
    pub(crate) weights: Vec<f64>,
    /// The rounds of the start that was kept.
    pub(crate) trace: Vec<Round>,
    /// What each kernel took in all rounds together, where that was measured.
    pub(crate) items: Vec<ItemTime>,
}

impl GmmReport {
    /// The object that `gmm --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        let mut details = json!({
            "weights": self.weights,
            "trace": self.trace.iter().map(round_json).collect::<Vec<_>>(),
        });
        if !self.items.is_empty() {
            details["items"] = self.items.iter().map(item_json).collect();
        }
        self.head.json(
            json!({ "components": self.components, "covariance": self.covariance }),
            json!({
                "lower_bound": self.lower_bound,
                "aic": self.criteria.map(|(aic, _)| aic),
                "bic": self.criteria.map(|(_, bic)| bic),
            }),
            details,
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let result = self.head.ending(&counted(self.components as u64, "component"));
        let likelihood = format!("{} a row (log-likelihood)", value(self.lower_bound));
        let lines = [("settings", settings.to_owned()), ("result", result), ("fit", likelihood)];
        self.head.summary(data, &lines) + "\n" + &self.listed()
    }

    /// The weights: each, where they are few, else the smallest and the largest.
    fn listed(&self) -> String {
        if self.weights.len() > LISTED {
            let smallest = self.weights.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = self.weights.iter().copied().fold(0.0, f64::max);
            return format!("weights   {:.2} % to {:.2} %\n", 100.0 * smallest, 100.0 * largest);
        }
        let mut table = Table::new(&[("component", Align::Right), ("weight", Align::Right)]);
        for (component, weight) in self.weights.iter().enumerate() {
            table.row(vec![component.to_string(), format!("{:.2} %", 100.0 * weight)]);
        }
        table.render("")
    }
}

/// What a round gained is null in the first.
fn round_json(round: &Round) -> Value {
    json!({ "iteration": round.iteration, "lower_bound": round.lower_bound, "change": round.change })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::head::tests::head;
    use std::time::Duration;

    fn report() -> GmmReport {
        GmmReport {
            head: head(),
            components: 2,
            covariance: "diag".into(),
            lower_bound: -2.5,
            criteria: Some((40.0, 50.0)),
            weights: vec![0.75, 0.25],
            trace: Vec::new(),
            items: Vec::new(),
        }
    }

    #[test]
    fn the_object_has_its_keys_in_their_order() {
        let keys = |report: &GmmReport| -> Vec<String> {
            report.json().as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
        };
        let expected = "n d components covariance device devices seed iterations converged lower_bound aic bic seconds \
                        seconds_per_iteration peak_rss_mb weights trace streamed ranks";
        assert_eq!(keys(&report()), expected.split_whitespace().collect::<Vec<_>>());
        let item = ItemTime { device: 0, name: "sum_products".into(), runs: 2, time: Duration::from_millis(3) };
        assert!(keys(&GmmReport { items: vec![item], ..report() }).contains(&"items".to_owned()));
    }

    #[test]
    fn a_person_reads_the_likelihood_and_the_weights() {
        let text = report().summary("digits.csv", "2 components");
        assert!(text.contains("\nresult    2 components, converged after 2 iterations\n"), "{text}");
        assert!(text.contains("\nfit       -2.5 a row (log-likelihood)\n") && text.contains("75.00 %"), "{text}");
        let many = GmmReport { weights: vec![0.05; 20], ..report() }.summary("digits.csv", "");
        assert!(many.contains("\nweights   5.00 % to 5.00 %\n"), "{many}");
    }
}
