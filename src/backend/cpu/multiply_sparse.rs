//! A sparse matrix times a vector: the step of algorithms on graphs.

use crate::data::Pack;
use crate::{Error, Result};
use std::sync::atomic::{AtomicI64, Ordering};

/// Adds the products of the packs of a sparse matrix and a vector to `product`, one sum for each row of the matrix, in units of
/// 2^-`exponent`: each product of an entry is rounded to f32, then to a whole number of units, half to even.
///
/// Several threads may add packs of one matrix to one product: integers in any order have one sum. No sum may reach
/// 2^(63 − `exponent`) in magnitude; one that does wraps around.
///
/// ```
/// use std::sync::atomic::AtomicI64;
/// use superstep::backend::cpu::multiply_sparse;
/// use superstep::data::{Entry, RowSource, SparseRows};
///
/// let entries = vec![Entry { row: 1, column: 0, value: 0.5 }, Entry { row: 1, column: 2, value: 2.0 }];
/// let matrix = SparseRows::new((2, 3), entries)?;
/// let product = [AtomicI64::new(0), AtomicI64::new(0)];
/// let packs = matrix.in_memory(0..matrix.rows()).unwrap_or_default();
/// multiply_sparse(packs, &[1.0, 0.0, 0.25], 4, &product)?;
/// assert_eq!(product.map(AtomicI64::into_inner), [0, 16]); // 1 in sixteenths
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When the words are no packs, or an entry lies outside the vector or the product.
pub fn multiply_sparse(packs: &[f32], vector: &[f32], exponent: i32, product: &[AtomicI64]) -> Result<()> {
    let units = 2.0_f64.powi(exponent);
    for pack in Pack::all(packs) {
        for (row, columns, values) in pack?.rows() {
            let mut sum = 0_i64;
            for (column, value) in columns.iter().zip(values) {
                let x = vector.get(*column as usize).ok_or_else(|| outside("column", *column, vector.len()))?;
                // A product in f32 times a power of two is exact in f64.
                sum = sum.wrapping_add((f64::from(value * x) * units).round_ties_even() as i64);
            }
            let of_row = product.get(row as usize).ok_or_else(|| outside("row", row, product.len()))?;
            of_row.fetch_add(sum, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn outside(what: &str, number: u32, count: usize) -> Error {
    Error::parameter("sparse rows", format!("an entry is of {what} {number}, and there are {count}: give its shape"))
}
