//! The item of the host: the next parameters, from what the rows have summed to.
//!
//! Sums are of whitened rows `y = (x − μ)·U`, so moments are found about the mean that the round began with, in its own
//! deviations: what a narrow component far from the others has for a covariance does not cancel. With the share r of a row,
//! `n = Σ r`, and δ = Σ r·(x − μ) / n:
//!
//! - full: `Σ r·(x − μ)ᵀ(x − μ) = (Σ r·xᵀy − μᵀ·Σ r·y)·U⁻¹`, where the kernels have summed both on the left;
//! - diagonal: `Σ r·(x − μ)² = Σ r·y² / u²`;
//! - the mean is μ + δ, the covariance what that is divided by n, less `δᵀδ`, plus the regularisation.

use super::expect::OFFSETS;
use super::mixture::{CovarianceType, Matrices, Mixture, ill_defined};
use super::progress::Round;
use super::step::{Space, Step};
use crate::Result;
use crate::algorithms::dense::{DMatrix, array};
use crate::algorithms::products::{BIAS, COLUMN_EXPONENTS, MATRIX, SUMS, VALUE_EXPONENTS, units_of};
use crate::queue::{ComContext, ComputeFunction, Key, Object, Objects, ShapeRule};
use ndarray::{Array1, Array2, Array3, ArrayView1, Axis, s};
use rayon::prelude::*;

/// What the rounds have come to.
pub(super) const STATE: Key<State> = Key::new("state");

/// Rows that a component must have to move, in all: what it has less of is lost in the rounding of sums.
const LEAST_ROWS: f64 = 1e-6;

/// The parameters that were found last, in the space of the kernels.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// `None` before the first round.
    pub(super) mixture: Option<Mixture>,
    /// The largest offset of the round that runs; `None` where it takes labels of k-means, and no log-likelihood.
    pub(super) base: Option<f64>,
    pub(super) rounds: Vec<Round>,
}

impl Object for State {}

/// Takes the sums of a round, and puts the parameters of the next.
pub(super) struct Maximise {
    pub(super) space: Space,
    /// What is added to each variance, in the space of the kernels.
    pub(super) regularisation: f64,
    /// What a log-likelihood in the data's own units has more.
    pub(super) log_scale: f64,
}

impl ComputeFunction for Maximise {
    fn objects(&self) -> Objects {
        let (k, outputs) = (self.space.shape.components, self.space.sums().1);
        let (matrix, bias) = self.space.whitening_shapes();
        Objects::reads((SUMS, COLUMN_EXPONENTS))
            .updates((MATRIX, BIAS, OFFSETS, VALUE_EXPONENTS, STATE))
            .shape(MATRIX, ShapeRule::fixed(matrix))
            .shape(BIAS, ShapeRule::fixed([bias]))
            .shape(OFFSETS, ShapeRule::fixed([k]))
            .shape(VALUE_EXPONENTS, ShapeRule::fixed([outputs]))
            .once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let sums = units_of(cx)?.values(cx.get(SUMS)?)?;
        let mixture = self.mixture(&sums, cx.get(MATRIX)?, cx.get(BIAS)?)?;
        let mut state = cx.take(STATE)?;
        if let Some(base) = state.base {
            state.rounds.push(self.round(&sums, base, state.rounds.last()));
        }
        let Step { matrix, bias, offsets, base, units } = self.space.step(&mixture)?;
        state.base = Some(base);
        state.mixture = Some(mixture);
        cx.put(STATE, state)?;
        cx.put(MATRIX, matrix)?;
        cx.put(BIAS, bias)?;
        cx.put(OFFSETS, offsets)?;
        cx.put(VALUE_EXPONENTS, units.outputs().to_vec())
    }
}

/// What a component has come to.
struct Component {
    /// Its rows.
    mass: f64,
    mean: Array1<f64>,
    /// d × d, or 1 × d.
    covariance: Array2<f64>,
}

impl Maximise {
    fn round(&self, sums: &Array2<f64>, base: f64, before: Option<&Round>) -> Round {
        let (row, output) = (sums.nrows() - 1, self.space.shape.outputs() - 1);
        let lower_bound = sums[(row, output)] / self.space.rows as f64 + base + self.log_scale;
        Round {
            iteration: before.map_or(0, |before| before.iteration) + 1,
            lower_bound,
            change: before.map_or(f64::INFINITY, |before| lower_bound - before.lower_bound),
        }
    }

