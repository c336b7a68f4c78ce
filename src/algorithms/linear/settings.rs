//! The settings that all linear models have.

use super::optimise::Round;
use crate::data::Dataset;
use crate::queue::Session;
use crate::{Error, Result};
use std::sync::Arc;

/// How the minimum is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Solver {
    /// [`OwlQn`](Self::OwlQn) where there is a penalty on magnitudes (`l1_ratio` above 0), else [`Lbfgs`](Self::Lbfgs).
    #[default]
    Auto,
    /// L-BFGS with a memory of 10 steps (Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989), and a
    /// search along each direction for a step that fulfils Wolfe's conditions.
    Lbfgs,
    /// Orthant-wise L-BFGS (Andrew and Gao, "Scalable training of L1-regularized log-linear models", 2007): coefficients that the
    /// penalty holds at 0 are 0.
    OwlQn,
    /// Steps along the gradient, of a length that is doubled after each and halved until the objective falls. Slow; for
    /// comparison.
    GradientDescent,
    /// Stochastic gradient descent: a step for each small batch of rows, which are shuffled anew for every pass over them. Comes near
    /// the minimum in few passes, where there are many rows alike, and very near in many. See
    /// [`batch_size`](super::LogisticRegression::batch_size), [`learning_rate`](super::LogisticRegression::learning_rate) and
    /// [`eta0`](super::LogisticRegression::eta0).
    ///
    /// Steps are proximal: along the gradient of loss and squares, then magnitudes are cut by the step's share of the penalty on
    /// them (Duchi and Singer, "Efficient online and batch learning using forward backward splitting", 2009). The model is a mean of the
    /// steps, in which old ones fade (Shamir and Zhang, "Stochastic gradient descent for non-smooth optimization", 2013),
    /// after one more such step with the mean of their gradients, which brings what the penalty holds at 0 to 0.
    Sgd,
}

/// How the steps of [`Solver::Sgd`] get shorter: scikit-learn's `learning_rate`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum LearningRate {
    /// They do not.
    Constant,
    /// A step is the first one's length over `t` to this power; t is 1 at first, and grows by 1 with each pass over the rows,
    /// a little with each step. ¼ by default.
    InverseScaling(f64),
}

/// Settings of the objective's form and of the search.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) solver: Solver,
    pub(super) l1_ratio: f64,
    pub(super) intercept: bool,
    pub(super) tol: f64,
    pub(super) max_iter: u32,
    pub(super) batch_size: usize,
    pub(super) learning_rate: LearningRate,
    pub(super) eta0: Option<f64>,
    pub(super) seed: u64,
    pub(super) profile: bool,
    pub(super) session: Option<Session>,
    pub(super) progress: Option<Arc<dyn Fn(Round) + Send + Sync>>,
}

impl Settings {
    pub(super) fn new(max_iter: u32) -> Self {
        Self {
            solver: Solver::Auto,
            l1_ratio: 0.0,
            intercept: true,
            tol: 1e-4,
            max_iter,
            batch_size: 256,
            learning_rate: LearningRate::InverseScaling(0.25),
            eta0: None,
            seed: 0,
            profile: false,
            session: None,
            progress: None,
        }
    }

    /// The solver that is meant, for a penalty on magnitudes or none.
    pub(super) fn solver(&self, has_l1: bool) -> Solver {
        match self.solver {
            Solver::Auto if has_l1 => Solver::OwlQn,
            Solver::Auto => Solver::Lbfgs,
            solver => solver,
        }
    }

