//! Rows as the kernels see them: less their columns' means, and scaled so that no value is above 1.

use crate::data::{Dataset, RowSource};
use crate::{Error, Place, Result};
use std::ops::Range;

/// Values that are read as f64 at a time.
const PIECE: usize = 8192;

/// The rows of a data set, less the means, times a power of two: formed in f64 and rounded to f32 once.
///
/// The scale keeps squares of any data inside f32, and is exact.
pub(crate) struct Centred<'a> {
    dataset: &'a Dataset<'a>,
    mean: Vec<f64>,
    scale: f64,
}

impl<'a> Centred<'a> {
    pub(crate) fn new(dataset: &'a Dataset<'a>) -> Self {
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
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// The largest magnitude in each column, scaled: 0 in a constant one.
    pub(crate) fn largest(&self) -> Vec<f64> {
        let statistics = self.dataset.statistics();
        let ranges = statistics.min.iter().zip(&statistics.max).zip(&self.mean);
        ranges.map(|((min, max), mean)| (max - mean).max(mean - min).max(0.0) * self.scale).collect()
    }

    /// What is taken off each column.
    pub(crate) fn mean(&self) -> &[f64] {
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

/// The rows of a source with a column of ones after theirs, which makes sums of products hold sums as well.
pub(crate) struct WithOnes<S>(pub(crate) S);

impl<S: RowSource> RowSource for WithOnes<S> {
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    fn columns(&self) -> usize {
        self.0.columns() + 1
    }

    fn will_need(&self, rows: Range<u64>) {
        self.0.will_need(rows);
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        let rows = out.len() / self.columns();
        self.0.read_f64(first, &mut out[..rows * self.0.columns()])?;
        spread(out, self.0.columns(), 1.0);
        Ok(())
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        let (rows, d) = (out.len() / self.columns(), self.0.columns());
        self.0.read_f32(first, origin.get(..d).unwrap_or(&[]), &mut out[..rows * d])?;
        spread(out, d, (1.0 - origin.get(d).copied().unwrap_or(0.0)) as f32);
        Ok(())
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.0.place(row, column)
    }
}

/// Moves rows of d values that lie at the front apart, the last first, and puts a value after each.
fn spread<T: Copy>(out: &mut [T], d: usize, value: T) {
    for row in (0..out.len() / (d + 1)).rev() {
        out.copy_within(row * d..(row + 1) * d, row * (d + 1));
        out[row * (d + 1) + d] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_stand_after_every_row() {
        let rows = ndarray::array![[1.0_f64, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let mut wide = [0.0; 6];
        WithOnes(&rows).read_f64(1, &mut wide).expect("two rows");
        assert_eq!(wide, [3.0, 4.0, 1.0, 5.0, 6.0, 1.0]);
        let mut narrow = [0.0; 6];
        WithOnes(&rows).read_f32(0, &[1.0, 0.5, 0.0], &mut narrow).expect("two rows");
        assert_eq!(narrow, [0.0, 1.5, 1.0, 2.0, 3.5, 1.0]);
    }
}
