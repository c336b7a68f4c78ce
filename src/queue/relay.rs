//! Going on elsewhere: with rows at other devices than before (`balance`), or without a device that was lost.
//!
//! Both take what the tasks have come to, the objects that a round goes on from, and give it to tasks that are placed anew. When a
//! device is lost, what was on it is: so where there are devices that may be, the state is kept in the host's memory from time to time.

use super::balance::Balance;
use super::checkpoint::{Checkpoint, Saved};
use super::context::ComContext;
use super::iterative::IterativeComQueue;
use super::key::Declared;
use super::launch::number;
use super::listener::Stop;
use super::memory::{Memory, Reservation};
use super::place::Devices;
use super::ranks::Ranks;
use super::rounds::{Engine, Outermost, ReadyBody};
use super::run::Output;
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// Between two times that the state is kept lie so many times what that takes.
const APART: u32 = 50;

/// What a run needs to go on elsewhere.
pub(crate) struct Relay {
    /// The objects that a round goes on from.
    keeps: Vec<Declared>,
    pub(super) balance: Balance,
    /// Whether rows may move to other devices that are there.
    by_speed: bool,
    /// What the tasks had come to at the end of a round.
    kept: Option<Kept>,
    /// When the state was kept, how long that took, and how long to wait at least.
    at: Instant,
    took: Duration,
    apart: Duration,
    may_be_lost: bool,
    /// How many rounds were done before the tasks were placed as they are.
    pub(super) begun: Option<u32>,
}

struct Kept {
    state: Saved,
    _room: Reservation,
}

impl Relay {
    /// With these objects; the state is kept at least `apart` from one time to the next.
    pub(super) fn new(keeps: Vec<Declared>, by_speed: bool, apart: Duration) -> Self {
        Self {
            keeps,
            balance: Balance::default(),
            by_speed,
            kept: None,
            at: Instant::now(),
            took: Duration::ZERO,
            apart,
            may_be_lost: false,
            begun: None,
        }
    }

    /// Begins with the rows where they are now, which it has taken so long to bring there; `done` rounds were done when the run began.
    pub(super) fn place(&mut self, done: u32, tasks: &[ComContext], devices: &Devices, took: Duration) {
        if self.by_speed {
            self.balance.place(self.begun.unwrap_or(done), tasks, devices.list.len(), took);
        }
        self.may_be_lost = devices.list.iter().any(|device| !device.is_host());
        self.at = Instant::now();
    }

    /// Keeps what the tasks have come to, where it is time to.
    pub(super) fn keep_if_due(
        &mut self,
        round: u32,
        ready: &ReadyBody,
        tasks: &[ComContext],
        memory: &Memory,
    ) -> Result<()> {
        if self.may_be_lost && self.at.elapsed() >= self.apart.max(APART * self.took) {
            self.keep(round, ready, tasks, memory)?;
        }
        Ok(())
    }

    /// Keeps what the tasks have come to, as far as there is memory for it: else what was kept before stays.
    fn keep(&mut self, round: u32, ready: &ReadyBody, tasks: &[ComContext], memory: &Memory) -> Result<()> {
        let clock = Instant::now();
        let state = Saved::of_tasks(round, &self.keeps, ready, tasks)?;
        if let Ok(room) = memory.reserve("what a run has come to", state.bytes()) {
            self.kept = Some(Kept { state, _room: room });
        }
        (self.at, self.took) = (Instant::now(), clock.elapsed());
        Ok(())
    }
}

/// Where a run stands: its devices, and its tasks on them.
pub(crate) struct Stage<'s> {
    pub(super) devices: Devices,
    pub(super) ranks: Ranks,
    pub(super) ready: ReadyBody<'s>,
    pub(super) tasks: Vec<ComContext<'s>>,
    /// How long it took to bring the rows where they are, and in all.
    pub(super) placed: Duration,
    pub(super) pin: Duration,
    pub(super) outputs: Vec<Output>,
    pub(super) warnings: Vec<String>,
}

