//! The parameters of a mixture, and the density of rows under them in f64.

use crate::algorithms::dense::{DMatrix, array, dense};
use crate::{Error, Result};
use ndarray::{Array2, Array3, ArrayView1, Axis};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// Which shape the covariances of the components may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CovarianceType {
    /// Any: each component has a matrix of its own.
    #[default]
    Full,
    /// Along the axes: each component has a variance of its own for each column.
    Diagonal,
}

impl fmt::Display for CovarianceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Diagonal => "diag",
        })
    }
}

impl FromStr for CovarianceType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "full" => Ok(Self::Full),
            "diag" => Ok(Self::Diagonal),
            _ => Err(Error::parameter("covariance", format!("`{name}` is no shape of covariances; full and diag are"))),
        }
    }
}

/// A matrix for each component: all of it, or its diagonal.
#[derive(Debug, Clone, PartialEq)]
pub enum Matrices {
    /// k × d × d.
    Full(Array3<f64>),
    /// k × d.
    Diagonal(Array2<f64>),
}

impl Matrices {
    /// The shape of covariances that such matrices are.
    pub fn covariance_type(&self) -> CovarianceType {
        match self {
            Self::Full(_) => CovarianceType::Full,
            Self::Diagonal(_) => CovarianceType::Diagonal,
        }
    }

    /// The number of components and of columns; `None` where a matrix is not square.
    pub(super) fn shape(&self) -> Option<(usize, usize)> {
        match self {
            Self::Full(matrices) => {
                let (k, d, columns) = matrices.dim();
                (d == columns).then_some((k, d))
            }
            Self::Diagonal(diagonals) => Some(diagonals.dim()),
        }
    }

    pub(super) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Full(matrices) => Self::Full(matrices.mapv(change)),
            Self::Diagonal(diagonals) => Self::Diagonal(diagonals.mapv(change)),
        }
    }

    pub(super) fn is_finite(&self) -> bool {
        match self {
            Self::Full(matrices) => matrices.iter().all(|value| value.is_finite()),
            Self::Diagonal(diagonals) => diagonals.iter().all(|value| value.is_finite()),
        }
    }
}

/// Weights, means and covariances of k components of d dimensions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mixture {
    pub(super) weights: Vec<f64>,
    /// k × d.
    pub(super) means: Array2<f64>,
    pub(super) covariances: Matrices,
    /// Upper triangular U with U·Uᵀ the inverse of the covariance; of a diagonal one the inverse standard deviations.
    pub(super) roots: Matrices,
}

impl Mixture {
    /// The mixture with these parameters.
    ///
    /// # Errors
    /// When a covariance is not positive definite.
    pub(super) fn new(weights: Vec<f64>, means: Array2<f64>, covariances: Matrices) -> Result<Self> {
        let roots = match &covariances {
            Matrices::Full(matrices) => {
                let mut roots = Array3::zeros(matrices.dim());
                for (mut root, matrix) in roots.outer_iter_mut().zip(matrices.outer_iter()) {
                    root.assign(&root_of_inverse(&dense(&matrix.to_owned())).ok_or_else(ill_defined)?);
                }
                Matrices::Full(roots)
            }
            Matrices::Diagonal(diagonals) => {
                if diagonals.iter().any(|variance| *variance <= 0.0) {
                    return Err(ill_defined());
                }
                Matrices::Diagonal(diagonals.mapv(|variance| variance.sqrt().recip()))
            }
        };
        if !roots.is_finite() || !means.iter().chain(&weights).all(|value| value.is_finite()) {
            return Err(ill_defined());
        }
        Ok(Self { weights, means, covariances, roots })
    }

    pub(super) fn components(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn columns(&self) -> usize {
        self.means.ncols()
    }

    /// The mixture of the rows less `origin`, times `scale`, a power of two.
    pub(super) fn moved_to(&self, origin: &[f64], scale: f64) -> Self {
        let origin = ArrayView1::from(origin);
        Self {
            weights: self.weights.clone(),
            means: (&self.means - &origin) * scale,
            covariances: self.covariances.map(|value| value * scale * scale),
            roots: self.roots.map(|value| value / scale),
        }
    }

    /// The way back.
    pub(super) fn moved_from(&self, origin: &[f64], scale: f64) -> Self {
        let origin = ArrayView1::from(origin);
        Self {
            weights: self.weights.clone(),
            means: &self.means / scale + origin,
            covariances: self.covariances.map(|value| value / scale / scale),
            roots: self.roots.map(|value| value * scale),
        }
    }

    /// The log of each component's weight times its density at its mean.
    pub(super) fn offsets(&self) -> Vec<f64> {
        let determinants = match &self.roots {
            Matrices::Full(roots) => roots
                .outer_iter()
                .map(|root| root.diag().iter().map(|value| value.ln()).sum::<f64>())
                .collect::<Vec<_>>(),
            Matrices::Diagonal(roots) => {
                roots.outer_iter().map(|root| root.iter().map(|value| value.ln()).sum()).collect()
            }
        };
        let normal = 0.5 * self.columns() as f64 * (2.0 * PI).ln();
        self.weights.iter().zip(determinants).map(|(weight, determinant)| weight.ln() + determinant - normal).collect()
    }

    /// The log of each component's weight times its density at a row, of which `offsets` are known; `less` has room for a row.
    pub(super) fn log_densities(&self, row: &[f64], offsets: &[f64], less: &mut [f64], out: &mut [f64]) {
        for (component, (out, offset)) in out.iter_mut().zip(offsets).enumerate() {
            let mean = self.means.row(component);
            less.iter_mut().zip(row.iter().zip(&mean)).for_each(|(less, (x, mean))| *less = x - mean);
            let squares: f64 = match &self.roots {
                Matrices::Full(roots) => {
                    let root = roots.index_axis(Axis(0), component);
                    let whitened = |(column, _): (usize, &f64)| -> f64 {
                        less[..=column].iter().zip(root.column(column)).map(|(x, u)| x * u).sum()
                    };
                    less.iter().enumerate().map(whitened).map(|value| value * value).sum()
                }
                Matrices::Diagonal(roots) => {
                    less.iter().zip(roots.row(component)).map(|(x, u)| x * u).map(|value| value * value).sum()
                }
            };
            *out = offset - 0.5 * squares;
        }
    }
}

/// Upper triangular U with `U·Uᵀ` the inverse of a symmetric matrix; none where that is not positive definite.
fn root_of_inverse(matrix: &DMatrix<f64>) -> Option<Array2<f64>> {
    let lower = matrix.clone().cholesky()?.l();
    let inverse = lower.solve_lower_triangular(&DMatrix::identity(matrix.nrows(), matrix.nrows()))?;
    Some(array(&inverse.transpose()))
}

/// The log of the sum of what the values are the logs of.
pub(super) fn log_sum(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}

/// What scikit-learn says as well.
pub(super) fn ill_defined() -> Error {
    Error::parameter(
        "reg_covar",
        "some components have ill-defined covariances (of one row, or of rows that are equal or in one plane): take fewer \
         components, increase reg_covar, or scale the rows",
    )
}
