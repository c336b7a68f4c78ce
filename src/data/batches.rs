//! Tables that come one after the other, for as long as they come.

use super::csv::TextBatches;
use super::open::ReadOptions;
use super::source::RowSource;
use crate::{Error, Place, Result};
use ndarray::Array2;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How often whoever waits for a batch looks whether it still has to.
const LOOK: Duration = Duration::from_millis(20);

/// Bytes of text that are read at a time.
const TEXT: usize = 1 << 16;

/// A batch as it is handed out: it owns its rows, whatever its producer borrows.
type Batch = Box<dyn RowSource>;

/// Makes the next batch.
type Next<'a> = dyn FnMut(Interrupted) -> Result<Option<Batch>> + Send + 'a;

/// Whether whoever waits was interrupted.
type Interrupted<'i> = &'i dyn Fn() -> bool;

/// A sequence of tables of one width that may have no end: what
/// [`init_with_unbounded_data`](crate::queue::IterativeComQueue::init_with_unbounded_data) takes, one for each round.
///
/// A batch is asked for when the one before has been computed on, so that a producer waits for its reader: an iterator is
/// not called meanwhile, a channel of limited length fills up, and so does a pipe.
///
/// ```
/// use ndarray::array;
/// use superstep::data::Batches;
///
/// let mut batches = Batches::new([array![[1.0_f32, 2.0]], array![[3.0, 4.0], [5.0, 6.0]]]);
/// let first = batches.next_batch(&|| false)?.expect("there are two");
/// assert_eq!((first.rows(), first.columns()), (1, 2));
/// # Ok::<(), superstep::Error>(())
/// ```
pub struct Batches<'a>(Box<Next<'a>>);

impl<'a> Batches<'a> {
    /// The tables of an iterator.
    pub fn new<B: RowSource + 'static>(tables: impl IntoIterator<Item = B, IntoIter: Send + 'a>) -> Self {
        Self::try_new(tables.into_iter().map(Ok))
    }

    /// The tables of an iterator that may fail, which ends the iteration with its error.
    pub fn try_new<B: RowSource + 'static>(tables: impl IntoIterator<Item = Result<B>, IntoIter: Send + 'a>) -> Self {
        let mut tables = tables.into_iter();
        Self(Box::new(move |_| tables.next().transpose().map(|table| table.map(|table| Box::new(table) as Batch))))
    }

    /// The tables that come through a channel, until all its senders are gone. An interruption is noticed while it is waited
    /// for them.
    pub fn from_channel<B: RowSource + 'static>(tables: Receiver<B>) -> Self {
        Self(Box::new(move |interrupted| Ok(receive(&tables, interrupted).map(|table| Box::new(table) as Batch))))
    }

    /// A table in batches of this many rows, each of which is read when its turn comes; the last has what is left.
    pub fn of_rows(table: impl RowSource + 'a, rows: u64) -> Self {
        let mut first = 0_u64;
        Self(Box::new(move |_| {
            let count = rows.max(1).min(table.rows().saturating_sub(first));
            let begin = first;
            first += count;
            if count > 0 {
                Piece::read(&table, begin, count).map(|piece| Some(Box::new(piece) as Batch))
            } else {
                Ok(None)
            }
        }))
    }

    /// The rows of a text table that is read from front to back, standard input for example, in batches of this many; `name` is
    /// for messages. It is read by a thread of its own, a little ahead of the rounds, so that an interruption is noticed while
    /// it is waited for text.
    pub fn of_text(text: impl Read + Send + 'static, name: &str, rows: usize, options: &ReadOptions) -> Self {
        let (to, from) = sync_channel(2);
        let mut text = text;
        let read = move || {
            loop {
                let mut piece = vec![0; TEXT];
                let read = match text.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => Ok(read),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                let piece = read.map(|read| {
                    piece.truncate(read);
                    piece
                });
                // Where nobody reads any more, or after an error, there is nothing to do.
                if to.send(piece).is_err() || failed {
                    break;
                }
            }
        };
        let (source, mut parsed) = (name.to_owned(), TextBatches::new(name, rows, options));
        let thread = std::thread::Builder::new().name("superstep-text".into()).spawn(read);
        let mut broken = thread.err();
        Self(Box::new(move |interrupted| {
            if let Some(error) = broken.take() {
                return Err(Error::io(&source, error));
            }
            let mut piece = || match receive(&from, interrupted) {
                Some(piece) => piece.map(Some).map_err(|error| Error::io(&source, error)),
                None => Ok(None),
            };
            parsed.next(&mut piece).map(|batch| batch.map(|batch| Box::new(batch) as Batch))
        }))
    }

    /// The rows of a text file that still grows, in batches of this many. Rows count once their line has ended. It ends once
    /// nothing was added for the time of `idle`, where one is given, and else with an interruption; what is left then is a
    /// last batch.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn of_growing_file(
        path: impl AsRef<Path>,
        rows: usize,
        idle: Option<Duration>,
        options: &ReadOptions,
    ) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let mut file = File::open(&path).map_err(|error| Error::io(&path, error))?;
        let mut parsed = TextBatches::new(&path.display().to_string(), rows, options);
        Ok(Self(Box::new(move |interrupted| {
            let mut piece = || grown(&mut file, idle, interrupted).map_err(|error| Error::io(&path, error));
            parsed.next(&mut piece).map(|batch| batch.map(|batch| Box::new(batch) as Batch))
        })))
    }

    /// Tables without end, each made of its number, from 0.
    pub(crate) fn drawn<B: RowSource + 'static>(make: impl Fn(u32) -> Result<B> + Send + 'a) -> Self {
        let mut number = 0;
        Self(Box::new(move |_| {
            let table = make(number)?;
            number += 1;
            Ok(Some(Box::new(table)))
        }))
    }

    /// These tables after another one.
    pub(crate) fn after(mut self, first: impl RowSource + 'static) -> Self {
        let mut first = Some(Box::new(first) as Batch);
        Self(Box::new(move |interrupted| match first.take() {
            Some(first) => Ok(Some(first)),
            None => (self.0)(interrupted),
        }))
    }

    /// What is made of each table.
    pub(crate) fn map<B: RowSource + 'static>(
        mut self,
        make: impl Fn(&dyn RowSource) -> Result<B> + Send + 'a,
    ) -> Self {
        Self(Box::new(move |interrupted| {
            let Some(table) = (self.0)(interrupted)? else { return Ok(None) };
            make(&*table).map(|made| Some(Box::new(made) as Batch))
        }))
    }

    /// The next table; `None` after the last, or once `interrupted` says so.
    ///
    /// # Errors
    /// Whatever the producer fails with.
    pub fn next_batch(&mut self, interrupted: &dyn Fn() -> bool) -> Result<Option<Box<dyn RowSource>>> {
        (self.0)(interrupted)
    }
}