impl<R: Send> IterativeComQueue<'_, R> {
    /// Runs all rounds, wherever they go on, and makes the results.
    pub(super) fn rounds<'s>(
        &'s self,
        stage: &mut Stage<'s>,
        outermost: &mut Outermost,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(u32, Stop, Vec<R>)> {
        let done = checkpoint.map_or(0, Checkpoint::begins);
        loop {
            if let Some(relay) = &mut outermost.relay {
                relay.place(done, &stage.tasks, &stage.devices, stage.placed);
            }
            let (session, outputs) = (&self.session, std::mem::take(&mut stage.outputs));
            let mut engine = Engine { session, devices: &stage.devices, ranks: &stage.ranks, outputs };
            let ended = engine.iterate(&stage.ready, &mut stage.tasks, Ok(()), outermost);
            stage.outputs = engine.outputs;
            let ended = ended.and_then(|(rounds, stop)| match stop {
                Some(stop) => Ok((rounds, Some((stop, self.results(stage, rounds, stop)?)))),
                None => Ok((rounds, None)),
            });
            let clock = Instant::now();
            match (ended, &mut outermost.relay) {
                (Ok((rounds, Some((stop, results)))), _) => return Ok((rounds, stop, results)),
                (Ok((rounds, None)), Some(relay)) => self.move_rows(rounds, stage, relay)?,
                (Err(error), Some(relay)) => self.leave_lost(error, stage, relay, checkpoint)?,
                (Ok((_, None)), None) => {
                    return Err(Error::wiring("(queue)", "(rows)", "they move where they may not"));
                }
                (Err(error), None) => return Err(error),
            }
            stage.placed = clock.elapsed();
            stage.pin += stage.placed;
        }
    }

    /// Tells of the end, and makes the results of all tasks of this rank.
    pub(super) fn results(&self, stage: &mut Stage, rounds: u32, stop: Stop) -> Result<Vec<R>> {
        let Stage { devices, ranks, tasks, .. } = stage;
        let engine = Engine { session: &self.session, devices, ranks, outputs: Vec::new() };
        let told = engine.tell_end(&self.body, (rounds, stop), &tasks[0]);
        ranks.agree(told.and_then(|()| tasks.iter_mut().map(|task| (self.complete)(task)).collect()))
    }

    /// Shares out the rows as was decided.
    fn move_rows<'s>(&'s self, rounds: u32, stage: &mut Stage<'s>, relay: &mut Relay) -> Result<()> {
        let state = Saved::of_tasks(rounds, &relay.keeps, &stage.ready, &stage.tasks)?;
        if let Some(weights) = relay.balance.decided.take() {
            stage.devices.weights = weights;
        }
        self.place_anew(stage, relay, Some(&state))
    }

    /// After an error: goes on with the devices that are not lost. Where none is lost the error is another.
    fn leave_lost<'s>(
        &'s self,
        error: Error,
        stage: &mut Stage<'s>,
        relay: &mut Relay,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<()> {
        let lost = stage.devices.replace_lost(&self.session);
        if lost.is_empty() {
            return Err(error);
        }
        stage.tasks.clear();
        stage.ready = self.steps(&stage.devices, None)?;
        let kept = relay.kept.take();
        self.place_anew(stage, relay, kept.as_ref().map(|kept| &kept.state).or(checkpoint.and_then(Checkpoint::from)))?;
        relay.kept = kept;
        let begun = relay.begun.unwrap_or(0);
        stage.outputs.retain(|output| output.round.first().is_some_and(|round| *round <= begun));
        let from = if begun > 0 { format!("it went on after round {begun}") } else { "it began anew".to_owned() };
        stage.warnings.extend(lost.into_iter().map(|lost| format!("{lost} while the queue ran: {from}")));
        Ok(())
    }

    /// Places tasks that go on from a state; from the beginning where there is none.
    fn place_anew<'s>(&'s self, stage: &mut Stage<'s>, relay: &mut Relay, state: Option<&Saved>) -> Result<()> {
        // What these hold is room for those that come.
        stage.tasks.clear();
        let (mut tasks, _) = self.placed(&stage.ready, &mut stage.devices, None)?;
        stage.ranks.num_task = tasks.len();
        number(&mut tasks, &stage.ranks);
        if let Some(state) = state {
            state.give(&relay.keeps, &stage.ready, &mut tasks)?;
        }
        (stage.tasks, relay.begun) = (tasks, Some(state.map_or(0, Saved::rounds)));
        Ok(())
    }
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;
    use crate::backend::gpu::GpuDevice;
    use crate::queue::{AllReduce, Compute, IterationListener, Key, Objects, Rows, Session, ShapeRule};
    use ndarray::Array2;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    const ROWS: Key<Rows> = Key::new("rows");
    const WORTH: Key<Vec<u32>> = Key::new("worth");
    const TOTAL: Key<Vec<u32>> = Key::new("total");

    /// Destroys a device at the end of round 5.
    struct Destroys(GpuDevice, Mutex<Vec<u32>>);

    impl IterationListener for &Destroys {
        fn on_round_end(&self, round: u32, _: &ComContext) -> Result<()> {
            let mut heard = self.1.lock().unwrap();
            if round == 5 && !heard.contains(&5) {
                self.0.destroy();
            }
            heard.push(round);
            Ok(())
        }
    }

    #[test]
    fn a_run_goes_on_after_the_round_that_was_kept() -> Result<()> {
        let Ok(device) = GpuDevice::open(0) else {
            eprintln!("skipped: no adapter");
            return Ok(());
        };
        let (session, destroys) =
            (Session::builder().own_device(device.clone()).build()?, Destroys(device, Mutex::default()));
        let rows = Array2::<f32>::zeros((100, 2));
        let (shape, has_failed) = (ShapeRule::rows_of(ROWS), AtomicBool::new(false));
        let grow = Objects::reads(ROWS).updates(WORTH).writes(TOTAL).shape(WORTH, shape);
        let mut queue = IterativeComQueue::new(&session)
            .init_with_partitioned_data(ROWS, rows)
            .add(Compute::new("grow", grow, |cx| {
                let (round, count) = (cx.step_no(), cx.rows(ROWS)?.len() as u32);
                let mut worth = if cx.contains(WORTH) { cx.take(WORTH)? } else { (0..count).collect() };
                worth.iter_mut().for_each(|worth| *worth = (3 * *worth + round) % 1009);
                cx.put(TOTAL, vec![worth.iter().sum()])?;
                cx.put(WORTH, worth)
            }))
            .add(AllReduce::sum(TOTAL))
            .add(Compute::new("fail", Objects::reads(TOTAL), |_| {
                let fails = destroys.0.is_lost() && !has_failed.swap(true, Ordering::Relaxed);
                if fails { Err(Error::device("the device", "is lost")) } else { Ok(()) }
            }))
            .set_max_iter(8)
            .listen(&destroys)
            .goes_on_from((WORTH, TOTAL));
        queue.apart = Duration::ZERO;
        let run = queue.close_with(|cx| Ok((cx.take(WORTH)?, cx.take(TOTAL)?))).run()?;
        let expected: Vec<u32> =
            (0..100).map(|row| (1..=8).fold(row, |worth, round| (3 * worth + round) % 1009)).collect();
        assert_eq!(run.results, [(expected.clone(), vec![expected.iter().sum()])]);
        // How long keeping took says when it is done again: the first round is always kept.
        let heard = destroys.1.lock().unwrap().clone();
        let kept = heard.get(5).map_or(0, |next| next - 1);
        assert!((1..=5).contains(&kept) && heard == (1..=5).chain(kept + 1..=8).collect::<Vec<_>>(), "{heard:?}");
        assert!(run.warnings[0].ends_with(&format!("it went on after round {kept}")), "{:?}", run.warnings);
        Ok(())
    }
}
