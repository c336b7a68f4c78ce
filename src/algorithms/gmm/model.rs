//! A fitted model: weights, means, covariances, and what can be asked of them.

use super::mixture::{CovarianceType, Matrices, Mixture, log_sum};
use super::progress::Round;
use crate::algorithms::kmeans::Timings;
use crate::data::RowSource;
use crate::queue::{ItemTime, Streamed};
use crate::{Error, Result};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;
use std::ops::Range;

/// Rows that one task of a parallel pass takes at a time.
const BLOCK: usize = 1024;

/// Rows that are scored at a time: no more of their likelihoods is kept.
const PIECE: usize = 1 << 16;

/// The result of [`GaussianMixture::fit`](super::GaussianMixture::fit).
#[derive(Debug, Clone)]
pub struct GaussianMixtureModel {
    pub(super) mixture: Mixture,
    pub(super) rows: u64,
    pub(super) iterations: u32,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) lower_bound: f64,
    pub(super) seed: u64,
    pub(super) trace: Vec<Round>,
    pub(super) passes: u32,
    pub(super) items: Vec<ItemTime>,
    pub(super) timings: Timings,
    pub(super) streamed: Option<Streamed>,
    pub(super) warnings: Vec<String>,
}

impl GaussianMixtureModel {
    /// The weight of each component: k values that add up to 1.
    pub fn weights(&self) -> &[f64] {
        &self.mixture.weights
    }

    /// The means, k × d.
    pub fn means(&self) -> &Array2<f64> {
        &self.mixture.means
    }

    /// The covariances, k × d × d, or k × d variances.
    pub fn covariances(&self) -> &Matrices {
        &self.mixture.covariances
    }

    /// Of each covariance Σ upper triangular U with `U·Uᵀ = Σ⁻¹`; of variances the inverse standard deviations.
    pub fn precisions_cholesky(&self) -> &Matrices {
        &self.mixture.roots
    }

    /// The shape of the covariances.
    pub fn covariance_type(&self) -> CovarianceType {
        self.mixture.covariances.covariance_type()
    }

    /// The number of components.
    pub fn components(&self) -> usize {
        self.mixture.components()
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.mixture.columns()
    }

    /// How many rows it was fitted to.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many rounds there were.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Whether it ended because a round gained less than the tolerance.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether it was stopped after a round.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// The mean log-likelihood of a row as the last round found it, under the parameters that it began with: as scikit-learn's
    /// `lower_bound_`. [`score`](Self::score) asks for that of the parameters here.
    pub fn lower_bound(&self) -> f64 {
        self.lower_bound
    }

    /// The seed of the first start.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The rounds of the start that was kept; empty where the model was loaded.
    pub fn trace(&self) -> &[Round] {
        &self.trace
    }

    /// How many times all starts together have passed over the rows, the rounds of k-means not counted; 0 where the model was loaded.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// How long the items of all rounds of the start that was kept took together, kernels by their device's own clock, where
    /// [`GaussianMixture::profile`](super::GaussianMixture::profile) asked for it.
    pub fn items(&self) -> &[ItemTime] {
        &self.items
    }

    /// How long the phases of all starts took.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// What of the rows was streamed in every round; `None` where the memory held all of them.
    pub fn streamed(&self) -> Option<Streamed> {
        self.streamed
    }

    /// What a user should know of the fit.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The log-likelihood of each row of an n × d table: n values, in nats.
    ///
    /// # Errors
    /// When the table's width is not the model's, or a value is not a finite number.
    pub fn score_samples(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array1<f64>> {
        let found = self.each(rows, 0..rows.rows(), 1, |densities, out| out[0] = log_sum(densities))?;
        Ok(found.into_iter().collect())
    }

    /// The mean log-likelihood of the rows.
    ///
    /// # Errors
    /// As [`score_samples`](Self::score_samples); when there are no rows.
    pub fn score(&self, rows: &(impl RowSource + ?Sized)) -> Result<f64> {
        let n = rows.rows();
        if n == 0 {
            return Err(Error::data(rows.place(0, 0), "there are no rows to score"));
        }
        let pieces = (0..n).step_by(PIECE).map(|first| {
            let piece = first..n.min(first + PIECE as u64);
            let found = self.each(rows, piece, 1, |densities, out| out[0] = log_sum(densities))?;
            Ok(found.sum())
        });
        Ok(pieces.sum::<Result<f64>>()? / n as f64)
    }

    /// The likeliest component of each row, the first of several that are equally likely.
    ///
    /// # Errors
    /// As [`score_samples`](Self::score_samples).
    pub fn predict(&self, rows: &(impl RowSource + ?Sized)) -> Result<Vec<u32>> {
        let found = self.each(rows, 0..rows.rows(), 1, |densities, out| {
            let best =
                densities.iter().enumerate().fold(0, |best, (at, one)| if *one > densities[best] { at } else { best });
            out[0] = best as f64;
        })?;
        Ok(found.into_iter().map(|label| label as u32).collect())
    }

    /// The likeliest component of one row of d values.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_row(&self, row: &[f64]) -> Result<u32> {
        let row =
            ArrayView2::from_shape((1, row.len()), row).map_err(|error| Error::parameter("row", error.to_string()))?;
        Ok(self.predict(&row)?.first().copied().unwrap_or(0))
    }

