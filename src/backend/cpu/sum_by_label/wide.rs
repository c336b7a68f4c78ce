//! Whether one word per sum is exact enough.

use super::FixedPoint;
use crate::{Error, Result};

/// A value below this many units loses more than 2⁻¹⁷ of itself to rounding.
const FEW_UNITS: f64 = 65536.0;

/// Of how many values one may be so small.
const TOLERATED: u64 = 64;

/// Counts, column by column, the values that one word would round too coarsely.
///
/// A column whose range outgrows the word (a few values of 10¹⁸ among millions of 1, say) is found by a count of its
/// nonzero values `v` with `|v| · 2^e_j < 2¹⁶`: if in some column more than 1/64 of the nonzero values are such, sums
/// take two words. Counts of blocks are added in any order with the same result.
#[derive(Debug, Clone, PartialEq)]
pub struct WideColumns {
    /// The absolute value below which a value counts as small, per column.
    limits: Vec<f32>,
    small: Vec<u64>,
    nonzero: Vec<u64>,
}

impl WideColumns {
    /// Starts counting for these units.
    pub fn new(fixed: &FixedPoint) -> Self {
        let d = fixed.columns();
        // A power of two. Where it falls below the f32 range, it becomes 0, and no value is below it: all are large
        // enough. Where it goes beyond, it becomes infinite: all are small.
        let limits = fixed.scales()[..d].iter().map(|scale| (FEW_UNITS / scale) as f32).collect();
        Self { limits, small: vec![0; d], nonzero: vec![0; d] }
    }

    /// Counts a block of rows, `n × d` row-major, each value times its row's weight where there are weights.
    ///
    /// # Errors
    /// When `rows` is not a number of whole rows or the weights are not one per row.
    pub fn add_rows(&mut self, rows: &[f32], weights: Option<&[f32]>) -> Result<()> {
        let d = self.limits.len();
        let n = rows.len() / d;
        if n * d != rows.len() || weights.is_some_and(|weights| weights.len() != n) {
            let message =
                format!("{} values, {:?} weights: not rows of {d} columns", rows.len(), weights.map(<[_]>::len));
            return Err(Error::parameter("rows", message));
        }
        for (i, row) in rows.chunks_exact(d).enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[i]);
            for (((&x, &limit), small), nonzero) in
                row.iter().zip(&self.limits).zip(&mut self.small).zip(&mut self.nonzero)
            {
                let value = (x * weight).abs();
                *nonzero += u64::from(value > 0.0);
                *small += u64::from(value > 0.0 && value < limit);
            }
        }
        Ok(())
    }

    /// Adds the counts of other blocks.
    ///
    /// # Errors
    /// When the other counts rows of another width.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.limits != other.limits {
            return Err(Error::parameter("wide columns", "the counts were made for different units"));
        }
        for (count, more) in self.small.iter_mut().zip(&other.small).chain(self.nonzero.iter_mut().zip(&other.nonzero))
        {
            *count += more;
        }
        Ok(())
    }

    /// All counts, to be added to those of another process: for each column how many values are small, then how many are
    /// not zero.
    pub fn counts(&self) -> Vec<u64> {
        [self.small.as_slice(), &self.nonzero].concat()
    }

    /// These counts in place of its own.
    ///
    /// # Errors
    /// When they are not two for each column.
    pub fn with_counts(mut self, counts: &[u64]) -> Result<Self> {
        let d = self.limits.len();
        if counts.len() != 2 * d {
            let message = format!("{} counts are not two for each of {d} columns", counts.len());
            return Err(Error::parameter("wide columns", message));
        }
        let (small, nonzero) = counts.split_at(d);
        (self.small, self.nonzero) = (small.to_vec(), nonzero.to_vec());
        Ok(self)
    }

    /// The words per sum that the values ask for: 1 or 2.
    pub fn words(&self) -> usize {
        let is_wide = self.small.iter().zip(&self.nonzero).any(|(&small, &nonzero)| small > nonzero / TOLERATED);
        1 + usize::from(is_wide)
    }
}
