//! The page of `superstep bench --report`.

use super::bench::{BenchReport, DeviceRun, Measured};
use super::device::kind_in_words;
use super::number::{giga, seconds, value};
use super::page::{Bar, chart, escape, page, section, table};

impl BenchReport {
    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut body = format!("<p>{}</p>\n", escape(&self.heading()));
        body += "<p>The same k-means on every device. One iteration labels all rows, sums them by cluster and moves the \
                 centroids; times are medians.</p>\n";
        body += &self.overview();
        for device in &self.devices {
            body += &self.section(device);
        }
        page("superstep bench", &body)
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
