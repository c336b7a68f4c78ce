//! Sums of products in fixed point: exact where f32 is, else within the rounding of a block; the same bits for any workgroups.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;
use superstep::backend::cpu::{PRODUCT_BLOCK, ProductSums, ProductUnits};
use superstep::backend::gpu::GpuDevice;

/// Threads along outputs and columns.
const WORKGROUPS: [(usize, usize); 5] = [(4, 4), (4, 32), (8, 8), (8, 16), (16, 8)];

struct Case {
    name: &'static str,
    d: usize,
    m: usize,
    points: Vec<f32>,
    values: Vec<f32>,
}

impl Case {
    fn new(name: &'static str, (n, d, m): (usize, usize, usize), seed: u64) -> Self {
        let mut noise = Noise(seed);
        Self { name, d, m, points: noise.values(n * d), values: noise.values(n * m) }
    }

    fn map(mut self, point: impl Fn(usize, f32) -> f32, value: impl Fn(f32) -> f32) -> Self {
        let d = self.d;
        self.points.iter_mut().enumerate().for_each(|(at, x)| *x = point(at % d, *x));
        self.values.iter_mut().for_each(|v| *v = value(*v));
        self
    }

    fn rows(&self) -> usize {
        self.points.len() / self.d
    }

    /// n times the largest of a column, and the largest of an output.
    fn units(&self) -> ProductUnits {
        let largest = |values: &[f32], width: usize, at: usize| {
            values.iter().skip(at).step_by(width).fold(0.0_f64, |a, b| a.max(f64::from(b.abs())))
        };
        let n = self.rows() as f64;
        let columns: Vec<f64> = (0..self.d).map(|at| n * largest(&self.points, self.d, at)).collect();
        let outputs: Vec<f64> = (0..self.m).map(|at| largest(&self.values, self.m, at)).collect();
        ProductUnits::plan(&columns, &outputs).unwrap()
    }

    /// The sums of blocks, each in f64, rounded and added as wide integers; and the sums of the magnitudes.
    fn oracle(&self) -> (Vec<i128>, Vec<f64>) {
        let units = self.units();
        let (mut sums, mut magnitudes) = (vec![0_i128; self.d * self.m], vec![0.0; self.d * self.m]);
        for (points, values) in
            self.points.chunks(PRODUCT_BLOCK * self.d).zip(self.values.chunks(PRODUCT_BLOCK * self.m))
        {
            for column in 0..self.d {
                for output in 0..self.m {
                    let x = points.iter().skip(column).step_by(self.d);
                    let v = values.iter().skip(output).step_by(self.m);
                    let terms: Vec<f64> = x.zip(v).map(|(x, v)| f64::from(*x) * f64::from(*v)).collect();
                    let exponent = units.columns()[column] + units.outputs()[output];
                    let scaled = terms.iter().fold(0.0, |sum, term| sum + term) * 2f64.powi(exponent);
                    sums[column * self.m + output] += scaled.round_ties_even() as i128;
                    magnitudes[column * self.m + output] += terms.iter().map(|term| term.abs()).sum::<f64>();
                }
            }
        }
        (sums, magnitudes)
    }

    fn twin(&self) -> Vec<i64> {
        let mut sums = ProductSums::new(self.units());
        sums.add(&self.points, &self.values).unwrap();
        sums.into_units().into_iter().collect()
    }

    fn run(&self, device: &GpuDevice, (across, down): (usize, usize), teams: usize, start: &[i64]) -> Vec<i64> {
        let units = self.units();
        let tiles = self.d.div_ceil(8 * down) * self.m.div_ceil(4 * across);
        let launch = Launch::new(device, "sum_products")
            .constant("DIMENSIONS", self.d as u32)
            .constant("OUTPUTS", self.m as u32)
            .constant("ACROSS", across as u32)
            .constant("DOWN", down as u32)
            .bind("points", &self.points)
            .shape("points_shape", self.rows(), self.d)
            .bind("values", &self.values)
            .bind("column_exponents", units.columns())
            .bind("value_exponents", units.outputs())
            .bind("sums", start);
        launch.run(tiles * teams);
        launch.read("sums")
    }

    fn check(&self, found: &[i64], case: &str) {
        let (expected, magnitudes) = self.oracle();
        let (units, n) = (self.units(), self.rows());
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let (column, output) = (at / self.m, at % self.m);
            let unit = 2f64.powi(-units.columns()[column] - units.outputs()[output]);
            let off = (i128::from(*found) - expected) as f64 * unit;
            // A block's sum rounds up to 255 times, its products once; 2⁻¹²⁶ may be flushed.
            let allowed = magnitudes[at] * 256.0 * 2f64.powi(-24) + n.div_ceil(256) as f64 * unit + n as f64 * 1.2e-38;
            assert!(off.abs() <= allowed, "{}, {case}: off by {off} at {column}, {output}", self.name);
        }
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new("one row of one column", (1, 1, 1), 1),
        Case::new("a block and a row", (257, 3, 2), 2),
        Case::new("several tiles each way", (300, 70, 67), 3),
        Case::new("a column", (5000, 1, 9), 4),
        Case::new("an output", (1537, 40, 1), 5),
        Case::new("one workgroup's tile", (512, 64, 64), 6),
        Case::new("far from zero", (700, 5, 4), 7).map(|_, x| 1e4 + x, |v| v),
        Case::new("columns of all sizes", (700, 6, 3), 8)
            .map(|column, x| x * [1.0, 1e-12, 1e12, 0.0, 1e-30, 1.0][column], |v| v * 1e3),
        Case::new("many columns of all sizes", (300, 75, 5), 12)
            .map(|column, x| x * [1.0, 1e-12, 1e9, 1e4, 1e-20, 3.0, 1e-3][column % 7], |v| v),
        Case::new("all rows equal", (1000, 4, 4), 9).map(|_, _| 0.3, |_| -0.7),
    ]
}

