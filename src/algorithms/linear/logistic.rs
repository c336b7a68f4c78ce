//! Logistic regression, binary and multinomial.

use super::fit::{Job, fingerprint, weighed};
use super::model::{Fitted, shared_getters};
use super::optimise::Round;
use super::settings::{LearningRate, Settings, Solver, shared_setters};
use super::targets::{Coding, Targets, classes};
use crate::algorithms::kmeans::Timings;
use crate::algorithms::measured::measured;
use crate::backend::cpu::RowLoss;
use crate::data::{Dataset, Origin, RowSource};
use crate::queue::{ItemTime, Session, Streamed};
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2};
use std::time::Instant;

/// Logistic regression, ready to fit.
///
/// Finds coefficients W and intercepts b that minimise, over rows x with a class y and a weight, `C·Σ weight·loss + penalty`. Of two
/// classes there is one output z = w·x + b, and the loss is `ln(1 + e^z) − y·z`; of K classes there are K outputs, and it is
/// `ln Σ_c e^{z_c} − z_y`. The penalty is `l1_ratio·Σ|w| + ½(1 − l1_ratio)·Σw²`. These are scikit-learn's definitions.
///
/// A superstep is one pass over the rows for the loss and its gradient at a trial, then a step of L-BFGS, OWL-QN or
/// gradient descent ([`Solver`]). Columns are centred and scaled in f64 before they are rounded to f32, so data far from zero lose
/// nothing; penalties are those of the data's own space all the same. What a round sums are exact integers (see
/// [`products`](crate::algorithms::products)): the same input and device give the same bits for any number of threads,
/// partitions, devices of a kind and ranks.
///
/// ```
/// use ndarray::array;
/// use superstep::LogisticRegression;
///
/// let points = array![[0.0_f32], [1.0], [2.0], [10.0], [11.0], [12.0]];
/// let classes = vec![3.0_f32, 3.0, 3.0, 7.0, 7.0, 7.0]; // any numbers
/// let model = LogisticRegression::new().fit(&points, &classes)?;
/// assert_eq!(model.predict(&array![[1.5_f32], [10.5]])?, [3.0, 7.0]);
/// assert!(model.predict_proba(&array![[20.0_f32]])?[(0, 1)] > 0.99);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LogisticRegression {
    settings: Settings,
    c: f64,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        Self::new()
    }
}

impl LogisticRegression {
    /// With scikit-learn's defaults: an L2 penalty with C = 1, at most 100 steps.
    pub fn new() -> Self {
        Self { settings: Settings::new(100), c: 1.0 }
    }

    /// What the loss counts against the penalty; 1 by default. Infinity leaves the penalty out.
    #[must_use]
    pub fn c(mut self, c: f64) -> Self {
        self.c = c;
        self
    }

    shared_setters!();

    /// Fits rows, n × d, and their classes, n × 1: arrays of f32 or f64 in any layout, or any other sources of rows. The classes
    /// are the distinct values of the targets.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, a value is not a finite number (with its row and column), targets and rows are not
    /// equally many, all rows are of one class, or a device fails.
    pub fn fit(
        &self,
        rows: &(impl RowSource + ?Sized),
        targets: &(impl RowSource + ?Sized),
    ) -> Result<LogisticRegressionModel> {
        let (session, begun) = (self.settings.opened()?, Instant::now());
        let dataset = session.install(|| measured(rows, Some(&session), Origin::Zero))?;
        self.fit_measured(&session, &dataset, targets, begun)
    }

    /// Fits a data set that was measured beforehand, and may have [weights](Dataset::with_weights).
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and when all weights are 0.
    pub fn fit_dataset(
        &self,
        dataset: &Dataset,
        targets: &(impl RowSource + ?Sized),
    ) -> Result<LogisticRegressionModel> {
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
    ) -> Result<LogisticRegressionModel> {
        let collective = session.collective();
        let targets = session.install(|| measured(targets, Some(session), Origin::Zero))?;
        collective.agree(self.check(dataset, &targets))?;
        let strength = self.c.recip();
        collective
            .same("the settings and the data's shape", &fingerprint("logistic", &self.settings, strength, dataset))?;
        let weights = weighed(session, dataset)?;
        let classes = session.install(|| classes(&targets, &**collective))?;
        let (loss, outputs) =
            if classes.len() == 2 { (RowLoss::Logistic, 1) } else { (RowLoss::Softmax, classes.len()) };
        let coding = Coding::Classes(classes.clone());
        let targets = Targets { source: &targets, coding, weights: dataset.weights() };
        let job = Job { session, dataset, targets, loss, outputs, strength: strength / weights.0, weights, begun };
        let fitted = session.install(|| self.settings.iterate(&job))?;
        Ok(LogisticRegressionModel { classes, fitted })
    }

