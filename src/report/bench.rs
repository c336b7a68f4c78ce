//! The same work on several devices, side by side.

use super::device::{DeviceLine, kind_in_words};
use super::number::{counted, giga, scaled, seconds, value};
use super::table::{Align, Table};
use serde_json::{Value, json};
use superstep::backend::Ceilings;

/// What `superstep bench` measured.
#[derive(Debug, Clone)]
pub(crate) struct BenchReport {
    /// What the rows are: a file, or how they were generated.
    pub(crate) data: String,
    /// The rows.
    pub(crate) n: u64,
    /// The columns.
    pub(crate) d: usize,
    /// The clusters.
    pub(crate) k: usize,
    /// Updates of the centroids asked for, in each run.
    pub(crate) iterations: u32,
    /// Runs on each device, of which the median is told.
    pub(crate) runs: usize,
    /// Seconds it took to read or generate the rows; once, for all devices.
    pub(crate) load: f64,
    /// The devices, in the order they were asked for.
    pub(crate) devices: Vec<DeviceRun>,
}

/// The runs on one device, or on several that share the rows.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRun {
    /// What asks for it on the command line.
    pub(crate) choice: String,
    /// What it is; empty when it could not be opened.
    pub(crate) devices: Vec<DeviceLine>,
    /// The medians of the runs, or why there are none.
    pub(crate) outcome: Result<Measured, String>,
}

/// Medians over the runs, in seconds, and the inertia of the last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    /// Bringing the rows to the device.
    pub(crate) pin: f64,
    /// Preparing the given centroids.
    pub(crate) init: f64,
    /// One round: assignment, sums and update.
    pub(crate) iteration: f64,
    /// That of the returned centroids.
    pub(crate) inertia: f64,
    /// What the items of a round take, in a run of its own: device by device, the longest first.
    pub(crate) items: Vec<ItemShare>,
    /// What the devices can do at most, all together.
    pub(crate) ceilings: Ceilings,
}

impl Measured {
    /// What an item takes of all that they take: `86 %`.
    pub(super) fn share(&self, item: &ItemShare) -> String {
        let all: f64 = self.items.iter().map(|item| item.time).sum();
        format!("{:.0} %", 100.0 * item.time / all)
    }
}

/// What an item, or a kernel of it, takes of a round.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ItemShare {
    /// The device's place among those that share the rows.
    pub(crate) device: usize,
    /// The item's name.
    pub(crate) name: String,
    /// Seconds a round.
    pub(crate) time: f64,
}

/// The middle of the values, the mean of the two middle ones for an even number; `None` of none.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

impl BenchReport {
    /// Floating-point operations per second: each of n·k distances takes d multiplications and d additions.
    pub(super) fn flops(&self, iteration: f64) -> f64 {
        2.0 * self.n as f64 * self.d as f64 * self.k as f64 / iteration
    }

    /// Bytes per second of reading every f32 once a round.
    pub(super) fn bytes(&self, iteration: f64) -> f64 {
        4.0 * self.n as f64 * self.d as f64 / iteration
    }

    /// The time of the first device that was measured, over this one's: how many times faster this one is.
    pub(super) fn ratio(&self, iteration: f64) -> Option<f64> {
        let first = self.devices.iter().find_map(|device| device.outcome.as_ref().ok())?;
        Some(first.iteration / iteration)
    }

    /// The object of `bench --json`; a device that failed has an `error` in place of its measurements.
    pub(crate) fn json(&self) -> Value {
        json!({
            "data": self.data,
            "n": self.n,
            "d": self.d,
            "k": self.k,
            "iterations": self.iterations,
            "runs": self.runs,
            "load": self.load,
            "devices": self.devices.iter().map(|device| self.device_json(device)).collect::<Vec<_>>(),
        })
    }

