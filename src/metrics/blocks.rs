//! Rows read in f64, checked, and summed block by block.

use std::ops::Range;

use rayon::prelude::*;

use crate::data::RowSource;
use crate::{Error, Result};

/// Rows of a block, at least: enough to pay for a task.
const BLOCK: u64 = 4096;

/// Values read at a time: 64 KiB, which stay in the cache while they are added up.
const CHUNK: usize = 8192;

/// What `add(sums, number of the row, row)` adds up over all rows, in `width` sums that start from 0.
///
/// Each block has sums of its own; they are added in a tree whose shape depends on the numbers of rows, columns and sums
/// alone. `rows` has at least one row and one column.
///
/// # Errors
/// When the rows cannot be read or hold a value that is no finite f32; the first such is named.
pub(super) fn sum_rows(
    rows: &dyn RowSource,
    width: usize,
    add: impl Fn(&mut [f64], usize, &[f64]) + Sync,
) -> Result<Vec<f64>> {
    // A block's sums never outweigh its rows, so that many clusters do not cost more memory than reading does.
    let rows_a_block = BLOCK.max((width / rows.columns()) as u64);
    let blocks = Blocks { rows, rows_a_block, width, add };
    blocks.tree(0..rows.rows().div_ceil(rows_a_block))
}

struct Blocks<'a, F> {
    rows: &'a dyn RowSource,
    rows_a_block: u64,
    width: usize,
    add: F,
}

impl<F: Fn(&mut [f64], usize, &[f64]) + Sync> Blocks<'_, F> {
    /// Sums a range of blocks: the left subtree holds the greatest power of two of them that leaves one for the right.
    fn tree(&self, blocks: Range<u64>) -> Result<Vec<f64>> {
        let count = blocks.end - blocks.start;
        if count <= 1 {
            return self.block(blocks.start);
        }
        let middle = blocks.start + count.next_power_of_two() / 2;
        let (left, right) = rayon::join(|| self.tree(blocks.start..middle), || self.tree(middle..blocks.end));
        // Both may have failed; the left one's rows come first.
        let mut sums = left?;
        for (sum, other) in sums.iter_mut().zip(right?) {
            *sum += other;
        }
        Ok(sums)
    }

    fn block(&self, number: u64) -> Result<Vec<f64>> {
        let columns = self.rows.columns();
        let first = number * self.rows_a_block;
        let end = first.saturating_add(self.rows_a_block).min(self.rows.rows());
        let step = rows_a_chunk(columns);
        let mut buffer = vec![0.0; step * columns];
        let mut sums = vec![0.0; self.width];
        for first in (first..end).step_by(step) {
            let chunk = &mut buffer[..(end - first).min(step as u64) as usize * columns];
            self.rows.read_f64(first, chunk)?;
            check_values(self.rows, chunk, |row| first + row)?;
            for (row, values) in chunk.chunks_exact(columns).enumerate() {
                (self.add)(&mut sums, first as usize + row, values);
            }
        }
        Ok(sums)
    }
}

/// All values, row-major; `rows` has at least one column.
///
/// # Errors
/// As for [`sum_rows`].
pub(super) fn read_all(rows: &dyn RowSource) -> Result<Vec<f64>> {
    let columns = rows.columns();
    let step = rows_a_chunk(columns);
    let mut values = vec![0.0; rows.rows() as usize * columns];
    let chunks = values.par_chunks_mut(step * columns).enumerate();
    chunks.try_for_each(|(number, chunk)| rows.read_f64((number * step) as u64, chunk))?;
    check_values(rows, &values, |row| row)?;
    Ok(values)
}

/// The values of the rows of these numbers, row-major; `rows` has at least one column.
///
/// # Errors
/// As for [`sum_rows`].
pub(super) fn read_chosen(rows: &dyn RowSource, chosen: &[u64]) -> Result<Vec<f64>> {
    let columns = rows.columns();
    let mut values = vec![0.0; chosen.len() * columns];
    let each = values.par_chunks_exact_mut(columns).zip(chosen);
    each.try_for_each(|(values, row)| rows.read_f64(*row, values))?;
    check_values(rows, &values, |row| chosen[row as usize])?;
    Ok(values)
}

fn rows_a_chunk(columns: usize) -> usize {
    (CHUNK / columns).clamp(1, BLOCK as usize)
}

/// Refuses what k-means refuses too; squares of the rest stay far inside the range of f64.
///
/// `row_of` gives the number that a row of `values` has in the source.
fn check_values(rows: &dyn RowSource, values: &[f64], row_of: impl Fn(u64) -> u64) -> Result<()> {
    let Some(index) = values.iter().position(|value| !(*value as f32).is_finite()) else {
        return Ok(());
    };
    let (row, column) = (index / rows.columns(), index % rows.columns());
    let message = format!("the value {:e} is no finite number in the range of f32, ±3.4e38", values[index]);
    Err(Error::data(rows.place(row_of(row as u64), column), message))
}
