//! What a queue has done.

use super::key::Key;
use super::listener::Stop;
use super::object::{AnyObject, Object};
use std::time::Duration;

/// The rows of a run that were not pinned, and what it cost to read them in every round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Streamed {
    /// How many rows were streamed.
    pub rows: u64,
    /// How many rows there are, the pinned ones among them.
    pub of_rows: u64,
    /// The bytes that were read in all rounds, as f32.
    pub bytes: u64,
    /// The time all readers together spent on reading.
    pub reading: Duration,
    /// How many there were: threads of the CPU, or one for each other device.
    pub readers: usize,
    /// The time all rounds took.
    pub rounds: Duration,
}

impl Streamed {
    /// Which part of the readers' time reading took: near 1, the rounds are bound by it, near 0 by computing.
    pub fn reading_share(&self) -> f64 {
        let whole = self.rounds.as_secs_f64() * self.readers as f64;
        if whole > 0.0 { (self.reading.as_secs_f64() / whole).min(1.0) } else { 0.0 }
    }

    /// What bounds the rounds, as a word: `reading` or `computing`.
    pub fn bound_by(&self) -> &'static str {
        if self.reading_share() > 0.5 { "reading" } else { "computing" }
    }
}

/// An object as it was at the end of a round.
pub(crate) struct Output {
    pub(super) name: &'static str,
    pub(super) round: Vec<u32>,
    pub(super) value: Box<dyn AnyObject>,
}

/// What a queue has done.
pub struct Run<R> {
    /// What `close_with` made, one for each task of this rank.
    pub results: Vec<R>,
    /// How many rounds ran.
    pub rounds: u32,
    /// Why it ended.
    pub stop: Stop,
    /// How long it took to cut the rows into partitions and bring them to the devices.
    pub pin: Duration,
    /// What was streamed; `None` where all rows were pinned.
    pub streamed: Option<Streamed>,
    /// How often rows have moved to other devices, as [`goes_on_from`](super::IterativeComQueue::goes_on_from) allows.
    pub moves: u32,
    /// What a person should know of the run, one sentence each: devices that were lost. Empty where all went well.
    pub warnings: Vec<String>,
    pub(super) outputs: Vec<Output>,
}

impl<R> Run<R> {
    /// The values of an output, each with the round at whose end it was collected: `[round]`, of a queue inside another
    /// `[outer, inner]`, as [`ComContext::round`](super::ComContext::round) says it.
    pub fn output<T: Object>(&self, key: Key<T>) -> impl Iterator<Item = (&[u32], &T)> {
        let of_key = self.outputs.iter().filter(move |output| output.name == key.name());
        of_key.filter_map(|output| Some((&*output.round, output.value.as_any().downcast_ref()?)))
    }
}
