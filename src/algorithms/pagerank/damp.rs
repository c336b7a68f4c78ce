//! The item of the host: what follows from the edges is damped, and becomes the next ranks.

use super::graph::Graph;
use crate::algorithms::sparse::{PRODUCT, VECTOR};
use crate::data::BLOCK;
use crate::queue::{ComContext, ComputeFunction, Key, Object, Objects};
use crate::{Error, Result};
use rayon::prelude::*;

/// What is handed on over the edges is counted in units of 2^-62. All ranks together are 1, so nothing reaches 2.
const UNITS: f64 = (1_u64 << 62) as f64;

/// What the rounds have come to.
pub(super) const RANKS: Key<Ranks> = Key::new("ranks");

/// One round: a pass over the edges.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PageRankRound {
    /// The round's number, from 1.
    pub iteration: u32,
    /// By how much it changed the ranks: the magnitudes, summed over all nodes.
    pub change: f64,
    /// What the ranks of the dangling nodes add up to after it.
    pub dangling: f64,
}

/// The ranks, and the rounds until now.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranks {
    pub(super) values: Vec<f64>,
    /// What those of the dangling nodes add up to.
    pub(super) dangling: f64,
    pub(super) rounds: Vec<PageRankRound>,
}

impl Object for Ranks {}

impl Ranks {
    /// By how much the last round changed them.
    pub(super) fn change(&self) -> f64 {
        self.rounds.last().map_or(f64::INFINITY, |round| round.change)
    }
}

/// A distribution over the nodes.
#[derive(Debug, Clone)]
pub(super) enum Distribution {
    /// All of n nodes alike.
    Uniform(f64),
    Weights(Vec<f64>),
}

impl Distribution {
    /// That of some weights, which must not be all 0; else all nodes alike.
    pub(super) fn of(weights: Option<&[f64]>, nodes: usize) -> Self {
        match weights {
            Some(weights) => {
                let all = sum(nodes, |range| weights.iter().take(range.end).skip(range.start).sum());
                Self::Weights(weights.iter().map(|weight| weight / all).collect())
            }
            None => Self::Uniform(1.0 / nodes as f64),
        }
    }

    pub(super) fn at(&self, node: usize) -> f64 {
        match self {
            Self::Uniform(each) => *each,
            Self::Weights(weights) => weights.get(node).copied().unwrap_or(0.0),
        }
    }
}

/// A sum over n nodes whose shape depends on n alone: of blocks, one after the other.
pub(super) fn sum(nodes: usize, block: impl Fn(std::ops::Range<usize>) -> f64 + Sync) -> f64 {
    let length = BLOCK as usize;
    let blocks = (0..nodes.div_ceil(length)).into_par_iter();
    let sums: Vec<f64> = blocks.map(|at| block(at * length..nodes.min((at + 1) * length))).collect();
    sums.iter().sum()
}

/// Takes what came to each node over its edges, and puts the ranks and what each node hands on over its own.
///
/// `r' = d·(s + D·w) + (1 − d)·p`, with the damping d, the sums s over the edges, D what the ranks of dangling nodes add up to,
/// and the distributions w, where these lead to, and p, where the surfer starts again.
pub(super) struct Damp<'g> {
    pub(super) graph: &'g Graph,
    pub(super) damping: f64,
    pub(super) personalization: Distribution,
    /// `None` where it is that of the personalization.
    pub(super) dangling: Option<Distribution>,
}

impl ComputeFunction for Damp<'_> {
    fn objects(&self) -> Objects {
        Objects::reads(PRODUCT).writes(VECTOR).updates(RANKS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let Ranks { mut values, dangling, mut rounds } = cx.take(RANKS)?;
        let change = self.next(cx.get(PRODUCT)?, dangling, &mut values)?;
        let dangling = self.dangling_of(&values);
        rounds.push(PageRankRound { iteration: rounds.len() as u32 + 1, change, dangling });
        cx.put(VECTOR, self.handed_on(&values))?;
        cx.put(RANKS, Ranks { values, dangling, rounds })
    }
}

impl Damp<'_> {
    /// Puts the next ranks in place of `ranks`, and says by how much they changed.
    fn next(&self, product: &[i64], dangling: f64, ranks: &mut [f64]) -> Result<f64> {
        if product.len() != ranks.len() {
            let message = format!("{} sums for {} nodes", product.len(), ranks.len());
            return Err(Error::wiring("Damp", PRODUCT.name(), message));
        }
        let length = BLOCK as usize;
        let blocks = ranks.par_chunks_mut(length).zip(product.par_chunks(length)).enumerate();
        let changes: Vec<f64> = blocks
            .map(|(block, (ranks, product))| {
                let nodes = block * length..;
                let each = nodes.zip(ranks.iter_mut().zip(product));
                each.map(|(node, (rank, sum))| {
                    let again = self.personalization.at(node);
                    let lost = dangling * self.dangling.as_ref().map_or(again, |weights| weights.at(node));
                    let new = self.damping * (*sum as f64 / UNITS + lost) + (1.0 - self.damping) * again;
                    (new - std::mem::replace(rank, new)).abs()
                })
                .sum()
            })
            .collect();
        Ok(changes.iter().sum())
    }

    /// What the ranks of the dangling nodes add up to.
    pub(super) fn dangling_of(&self, ranks: &[f64]) -> f64 {
        let out = self.graph.out();
        sum(ranks.len(), |nodes| {
            let each = ranks.iter().zip(out).take(nodes.end).skip(nodes.start);
            each.filter(|(_, out)| **out == 0.0).map(|(rank, _)| rank).sum()
        })
    }

    /// What each node hands on over an edge of the weight 1, in units.
    pub(super) fn handed_on(&self, ranks: &[f64]) -> Vec<i64> {
        let each = ranks.par_iter().zip(self.graph.out());
        each.map(|(rank, out)| if *out > 0.0 { (rank / out * UNITS).round() as i64 } else { 0 }).collect()
    }
}
