//! Arrow's IPC format: files (which Feather version 2 is) and streams, by what they begin with.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};

use super::{Rows, fenced, fields};
use crate::data::collect::{Collected, Room};
use crate::data::file::{InOrder, InputFile};
use crate::data::open::ReadOptions;
use crate::{Error, Place, Result};

/// Reads an Arrow IPC file or stream, plain or compressed (LZ4, Zstandard): numeric columns, and lists of as many numbers
/// in each row. One record batch of the file is in memory at a time.
///
/// # Errors
/// As for Parquet files.
pub(in crate::data) fn open(path: &Path, options: &ReadOptions, room: &Room) -> Result<Collected> {
    let file = Arc::new(InputFile::open(path)?);
    let name = file.name();
    let read = fenced(&name, || read(&file, &name, options, room));
    // A decoder may fail in any way on a file that was changed under it; then that is the reason.
    file.check()?;
    read
}

fn read(file: &Arc<InputFile>, name: &str, options: &ReadOptions, room: &Room) -> Result<Collected> {
    let mut mark = [0; 6];
    let length = file.len().min(6) as usize;
    file.read_at(0, mark.get_mut(..length).unwrap_or_default())?;
    if mark.starts_with(b"FEA1") {
        let message = "is a Feather file of version 1, which is not read; write it again as version 2";
        return Err(Error::data(Place::of(name), message));
    }
    let refuse = |error: &ArrowError| {
        let message = format!("is no Arrow file or stream, or was cut short ({}); write it again", words(error));
        Error::data(Place::of(name), message)
    };
    let wanted = options.columns.as_deref();
    let reader = BufReader::new(InOrder::from(file.clone(), 0));
    if mark == *b"ARROW1" {
        let reader = FileReader::try_new(reader, None).map_err(|error| refuse(&error))?;
        let schema = reader.schema();
        collect(name, &schema, reader, wanted, room)
    } else {
        let reader = StreamReader::try_new(reader, None).map_err(|error| refuse(&error))?;
        let schema = reader.schema();
        collect(name, &schema, reader, wanted, room)
    }
}

/// Collects the columns wanted of all batches.
fn collect(
    name: &str,
    schema: &SchemaRef,
    mut batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send,
    wanted: Option<&[String]>,
    room: &Room,
) -> Result<Collected> {
    let chosen = fields::chosen(name, schema, wanted)?;
    let mut rows = Rows::new(name, room);
    let mut next = || batches.next().transpose()?.map(|batch| batch.project(&chosen)).transpose();
    let mut batch = next().map_err(|error| rows.broken("Arrow", &words(&error)))?;
    while let Some(now) = batch {
        // The next batch is decoded while this one is turned into rows.
        let (after, pushed) = rayon::join(&mut next, || rows.push(&now));
        pushed?;
        batch = after.map_err(|error| rows.broken("Arrow", &words(&error)))?;
    }
    rows.finish()
}

/// What the decoder says, without its own name before it.
fn words(error: &ArrowError) -> String {
    match error {
        ArrowError::IpcError(message)
        | ArrowError::ParseError(message)
        | ArrowError::SchemaError(message)
        | ArrowError::InvalidArgumentError(message)
        | ArrowError::IoError(message, _) => message.clone(),
        other => other.to_string(),
    }
}
