//! The loop of a queue that looks ahead: each round is looked at while the next one runs.

use super::body::{Ahead, Body};
use super::context::ComContext;
use super::exec;
use super::key::Kind;
use super::listener::Stop;
use super::object::{Hosted, Shape};
use super::relay::Relay;
use super::rounds::{Engine, ReadyBody, is_met};
use super::stored::Stored;
use crate::backend::gpu::ReadBack;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rounds whose successor is begun unseen: the first and the second differ from those that follow in what they start from.
const FIRST_UNSEEN: u32 = 3;

/// A round that was handed over to the device, with the value to look at on its way.
struct Begun {
    round: u32,
    value: ReadBack,
}

impl Engine<'_> {
    /// What is looked at of each round, where the next may begin before.
    pub(super) fn ahead<'b>(
        &self,
        body: &'b Body<'b>,
        tasks: &[ComContext],
        (is_driven, is_sound): (bool, bool),
    ) -> Option<&'b Ahead<'b>> {
        let ahead = body.ahead.as_ref()?;
        let is_alone = self.ranks.is_alone() && self.devices.list.len() == 1;
        let is_plain = body.feedback.is_empty() && body.outputs.is_empty() && !is_driven && is_sound;
        let on_device =
            |task: &ComContext| task.place.gpu.is_some() && !task.is_streamed() && !task.place.profile.is_on();
        (is_alone && is_plain && tasks.iter().all(on_device)).then_some(ahead)
    }

    /// Runs rounds, after those that were done, until one is the last.
    pub(super) fn iterate_ahead(
        &mut self,
        ahead: &Ahead,
        ready: &ReadyBody,
        tasks: &mut [ComContext],
        (done, relay): (u32, &mut Option<Relay>),
    ) -> Result<(u32, Stop)> {
        let body = ready.body;
        let (mut begun, mut clock) = (self.begin(ahead, ready, tasks, done + 1, false)?, Instant::now());
        // What the last round took, and whether it left the next one to the device alone.
        let (mut took, mut is_calm) = (Duration::MAX, true);
        loop {
            let (round, next) = (begun.round, begun.round + 1);
            let is_last = body.max_iter == Some(round);
            // What a round has come to is there to be kept until the next begins.
            let keeps = relay.as_ref().is_some_and(Relay::is_due);
            let may_look_ahead = is_calm && took <= ahead.within && next >= done + FIRST_UNSEEN && !keeps;
            let unseen = if may_look_ahead && !is_last && !self.session.is_interrupted() {
                Some(self.begin(ahead, ready, tasks, next, true)?)
            } else {
                None
            };
            let (value, shape) = value_of(ahead, &tasks[0], begun.value)?;
            (took, clock) = (clock.elapsed(), Instant::now());
            is_calm = (ahead.goes_on)(&*value.object)?;
            let value = Stored::on_host(value, Some(shape));
            let is_met = self.look_at(body, round, ahead.of.name, value, &mut tasks[0])?;
            let stop = if is_met {
                Some(Stop::Criterion)
            } else if is_last {
                Some(Stop::MaxIter)
            } else {
                (unseen.is_none() && self.session.is_interrupted()).then_some(Stop::Interrupted)
            };
            if let Some(stop) = stop {
                // The round begun unseen, if there is one, has left everything as it was.
                tasks.iter_mut().for_each(|task| task.resume(round));
                return Ok((round, stop));
            }
            if let (true, Some(relay)) = (keeps, relay.as_mut()) {
                relay.keep(round, ready, tasks, self.session.memory());
            }
            begun = match unseen {
                Some(unseen) if is_calm => {
                    self.tell(body, next, &tasks[0], |to, cx| to.on_round_start(next, cx))?;
                    unseen
                }
                _ => self.begin(ahead, ready, tasks, next, false)?,
            };
        }
    }

    /// Records a round and hands it over. Listeners hear of one that was begun unseen once it counts.
    fn begin(
        &mut self,
        ahead: &Ahead,
        ready: &ReadyBody,
        tasks: &mut [ComContext],
        round: u32,
        unseen: bool,
    ) -> Result<Begun> {
        for task in tasks.iter_mut() {
            task.start_round(round, &ready.scope);
            task.unseen = unseen;
        }
        if !unseen {
            self.tell(ready.body, round, &tasks[0], |to, cx| to.on_round_start(round, cx))?;
        }
        exec::superstep(&ready.steps, tasks, self, round, Ok(()))?;
        tasks.iter_mut().for_each(|task| task.unseen = false);
        let name = ahead.of.name;
        let missing = || Error::wiring("look_ahead", name, "no item has left it on the device");
        let task = &tasks[0];
        let buffer = task.stored(name).and_then(|stored| stored.device.as_ref()).ok_or_else(missing)?;
        let gpu = task.place.gpu.as_ref().ok_or_else(missing)?;
        Ok(Begun { round, value: gpu.read_back(buffer)? })
    }

    /// Asks the criterion of a round, and tells listeners of its end, while the next one runs.
    fn look_at(
        &self,
        body: &Body,
        round: u32,
        name: &'static str,
        value: Stored,
        task: &mut ComContext,
    ) -> Result<bool> {
        let now = task.look_back(round, name, value);
        let met = is_met(body, round, task).and_then(|met| {
            self.tell(body, round, task, |to, cx| to.on_round_end(round, cx))?;
            Ok(met)
        });
        task.look_up(now);
        met
    }
}

impl ComContext<'_> {
    /// Stands at the end of an earlier round, of which one object is left, until the round is given back.
    fn look_back(&mut self, round: u32, name: &'static str, value: Stored) -> u32 {
        let now = self.round_no();
        self.resume(round);
        self.seen = Some((name, value));
        now
    }

    /// Stands in the present round again.
    fn look_up(&mut self, round: u32) {
        self.resume(round);
        self.seen = None;
    }
}

/// Waits for the value of a round.
fn value_of(ahead: &Ahead, task: &ComContext, value: ReadBack) -> Result<(Arc<Hosted>, Shape)> {
    let name = ahead.of.name;
    let missing = || Error::wiring("look_ahead", name, "its value is no array that a device can hold");
    let (Kind::Object(of), Some(shape)) = (ahead.of.kind, task.shape(name).cloned()) else { return Err(missing()) };
    let bytes = value.wait()?;
    let object = of.read_first(&shape, &bytes).ok_or_else(missing)?;
    Ok((Hosted::new(object), shape))
}
