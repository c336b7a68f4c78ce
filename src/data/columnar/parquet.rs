//! Parquet files, decoded batch by batch; the columns are shared out among the threads.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use rayon::prelude::*;

use super::{Rows, fenced, fields};
use crate::data::collect::{Collected, Room};
use crate::data::file::{InOrder, InputFile};
use crate::data::open::ReadOptions;
use crate::{Error, Place, Result};

/// Values of a batch: some MiB, whatever the size of the file's row groups.
const BATCH: usize = 1 << 20;

/// The most rows of a batch, where they are narrow.
const BATCH_ROWS: usize = 1 << 16;

/// Reads a Parquet file: numeric columns, and lists of as many numbers in each row.
///
/// # Errors
/// [`Error::Io`] when it cannot be opened or read; [`Error::Data`] when it is no Parquet file, is damaged (with the row
/// reached), a column is not numeric or not there, a value is missing, or it has no rows.
pub(in crate::data) fn open(path: &Path, options: &ReadOptions, room: &Room) -> Result<Collected> {
    let file = Arc::new(InputFile::open(path)?);
    let name = file.name();
    // A decoder may fail in any way on a file that was changed under it; then that is the reason.
    let read = fenced(&name, || read(&file, &name, options, room));
    file.check()?;
    read
}

fn read(file: &Arc<InputFile>, name: &str, options: &ReadOptions, room: &Room) -> Result<Collected> {
    let chunks = Chunks(file.clone());
    let metadata = ArrowReaderMetadata::load(&chunks, ArrowReaderOptions::new()).map_err(|error| {
        let message = format!("is no Parquet file, or was cut short ({}); write it again", words(&error));
        Error::data(Place::of(name), message)
    })?;
    let schema = metadata.schema().clone();
    let chosen = fields::chosen(name, &schema, options.columns.as_deref())?;
    let mut sorted = chosen.clone();
    sorted.sort_unstable();
    // Where each column wanted stands among those that are read.
    let order: Vec<usize> = chosen.iter().filter_map(|index| sorted.binary_search(index).ok()).collect();
    let mut rows = Rows::new(name, room, fields::notes(name, &schema, options.columns.as_deref()));
    let mut readers = readers(&chunks, &metadata, &sorted).map_err(|error| rows.broken("Parquet", &words(&error)))?;
    let wanted = Arc::new(Schema::new(chosen.iter().map(|index| schema.fields()[*index].clone()).collect::<Vec<_>>()));
    let mut next = gather(&mut readers, &order, &wanted).map_err(|error| rows.broken("Parquet", &error))?;
    while let Some(batch) = next {
        // The next batch is decoded while this one is turned into rows.
        let (after, pushed) = rayon::join(|| gather(&mut readers, &order, &wanted), || rows.push(&batch));
        pushed?;
        next = after.map_err(|error| rows.broken("Parquet", &error))?;
    }
    let promised = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
    if rows.rows != promised {
        return Err(rows.broken("Parquet", &format!("{} rows are there of {promised}", rows.rows)));
    }
    rows.finish()
}

/// Readers of about equal numbers of columns, one a thread; `sorted` are the columns as they lie in the file.
fn readers(
    chunks: &Chunks,
    metadata: &ArrowReaderMetadata,
    sorted: &[usize],
) -> Result<Vec<ParquetRecordBatchReader>, ParquetError> {
    let each = sorted.len().div_ceil(rayon::current_num_threads().max(1)).max(1);
    // Leaves, not columns: a list has as many values as it has, which only its type tells, and not always.
    let leaves: usize = sorted.iter().map(|index| width(metadata.schema(), *index)).sum();
    let rows = (BATCH / leaves.max(1)).clamp(1, BATCH_ROWS);
    let parts = sorted.chunks(each).map(|columns| {
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), metadata.clone());
        builder.with_projection(mask).with_batch_size(rows).build()
    });
    parts.collect()
}

/// How many values a row of a column has, as far as its type tells; for lists of any length a guess.
fn width(schema: &SchemaRef, index: usize) -> usize {
    use arrow_schema::DataType::{FixedSizeList, LargeList, List};
    match schema.fields()[index].data_type() {
        FixedSizeList(_, width) => (*width).max(1) as usize,
        List(_) | LargeList(_) => 1024,
        _ => 1,
    }
}

/// The next batch of all readers, with the columns in the order wanted, told by their places among those read; `None` at
/// the end. Errors continue "(…".
fn gather(
    parts: &mut [ParquetRecordBatchReader],
    order: &[usize],
    schema: &SchemaRef,
) -> Result<Option<RecordBatch>, String> {
    let batches: Vec<Option<Result<RecordBatch, _>>> = parts.par_iter_mut().map(|part| part.next()).collect();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(order.len());
    for batch in batches {
        match batch {
            Some(Ok(batch)) => columns.extend(batch.columns().iter().cloned()),
            Some(Err(error)) => return Err(error.to_string()),
            None => {}
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let columns: Option<Vec<ArrayRef>> = order.iter().map(|index| columns.get(*index).cloned()).collect();
    let columns = columns.ok_or("its columns have different numbers of rows")?;
    RecordBatch::try_new(schema.clone(), columns).map(Some).map_err(|error| error.to_string())
}

/// What the decoder says, without its own name before it.
fn words(error: &ParquetError) -> String {
    match error {
        ParquetError::General(message)
        | ParquetError::NYI(message)
        | ParquetError::EOF(message)
        | ParquetError::ArrowError(message) => message.clone(),
        other => other.to_string(),
    }
}

/// The file, as the decoder asks for it: by position, from any thread.
#[derive(Clone)]
struct Chunks(Arc<InputFile>);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<InOrder>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(InOrder::from(self.0.clone(), start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // A damaged length must not ask for more memory than the file could fill.
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.len()) {
            let message = format!("{length} bytes from byte {start} on reach past the end of the file");
            return Err(ParquetError::EOF(message));
        }
        let mut bytes = vec![0; length];
        self.0.read_at(start, &mut bytes).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(bytes.into())
    }
}
