//! Small matrices in f64: what algorithms do on the host with what their supersteps have summed.
//!
//! `nalgebra` does the work; `ndarray` stays the type at every border.

use crate::{Error, Result};
pub(super) use nalgebra::DMatrix;
use nalgebra::SymmetricEigen;
use ndarray::Array2;

/// Sweeps after which an eigenvalue problem is given up: a few for each eigenvalue are usual.
const MOST_SWEEPS: usize = 100;

/// The same matrix for `nalgebra`.
pub(super) fn dense(matrix: &Array2<f64>) -> DMatrix<f64> {
    DMatrix::from_row_iterator(matrix.nrows(), matrix.ncols(), matrix.iter().copied())
}

/// The same matrix for `ndarray`.
pub(super) fn array(matrix: &DMatrix<f64>) -> Array2<f64> {
    Array2::from_shape_fn(matrix.shape(), |at| matrix[at])
}

/// Columns of length 1, at right angles, that span what those of a matrix do, each with those before it: Q of its QR
/// factorisation by Householder's reflections. Columns that add nothing are replaced by some that do. There are at most as many
/// columns as rows.
pub(super) fn orthonormal(columns: DMatrix<f64>) -> DMatrix<f64> {
    columns.qr().q()
}

/// The eigenvalues of a symmetric matrix, the largest first, and their eigenvectors, one a column. Of the matrix the mean with its
/// transpose is taken.
///
/// # Errors
/// When it holds values that are not finite.
pub(super) fn symmetric_eigen(matrix: &DMatrix<f64>) -> Result<(Vec<f64>, DMatrix<f64>)> {
    let failed = || Error::parameter("eigenvalues", "they could not be found: some values are no finite numbers");
    if matrix.iter().any(|value| !value.is_finite()) {
        return Err(failed());
    }
    let symmetric = (matrix + matrix.transpose()) * 0.5;
    let sweeps = MOST_SWEEPS * matrix.nrows().max(1);
    let eigen = SymmetricEigen::try_new(symmetric, f64::EPSILON, sweeps).ok_or_else(failed)?;
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let values = order.iter().map(|&at| eigen.eigenvalues[at]).collect();
    Ok((values, eigen.eigenvectors.select_columns(&order)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_orthonormal(columns: &DMatrix<f64>) {
        let off = (columns.tr_mul(columns) - DMatrix::identity(columns.ncols(), columns.ncols())).amax();
        assert!(off < 1e-14, "off by {off}");
    }

    #[test]
    fn columns_that_add_nothing_are_replaced() {
        let zero = DMatrix::<f64>::zeros(5, 3);
        assert_orthonormal(&orthonormal(zero));
        let twice = DMatrix::from_fn(5, 3, |row, column| if column == 2 { 1.0 } else { (row + 1) as f64 });
        assert_orthonormal(&orthonormal(twice));
        assert_orthonormal(&orthonormal(DMatrix::from_element(4, 4, 1e-200)));
    }

    #[test]
    fn eigenvalues_come_sorted_with_their_vectors() {
        let matrix = DMatrix::from_row_slice(3, 3, &[2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, -5.0]);
        let (values, vectors) = symmetric_eigen(&matrix).expect("finite");
        for (found, known) in values.iter().zip([3.0, 1.0, -5.0]) {
            assert!((found - known).abs() < 1e-14, "{values:?}");
        }
        assert_orthonormal(&vectors);
        let residual = &matrix * &vectors - &vectors * DMatrix::from_diagonal(&values.into());
        assert!(residual.amax() < 1e-14);
        assert!(symmetric_eigen(&DMatrix::from_element(2, 2, f64::NAN)).is_err());
    }
}
