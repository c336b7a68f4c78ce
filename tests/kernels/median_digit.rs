//! Histograms of one digit of the ordered keys.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Noise, words};
use superstep::backend::cpu::{FixedPoint, median_digit};
use superstep::backend::gpu::GpuDevice;

/// Rows with labels, and how much each weighs: weights with their exponent.
pub(crate) struct Rows {
    pub(crate) d: usize,
    pub(crate) clusters: usize,
    pub(crate) points: Vec<f32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) weights: Option<(Vec<f32>, i32)>,
}

impl Rows {
    pub(crate) fn new((n, d, clusters): (usize, usize, usize), seed: u64) -> Self {
        let mut noise = Noise(seed);
        Self { d, clusters, points: noise.values(n * d), labels: noise.labels(n, clusters), weights: None }
    }

    pub(crate) fn weights(mut self, weight: impl FnMut(usize) -> f32, exponent: i32) -> Self {
        self.weights = Some(((0..self.labels.len()).map(weight).collect(), exponent));
        self
    }

    pub(crate) fn mass(&self, row: usize) -> i64 {
        self.weights.as_ref().map_or(1, |(weights, exponent)| words(weights[row], *exponent, 0)[0])
    }

    /// Everything `median_digit` binds but `digit`, `prefix` and `histogram`.
    pub(crate) fn launch<'d>(&self, device: &'d GpuDevice) -> Launch<'d> {
        let mut exponents = vec![99; self.d + 2];
        let mut weights = [1.0].as_slice();
        if let Some((given, exponent)) = &self.weights {
            exponents[self.d] = *exponent;
            weights = given;
        }
        Launch::new(device, "median_digit")
            .constant("DIMENSIONS", self.d as u32)
            .constant("CLUSTERS", self.clusters as u32)
            .constant("WEIGHTED", u8::from(self.weights.is_some()))
            .bind("points", &self.points)
            .shape("points_shape", self.labels.len(), self.d)
            .bind("weights", weights)
            .bind("labels", &self.labels)
            .bind("exponents", &exponents)
    }

    /// The histogram of a round by the twin on the processor.
    fn twin(&self, round: u32, prefix: &[u32]) -> Vec<i64> {
        let mut exponents = vec![0; self.d + 2];
        exponents[self.d] = self.weights.as_ref().map_or(0, |(_, exponent)| *exponent);
        let fixed = FixedPoint::from_exponents(50, 1, self.weights.is_some(), exponents).unwrap();
        let mut histogram = vec![0; prefix.len() * 16];
        let weights = self.weights.as_ref().map(|(weights, _)| weights.as_slice());
        median_digit(&self.points, weights, &self.labels, round, prefix, &fixed, &mut histogram).unwrap();
        histogram
    }

    pub(crate) fn workgroups(&self) -> usize {
        self.points.len().div_ceil(256)
    }
}

/// A number that is ordered as `total_cmp` orders f32, but with -0 as +0.
fn key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits() as i32;
    (bits ^ (((bits >> 31) as u32) >> 1) as i32) as u32 ^ 0x8000_0000
}

#[test]
fn counts_the_digit_after_the_known_ones() {
    let mut special = Rows::new((11, 1, 1), 1);
    special.points =
        vec![0.0, -0.0, 1.0, -1.0, f32::MAX, f32::MIN, 1e-45, -1e-45, f32::MIN_POSITIVE, 1.0 + f32::EPSILON, 1.0];
    let mut without_cluster = Rows::new((400, 3, 4), 6);
    without_cluster.labels.iter_mut().step_by(3).for_each(|label| *label = u32::MAX);
    let cases = [
        without_cluster,
        Rows::new((1, 1, 1), 2),
        Rows::new((700, 5, 3), 3),
        Rows::new((90, 40, 2), 4).weights(|row| row as f32 * 0.37, 40),
        Rows::new((300, 2, 2), 5).weights(|row| if row == 0 { 3.0 } else { 1e-9 * row as f32 }, 30),
        special,
    ];
    on_every_adapter(|device| {
        for (case, rows) in cases.iter().enumerate() {
            let (k, d) = (rows.clusters, rows.d);
            // The digits of some row's own value are known, so that some rows always agree.
            let prefix: Vec<u32> = (0..k * d).map(|cell| key(rows.points[cell % rows.points.len()])).collect();
            for round in 0..8u32 {
                let mut expected = vec![0i64; k * d * 16];
                for (at, &value) in rows.points.iter().enumerate() {
                    if rows.labels[at / d] as usize >= k {
                        continue;
                    }
                    let cell = rows.labels[at / d] as usize * d + at % d;
                    let (value, known) = (u64::from(key(value)), 32 - 4 * round);
                    if value >> known == u64::from(prefix[cell]) >> known {
                        expected[cell * 16 + (value >> (known - 4)) as usize % 16] += rows.mass(at / d);
                    }
                }
                let launch = rows
                    .launch(device)
                    .bind("digit", &[round])
                    .bind("prefix", &prefix)
                    .bind("histogram", &vec![0i64; k * d * 16]);
                launch.run(rows.workgroups());
                assert_eq!(launch.read::<i64>("histogram"), expected, "case {case}, round {round}");
                assert_eq!(rows.twin(round, &prefix), expected, "case {case}, round {round}: the twin");
            }
        }
    });
}

#[test]
fn runs_with_more_workgroups_than_a_dimension_holds() {
    on_every_adapter(|device| {
        let n = 256 * 65_536 + 1;
        let rows = Rows { d: 1, clusters: 1, points: vec![1.0; n], labels: vec![0; n], weights: None };
        let launch = rows.launch(device).bind("digit", &[0]).bind("prefix", &[0]).bind("histogram", &[0i64; 16]);
        launch.run(rows.workgroups());
        let mut expected = [0i64; 16];
        expected[0xb] = n as i64;
        assert_eq!(launch.read::<i64>("histogram"), expected);
    });
}
