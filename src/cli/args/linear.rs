//! The arguments of `logistic` and `linear`.

use super::super::values::{at_least_one, step, strength, tolerance};
use super::{ComputeArgs, InputArgs, ReportArgs};
use clap::{ArgGroup, Args, ValueEnum};
use std::path::PathBuf;
use superstep::{LearningRate, Solver};

#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops after the pass that runs and writes the model there is; a second one ends at once."
)]
pub(in crate::cli) struct LogisticArgs {
    #[command(flatten)]
    pub(in crate::cli) shared: LinearShared,
    /// What the loss of the rows, summed, counts against the penalty; inf for no penalty
    #[arg(long, value_name = "C", default_value = "1", value_parser = strength)]
    pub(in crate::cli) c: f64,
    /// Most steps
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) max_iter: u32,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops after the pass that runs and writes the model there is; a second one ends at once."
)]
pub(in crate::cli) struct LinearArgs {
    #[command(flatten)]
    pub(in crate::cli) shared: LinearShared,
    /// What the penalty counts against half the mean squared error; 0 is ordinary least squares
    #[arg(long, value_name = "A", default_value = "0", value_parser = tolerance)]
    pub(in crate::cli) alpha: f64,
    /// Most steps
    #[arg(long, value_name = "N", default_value = "1000", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) max_iter: u32,
}

/// What both linear models take.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["targets", "target"])))]
pub(in crate::cli) struct LinearShared {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    /// The target of each row, a class or a number: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) targets: Option<PathBuf>,
    /// The column of INPUT that holds the targets, named as --columns names the others, which must be given
    #[arg(long, value_name = "COLUMN", requires = "columns")]
    pub(in crate::cli) target: Option<String>,
    /// The share of the penalty that is on magnitudes (L1) and makes coefficients 0; the rest is on squares (L2)
    #[arg(long, value_name = "R", default_value = "0", value_parser = tolerance)]
    pub(in crate::cli) l1_ratio: f64,
    /// How the minimum is looked for
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(in crate::cli) solver: SolverName,
    #[command(flatten)]
    pub(in crate::cli) steps: StepArgs,
    /// Fit no intercept
    #[arg(long)]
    pub(in crate::cli) no_intercept: bool,
    /// Stop when no number in the gradient, of columns scaled so that units do not matter, is larger; sgd: when the mean loss
    /// of an epoch has not fallen by more for 5 epochs
    #[arg(long, value_name = "T", default_value = "1e-4", value_parser = tolerance, allow_negative_numbers = true)]
    pub(in crate::cli) tol: f64,
    /// Weight of each row: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) compute: ComputeArgs,
    /// Write the coefficients, a row for each output, its intercept last (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) coefficients: Option<PathBuf>,
    /// Write the model for `superstep predict` (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) model: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

/// How the steps of `sgd` go.
#[derive(Debug, Args)]
pub(in crate::cli) struct StepArgs {
    /// With --solver sgd: rows of a batch [default: 256]
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) batch_size: Option<usize>,
    /// With --solver sgd: how steps get shorter [default: invscaling]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) learning_rate: Option<Schedule>,
    /// With --solver sgd: the power of the passes over the rows that steps get shorter with [default: 0.25]
    #[arg(long, value_name = "P", value_parser = tolerance)]
    pub(in crate::cli) power_t: Option<f64>,
    /// With --solver sgd: the length of the first step, as a factor of the gradient in scaled columns [default: as long as
    /// the first batches allow]
    #[arg(long, value_name = "E", value_parser = step)]
    pub(in crate::cli) eta0: Option<f64>,
}

impl StepArgs {
    /// A flag that was given, for another solver's use.
    pub(in crate::cli) fn given(&self) -> Option<&'static str> {
        let flags = [
            ("batch_size", self.batch_size.is_some()),
            ("learning_rate", self.learning_rate.is_some()),
            ("power_t", self.power_t.is_some()),
            ("eta0", self.eta0.is_some()),
        ];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    /// The schedule that is meant.
    pub(in crate::cli) fn schedule(&self) -> LearningRate {
        match self.learning_rate {
            Some(Schedule::Constant) => LearningRate::Constant,
            Some(Schedule::Invscaling) | None => LearningRate::InverseScaling(self.power_t.unwrap_or(0.25)),
        }
    }
}

/// The schedules by their names in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Schedule {
    /// All steps are as long as the first
    Constant,
    /// A step is the first one's length over a power of the passes over the rows
    Invscaling,
}

/// The solvers by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SolverName {
    /// owl-qn where there is an L1 penalty, else lbfgs
    Auto,
    /// L-BFGS
    Lbfgs,
    /// Orthant-wise L-BFGS
    OwlQn,
    /// Gradient descent
    GradientDescent,
    /// Stochastic gradient descent: a step for each small batch of shuffled rows; --max-iter counts passes over the rows
    Sgd,
}

impl From<SolverName> for Solver {
    fn from(name: SolverName) -> Self {
        match name {
            SolverName::Auto => Self::Auto,
            SolverName::Lbfgs => Self::Lbfgs,
            SolverName::OwlQn => Self::OwlQn,
            SolverName::GradientDescent => Self::GradientDescent,
            SolverName::Sgd => Self::Sgd,
        }
    }
}
