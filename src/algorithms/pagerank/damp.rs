//! The items that end a round: what came over the edges is damped and becomes the next ranks, and the round is kept.

use super::graph::Graph;
use crate::algorithms::sparse::{PRODUCT, VECTOR};
use crate::backend::cpu::{Damping, RANK_UNITS, damp_ranks};
use crate::data::BLOCK;
use crate::queue::{ComContext, ComputeFunction, Key, Object, Objects, Shader, ShapeRule};
use crate::{Error, Result};
use rayon::prelude::*;

/// The ranks, n numbers in [`RANK_UNITS`].
pub(super) const RANKS: Key<Vec<i64>> = Key::new("ranks");
/// One by what leads away from each node, n.
pub(super) const INVERSE: Key<Vec<i64>> = Key::new("inverse");
/// Where the surfer starts again, times 1 − d: n numbers, or one for all nodes.
pub(super) const AGAIN: Key<Vec<i64>> = Key::new("again");
/// Where what dangling nodes lose goes to, times d: n numbers, or one for all nodes.
pub(super) const LEADS: Key<Vec<i64>> = Key::new("leads");
/// By how much the ranks changed, which is 2 at most, and what dangling nodes have lost.
const TALLY: Key<Vec<u64>> = Key::new("tally");
/// The rounds until now.
pub(super) const ROUNDS: Key<Rounds> = Key::new("rounds");

/// One round: a pass over the edges.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Round {
    /// The round's number, from 1.
    pub iteration: u32,
    /// By how much it changed the ranks: the magnitudes, summed over all nodes.
    pub change: f64,
    /// What the ranks of the dangling nodes added up to before it.
    pub dangling: f64,
}

/// What the rounds have come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds(pub(super) Vec<Round>);

impl Object for Rounds {}

impl Rounds {
    /// By how much the last round changed the ranks.
    pub(super) fn change(&self) -> f64 {
        self.0.last().map_or(f64::INFINITY, |round| round.change)
    }
}

/// A distribution over n nodes, scaled, in [`RANK_UNITS`]: a number for each, or one for all of them. Weights must not be all 0.
pub(super) fn distribution(weights: Option<&[f64]>, nodes: usize, scale: f64) -> Vec<i64> {
    let units = |part: f64| (part * scale * RANK_UNITS as f64).round() as i64;
    match weights {
        Some(weights) => {
            let all: f64 = weights.iter().sum();
            weights.iter().map(|weight| units(weight / all)).collect()
        }
        None => vec![units(1.0 / nodes as f64)],
    }
}

/// Puts the next ranks, and what each node hands on over its edges.
///
/// `r' = d·(s + D·w) + (1 − d)·p`, with the damping d, the sums s over the edges, D what the ranks of dangling nodes add up to,
/// and the distributions w, where these lead to, and p, where the surfer starts again.
pub(super) struct Damp {
    pub(super) nodes: usize,
    /// d.
    pub(super) damping: i64,
    /// Whether p and w have a number for each node.
    pub(super) each: [bool; 2],
}

impl Damp {
    fn shape_of(&self, each: bool) -> ShapeRule {
        ShapeRule::fixed([if each { self.nodes } else { 1 }])
    }
}

impl ComputeFunction for Damp {
    fn objects(&self) -> Objects {
        let of_nodes = || ShapeRule::fixed([self.nodes]);
        let [again, leads] = self.each;
        Objects::reads((PRODUCT, INVERSE, AGAIN, LEADS))
            .writes((VECTOR, TALLY))
            .updates(RANKS)
            .shape(PRODUCT, ShapeRule::fixed([self.nodes + 1]))
            .shape(INVERSE, of_nodes())
            .shape(AGAIN, self.shape_of(again))
            .shape(LEADS, self.shape_of(leads))
            .shape(VECTOR, of_nodes())
            .shape(TALLY, ShapeRule::fixed([2]))
            .shape(RANKS, of_nodes())
            .once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut ranks = cx.take(RANKS)?;
        let mut vector = vec![0; ranks.len()];
        let damping = Damping {
            damping: self.damping,
            product: cx.get(PRODUCT)?,
            inverse: cx.get(INVERSE)?,
            again: cx.get(AGAIN)?,
            leads: cx.get(LEADS)?,
        };
        let length = BLOCK as usize;
        let blocks = ranks.par_chunks_mut(length).zip(vector.par_chunks_mut(length)).enumerate();
        let change: u64 = blocks
            .map(|(block, (ranks, vector))| damp_ranks(&damping, block * length, ranks, vector))
            .try_reduce(|| 0, |a, b| Ok(a.wrapping_add(b)))?;
        let lost = damping.product.last().map_or(0, |lost| lost.unsigned_abs());
        cx.put(TALLY, vec![change, lost])?;
        cx.put(VECTOR, vector)?;
        cx.put(RANKS, ranks)
    }

    fn shader(&self) -> Option<Shader> {
        let [again, leads] = self.each.map(|each| f64::from(u8::from(each)));
        let shader = Shader::wgsl(kernel!("damp_ranks", "whole")).named("damp_ranks");
        let shader = shader
            .constant("NODES", self.nodes as f64)
            .constant("AGAIN_EACH", again)
            .constant("LEADS_EACH", leads)
            .constant("DAMPING_LOW", f64::from(self.damping as u32))
            .constant("DAMPING_HIGH", f64::from((self.damping >> 32) as u32));
        Some(shader.per_element(RANKS))
    }
}

/// Keeps what the round came to: two numbers are all that leaves a device.
pub(super) struct Keep;

impl ComputeFunction for Keep {
    fn objects(&self) -> Objects {
        Objects::reads(TALLY).updates(ROUNDS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let [change, dangling] = cx.get(TALLY)?[..] else {
            return Err(Error::wiring("Keep", TALLY.name(), "it has not two numbers"));
        };
        let [change, dangling] = [change, dangling].map(|units| units as f64 / RANK_UNITS as f64);
        let Rounds(rounds) = cx.get_mut(ROUNDS)?;
        rounds.push(Round { iteration: rounds.len() as u32 + 1, change, dangling });
        Ok(())
    }
}

/// One by what leads away from each node; 1 for dangling ones, which hand all they have on to what is lost.
pub(super) fn inverse(graph: &Graph) -> Vec<i64> {
    let one_by = |out: &f64| if *out > 0.0 { (RANK_UNITS as f64 / out).round() as i64 } else { RANK_UNITS };
    graph.out().par_iter().map(one_by).collect()
}
