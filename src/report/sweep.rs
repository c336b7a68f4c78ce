//! What a sweep over numbers of clusters came to: its JSON object, its summary, its page.

use super::head::Head;
use super::number::{count, counted, seconds, value};
use super::page::{Point, curve, escape, page, section, table};
use super::table::{Align, Table};
use serde_json::{Value, json};

/// Everything that is told of a finished sweep.
#[derive(Debug, Clone)]
pub(crate) struct SweepReport {
    /// What is told of any job.
    pub(crate) head: Head,
    /// The distance's name.
    pub(crate) metric: String,
    /// Starts for each k.
    pub(crate) restarts: u32,
    /// The k at the elbow of the inertia, and that of the largest silhouette.
    pub(crate) elbow: Option<usize>,
    pub(crate) best_by_silhouette: Option<usize>,
    /// Rows that the silhouette was measured of.
    pub(crate) silhouette_rows: u64,
    /// Each k.
    pub(crate) lines: Vec<SweepLine>,
}

/// The best of one k.
#[derive(Debug, Clone)]
pub(crate) struct SweepLine {
    pub(crate) k: usize,
    pub(crate) inertia: f64,
    pub(crate) silhouette: Option<f64>,
    pub(crate) iterations: u32,
    pub(crate) converged: bool,
    /// Rows of the smallest and the largest cluster.
    pub(crate) sizes: (u64, u64),
}

impl SweepReport {
    /// The object that `sweep --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        let line = |line: &SweepLine| {
            json!({
                "k": line.k,
                "inertia": line.inertia,
                "silhouette": line.silhouette,
                "iterations": line.iterations,
                "converged": line.converged,
                "smallest": line.sizes.0,
                "largest": line.sizes.1,
            })
        };
        self.head.json(
            json!({ "metric": self.metric, "restarts": self.restarts }),
            json!({ "elbow": self.elbow, "best_by_silhouette": self.best_by_silhouette }),
            json!({
                "silhouette_rows": self.silhouette_rows,
                "fits": self.lines.iter().map(line).collect::<Vec<_>>(),
            }),
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let (elbow, silhouette) = self.advice();
        let lines = [("settings", settings.to_owned()), ("elbow", elbow), ("best", silhouette)];
        let columns = ["k", "inertia", "silhouette", "iterations", "smallest", "largest"];
        let mut listed = Table::new(&columns.map(|column| (column, Align::Right)));
        self.lines.iter().for_each(|line| listed.row(line.cells()));
        self.head.summary(data, &lines) + "\n" + &listed.render("")
    }

    fn advice(&self) -> (String, String) {
        let none = || "none to be seen".to_owned();
        let of = format!("of {}", counted(self.silhouette_rows, "row"));
        let elbow = self.elbow.map_or_else(none, |k| format!("k {k}, where the inertia stops falling steeply"));
        (elbow, self.best_by_silhouette.map_or_else(none, |k| format!("k {k} has the largest silhouette, {of}")))
    }

    /// The page of `sweep --report`.
    pub(crate) fn page(&self, data: &str) -> String {
        let (elbow, silhouette) = self.advice();
        let (rows, columns) = (counted(self.head.n, "row"), counted(self.head.d as u64, "column"));
        let shape = format!("{data}: {rows} × {columns}, {}", self.metric);
        let intro = format!(
            "<p>{}</p>\n<p>K-means for each number of clusters k, the best of {} starts; {}.</p>\n",
            escape(&shape),
            self.restarts,
            seconds(self.head.seconds.total)
        );
        let point = |line: &SweepLine, value: f64, best: Option<usize>| Point {
            at: line.k as f64,
            value,
            best: (best == Some(line.k)).then(|| format!("k {}", line.k)),
        };
        let inertias: Vec<Point> = self.lines.iter().map(|line| point(line, line.inertia, self.elbow)).collect();
        let measured = self.lines.iter().filter_map(|line| Some((line, line.silhouette?)));
        let best = self.best_by_silhouette;
        let silhouettes: Vec<Point> = measured.map(|(line, silhouette)| point(line, silhouette, best)).collect();
        let mut body = intro;
        let chart = curve("Inertia by number of clusters", &inertias, value);
        body += &section("Inertia", &format!("<p>Elbow: {}.</p>\n{chart}", escape(&elbow)));
        if !silhouettes.is_empty() {
            let chart = curve("Silhouette by number of clusters", &silhouettes, |value| format!("{value:.3}"));
            body += &section("Silhouette", &format!("<p>{}.</p>\n{chart}", escape(&silhouette)));
        }
        let rows: Vec<Vec<String>> = self.lines.iter().map(SweepLine::cells).collect();
        let columns = ["k", "inertia", "silhouette", "iterations", "smallest cluster", "largest"];
        body += &section("Each k", &table(&columns, &rows));
        page("superstep sweep", &body)
    }
}

impl SweepLine {
    fn cells(&self) -> Vec<String> {
        let iterations =
            if self.converged { self.iterations.to_string() } else { format!("{} (stopped)", self.iterations) };
        vec![
            self.k.to_string(),
            value(self.inertia),
            self.silhouette.map_or_else(|| "–".to_owned(), |silhouette| format!("{silhouette:.3}")),
            iterations,
            count(self.sizes.0),
            count(self.sizes.1),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::head::tests::head;

    fn report() -> SweepReport {
        let line = |k: usize, inertia: f64, silhouette: Option<f64>| SweepLine {
            k,
            inertia,
            silhouette,
            iterations: 4,
            converged: k != 3,
            sizes: (1, 1000),
        };
        SweepReport {
            head: head(),
            metric: "euclidean".into(),
            restarts: 3,
            elbow: Some(2),
            best_by_silhouette: Some(3),
            silhouette_rows: 500,
            lines: vec![line(1, 90.0, None), line(2, 20.0, Some(0.5)), line(3, 15.0, Some(0.75))],
        }
    }

    #[test]
    fn the_object_has_its_keys_in_their_order() {
        let json = report().json();
        let keys: Vec<&String> = json.as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let expected = "n d metric restarts device devices seed iterations converged elbow best_by_silhouette seconds \
                        seconds_per_iteration peak_rss_mb silhouette_rows fits streamed ranks";
        assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
        assert!(json["fits"][0]["silhouette"].is_null());
        assert_eq!(json["fits"][2]["silhouette"], 0.75);
    }

    #[test]
    fn the_summary_lists_each_k_and_the_page_draws_them() {
        let summary = report().summary("points.csv", "k 1..3");
        for text in ["elbow", "k 2, where", "k 3 has the largest silhouette, of 500 rows", "4 (stopped)", "0.750"] {
            assert!(summary.contains(text), "{text} is not in\n{summary}");
        }
        let page = report().page("<points>");
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("class=\"best\"").count(), 2);
        assert!(page.contains("&lt;points&gt;") && !page.contains("NaN"), "{page}");
        let alone =
            SweepReport { lines: report().lines[..1].to_vec(), elbow: None, best_by_silhouette: None, ..report() };
        assert!(!alone.page("x").contains("NaN") && alone.page("x").matches("<svg").count() == 1);
    }
}
