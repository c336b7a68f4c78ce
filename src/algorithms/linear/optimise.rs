//! The item of the host: takes the value and the gradient at a trial, and puts the next trial.
//!
//! One superstep is one trial. Where a trial is good enough, it becomes the point from which the next direction goes.

use super::gradient::SCALES;
use super::memory::{Memory, dot};
use super::problem::{Problem, Value};
use super::settings::Solver;
use crate::Result;
use crate::algorithms::products::{MATRIX, SUMS};
use crate::queue::{ComContext, ComputeFunction, Key, Object, Objects};

/// Where the optimiser stands.
pub(super) const STATE: Key<State> = Key::new("optimiser");

/// What part of the decrease that the slope promises a step must bring (Armijo), and how much of the slope it may leave (Wolfe).
const DECREASE: f64 = 1e-4;
const SLOPE_LEFT: f64 = 0.9;

/// The part of the objective that devices may be off by: they sum 256 losses in f32. Within it slopes decide, which are more exact.
const NOISE: f64 = 8e-6;

/// Trials along one direction.
const MOST_TRIALS: u32 = 30;

/// One step: a point that was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Round {
    /// The step's number, from 0, which is the start; of [`Sgd`](super::Solver::Sgd) the epoch's, from 1.
    pub iteration: u32,
    /// The objective: the mean loss of the rows and the penalty. Of an epoch of [`Sgd`](super::Solver::Sgd) the mean of what its
    /// batches found before their steps, but of the last epoch that of the model.
    pub loss: f64,
    /// The largest magnitude in the gradient, of scaled columns, as the setting `tol` has it.
    pub gradient: f64,
    /// Passes over the rows until then, one for each trial.
    pub evaluations: u32,
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Converged,
    MaxIter,
    /// No step goes down any more as far as f32 tells.
    Stuck,
}

/// The point that was taken last, the trial that is computed, and how it was chosen.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) point: Vec<f64>,
    value: Value,
    pub(super) trial: Vec<f64>,
    search: Option<Search>,
    memory: Memory,
    /// How far the last step went along its direction.
    step: f64,
    pub(super) evaluations: u32,
    pub(super) rounds: Vec<Round>,
    pub(super) ended: Option<Ending>,
}

impl Object for State {}

impl State {
    /// Begins at a point.
    pub(super) fn at(point: Vec<f64>) -> Self {
        Self { point: point.clone(), trial: point, ..Self::default() }
    }

    pub(super) fn iterations(&self) -> u32 {
        self.rounds.last().map_or(0, |round| round.iteration)
    }
}

/// A search along a direction.
#[derive(Debug, Clone)]
struct Search {
    direction: Vec<f64>,
    /// The sign that each penalised number keeps; 0 for those that may have any.
    orthant: Vec<f64>,
    /// The objective where it begins, and its gradient within the orthant.
    from: f64,
    gradient: Vec<f64>,
    step: f64,
    low: f64,
    high: f64,
    trials: u32,
}

enum Verdict {
    Take,
    /// This step is too long, or too short: another one.
    Shorter(f64),
    Longer(f64),
}

/// Steps of L-BFGS, of OWL-QN (Andrew and Gao, 2007) or of gradient descent.
pub(super) struct Optimise {
    pub(super) problem: Problem,
    pub(super) solver: Solver,
    pub(super) tol: f64,
    pub(super) max_iter: u32,
    /// What makes the objective one of the data's own units.
    pub(super) factor: f64,
}

impl ComputeFunction for Optimise {
    fn objects(&self) -> Objects {
        Objects::reads(SUMS).updates((MATRIX, SCALES, STATE)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut state = cx.take(STATE)?;
        let value = self.problem.value(&state.trial, cx.get(SUMS)?, cx.get(SCALES)?, self.problem.total_weight())?;
        self.advance(&mut state, value);
        cx.put(MATRIX, self.problem.matrix(&state.trial))?;
        cx.put(SCALES, self.problem.scales(&state.trial))?;
        cx.put(STATE, state)
    }
}

impl Optimise {
    /// The most trials that so many steps take.
    pub(super) fn most_rounds(&self) -> u32 {
        self.max_iter.saturating_add(1).saturating_mul(2 * MOST_TRIALS + 2)
    }

    fn advance(&self, state: &mut State, value: Value) {
        state.evaluations += 1;
        let Some(search) = state.search.take() else { return self.take(state, value, 0.0) };
        match self.judge(&search, state, &value) {
            Verdict::Take => {
                let step: Vec<f64> = state.trial.iter().zip(&state.point).map(|(to, from)| to - from).collect();
                let change = value.gradient.iter().zip(&state.value.gradient).map(|(to, from)| to - from).collect();
                state.memory.remember(step, change);
                self.take(state, value, search.step);
            }
            _ if search.trials >= MOST_TRIALS => self.give_up(state),
            Verdict::Shorter(step) => self.propose(state, Search { step, high: search.step, ..search }),
            Verdict::Longer(step) => self.propose(state, Search { step, low: search.step, ..search }),
        }
    }

