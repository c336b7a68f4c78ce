//! Fitting: the queue of a linear model.

use super::gradient::{SCALES, TARGETS};
use super::model::Fitted;
use super::optimise::{Ending, Optimise, Round, STATE, State};
use super::problem::{Problem, Weighing};
use super::settings::{Settings, Solver};
use super::targets::{Coding, Targets};
use crate::algorithms::centred::Centred;
use crate::algorithms::kmeans::Timings;
use crate::algorithms::measured::measured;
use crate::algorithms::products::{BIAS, COLUMN_EXPONENTS, MATRIX, POINTS, SUMS, VALUE_EXPONENTS};
use crate::algorithms::working::{opened, profiled, reserve};
use crate::backend::cpu::{PRODUCT_BLOCK, RowLoss};
use crate::data::{ALL_ZERO, Dataset, Origin};
use crate::queue::{AllReduce, IterativeComQueue, Reservation, Session, Stop, Streamed};
use crate::{Error, Place, Result};
use ndarray::Array2;
use std::time::{Duration, Instant};

/// What a model is fitted to, and how.
pub(super) struct Job<'a> {
    pub(super) session: &'a Session,
    pub(super) dataset: &'a Dataset<'a>,
    pub(super) targets: Targets<'a>,
    pub(super) loss: RowLoss,
    pub(super) outputs: usize,
    /// What the penalty is multiplied by, of the mean loss; 0 for none.
    pub(super) strength: f64,
    /// The sum of the weights, and the largest.
    pub(super) weights: (f64, f64),
    /// When the data began to be measured.
    pub(super) begun: Instant,
}

/// The problem as the kernels have it, and how it lies in the data's own space.
pub(super) struct Space<'a> {
    pub(super) problem: Problem,
    /// The rows, with a 1 behind each.
    pub(super) rows: Centred<'a>,
    pub(super) target_mean: f64,
    pub(super) target_scale: f64,
}

impl Space<'_> {
    /// What makes the objective one of the data's own units.
    pub(super) fn factor(&self) -> f64 {
        self.target_scale.powi(2).recip()
    }
}

/// What a solver has come to, in the space of the kernels.
pub(super) struct Found {
    pub(super) point: Vec<f64>,
    pub(super) trace: Vec<Round>,
    pub(super) evaluations: u32,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) warnings: Vec<String>,
    /// What it took to bring the rows to the devices, and to choose how to begin.
    pub(super) pin: Duration,
    pub(super) init: Duration,
    pub(super) streamed: Option<Streamed>,
}

impl Settings {
    pub(super) fn opened(&self) -> Result<Session> {
        opened(self.session.as_ref())
    }

    /// Finds the minimum, by the solver that is meant.
    pub(super) fn iterate(&self, job: &Job) -> Result<Fitted> {
        let (measured, clock) = (job.begun.elapsed(), Instant::now());
        let space = job.space(self)?;
        let _working = job.reserve(self, &space.problem)?;
        let (found, items) = profiled(job.session, self.profile, || match self.solver {
            Solver::Sgd => self.descend(job, &space),
            _ => self.settle(job, &space, vec![0.0; space.problem.size()], self.max_iter),
        })?;
        let iterate = clock.elapsed().saturating_sub(found.pin + found.init);
        let timings = Timings { pin: measured + found.pin, init: found.init, iterate };
        Ok(Fitted { items, timings, ..self.fitted(job, &space, found) })
    }

