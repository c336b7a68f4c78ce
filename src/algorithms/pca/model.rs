//! A fitted model: components, variances, and what can be asked of them.

use super::ritz::Round;
use crate::algorithms::project::project;
use crate::data::RowSource;
use crate::queue::Streamed;
use crate::{Error, Result};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows that one task of a parallel pass takes at a time.
const BLOCK: usize = 1024;

/// The result of [`Pca::fit`](super::Pca::fit).
#[derive(Debug, Clone)]
pub struct PcaModel {
    /// m × d.
    pub(super) components: Array2<f64>,
    pub(super) variances: Vec<f64>,
    pub(super) ratio: Vec<f64>,
    pub(super) mean: Vec<f64>,
    pub(super) noise_variance: f64,
    pub(super) whiten: bool,
    pub(super) rows: u64,
    pub(super) iterations: u32,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) seed: u64,
    pub(super) trace: Vec<Round>,
    pub(super) streamed: Option<Streamed>,
    pub(super) warnings: Vec<String>,
}

impl PcaModel {
    /// The principal directions, m × d: rows of length 1, at right angles, those of largest variance first. Of each, the value of
    /// largest magnitude is positive.
    pub fn components(&self) -> &Array2<f64> {
        &self.components
    }

    /// The variance of the rows along each component, divided by n − 1: m values.
    pub fn explained_variance(&self) -> &[f64] {
        &self.variances
    }

    /// The same as a part of the variance of all columns together: m values from 0 to 1; 0 where nothing varies.
    pub fn explained_variance_ratio(&self) -> &[f64] {
        &self.ratio
    }

    /// The singular values of the centred table: the root of n − 1 times each variance.
    pub fn singular_values(&self) -> Vec<f64> {
        let degrees = self.rows.saturating_sub(1) as f64;
        self.variances.iter().map(|variance| (variance * degrees).sqrt()).collect()
    }

    /// The mean of each column, d values: what [`transform`](Self::transform) takes off.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The mean variance of the min(n, d) − m directions that are not among the components: the noise of probabilistic
    /// PCA (Tipping and Bishop, 1999). 0 where there are none.
    pub fn noise_variance(&self) -> f64 {
        self.noise_variance
    }

    /// Whether [`transform`](Self::transform) divides each component by its standard deviation.
    pub fn whiten(&self) -> bool {
        self.whiten
    }

    /// How many columns a row must have.
    pub fn columns(&self) -> usize {
        self.components.ncols()
    }

    /// How many rows it was fitted to.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many rounds were run, each a pass over the rows.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Whether it ended because the residual was small, rather than at the maximum of rounds.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether it was interrupted after some round.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// The seed it was fitted with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What each round came to; empty for a model that was loaded.
    pub fn trace(&self) -> &[Round] {
        &self.trace
    }

    /// What of the rows was streamed in every round; `None` where the memory held all of them.
    pub fn streamed(&self) -> Option<Streamed> {
        self.streamed
    }

    /// What a user should know of the fit.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The components of each row of an n × d table, n × m: the rows less the mean, projected; where the model whitens, divided by
    /// the standard deviations.
    ///
    /// # Errors
    /// When the table's width is not the model's, or a value is not a finite number.
    pub fn transform(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array2<f64>> {
        let mut transformed = project(rows, &self.mean, &self.components)?;
        let scales = self.scales();
        transformed.outer_iter_mut().for_each(|mut row| row.iter_mut().zip(&scales).for_each(|(x, scale)| *x /= scale));
        Ok(transformed)
    }

    /// The components of one row of d values: m of them.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn transform_row(&self, row: &[f64]) -> Result<Vec<f64>> {
        let row = ArrayView2::from_shape((1, row.len()), row).map_err(|error| other_shape(&error))?;
        Ok(self.transform(&row)?.into_iter().collect())
    }

    /// The rows that have these components, n × m: n × d, in the data's own space. What other directions held is lost.
    ///
    /// # Errors
    /// When the table's width is not the number of components.
    pub fn inverse_transform(&self, transformed: &ArrayRef2<f64>) -> Result<Array2<f64>> {
        let (m, d) = self.components.dim();
        if transformed.ncols() != m {
            let message = format!("it has {} columns, but the model has {m} components", transformed.ncols());
            return Err(Error::parameter("transformed", message));
        }
        let mut scaled = self.components.clone();
        scaled.outer_iter_mut().zip(self.scales()).for_each(|(mut row, scale)| row.mapv_inplace(|x| x * scale));
        let mut rows = Array2::zeros((transformed.nrows(), d));
        let blocks = rows.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter();
        blocks.zip(transformed.axis_chunks_iter(Axis(0), BLOCK).into_par_iter()).for_each(|(mut out, transformed)| {
            out.assign(&transformed.dot(&scaled));
            out.outer_iter_mut().for_each(|mut row| row.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x += mean));
        });
        Ok(rows)
    }

    /// What each component is divided by: its standard deviation, as scikit-learn at least 2⁻⁵², or 1.
    fn scales(&self) -> Vec<f64> {
        let scale = |variance: &f64| if self.whiten { variance.sqrt().max(f64::EPSILON) } else { 1.0 };
        self.variances.iter().map(scale).collect()
    }
}

fn other_shape(error: &ndarray::ShapeError) -> Error {
    Error::parameter("rows", error.to_string())
}
