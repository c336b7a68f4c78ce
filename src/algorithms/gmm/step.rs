//! What the kernels are told of a mixture: whitening as a matrix, offsets, and the units of the round's sums.

use super::mixture::{CovarianceType, Matrices, Mixture};
use crate::Result;
use crate::algorithms::centred::Centred;
use crate::backend::cpu::{MixtureShape, ProductUnits};
use crate::data::RowSource;
use ndarray::{Array2, Array3, s};

/// Kernels take whitened values as within ± this, and half the sum of their squares as at most its square.
const FAR: f64 = 137_438_953_472.0;

/// What rounding to f32 may add to a bound.
const ROUNDING: f64 = 1.0 + 1e-5;

/// How steep densities are from which k-means labels are read: two centroids whose squared distances differ by 10⁻⁹ of the
/// largest value's square are told apart. Ties go to the first centroid: the log-densities of each are this much below those of the one before.
const STEEP: f64 = 1_048_576.0;
const TIE: f64 = 30.0;

/// The rows as kernels see them, and which mixture is sought.
#[derive(Debug, Clone)]
pub(super) struct Space {
    pub(super) shape: MixtureShape,
    pub(super) covariance: CovarianceType,
    pub(super) rows: u64,
    /// The largest magnitude in each column.
    largest: Vec<f64>,
}

/// One round's.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Full: (d + 1) × m; what is under the ones is `BIAS`'s. Diagonal: 2 × m, means and inverse deviations.
    pub(super) matrix: Array2<f32>,
    /// m; of a diagonal mixture one that is not used.
    pub(super) bias: Vec<f32>,
    /// Less the largest of them, `base`.
    pub(super) offsets: Vec<f32>,
    pub(super) base: f64,
    pub(super) units: ProductUnits,
}

impl Space {
    pub(super) fn new(centred: &Centred, components: usize, covariance: CovarianceType) -> Self {
        let shape = MixtureShape { components, dimensions: centred.columns() };
        Self { shape, covariance, rows: centred.rows(), largest: centred.largest() }
    }

    /// The columns of sums and the outputs of each.
    pub(super) fn sums(&self) -> (usize, usize) {
        match self.covariance {
            CovarianceType::Full => (self.shape.dimensions + 1, self.shape.outputs()),
            CovarianceType::Diagonal => (1, 2 * self.shape.outputs()),
        }
    }

    /// The shape of the matrix, and the length of the bias.
    pub(super) fn whitening_shapes(&self) -> ([usize; 2], usize) {
        let m = self.shape.outputs();
        match self.covariance {
            CovarianceType::Full => ([self.shape.dimensions + 1, m], m),
            CovarianceType::Diagonal => ([2, m], 1),
        }
    }

    /// The step of a mixture.
    ///
    /// # Errors
    /// When there are too many rows for the units of sums.
    pub(super) fn step(&self, mixture: &Mixture) -> Result<Step> {
        self.whitening(&mixture.means, &mixture.roots, &mixture.offsets())
    }

