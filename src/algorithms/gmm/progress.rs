//! What a fit tells while it runs, and what it leaves as its trace.

use crate::algorithms::kmeans;

/// A step of a fit, for progress bars and logs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// The k-means that a start begins with.
    Init {
        /// Which start, from 0, of how many.
        start: usize,
        /// How many starts there are.
        starts: usize,
        /// What k-means tells.
        step: kmeans::Progress,
    },
    /// A round has ended.
    Round {
        /// Which start, from 0, of how many.
        start: usize,
        /// How many starts there are.
        starts: usize,
        /// What the round did.
        round: Round,
        /// The most rounds there will be.
        max_iter: u32,
    },
}

/// One round: a pass over the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Round {
    /// The round's number, from 1.
    pub iteration: u32,
    /// The mean log-likelihood of the rows under the parameters that the round began with: in nats, of the data's own units.
    pub lower_bound: f64,
    /// How much that is above the one of the round before; infinite in the first.
    pub change: f64,
}
