//! The batches of an unbounded iteration, as all ranks get them.

use super::key::Declared;
use super::place::Source;
use super::session::Session;
use crate::data::wire::{Word, read_list, write_list};
use crate::data::{Batches, RowSource};
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::Arc;

/// Where batches come from. Where there are several ranks, the first one's are those of all.
pub(crate) struct Feed<'a> {
    /// The rows that the batches become.
    pub(super) rows: Declared,
    batches: Batches<'a>,
    session: Session,
    columns: Option<usize>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(rows: Declared, batches: Batches<'a>, session: &Session) -> Self {
        Self { rows, batches, session: session.clone(), columns: None }
    }

    /// The batch after so many that have rows.
    pub(super) fn after(&mut self, rounds: u32) -> Result<Option<Source<'static>>> {
        for _ in 0..rounds {
            if self.next()?.is_none() {
                return Ok(None);
            }
        }
        self.next()
    }

    /// The next batch that has rows; `None` after the last, or where it was interrupted.
    pub(super) fn next(&mut self) -> Result<Option<Source<'static>>> {
        let collective = self.session.collective().clone();
        if collective.size() == 1 {
            return self.pull();
        }
        let own = if collective.rank() == 0 { self.pull() } else { Ok(None) };
        let (own, bytes) = match own {
            Ok(own) => {
                let bytes = own.as_ref().map_or(Ok(Vec::new()), |batch| encode(&**batch));
                (own, bytes)
            }
            Err(error) => (None, Err(error)),
        };
        let parts = collective.exchange(bytes)?;
        if collective.rank() == 0 {
            return Ok(own);
        }
        match parts.first().map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some(bytes) => {
                let garbled = || Error::parameter("batches", "what rank 0 sent does not read as a batch");
                Ok(Some(Arc::new(decode(bytes).ok_or_else(garbled)?)))
            }
        }
    }

    fn pull(&mut self) -> Result<Option<Source<'static>>> {
        loop {
            if self.session.is_interrupted() {
                return Ok(None);
            }
            let session = &self.session;
            let Some(batch) = self.batches.next_batch(&|| session.is_interrupted())? else { return Ok(None) };
            if batch.rows() == 0 {
                continue;
            }
            let (columns, first) = (batch.columns(), *self.columns.get_or_insert(batch.columns()));
            if columns != first {
                let message = format!("the batch has rows of {columns} columns, the first one of {first}");
                return Err(Error::data(batch.place(0, 0), message));
            }
            return Ok(Some(Arc::from(batch)));
        }
    }
}

fn encode(batch: &dyn RowSource) -> Result<Vec<u8>> {
    let mut values = vec![0.0; batch.rows() as usize * batch.columns()];
    batch.read_f32(0, &[], &mut values)?;
    let mut to = Vec::with_capacity(values.len() * size_of::<f32>() + 16);
    (batch.columns() as u64).write(&mut to);
    write_list(&values, &mut to);
    Ok(to)
}

fn decode(mut from: &[u8]) -> Option<Array2<f32>> {
    let columns = usize::try_from(u64::read(&mut from)?).ok()?;
    let values = read_list::<f32>(&mut from)?;
    Array2::from_shape_vec((values.len().checked_div(columns)?, columns), values).ok()
}

/// Stands for the batches where none came.
pub(super) struct NoRows;

impl RowSource for NoRows {
    fn rows(&self) -> u64 {
        0
    }

    fn columns(&self) -> usize {
        0
    }

    fn read_f64(&self, _: u64, _: &mut [f64]) -> Result<()> {
        Ok(())
    }

    fn read_f32(&self, _: u64, _: &[f64], _: &mut [f32]) -> Result<()> {
        Ok(())
    }

    fn place(&self, _: u64, _: usize) -> crate::Place {
        crate::Place::of("batches of which none came")
    }
}
