//! What a fit of a linear model came to: its JSON object, and its summary for a person.

use super::fit::item_json;
use super::head::Head;
use super::number::{count, counted, value};
use super::table::{Align, Table};
use ndarray::Array2;
use serde_json::{Value, json};
use superstep::algorithms::linear::Round;
use superstep::queue::ItemTime;

/// Up to this many columns, each coefficient is listed.
const LISTED_COLUMNS: usize = 16;

/// Everything that is told of a finished fit.
#[derive(Debug, Clone)]
pub(crate) struct LinearReport {
    /// What is told of any job.
    pub(crate) head: Head,
    /// The classes; `None` of a regression.
    pub(crate) classes: Option<Vec<f64>>,
    /// m × d.
    pub(crate) coefficients: Array2<f64>,
    /// What is added to each output.
    pub(crate) intercepts: Vec<f64>,
    /// Passes over the rows.
    pub(crate) evaluations: u32,
    /// What each step came to.
    pub(crate) trace: Vec<Round>,
    /// What each kernel took in all rounds together, where that was measured.
    pub(crate) items: Vec<ItemTime>,
}

/// Passes over the rows: `1 pass`, `12 passes`.
pub(crate) fn passes(passes: u32) -> String {
    if passes == 1 { "1 pass".to_owned() } else { format!("{} passes", count(u64::from(passes))) }
}

impl LinearReport {
    fn loss(&self) -> Option<f64> {
        self.trace.last().map(|round| round.loss)
    }

    /// The object that `logistic --json` and `linear --json` print; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        let mut details = json!({
            "evaluations": self.evaluations,
            "coefficients": self.coefficients.outer_iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
            "intercepts": self.intercepts,
            "trace": self.trace.iter().map(round_json).collect::<Vec<_>>(),
        });
        if !self.items.is_empty() {
            details["items"] = self.items.iter().map(item_json).collect();
        }
        self.head.json(
            json!({ "classes": self.classes }),
            json!({ "loss": self.loss(), "gradient": self.trace.last().map(|round| round.gradient) }),
            details,
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let used = self.coefficients.iter().filter(|w| **w != 0.0).count();
        let mut found = counted(self.coefficients.len() as u64, "coefficient");
        if used < self.coefficients.len() {
            found += &format!(" ({used} not 0)");
        }
        if let Some(classes) = &self.classes {
            found = format!("{} classes, {found}", classes.len());
        }
        let passes = format!("{} by {} over the rows", found, passes(self.evaluations));
        let lines = [
            ("settings", settings.to_owned()),
            ("result", self.head.ending(&passes)),
            ("loss", self.loss().map_or_else(|| "unknown".to_owned(), value)),
        ];
        self.head.summary(data, &lines) + &self.listed()
    }

    /// The coefficients, a line for each column, where they are few.
    fn listed(&self) -> String {
        let (m, d) = self.coefficients.dim();
        if d > LISTED_COLUMNS || m > 8 {
            return String::new();
        }
        let of = |output: usize| match &self.classes {
            Some(classes) if m > 1 => format!("class {}", classes[output]),
            Some(classes) => format!("class {}", classes[1]),
            None => "coefficient".to_owned(),
        };
        let heads: Vec<String> = (0..m).map(of).collect();
        let columns =
            [("column", Align::Right)].into_iter().chain(heads.iter().map(|head| (head.as_str(), Align::Right)));
        let mut table = Table::new(&columns.collect::<Vec<_>>());
        for (column, coefficients) in self.coefficients.columns().into_iter().enumerate() {
            table.row([column.to_string()].into_iter().chain(coefficients.iter().map(|w| value(*w))).collect());
        }
        let intercepts = self.intercepts.iter().map(|b| value(*b));
        table.row(["intercept".to_owned()].into_iter().chain(intercepts).collect());
        format!("\n{}", table.render(""))
    }
}

fn round_json(round: &Round) -> Value {
    json!({
        "iteration": round.iteration,
        "loss": round.loss,
        "gradient": round.gradient,
        "evaluations": round.evaluations,
    })
}
