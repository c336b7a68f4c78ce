//! A graph as PageRank sees it: for each node the edges that come in, and what goes out in all.

use crate::data::{Entry, SparseRows};
use crate::{Error, Place, Result};
use rayon::prelude::*;

/// A directed graph of n nodes, numbered from 0, whose edges may have weights.
///
/// Edges between the same two nodes add up, as those of NetworkX's `MultiDiGraph` do; an edge of a node to itself counts as any
/// other. An edge of weight 0 is as if there were none.
///
/// ```
/// use superstep::algorithms::pagerank::Graph;
///
/// let graph = Graph::new(3, [(0, 1), (1, 2), (0, 2)])?;
/// assert_eq!((graph.nodes(), graph.edges(), graph.dangling()), (3, 3, 1)); // no edge leads from node 2
/// let weighted = Graph::weighted(2, [(0, 1, 0.5), (0, 0, 1.5)])?;
/// assert_eq!(weighted.edges(), 2);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    matrix: SparseRows,
    edges: u64,
    out: Vec<f64>,
    dangling: usize,
}

impl Graph {
    /// A graph of so many nodes and these edges, each from its first node to its second.
    ///
    /// Takes 8 bytes an edge and 16 a node; while it is made, 28 more an edge.
    ///
    /// # Errors
    /// When there are no nodes or more than 2³² − 2, or an edge names a node that is not there; rows of the place count edges.
    pub fn new(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Result<Self> {
        Self::weighted(nodes, edges.into_iter().map(|(from, to)| (from, to, 1.0)))
    }

    /// The same, of edges that have weights: a surfer takes an edge in proportion to its weight. Of a weight 24 bits are kept.
    ///
    /// # Errors
    /// As [`new`](Self::new); when a weight is negative or not finite.
    pub fn weighted(nodes: usize, edges: impl IntoIterator<Item = (u32, u32, f64)>) -> Result<Self> {
        let Checked { edges, largest } = Checked::of(nodes, edges)?;
        let entry = |(from, to, weight): (u32, u32, f64)| {
            let largest = largest.get(from as usize).copied().unwrap_or(1.0);
            Entry { row: to, column: from, value: in_units_of(largest, weight) }
        };
        let mut entries: Vec<Entry> = edges.into_par_iter().map(entry).collect();
        // One order, whatever that of the edges is: floats are added below.
        entries.par_sort_unstable_by_key(|entry| (entry.row, entry.column, entry.value.to_bits()));
        let mut out = largest;
        out.fill(0.0);
        for Entry { column, value, .. } in &entries {
            if let Some(all) = out.get_mut(*column as usize) {
                *all += f64::from(*value);
            }
        }
        bring_to_one(&mut entries, &mut out);
        let dangling: Vec<u32> = (0..).zip(&out).filter(|(_, all)| **all == 0.0).map(|(node, _)| node).collect();
        let (count, edges) = (nodes as u32, entries.len() as u64);
        entries.extend(dangling.iter().map(|node| Entry { row: count, column: *node, value: 1.0 }));
        let matrix = SparseRows::new((count + 1, count), entries)?;
        Ok(Self { matrix, edges, out, dangling: dangling.len() })
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.out.len()
    }

    /// How many edges there are, those of weight 0 not counted.
    pub fn edges(&self) -> u64 {
        self.edges
    }

    /// How many nodes are dangling: no edge leads away from them.
    pub fn dangling(&self) -> usize {
        self.dangling
    }

    /// The matrix whose rows have the edges that lead to a node: the weight of each, in units of the node that it comes from. A last
    /// row, of no node, has an edge of the weight 1 from each dangling node: what these have is what it gets.
    pub(super) fn matrix(&self) -> &SparseRows {
        &self.matrix
    }

    /// For each node, what the weights of the edges from it add up to, in units of its own, from 1 to 2; 0 where it is
    /// dangling.
    pub(super) fn out(&self) -> &[f64] {
        &self.out
    }
}

/// Edges whose nodes are there and whose weights are some, less those of weight 0; and the largest weight of each node's.
struct Checked {
    edges: Vec<(u32, u32, f64)>,
    largest: Vec<f64>,
}

impl Checked {
    fn of(nodes: usize, edges: impl IntoIterator<Item = (u32, u32, f64)>) -> Result<Self> {
        let most = u32::MAX - 1;
        let count = u32::try_from(nodes)
            .ok()
            .filter(|count| (1..=most).contains(count))
            .ok_or_else(|| Error::parameter("nodes", format!("{nodes} nodes: give a graph of 1 to {most} nodes")))?;
        let (mut largest, mut kept) = (vec![0.0_f64; nodes], Vec::new());
        for (at, (from, to, weight)) in edges.into_iter().enumerate() {
            let fail = |message: String| Err(Error::data(Place::of("the edges").row(at as u64), message));
            if !weight.is_finite() || weight < 0.0 {
                return fail(format!("the weight {weight} is none: give a finite number that is not negative"));
            }
            match largest.get_mut(from as usize).filter(|_| to < count) {
                Some(largest) => *largest = largest.max(weight),
                None => {
                    let node = if to < count { from } else { to };
                    return fail(format!("node {node} is not there: the graph has {nodes} nodes, numbered from 0"));
                }
            }
            if weight > 0.0 {
                kept.push((from, to, weight));
            }
        }
        Ok(Self { edges: kept, largest })
    }
}

/// Scales the weights of each node's edges by a power of two, so that their sum is from 1 to 2: one by it then has all its digits, and
/// none of what is handed on is larger than the rank.
fn bring_to_one(entries: &mut [Entry], out: &mut [f64]) {
    let scales: Vec<f32> = out.iter().map(|all| 2.0_f32.powi(-exponent(all.max(1.0)))).collect();
    entries.par_iter_mut().for_each(|entry| {
        entry.value *= scales.get(entry.column as usize).copied().unwrap_or(1.0);
    });
    out.iter_mut().zip(scales).for_each(|(all, scale)| *all *= f64::from(scale));
}

/// The exponent of the largest power of two that a number, which is positive and normal, is not below.
fn exponent(value: f64) -> i32 {
    i32::from((value.to_bits() >> 52) as u16 & 0x7ff) - 1023
}

/// A weight in units of the power of two that is at most the largest weight of its node, so that the largest is in [1, 2): f32 keeps the
/// digits of weights however large or small they are.
fn in_units_of(largest: f64, weight: f64) -> f32 {
    let is_subnormal = largest < f64::MIN_POSITIVE;
    let exponent = if is_subnormal { exponent(largest * 2.0_f64.powi(64)) - 64 } else { exponent(largest) };
    // In two steps: the whole power of two may be beyond what an f64 holds.
    let half = exponent / 2;
    (weight * 2.0_f64.powi(-half) * 2.0_f64.powi(half - exponent)) as f32
}