    /// The probability of each component for each row, n × k: each row of it adds up to 1.
    ///
    /// # Errors
    /// As [`score_samples`](Self::score_samples).
    pub fn predict_proba(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array2<f64>> {
        self.each(rows, 0..rows.rows(), self.components(), |densities, out| {
            let all = log_sum(densities);
            out.iter_mut().zip(densities).for_each(|(out, density)| *out = (density - all).exp());
        })
    }

    /// How many numbers the mixture has that are free.
    pub fn parameters(&self) -> u64 {
        let (k, d) = (self.components() as u64, self.columns() as u64);
        let of_covariance = match self.covariance_type() {
            CovarianceType::Full => d * (d + 1) / 2,
            CovarianceType::Diagonal => d,
        };
        k * (of_covariance + d + 1) - 1
    }

    /// Akaike's information criterion of the rows: the lower, the better.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn aic(&self, rows: &(impl RowSource + ?Sized)) -> Result<f64> {
        Ok(self.criteria(self.score(rows)?, rows.rows()).0)
    }

    /// The Bayesian information criterion of the rows: the lower, the better.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn bic(&self, rows: &(impl RowSource + ?Sized)) -> Result<f64> {
        Ok(self.criteria(self.score(rows)?, rows.rows()).1)
    }

    /// Akaike's and the Bayesian criterion of so many rows with this mean log-likelihood, as [`score`](Self::score) found it: both for
    /// one pass over the rows.
    pub fn criteria(&self, score: f64, rows: u64) -> (f64, f64) {
        let (n, parameters) = (rows as f64, self.parameters() as f64);
        (2.0 * (parameters - score * n), parameters * n.ln() - 2.0 * score * n)
    }

    /// What becomes of the log-densities of the components of some rows: a row each, of `columns` values.
    fn each(
        &self,
        rows: &(impl RowSource + ?Sized),
        of: Range<u64>,
        columns: usize,
        make: impl Fn(&[f64], &mut [f64]) + Sync,
    ) -> Result<Array2<f64>> {
        if rows.columns() != self.columns() {
            let message = format!("it has {} columns, but the model is expecting {}", rows.columns(), self.columns());
            return Err(Error::data(rows.place(0, 0), message));
        }
        let offsets = self.mixture.offsets();
        let mut made = Array2::zeros(((of.end - of.start) as usize, columns));
        let blocks = made.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().enumerate();
        blocks
            .try_for_each(|(block, out)| self.block(rows, of.start + (block * BLOCK) as u64, &offsets, out, &make))?;
        Ok(made)
    }

    fn block(
        &self,
        rows: &(impl RowSource + ?Sized),
        first: u64,
        offsets: &[f64],
        mut out: ArrayViewMut2<f64>,
        make: impl Fn(&[f64], &mut [f64]),
    ) -> Result<()> {
        let d = self.columns();
        let mut values = vec![0.0; out.nrows() * d];
        rows.read_f64(first, &mut values)?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let place = rows.place(first + (at / d) as u64, at % d);
            return Err(Error::data(place, format!("{} is not a finite number", values[at])));
        }
        let (mut less, mut densities) = (vec![0.0; d], vec![0.0; offsets.len()]);
        for (row, mut out) in values.chunks_exact(d).zip(out.outer_iter_mut()) {
            self.mixture.log_densities(row, offsets, &mut less, &mut densities);
            if let Some(out) = out.as_slice_mut() {
                make(&densities, out);
            }
        }
        Ok(())
    }
}
