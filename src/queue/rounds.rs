//! The loop: an iteration's rounds, and those of the queues inside it.

use super::body::{Body, Nested};
use super::checkpoint::Keeper;
use super::context::ComContext;
use super::exec::{self, ReadyStep, in_round};
use super::feed::{Feed, Tables};
use super::key::Kind;
use super::listener::{IterationListener, Stop};
use super::place::{self, Devices, Share};
use super::plan::Scope;
use super::ranks::{Ranks, Vote};
use super::relay::Relay;
use super::run::Output;
use super::session::Session;
use crate::{Error, Result};

/// An iteration with everything compiled.
pub(crate) struct ReadyBody<'q> {
    pub(super) body: &'q Body<'q>,
    pub(super) steps: Vec<ReadyStep<'q>>,
    pub(super) scope: Scope,
}

/// What all iterations of a run share.
pub(crate) struct Engine<'r> {
    pub(super) session: &'r Session,
    pub(super) devices: &'r Devices,
    pub(super) ranks: &'r Ranks,
    pub(super) outputs: Vec<Output>,
}

/// What drives the rounds of an unbounded iteration.
pub(crate) struct Feeding<'a> {
    pub(super) feed: Feed<'a>,
    pub(super) shares: Vec<Share>,
}

impl Feeding<'_> {
    /// Gives the tasks their rows of a batch.
    fn give(&self, batch: &Tables, tasks: &mut [ComContext], devices: &Devices) -> Result<()> {
        self.feed.rows().iter().zip(batch).try_for_each(|(declared, table)| {
            place::cut(declared.name, table, tasks, devices, &self.shares);
            place::pin_anew(declared.name, tasks, devices)
        })
    }
}

/// What only the outermost iteration of a run has.
#[derive(Default)]
pub(crate) struct Outermost<'f, 'a> {
    /// Has given the tasks their first rows already.
    pub(super) feeding: Option<Feeding<'a>>,
    /// Has brought the tasks to the round that a checkpoint was written in.
    pub(super) keeper: Option<Keeper<'f, 'a>>,
    /// Where the run may go on elsewhere.
    pub(super) relay: Option<Relay>,
}

impl Outermost<'_, '_> {
    /// How many rounds were done before, and why the last one was the last, if it was.
    fn begins(&self) -> (u32, Option<Stop>) {
        match self.relay.as_ref().and_then(|relay| relay.begun) {
            Some(rounds) => (rounds, None),
            None => self.keeper.as_ref().map_or((0, None), Keeper::begins),
        }
    }
}