#[test]
fn is_within_the_rounding_of_its_blocks_wherever_it_gathers() {
    on_every_adapter(|device| {
        for case in cases() {
            let twin = case.twin();
            let expected: Vec<i64> = case.oracle().0.into_iter().map(|sum| i64::try_from(sum).unwrap()).collect();
            assert_eq!(twin, expected, "{}, the twin", case.name);
            let zeros = vec![0; twin.len()];
            for shape in WORKGROUPS {
                let one = case.run(device, shape, 1, &zeros);
                case.check(&one, &format!("{shape:?}"));
                assert_eq!(case.run(device, shape, 5, &zeros), one, "{}, {shape:?}, 5 teams", case.name);
            }
        }
    });
}

#[test]
fn is_exact_where_f32_is_and_adds_to_what_is_there_with_carries_and_borrows() {
    on_every_adapter(|device| {
        // Integers up to 8: a block's sums are below 2²⁴.
        let whole = |value: f32| (value * 8.0).round();
        let case = Case::new("integers", (2000, 9, 5), 10).map(|_, x| whole(x), whole);
        let units = case.units();
        let mut exact = vec![0_i128; 9 * 5];
        for (x, v) in case.points.chunks(9).zip(case.values.chunks(5)) {
            (0..45).for_each(|at| exact[at] += i128::from(x[at / 5] as i64 * v[at % 5] as i64));
        }
        let start: Vec<i64> = (0..45).map(|at| [0xffff_ffff, -1, -0x1_0000_0000, 1 << 60, 0][at % 5]).collect();
        let expected: Vec<i128> = (0..45)
            .map(|at| (exact[at] << (units.columns()[at / 5] + units.outputs()[at % 5])) + i128::from(start[at]))
            .collect();
        for shape in WORKGROUPS {
            let found = case.run(device, shape, 3, &start);
            assert_eq!(found.into_iter().map(i128::from).collect::<Vec<_>>(), expected, "{shape:?}");
        }
        let twin = case.twin();
        let expected: Vec<i64> = expected.iter().zip(&start).map(|(sum, start)| *sum as i64 - start).collect();
        assert_eq!(twin, expected, "the twin");
    });
}

#[test]
fn the_twin_has_the_same_bits_however_blocks_are_shared_out() {
    let case = Case::new("shared out", (3000, 13, 6), 11);
    let whole = case.twin();
    for cut in [256, 1024, 2816] {
        let (mut left, mut right) = (ProductSums::new(case.units()), ProductSums::new(case.units()));
        left.add(&case.points[..cut * 13], &case.values[..cut * 6]).unwrap();
        right.add(&case.points[cut * 13..], &case.values[cut * 6..]).unwrap();
        right.merge(&left).unwrap();
        assert_eq!(right.into_units().into_iter().collect::<Vec<_>>(), whole, "cut at {cut}");
    }
}

#[test]
fn units_hold_what_they_are_planned_for_and_refuse_what_no_device_could_scale() {
    for bound in [1e-300, 1e-30, 1.0, 3.0, 2f64.powi(60), 7e22] {
        let units = ProductUnits::plan(&[bound], &[bound]).unwrap();
        let largest = units.count(0, 0, bound * bound);
        assert!(largest.unsigned_abs() <= 1 << 61, "{bound}: {largest}");
        assert!(bound < 1e-10 || largest >= 1 << 59, "{bound}: {largest}");
    }
    for bound in [-1.0, f64::NAN, f64::INFINITY, 1e24] {
        assert!(ProductUnits::plan(&[bound], &[1.0]).is_err() && ProductUnits::plan(&[1.0], &[bound]).is_err());
    }
}

#[test]
fn the_twin_refuses_what_does_not_fit() {
    let units = ProductUnits::plan(&[1.0, 1.0], &[1.0]).unwrap();
    let mut sums = ProductSums::new(units.clone());
    assert!(sums.add(&[1.0; 4], &[1.0; 3]).is_err());
    assert!(sums.merge(&ProductSums::new(ProductUnits::plan(&[1.0, 2.0], &[1.0]).unwrap())).is_err());
    assert!(units.values(&ndarray::Array2::zeros((1, 2))).is_err());
}