    fn device_json(&self, device: &DeviceRun) -> Value {
        let devices: Vec<Value> = device.devices.iter().map(DeviceLine::json).collect();
        match &device.outcome {
            Ok(measured) => json!({
                "device": device.choice,
                "devices": devices,
                "pin": measured.pin,
                "init": measured.init,
                "seconds_per_iteration": measured.iteration,
                "gflops": self.flops(measured.iteration) / 1e9,
                "gb_per_s": self.bytes(measured.iteration) / 1e9,
                "inertia": measured.inertia,
                "ratio": self.ratio(measured.iteration),
                "ceilings": {
                    "gflops": measured.ceilings.operations_per_second / 1e9,
                    "copy_gb_per_s": measured.ceilings.copied_bytes_per_second / 1e9,
                },
                "items": measured.items.iter().map(item_json).collect::<Vec<_>>(),
            }),
            Err(error) => json!({ "device": device.choice, "devices": devices, "error": error }),
        }
    }

    /// The table for a person, under a line that says what the work was.
    pub(crate) fn table(&self) -> String {
        use Align::{Left, Right};
        let mut table = Table::new(&[
            ("device", Left),
            ("kind", Left),
            ("load", Right),
            ("pin", Right),
            ("init", Right),
            ("iteration", Right),
            ("GFLOP/s", Right),
            ("GB/s", Right),
            ("inertia", Right),
            ("ratio", Right),
        ]);
        for device in &self.devices {
            table.row(self.cells(device));
        }
        format!("{}\n\n{}{}{}", self.heading(), table.render(""), self.names(), self.details())
    }

    /// Of each device what the items of a round take, and how near the round is to what the device can do.
    fn details(&self) -> String {
        let mut text = String::new();
        for device in &self.devices {
            let Ok(measured) = &device.outcome else { continue };
            let Ceilings { operations_per_second: operations, copied_bytes_per_second: copied } = measured.ceilings;
            let part = |reached: f64, ceiling: f64| format!("{:.1} %", 100.0 * reached / ceiling);
            let (flops, bytes) = (self.flops(measured.iteration), self.bytes(measured.iteration));
            text += &format!(
                "\n{}: multiplies and adds at {} at most, of which a round reaches {}; copies {}, reads rows at {} of it\n",
                device.choice,
                giga(operations, "FLOP/s"),
                part(flops, operations),
                giga(copied, "B/s"),
                part(bytes, copied),
            );
            let mut table = Table::new(&[("item", Align::Left), ("a round", Align::Right), ("share", Align::Right)]);
            for item in &measured.items {
                table.row(vec![device.named(item), seconds(item.time), measured.share(item)]);
            }
            if !measured.items.is_empty() {
                text += &table.render("  ");
            }
        }
        text
    }

    fn cells(&self, device: &DeviceRun) -> Vec<String> {
        let kinds: Vec<String> = device.devices.iter().map(|line| kind_in_words(line.kind)).collect();
        let mut cells = vec![device.choice.clone(), kinds.join(" + ")];
        let Ok(measured) = &device.outcome else {
            cells[1] += if kinds.is_empty() { "failed" } else { ", failed" };
            return cells;
        };
        cells.extend([self.load, measured.pin, measured.init, measured.iteration].map(seconds));
        cells.push(format!("{:.1}", self.flops(measured.iteration) / 1e9));
        cells.push(format!("{:.1}", self.bytes(measured.iteration) / 1e9));
        cells.push(value(measured.inertia));
        cells.push(self.ratio(measured.iteration).map_or_else(String::new, |ratio| format!("{ratio:.2}×")));
        cells
    }

    /// What the work was, in one line.
    pub(super) fn heading(&self) -> String {
        let Self { data, n, d, k, iterations, runs, .. } = self;
        let values = scaled(*n as f64 * *d as f64, "values");
        format!(
            "{data}: {} × {} ({values}), {}, {}, median of {}",
            counted(*n, "row"),
            counted(*d as u64, "column"),
            counted(*k as u64, "cluster"),
            counted(u64::from(*iterations), "iteration"),
            counted(*runs as u64, "run"),
        )
    }

    /// Which machine each row is, and why a device failed.
    fn names(&self) -> String {
        let mut text = String::from("\n");
        for device in &self.devices {
            for line in &device.devices {
                text += &format!("{}: {}, {}\n", device.choice, line.name, line.interface);
            }
            if let Err(error) = &device.outcome {
                text += &format!("{}: {error}\n", device.choice);
            }
        }
        text
    }
}

