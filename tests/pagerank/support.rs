//! Sessions to run on, and graphs with few nodes that most edges lead to.

use crate::numbers::number;
pub(crate) use crate::sessions::{alone, cpu, named, on_every_device, session, together};
#[cfg(feature = "gpu")]
pub(crate) use crate::sessions::{assert_told_of_a_loss, takeable};
use superstep::PageRanks;
use superstep::algorithms::pagerank::Graph;

/// A number from 0 to `below`, small ones far more often.
fn skewed(at: u64, below: usize) -> u32 {
    let even = number(at).mul_add(0.5, 0.5);
    u32::try_from((even.powi(4) * below as f64) as usize).expect("few nodes")
}

/// Edges with weights, of which most lead to the first nodes and from them, and none from every third node of the second half.
pub(crate) fn skewed_edges(nodes: usize, edges: usize) -> Vec<(u32, u32, f64)> {
    let edge = |at: usize| {
        let at = 3 * at as u64;
        let from = skewed(at, nodes);
        let from = if from % 3 == 1 && from as usize > nodes / 2 { 0 } else { from };
        (from, skewed(at + 1, nodes), number(at + 2) + 1.0)
    };
    (0..edges).map(edge).collect()
}

pub(crate) fn skewed_graph(nodes: usize, edges: usize) -> Graph {
    Graph::weighted(nodes, skewed_edges(nodes, edges)).expect("the edges are of its nodes")
}

/// Everything that is said must be equal, to the bit.
pub(crate) fn assert_same(found: &PageRanks, expected: &PageRanks, case: &str) {
    let bits = |ranks: &PageRanks| ranks.ranks().iter().map(|rank| rank.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(found), bits(expected), "{case}: ranks");
    assert_eq!(found.trace(), expected.trace(), "{case}: trace");
    assert_eq!(found.converged(), expected.converged(), "{case}");
}