    /// A step in which each row is all of the nearest centroid's: the E step that k-means does.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub(super) fn nearest(&self, centroids: &Array2<f64>) -> Result<Step> {
        let (k, d) = centroids.dim();
        let roots = match self.covariance {
            CovarianceType::Full => {
                Matrices::Full(Array3::from_shape_fn((k, d, d), |(_, i, j)| if i == j { STEEP } else { 0.0 }))
            }
            CovarianceType::Diagonal => Matrices::Diagonal(Array2::from_elem((k, d), STEEP)),
        };
        let offsets: Vec<f64> = (0..k).map(|component| -TIE * component as f64).collect();
        self.whitening(centroids, &roots, &offsets)
    }

    fn whitening(&self, means: &Array2<f64>, roots: &Matrices, offsets: &[f64]) -> Result<Step> {
        let (matrix, bias) = match roots {
            Matrices::Full(roots) => self.full(means, roots),
            Matrices::Diagonal(roots) => (self.diagonal(means, roots), vec![0.0]),
        };
        let base = offsets.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let offsets: Vec<f32> = offsets.iter().map(|offset| (offset - base) as f32).collect();
        let units = self.units(&matrix, &bias, &offsets)?;
        Ok(Step { matrix, bias, offsets, base, units })
    }

    /// Of each component its root and `−mean·root`; a column of ones; and after all nothing.
    fn full(&self, means: &Array2<f64>, roots: &Array3<f64>) -> (Array2<f32>, Vec<f32>) {
        let (d, m) = (self.shape.dimensions, self.shape.outputs());
        let (mut matrix, mut bias) = (Array2::zeros((d + 1, m)), vec![0.0; m]);
        for (component, (mean, root)) in means.outer_iter().zip(roots.outer_iter()).enumerate() {
            let first = component * (d + 1);
            matrix.slice_mut(s![..d, first..first + d]).assign(&root.mapv(|value| value as f32));
            let moved = mean.dot(&root);
            bias[first..first + d].iter_mut().zip(&moved).for_each(|(bias, moved)| *bias = -moved as f32);
            bias[first + d] = 1.0;
        }
        (matrix, bias)
    }

    fn diagonal(&self, means: &Array2<f64>, roots: &Array2<f64>) -> Array2<f32> {
        let (d, m) = (self.shape.dimensions, self.shape.outputs());
        let mut matrix = Array2::zeros((2, m));
        for (row, values) in [means, roots].into_iter().enumerate() {
            for (component, values) in values.outer_iter().enumerate() {
                let first = component * (d + 1);
                matrix.slice_mut(s![row, first..first + d]).assign(&values.mapv(|value| value as f32));
            }
        }
        matrix
    }

    /// No share is above 1, so a sum is at most the number of rows times the largest of each factor.
    fn units(&self, matrix: &Array2<f32>, bias: &[f32], offsets: &[f32]) -> Result<ProductUnits> {
        let d = self.shape.dimensions;
        let mut values = self.largest_values(matrix, bias);
        let squares = |component: usize| -> f64 {
            let of_component = &values[component * (d + 1)..][..d];
            of_component.iter().map(|value| value * value).sum::<f64>()
        };
        let below = |(component, offset): (usize, &f32)| {
            (0.5 * squares(component)).min(FAR * FAR) * ROUNDING - f64::from(*offset)
        };
        // A row is at least as likely as under the component that is nearest even to the farthest rows.
        let lowest = offsets.iter().enumerate().map(below).fold(f64::INFINITY, f64::min);
        values.push(lowest.max((self.shape.components as f64).ln()) + 1.0);
        let rows = self.rows as f64;
        match self.covariance {
            CovarianceType::Full => {
                let columns: Vec<f64> = self.largest.iter().chain([&1.0]).map(|largest| rows * largest).collect();
                ProductUnits::plan(&columns, &values)
            }
            CovarianceType::Diagonal => {
                let squares: Vec<f64> = values.iter().map(|value| (value * value).min(FAR * FAR)).collect();
                ProductUnits::plan(&[rows], &[values, squares].concat())
            }
        }
    }

    /// The largest whitened values there can be, component by component, each with its 1.
    fn largest_values(&self, matrix: &Array2<f32>, bias: &[f32]) -> Vec<f64> {
        let d = self.shape.dimensions;
        let largest = |output: usize| {
            let column = output % (d + 1);
            if column == d {
                return 1.0;
            }
            let magnitude = |row: usize| f64::from(matrix[(row, output)].abs());
            let value = match self.covariance {
                CovarianceType::Full => {
                    let sum: f64 = self.largest.iter().enumerate().map(|(row, largest)| largest * magnitude(row)).sum();
                    sum + f64::from(bias[output].abs())
                }
                CovarianceType::Diagonal => (self.largest[column] + magnitude(0)) * magnitude(1),
            };
            (value * ROUNDING).min(FAR)
        };
        (0..self.shape.outputs() - 1).map(largest).collect()
    }
}