    /// Supersteps until the gradient is small. Each is one trial of the optimiser, and one pass over the rows. With no steps at all
    /// it says what the point comes to.
    pub(super) fn settle(&self, job: &Job, space: &Space, from: Vec<f64>, max_iter: u32) -> Result<Found> {
        let problem = &space.problem;
        let optimise = Optimise {
            problem: problem.clone(),
            solver: self.solver(job.strength > 0.0 && self.l1_ratio > 0.0),
            tol: self.tol,
            max_iter,
            factor: space.factor(),
        };
        let most = optimise.most_rounds();
        let state = State::at(from);
        let units = problem.units();
        let run = IterativeComQueue::new(job.session)
            .in_whole_blocks(PRODUCT_BLOCK as u64)
            .goes_on_from((MATRIX, SCALES, STATE))
            .init_with_partitioned_data(POINTS, &space.rows)
            .init_with_partitioned_data(TARGETS, &job.targets)
            .init_with_broadcast_data(MATRIX, problem.matrix(&state.trial))
            .init_with_broadcast_data(SCALES, problem.scales(&state.trial))
            .init_with_broadcast_data(BIAS, vec![0.0; job.outputs + 1])
            .init_with_broadcast_data(COLUMN_EXPONENTS, units.columns().to_vec())
            .init_with_broadcast_data(VALUE_EXPONENTS, units.outputs().to_vec())
            .init_with_broadcast_data(STATE, state)
            .add(problem.gradient(job.dataset.rows())?)
            .add(AllReduce::sum(SUMS))
            .add(optimise)
            .set_compare_criterion(|cx| {
                let state = cx.get(STATE)?;
                if let (Some(tell), Some(round)) = (&self.progress, state.rounds.last())
                    && round.evaluations == state.evaluations
                    && max_iter > 0
                {
                    tell(*round);
                }
                Ok(state.ended.is_some())
            })
            .set_max_iter(most)
            .close_with(|cx| if cx.is_first_here() { cx.take(STATE).map(Some) } else { Ok(None) })
            .run()?;
        let nothing = || Error::wiring("linear model", STATE.name(), "no task ran");
        let state = run.results.into_iter().flatten().next().ok_or_else(nothing)?;
        // Where no steps were asked for, none are missed.
        let own = if max_iter > 0 { self.warnings(&state) } else { Vec::new() };
        Ok(Found {
            warnings: run.warnings.into_iter().chain(own).collect(),
            evaluations: state.evaluations,
            converged: state.ended == Some(Ending::Converged),
            interrupted: run.stop == Stop::Interrupted,
            point: state.point,
            trace: state.rounds,
            pin: run.pin,
            init: Duration::ZERO,
            streamed: run.streamed,
        })
    }

    /// The coefficients in the data's own space.
    fn fitted(&self, job: &Job, space: &Space, found: Found) -> Fitted {
        let (d, m, scales) = (job.dataset.columns(), job.outputs, space.rows.scales());
        let own =
            |(output, column): (usize, usize)| found.point[column * m + output] * scales[column] / space.target_scale;
        let mut coefficients = Array2::from_shape_fn((m, d), own);
        let mut intercepts = vec![0.0; m];
        if self.intercept {
            for (output, intercept) in intercepts.iter_mut().enumerate() {
                let moved: f64 = coefficients.row(output).iter().zip(space.rows.mean()).map(|(w, mean)| w * mean).sum();
                *intercept = found.point[d * m + output] / space.target_scale + space.target_mean - moved;
            }
        }
        if job.loss == RowLoss::Softmax {
            // What all classes have in common changes no probability.
            centre(&mut intercepts);
            if job.strength == 0.0 {
                coefficients.columns_mut().into_iter().for_each(|mut column| {
                    let mean = column.sum() / m as f64;
                    column -= mean;
                });
            }
        }
        Fitted {
            coefficients,
            intercepts,
            rows: job.dataset.rows(),
            iterations: found.trace.last().map_or(0, |round| round.iteration),
            evaluations: found.evaluations,
            converged: found.converged,
            interrupted: found.interrupted,
            warnings: found.warnings,
            trace: found.trace,
            items: Vec::new(),
            timings: Timings::default(),
            streamed: found.streamed,
        }
    }

    fn warnings(&self, state: &State) -> Vec<String> {
        let gradient = state.rounds.last().map_or(f64::INFINITY, |round| round.gradient);
        let reached =
            format!("the largest number in the gradient is {gradient:.1e}, and {:.1e} was asked for", self.tol);
        match state.ended {
            Some(Ending::MaxIter) if self.tol > 0.0 => {
                vec![format!("it has not converged in {} steps: {reached}: allow more steps", self.max_iter)]
            }
            Some(Ending::Stuck) => {
                let hint = "take a larger tolerance";
                vec![format!("no step goes further down than f32 rounds: {reached}: {hint}")]
            }
            _ => Vec::new(),
        }
    }
}

fn centre(values: &mut [f64]) {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter_mut().for_each(|value| *value -= mean);
}

