//! What PageRank came to: the JSON object, the summary for a person, and the page.

use super::fit::item_json;
use super::head::Head;
use super::number::{counted, value};
use super::page::{Point, curve, escape, page, section, table};
use super::table::{Align, Table};
use serde_json::{Value, json};
use superstep::algorithms::pagerank::Round;
use superstep::queue::ItemTime;

/// Everything that is told of the ranks of a graph.
#[derive(Debug, Clone)]
pub(crate) struct PageRankReport {
    /// What is told of any job.
    pub(crate) head: Head,
    /// The probability that the surfer follows an edge.
    pub(crate) damping: f64,
    /// How many nodes no edge leads away from.
    pub(crate) dangling: u64,
    /// The names of the nodes with the highest ranks, and these ranks.
    pub(crate) top: Vec<(String, f64)>,
    /// What each round did.
    pub(crate) trace: Vec<Round>,
    /// What each kernel took in all rounds together, where that was measured.
    pub(crate) items: Vec<ItemTime>,
}

impl PageRankReport {
    /// The object that `pagerank --json` prints; the order of its keys is part of the contract.
    pub(crate) fn json(&self) -> Value {
        let top = |(node, rank): &(String, f64)| json!({ "node": node, "rank": rank });
        let round =
            |round: &Round| json!({ "iteration": round.iteration, "change": round.change, "dangling": round.dangling });
        let mut details = json!({ "trace": self.trace.iter().map(round).collect::<Vec<_>>() });
        if !self.items.is_empty() {
            details["items"] = self.items.iter().map(item_json).collect();
        }
        self.head.json(
            json!({ "dangling": self.dangling, "damping": self.damping }),
            json!({ "change": self.change(), "top": self.top.iter().map(top).collect::<Vec<_>>() }),
            details,
        )
    }

    /// What a person reads: `data` names the input, `settings` says what the run was asked for.
    pub(crate) fn summary(&self, data: &str, settings: &str) -> String {
        let lines = self.lines(settings);
        let mut listed = Table::new(&[("node", Align::Left), ("rank", Align::Right)]);
        self.top.iter().for_each(|(node, rank)| listed.row(vec![node.clone(), value(*rank)]));
        let listed = if self.top.is_empty() { String::new() } else { format!("\n{}", listed.render("")) };
        self.head.summary(data, &lines) + &listed
    }

    /// The page: how the ranks settled, and the highest of them.
    pub(crate) fn page(&self, data: &str) -> String {
        let graph =
            format!("{}, {}", counted(self.head.n, "node"), counted(self.head.edges.unwrap_or_default(), "edge"));
        let mut body = format!("<p>{}: {}. {}.</p>\n", escape(data), escape(&graph), escape(&self.ending()));
        // Rounds that change nothing have no logarithm.
        let changing = self.trace.iter().filter(|round| round.change > 0.0);
        let points: Vec<Point> = changing
            .map(|round| Point { at: f64::from(round.iteration), value: round.change.log10(), best: None })
            .collect();
        if !points.is_empty() {
            let chart = curve("Change by round", &points, |power| value(10.0_f64.powf(power)));
            let what = "<p>By how much each round changed the ranks, summed over all nodes; by powers of ten.</p>\n";
            body += &section("Change", &format!("{what}{chart}"));
        }
        let rows: Vec<Vec<String>> = self.top.iter().map(|(node, rank)| vec![escape(node), value(*rank)]).collect();
        if !rows.is_empty() {
            body += &section("Highest ranks", &table(&["node", "rank"], &rows));
        }
        page("superstep pagerank", &body)
    }

    fn lines(&self, settings: &str) -> [(&'static str, String); 3] {
        let dangling = format!("{} without an edge away", counted(self.dangling, "node"));
        [("settings", settings.to_owned()), ("result", self.ending()), ("dangling", dangling)]
    }

    fn ending(&self) -> String {
        self.head.ending(&counted(self.head.n, "rank"))
    }

    /// By how much the last round changed the ranks.
    fn change(&self) -> Option<f64> {
        self.trace.last().map(|round| round.change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::head::tests::head;
    use std::time::Duration;

    fn report() -> PageRankReport {
        PageRankReport {
            head: Head { n: 3, edges: Some(4), ..head() },
            damping: 0.85,
            dangling: 1,
            top: vec![("<a>".into(), 0.5), ("b".into(), 0.25)],
            trace: Vec::new(),
            items: Vec::new(),
        }
    }

    #[test]
    fn the_object_has_its_keys_in_their_order() {
        let keys = |report: &PageRankReport| -> Vec<String> {
            report.json().as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
        };
        let expected = "n edges dangling damping device devices seed iterations converged change top seconds \
                        seconds_per_iteration peak_rss_mb trace streamed ranks";
        assert_eq!(keys(&report()), expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(report().json()["top"][0]["node"], "<a>");
        let item = ItemTime { device: 0, name: "multiply_sparse".into(), runs: 2, time: Duration::from_millis(3) };
        assert!(keys(&PageRankReport { items: vec![item], ..report() }).contains(&"items".to_owned()));
    }

    #[test]
    fn the_summary_lists_the_highest_and_the_page_escapes_their_names() {
        let summary = report().summary("edges.txt", "damping 0.85");
        for text in ["edges.txt: 3 nodes, 4 edges", "3 ranks, converged", "1 node without an edge away", "<a>", "0.25"]
        {
            assert!(summary.contains(text), "{text} is not in\n{summary}");
        }
        let none = PageRankReport { top: Vec::new(), ..report() }.summary("edges.txt", "");
        assert!(!none.contains("node  "), "{none}");
        let page = report().page("<edges>");
        assert!(page.contains("&lt;a&gt;") && page.contains("&lt;edges&gt;") && !page.contains("<svg"), "{page}");
    }
}
