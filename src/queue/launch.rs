//! Running a queue once it is built: checks, kernels, tasks, and then the rounds.

use super::checkpoint::{Checkpoint, Keeper};
use super::context::ComContext;
use super::exec;
use super::feed::{Feed, NoRows, Tables};
use super::iterative::IterativeComQueue;
use super::key::Declared;
use super::listener::Stop;
use super::needs::Needs;
use super::object::AnyObject;
use super::place::{self, Devices, Share, Source};
use super::plan;
use super::ranks::Ranks;
use super::relay::{Relay, Stage};
use super::rounds::{self, Feeding, Outermost, ReadyBody};
use super::run::{Run, Streamed};
use crate::data::BLOCK;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The rows that come in batches, and the first tables of these, if any came.
type Fed = Option<(Vec<Declared>, Option<Tables>)>;

/// A rank's part of a queue that is about to run.
struct Launched<'s> {
    ready: ReadyBody<'s>,
    tasks: Vec<ComContext<'s>>,
    shares: Vec<Share>,
    /// How long it took to bring the rows to the devices.
    placed: Duration,
}

impl<R: Send> IterativeComQueue<'_, R> {
    /// Runs the queue in the session's pool.
    pub(super) fn launch(mut self) -> Result<Run<R>> {
        let sequences = std::mem::take(&mut self.unbounded);
        let mut feed = (!sequences.is_empty()).then(|| Feed::new(sequences, &self.session));
        let checkpoint = self.checkpoint.take();
        let done = checkpoint.as_ref().map_or(0, Checkpoint::begins);
        let first = feed.as_mut().map_or(Ok(None), |feed| feed.after(done))?;
        let has_rows = feed.is_none() || first.is_some();
        let fed = feed.as_ref().map(|feed| (feed.rows(), first));

        let mut devices = Devices::of(&self.session);
        devices.block = self.block.max(1);
        let mut warnings = devices.replace_lost(&self.session);
        let clock = Instant::now();
        let launched = loop {
            match self.ready(&mut devices, fed.clone()) {
                Ok(launched) => break Ok(launched),
                Err(error) => {
                    let lost = devices.replace_lost(&self.session);
                    if lost.is_empty() {
                        break Err(error);
                    }
                    warnings.extend(lost);
                }
            }
        };
        let launched = launched.map(|launched| {
            let count = launched.tasks.len();
            (launched, count)
        });
        let (Launched { ready, mut tasks, shares, placed }, ranks) = Ranks::join(self.session.collective(), launched)?;
        number(&mut tasks, &ranks);
        let (pin, before) = (clock.elapsed(), devices.meter.read());

        let feeding = feed.map(|feed| Feeding { feed, shares });
        let keeper = checkpoint.as_ref().map(|checkpoint| Keeper::new(checkpoint, &self.tables(), &ready, &mut tasks));
        let keeper = ranks.agree(keeper.transpose())?;
        let goes_on = ranks.is_alone() && feeding.is_none() && !self.goes_on_from.is_empty();
        let relay = goes_on.then(|| Relay::new(self.goes_on_from.clone(), self.by_speed, self.apart));
        let mut outermost = Outermost { feeding, keeper, relay };
        let mut stage = Stage { devices, ranks, ready, tasks, pin, placed, outputs: Vec::new(), warnings };
        let (rounds, stop, results) = if has_rows {
            self.rounds(&mut stage, &mut outermost, checkpoint.as_ref())?
        } else {
            let stop = if self.session.is_interrupted() { Stop::Interrupted } else { Stop::EndOfData };
            (done, stop, self.results(&mut stage, done, stop)?)
        };
        let Stage { devices, tasks, pin, outputs, warnings, .. } = stage;
        let streamed = self.streamed(&tasks, &devices, before, clock.elapsed() - pin);
        let moves = outermost.relay.map_or(0, |relay| relay.balance.moves);
        Ok(Run { results, rounds, stop, pin, streamed, moves, warnings, outputs })
    }

    /// What was streamed since the meter stood at `before`; `None` where all rows were pinned.
    fn streamed(
        &self,
        tasks: &[ComContext],
        devices: &Devices,
        before: (u64, Duration),
        rounds: Duration,
    ) -> Option<Streamed> {
        let (bytes, reading) = devices.meter.read();
        tasks.iter().any(ComContext::is_streamed).then(|| Streamed {
            rows: tasks.iter().filter(|task| task.is_streamed()).map(ComContext::row_count).sum(),
            of_rows: tasks.iter().map(ComContext::row_count).sum(),
            bytes: bytes - before.0,
            reading: reading - before.1,
            readers: devices.readers(self.session.threads()),
            rounds,
        })
    }

    /// Says how the rows are shared out.
    pub(super) fn shared_out(&self, devices: &mut Devices) -> Result<()> {
        if self.by_speed {
            devices.weights = self.session.weights(&devices.list)?;
        }
        Ok(())
    }

    /// Compiles the items, cuts the rows and pins what can be pinned.
    fn ready<'s>(&'s self, devices: &mut Devices, fed: Fed) -> Result<Launched<'s>> {
        self.shared_out(devices)?;
        let ready = self.steps(devices, fed.as_ref())?;
        let clock = Instant::now();
        let (tasks, shares) = self.placed(&ready, devices, fed)?;
        Ok(Launched { ready, tasks, shares, placed: clock.elapsed() })
    }

    /// The shapes of all partitioned rows.
    fn tables(&self) -> Vec<(&'static str, u64, usize)> {
        let partitioned = self.body.all().into_iter().flat_map(|body| &body.partitioned);
        partitioned.map(|(declared, source)| (declared.name, source.rows(), source.columns())).collect()
    }

    /// Checks all that can be checked before round 1, and compiles.
    pub(super) fn steps<'s>(
        &'s self,
        devices: &Devices,
        fed: Option<&(Vec<Declared>, Option<Tables>)>,
    ) -> Result<ReadyBody<'s>> {
        if !self.block.is_power_of_two() || self.block > BLOCK {
            let message = format!("blocks of {} rows: take a power of two up to {BLOCK}", self.block);
            return Err(Error::parameter("in_whole_blocks", message));
        }
        self.body.check_end(fed.is_some())?;
        self.body.check_session(&self.session)?;
        let rows = fed.into_iter().flat_map(|(declared, first)| {
            let columns = |at: usize| first.as_ref().and_then(|tables| tables.get(at)).map(|table| table.columns());
            declared.iter().enumerate().map(move |(at, declared)| (*declared, columns(at)))
        });
        let planned = plan::plan(&self.body, &rows.collect::<Vec<_>>())?;
        if self.session.collective().size() > 1 {
            self.body.communications().try_for_each(|communicate| communicate.check_travel())?;
        }
        exec::compile(planned, devices)
    }

    /// The tasks, with what can be pinned pinned. A device that runs out of memory is tried again with half as much.
    pub(super) fn placed<'s>(
        &'s self,
        ready: &ReadyBody,
        devices: &mut Devices,
        fed: Fed,
    ) -> Result<(Vec<ComContext<'s>>, Vec<Share>)> {
        let bodies = self.body.all();
        let partitioned = bodies.iter().flat_map(|body| &body.partitioned);
        let in_batches = fed.iter().flat_map(|(declared, _)| declared);
        let names = partitioned.clone().map(|(declared, _)| declared.name).chain(in_batches.map(|of| of.name));
        let names: Vec<&'static str> = names.collect();
        let mut sources: Vec<Source<'s>> = partitioned.map(|(_, source)| source.clone() as Source<'s>).collect();
        if let Some((declared, first)) = fed {
            let none = || declared.iter().map(|_| Arc::new(NoRows) as Source<'static>).collect();
            sources.extend(first.unwrap_or_else(none).into_iter().map(|table| table as Source<'s>));
        }
        let broadcast = bodies.iter().flat_map(|body| &body.broadcast);
        let needs = device_needs(ready, broadcast.map(|(of, value)| (of.name, &*value.object)));
        loop {
            let shares = place::shares(devices, &sources, &needs)?;
            let mut tasks = self.tasks(devices, (&names, &sources), &shares)?;
            match place::pin(ready, &mut tasks, devices, &shares) {
                Err(error @ Error::OutOfMemory { .. }) => {
                    drop(tasks);
                    devices.halve(&shares).ok_or(error)?;
                }
                done => return done.map(|()| (tasks, shares)),
            }
        }
    }

    /// One context for each task of this rank, with its rows and the broadcast objects.
    fn tasks<'s>(
        &'s self,
        devices: &Devices,
        (names, sources): (&[&'static str], &[Source<'s>]),
        shares: &[Share],
    ) -> Result<Vec<ComContext<'s>>> {
        let owners = shares.iter().enumerate().flat_map(|(device, share)| std::iter::repeat_n(device, share.tasks));
        let count = shares.iter().map(|share| share.tasks).sum();
        let mut tasks: Vec<ComContext> =
            owners.enumerate().map(|(id, device)| ComContext::new(id, count, devices.place(device))).collect();
        for (name, source) in names.iter().zip(sources) {
            place::cut(name, source, &mut tasks, devices, shares);
        }
        rounds::give(&self.body, &mut tasks)?;
        Ok(tasks)
    }
}

/// Numbers the tasks of a rank among those of all.
pub(super) fn number(tasks: &mut [ComContext], ranks: &Ranks) {
    tasks.iter_mut().enumerate().for_each(|(at, task)| task.number(ranks.first_task, at, ranks.num_task));
}

/// What the items keep on a device beside the rows: see [`Needs`]. An object that was given and is put anew is there as it is,
/// as it was, and once more while the next one is brought.
fn device_needs<'o>(ready: &ReadyBody, broadcast: impl Iterator<Item = (&'static str, &'o dyn AnyObject)>) -> Needs {
    let items = ready.items();
    let times = |name: &str| if items.iter().any(|ready| ready.item.objects.may_write(name)) { 3 } else { 1 };
    let size = |(name, object): (&str, &dyn AnyObject)| Some(object.to_bytes()?.len() as u64 * times(name));
    let given = broadcast.filter_map(size).sum::<u64>();
    let mut needs =
        Needs::of(items.iter().filter(|ready| ready.item.shader.is_some()).map(|ready| &*ready.item.objects));
    needs.fixed += given;
    needs
}