impl<'a> Job<'a> {
    fn space(&self, settings: &Settings) -> Result<Space<'a>> {
        let centred = Centred::each(self.dataset, self.ridge(settings.l1_ratio));
        let (target_mean, target_scale, largest_target) = self.target();
        let l1_ratio = settings.l1_ratio;
        let penalty = (self.strength * l1_ratio * target_scale, self.strength * (1.0 - l1_ratio));
        let weighing = Weighing { total: self.weights.0, largest: self.weights.1, largest_target };
        let form = (self.loss, self.outputs);
        let problem = Problem::new(self.dataset, &centred, form, settings.intercept, penalty, weighing)?;
        Ok(Space { problem, rows: centred.with_one(), target_mean, target_scale })
    }

    /// What the penalty on squares bends the objective by, as the variance that a column without a penalty would need for it.
    ///
    /// So columns are scaled to the curvature of loss and penalty together. By their deviation alone those that hardly vary
    /// would be bent by the penalty far more than the others: of digits.csv with C = 0.01 the solver took 746 steps for 41.
    fn ridge(&self, l1_ratio: f64) -> f64 {
        self.strength * (1.0 - l1_ratio) / self.loss.curvature()
    }

    /// The mean and the scale of the targets, and how large they are then.
    fn target(&self) -> (f64, f64, f64) {
        match self.targets.coding {
            Coding::Classes(_) => (0.0, 1.0, 1.0),
            Coding::Scaled { mean, scale } => {
                let statistics = self.targets.source.statistics();
                let ends = statistics.min.iter().chain(&statistics.max);
                (mean, scale, ends.map(|end| ((end - mean) * scale).abs()).fold(0.0, f64::max))
            }
        }
    }

    /// The sums of each thread, what the optimiser remembers, and the batches that are on their way; of several ranks also the weights
    /// of all rows.
    fn reserve(&self, settings: &Settings, problem: &Problem) -> Result<(Reservation, Reservation)> {
        let session = self.session;
        let held = self.dataset.source().held() + self.targets.source.source().held();
        let numbers = ((self.dataset.columns() + 1) * (self.outputs + 1)) as u64 * (session.threads() as u64 + 4)
            + 30 * problem.size() as u64;
        let mut bytes = numbers * size_of::<f64>() as u64;
        if settings.solver == Solver::Sgd {
            let row = (self.dataset.columns() as u64 + 3) * size_of::<f32>() as u64;
            bytes = bytes.saturating_add((settings.batch_size as u64).min(self.dataset.rows()).saturating_mul(3 * row));
            if self.dataset.weights().is_some() && session.collective().size() > 1 {
                bytes = bytes.saturating_add(2 * self.dataset.rows() * size_of::<f32>() as u64);
            }
        }
        reserve(session, held, if settings.solver == Solver::Sgd { "sums and batches" } else { "sums" }, bytes)
    }
}

/// The sum and the largest of the weights. All ranks call this together.
pub(super) fn weighed(session: &Session, dataset: &Dataset) -> Result<(f64, f64)> {
    let Some(weights) = dataset.weights() else { return Ok((dataset.rows() as f64, 1.0)) };
    let weights = session.install(|| measured(weights, Some(session), Origin::Zero))?;
    let (mean, largest) = (weights.statistics().mean[0], weights.statistics().max[0]);
    if largest <= 0.0 {
        return Err(Error::data(Place::of("weights"), ALL_ZERO));
    }
    Ok((mean * dataset.rows() as f64, largest))
}

/// The settings that all ranks must have the same of.
pub(super) fn fingerprint(name: &str, settings: &Settings, strength: f64, dataset: &Dataset) -> String {
    let solver = match settings.solver {
        Solver::Sgd => {
            let Settings { batch_size, learning_rate, eta0, seed, .. } = settings;
            format!("Sgd by {batch_size} rows, {learning_rate:?} from {eta0:?}, seed {seed}")
        }
        solver => format!("{solver:?}"),
    };
    format!(
        "superstep {}, {name}, {solver}, strength {strength:e}, l1 {:e}, intercept {}, tol {:e}, max_iter {}, {} × {} values",
        env!("CARGO_PKG_VERSION"),
        settings.l1_ratio,
        settings.intercept,
        settings.tol,
        settings.max_iter,
        dataset.rows(),
        dataset.columns(),
    )
}
