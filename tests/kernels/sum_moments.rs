//! Sums of values and of their squares by shares, in fixed point: within the rounding of a block; the same bits for any workgroups.

use crate::launch::on_every_adapter;
use crate::mixtures::{SHAPES, launch, shape, shares, values};
use crate::oracle::Noise;
use superstep::backend::cpu::{MixtureShape, MomentSums, PRODUCT_BLOCK, ProductUnits};
use superstep::backend::gpu::GpuDevice;

struct Case {
    n: usize,
    shape: MixtureShape,
    values: Vec<f32>,
    shares: Vec<f32>,
    units: ProductUnits,
}

impl Case {
    fn new(case: (usize, usize, usize), seed: u64) -> Self {
        let (mut noise, shape) = (Noise(seed), shape(case));
        let values = values(&mut noise, case.0, shape, 3.0);
        let shares = shares(&mut noise, case.0, case.2);
        let bounds: Vec<f64> =
            (0..2 * shape.outputs()).map(|at| if at < shape.outputs() { 8.0 } else { 64.0 }).collect();
        let units = ProductUnits::plan(&[case.0 as f64], &bounds).unwrap();
        Self { n: case.0, shape, values, shares, units }
    }

    /// The sums of blocks, each in f64, rounded and added as wide integers; and the sums of the magnitudes.
    fn oracle(&self) -> (Vec<i128>, Vec<f64>) {
        let (m, k, d) = (self.shape.outputs(), self.shape.components, self.shape.dimensions);
        let (mut sums, mut magnitudes) = (vec![0_i128; 2 * m], vec![0.0; 2 * m]);
        for (values, shares) in self.values.chunks(PRODUCT_BLOCK * m).zip(self.shares.chunks(PRODUCT_BLOCK * k)) {
            for at in 0..2 * m {
                let output = at % m;
                let term = |(values, shares): (&[f32], &[f32])| {
                    let value = f64::from(values[output]);
                    let share = if output + 1 == m { 1.0 } else { f64::from(shares[output / (d + 1)]) };
                    if at < m { share * value } else { share * value * value }
                };
                let terms: Vec<f64> = values.chunks(m).zip(shares.chunks(k)).map(term).collect();
                let scale = 2f64.powi(self.units.columns()[0] + self.units.outputs()[at]);
                sums[at] += (terms.iter().sum::<f64>() * scale).round_ties_even() as i128;
                magnitudes[at] += terms.iter().map(|term| term.abs()).sum::<f64>();
            }
        }
        (sums, magnitudes)
    }

    fn run(&self, device: &GpuDevice, teams: usize, start: &[i64]) -> Vec<i64> {
        let launch = launch(device, "sum_moments", self.n, self.shape)
            .constant("BITS", 0)
            .bind("values", &self.values)
            .bind("shares", &self.shares)
            .bind("column_exponents", self.units.columns())
            .bind("value_exponents", self.units.outputs())
            .bind("sums", start);
        launch.run(self.shape.outputs().div_ceil(64) * teams);
        launch.read("sums")
    }
}

#[test]
fn is_within_the_rounding_of_its_blocks_wherever_it_gathers() {
    on_every_adapter(|device| {
        for (seed, shape) in SHAPES.into_iter().enumerate() {
            let case = Case::new(shape, 40 + seed as u64);
            let (expected, magnitudes) = case.oracle();
            let mut twin = MomentSums::new(case.shape, case.units.clone()).unwrap();
            twin.add(&case.values, &case.shares).unwrap();
            for (at, (found, expected)) in twin.into_units().into_iter().zip(&expected).enumerate() {
                let off = case.units.value(0, at, i64::try_from(i128::from(found) - expected).unwrap());
                assert!(off.abs() <= 1e-13 * magnitudes[at], "{shape:?}, the twin, {at}: off by {off}");
            }
            let zeros = vec![0; expected.len()];
            let one = case.run(device, 1, &zeros);
            for (at, (found, expected)) in one.iter().zip(&expected).enumerate() {
                let off = case.units.value(0, at, i64::try_from(i128::from(*found) - expected).unwrap());
                let allowed = magnitudes[at] * 260.0 * 2f64.powi(-24);
                assert!(off.abs() <= allowed, "{shape:?}, {at}: off by {off} of {allowed}");
            }
            assert_eq!(case.run(device, 5, &zeros), one, "{shape:?}, 5 teams");
            // What is there is added to, with carries and borrows.
            let start: Vec<i64> =
                (0..zeros.len()).map(|at| [0xffff_ffff, -1, -0x1_0000_0000, 1 << 60][at % 4]).collect();
            let sums: Vec<i64> = one.iter().zip(&start).map(|(sum, start)| sum + start).collect();
            assert_eq!(case.run(device, 2, &start), sums, "{shape:?}, added");
        }
    });
}

#[test]
fn the_twin_has_the_same_bits_however_blocks_are_shared_out() {
    let case = Case::new((3000, 4, 3), 77);
    let (m, k) = (case.shape.outputs(), case.shape.components);
    let new = || MomentSums::new(case.shape, case.units.clone()).unwrap();
    let mut whole = new();
    whole.add(&case.values, &case.shares).unwrap();
    let whole = whole.into_units();
    for cut in [256, 1024, 2816] {
        let (mut left, mut right) = (new(), new());
        left.add(&case.values[..cut * m], &case.shares[..cut * k]).unwrap();
        right.add(&case.values[cut * m..], &case.shares[cut * k..]).unwrap();
        right.merge(&left).unwrap();
        assert_eq!(right.into_units(), whole, "cut at {cut}");
    }
}

#[test]
fn the_twin_refuses_what_does_not_fit() {
    let shape = MixtureShape { components: 1, dimensions: 1 };
    let units = |outputs: usize| ProductUnits::plan(&[1.0], &vec![1.0; outputs]).unwrap();
    assert!(MomentSums::new(shape, units(3)).is_err() && MomentSums::new(shape, units(7)).is_err());
    let mut sums = MomentSums::new(shape, units(6)).unwrap();
    assert!(sums.add(&[0.0; 4], &[0.0]).is_err() && sums.add(&[0.0; 3], &[0.0; 2]).is_err());
    let other = ProductUnits::plan(&[1.0], &[2.0; 6]).unwrap();
    assert!(sums.merge(&MomentSums::new(shape, other).unwrap()).is_err());
}
