//! `superstep logistic` and `superstep linear`: read a table and its targets, fit a linear model, write what was asked for.

use super::Ended;
use super::args::{InputArgs, LinearArgs, LinearShared, LogisticArgs, Schedule, SolverName};
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use super::outputs::{Outputs, given};
use super::ranks;
use crate::report::linear::passes;
use crate::report::number::{counted, value};
use crate::report::{Head, LinearReport};
use ndarray::{Array2, Axis};
use std::path::Path;
use std::sync::Arc;
use superstep::algorithms::kmeans::Timings;
use superstep::algorithms::linear::Round;
use superstep::collective::Collective;
use superstep::data::output::write_matrix;
use superstep::data::{self, Dataset, ReadOptions, RowSource};
use superstep::queue::ItemTime;
use superstep::{Error, LinearRegression, LinearRegressionModel, LogisticRegression, LogisticRegressionModel, Result};

/// Rows of a batch where none are given: the library's default.
const BATCH_SIZE: usize = 256;

/// Fits a logistic regression, from the arguments to the results.
pub(super) fn run_logistic(args: &LogisticArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let words = [format!("C {}", args.c)];
    run(&args.shared, args.max_iter, &words, ranks, |job, dataset, targets| {
        let shared = &args.shared;
        let regression = LogisticRegression::new()
            .c(args.c)
            .l1_ratio(shared.l1_ratio)
            .solver(shared.solver.into())
            .fit_intercept(!shared.no_intercept)
            .tol(shared.tol)
            .max_iter(args.max_iter)
            .batch_size(shared.steps.batch_size.unwrap_or(BATCH_SIZE))
            .learning_rate(shared.steps.schedule())
            .seed(shared.compute.seed)
            .session(job.session())
            .profile(shared.report.profile)
            .progress(tell(job, shared.solver, args.max_iter));
        let regression = shared.steps.eta0.iter().fold(regression, |regression, first| regression.eta0(*first));
        regression.fit_dataset(dataset, targets).map(Fitted::Logistic)
    })
}

/// Fits a linear regression, from the arguments to the results.
pub(super) fn run_linear(args: &LinearArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let words = [format!("alpha {}", args.alpha)];
    run(&args.shared, args.max_iter, &words, ranks, |job, dataset, targets| {
        let shared = &args.shared;
        let regression = LinearRegression::new()
            .alpha(args.alpha)
            .l1_ratio(shared.l1_ratio)
            .solver(shared.solver.into())
            .fit_intercept(!shared.no_intercept)
            .tol(shared.tol)
            .max_iter(args.max_iter)
            .batch_size(shared.steps.batch_size.unwrap_or(BATCH_SIZE))
            .learning_rate(shared.steps.schedule())
            .seed(shared.compute.seed)
            .session(job.session())
            .profile(shared.report.profile)
            .progress(tell(job, shared.solver, args.max_iter));
        let regression = shared.steps.eta0.iter().fold(regression, |regression, first| regression.eta0(*first));
        regression.fit_dataset(dataset, targets).map(Fitted::Linear)
    })
}

fn run(
    args: &LinearShared,
    max_iter: u32,
    words: &[String],
    ranks: &Arc<dyn Collective>,
    fit: impl FnOnce(&Job, &Dataset, &dyn RowSource) -> Result<Fitted>,
) -> Result<Ended, Failure> {
    let LinearShared { input, compute, report, .. } = args;
    let checked = check(args);
    ranks::agree(&**ranks, checked)?;
    let beside = [args.weights.as_ref(), args.targets.as_ref()];
    let mut job = Job::start(Asked { input, beside: &beside, compute, report }, &outputs(args), ranks)?;
    let source = job.load()?;
    let targets = job.ranks().agree(targets(args, job.session().memory().limit()))?;
    let measure = LinearRegression::new().session(job.session());
    let dataset = job.session().install(|| measure.dataset(&*source))?;
    let dataset = job.weighted(dataset, args.weights.as_ref())?;
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let model = fit(&job, &dataset, &*targets)?;
    job.write(model.warnings(), |ranks| {
        ranks::once(ranks, || {
            args.coefficients.as_ref().map_or(Ok(()), |path| write_matrix(path, &model.table()))?;
            args.model.as_ref().map_or(Ok(()), |path| model.save(path))
        })
    })?;
    let told = model.told();
    let head = job.head();
    let seconds = head.seconds.with(&model.timings());
    let report = LinearReport {
        head: Head {
            n: dataset.rows(),
            d: dataset.columns(),
            iterations: told.head.iterations,
            converged: told.head.converged,
            interrupted: told.head.interrupted,
            seconds,
            seconds_per_iteration: seconds.each_of(told.head.iterations),
            streamed: told.head.streamed,
            ..head
        },
        ..told
    };
    let settings = settings_in_words(args, max_iter, words, &job);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(report.head.interrupted))
}

/// What only one solver obeys is refused for others.
fn check(args: &LinearShared) -> Result<(), Failure> {
    let refuse = |flag: &str, message: &str| Err(Failure::Usage(Error::parameter(flag, message)));
    match args.steps.given() {
        Some(flag) if args.solver != SolverName::Sgd => {
            refuse(flag, "it is of `--solver sgd`: give that, or leave it away")
        }
        _ if args.steps.power_t.is_some() && args.steps.learning_rate == Some(Schedule::Constant) => {
            refuse("power_t", "steps of a constant length get shorter by no power: leave it away")
        }
        _ => Ok(()),
    }
}

