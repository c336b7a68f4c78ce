//! Linear regression: ordinary least squares, ridge, lasso and elastic net.

use super::fit::{Job, fingerprint, weighed};
use super::model::{Fitted, shared_getters};
use super::optimise::Round;
use super::settings::{LearningRate, Settings, Solver, shared_setters};
use super::targets::{Coding, Targets};
use crate::algorithms::centred::power_of_two_near;
use crate::algorithms::kmeans::Timings;
use crate::algorithms::measured::measured;
use crate::backend::cpu::RowLoss;
use crate::data::{Dataset, Origin, RowSource};
use crate::queue::{ItemTime, Session, Streamed};
use crate::{Error, Result};
use ndarray::ArrayView2;
use std::time::Instant;

/// Linear regression, ready to fit.
///
/// Finds coefficients w and an intercept b that minimise, over n rows x with a target y and a weight,
/// `Σ weight·(w·x + b − y)² / (2·Σ weight) + alpha·(l1_ratio·Σ|w| + ½(1 − l1_ratio)·Σw²)`: ordinary least squares for alpha 0, the
/// default, else scikit-learn's elastic net. Its ridge regression divides by nothing: ridge with a strength of a is alpha
/// `a / Σ weight` here. Its lasso is `l1_ratio(1.0)`.
///
/// By the same queue as [`LogisticRegression`](super::LogisticRegression), which tells more. Least squares are a sum of d × d
/// products and a factorisation where d is small; the methods here keep d × 1 and so serve many columns.
///
/// ```
/// use ndarray::array;
/// use superstep::LinearRegression;
///
/// let points = array![[0.0_f32, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]];
/// let targets: Vec<f64> = points.outer_iter().map(|x| 5.0 + f64::from(2.0 * x[0] - 3.0 * x[1])).collect();
/// let model = LinearRegression::new().tol(1e-7).fit(&points, &targets)?;
/// assert!((model.coefficients()[0] - 2.0).abs() < 1e-5 && (model.intercept() - 5.0).abs() < 1e-5);
/// assert!(model.score(&points, &targets)? > 0.999_999);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LinearRegression {
    settings: Settings,
    alpha: f64,
}

impl Default for LinearRegression {
    fn default() -> Self {
        Self::new()
    }
}

impl LinearRegression {
    /// Without a penalty, at most 1000 steps.
    pub fn new() -> Self {
        Self { settings: Settings::new(1000), alpha: 0.0 }
    }

    /// What the penalty counts against the mean loss; 0 by default.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    shared_setters!();

    /// Fits rows, n × d, and their targets, n × 1: arrays of f32 or f64 in any layout, or any other sources of rows.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, a value is not a finite number (with its row and column), targets and rows are not
    /// equally many, or a device fails.
    pub fn fit(
        &self,
        rows: &(impl RowSource + ?Sized),
        targets: &(impl RowSource + ?Sized),
    ) -> Result<LinearRegressionModel> {
        let (session, begun) = (self.settings.opened()?, Instant::now());
        let dataset = session.install(|| measured(rows, Some(&session), Origin::Zero))?;
        self.fit_measured(&session, &dataset, targets, begun)
    }

    /// Fits a data set that was measured beforehand, and may have [weights](Dataset::with_weights).
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and when all weights are 0.
    pub fn fit_dataset(&self, dataset: &Dataset, targets: &(impl RowSource + ?Sized)) -> Result<LinearRegressionModel> {
        self.fit_measured(&self.settings.opened()?, dataset, targets, Instant::now())
    }

