//! The shares of the components in rows, and how likely these are.

use crate::launch::on_every_adapter;
use crate::mixtures::{SHAPES, launch, shape, values};
use crate::oracle::Noise;
use superstep::backend::cpu::{MixtureShape, responsibilities};

const FAR: f64 = 137_438_953_472.0;

/// Log-densities of a row in f64.
fn densities(row: &[f32], offsets: &[f32], d: usize) -> Vec<f64> {
    let squares = |values: &[f32]| values.iter().map(|value| f64::from(*value).clamp(-FAR, FAR).powi(2)).sum::<f64>();
    let density = |(values, offset): (&[f32], &f32)| f64::from(*offset) - (0.5 * squares(&values[..d])).min(FAR * FAR);
    row.chunks_exact(d + 1).zip(offsets).map(density).collect()
}

struct Answer {
    shares: Vec<f32>,
    values: Vec<f32>,
}

/// Checks all of it against f64; `relative` is how much of a log-density, and of a value, may be rounded.
fn check(
    case: &str,
    before: &[f32],
    offsets: &[f32],
    shape: MixtureShape,
    weigh: bool,
    answer: &Answer,
    relative: f64,
) {
    let MixtureShape { components: k, dimensions: d } = shape;
    let m = shape.outputs();
    for (row, before) in before.chunks(m).enumerate() {
        let densities = densities(before, offsets, d);
        let largest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = densities.iter().map(|density| (density - largest).exp()).sum();
        let (shares, after) = (&answer.shares[row * k..][..k], &answer.values[row * m..][..m]);
        let likelihood = largest + sum.ln();
        // A log-density is as exact as its squares; a share errs by what the densities do, relative to itself.
        let off = relative * (1.0 + largest.abs());
        let found = f64::from(after[m - 1]);
        assert!((found - likelihood).abs() <= off, "{case}, row {row}: {found} is not {likelihood}");
        for (component, (share, density)) in shares.iter().zip(&densities).enumerate() {
            let expected = (density - largest).exp() / sum;
            let off = expected * (relative * (2.0 + density.abs() + largest.abs())).min(1.0) + 1e-37;
            assert!((f64::from(*share) - expected).abs() <= off, "{case}, {row}, {component}: {share} not {expected}");
            for i in 0..=d {
                let at = component * (d + 1) + i;
                let value = f64::from(before[at]);
                let expected = if weigh { value.clamp(-FAR, FAR) * f64::from(*share) } else { value };
                let off = (f64::from(after[at]) - expected).abs();
                assert!(off <= 2e-7 * expected.abs() + 1e-37, "{case}, {row}, {at}: {} not {expected}", after[at]);
            }
        }
        let total: f64 = shares.iter().map(|share| f64::from(*share)).sum();
        assert!((total - 1.0).abs() < 1e-6 * (k as f64).sqrt(), "{case}, row {row}: shares add up to {total}");
    }
}

#[test]
fn equals_f64_for_every_shape_weighed_or_not() {
    on_every_adapter(|device| {
        for (at, case) in SHAPES.into_iter().enumerate() {
            let (n, k, shape) = (case.0, case.2, shape(case));
            for (size, weigh) in [(1.0, true), (1.0, false), (30.0, true), (0.0, true), (1e15, true)] {
                let mut noise = Noise(100 + at as u64);
                let before = values(&mut noise, n, shape, size);
                let offsets: Vec<f32> = noise.values(k).into_iter().map(|value| 5.0 * value).collect();
                let name = format!("{case:?}, {size}, weigh {weigh}");

                let mut twin = Answer { shares: vec![f32::NAN; n * k], values: before.clone() };
                responsibilities(shape, &offsets, weigh, &mut twin.values, &mut twin.shares).unwrap();
                check(&format!("{name}, the twin"), &before, &offsets, shape, weigh, &twin, 1.2e-7);

                let launch = launch(device, "responsibilities", n, shape)
                    .constant("WEIGH", u8::from(weigh))
                    .bind("values", &before)
                    .bind("offsets", &offsets)
                    .bind("shares", &vec![f32::NAN; n * k]);
                launch.run(n.div_ceil(16));
                let found = Answer { shares: launch.read("shares"), values: launch.read("values") };
                let relative = (shape.dimensions as f64 + 8.0) * 2f64.powi(-23);
                check(&name, &before, &offsets, shape, weigh, &found, relative);
            }
        }
    });
}

#[test]
fn a_row_far_from_all_components_is_shared_out_all_the_same() {
    let shape = MixtureShape { components: 3, dimensions: 2 };
    let before = [1e30_f32, 0.0, 1.0, -1e30, 1.0, 1.0, 1e30, 1e30, 1.0, 0.0];
    let mut twin = Answer { shares: vec![0.0; 3], values: before.to_vec() };
    responsibilities(shape, &[0.0; 3], true, &mut twin.values, &mut twin.shares).unwrap();
    assert!(twin.shares.iter().all(|share| share.is_finite()) && twin.values.iter().all(|value| value.is_finite()));
    assert!(twin.shares[..2] == [0.5, 0.5] || twin.shares[..2] == [1.0, 0.0], "{:?}", twin.shares);
    on_every_adapter(|device| {
        let launch = launch(device, "responsibilities", 1, shape)
            .constant("WEIGH", 1)
            .bind("values", &before)
            .bind("offsets", &[0.0_f32; 3])
            .bind("shares", &[f32::NAN; 3]);
        launch.run(1);
        let (shares, values): (Vec<f32>, Vec<f32>) = (launch.read("shares"), launch.read("values"));
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{shares:?}");
        assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
    });
}

#[test]
fn the_twin_refuses_what_does_not_fit() {
    let shape = MixtureShape { components: 2, dimensions: 1 };
    for (values, shares, offsets) in [(4, 2, 2), (5, 3, 2), (5, 2, 1)] {
        let (mut values, mut shares) = (vec![0.0; values], vec![0.0; shares]);
        assert!(responsibilities(shape, &vec![0.0; offsets], true, &mut values, &mut shares).is_err());
    }
}
