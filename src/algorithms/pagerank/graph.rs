//! A graph as PageRank sees it: for each node the links that come in, and what goes out in all.

use crate::data::{Entry, SparseRows};
use crate::{Error, Place, Result};

/// A directed graph of n nodes, numbered from 0, whose links may have weights.
///
/// Links between the same two nodes add up, as those of NetworkX's `MultiDiGraph` do; a link of a node to itself counts as any
/// other. A link of weight 0 is as if there were none.
///
/// ```
/// use superstep::algorithms::pagerank::Graph;
///
/// let graph = Graph::new(3, [(0, 1), (1, 2), (0, 2)])?;
/// assert_eq!((graph.nodes(), graph.links(), graph.dangling()), (3, 3, 1)); // nothing links from node 2
/// let weighted = Graph::weighted(2, [(0, 1, 0.5), (0, 0, 1.5)])?;
/// assert_eq!(weighted.links(), 2);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    links: SparseRows,
    out: Vec<f64>,
    dangling: usize,
}

impl Graph {
    /// A graph of so many nodes and these links, each from its first node to its second.
    ///
    /// Takes 8 bytes a link and 16 a node; while it is made, 28 more a link.
    ///
    /// # Errors
    /// When there are no nodes or more than 2³² − 1, or a link names a node that is not there; rows of the place count links.
    pub fn new(nodes: usize, links: impl IntoIterator<Item = (u32, u32)>) -> Result<Self> {
        Self::weighted(nodes, links.into_iter().map(|(from, to)| (from, to, 1.0)))
    }

    /// The same, of links that have weights: a surfer takes a link in proportion to its weight.
    ///
    /// # Errors
    /// As [`new`](Self::new); when a weight is negative or not finite, or those of a node's links add up to more than an f64 holds.
    pub fn weighted(nodes: usize, links: impl IntoIterator<Item = (u32, u32, f64)>) -> Result<Self> {
        let count = u32::try_from(nodes).ok().filter(|count| *count > 0).ok_or_else(|| {
            Error::parameter("nodes", format!("{nodes} nodes: give a graph of 1 to {} nodes", u32::MAX))
        })?;
        let mut out = vec![0.0_f64; nodes];
        let mut kept = Vec::new();
        for (at, (from, to, weight)) in links.into_iter().enumerate() {
            let fail = |message: String| Err(Error::data(Place::of("the links").row(at as u64), message));
            if to >= count {
                return fail(format!("node {to} is not there: the graph has {nodes} nodes, numbered from 0"));
            }
            if !weight.is_finite() || weight < 0.0 {
                return fail(format!("the weight {weight} is none: give a finite number that is not negative"));
            }
            match out.get_mut(from as usize) {
                Some(all) => *all += weight,
                None => return fail(format!("node {from} is not there: the graph has {nodes} nodes, numbered from 0")),
            }
            if weight > 0.0 {
                kept.push((from, to, weight));
            }
        }
        if let Some(node) = out.iter().position(|all| all.is_infinite()) {
            let message = "the weights of the links from it add up to more than an f64 holds: scale them down";
            return Err(Error::data(Place::of("the nodes").row(node as u64), message));
        }
        let scales: Vec<f64> = out.iter().copied().map(scale).collect();
        let entry = |(from, to, weight): (u32, u32, f64)| {
            let scale = scales.get(from as usize).copied().unwrap_or(1.0);
            Entry { row: to, column: from, value: (weight * scale) as f32 }
        };
        let links = SparseRows::new((count, count), kept.into_iter().map(entry).collect())?;
        out.iter_mut().zip(&scales).for_each(|(all, scale)| *all *= scale);
        let dangling = out.iter().filter(|all| **all == 0.0).count();
        Ok(Self { links, out, dangling })
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.out.len()
    }

    /// How many links there are, those of weight 0 not counted.
    pub fn links(&self) -> u64 {
        self.links.entries()
    }

    /// How many nodes are dangling: no link leads away from them.
    pub fn dangling(&self) -> usize {
        self.dangling
    }

    /// The matrix whose rows have the links that lead to a node: the weight of each, in units of the node that it comes from.
    pub(super) fn matrix(&self) -> &SparseRows {
        &self.links
    }

    /// For each node, what the weights of the links from it add up to, in units of its own; 0 where it is dangling.
    pub(super) fn out(&self) -> &[f64] {
        &self.out
    }
}

/// The power of two that brings a sum of weights into [1, 2), so that the weights of a node's links keep their digits in f32, however
/// large or small they are. (The reciprocal of the smallest subnormal is no f64: such a sum is brought to 2^-51 or more.)
fn scale(all: f64) -> f64 {
    let exponent = i32::from((all.to_bits() >> 52) as u16 & 0x7ff) - 1023;
    if all == 0.0 { 1.0 } else { 2.0_f64.powi(-exponent) }
}
