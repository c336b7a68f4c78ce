//! The median update of city-block clustering: a radix search, four bits at a time, in eight all-reduced passes.
//!
//! The centroid that makes the sum of absolute differences smallest is the median of each column. It is found digit by
//! digit, the most significant first: every pass counts, for each cluster and column, how much mass falls on each value
//! of the next digit among the values that agree with the digits found so far. Counts are integers, so neither
//! partitions nor devices change the result.

use super::assign_and_sum::Plan;
use super::keys::{CENTROIDS, EMPTY, EXPONENTS, LABELS, PARTIALS, POINTS, SHIFTS, WEIGHTS};
use crate::Result;
use crate::backend::cpu::{DIGITS, MedianSearch, Partials, median_digit};
use crate::queue::{AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Shader, ShapeRule};
use rayon::prelude::*;

/// The digits found so far of each median: k × d'.
const PREFIX: Key<Vec<u32>> = Key::new("prefix");
/// The mass at or below which the median lies, less the mass of smaller prefixes: k × d'.
const RANK: Key<Vec<i64>> = Key::new("rank");
/// The mass on each of the 16 values of a digit: k × d' × 16.
const HISTOGRAM: Key<Vec<i64>> = Key::new("histogram");

/// Adds the eight passes to a queue.
pub(super) fn update<'q>(queue: IterativeComQueue<'q>, plan: &Plan) -> IterativeComQueue<'q> {
    let mut queue = queue.add(StartMedian(plan.clone()));
    for digit in 0..DIGITS {
        queue = queue
            .add(MedianDigit { plan: plan.clone(), digit })
            .add(AllReduce::sum(HISTOGRAM))
            .add(MedianPick { plan: plan.clone(), digit });
    }
    queue
}

