//! What the integers of the sums are worth.

use std::sync::Arc;

use crate::{Error, Result};

/// The most bits a value has before the point is set: f64 arithmetic rounds up to 2⁵¹ exactly, see [`rounded`].
const MOST_BITS: u32 = 50;

/// The units of fixed-point sums over `n` rows of `d` columns.
///
/// A value `v` of column `j` (`x_ij`, or `w_i · x_ij` rounded to f32 where rows have weights) enters its sum as the
/// integer `r₀ = round(v · 2^e_j)`, half to even. With two words per sum the residual `v − r₀ · 2^−e_j`, which is exact,
/// enters a second as `r₁ = round(residual · 2^(e_j + B))`. Here `B = min(50, 62 − ⌈log₂ n⌉)` and `e_j = B − p`, where
/// `p` is the smallest integer with `max_i |v_ij| ≤ 2^p` (`e_j = 0` for a column of zeros). So `|r| ≤ 2^B`, and no sum
/// of `n` of them leaves an i64.
///
/// Weights and distances have an exponent each, by the same rule; distances always take two words. A clone shares its
/// memory.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedPoint {
    bits: u32,
    words: usize,
    weighted: bool,
    exponents: Arc<[i32]>,
    scales: Arc<[f64]>,
}

impl FixedPoint {
    /// Units for `n_total` rows with the given largest absolute values: `max_abs` one per column, of `w · x` rounded to
    /// f32 where there are weights; `max_weight` where there are any; `max_distance` of the weighted distances. One
    /// word per sum; see [`with_words`](Self::with_words).
    ///
    /// Larger values than those named here make sums wrong without a sign of it; larger distances are counted as about
    /// the largest.
    ///
    /// # Errors
    /// When a largest value is negative, not finite, or larger than an f32 can be; when there are no columns.
    pub fn plan(n_total: u64, max_abs: &[f64], max_weight: Option<f64>, max_distance: f64) -> Result<Self> {
        let bits = MOST_BITS.min(62u32.saturating_sub(log2_ceil(n_total)));
        let mut exponents = Vec::with_capacity(max_abs.len() + 2);
        for (column, &largest) in max_abs.iter().enumerate() {
            exponents.push(exponent(bits, largest).ok_or_else(|| refused(&format!("column {column}"), largest))?);
        }
        exponents.push(match max_weight {
            Some(largest) => exponent(bits, largest).ok_or_else(|| refused("the weights", largest))?,
            None => 0,
        });
        exponents.push(exponent(bits, max_distance).ok_or_else(|| refused("the distances", max_distance))?);
        Self::from_exponents(bits, 1, max_weight.is_some(), exponents)
    }

    /// The units made from the exponents that another device or process computed: `e_0 … e_{d−1}, e_w, e_I`.
    ///
    /// # Errors
    /// When there are fewer than three exponents, one is out of the range that [`plan`](Self::plan) makes, `bits` is
    /// above 50, or `words` is neither 1 nor 2.
    pub fn from_exponents(bits: u32, words: usize, weighted: bool, exponents: Vec<i32>) -> Result<Self> {
        if bits > MOST_BITS || !(1..=2).contains(&words) {
            let message = format!("{bits} bits in {words} words; at most {MOST_BITS} in 1 or 2 words are accepted");
            return Err(Error::parameter("fixed-point sums", message));
        }
        if exponents.len() < 3 {
            let message = format!("{} exponents; one per column and two more are needed", exponents.len());
            return Err(Error::parameter("fixed-point sums", message));
        }
        if let Some(exponent) = exponents.iter().find(|exponent| !(-128..=200).contains(*exponent)) {
            return Err(Error::parameter("fixed-point sums", format!("exponent {exponent} is not in -128..=200")));
        }
        let scales = exponents.iter().map(|&exponent| power_of_two(exponent)).collect();
        Ok(Self { bits, words, weighted, exponents: exponents.into(), scales })
    }

