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
    _room: Option<Reservation>,
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
        if !self.may_be_lost {
            self.kept = None;
        }
        self.at = Instant::now();
    }

    /// The move that was decided was not made: rows stay where they are for good.
    fn stay(&mut self) {
        self.by_speed = false;
        self.balance.stay();
    }

    /// Whether it is time to keep what the tasks have come to.
    pub(super) fn is_due(&self) -> bool {
        self.may_be_lost && self.at.elapsed() >= self.apart.max(APART * self.took)
    }

    /// Keeps what the tasks have come to, where it is time to.
    pub(super) fn keep_if_due(&mut self, round: u32, ready: &ReadyBody, tasks: &[ComContext], memory: &Memory) {
        if self.is_due() {
            self.keep(round, ready, tasks, memory);
        }
    }

    /// Keeps what the tasks have come to. Where that cannot be (there is no memory for it, tasks have different objects, the device is
    /// just being lost) the run goes on all the same, and nothing more is kept.
    pub(super) fn keep(&mut self, round: u32, ready: &ReadyBody, tasks: &[ComContext], memory: &Memory) {
        let clock = Instant::now();
        let state = Saved::of_tasks(round, &self.keeps, ready, tasks).ok();
        // What was kept before is room for this.
        let before = self.kept.take().map(|kept| kept.state);
        let kept = |state: Saved| {
            let room = memory.reserve("what a run has come to", state.bytes()).ok()?;
            Some(Kept { state, _room: Some(room) })
        };
        let is_new = state.is_some();
        self.kept = state.or(before).and_then(kept);
        self.may_be_lost = is_new && self.kept.is_some();
        (self.at, self.took) = (Instant::now(), clock.elapsed());
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
            let mut went_on = match (ended, &mut outermost.relay) {
                (Ok((rounds, Some((stop, results)))), _) => return Ok((rounds, stop, results)),
                (Ok((rounds, None)), Some(relay)) => self.move_rows(rounds, stage, relay),
                (Ok((_, None)), None) => Err(Error::wiring("(queue)", "(rows)", "they move where they may not")),
                (Err(error), _) => Err(error),
            };
            // A device may be lost while its place is taken: each is opened again only so often.
            while let Err(error) = went_on {
                let relay = outermost.relay.as_mut();
                let again = relay.and_then(|relay| self.leave_lost(stage, relay, checkpoint));
                went_on = again.ok_or(error)?;
            }
        }
    }

    /// Tells of the end, and makes the results of all tasks of this rank.
    pub(super) fn results(&self, stage: &mut Stage, rounds: u32, stop: Stop) -> Result<Vec<R>> {
        let Stage { devices, ranks, tasks, .. } = stage;
        let engine = Engine { session: &self.session, devices, ranks, outputs: Vec::new() };
        let told = engine.tell_end(&self.body, (rounds, stop), &tasks[0]);
        ranks.agree(told.and_then(|()| tasks.iter_mut().map(|task| (self.complete)(task)).collect()))
    }

    /// Shares out the rows as was decided; where they do not fit so, they stay where they were for good.
    fn move_rows<'s>(&'s self, rounds: u32, stage: &mut Stage<'s>, relay: &mut Relay) -> Result<()> {
        let decided = relay.balance.decided.take().unwrap_or_default();
        let state = match Saved::of_tasks(rounds, &relay.keeps, &stage.ready, &stage.tasks) {
            Ok(state) => state,
            // What cannot be moved stays; a device that is lost is found so by the next round.
            Err(_) => {
                relay.begun = Some(rounds);
                relay.stay();
                return Ok(());
            }
        };
        let room = self.session.memory().reserve("what a run has come to", state.bytes()).ok();
        relay.kept = Some(Kept { state, _room: room });
        let before = std::mem::replace(&mut stage.devices.weights, decided);
        match self.place_anew(stage, relay, None) {
            Err(Error::OutOfMemory { .. }) => {
                stage.devices.weights = before;
                relay.stay();
                self.place_anew(stage, relay, None)
            }
            done => done,
        }
    }

    /// Goes on with the devices that are not lost; `None` where none is lost.
    fn leave_lost<'s>(
        &'s self,
        stage: &mut Stage<'s>,
        relay: &mut Relay,
        checkpoint: Option<&Checkpoint>,
    ) -> Option<Result<()>> {
        let lost = stage.devices.replace_lost(&self.session);
        if lost.is_empty() {
            return None;
        }
        let done = self.shared_out(&mut stage.devices).and_then(|()| {
            stage.ready = self.steps(&stage.devices, None)?;
            self.place_anew(stage, relay, checkpoint)
        });
        let begun = relay.begun.unwrap_or(0);
        stage.outputs.retain(|output| output.round.first().is_some_and(|round| *round <= begun));
        let from = if begun > 0 { format!("it went on after round {begun}") } else { "it began anew".to_owned() };
        stage.warnings.extend(lost.into_iter().map(|lost| format!("{lost} while the queue ran: {from}")));
        Some(done)
    }

    /// Places tasks that go on from what was kept, else from a checkpoint, else from the beginning.
    fn place_anew<'s>(
        &'s self,
        stage: &mut Stage<'s>,
        relay: &mut Relay,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<()> {
        // What these hold is room for those that come.
        stage.tasks.clear();
        let clock = Instant::now();
        let (mut tasks, _) = self.placed(&stage.ready, &mut stage.devices, None)?;
        stage.ranks.num_task = tasks.len();
        number(&mut tasks, &stage.ranks);
        let kept = relay.kept.as_ref().map(|kept| &kept.state);
        let state = kept.or_else(|| checkpoint.and_then(Checkpoint::from));
        if let Some(state) = state {
            state.give(&relay.keeps, &stage.ready, &mut tasks)?;
        }
        (stage.tasks, relay.begun) = (tasks, Some(state.map_or(0, Saved::rounds)));
        stage.placed = clock.elapsed();
        stage.pin += stage.placed;
        Ok(())
    }
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;
    use crate::backend::gpu::GpuDevice;
    use crate::queue::{
        AllReduce, Compute, ComputeFunction, IterationListener, Key, Objects, Rows, Session, Shader, ShapeRule,
    };
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

    const VALUE: Key<Vec<u32>> = Key::new("value");
    const SUMMARY: Key<Vec<u32>> = Key::new("summary");

    /// Counts to 12, on devices; not in a round that was begun unseen after the last.
    struct Count;

    impl ComputeFunction for Count {
        fn objects(&self) -> Objects {
            Objects::none().updates(VALUE).writes(SUMMARY).shape(SUMMARY, ShapeRule::fixed([1])).once_per_device()
        }

        fn calc(&self, cx: &mut ComContext) -> Result<()> {
            cx.get_mut(VALUE)?[0] += 1;
            let value = cx.get(VALUE)?.clone();
            cx.put(SUMMARY, value)
        }

        fn shader(&self) -> Option<Shader> {
            let source = "
                @group(0) @binding(0) var<storage, read_write> value: array<u32>;
                @group(0) @binding(1) var<storage, read_write> summary: array<u32>;
                @group(0) @binding(2) var<uniform> unseen: u32;
                @compute @workgroup_size(1) fn main() {
                    if (unseen == 0u || value[0] < 12u) { value[0] += 1u; }
                    summary[0] = value[0];
                }";
            Some(Shader::wgsl(source).named("count").workgroups(1))
        }
    }

    #[test]
    fn a_queue_that_looks_ahead_goes_on_after_the_round_that_was_kept() -> Result<()> {
        let Ok(device) = GpuDevice::open(0) else {
            eprintln!("skipped: no adapter");
            return Ok(());
        };
        let (session, destroys) =
            (Session::builder().own_device(device.clone()).build()?, Destroys(device, Mutex::default()));
        let mut queue = IterativeComQueue::new(&session)
            .init_with_broadcast_data(VALUE, vec![0])
            .add(Count)
            .look_ahead(SUMMARY, Duration::MAX, |value: &Vec<u32>| Ok(value[0] < 12))
            .set_compare_criterion(|cx| Ok(cx.get(SUMMARY)?[0] == 12))
            .set_max_iter(100)
            .listen(&destroys)
            .goes_on_from(VALUE);
        queue.apart = Duration::ZERO;
        let run = queue.close_with(|cx| cx.take(VALUE)).run()?;
        assert_eq!((run.results, run.rounds, run.stop), (vec![vec![12]], 12, Stop::Criterion));
        let heard = destroys.1.lock().unwrap().clone();
        let kept = heard.get(5).map_or(0, |next| next - 1);
        assert!((1..=5).contains(&kept) && heard == (1..=5).chain(kept + 1..=12).collect::<Vec<_>>(), "{heard:?}");
        assert!(run.warnings[0].ends_with(&format!("it went on after round {kept}")), "{:?}", run.warnings);
        Ok(())
    }
}
