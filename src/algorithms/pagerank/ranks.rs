//! What PageRank finds.

use super::damp::Round;
use crate::queue::{ItemTime, Streamed};
use std::time::Duration;

/// The ranks of a graph's nodes, and how they were found.
#[derive(Debug, Clone)]
pub struct PageRanks {
    pub(super) ranks: Vec<f64>,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) trace: Vec<Round>,
    pub(super) streamed: Option<Streamed>,
    pub(super) moves: u32,
    pub(super) pin: Duration,
    pub(super) items: Vec<ItemTime>,
    pub(super) warnings: Vec<String>,
}

impl PageRanks {
    /// The rank of each node: n numbers that are not negative and add up to 1.
    pub fn ranks(&self) -> &[f64] {
        &self.ranks
    }

    /// The nodes with the highest ranks and these ranks, the highest first; of nodes with one rank the lowest number first.
    pub fn top(&self, count: usize) -> Vec<(usize, f64)> {
        let mut all: Vec<(usize, f64)> = self.ranks.iter().copied().enumerate().collect();
        let higher = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if count < all.len() {
            all.select_nth_unstable_by(count, higher);
            all.truncate(count);
        }
        all.sort_unstable_by(higher);
        all
    }

    /// How many rounds were run.
    pub fn iterations(&self) -> u32 {
        self.trace.len() as u32
    }

    /// Whether the last round changed the ranks by less than the tolerance.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether the session was interrupted: the ranks are those of the last whole round.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// What each round did.
    pub fn trace(&self) -> &[Round] {
        &self.trace
    }

    /// What was streamed to the devices; `None` where they had all edges.
    pub fn streamed(&self) -> Option<&Streamed> {
        self.streamed.as_ref()
    }

    /// How often edges have moved to other devices, since one proved slower than it was taken for.
    pub fn moves(&self) -> u32 {
        self.moves
    }

    /// How long it took to bring the edges to the devices.
    pub fn pin(&self) -> Duration {
        self.pin
    }

    /// How long the items of all rounds took together, kernels by their device's own clock, where
    /// [`PageRank::profile`](super::PageRank::profile) asked for it.
    pub fn items(&self) -> &[ItemTime] {
        &self.items
    }

    /// What a person should know of the result, one sentence each; empty where all is well.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