impl DeviceRun {
    /// An item, and where there are several devices the one that it ran on.
    pub(super) fn named(&self, item: &ItemShare) -> String {
        match self.devices.get(item.device) {
            Some(device) if self.devices.len() > 1 => format!("{} on {}", item.name, device.choice),
            _ => item.name.clone(),
        }
    }
}

fn item_json(item: &ItemShare) -> Value {
    json!({ "device": item.device, "name": item.name, "seconds": item.time })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::device::tests::lavapipe;
    use superstep::backend::DeviceKind;

    fn measured(iteration: f64) -> Result<Measured, String> {
        let item = |name: &str, time: f64| ItemShare { device: 0, name: name.into(), time };
        let items = vec![item("assign", 0.75 * iteration), item("sum <all>", 0.25 * iteration)];
        let ceilings = Ceilings { operations_per_second: 819.2e9, copied_bytes_per_second: 64e9 };
        Ok(Measured { pin: 0.1, init: 0.0, iteration, inertia: 1234.5, items, ceilings })
    }

    pub(in crate::report) fn report() -> BenchReport {
        let cpu = DeviceLine { choice: "cpu".into(), name: "A processor".into(), kind: DeviceKind::Cpu, ..lavapipe() };
        BenchReport {
            data: "blobs".into(),
            n: 1_000_000,
            d: 16,
            k: 64,
            iterations: 10,
            runs: 3,
            load: 0.5,
            devices: vec![
                DeviceRun { choice: "cpu".into(), devices: vec![cpu], outcome: measured(0.01) },
                DeviceRun { choice: "gpu:0".into(), devices: vec![lavapipe()], outcome: measured(0.04) },
                DeviceRun { choice: "gpu:7".into(), devices: vec![], outcome: Err("no device".into()) },
            ],
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        let cases =
            [(vec![], None), (vec![3.0], Some(3.0)), (vec![9.0, 1.0, 2.0], Some(2.0)), (vec![4.0, 1.0], Some(2.5))];
        for (values, middle) in cases {
            assert_eq!(median(values), middle);
        }
    }

    #[test]
    fn speeds_follow_from_the_shape_and_the_time() {
        let json = report().json();
        let [cpu, software] = [0, 1].map(|at| &json["devices"][at]);
        // 2 · 10⁶ · 16 · 64 operations and 4 · 10⁶ · 16 bytes in 10 ms.
        assert!((cpu["gflops"].as_f64().unwrap_or(0.0) - 204.8).abs() < 1e-9);
        assert!((cpu["gb_per_s"].as_f64().unwrap_or(0.0) - 6.4).abs() < 1e-9);
        assert_eq!((&cpu["ratio"], &software["ratio"]), (&json!(1.0), &json!(0.25)));
        assert_eq!(json["devices"][2]["error"], "no device");
    }

    #[test]
    fn the_table_refuses_to_call_a_software_adapter_a_gpu() {
        let table = report().table();
        let row = |choice: &str| table.lines().find(|line| line.starts_with(choice)).unwrap_or_default();
        assert!(table.starts_with("blobs: 1,000,000 rows × 16 columns (16.0 M values), 64 clusters"), "{table}");
        assert!(row("cpu").contains("204.8"), "{table}");
        assert!(row("gpu:0").contains("software adapter, not a GPU"), "{table}");
        assert!(row("gpu:7").ends_with("failed"), "{table}");
        assert!(table.contains("gpu:7: no device\n"), "{table}");
    }

    #[test]
    fn the_table_says_what_a_round_is_made_of_and_how_near_the_ceilings_it_is() {
        let table = report().table();
        let ceilings = "cpu: multiplies and adds at 819 GFLOP/s at most, of which a round reaches 25.0 %; copies 64.0 GB/s, \
                        reads rows at 10.0 % of it\n";
        assert!(table.contains(ceilings), "{table}");
        assert!(table.contains("assign") && table.contains("7.50 ms") && table.contains("75 %"), "{table}");
    }
}