/// The next value of a channel; `None` once all its senders are gone, or it is interrupted.
fn receive<T>(from: &Receiver<T>, interrupted: Interrupted) -> Option<T> {
    loop {
        match from.recv_timeout(LOOK) {
            Ok(value) => return Some(value),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if interrupted() => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What was added to a file; `None` once nothing was for long enough, or it is interrupted.
fn grown(file: &mut File, idle: Option<Duration>, interrupted: Interrupted) -> std::io::Result<Option<Vec<u8>>> {
    let since = Instant::now();
    loop {
        let mut piece = vec![0; TEXT];
        let read = file.read(&mut piece)?;
        if read > 0 {
            piece.truncate(read);
            return Ok(Some(piece));
        }
        if interrupted() || idle.is_some_and(|idle| since.elapsed() >= idle) {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// A copy of some rows of a table.
struct Piece {
    values: Values,
    /// That of its first value.
    place: Place,
}

/// In the type that holds the table's values.
enum Values {
    Narrow(Array2<f32>),
    Wide(Array2<f64>),
}

impl Piece {
    fn read(table: &dyn RowSource, first: u64, rows: u64) -> Result<Self> {
        let place = table.place(first, 0);
        let shape = (rows as usize, table.columns());
        let values = if table.is_wide() {
            let mut values = Array2::zeros(shape);
            table.read_f64(first, values.as_slice_mut().unwrap_or(&mut []))?;
            Values::Wide(values)
        } else {
            let mut values = Array2::zeros(shape);
            table.read_f32(first, &[], values.as_slice_mut().unwrap_or(&mut []))?;
            Values::Narrow(values)
        };
        Ok(Self { values, place })
    }

    fn source(&self) -> &dyn RowSource {
        match &self.values {
            Values::Narrow(values) => values,
            Values::Wide(values) => values,
        }
    }
}

impl RowSource for Piece {
    fn rows(&self) -> u64 {
        self.source().rows()
    }

    fn columns(&self) -> usize {
        self.source().columns()
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        self.source().in_memory(rows)
    }

    fn is_wide(&self) -> bool {
        self.source().is_wide()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.source().read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.source().read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        let place = self.place.clone();
        let (first, left) = (place.row.unwrap_or(0), place.column.unwrap_or(0));
        Place { row: Some(first + row), column: Some(left + column as u64), column_name: None, ..place }
    }
}
