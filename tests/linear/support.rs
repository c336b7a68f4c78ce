//! Sessions to run on, rows with targets, and what must be equal of two fits.

use crate::numbers::number;
pub(crate) use crate::sessions::{alone, cpu, named, on_every_device, session, together};
#[cfg(feature = "gpu")]
pub(crate) use crate::sessions::{assert_told_of_a_loss, takeable};
use ndarray::Array2;
use superstep::{LinearRegressionModel, LogisticRegressionModel};

/// n rows of d columns, a number that follows from them but for noise, and one of `classes` that does.
pub(crate) fn table(n: usize, d: usize, classes: usize) -> (Array2<f32>, Vec<f32>, Vec<f32>) {
    let rows = Array2::from_shape_fn((n, d), |(row, column)| number((row * d + column) as u64) as f32);
    let value = |row: usize, of: usize| {
        let terms =
            rows.row(row).into_iter().enumerate().map(|(at, x)| f64::from(*x) * number(((of + 1) << 40 | at) as u64));
        terms.sum::<f64>() + 0.3 * number(((of + 1) << 50 | row) as u64)
    };
    let targets = (0..n).map(|row| value(row, 0) as f32 + 4.0).collect();
    let best = |row: usize| (0..classes).max_by(|a, b| value(row, *a).total_cmp(&value(row, *b))).expect("classes");
    let of = (0..n).map(|row| best(row) as f32).collect();
    (rows, targets, of)
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Everything a fit says must be equal, to the bit.
pub(crate) fn assert_same(found: &LogisticRegressionModel, expected: &LogisticRegressionModel, case: &str) {
    let coefficients = |model: &LogisticRegressionModel| bits(model.coefficients().as_slice().expect("row-major"));
    assert_eq!(coefficients(found), coefficients(expected), "{case}: coefficients");
    assert_eq!(bits(found.intercepts()), bits(expected.intercepts()), "{case}: intercepts");
    assert_eq!((found.classes(), found.trace()), (expected.classes(), expected.trace()), "{case}");
    assert_eq!((found.converged(), found.evaluations()), (expected.converged(), expected.evaluations()), "{case}");
}

/// The same of a regression.
pub(crate) fn assert_same_line(found: &LinearRegressionModel, expected: &LinearRegressionModel, case: &str) {
    assert_eq!(bits(found.coefficients()), bits(expected.coefficients()), "{case}: coefficients");
    assert_eq!(found.intercept().to_bits(), expected.intercept().to_bits(), "{case}: intercept");
    assert_eq!((found.trace(), found.converged()), (expected.trace(), expected.converged()), "{case}");
}
