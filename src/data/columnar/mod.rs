//! Columnar files: Parquet, and Arrow's IPC files and streams (Feather).
//!
//! Both give batches of columns (`RecordBatch`); [`fields`] says which columns are read and refuses those that are no
//! numbers, [`values`] turns a batch into row-major [`Block`](super::collect::Block)s, and a [`Rows`] collects them.
//! Decoding is costly, so each file is decoded once, when it is opened.

mod arrow;
mod fields;
mod messages;
mod parquet;
mod values;

use arrow_array::RecordBatch;
use rayon::prelude::*;

pub(super) use self::arrow::open as open_arrow;
pub(super) use self::parquet::open as open_parquet;
use super::collect::{Collected, Collector, Room};
use crate::{Error, Place, Result};

/// Values that a thread converts at a time: a few hundred kB, so that they stay in the processor's cache.
const PIECE: usize = 1 << 16;

/// The rows of a file while it is read.
struct Rows<'a> {
    name: &'a str,
    room: &'a Room,
    /// Known from the first rows on, since they tell how long lists are.
    collector: Option<Collector<'a>>,
    names: Vec<String>,
    is_wide: bool,
    notes: Vec<String>,
    rows: u64,
}

impl<'a> Rows<'a> {
    fn new(name: &'a str, room: &'a Room, notes: Vec<String>) -> Self {
        Self { name, room, collector: None, names: Vec::new(), is_wide: false, notes, rows: 0 }
    }

    /// Adds the rows of a batch, whose columns are those that were chosen, in their order.
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let columns = values::columns(self.name, batch, self.rows)?;
        let names: Vec<String> = columns.iter().flat_map(values::Column::names).collect();
        if self.collector.is_none() {
            self.collector = Some(Collector::new(self.name, names.len(), self.room));
            self.names.clone_from(&names);
            self.is_wide = columns.iter().any(values::Column::is_wide);
        }
        if let Some(new) = columns.iter().find(|_| names != self.names) {
            let message = format!(
                "the lists of column `{}` or another are longer or shorter than those of the rows before; every row \
                 must have the same number of values",
                new.name()
            );
            return Err(Error::data(Place::of(self.name).row(self.rows), message));
        }
        let width = names.len();
        let step = (PIECE / width.max(1)).max(1);
        let starts: Vec<usize> = (0..batch.num_rows()).step_by(step).collect();
        let blocks: Vec<_> = starts
            .into_par_iter()
            .map(|start| values::block(&columns, start..batch.num_rows().min(start + step), width))
            .collect();
        if let Some(collector) = &mut self.collector {
            blocks.into_iter().try_for_each(|block| collector.push(block))?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// The error for a file that cannot be decoded further, named by the first row that is missing.
    fn broken(&self, what: &str, error: &dyn std::fmt::Display) -> Error {
        let message = format!("the {what} data are damaged or cut short ({error}); write the file again");
        Error::data(Place::of(self.name).row(self.rows), message)
    }

    /// All rows, as a source.
    fn finish(self) -> Result<Collected> {
        match self.collector {
            Some(collector) => Ok(collector.finish().described(self.names, self.is_wide, self.notes)),
            None => Err(Error::data(Place::of(self.name), "has no rows; there is nothing to compute on")),
        }
    }
}

/// Runs a decoder of files that may hold anything: where it panics, that is an error of the file.
fn fenced<T>(name: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(Error::data(Place::of(name), "is damaged: its contents contradict each other; write the file again"))
    })
}
