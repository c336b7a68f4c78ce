//! The next ranks of PageRank, from what came to each node over its edges.

use crate::{Error, Result};

/// 1 in the units of ranks: 2^-62.
pub const RANK_UNITS: i64 = 1 << 62;

/// What a round of PageRank makes its ranks of: numbers from 0 to 1 in [`RANK_UNITS`]. Distributions have a number for each of n
/// nodes, or one for all.
#[derive(Debug, Clone, Copy)]
pub struct Damping<'a> {
    /// d, the probability that an edge is followed.
    pub damping: i64,
    /// What came to each node over its edges, and behind them what the nodes without edges have lost: n + 1.
    pub product: &'a [i64],
    /// One by the weights of all edges from each node, or 1 where there are none: n.
    pub inverse: &'a [i64],
    /// Where the surfer starts again, times 1 − d.
    pub again: &'a [i64],
    /// Where what is lost goes to, times d.
    pub leads: &'a [i64],
}

/// Puts the next ranks of the nodes from `first` on, `d·product + lost·leads + again`, in place of those there are, and into
/// `vector` what each hands on over an edge of the weight 1. Returns the sum of what the ranks changed by, which may be 2.
///
/// ```
/// use superstep::backend::cpu::{Damping, RANK_UNITS, damp_ranks};
///
/// let one = RANK_UNITS;
/// // Of two nodes the first has handed all that it had, a half, to the second, which has no edges and lost as much.
/// let damping = Damping {
///     damping: one / 2,
///     product: &[0, one / 2, one / 2],
///     inverse: &[one, one],
///     again: &[one / 4],
///     leads: &[one / 4],
/// };
/// let (mut ranks, mut vector) = ([one / 2; 2], [0; 2]);
/// let change = damp_ranks(&damping, 0, &mut ranks, &mut vector)?;
/// assert_eq!(ranks, [one / 8 * 3, one / 8 * 5]);
/// assert_eq!((vector, change), (ranks, one as u64 / 4));
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When the lengths do not fit.
pub fn damp_ranks(damping: &Damping, first: usize, ranks: &mut [i64], vector: &mut [i64]) -> Result<u64> {
    let Damping { damping, product, inverse, again, leads } = *damping;
    let (nodes, end) = (inverse.len(), first.saturating_add(ranks.len()));
    let fits = |distribution: &[i64]| distribution.len() == nodes || distribution.len() == 1;
    let (Some(came), Some(inverse), Some(lost)) =
        (product.get(first..end), inverse.get(first..end), product.get(nodes))
    else {
        return Err(misfit(nodes, product.len()));
    };
    if product.len() != nodes + 1 || vector.len() != ranks.len() || !fits(again) || !fits(leads) {
        return Err(misfit(nodes, product.len()));
    }
    let at = |distribution: &[i64], node: usize| distribution.get(node).or(distribution.first()).copied().unwrap_or(0);
    let mut change = 0_u64;
    for (index, (rank, handed_on)) in ranks.iter_mut().zip(vector).enumerate() {
        let (node, came) = (first + index, came.get(index).copied().unwrap_or(0));
        let next = rank_product(damping, came) + rank_product(*lost, at(leads, node)) + at(again, node);
        change = change.wrapping_add(next.abs_diff(std::mem::replace(rank, next)));
        *handed_on = rank_product(next, inverse.get(index).copied().unwrap_or(0));
    }
    Ok(change)
}

/// a·b of two numbers from 0 to 1 in [`RANK_UNITS`], rounded half up.
pub fn rank_product(a: i64, b: i64) -> i64 {
    ((i128::from(a) * i128::from(b) + (1 << 61)) >> 62) as i64
}

fn misfit(nodes: usize, product: usize) -> Error {
    Error::parameter(
        "ranks",
        format!("{nodes} nodes and {product} sums do not fit the ranks: give one sum more than nodes"),
    )
}
