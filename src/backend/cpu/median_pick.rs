//! One step of the radix search for medians: the digit the median has; twin of `median_pick.wgsl`.

use super::median_digit::{DIGITS, VALUES, value_of};
use crate::{Error, Result};

/// What is known of the medians, k × d.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MedianState {
    /// The digits found so far, in the high bits.
    pub prefix: Vec<u32>,
    /// The rank that is left among the values that share the prefix, counted in mass from 1; 0 where a cluster has none.
    pub rank: Vec<i64>,
}

/// Adds the next digit to every prefix, and after the last one writes the medians over `centroids`, `k × d`.
///
/// The median is the lower one: the smallest value v with 2 · (mass of values ≤ v) ≥ total mass. Clusters without mass
/// keep their centroid.
///
/// # Errors
/// When the lengths do not fit.
pub fn median_pick(histogram: &[i64], digit: u32, state: &mut MedianState, centroids: &mut [f32]) -> Result<()> {
    let count = state.prefix.len();
    if histogram.len() != count * VALUES || state.rank.len() != count || centroids.len() != count || digit >= DIGITS {
        let message = format!("{} cells do not fit {count} medians and {}", histogram.len(), centroids.len());
        return Err(Error::parameter("histogram", message));
    }
    let shift = 4 * (DIGITS - 1 - digit);
    for (at, cells) in histogram.chunks_exact(VALUES).enumerate() {
        if digit == 0 {
            let total: i64 = cells.iter().sum();
            state.prefix[at] = 0;
            state.rank[at] = total / 2 + total % 2;
        }
        if state.rank[at] == 0 {
            continue;
        }
        let (mut value, mut rank) = (0, state.rank[at]);
        while value + 1 < VALUES && cells[value] < rank {
            rank -= cells[value];
            value += 1;
        }
        state.prefix[at] |= (value as u32) << shift;
        state.rank[at] = rank;
        if digit + 1 == DIGITS {
            centroids[at] = value_of(state.prefix[at]);
        }
    }
    Ok(())
}
