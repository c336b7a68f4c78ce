//! A sparse matrix times a vector: the step of algorithms on graphs.

use super::apart::taken_apart;
use crate::data::Pack;
use crate::{Error, Result};
use std::sync::atomic::{AtomicI64, Ordering};

/// Adds the products of the packs of a sparse matrix and a vector of integers to `product`, one sum for each row of the matrix: the
/// product of each entry is rounded to an integer, half away from zero.
///
/// Whole numbers in any order have one sum, so several threads may add packs of one matrix to one product. No product and no sum may
/// reach 2⁶³ in magnitude: one that does has lost its high bits.
///
/// ```
/// use std::sync::atomic::AtomicI64;
/// use superstep::backend::cpu::multiply_sparse;
/// use superstep::data::{Entry, RowSource, SparseRows};
///
/// let entries = vec![Entry { row: 1, column: 0, value: 0.5 }, Entry { row: 1, column: 2, value: -2.0 }];
/// let matrix = SparseRows::new((2, 3), entries)?;
/// let product = [AtomicI64::new(0), AtomicI64::new(0)];
/// let packs = matrix.in_memory(0..matrix.rows()).unwrap_or_default();
/// multiply_sparse(packs, &[7, 0, 10], &product)?;
/// assert_eq!(product.map(AtomicI64::into_inner), [0, -16]); // 3.5 is rounded to 4
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When the words are no packs, or an entry lies outside the vector or the product.
pub fn multiply_sparse(packs: &[f32], vector: &[i64], product: &[AtomicI64]) -> Result<()> {
    for pack in Pack::all(packs) {
        for (row, columns, values) in pack?.rows() {
            let mut sum = 0_i64;
            for (column, value) in columns.iter().zip(values) {
                let x = vector.get(*column as usize).ok_or_else(|| outside("column", *column, vector.len()))?;
                sum = sum.wrapping_add(rounded_product(*value, *x));
            }
            let of_row = product.get(row as usize).ok_or_else(|| outside("row", row, product.len()))?;
            of_row.fetch_add(sum, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// value·x to the nearest integer, half away from zero.
fn rounded_product(value: f32, x: i64) -> i64 {
    let (mantissa, power) = taken_apart(value);
    let exact = u128::from(x.unsigned_abs()) * u128::from(mantissa);
    // The value is mantissa·2^-shift. Of twice the result and one more, half is the result rounded.
    let rounded = match -power {
        shift @ ..=0 => exact.checked_shl(shift.unsigned_abs()).unwrap_or(0),
        shift => (exact.checked_shr(shift as u32 - 1).unwrap_or(0) + 1) >> 1,
    } as i64;
    if (x < 0) == value.is_sign_negative() { rounded } else { rounded.wrapping_neg() }
}

fn outside(what: &str, number: u32, count: usize) -> Error {
    Error::parameter("sparse rows", format!("an entry is of {what} {number}, and there are {count}: give its shape"))
}
