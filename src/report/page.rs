//! What pages are made of: one file with its style and its charts, and nothing to fetch.

/// The style: a chart's text and lines take the colours of the page, in the dark too.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2433; --paper: #ffffff; --soft: #667085; --line: #d5dae3; --bar: #2f6fb2;
  --best: #c2571a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --paper: #14171d; --soft: #98a1b2; --line: #343b48; --bar: #6aa5df;
    --best: #ef9255; }
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
svg polyline { fill: none; stroke: var(--bar); stroke-width: 2; }
svg circle { fill: var(--bar); }
svg circle.best { fill: var(--best); }
svg line { stroke: var(--line); }
.failed { color: #c0392b; }
";

/// Points of a chart: its width, where bars begin and how long the longest is, and the height of a line.
const WIDTH: f64 = 900.0;
const LEFT: f64 = 220.0;
const LONGEST: f64 = 440.0;
const LINE: f64 = 30.0;

/// A bar of a chart: its name, its length as a part of the longest, and what stands behind it.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) part: f64,
    pub(super) text: String,
}

/// A page of this title, which is also its heading.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

pub(super) fn section(title: &str, body: &str) -> String {
    format!("<h2>{}</h2>\n{body}", escape(title))
}

pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
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
pub(super) fn chart(title: &str, bars: &[Bar]) -> String {
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
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A point of a curve: where it lies on the axis, its value, and what is said of it where it is the best.
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) value: f64,
    pub(super) best: Option<String>,
}

/// A curve through points, in the order of their places, with the extremes of its values at the side.
pub(super) fn curve(title: &str, points: &[Point], shown: impl Fn(f64) -> String) -> String {
    let (left, top, right, bottom) = (110.0, 20.0, 870.0, 250.0);
    let extremes = |of: fn(&Point) -> f64| {
        let ends = |(low, high): (f64, f64), point: &Point| (low.min(of(point)), high.max(of(point)));
        points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), ends)
    };
    let ((first, last), (low, high)) = (extremes(|point| point.at), extremes(|point| point.value));
    let part = |value: f64, from: f64, to: f64| if to > from { (value - from) / (to - from) } else { 0.5 };
    let x = |point: &Point| left + (right - left) * part(point.at, first, last);
    let y = |value: f64| bottom - (bottom - top) * part(value, low, high);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} 290\" role=\"img\" aria-label=\"{}\">\n", escape(title));
    for value in [low, high] {
        svg += &format!(
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>\n<text class=\"soft\" x=\"{1}\" y=\"{2:.1}\" \
             text-anchor=\"end\">{3}</text>\n",
            y(value),
            left - 12.0,
            y(value) + 5.0,
            escape(&shown(value)),
        );
    }
    let corners: Vec<String> = points.iter().map(|point| format!("{:.1},{:.1}", x(point), y(point.value))).collect();
    svg += &format!("<polyline points=\"{}\"/>\n", corners.join(" "));
    for point in points {
        let (class, radius) = if point.best.is_some() { (" class=\"best\"", 6.0) } else { ("", 3.5) };
        svg += &format!("<circle{class} cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"/>\n", x(point), y(point.value));
        if let Some(text) = &point.best {
            let above = if y(point.value) > top + 24.0 { -14.0 } else { 24.0 };
            let (x, y) = (x(point), y(point.value) + above);
            svg += &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>\n", escape(text));
        }
    }
    for point in points.iter().take(1).chain(points.iter().skip(1).last()) {
        let x = x(point);
        svg += &format!("<text class=\"soft\" x=\"{x:.1}\" y=\"280\" text-anchor=\"middle\">{}</text>\n", point.at);
    }
    svg + "</svg>\n"
}
