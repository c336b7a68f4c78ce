//! What a fit tells while it runs, and what it leaves as its trace.

use crate::queue::ItemTime;
use std::time::Duration;

/// A step of a fit, for progress bars and logs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// The rows are being brought to the devices and measured.
    Pin,
    /// The first centroids are being chosen: `done` of `of` rounds.
    Init {
        /// Rounds that are done.
        done: usize,
        /// Rounds in all.
        of: usize,
    },
    /// A round of the iteration has ended.
    Round {
        /// Which start, from 0, of how many.
        start: usize,
        /// How many starts there are.
        starts: usize,
        /// What the round did.
        round: Round,
        /// The most updates there will be.
        max_iter: u32,
        /// Rows assigned per second in this round.
        rows_per_second: f64,
    },
}

/// One update of the centroids and the assignment that followed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The update's number, from 1; 0 is the first assignment, to the initial centroids.
    pub iteration: u32,
    /// The inertia of the rows' labels, with the centroids they were assigned to.
    pub inertia: f64,
    /// The squared shifts of the centroids, summed.
    pub shift: f64,
    /// How many rows changed their cluster.
    pub moved: u64,
    /// The time it took.
    pub time: Duration,
    /// How much of it went into exchanging with other processes and waiting for them; zero where there is one.
    pub communicate: Duration,
    /// What its items took, kernels by their device's own clock, where [`KMeans::profile`](super::KMeans::profile) asked for
    /// it. Where there are several processes, those of the first.
    pub items: Vec<ItemTime>,
}

/// How long the phases of a fit took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Measuring the data, cutting them into partitions and bringing them to the devices.
    pub pin: Duration,
    /// Choosing the first centroids.
    pub init: Duration,
    /// All rounds, and the final inertia.
    pub iterate: Duration,
}