    /// The same units with one or two words per sum of a column.
    ///
    /// # Errors
    /// When `words` is neither 1 nor 2.
    pub fn with_words(&self, words: usize) -> Result<Self> {
        Self::from_exponents(self.bits, words, self.weighted, self.exponents.to_vec())
    }

    /// `B`: how many bits a value takes at most.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Words per sum of a column: 1 or 2.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Columns of a row.
    pub fn columns(&self) -> usize {
        self.exponents.len() - 2
    }

    /// Whether rows have weights.
    pub fn is_weighted(&self) -> bool {
        self.weighted
    }

    /// `e_0 … e_{d−1}`, then that of the weights (0 without any), then that of the distances.
    pub fn exponents(&self) -> &[i32] {
        &self.exponents
    }

    /// The exponent of a cluster's mass.
    pub fn mass_exponent(&self) -> i32 {
        self.exponents[self.columns()]
    }

    /// The exponent of the first word of the inertia.
    pub fn distance_exponent(&self) -> i32 {
        self.exponents[self.columns() + 1]
    }

    /// A row's mass in units: 1, or its weight in fixed point.
    #[inline]
    pub fn mass_units(&self, weight: Option<f32>) -> i64 {
        match weight {
            Some(weight) if self.weighted => rounded(f64::from(weight) * self.scales[self.columns()]),
            _ => 1,
        }
    }

    /// A distance (times its weight) in units, in one word.
    #[inline]
    pub fn distance_units(&self, distance: f32) -> i64 {
        rounded(f64::from(distance) * self.scales[self.columns() + 1])
    }

    /// The sum of distances that two words of units stand for.
    pub fn inertia(&self, words: [i64; 2]) -> f64 {
        let unit = power_of_two(-self.distance_exponent());
        words[0] as f64 * unit + words[1] as f64 * unit * power_of_two(-self.bits.cast_signed())
    }

    /// `2^e` for every exponent.
    pub(super) fn scales(&self) -> &[f64] {
        &self.scales
    }
}

/// `round(value)`, half to even, for `|value| ≤ 2⁵¹`.
///
/// `1.5 · 2⁵²` has a unit of 1 in its last place: the addition rounds, the bits count. Two instructions, and the
/// compiler makes vectors of them on every instruction set.
#[inline(always)]
pub(super) fn rounded(value: f64) -> i64 {
    (value + MAGIC).to_bits().cast_signed().wrapping_sub(MAGIC.to_bits().cast_signed())
}

/// The fraction that [`rounded`] leaves; exact.
#[inline(always)]
pub(super) fn rounding_rest(value: f64) -> f64 {
    value - ((value + MAGIC) - MAGIC)
}

const MAGIC: f64 = 1.5 * (1u64 << 52) as f64;

/// `2^exponent`, exactly, for a normal result.
pub(in crate::backend::cpu) fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// `⌈log₂ n⌉`, 0 for `n ≤ 1`.
fn log2_ceil(n: u64) -> u32 {
    if n <= 1 { 0 } else { u64::BITS - (n - 1).leading_zeros() }
}

/// `bits − p` with the smallest `p` for which `largest ≤ 2^p`; 0 for zero; none where that is no finite f32 value.
fn exponent(bits: u32, largest: f64) -> Option<i32> {
    if largest == 0.0 {
        return Some(0);
    }
    if !(largest > 0.0 && largest <= f64::from(f32::MAX)) {
        return None;
    }
    // The smallest f32 is 2⁻¹⁴⁹; a smaller bound in f64 serves it as well, and is a normal number of f64 at least.
    let largest = largest.max(power_of_two(-149));
    let floor = ((largest.to_bits() >> 52) as i32) - 1023;
    let p = if largest == power_of_two(floor) { floor } else { floor + 1 };
    Some(bits.cast_signed() - p)
}

fn refused(what: &str, largest: f64) -> Error {
    Error::parameter(
        "fixed-point sums",
        format!("the largest value of {what} is {largest}; a finite f32 ≥ 0 is needed"),
    )
}