    fn check(&self, dataset: &Dataset, targets: &Dataset) -> Result<()> {
        if self.c.is_nan() || self.c <= 0.0 {
            return Err(Error::parameter("c", format!("{} is no strength: take a number above 0", self.c)));
        }
        self.settings.check(dataset, targets, self.c.is_finite())
    }
}

/// The result of [`LogisticRegression::fit`].
#[derive(Debug, Clone)]
pub struct LogisticRegressionModel {
    pub(super) classes: Vec<f64>,
    pub(super) fitted: Fitted,
}

impl LogisticRegressionModel {
    /// The coefficients of the columns: 1 × d for two classes, those of the second; else K × d.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.fitted.coefficients
    }

    /// What is added to each output: 1 or K values; 0 where there is no intercept.
    pub fn intercepts(&self) -> &[f64] {
        &self.fitted.intercepts
    }

    /// The classes, sorted: K values.
    pub fn classes(&self) -> &[f64] {
        &self.classes
    }

    shared_getters!();

    /// The outputs of each row of an n × d table: n × 1 for two classes, positive for the second; else n × K.
    ///
    /// # Errors
    /// When the table's width is not the model's, or a value is not a finite number.
    pub fn decision_function(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array2<f64>> {
        self.fitted.outputs(rows)
    }

    /// The probability of each class for each row, n × K.
    ///
    /// # Errors
    /// As [`decision_function`](Self::decision_function).
    pub fn predict_proba(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array2<f64>> {
        let mut outputs = self.decision_function(rows)?;
        if outputs.ncols() == 1 {
            let sides = |(row, class): (usize, usize)| {
                let z = outputs[(row, 0)] * if class == 0 { -1.0 } else { 1.0 };
                1.0 / (1.0 + (-z).exp())
            };
            return Ok(Array2::from_shape_fn((outputs.nrows(), 2), sides));
        }
        for mut row in outputs.outer_iter_mut() {
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.mapv_inplace(|z| (z - top).exp());
            let all = row.sum();
            row.mapv_inplace(|e| e / all);
        }
        Ok(outputs)
    }

    /// The most probable class of each row: n values, each one of [`classes`](Self::classes). Ties go to the lowest.
    ///
    /// # Errors
    /// As [`decision_function`](Self::decision_function).
    pub fn predict(&self, rows: &(impl RowSource + ?Sized)) -> Result<Vec<f64>> {
        let outputs = self.decision_function(rows)?;
        let class = |row: ndarray::ArrayView1<f64>| {
            if row.len() == 1 {
                return usize::from(row[0] > 0.0);
            }
            row.iter().enumerate().fold(0, |best, (at, z)| if *z > row[best] { at } else { best })
        };
        Ok(outputs.outer_iter().map(|row| self.classes[class(row)]).collect())
    }

    /// The most probable class of one row of d values.
    ///
    /// # Errors
    /// As [`decision_function`](Self::decision_function).
    pub fn predict_row(&self, row: &[f64]) -> Result<f64> {
        let row =
            ArrayView2::from_shape((1, row.len()), row).map_err(|error| Error::parameter("rows", error.to_string()))?;
        Ok(self.predict(&row)?[0])
    }

    /// The share of rows whose class is predicted: the accuracy.
    ///
    /// # Errors
    /// As [`decision_function`](Self::decision_function), and when there are not as many targets as rows, or none.
    pub fn score(&self, rows: &(impl RowSource + ?Sized), targets: &(impl RowSource + ?Sized)) -> Result<f64> {
        let predicted = self.predict(rows)?;
        let targets = super::target_values(targets, predicted.len())?;
        let right = predicted.iter().zip(&targets).filter(|(found, target)| found == target).count();
        Ok(right as f64 / predicted.len() as f64)
    }
}