    fn mixture(&self, sums: &Array2<f64>, matrix: &Array2<f32>, bias: &[f32]) -> Result<Mixture> {
        let (k, d) = (self.space.shape.components, self.space.shape.dimensions);
        let one = |component: usize| match self.space.covariance {
            CovarianceType::Full => self.full(component, sums, matrix, bias),
            CovarianceType::Diagonal => Ok(self.diagonal(component, sums, matrix)),
        };
        let components = (0..k).into_par_iter().map(one).collect::<Result<Vec<Component>>>()?;
        let total: f64 = components.iter().map(|component| component.mass).sum();
        let weights = components.iter().map(|component| component.mass / total).collect();
        let mut means = Array2::zeros((k, d));
        means.outer_iter_mut().zip(&components).for_each(|(mut mean, component)| mean.assign(&component.mean));
        let covariances = match self.space.covariance {
            CovarianceType::Full => {
                let mut matrices = Array3::zeros((k, d, d));
                let each = matrices.outer_iter_mut().zip(&components);
                each.for_each(|(mut matrix, component)| matrix.assign(&component.covariance));
                Matrices::Full(matrices)
            }
            CovarianceType::Diagonal => {
                let mut diagonals = Array2::zeros((k, d));
                let each = diagonals.outer_iter_mut().zip(&components);
                each.for_each(|(mut diagonal, component)| diagonal.assign(&component.covariance.row(0)));
                Matrices::Diagonal(diagonals)
            }
        };
        Mixture::new(weights, means, covariances)
    }

    /// A component as the kernels had it is that of the rounded matrix and bias, so what is computed with these does not suffer
    /// from the rounding.
    fn full(&self, component: usize, sums: &Array2<f64>, matrix: &Array2<f32>, bias: &[f32]) -> Result<Component> {
        let d = self.space.shape.dimensions;
        let columns = component * (d + 1)..component * (d + 1) + d;
        let root = DMatrix::from_fn(d, d, |row, column| f64::from(matrix[(row, columns.start + column)]));
        // v ↦ v·U⁻¹, of each column of a matrix.
        let unwhiten = |rows: &DMatrix<f64>| root.tr_solve_upper_triangular(rows).ok_or_else(ill_defined);
        let mean = unwhiten(&DMatrix::from_fn(d, 1, |row, _| -f64::from(bias[columns.start + row])))?;
        let of_rows = sums.slice(s![.., columns.clone()]);
        let (products, whitened) = (of_rows.slice(s![..d, ..]), of_rows.row(d));
        let rows = sums[(d, columns.end)];
        let mass = mass(rows);
        if rows < LEAST_ROWS {
            return Ok(self.empty(mass, mean.iter().copied().collect()));
        }
        let shift = unwhiten(&DMatrix::from_fn(d, 1, |row, _| whitened[row] / mass))?;
        let moments = DMatrix::from_fn(d, d, |column, row| products[(row, column)] - mean[row] * whitened[column]);
        let moments = unwhiten(&moments)? / mass;
        let covariance = (&moments + moments.transpose()) * 0.5 - &shift * shift.transpose();
        let mut covariance = array(&covariance);
        covariance.diag_mut().map_inplace(|variance| *variance += self.regularisation);
        Ok(Component { mass, mean: (mean + shift).iter().copied().collect(), covariance })
    }

    fn diagonal(&self, component: usize, sums: &Array2<f64>, matrix: &Array2<f32>) -> Component {
        let (d, m) = (self.space.shape.dimensions, self.space.shape.outputs());
        let first = component * (d + 1);
        let of = |row: usize| matrix.index_axis(Axis(0), row).slice_move(s![first..first + d]).mapv(f64::from);
        let (mean, root) = (of(0), of(1));
        let of_rows = |first: usize| -> ArrayView1<f64> { sums.slice(s![0, first..first + d]) };
        let rows = sums[(0, first + d)];
        let mass = mass(rows);
        if rows < LEAST_ROWS {
            return self.empty(mass, mean);
        }
        let shift = &of_rows(first) / mass / &root;
        let moments = &of_rows(m + first) / mass / &root / &root;
        let variances = moments - &shift * &shift + self.regularisation;
        Component { mass, mean: mean + shift, covariance: variances.insert_axis(Axis(0)) }
    }

    /// A component that no row belongs to stays where it is, as narrow as the regularisation lets it be.
    fn empty(&self, mass: f64, mean: Array1<f64>) -> Component {
        let d = mean.len();
        let covariance = match self.space.covariance {
            CovarianceType::Full => Array2::from_diag_elem(d, self.regularisation),
            CovarianceType::Diagonal => Array2::from_elem((1, d), self.regularisation),
        };
        Component { mass, mean, covariance }
    }
}

/// The rows of a component, of which scikit-learn leaves none without any.
fn mass(rows: f64) -> f64 {
    rows.max(0.0) + 10.0 * f64::EPSILON
}