    /// Goes on from the trial, or ends there.
    fn take(&self, state: &mut State, value: Value, step: f64) {
        state.point.clone_from(&state.trial);
        state.value = value;
        state.step = step;
        let downhill = self.steepest(state);
        let gradient = downhill.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        let loss = (state.value.loss + self.problem.l1_of(&state.point)) * self.factor;
        let iteration = if state.rounds.is_empty() { 0 } else { state.iterations() + 1 };
        state.rounds.push(Round { iteration, loss, gradient, evaluations: state.evaluations });
        if gradient <= self.tol {
            state.ended = Some(Ending::Converged);
        } else if iteration >= self.max_iter {
            state.ended = Some(Ending::MaxIter);
        } else {
            self.begin(state, downhill);
        }
    }

    /// The gradient, in which a number at 0 that the penalty holds there counts nothing: Andrew and Gao's pseudo-gradient.
    fn steepest(&self, state: &State) -> Vec<f64> {
        let numbers = state.value.gradient.iter().zip(&state.point).enumerate();
        numbers
            .map(|(at, (g, x))| match self.problem.l1(at) {
                l1 if *x > 0.0 => g + l1,
                l1 if *x < 0.0 => g - l1,
                l1 if *g + l1 < 0.0 => g + l1,
                l1 if *g - l1 > 0.0 => g - l1,
                _ => 0.0,
            })
            .collect()
    }

    /// Chooses a direction, and the first trial along it.
    fn begin(&self, state: &mut State, gradient: Vec<f64>) {
        let quasi_newton = self.solver != Solver::GradientDescent;
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        if quasi_newton && !state.memory.is_empty() {
            let newton = state.memory.downhill(&gradient);
            if dot(&newton, &gradient) < 0.0 {
                direction = newton;
            } else {
                state.memory.forget();
            }
        }
        let mut orthant = vec![0.0; direction.len()];
        for (at, (d, g)) in direction.iter_mut().zip(&gradient).enumerate() {
            if self.problem.l1(at) > 0.0 {
                let x = state.point[at];
                orthant[at] = if x != 0.0 { x.signum() } else { -sign(*g) };
                if *d * g >= 0.0 {
                    *d = 0.0;
                }
            }
        }
        let first = dot(&gradient, &gradient).sqrt().recip().min(1.0);
        let step = match (quasi_newton, state.memory.is_empty()) {
            (true, false) => 1.0,
            (false, _) if state.step > 0.0 => 2.0 * state.step,
            _ => first,
        };
        let from = state.value.loss + self.problem.l1_of(&state.point);
        let search = Search { direction, orthant, from, gradient, step, low: 0.0, high: f64::INFINITY, trials: 0 };
        self.propose(state, search);
    }

    /// Puts the trial of a search: as f32, as the kernels will have it.
    fn propose(&self, state: &mut State, mut search: Search) {
        search.trials += 1;
        // A direction that rounding has blown up is shortened until the kernels can compute there.
        for _ in 0..1000 {
            let moved = state.point.iter().zip(&search.direction).zip(&search.orthant);
            let to = moved.map(|((x, d), side)| {
                let to = f64::from((x + search.step * d) as f32);
                if *side != 0.0 && sign(to) != *side { 0.0 } else { to }
            });
            state.trial = to.collect();
            if self.problem.is_in_reach(&state.trial) {
                break;
            }
            search.step *= 0.5;
            search.high = search.high.min(2.0 * search.step);
        }
        if state.trial == state.point || !self.problem.is_in_reach(&state.trial) {
            return self.give_up(state);
        }
        state.search = Some(search);
    }

    /// Begins anew along the gradient, or ends where that was tried.
    fn give_up(&self, state: &mut State) {
        state.trial.clone_from(&state.point);
        if state.memory.is_empty() {
            state.ended = Some(Ending::Stuck);
            return;
        }
        state.memory.forget();
        let gradient = self.steepest(state);
        self.begin(state, gradient);
    }

    /// Whether the trial is good enough. The conditions are Wolfe's; near the end, where f32 hides the decrease, those of Hager
    /// and Zhang ("A new conjugate gradient method with guaranteed descent and an efficient line search", 2005), of slopes alone.
    fn judge(&self, search: &Search, state: &State, value: &Value) -> Verdict {
        let step: Vec<f64> = state.trial.iter().zip(&state.point).map(|(to, from)| to - from).collect();
        let total = value.loss + self.problem.l1_of(&state.trial);
        let within = value.gradient.iter().zip(&search.orthant).enumerate();
        let gradient: Vec<f64> = within.map(|(at, (g, side))| g + self.problem.l1(at) * side).collect();
        let (before, after) = (dot(&search.gradient, &step), dot(&gradient, &step));
        let descends = total <= search.from + DECREASE * before;
        let level = total <= search.from + NOISE * search.from.abs() && after <= (2.0 * DECREASE - 1.0) * before;
        let (t, low, high) = (search.step, search.low, search.high);
        if !(descends || level) {
            // Where a parabola through what is known has its minimum.
            let parabola = -before * t / (2.0 * (total - search.from - before));
            let shorter = if parabola.is_finite() { parabola.clamp(0.1 * t, 0.5 * t) } else { 0.5 * t };
            return Verdict::Shorter(if low > 0.0 { 0.5 * (low + t) } else { shorter });
        }
        if self.solver == Solver::Lbfgs && after < SLOPE_LEFT * before {
            return Verdict::Longer(if high.is_finite() { 0.5 * (t + high) } else { 2.0 * t });
        }
        Verdict::Take
    }
}

/// −1, 0 or 1.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}
