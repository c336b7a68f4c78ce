//! How rows are cut into contiguous ranges: for partitions, and for devices of unequal speed.

use std::ops::Range;

use crate::{Error, Result};

/// Cuts rows `0..rows` into at least `parts` contiguous ranges, in order, that cover every row once.
///
/// Each range holds at most `max_rows_per_part` rows, which may take more ranges than asked for. Ranges begin at
/// multiples of `align` rows and differ in length by at most `align`, apart from the last, which ends with the data.
/// None is empty: fewer rows than parts give fewer ranges, one a row, and no rows give none.
///
/// Where aligned ranges would be fewer than `parts`, or `max_rows_per_part` is below `align`, the alignment gives way
/// and ranges differ by at most one row. Zero counts as one for each of `parts`, `max_rows_per_part` and `align`.
pub fn cut(rows: u64, parts: usize, max_rows_per_part: u64, align: u64) -> Vec<Range<u64>> {
    let most = max_rows_per_part.max(1);
    let wanted = (parts.max(1) as u64).max(rows.div_ceil(most)).min(rows);
    let align = align.max(1);
    let unit = if align > most || rows.div_ceil(align) < wanted { 1 } else { align };
    let units = rows.div_ceil(unit);
    let parts = wanted.max(units.div_ceil(most / unit));
    let boundary = |part: u64| {
        let units_before = u128::from(units) * u128::from(part) / u128::from(parts);
        // Both factors are at most `rows + unit`, so only the last product can pass `rows`.
        (units_before * u128::from(unit)).min(u128::from(rows)) as u64
    };
    (0..parts).map(|part| boundary(part)..boundary(part + 1)).collect()
}

/// Cuts rows `0..rows` into one contiguous range per share, in order, each about as long as its share of the whole.
///
/// Ranges begin at multiples of `align` rows (0 counts as 1); a small share may get an empty range.
///
/// # Errors
/// When a share is negative or not finite, or none is above 0.
pub fn cut_by_shares(rows: u64, shares: &[f64], align: u64) -> Result<Vec<Range<u64>>> {
    let total: f64 = shares.iter().sum();
    if shares.iter().any(|share| !share.is_finite() || *share < 0.0) || !total.is_finite() || total <= 0.0 {
        return Err(Error::parameter("shares", format!("{shares:?}: give finite numbers ≥ 0, at least one above 0")));
    }
    let align = align.max(1);
    let units = rows.div_ceil(align);
    let last = shares.iter().rposition(|share| *share > 0.0).unwrap_or(0);
    let (mut start, mut before) = (0, 0.0);
    let mut ranges = Vec::with_capacity(shares.len());
    for (index, share) in shares.iter().enumerate() {
        before += share;
        let units_before = (units as f64 * (before / total)).round() as u64;
        // The last share takes what rounding left over.
        let end = if index >= last { rows } else { units_before.saturating_mul(align).clamp(start, rows) };
        ranges.push(start..end);
        start = end;
    }
    Ok(ranges)
}