    /// Checks the settings against the data.
    pub(super) fn check(&self, dataset: &Dataset, targets: &Dataset, has_penalty: bool) -> Result<()> {
        let refuse = |name: &'static str, message: String| Err(Error::parameter(name, message));
        if targets.columns() != 1 || targets.rows() != dataset.rows() {
            let (rows, columns) = (targets.rows(), targets.columns());
            let message = format!("they are {rows} × {columns}: give one for each of the {} rows", dataset.rows());
            return refuse("targets", message);
        }
        if !(0.0..=1.0).contains(&self.l1_ratio) {
            return refuse("l1_ratio", format!("{} is no share: take 0 to 1", self.l1_ratio));
        }
        if !self.tol.is_finite() || self.tol < 0.0 {
            return refuse("tol", format!("{} is no tolerance: take 0 or more", self.tol));
        }
        if self.max_iter == 0 {
            return refuse("max_iter", "0 steps: take 1 or more".to_owned());
        }
        let has_l1 = has_penalty && self.l1_ratio > 0.0;
        if has_l1 && !matches!(self.solver(true), Solver::OwlQn | Solver::Sgd) {
            let message = format!("{:?} cannot minimise an L1 penalty: take OwlQn or Sgd, or l1_ratio 0", self.solver);
            return refuse("solver", message);
        }
        if self.batch_size == 0 {
            return refuse("batch_size", "0 rows are no batch: take 1 or more".to_owned());
        }
        if let Some(first) = self.eta0.filter(|first| !first.is_finite() || *first <= 0.0) {
            return refuse("eta0", format!("{first} is no length of a step: take a number above 0"));
        }
        match self.learning_rate {
            LearningRate::InverseScaling(power) if !power.is_finite() || power < 0.0 => {
                refuse("learning_rate", format!("{power} is no power for steps to get shorter by: take 0 or more"))
            }
            LearningRate::InverseScaling(_) | LearningRate::Constant => Ok(()),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("solver", &self.solver)
            .field("l1_ratio", &self.l1_ratio)
            .field("intercept", &self.intercept)
            .field("tol", &self.tol)
            .field("max_iter", &self.max_iter)
            .field("batch_size", &self.batch_size)
            .field("learning_rate", &self.learning_rate)
            .field("eta0", &self.eta0)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// The methods of a builder that set what all linear models have.
macro_rules! shared_setters {
    () => {
        /// How the minimum is looked for; [`Solver::Auto`] by default.
        #[must_use]
        pub fn solver(mut self, solver: Solver) -> Self {
            self.settings.solver = solver;
            self
        }

        /// The share of the penalty that is on magnitudes (L1), which makes coefficients 0; the rest is on squares (L2). 0 by
        /// default.
        #[must_use]
        pub fn l1_ratio(mut self, share: f64) -> Self {
            self.settings.l1_ratio = share;
            self
        }

        /// Whether there is an intercept, which is not penalised; on by default.
        #[must_use]
        pub fn fit_intercept(mut self, on: bool) -> Self {
            self.settings.intercept = on;
            self
        }

        /// Stops once no number in the gradient of the mean objective is larger; 1e-4 by default. The gradient is that of
        /// columns scaled by a power of two so that `variance + λ/h` is about 1, where λ is what the mean objective has of a
        /// penalty on squares, and h the most that the loss bends by an output: 1 in regression, else ¼. (In regression targets are
        /// scaled to a standard deviation of about 1, too.) So a tolerance means the same in all units: a number g in the
        /// gradient stands for some `g² / 2h` of the objective. Rounding to f32 sets a floor near 1e-7. With 0, `max_iter`
        /// steps are taken.
        ///
        /// [`Solver::Sgd`] sees no gradient of all rows while it runs. It stops, as scikit-learn's does, once the mean loss of an
        /// epoch (of scaled targets) has not been lower than the least by more than this for 5 epochs.
        #[must_use]
        pub fn tol(mut self, tol: f64) -> Self {
            self.settings.tol = tol;
            self
        }

        /// The most steps. One takes one pass over the rows, or a few where its length must be looked for. Of [`Solver::Sgd`]
        /// the most epochs, each a pass over the rows.
        #[must_use]
        pub fn max_iter(mut self, steps: u32) -> Self {
            self.settings.max_iter = steps;
            self
        }

        /// The rows of a batch of [`Solver::Sgd`]; 256 by default. Other solvers take all rows at once.
        #[must_use]
        pub fn batch_size(mut self, rows: usize) -> Self {
            self.settings.batch_size = rows;
            self
        }

        /// How the steps of [`Solver::Sgd`] get shorter; with the fourth root of the passes over the rows by default.
        #[must_use]
        pub fn learning_rate(mut self, schedule: LearningRate) -> Self {
            self.settings.learning_rate = schedule;
            self
        }

        /// The length of the first step of [`Solver::Sgd`], as a factor of the gradient in scaled columns. By default the inverse
        /// of what some of the first batches bend the objective by: the longest for which these go down with certainty.
        #[must_use]
        pub fn eta0(mut self, first: f64) -> Self {
            self.settings.eta0 = Some(first);
            self
        }

        /// The seed of the order in which [`Solver::Sgd`] takes rows; 0 by default.
        #[must_use]
        pub fn seed(mut self, seed: u64) -> Self {
            self.settings.seed = seed;
            self
        }

        /// Times every item and kernel: see `items` of the model. Devices are waited for after each, which takes time.
        #[must_use]
        pub fn profile(mut self, on: bool) -> Self {
            self.settings.profile = on;
            self
        }

        /// The devices to compute on; [`Session::auto`] by default.
        #[must_use]
        pub fn session(mut self, session: &Session) -> Self {
            self.settings.session = Some(session.clone());
            self
        }

        /// Is told of every step while the fit runs; where there are several ranks, on the first.
        #[must_use]
        pub fn progress(mut self, tell: impl Fn(Round) + Send + Sync + 'static) -> Self {
            self.settings.progress = Some(std::sync::Arc::new(tell));
            self
        }
    };
}

pub(super) use shared_setters;