/// A model of either kind.
enum Fitted {
    Logistic(LogisticRegressionModel),
    Linear(LinearRegressionModel),
}

impl Fitted {
    fn warnings(&self) -> &[String] {
        match self {
            Self::Logistic(model) => model.warnings(),
            Self::Linear(model) => model.warnings(),
        }
    }

    fn timings(&self) -> Timings {
        match self {
            Self::Logistic(model) => model.timings(),
            Self::Linear(model) => model.timings(),
        }
    }

    fn items(&self) -> &[ItemTime] {
        match self {
            Self::Logistic(model) => model.items(),
            Self::Linear(model) => model.items(),
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        match self {
            Self::Logistic(model) => model.save(path),
            Self::Linear(model) => model.save(path),
        }
    }

    /// The coefficients, a row for each output.
    fn coefficients(&self) -> Array2<f64> {
        match self {
            Self::Logistic(model) => model.coefficients().clone(),
            Self::Linear(model) => {
                Array2::from_shape_fn((1, model.columns()), |(_, column)| model.coefficients()[column])
            }
        }
    }

    fn intercepts(&self) -> Vec<f64> {
        match self {
            Self::Logistic(model) => model.intercepts().to_vec(),
            Self::Linear(model) => vec![model.intercept()],
        }
    }

    /// The coefficients of each output, and behind them its intercept.
    fn table(&self) -> Array2<f64> {
        let (coefficients, intercepts) = (self.coefficients(), self.intercepts());
        let d = coefficients.len_of(Axis(1));
        Array2::from_shape_fn((coefficients.nrows(), d + 1), |(output, column)| {
            if column == d { intercepts[output] } else { coefficients[(output, column)] }
        })
    }

    /// What is told of it; the rest of the head is the job's.
    fn told(&self) -> LinearReport {
        let (classes, trace, evaluations, streamed) = match self {
            Self::Logistic(model) => {
                (Some(model.classes().to_vec()), model.trace(), model.evaluations(), model.streamed())
            }
            Self::Linear(model) => (None, model.trace(), model.evaluations(), model.streamed()),
        };
        let (iterations, converged, interrupted) = match self {
            Self::Logistic(model) => (model.iterations(), model.converged(), model.interrupted()),
            Self::Linear(model) => (model.iterations(), model.converged(), model.interrupted()),
        };
        LinearReport {
            head: Head { iterations, converged, interrupted, streamed, ..Head::default() },
            classes,
            coefficients: self.coefficients(),
            intercepts: self.intercepts(),
            evaluations,
            trace: trace.to_vec(),
            items: self.items().to_vec(),
        }
    }
}

/// The targets: a file of their own, or a column of the input.
fn targets(args: &LinearShared, memory: u64) -> Result<Box<dyn RowSource>> {
    match (&args.targets, &args.target) {
        (Some(path), _) => data::open(std::slice::from_ref(path), &ReadOptions::default()),
        (None, column) => {
            let InputArgs { files, .. } = &args.input;
            data::open(
                files,
                &ReadOptions { columns: column.clone().map(|name| vec![name]), ..args.input.options(memory) },
            )
        }
    }
}

fn outputs(args: &LinearShared) -> Outputs<'_> {
    Outputs {
        tables: given([("--coefficients", &args.coefficients)]),
        model: args.model.as_deref(),
        ..Outputs::default()
    }
}

/// Shows what a step came to: `step 3/100: loss 0.25, gradient 1.2e-3, 5 passes`.
fn tell(job: &Job, solver: SolverName, max_iter: u32) -> impl Fn(Round) + Send + Sync + 'static {
    let reporter = job.reporter().clone();
    let name = if solver == SolverName::Sgd { "epoch" } else { "step" };
    move |round| {
        let detail =
            format!("loss {}, gradient {:.1e}, {}", value(round.loss), round.gradient, passes(round.evaluations));
        reporter.show(name, Some((u64::from(round.iteration), u64::from(max_iter))), detail);
    }
}

/// What the run was asked for: what matters always, the rest where it is not the default.
fn settings_in_words(args: &LinearShared, max_iter: u32, own: &[String], job: &Job) -> String {
    let mut words = own.to_vec();
    words.extend((args.l1_ratio > 0.0).then(|| format!("L1 ratio {}", args.l1_ratio)));
    words.extend(args.no_intercept.then(|| "no intercept".to_owned()));
    words.push(format!("tol {}", args.tol));
    let sgd = args.solver == SolverName::Sgd;
    words.push(format!("at most {}", counted(u64::from(max_iter), if sgd { "epoch" } else { "step" })));
    words.extend(sgd.then(|| {
        let rows = args.steps.batch_size.unwrap_or(BATCH_SIZE) as u64;
        format!("stochastic gradient descent by {}", counted(rows, "row"))
    }));
    let weights = args.weights.as_ref().map(|path| format!("weights {}", path.display()));
    job.settings_in_words(&words, &weights.into_iter().collect::<Vec<_>>())
}
