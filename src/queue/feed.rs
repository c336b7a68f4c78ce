//! The batches of an unbounded iteration, as all ranks get them.

use super::key::Declared;
use super::place::Source;
use super::session::Session;
use crate::data::wire::{Word, read_list, write_list};
use crate::data::{Batches, RowSource};
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::Arc;

/// Where batches come from: one sequence of tables, or several, of which each round takes the next of each. Where there are several
/// ranks, the first one's are those of all.
pub(crate) struct Feed<'a> {
    sequences: Vec<Sequence<'a>>,
    session: Session,
}

struct Sequence<'a> {
    /// The rows that its tables become.
    rows: Declared,
    batches: Batches<'a>,
    columns: Option<usize>,
}

/// The tables of a round, one of each sequence.
pub(super) type Tables = Vec<Source<'static>>;

impl<'a> Feed<'a> {
    pub(super) fn new(sequences: Vec<(Declared, Batches<'a>)>, session: &Session) -> Self {
        let sequences = sequences.into_iter().map(|(rows, batches)| Sequence { rows, batches, columns: None });
        Self { sequences: sequences.collect(), session: session.clone() }
    }

    /// What the tables of a round become, in their order.
    pub(super) fn rows(&self) -> Vec<Declared> {
        self.sequences.iter().map(|sequence| sequence.rows).collect()
    }

    /// The batch after so many that have rows.
    pub(super) fn after(&mut self, rounds: u32) -> Result<Option<Tables>> {
        for _ in 0..rounds {
            if self.next()?.is_none() {
                return Ok(None);
            }
        }
        self.next()
    }

    /// The next batch that has rows; `None` after the last, or where it was interrupted.
    pub(super) fn next(&mut self) -> Result<Option<Tables>> {
        let collective = self.session.collective().clone();
        if collective.size() == 1 {
            return self.pull();
        }
        let own = if collective.rank() == 0 { self.pull() } else { Ok(None) };
        let (own, bytes) = match own {
            Ok(own) => {
                let bytes = own.iter().flatten().try_fold(Vec::new(), |to, batch| encode(&**batch, to));
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
            Some(mut bytes) => {
                let garbled = || Error::parameter("batches", "what rank 0 sent does not read as a batch");
                let mut decoded = || decode(&mut bytes).map(|batch| Arc::new(batch) as Source<'static>);
                self.sequences.iter().map(|_| decoded().ok_or_else(garbled)).collect::<Result<_>>().map(Some)
            }
        }
    }

    fn pull(&mut self) -> Result<Option<Tables>> {
        loop {
            if self.session.is_interrupted() {
                return Ok(None);
            }
            let session = &self.session;
            let tables = self.sequences.iter_mut().map(|sequence| sequence.pull(session));
            let Some(tables) = tables.collect::<Result<Option<Tables>>>()? else { return Ok(None) };
            if tables.iter().any(|table| table.rows() > 0) {
                return Ok(Some(tables));
            }
        }
    }
}

impl Sequence<'_> {
    fn pull(&mut self, session: &Session) -> Result<Option<Source<'static>>> {
        let Some(batch) = self.batches.next_batch(&|| session.is_interrupted())? else { return Ok(None) };
        if batch.rows() > 0 {
            let (columns, first) = (batch.columns(), *self.columns.get_or_insert(batch.columns()));
            if columns != first {
                let message = format!("the batch has rows of {columns} columns, the first one of {first}");
                return Err(Error::data(batch.place(0, 0), message));
            }
        }
        Ok(Some(Arc::from(batch)))
    }
}

fn encode(batch: &dyn RowSource, mut to: Vec<u8>) -> Result<Vec<u8>> {
    let mut values = vec![0.0; batch.rows() as usize * batch.columns()];
    batch.read_f32(0, &[], &mut values)?;
    (batch.columns() as u64).write(&mut to);
    write_list(&values, &mut to);
    Ok(to)
}

fn decode(from: &mut &[u8]) -> Option<Array2<f32>> {
    let columns = usize::try_from(u64::read(from)?).ok()?;
    let values = read_list::<f32>(from)?;
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
