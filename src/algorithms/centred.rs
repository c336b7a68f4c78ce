//! Rows as the kernels of products see them: less their columns' means, and scaled so that f32 and its squares hold them.

use crate::data::{Dataset, RowSource};
use crate::{Error, Place, Result};
use std::ops::Range;

/// Values that are read as f64 at a time.
const PIECE: usize = 8192;

/// The rows of a data set, less the means, times powers of two: formed in f64 and rounded to f32 once. A last column of ones may
/// follow, so that what is summed of products holds plain sums as well.
///
/// The scales keep squares of any data inside f32, and are exact.
#[derive(Clone)]
pub(super) struct Centred<'a> {
    dataset: &'a Dataset<'a>,
    mean: Vec<f64>,
    scales: Vec<f64>,
    with_one: bool,
}

impl<'a> Centred<'a> {
    /// One scale for all columns: no value is above 1.
    pub(super) fn together(dataset: &'a Dataset<'a>) -> Self {
        let mut centred = Self::unscaled(dataset);
        let largest = centred.largest().into_iter().fold(0.0, f64::max);
        centred.scales.fill(if largest > 0.0 { power_of_two_near(largest, f64::ceil) } else { 1.0 });
        centred
    }

    /// A scale for each column, by which its variance and `ridge` together become about 1; 1 where it is constant.
    pub(super) fn each(dataset: &'a Dataset<'a>, ridge: f64) -> Self {
        let mut centred = Self::unscaled(dataset);
        let spreads = dataset.statistics().variance.iter().zip(centred.largest());
        let scale = |(variance, largest): (&f64, f64)| {
            let size = (variance + ridge).sqrt();
            if largest > 0.0 && *variance > 0.0 { power_of_two_near(size, f64::round) } else { 1.0 }
        };
        centred.scales = spreads.map(scale).collect();
        centred
    }

    fn unscaled(dataset: &'a Dataset<'a>) -> Self {
        let statistics = dataset.statistics();
        let ranges = statistics.min.iter().zip(&statistics.max);
        // The mean of equal values may be off by a rounding, which would be taken for a variance.
        let exact = |((min, max), mean): ((&f64, &f64), &f64)| if min == max { *min } else { *mean };
        let mean = ranges.zip(&statistics.mean).map(exact).collect();
        Self { dataset, mean, scales: vec![1.0; dataset.columns()], with_one: false }
    }

    /// The same rows, each with a 1 behind its last value.
    #[must_use]
    pub(super) fn with_one(mut self) -> Self {
        self.with_one = true;
        self
    }

    /// What values are multiplied by, where that is one number for all columns.
    pub(super) fn scale(&self) -> f64 {
        self.scales.first().copied().unwrap_or(1.0)
    }

    /// What values are multiplied by, column by column.
    pub(super) fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// The largest magnitude in each column, scaled: 0 in a constant one.
    pub(super) fn largest(&self) -> Vec<f64> {
        let statistics = self.dataset.statistics();
        let ranges = statistics.min.iter().zip(&statistics.max).zip(self.mean.iter().zip(&self.scales));
        ranges.map(|((min, max), (mean, scale))| (max - mean).max(mean - min).max(0.0) * scale).collect()
    }

    /// What is taken off each column.
    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }
}

/// The power of two that brings a size to about 1. At most 2^128 as the data are of f32, and a power that a normal f64 has.
pub(super) fn power_of_two_near(size: f64, round: impl Fn(f64) -> f64) -> f64 {
    2f64.powi(-(round(size.log2()).clamp(-900.0, 900.0) as i32))
}

impl RowSource for Centred<'_> {
    fn rows(&self) -> u64 {
        self.dataset.rows()
    }

    fn columns(&self) -> usize {
        self.dataset.columns() + usize::from(self.with_one)
    }

    fn will_need(&self, rows: Range<u64>) {
        self.dataset.source().will_need(rows);
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        let d = self.mean.len();
        if self.with_one {
            // The rows lie packed at the end first, and move to their places from the front: no value is overtaken.
            let rows = out.len() / (d + 1);
            self.dataset.source().read_f64(first, &mut out[rows..rows * (d + 1)])?;
            for row in 0..rows {
                let from = rows + row * d;
                out.copy_within(from..from + d, row * (d + 1));
                out[row * (d + 1) + d] = 1.0;
            }
        } else {
            self.dataset.source().read_f64(first, out)?;
        }
        for row in out.chunks_exact_mut(self.columns()) {
            let columns = row.iter_mut().zip(self.mean.iter().zip(&self.scales));
            columns.for_each(|(value, (mean, scale))| *value = (*value - mean) * scale);
        }
        Ok(())
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        let d = self.columns();
        if !origin.is_empty() && origin.len() != d {
            return Err(Error::parameter("origin", format!("{} values for {d} columns", origin.len())));
        }
        let rows = (PIECE / d).max(1);
        let mut piece = vec![0.0; (rows * d).min(out.len())];
        for (at, out) in out.chunks_mut(rows * d).enumerate() {
            let piece = &mut piece[..out.len()];
            self.read_f64(first + (at * rows) as u64, piece)?;
            if origin.is_empty() {
                out.iter_mut().zip(piece).for_each(|(out, value)| *out = *value as f32);
            } else {
                let values = piece.iter().zip(origin.iter().cycle());
                out.iter_mut().zip(values).for_each(|(out, (value, origin))| *out = (value - origin) as f32);
            }
        }
        Ok(())
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.dataset.source().place(row, column)
    }
}
