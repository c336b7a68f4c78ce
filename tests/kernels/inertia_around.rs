//! The inertia as it follows from the sums: against every row's distance, in f64, and against the twin on the processor.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Metric, Noise, distance, exponent, word_bits};
use superstep::backend::cpu::{FixedPoint, Partials, Rows};
use superstep::backend::gpu::GpuDevice;

struct Case {
    name: &'static str,
    points: Vec<f32>,
    labels: Vec<u32>,
    centroids: Vec<f32>,
    d: usize,
    exponents: Vec<i32>,
}

impl Case {
    /// Rows around an offset, and centroids so far from that.
    fn new(name: &'static str, (n, d, k): (usize, usize, usize), (offset, scale, away): (f32, f32, f32)) -> Self {
        let mut noise = Noise((n + 3 * d + k) as u64);
        let points: Vec<f32> = noise.values(n * d).into_iter().map(|value| scale * (offset + value)).collect();
        let centroids: Vec<f32> =
            noise.values(k * d).into_iter().map(|value| scale * (offset + 0.5 * value + away)).collect();
        // The last cluster of several has no rows.
        let labels = noise.labels(n, (k - 1).max(1));
        let bits = word_bits(n);
        let largest =
            |column: usize| points.iter().skip(column).step_by(d).fold(0.0_f64, |a, &b| a.max(b.abs().into()));
        let mut exponents: Vec<i32> = (0..d).map(|column| exponent(bits, largest(column))).collect();
        let reach = |values: &[f32]| values.iter().fold(0.0_f64, |a, &b| a.max(b.abs().into()));
        let farthest = d as f64 * (reach(&points) + reach(&centroids)).powi(2);
        exponents.extend([0, exponent(bits, farthest)]);
        Self { name, points, labels, centroids, d, exponents }
    }

    fn clusters(&self) -> usize {
        self.centroids.len() / self.d
    }

    /// The sums of all rows, and their squared lengths.
    fn sums(&self) -> Partials {
        let bits = word_bits(self.labels.len()) as u32;
        let fixed = FixedPoint::from_exponents(bits, 1, false, self.exponents.clone()).unwrap();
        let mut sums = Partials::new(&fixed, self.clusters()).unwrap();
        let previous = vec![u32::MAX; self.labels.len()];
        let (values, labels) = (&self.points[..], &self.labels[..]);
        sums.add_changes(&Rows { values, weights: None, labels, previous: &previous, distances: &[] }).unwrap();
        sums.add_squared_lengths(&self.points).unwrap();
        sums
    }

    /// Of every row, in f64.
    fn truth(&self) -> f64 {
        let of = |(row, &label): (usize, &u32)| {
            let (row, centroid) = (&self.points[row * self.d..], &self.centroids[label as usize * self.d..]);
            distance(Metric::SquaredEuclidean, &row[..self.d], &centroid[..self.d])
        };
        self.labels.iter().enumerate().map(of).sum()
    }

    fn run(&self, device: &GpuDevice, sums: &Partials) -> Partials {
        let (k, totals) = (self.clusters(), sums.layout().inertia(0));
        let launch = Launch::new(device, "inertia_around")
            .constant("DIMENSIONS", self.d as u32)
            .constant("CLUSTERS", k as u32)
            .constant("BITS", word_bits(self.labels.len()))
            .bind("sums", sums.values())
            .bind("exponents", &self.exponents)
            .bind("centroids", &self.centroids)
            .bind("around", &vec![u32::MAX; 4 * k])
            .bind("partials", sums.values());
        launch.run(k);
        let launch = launch.kernel("inertia_total").constant("CLUSTERS", k as u32).constant("TOTALS", totals as u32);
        let launch = launch.constant("BITS", word_bits(self.labels.len()));
        launch.run(1);
        let partials = launch.read::<i64>("partials");
        assert_eq!(partials[..totals], sums.values()[..totals], "{}: the sums are left alone", self.name);
        assert_eq!(partials[totals + 2], sums.moved(), "{}: so are the moves", self.name);
        Partials::from_values(sums.fixed_point(), k, partials).unwrap()
    }
}

#[test]
fn follows_from_the_sums_as_from_every_row() {
    on_every_adapter(|device| {
        for case in [
            Case::new("one row", (1, 1, 1), (0.0, 1.0, 0.3)),
            Case::new("few", (300, 3, 4), (0.0, 1.0, 0.0)),
            Case::new("off the workgroup", (1000, 130, 70), (0.0, 1.0, 0.1)),
            Case::new("many clusters", (2000, 5, 600), (0.0, 1.0, 0.0)),
            Case::new("far from the origin", (900, 40, 7), (1000.0, 1.0, 0.0)),
            Case::new("on the other side", (900, 40, 7), (-1000.0, 1.0, 0.2)),
            Case::new("far from the centroids", (500, 20, 3), (0.0, 1.0, 3000.0)),
            Case::new("tiny", (500, 20, 3), (0.5, 1e-18, 0.1)),
            Case::new("huge", (500, 20, 3), (0.5, 1e15, 0.1)),
        ] {
            let (sums, truth) = (case.sums(), case.truth());
            let found = case.run(device, &sums);
            // What the units of the sums and of the squares leave out, by the length of all rows.
            let lengths = sums.inertia();
            let error = (found.inertia() - truth).abs();
            assert!(error <= 1e-11 * truth + 1e-13 * lengths, "{}: {} for {truth}", case.name, found.inertia());
            let around = |cluster| sums.inertia_around(cluster, &case.centroids[cluster * case.d..][..case.d]);
            let mut twin = sums.clone();
            twin.set_totals((0..case.clusters()).map(around).sum(), sums.moved());
            assert_eq!(found.values(), twin.values(), "{}: the twin has the same bits", case.name);
        }
    });
}

/// Rows that lie on their centroids have none, not less.
#[test]
fn is_never_negative() {
    on_every_adapter(|device| {
        let mut case = Case::new("on their centroids", (64, 7, 9), (20.0, 1.0, 0.0));
        for (row, &label) in case.labels.iter().enumerate() {
            let from = label as usize * case.d;
            case.points[row * case.d..][..case.d].copy_from_slice(&case.centroids[from..from + case.d]);
        }
        let sums = case.sums();
        let found = case.run(device, &sums).inertia();
        assert!((0.0..=1e-13 * sums.inertia()).contains(&found), "{found}");
    });
}
