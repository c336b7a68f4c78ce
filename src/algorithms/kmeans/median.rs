//! The median update of city-block clustering: a radix search, four bits at a time, in eight all-reduced passes.
//!
//! The centroid that makes the sum of absolute differences smallest is the median of each column. It is found digit by
//! digit, the most significant first: every pass counts, for each cluster and column, how much mass falls on each value
//! of the next digit among the values that agree with the digits found so far. Counts are integers, so neither
//! partitions nor devices change the result.

use super::keys::{CENTROIDS, EMPTY, EXPONENTS, LABELS, POINTS, SHIFTS, WEIGHTS};
use super::plan::{Plan, rows_a_block};
use crate::backend::cpu::{DIGITS, MedianState, VALUES, median_digit, median_pick};
use crate::queue::{AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Shader, ShapeRule};
use crate::{Error, Result};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// The digit that is looked for, 0 to 7.
const DIGIT: Key<Vec<u32>> = Key::new("digit");
/// The digits found so far of each median: k × d'.
const PREFIX: Key<Vec<u32>> = Key::new("prefix");
/// The rank that is left among the values that share the prefix: k × d'.
const RANK: Key<Vec<i64>> = Key::new("rank");
/// The mass on each of the 16 values of a digit: k × d' × 16.
const HISTOGRAM: Key<Vec<i64>> = Key::new("histogram");

/// Adds the eight passes to a queue.
pub(super) fn update<'q>(queue: IterativeComQueue<'q>, plan: &Plan) -> IterativeComQueue<'q> {
    (0..DIGITS).fold(queue, |queue, digit| {
        queue
            .add(NextDigit { plan: plan.clone(), digit })
            .add(MedianDigit(plan.clone()))
            .add(AllReduce::sum(HISTOGRAM))
            .add(MedianPick(plan.clone()))
    })
}

/// Says which digit the two items that follow look for.
struct NextDigit {
    plan: Plan,
    digit: u32,
}

impl ComputeFunction for NextDigit {
    fn objects(&self) -> Objects {
        Objects::none().writes(DIGIT).updates((PREFIX, RANK)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if !cx.contains(PREFIX) {
            cx.put(PREFIX, vec![0; self.plan.k * self.plan.d])?;
            cx.put(RANK, vec![0; self.plan.k * self.plan.d])?;
        }
        cx.put(DIGIT, vec![self.digit])
    }
}

/// Counts the mass on each value of the digit.
struct MedianDigit(Plan);

impl ComputeFunction for MedianDigit {
    fn objects(&self) -> Objects {
        let cells = self.0.k * self.0.d;
        let objects = Objects::reads((POINTS, LABELS, EXPONENTS, DIGIT, PREFIX))
            .writes(HISTOGRAM)
            .shape(LABELS, ShapeRule::rows_of(POINTS))
            .shape(PREFIX, ShapeRule::fixed([cells]))
            .shape(HISTOGRAM, ShapeRule::fixed([cells * VALUES]));
        self.0.with_weights(objects)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let length = rows_a_block(self.0.d);
        let histogram = {
            let (rows, labels, prefix) = (cx.rows(POINTS)?, cx.get(LABELS)?, cx.get(PREFIX)?);
            let weights = if self.0.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
            let digit = cx.get(DIGIT)?.first().copied().unwrap_or(0);
            let idle: Mutex<Vec<Vec<i64>>> = Mutex::default();
            labels.par_chunks(length).enumerate().try_for_each(|(block, labels)| {
                let range = block * length..block * length + labels.len();
                let (mut scratch, mut weight_scratch) = (Vec::new(), Vec::new());
                let values = rows.read(range.clone(), &mut scratch)?;
                let weights = weights.as_ref().map(|w| w.read(range, &mut weight_scratch)).transpose()?;
                let own = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut own = own.unwrap_or_else(|| vec![0; prefix.len() * VALUES]);
                median_digit(values, weights, labels, digit, prefix, &self.0.fixed, &mut own)?;
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(own);
                Ok::<(), Error>(())
            })?;
            let mut all = idle.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter();
            let mut total = all.next().unwrap_or_else(|| vec![0; prefix.len() * VALUES]);
            all.for_each(|own| total.iter_mut().zip(own).for_each(|(total, own)| *total += own));
            total
        };
        cx.put(HISTOGRAM, histogram)
    }

    fn shader(&self) -> Option<Shader> {
        let source = kernel!("median_digit");
        let shader = Shader::wgsl(source).named("median_digit").per_value(POINTS);
        Some(self.0.constants(shader, &["DIMENSIONS", "CLUSTERS", "WEIGHTED"]))
    }
}

/// Adds a digit to each median, and after the last one moves the centroids.
struct MedianPick(Plan);

impl ComputeFunction for MedianPick {
    fn objects(&self) -> Objects {
        let Plan { k, d, .. } = self.0;
        Objects::reads((HISTOGRAM, DIGIT))
            .updates((PREFIX, RANK, CENTROIDS))
            .writes(SHIFTS)
            .shape(PREFIX, ShapeRule::fixed([k * d]))
            .shape(RANK, ShapeRule::fixed([k * d]))
            .shape(CENTROIDS, ShapeRule::fixed([k, d]))
            .shape(SHIFTS, ShapeRule::fixed([k]))
            .scratch(EMPTY, ShapeRule::fixed([]))
            .once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let digit = cx.get(DIGIT)?.first().copied().unwrap_or(0);
        let before = cx.get(CENTROIDS)?.as_standard_layout().into_owned();
        let mut centroids = before.clone();
        let mut state = MedianState { prefix: cx.take(PREFIX)?, rank: cx.take(RANK)? };
        median_pick(cx.get(HISTOGRAM)?, digit, &mut state, centroids.as_slice_mut().unwrap_or(&mut []))?;
        let shift = |(new, old): (ndarray::ArrayView1<f32>, ndarray::ArrayView1<f32>)| {
            new.iter().zip(old).map(|(new, old)| (f64::from(*new) - f64::from(*old)).powi(2)).sum::<f64>() as f32
        };
        let shifts: Vec<f32> = centroids.outer_iter().zip(before.outer_iter()).map(shift).collect();
        cx.put(PREFIX, state.prefix)?;
        cx.put(RANK, state.rank)?;
        cx.put(SHIFTS, shifts)?;
        cx.put(CENTROIDS, centroids)
    }

    fn shader(&self) -> Option<Shader> {
        let source = kernel!("median_pick");
        let shader = Shader::wgsl(source).named("median_pick").workgroups(self.0.k as u64);
        Some(self.0.constants(shader, &["DIMENSIONS", "CLUSTERS"]))
    }
}
