//! Rows as the kernels see them: less their columns' means, and scaled so that no value is above 1.

use crate::data::{Dataset, RowSource};
use crate::{Error, Place, Result};
use std::ops::Range;

/// Values that are read as f64 at a time.
const PIECE: usize = 8192;

/// The rows of a data set, less the means, times a power of two: formed in f64 and rounded to f32 once.
///
/// The scale keeps squares of any data inside f32, and is exact.
pub(super) struct Centred<'a> {
    dataset: &'a Dataset<'a>,
    mean: Vec<f64>,
    scale: f64,
}

impl<'a> Centred<'a> {
    pub(super) fn new(dataset: &'a Dataset<'a>) -> Self {
        let statistics = dataset.statistics();
        let ranges = statistics.min.iter().zip(&statistics.max);
        // The mean of equal values may be off by a rounding, which would be taken for a variance.
        let exact = |((min, max), mean): ((&f64, &f64), &f64)| if min == max { *min } else { *mean };
        let mean = ranges.zip(&statistics.mean).map(exact).collect();
        let mut centred = Self { dataset, mean, scale: 1.0 };
        let largest = centred.largest().into_iter().fold(0.0, f64::max);
        if largest > 0.0 {
            // At most 2^128 as the data are of f32, and a power of two that a normal f64 has.
            centred.scale = 2f64.powi(-(largest.log2().ceil().clamp(-900.0, 900.0) as i32));
        }
        centred
    }

    /// What values are multiplied by.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// The largest magnitude in each column, scaled: 0 in a constant one.
    pub(super) fn largest(&self) -> Vec<f64> {
        let statistics = self.dataset.statistics();
        let ranges = statistics.min.iter().zip(&statistics.max).zip(&self.mean);
        ranges.map(|((min, max), mean)| (max - mean).max(mean - min).max(0.0) * self.scale).collect()
    }

    /// What is taken off each column.
    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }
}

impl RowSource for Centred<'_> {
    fn rows(&self) -> u64 {
        self.dataset.rows()
    }

    fn columns(&self) -> usize {
        self.dataset.columns()
    }

    fn will_need(&self, rows: Range<u64>) {
        self.dataset.source().will_need(rows);
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.dataset.source().read_f64(first, out)?;
        for row in out.chunks_exact_mut(self.columns()) {
            row.iter_mut().zip(self.mean()).for_each(|(value, mean)| *value = (*value - mean) * self.scale);
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