impl Engine<'_> {
    /// Runs rounds until one is the last, and says why; `None` where the rows are to move before the next. Where there are several
    /// ranks, `verdict` is an error that waits for the next communication.
    pub(super) fn iterate(
        &mut self,
        ready: &ReadyBody,
        tasks: &mut [ComContext],
        mut verdict: Result<()>,
        outermost: &mut Outermost,
    ) -> Result<(u32, Option<Stop>)> {
        let (body, ranks) = (ready.body, self.ranks);
        let (mut round, ended) = outermost.begins();
        let Outermost { feeding, keeper, relay } = outermost;
        match ended {
            // A higher maximum, or more data, may go on where there was none left; a lower maximum undoes no round.
            None | Some(Stop::MaxIter | Stop::EndOfData) if body.max_iter.is_none_or(|most| most > round) => {}
            ended => return Ok((round, ended.or(Some(Stop::MaxIter)))),
        }
        #[cfg(feature = "gpu")]
        if let Some(ahead) = self.ahead(body, tasks, (feeding.is_some() || keeper.is_some(), verdict.is_ok())) {
            let ended = self.iterate_ahead(ahead, ready, tasks, (round, relay));
            return ended.map(|(round, stop)| (round, Some(stop)));
        }
        let stop = loop {
            round += 1;
            tasks.iter_mut().for_each(|task| task.start_round(round, &ready.scope));
            relay.iter().for_each(|relay| relay.balance.begin(round, &self.devices.busy));
            let told = verdict.and_then(|()| self.tell(body, round, &tasks[0], |to, cx| to.on_round_start(round, cx)));
            let done = exec::superstep(&ready.steps, tasks, self, round, told);
            tasks.iter_mut().for_each(|task| task.communicated = ranks.take_spent());
            let met = done.and_then(|()| {
                let met = ranks.has_first_task() && is_met(body, round, &tasks[0])?;
                self.devices.submit()?;
                self.collect(body, round, &tasks[0])?;
                self.tell(body, round, &tasks[0], |to, cx| to.on_round_end(round, cx))?;
                Ok(met)
            });
            let fed = body.feedback.iter().map(|of| tasks.iter().any(|task| task.feeds_back(of.name))).collect();
            let (interrupted, due) = (self.session.is_interrupted(), keeper.as_ref().is_some_and(|k| k.is_due(round)));
            let vote = ranks.decide(met.map(|met| Vote { met, interrupted, due, fed }))?;
            verdict = Ok(());
            let mut stop = stop_of(body, round, &vote);
            // What is written belongs to the rows of this round.
            let next = match (feeding.as_mut(), stop) {
                (Some(feeding), None) => {
                    let next = feeding.feed.next()?;
                    let end = if self.session.is_interrupted() { Stop::Interrupted } else { Stop::EndOfData };
                    stop = next.is_none().then_some(end);
                    next
                }
                _ => None,
            };
            if let Some(keeper) = keeper.as_mut().filter(|_| vote.due || stop.is_some()) {
                keeper.write(round, stop, ready, tasks, (ranks, &**self.session.collective()))?;
            }
            if let Some(stop) = stop {
                break stop;
            }
            if let Some(relay) = relay.as_mut() {
                if relay.balance.end(round, &self.devices.busy) {
                    return Ok((round, None));
                }
                relay.keep_if_due(round, ready, tasks, self.session.memory());
            }
            if let (Some(feeding), Some(batch)) = (feeding.as_mut(), next) {
                verdict = feeding.give(&batch, tasks, self.devices);
            }
        };
        for task in tasks.iter_mut() {
            body.feedback.iter().for_each(|of| task.deliver_last(of.name));
        }
        Ok((round, Some(stop)))
    }

    /// Tells the listeners that an iteration has ended.
    pub(super) fn tell_end(&self, body: &Body, (rounds, stop): (u32, Stop), task: &ComContext) -> Result<()> {
        self.tell(body, rounds, task, |to, cx| to.on_terminated(rounds, stop, cx))
    }

    /// Runs a queue that is an item of another, from its own first round.
    pub(super) fn nested(
        &mut self,
        nested: &Nested,
        ready: &ReadyBody,
        tasks: &mut [ComContext],
        verdict: Result<()>,
    ) -> Result<()> {
        let outer = tasks.iter_mut().map(|task| task.enter(&ready.scope)).collect::<Vec<_>>();
        let verdict = verdict.and_then(|()| give(ready.body, tasks));
        let ended = self.iterate(ready, tasks, verdict, &mut Outermost::default());
        let told = ended.and_then(|(rounds, stop)| match stop {
            Some(stop) => self.tell_end(ready.body, (rounds, stop), &tasks[0]),
            None => Ok(()),
        });
        let completed = told.and_then(|()| tasks.iter_mut().try_for_each(|task| (nested.complete)(task)));
        tasks.iter_mut().zip(outer).for_each(|(task, outer)| task.leave(outer));
        completed
    }

    /// Tells the listeners, on the rank that has task 0.
    pub(super) fn tell(
        &self,
        body: &Body,
        round: u32,
        task: &ComContext,
        tell: impl Fn(&dyn IterationListener, &ComContext) -> Result<()>,
    ) -> Result<()> {
        if !self.ranks.has_first_task() {
            return Ok(());
        }
        let told = body.listeners.iter().try_for_each(|listener| tell(&**listener, task));
        told.map_err(|error| in_round(error, round, "listener"))
    }

    /// Keeps the outputs that are there, or hands them to whoever gets them, on the rank that has task 0.
    fn collect(&mut self, body: &Body, round: u32, task: &ComContext) -> Result<()> {
        for output in body.outputs.iter().filter(|_| self.ranks.has_first_task()) {
            let name = output.of.name;
            let Some(value) = task.hosted(name)? else { continue };
            match &output.to {
                Some(deliver) => {
                    deliver(task.round(), value).map_err(|error| in_round(error, round, &format!("output({name})")))?;
                }
                None => {
                    let (round, value) = (task.round().to_vec(), value.duplicate());
                    self.outputs.push(Output { name, round, value });
                }
            }
        }
        Ok(())
    }
}

/// Why a round is the last, as far as the ranks have decided.
fn stop_of(body: &Body, round: u32, vote: &Vote) -> Option<Stop> {
    if vote.met {
        Some(Stop::Criterion)
    } else if vote.fed.contains(&false) {
        Some(Stop::NoFeedback)
    } else if body.max_iter == Some(round) {
        Some(Stop::MaxIter)
    } else {
        vote.interrupted.then_some(Stop::Interrupted)
    }
}

pub(super) fn is_met(body: &Body, round: u32, task: &ComContext) -> Result<bool> {
    let met = body.criterion.as_ref().map_or(Ok(false), |stop| stop(task));
    met.map_err(|error| in_round(error, round, "criterion"))
}

/// Gives every task the objects that an iteration starts with.
pub(super) fn give(body: &Body, tasks: &mut [ComContext]) -> Result<()> {
    for (declared, value) in &body.broadcast {
        let Kind::Object(of) = declared.kind else { continue };
        for task in &mut *tasks {
            task.put_hosted(declared.name, of, declared.lifetime, value.clone())?;
        }
    }
    Ok(())
}

/// Names the queue inside another that an error comes from, and the round of the other.
pub(super) fn in_queue(error: Error, round: u32, name: &str) -> Error {
    match error {
        error @ (Error::Wiring { .. } | Error::Rank { .. }) => error,
        source => Error::Item { round, item: name.to_owned(), source: Box::new(source) },
    }
}
