//! Sessions to run on, and rows that vary more in some directions than in others.

use crate::numbers::number;
pub(crate) use crate::sessions::{alone, cpu, named, on_every_device, session, together};
#[cfg(feature = "gpu")]
pub(crate) use crate::sessions::{assert_told_of_a_loss, takeable};
pub(crate) use crate::stored::{Stored, narrow};
use ndarray::Array2;
use superstep::PcaModel;

/// n rows of d columns that lie `at` from zero: every column mixes d numbers, of which each counts `decay` times the one before.
pub(crate) fn spread(n: usize, d: usize, decay: f64, at: f64) -> Array2<f64> {
    let numbers = Array2::from_shape_fn((n, d), |(row, column)| {
        number((row * d + column) as u64) * decay.powi(i32::try_from(column).expect("few columns"))
    });
    let mix = Array2::from_shape_fn((d, d), |(row, column)| number((1 << 40) + (row * d + column) as u64));
    numbers.dot(&mix) + at
}

/// Everything a fit says must be equal, to the bit.
pub(crate) fn assert_same(found: &PcaModel, expected: &PcaModel, case: &str) {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let components = |model: &PcaModel| bits(model.components().as_slice().expect("row-major"));
    assert_eq!(components(found), components(expected), "{case}: components");
    assert_eq!(bits(found.explained_variance()), bits(expected.explained_variance()), "{case}: variances");
    assert_eq!(bits(found.mean()), bits(expected.mean()), "{case}: mean");
    assert_eq!(found.noise_variance().to_bits(), expected.noise_variance().to_bits(), "{case}: noise");
    assert_eq!(found.trace(), expected.trace(), "{case}: trace");
    assert_eq!((found.converged(), found.rows()), (expected.converged(), expected.rows()), "{case}");
}
