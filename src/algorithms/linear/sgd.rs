//! The item of the host in stochastic gradient descent: a step for each batch.

use super::batches::Epochs;
use super::gradient::SCALES;
use super::optimise::Round;
use super::problem::{Problem, Value};
use super::settings::LearningRate;
use crate::Result;
use crate::algorithms::products::{MATRIX, SUMS};
use crate::queue::{ComContext, ComputeFunction, Key, Object, Objects};

/// Where the descent stands.
pub(super) const DESCENT: Key<Descent> = Key::new("descent");

/// How fast old steps fade in the mean: the exponent of Shamir and Zhang's "polynomial-decay averaging". Of 0 all steps would count the
/// same; with 3 the last quarter of them has two thirds of the weight.
const FADING: f64 = 3.0;

/// Epochs without progress after which it ends: scikit-learn's `n_iter_no_change`.
const MOST_WITHOUT: u32 = 5;

/// The point of the last step, the means over the steps, and what the epochs came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Descent {
    pub(super) point: Vec<f64>,
    mean: Vec<f64>,
    /// The mean of the gradients at the steps.
    gradient: Vec<f64>,
    steps: u64,
    /// That of the epoch so far.
    loss: f64,
    least: Option<f64>,
    without: u32,
    pub(super) epochs: Vec<Round>,
    pub(super) converged: bool,
    /// A step has led to where f32 cannot compute.
    pub(super) ran_away: bool,
}

impl Object for Descent {}

impl Descent {
    pub(super) fn new(size: usize) -> Self {
        let zero = vec![0.0; size];
        Self { point: zero.clone(), mean: zero.clone(), gradient: zero, ..Self::default() }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.converged || self.ran_away
    }
}

/// Steps against the gradients of batches.
#[derive(Clone)]
pub(super) struct Descend {
    pub(super) problem: Problem,
    pub(super) epochs: Epochs,
    /// The mean weight of a row.
    pub(super) weight: f64,
    /// The longest step that goes down for most batches, the length of the first step, and how steps get shorter.
    pub(super) longest: f64,
    pub(super) first: f64,
    pub(super) schedule: LearningRate,
    pub(super) tol: f64,
    /// What makes the objective one of the data's own units.
    pub(super) factor: f64,
}

impl ComputeFunction for Descend {
    fn objects(&self) -> Objects {
        Objects::reads(SUMS).updates((MATRIX, SCALES, DESCENT)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut at = cx.take(DESCENT)?;
        let weight = self.epochs.size(at.steps) as f64 * self.weight;
        let value = self.problem.value(&at.point, cx.get(SUMS)?, cx.get(SCALES)?, weight)?;
        self.step(&mut at, &value);
        cx.put(MATRIX, self.problem.matrix(&at.point))?;
        cx.put(SCALES, self.problem.scales(&at.point))?;
        cx.put(DESCENT, at)
    }
}

impl Descend {
    fn step(&self, at: &mut Descent, value: &Value) {
        let rate = self.rate(at.steps);
        let part = self.epochs.size(at.steps) as f64 / self.epochs.rows_in_all() as f64;
        at.loss += part * (value.loss + self.problem.l1_of(&at.point));
        at.steps += 1;
        let fresh = (FADING + 1.0) / (at.steps as f64 + FADING);
        at.mean.iter_mut().zip(&at.point).for_each(|(mean, x)| *mean += fresh * (x - *mean));
        at.gradient.iter_mut().zip(&value.gradient).for_each(|(mean, g)| *mean += fresh * (g - *mean));
        let to = self.nearer(&at.point, &value.gradient, rate);
        if !self.problem.is_in_reach(&to) {
            at.ran_away = true;
            return;
        }
        at.point = to;
        if at.steps.is_multiple_of(self.epochs.steps()) {
            self.end_epoch(at);
        }
    }

    /// The length of a step, as a factor of the gradient.
    fn rate(&self, step: u64) -> f64 {
        match self.schedule {
            LearningRate::Constant => self.first,
            LearningRate::InverseScaling(power) => {
                self.first / (1.0 + step as f64 / self.epochs.steps() as f64).powf(power)
            }
        }
    }

    /// A proximal step: against the gradient, and then what the penalty on magnitudes leaves of it.
    fn nearer(&self, from: &[f64], gradient: &[f64], rate: f64) -> Vec<f64> {
        let moved = from.iter().zip(gradient).enumerate().map(|(number, (x, g))| {
            let to = x - rate * g;
            to.signum() * (to.abs() - rate * self.problem.l1(number)).max(0.0)
        });
        moved.collect()
    }

    /// What the steps so far come to: their mean, after a step with the mean of their gradients.
    pub(super) fn found(&self, at: &Descent) -> Vec<f64> {
        self.nearer(&at.mean, &at.gradient, self.longest)
    }

    fn end_epoch(&self, at: &mut Descent) {
        let loss = std::mem::take(&mut at.loss);
        let moved = self.found(at).into_iter().zip(&at.mean).map(|(to, from)| ((to - from) / self.longest).abs());
        let iteration = (at.steps / self.epochs.steps()) as u32;
        at.epochs.push(Round {
            iteration,
            loss: loss * self.factor,
            gradient: moved.fold(0.0, f64::max),
            evaluations: iteration,
        });
        at.without = if at.least.is_none_or(|least| loss < least - self.tol) { 0 } else { at.without + 1 };
        at.least = Some(at.least.map_or(loss, |least| least.min(loss)));
        at.converged = self.tol > 0.0 && at.without >= MOST_WITHOUT;
    }
}
