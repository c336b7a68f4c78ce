//! Stochastic gradient descent: the queue, of which a superstep is a step.

use super::batches::{Epochs, read};
use super::fit::{Found, Job, Space};
use super::gradient::{SCALES, TARGETS};
use super::optimise::Round;
use super::settings::Settings;
use super::sgd::{DESCENT, Descend, Descent};
use crate::algorithms::measured::other_program;
use crate::algorithms::products::{BIAS, COLUMN_EXPONENTS, MATRIX, POINTS, SUMS, VALUE_EXPONENTS};
use crate::backend::cpu::PRODUCT_BLOCK;
use crate::data::wire::{read_list, write_list};
use crate::data::{Batches, Weights};
use crate::queue::{AllReduce, IterativeComQueue, Stop};
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// Batches that the longest step is taken from, and the most rows of each.
const SAMPLES: u64 = 4;
const SAMPLED: usize = 256;

impl Settings {
    /// Steps until an epoch's loss falls no more, and a last pass for what the model comes to.
    pub(super) fn descend(&self, job: &Job, space: &Space) -> Result<Found> {
        let clock = Instant::now();
        let gathered = gathered(job)?;
        let job = &Job { targets: job.targets.weighted(gathered.as_ref()), ..*job };
        let epochs = Epochs::new(self.seed, job.dataset.rows(), self.batch_size);
        let problem = &space.problem;
        let longest = longest_step(job, space, epochs)?;
        let descend = Descend {
            problem: problem.clone(),
            epochs,
            weight: problem.total_weight() / job.dataset.rows() as f64,
            longest,
            first: self.eta0.unwrap_or(longest),
            schedule: self.learning_rate,
            tol: self.tol,
            factor: space.factor(),
        };
        let init = clock.elapsed();
        let (descent, stop, pin) = self.steps(job, space, &descend)?;
        if descent.ran_away {
            let message =
                format!("steps that begin with {:.3e} ran away from the minimum: take a smaller one", descend.first);
            return Err(Error::parameter("eta0", message));
        }
        let at = descend.found(&descent).into_iter().map(|x| f64::from(x as f32)).collect();
        let known = self.settle(job, space, at, 0)?;
        let mut trace = descent.epochs;
        let evaluations = trace.last().map_or(0, |epoch| epoch.evaluations) + known.evaluations;
        let iteration = trace.pop().map_or(0, |epoch| epoch.iteration);
        trace.extend(known.trace.last().map(|of| Round { iteration, evaluations, ..*of }));
        let interrupted = known.interrupted || stop == Stop::Interrupted;
        let warned = !descent.converged && !interrupted && self.tol > 0.0;
        let warning = format!(
            "it has not converged in {iteration} epochs: the loss of the last was still lower by more than {:.1e}: allow more epochs, \
             or take another learning rate",
            self.tol
        );
        let warnings = known.warnings.into_iter().chain(warned.then_some(warning)).collect();
        Ok(Found {
            trace,
            evaluations,
            converged: descent.converged,
            interrupted,
            warnings,
            pin: pin + known.pin,
            init,
            ..known
        })
    }

    /// The steps of all epochs, why they ended, and what the first batch took to come to the devices.
    fn steps(&self, job: &Job, space: &Space, descend: &Descend) -> Result<(Descent, Stop, Duration)> {
        let (problem, epochs, rows) = (&space.problem, descend.epochs, &space.rows);
        let begin = Descent::new(problem.size());
        let units = problem.units();
        let most = u64::from(self.max_iter).saturating_mul(epochs.steps()).min(u64::from(u32::MAX)) as u32;
        let run = IterativeComQueue::new(job.session)
            .in_whole_blocks(PRODUCT_BLOCK as u64)
            .init_with_unbounded_data(POINTS, Batches::drawn(|step| read(rows, &epochs.rows(u64::from(step)))))
            .init_with_unbounded_data(TARGETS, Batches::drawn(|step| read(&job.targets, &epochs.rows(u64::from(step)))))
            .init_with_broadcast_data(MATRIX, problem.matrix(&begin.point))
            .init_with_broadcast_data(SCALES, problem.scales(&begin.point))
            .init_with_broadcast_data(BIAS, vec![0.0; job.outputs + 1])
            .init_with_broadcast_data(COLUMN_EXPONENTS, units.columns().to_vec())
            .init_with_broadcast_data(VALUE_EXPONENTS, units.outputs().to_vec())
            .init_with_broadcast_data(DESCENT, begin)
            .add(problem.gradient(epochs.batch())?)
            .add(AllReduce::sum(SUMS))
            .add(descend.clone())
            .set_compare_criterion(|cx| {
                let at = cx.get(DESCENT)?;
                let ends_epoch = u64::from(cx.step_no()).is_multiple_of(epochs.steps());
                if let (true, Some(tell), Some(epoch)) = (ends_epoch, &self.progress, at.epochs.last()) {
                    tell(*epoch);
                }
                Ok(at.has_ended())
            })
            .set_max_iter(most)
            .close_with(|cx| if cx.is_first_here() { cx.take(DESCENT).map(Some) } else { Ok(None) })
            .run()?;
        let nothing = || Error::wiring("linear model", DESCENT.name(), "no task ran");
        let descent = run.results.into_iter().flatten().next().ok_or_else(nothing)?;
        Ok((descent, run.stop, run.pin))
    }
}

/// The weights of all rows, where ranks have parts of them: the first reads the batches of all.
fn gathered(job: &Job) -> Result<Option<Weights>> {
    let collective = job.session.collective();
    let Some(weights) = job.dataset.weights().filter(|_| collective.size() > 1) else { return Ok(None) };
    let mut bytes = Vec::new();
    write_list(weights.held(), &mut bytes);
    let mut all = Vec::new();
    for part in collective.exchange(Ok(bytes))? {
        let part = read_list::<f32>(&mut part.as_slice());
        all.extend(part.ok_or_else(other_program)?);
    }
    Ok(Some(Weights::of_all(all)))
}

/// The longest step for which some of the first batches go down with certainty.
fn longest_step(job: &Job, space: &Space, epochs: Epochs) -> Result<f64> {
    let weight = space.problem.total_weight() / job.dataset.rows() as f64;
    let mut most = 0.0_f64;
    for step in 0..SAMPLES.min(epochs.steps()) {
        let rows = epochs.rows(step);
        let rows: Vec<u64> = rows.iter().copied().step_by(rows.len().div_ceil(SAMPLED).max(1)).collect();
        let (points, targets) = (read(&space.rows, &rows)?, read(&job.targets, &rows)?);
        let weights: Vec<f64> = targets.column(1).iter().map(|own| f64::from(*own) / weight).collect();
        most = most.max(space.problem.curvature(&points, &weights));
    }
    Ok(if most > 0.0 { most.recip() } else { 1.0 })
}
