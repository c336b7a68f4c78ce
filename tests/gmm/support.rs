//! Sessions to run on, and rows in heaps.

use crate::numbers::number;
pub(crate) use crate::sessions::{alone, cpu, named, on_every_device, session, together};
#[cfg(feature = "gpu")]
pub(crate) use crate::sessions::{assert_told_of_a_loss, takeable};
pub(crate) use crate::stored::{Stored, narrow};
use ndarray::{Array2, Array3};
use superstep::algorithms::gmm::Matrices;
use superstep::{GaussianMixture, GaussianMixtureModel, MixtureInit};

/// n rows of d columns in k heaps that touch, `at` from zero: a row is one of k centres and a sum of four numbers.
pub(crate) fn heaps(n: usize, d: usize, k: usize, at: f64) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(row, column)| {
        let heap = (number((1 << 50) + row as u64).abs() * k as f64) as u64;
        let centre = 4.0 * number((1 << 40) + heap * d as u64 + column as u64);
        let spread = 0.3 + 0.2 * heap as f64;
        let at_row = ((row * d + column) * 4) as u64;
        at + centre + spread * (0..4).map(|part| number(at_row + part)).sum::<f64>()
    })
}

/// A mixture that begins with k of the rows as means.
pub(crate) fn from_rows(rows: &Array2<f32>, k: usize, full: bool) -> GaussianMixture {
    let d = rows.ncols();
    let means = Array2::from_shape_fn((k, d), |(component, column)| f64::from(rows[(component * 7, column)]));
    let covariances = if full {
        Matrices::Full(Array3::from_shape_fn((k, d, d), |(_, i, j)| if i == j { 2.0 } else { 0.1 }))
    } else {
        Matrices::Diagonal(Array2::from_elem((k, d), 2.0))
    };
    let covariance = covariances.covariance_type();
    let init = MixtureInit::Given { weights: vec![1.0 / k as f64; k], means, covariances };
    GaussianMixture::new(k).covariance_type(covariance).init(init)
}

/// The values of matrices in their order.
pub(crate) fn values(matrices: &Matrices) -> Vec<f64> {
    match matrices {
        Matrices::Full(matrices) => matrices.iter().copied().collect(),
        Matrices::Diagonal(diagonals) => diagonals.iter().copied().collect(),
    }
}

/// Everything a fit says must be equal, to the bit.
pub(crate) fn assert_same(found: &GaussianMixtureModel, expected: &GaussianMixtureModel, case: &str) {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let means = |model: &GaussianMixtureModel| bits(&model.means().iter().copied().collect::<Vec<_>>());
    assert_eq!(bits(found.weights()), bits(expected.weights()), "{case}: weights");
    assert_eq!(means(found), means(expected), "{case}: means");
    let covariances = |model: &GaussianMixtureModel| bits(&values(model.covariances()));
    assert_eq!(covariances(found), covariances(expected), "{case}: covariances");
    assert_eq!(
        bits(&values(found.precisions_cholesky())),
        bits(&values(expected.precisions_cholesky())),
        "{case}: roots"
    );
    assert_eq!(found.lower_bound().to_bits(), expected.lower_bound().to_bits(), "{case}: lower bound");
    assert_eq!(found.trace(), expected.trace(), "{case}: trace");
    assert_eq!((found.converged(), found.iterations()), (expected.converged(), expected.iterations()), "{case}");
    assert_eq!((found.rows(), found.seed()), (expected.rows(), expected.seed()), "{case}");
}