    /// Measures and checks a table. Where the session has several ranks, each reads its share of the rows, and all call this
    /// together.
    ///
    /// # Errors
    /// When a value is not a finite number or there is none.
    pub fn dataset<'a>(&self, rows: &'a (impl RowSource + ?Sized)) -> Result<Dataset<'a>> {
        measured(rows, self.settings.session.as_ref(), Origin::Zero)
    }

    fn fit_measured(
        &self,
        session: &Session,
        dataset: &Dataset,
        targets: &(impl RowSource + ?Sized),
        begun: Instant,
    ) -> Result<LinearRegressionModel> {
        let collective = session.collective();
        let targets = session.install(|| measured(targets, Some(session), Origin::Zero))?;
        collective.agree(self.check(dataset, &targets))?;
        collective
            .same("the settings and the data's shape", &fingerprint("linear", &self.settings, self.alpha, dataset))?;
        let weights = weighed(session, dataset)?;
        let coding = self.coding(&targets);
        let targets = Targets { source: &targets, coding, weights: dataset.weights() };
        let (loss, strength) = (RowLoss::Squared, self.alpha);
        let job = Job { session, dataset, targets, loss, outputs: 1, strength, weights, begun };
        let fitted = session.install(|| self.settings.iterate(&job))?;
        Ok(LinearRegressionModel { fitted })
    }

    /// Targets are scaled to a standard deviation of about 1; where there is an intercept to make up for it, their mean is
    /// taken off.
    fn coding(&self, targets: &Dataset) -> Coding {
        let statistics = targets.statistics();
        let (mean, variance) = (statistics.mean[0], statistics.variance[0]);
        let taken_off = if self.settings.intercept { mean } else { 0.0 };
        let size = (variance + (mean - taken_off).powi(2)).sqrt();
        Coding::Scaled { mean: taken_off, scale: if size > 0.0 { power_of_two_near(size, f64::round) } else { 1.0 } }
    }

    fn check(&self, dataset: &Dataset, targets: &Dataset) -> Result<()> {
        if !self.alpha.is_finite() || self.alpha < 0.0 {
            return Err(Error::parameter("alpha", format!("{} is no strength: take 0 or more", self.alpha)));
        }
        self.settings.check(dataset, targets, self.alpha > 0.0)
    }
}

/// The result of [`LinearRegression::fit`].
#[derive(Debug, Clone)]
pub struct LinearRegressionModel {
    pub(super) fitted: Fitted,
}

impl LinearRegressionModel {
    /// The coefficients of the columns: d values.
    pub fn coefficients(&self) -> &[f64] {
        self.fitted.coefficients.as_slice().unwrap_or(&[])
    }

    /// What is added; 0 where there is no intercept.
    pub fn intercept(&self) -> f64 {
        self.fitted.intercepts.first().copied().unwrap_or(0.0)
    }

    shared_getters!();

    /// The target of each row of an n × d table: n values.
    ///
    /// # Errors
    /// When the table's width is not the model's, or a value is not a finite number.
    pub fn predict(&self, rows: &(impl RowSource + ?Sized)) -> Result<Vec<f64>> {
        Ok(self.fitted.outputs(rows)?.into_iter().collect())
    }

    /// The target of one row of d values.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_row(&self, row: &[f64]) -> Result<f64> {
        let row =
            ArrayView2::from_shape((1, row.len()), row).map_err(|error| Error::parameter("rows", error.to_string()))?;
        Ok(self.predict(&row)?[0])
    }

    /// The part of the targets' variance that is explained: R². 1 where all targets are equal and found, as in scikit-learn, and 0
    /// where they are equal and not found.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and when there are not as many targets as rows, or none.
    pub fn score(&self, rows: &(impl RowSource + ?Sized), targets: &(impl RowSource + ?Sized)) -> Result<f64> {
        let predicted = self.predict(rows)?;
        let targets = super::target_values(targets, predicted.len())?;
        let mean = targets.iter().sum::<f64>() / targets.len() as f64;
        let left: f64 = predicted.iter().zip(&targets).map(|(found, target)| (found - target).powi(2)).sum();
        let all: f64 = targets.iter().map(|target| (target - mean).powi(2)).sum();
        Ok(if all > 0.0 { 1.0 - left / all } else { f64::from(u8::from(left == 0.0)) })
    }
}
