//! One step of the radix search for medians: the histogram of the next digit; twin of `median_digit.wgsl`.

use super::FixedPoint;
use crate::{Error, Result};

/// The digits of a key, four bits each, the most significant first.
pub const DIGITS: u32 = 8;
/// The values of a digit.
pub const VALUES: usize = 16;

/// An f32 as an integer that is ordered as the numbers are; −0 counts as +0.
pub(super) fn key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | (1 << 31) }
}

/// The f32 whose key this is.
pub(super) fn value_of(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

/// Adds the mass of rows, `n × d`, to `histogram`, `k × d × 16`: for each column of a row, to the value that digit number
/// `digit` of its key has, if the digits before it are those of `prefix`, `k × d`, for the row's cluster. Rows whose label
/// is no cluster are passed over.
///
/// The mass is 1, or the weight as an integer of `fixed`.
///
/// # Errors
/// When the lengths do not fit.
pub fn median_digit(
    rows: &[f32],
    weights: Option<&[f32]>,
    labels: &[u32],
    digit: u32,
    prefix: &[u32],
    fixed: &FixedPoint,
    histogram: &mut [i64],
) -> Result<()> {
    let d = fixed.columns();
    let fits = rows.len() == labels.len() * d && histogram.len() == prefix.len() * VALUES && digit < DIGITS;
    if !fits || weights.is_some_and(|weights| weights.len() != labels.len()) {
        let message = format!("{} values, {} labels, {} prefixes", rows.len(), labels.len(), prefix.len());
        return Err(Error::parameter("rows", message));
    }
    let shift = 4 * (DIGITS - 1 - digit);
    let before = if digit == 0 { 0 } else { u32::MAX << (shift + 4) };
    for (at, (row, &label)) in rows.chunks_exact(d).zip(labels).enumerate() {
        let mass = fixed.mass_units(weights.map(|weights| weights[at]));
        let Some(prefix) = prefix.get(label as usize * d..).and_then(|rest| rest.get(..d)) else { continue };
        let cells = histogram[label as usize * d * VALUES..].chunks_exact_mut(VALUES);
        for ((value, prefix), cells) in row.iter().zip(prefix).zip(cells) {
            let key = key(*value);
            if key & before == prefix & before {
                cells[(key >> shift) as usize % VALUES] += mass;
            }
        }
    }
    Ok(())
}
