//! The page of `superstep bench --report`: one file with its style and its charts, and nothing to fetch.

use super::bench::{BenchReport, DeviceRun, Measured};
use super::device::kind_in_words;
use super::number::{giga, seconds, value};

/// The style: a chart's text and lines take the colours of the page, in the dark too.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2433; --paper: #ffffff; --soft: #667085; --line: #d5dae3; --bar: #2f6fb2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --paper: #14171d; --soft: #98a1b2; --line: #343b48; --bar: #6aa5df; }
}
body { margin: 2.5rem auto; padding: 0 1.5rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin-bottom: 0.2rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.6rem; }
p { color: var(--soft); margin: 0.3rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 0.7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
.wide { overflow-x: auto; }
svg { width: 100%; height: auto; display: block; margin: 0.4rem 0; }
svg text { fill: var(--ink); font: 14px system-ui, sans-serif; }
svg text.soft { fill: var(--soft); }
svg rect.bar { fill: var(--bar); }
svg rect.room { fill: var(--line); }
.failed { color: #c0392b; }
";

/// Points of a chart: its width, where bars begin and how long the longest is, and the height of a line.
const WIDTH: f64 = 900.0;
const LEFT: f64 = 220.0;
const LONGEST: f64 = 440.0;
const LINE: f64 = 30.0;

/// A bar of a chart: its name, its length as a part of the longest, and what stands behind it.
struct Bar {
    name: String,
    part: f64,
    text: String,
}

impl BenchReport {
    /// The page.
    pub(crate) fn page(&self) -> String {
        let title = "superstep bench";
        let mut body = format!("<h1>{title}</h1>\n<p>{}</p>\n", escape(&self.heading()));
        body += "<p>The same k-means on every device. One iteration labels all rows, sums them by cluster and moves the \
                 centroids; times are medians.</p>\n";
        body += &self.overview();
        for device in &self.devices {
            body += &self.section(device);
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
             <body>\n{body}</body>\n</html>\n"
        )
    }

    /// All devices in one chart and one table.
    fn overview(&self) -> String {
        let measured = || self.devices.iter().filter_map(|device| Some((device, device.outcome.as_ref().ok()?)));
        let longest = measured().map(|(_, measured)| measured.iteration).fold(0.0, f64::max);
        let bars: Vec<Bar> = measured()
            .map(|(device, measured)| Bar {
                name: device.choice.clone(),
                part: measured.iteration / longest,
                text: format!("{}{}", seconds(measured.iteration), self.times_faster(measured)),
            })
            .collect();
        let chart = section("Seconds an iteration", &chart("Seconds an iteration, by device", &bars));
        let head = ["device", "pin", "start", "iteration", "FLOP/s", "rows read, B/s", "inertia"];
        let rows: Vec<Vec<String>> = self.devices.iter().map(|device| self.overview_cells(device)).collect();
        format!("{chart}{}", table(&head, &rows))
    }

    fn times_faster(&self, measured: &Measured) -> String {
        self.ratio(measured.iteration).map_or_else(String::new, |ratio| format!(" · {ratio:.2}×"))
    }

    fn overview_cells(&self, device: &DeviceRun) -> Vec<String> {
        let names: Vec<String> = device.devices.iter().map(|line| line.name.clone()).collect();
        let name = format!("<b>{}</b> {}", escape(&device.choice), escape(&names.join(" + ")));
        match &device.outcome {
            Ok(measured) => vec![
                name,
                seconds(measured.pin),
                seconds(measured.init),
                seconds(measured.iteration),
                giga(self.flops(measured.iteration), "FLOP/s"),
                giga(self.bytes(measured.iteration), "B/s"),
                value(measured.inertia),
            ],
            Err(error) => vec![format!("{name}<br><span class=\"failed\">{}</span>", escape(error))],
        }
    }

    /// One device: what an iteration is made of, and how near the device's ceilings it comes.
    fn section(&self, device: &DeviceRun) -> String {
        let Ok(measured) = &device.outcome else { return String::new() };
        let lines: Vec<String> = device
            .devices
            .iter()
            .map(|line| format!("{}, {}, {} {}", line.name, kind_in_words(line.kind), line.interface, line.driver))
            .collect();
        let (flops, bytes) = (self.flops(measured.iteration), self.bytes(measured.iteration));
        let (most, copied) = (measured.ceilings.operations_per_second, measured.ceilings.copied_bytes_per_second);
        let ceilings = [
            reached("multiplications, additions", flops, most, "FLOP/s"),
            reached("rows read, of a copy", bytes, copied, "B/s"),
        ];
        let longest = measured.items.iter().map(|item| item.time).fold(0.0, f64::max);
        let items: Vec<Bar> = measured
            .items
            .iter()
            .map(|item| Bar {
                name: device.named(item),
                part: item.time / longest,
                text: format!("{} · {}", seconds(item.time), measured.share(item)),
            })
            .collect();
        let mut body = format!("<p>{}</p>\n", escape(lines.join("; ").trim()));
        body += &chart("What is reached of what the device can do", &ceilings);
        if !items.is_empty() {
            body += "<p>What an iteration is made of, timed item by item in a run of its own:</p>\n";
            body += &chart("Seconds an iteration, by item", &items);
        }
        section(&device.choice, &body)
    }
}

/// How much of a ceiling is reached.
fn reached(name: &str, rate: f64, ceiling: f64, unit: &str) -> Bar {
    let part = rate / ceiling;
    let text = format!("{:.1} % of {}", 100.0 * part, giga(ceiling, unit));
    Bar { name: name.to_owned(), part: part.min(1.0), text }
}

fn section(title: &str, body: &str) -> String {
    format!("<h2>{}</h2>\n{body}", escape(title))
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |row: &[String], tag: &str| -> String {
        let span = head.len() + 1 - row.len().max(1);
        let open = |at: usize| {
            if at + 1 == row.len() && span > 1 { format!("<{tag} colspan=\"{span}\">") } else { format!("<{tag}>") }
        };
        row.iter().enumerate().map(|(at, cell)| format!("{}{cell}</{tag}>", open(at))).collect()
    };
    let titles: Vec<String> = head.iter().map(|title| escape(title)).collect();
    let rows: String = rows.iter().map(|row| format!("<tr>{}</tr>\n", cells(row, "td"))).collect();
    format!("<div class=\"wide\"><table>\n<tr>{}</tr>\n{rows}</table></div>\n", cells(&titles, "th"))
}

/// Bars, one a line, each in the room that the longest could take.
fn chart(title: &str, bars: &[Bar]) -> String {
    let height = LINE * bars.len() as f64 + 4.0;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n", escape(title));
    for (at, bar) in bars.iter().enumerate() {
        let top = LINE * at as f64 + 5.0;
        let middle = top + 15.0;
        let length = (LONGEST * bar.part).max(1.5);
        svg += &format!(
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\n<rect class=\"room\" x=\"{LEFT}\" y=\"{top}\" \
             width=\"{LONGEST}\" height=\"20\" rx=\"3\"/>\n<rect class=\"bar\" x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" \
             height=\"20\" rx=\"3\"/>\n<text class=\"soft\" x=\"{}\" y=\"{middle}\">{}</text>\n",
            LEFT - 10.0,
            escape(&bar.name),
            LEFT + LONGEST + 10.0,
            escape(&bar.text),
        );
    }
    svg + "</svg>\n"
}

/// Text as it may stand in a page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::bench::tests::report;

    #[test]
    fn the_page_needs_nothing_and_says_what_was_measured() {
        let page = report().page();
        for text in ["10.0 ms", "7.50 ms", "75 %", "25.0 % of 819 GFLOP/s", "software adapter, not a GPU", "no device"]
        {
            assert!(page.contains(text), "{text} is not in\n{page}");
        }
        assert!(page.contains("sum &lt;all&gt;") && !page.contains("<all>"), "{page}");
        for outside in ["http", "src=", "href=", "<script", "@import", "url("] {
            assert!(!page.contains(outside), "{outside} in\n{page}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert_eq!(page.matches("<svg").count(), 1 + 2 * 2, "one of all devices, two of each that was measured");
    }
}
