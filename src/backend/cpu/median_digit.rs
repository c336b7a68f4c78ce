//! Medians of the columns of each cluster, exactly and without sorting: one 4-bit digit a round.
//!
//! Floats become keys that sort as they do ([`order_key`]). Each of [`ROUNDS`] passes over the rows counts, for every
//! cluster and column, the mass behind each value of the next digit among the rows whose higher digits are those of the
//! median ([`median_digit`]); counts are integers and are merged by addition in any order. [`median_pick`] then takes
//! the digit that holds the median. This is radix selection; the rows stay where they are.
//!
//! The *lower weighted median* is the smallest value `v` for which the mass of the values up to `v` is at least half of
//! the cluster's mass.

use super::FixedPoint;
use crate::{Error, Result};

/// Passes over the rows until a median is known.
pub const ROUNDS: u32 = u32::BITS / DIGIT_BITS;

/// Values of a digit: counts are `k × d × DIGITS`.
pub const DIGITS: usize = 1 << DIGIT_BITS;

const DIGIT_BITS: u32 = 4;

/// A key that sorts as the value does; −0 and +0 have the same.
#[inline]
pub fn order_key(value: f32) -> u32 {
    // −0 + 0 = +0, and nothing else changes.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The value of a key.
pub fn from_order_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

/// Adds a block of rows to the counts of a round.
///
/// `round` counts from 0 (the highest digit) to `ROUNDS − 1`. `rows` is `n × d` row-major, `labels` and the weights have
/// one value per row; a row's mass is 1, or its weight in the fixed point of `fixed`. `prefixes` (`k × d`) holds the
/// digits known so far, the last of them lowest: zeros in round 0. `counts` is `k × d × DIGITS`.
///
/// # Errors
/// When the lengths disagree, a label is no cluster, or there is no such round. Nothing is added then.
pub fn median_digit(
    round: u32,
    rows: &[f32],
    weights: Option<&[f32]>,
    labels: &[u32],
    fixed: &FixedPoint,
    prefixes: &[u32],
    counts: &mut [i64],
) -> Result<()> {
    let d = fixed.columns();
    check(round, rows.len(), weights, labels, d, prefixes.len(), counts.len())?;
    let shift = u32::BITS - DIGIT_BITS * (round + 1);
    for (i, (row, &label)) in rows.chunks_exact(d).zip(labels).enumerate() {
        let mass = fixed.mass_units(weights.map(|weights| weights[i]));
        let first = label as usize * d;
        let (counts, _) = counts[first * DIGITS..][..d * DIGITS].as_chunks_mut::<DIGITS>();
        for ((&value, &prefix), counts) in row.iter().zip(&prefixes[first..]).zip(counts) {
            let digits = order_key(value) >> shift;
            if digits >> DIGIT_BITS == prefix {
                let count = &mut counts[digits as usize % DIGITS];
                *count = count.wrapping_add(mass);
            }
        }
    }
    Ok(())
}

fn check(
    round: u32,
    values: usize,
    weights: Option<&[f32]>,
    labels: &[u32],
    d: usize,
    prefixes: usize,
    counts: usize,
) -> Result<()> {
    let n = labels.len();
    let weights = weights.map_or(n, <[_]>::len);
    if round >= ROUNDS {
        return Err(Error::parameter("round", format!("{round}; there are {ROUNDS}, counted from 0")));
    }
    if n.checked_mul(d) != Some(values) || weights != n {
        let message = format!("{values} values and {weights} weights, but {n} labels of rows of {d} columns");
        return Err(Error::parameter("rows", message));
    }
    if !prefixes.is_multiple_of(d) || prefixes.checked_mul(DIGITS) != Some(counts) {
        let message = format!("{prefixes} prefixes and {counts} counts do not fit {d} columns of {DIGITS} digits");
        return Err(Error::parameter("counts", message));
    }
    match labels.iter().find(|&&label| label as usize >= prefixes / d) {
        Some(label) => {
            Err(Error::parameter("labels", format!("label {label}, but there are {} clusters", prefixes / d)))
        }
        None => Ok(()),
    }
}

/// Takes the digit that holds the lower median, for every cluster and column.
///
/// `counts` (`k × d × DIGITS`) are the merged counts of a round, `masses` (`k`) the clusters' masses in the same units.
/// `below` (`k × d`, zeros in round 0) is the mass of the rows below the prefix, and `prefixes` (`k × d`) the digits so
/// far; both are carried on. After the last round a prefix is the median's key, see [`from_order_key`]. The prefixes of
/// a cluster without mass mean nothing.
///
/// # Errors
/// When the lengths disagree.
pub fn median_pick(counts: &[i64], masses: &[i64], below: &mut [i64], prefixes: &mut [u32]) -> Result<()> {
    let cells = prefixes.len();
    let d = cells / masses.len().max(1);
    if d * masses.len() != cells || below.len() != cells || cells.checked_mul(DIGITS) != Some(counts.len()) {
        let message = format!(
            "{} counts, {} masses, {} masses below and {cells} prefixes do not fit together",
            counts.len(),
            masses.len(),
            below.len()
        );
        return Err(Error::parameter("counts", message));
    }
    let (counts, _) = counts.as_chunks::<DIGITS>();
    for (cell, ((counts, below), prefix)) in counts.iter().zip(below).zip(prefixes).enumerate() {
        let mass = i128::from(masses[cell / d]);
        let mut digit = 0;
        // The last digit is not tried: what the others do not hold, it does.
        while digit < DIGITS - 1 && 2 * (i128::from(*below) + i128::from(counts[digit])) < mass {
            *below = below.wrapping_add(counts[digit]);
            digit += 1;
        }
        *prefix = *prefix << DIGIT_BITS | digit as u32;
    }
    Ok(())
}
