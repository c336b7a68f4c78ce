//! Batches of rows: each pass over a table takes its rows in another order, so many at a time.

use crate::Result;
use crate::data::{RowSource, Shuffle};
use ndarray::Array2;
use rayon::prelude::*;

/// The stream of draws that rows are shuffled by.
const SHUFFLE: u32 = 0x5347_4400;

/// Rows that one thread reads at a time.
const READ: usize = 64;

/// Which rows each step takes. It depends on the seed and the step alone, so that all tables, and all ranks, agree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epochs {
    shuffle: Shuffle,
    rows: u64,
    batch: u64,
}

impl Epochs {
    pub(super) fn new(seed: u64, rows: u64, batch: usize) -> Self {
        Self { shuffle: Shuffle::new(seed, SHUFFLE, rows), rows, batch: (batch as u64).clamp(1, rows.max(1)) }
    }

    /// The rows of a batch, of which the last of an epoch has those that are left.
    pub(super) fn batch(&self) -> u64 {
        self.batch
    }

    /// The steps of a pass over all rows.
    pub(super) fn steps(&self) -> u64 {
        self.rows.div_ceil(self.batch).max(1)
    }

    /// The rows of a pass.
    pub(super) fn rows_in_all(&self) -> u64 {
        self.rows
    }

    /// How many rows a step takes; steps count from 0.
    pub(super) fn size(&self, step: u64) -> u64 {
        let first = step % self.steps() * self.batch;
        self.batch.min(self.rows - first)
    }

    /// The rows of a step. They are sorted: storage is read in its order, and that within a batch does not matter.
    pub(super) fn rows(&self, step: u64) -> Vec<u64> {
        let (epoch, first) = ((step / self.steps()) as u32, step % self.steps() * self.batch);
        let mut rows: Vec<u64> = (first..first + self.size(step)).map(|place| self.shuffle.row(epoch, place)).collect();
        rows.sort_unstable();
        rows
    }
}

/// Some rows of a table, which are sorted.
pub(super) fn read(table: &(impl RowSource + ?Sized), rows: &[u64]) -> Result<Array2<f32>> {
    let columns = table.columns();
    let mut values = Array2::zeros((rows.len(), columns));
    let pieces = values.as_slice_mut().unwrap_or(&mut []).par_chunks_mut(READ * columns).zip(rows.par_chunks(READ));
    pieces.try_for_each(|(mut values, rows)| {
        for run in rows.chunk_by(|a, b| a + 1 == *b) {
            let (out, rest) = std::mem::take(&mut values).split_at_mut(run.len() * columns);
            table.read_f32(run[0], &[], out)?;
            values = rest;
        }
        Ok(())
    })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::{Epochs, read};

    #[test]
    fn each_epoch_takes_every_row_once() {
        for (rows, batch) in [(10, 3), (9, 3), (1, 5), (100, 100), (100, 1)] {
            let epochs = Epochs::new(4, rows, batch);
            for epoch in 0..3 {
                let steps = epoch * epochs.steps()..(epoch + 1) * epochs.steps();
                let mut all: Vec<u64> = steps.flat_map(|step| epochs.rows(step)).collect();
                assert!(all.len() as u64 == rows && epochs.batch() <= rows);
                all.sort_unstable();
                assert_eq!(all, (0..rows).collect::<Vec<_>>(), "{rows} rows by {batch}");
            }
        }
    }

    #[test]
    fn rows_are_read_wherever_they_lie() -> crate::Result<()> {
        let table = ndarray::Array2::from_shape_fn((500, 3), |(row, column)| (row * 3 + column) as f32);
        let rows: Vec<u64> = (0..500).filter(|row| row % 7 != 3 && row % 5 != 0).collect();
        let found = read(&table, &rows)?;
        for (values, row) in found.outer_iter().zip(&rows) {
            assert_eq!(values, table.row(*row as usize));
        }
        Ok(())
    }
}
