//! Deciding when k-means is done, and keeping its trace.

use super::keys::{SUMMARY, Summary};
use super::params::KMeans;
use super::plan::Plan;
use super::progress::{Progress, Round};
use crate::Result;
use crate::data::wire::{Word, read_list, write_list};
use crate::queue::{ComContext, ItemTime, IterationListener, Session};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The criterion and the listener of one start.
pub(super) struct Watch {
    kmeans: KMeans,
    plan: Plan,
    rows: u64,
    tol: f64,
    start: usize,
    /// Where items are measured.
    profiled: Option<Session>,
    state: Mutex<State>,
}

struct State {
    clock: Instant,
    iterations: u32,
    trace: Vec<Round>,
}

impl Watch {
    pub(super) fn new(kmeans: &KMeans, session: &Session, plan: &Plan, rows: u64, tol: f64, start: usize) -> Self {
        let state = Mutex::new(State { clock: Instant::now(), iterations: 0, trace: Vec::new() });
        let profiled = kmeans.profile.then(|| session.clone());
        Self { kmeans: kmeans.clone(), plan: plan.clone(), rows, tol, start, profiled, state }
    }

    /// Goes on from rounds that were done before.
    pub(super) fn after(self, iterations: u32, trace: Vec<Round>) -> Self {
        self.with_state(|state| (state.iterations, state.trace) = (iterations, trace));
        self
    }

    /// Decides whether the round was the last, and notes how many updates there were.
    pub(super) fn is_converged(&self, cx: &ComContext) -> Result<bool> {
        let (iterations, converged) = progress_of(cx, self.tol, self.kmeans.max_iter)?;
        self.with_state(|state| state.iterations = iterations);
        Ok(converged)
    }

    /// How many updates there were, and the trace, for ranks that have not watched and for checkpoints.
    pub(super) fn encode(&self) -> Vec<u8> {
        self.with_state(|state| {
            let mut to = Vec::new();
            state.iterations.write(&mut to);
            state.trace.iter().for_each(|round| write_round(round, &mut to));
            to
        })
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<(u32, Vec<Round>)> {
        let from = &mut bytes;
        let (iterations, mut trace) = (u32::read(from)?, Vec::new());
        while !from.is_empty() {
            trace.push(Round {
                iteration: u32::read(from)?,
                inertia: f64::read(from)?,
                shift: f64::read(from)?,
                moved: u64::read(from)?,
                time: Duration::from_nanos(u64::read(from)?),
                communicate: Duration::from_nanos(u64::read(from)?),
                items: (0..u64::read(from)?).map(|_| read_item(from)).collect::<Option<_>>()?,
            });
        }
        Some((iterations, trace))
    }

    fn with_state<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many updates there were at the end of a round, and whether it is the last by scikit-learn's two conditions. Round r holds
/// update r−1 and the labels after it, so shifts that are small enough mean r−1 updates, and labels that did not change mean
/// r: there the last update would change nothing.
pub(super) fn progress_of(cx: &ComContext, tol: f64, max_iter: u32) -> Result<(u32, bool)> {
    let (round, summary) = (cx.step_no(), Summary::of_words(cx.get(SUMMARY)?)?);
    let updates = round - 1;
    let small = updates > 0 && f64::from(summary.shift) <= tol;
    let unmoved = updates > 0 && summary.moved == 0;
    let iterations = if unmoved && !small { round.min(max_iter) } else { updates };
    Ok((iterations, small || unmoved))
}

fn write_round(round: &Round, to: &mut Vec<u8>) {
    let Round { iteration, inertia, shift, moved, time, communicate, items } = round;
    iteration.write(to);
    inertia.write(to);
    shift.write(to);
    moved.write(to);
    [time, communicate].iter().for_each(|time| (time.as_nanos() as u64).write(to));
    (items.len() as u64).write(to);
    items.iter().for_each(|item| write_item(item, to));
}

fn write_item(item: &ItemTime, to: &mut Vec<u8>) {
    (item.device as u64).write(to);
    write_list(item.name.as_bytes(), to);
    item.runs.write(to);
    (item.time.as_nanos() as u64).write(to);
}

fn read_item(from: &mut &[u8]) -> Option<ItemTime> {
    Some(ItemTime {
        device: u64::read(from)? as usize,
        name: String::from_utf8(read_list(from)?).ok()?,
        runs: u64::read(from)?,
        time: Duration::from_nanos(u64::read(from)?),
    })
}

impl IterationListener for Watch {
    fn on_round_start(&self, _: u32, _: &ComContext) -> Result<()> {
        self.with_state(|state| state.clock = Instant::now());
        Ok(())
    }

    fn on_round_end(&self, round: u32, cx: &ComContext) -> Result<()> {
        let summary = Summary::of_words(cx.get(SUMMARY)?)?;
        let time = self.with_state(|state| state.clock.elapsed());
        let items = self.profiled.as_ref().map(Session::item_times).transpose()?.unwrap_or_default();
        let done = Round {
            iteration: round - 1,
            inertia: self.kmeans.metric.inertia_of_kernel(self.plan.fixed.inertia(summary.inertia)),
            shift: f64::from(summary.shift),
            moved: summary.moved.unsigned_abs(),
            time,
            communicate: cx.communication_time(),
            items,
        };
        self.with_state(|state| {
            // After a device was lost rounds are done again.
            state.trace.retain(|round| round.iteration < done.iteration);
            state.trace.push(done.clone());
        });
        self.kmeans.tell(Progress::Round {
            start: self.start,
            starts: self.kmeans.starts(),
            round: done,
            max_iter: self.kmeans.max_iter,
            rows_per_second: self.rows as f64 / time.as_secs_f64().max(1e-9),
        });
        Ok(())
    }
}
