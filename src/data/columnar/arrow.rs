//! Arrow's IPC format: files (which Feather version 2 is) and streams, by what they begin with.

use std::path::Path;
use std::sync::Arc;

use super::messages::{Fault, Messages};
use super::{Rows, fenced, fields};
use crate::data::collect::{Collected, Room};
use crate::data::file::InputFile;
use crate::data::open::ReadOptions;
use crate::{Error, Place, Result};

/// What a file of Feather's first version begins with.
const FEATHER_1: &[u8; 4] = b"FEA1";

/// Reads an Arrow IPC file or stream, plain or compressed (LZ4, Zstandard): numeric columns, and lists of as many numbers
/// in each row. Two record batches of the file are in memory at a time.
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
    let mut mark = *FEATHER_1;
    if file.len() >= mark.len() as u64 {
        file.read_at(0, &mut mark)?;
        if mark == *FEATHER_1 {
            let message = "is a Feather file of version 1, which is not read; write it again as version 2";
            return Err(Error::data(Place::of(name), message));
        }
    }
    let mut messages = Messages::open(file.clone()).map_err(|fault| match fault {
        Fault::File(error) => error,
        Fault::Content(what) => {
            let message = format!("is no Arrow file or stream, or was cut short ({what}); write it again");
            Error::data(Place::of(name), message)
        }
    })?;
    let wanted = options.columns.as_deref();
    let chosen = fields::chosen(name, messages.schema(), wanted)?;
    let mut rows = Rows::new(name, room, fields::notes(name, messages.schema(), wanted));
    let broken = |rows: &Rows, fault| match fault {
        Fault::File(error) => error,
        Fault::Content(what) => rows.broken("Arrow", &what),
    };
    let mut batch = messages.next(&chosen).map_err(|fault| broken(&rows, fault))?;
    while let Some(now) = batch {
        // The next batch is decoded while this one is turned into rows.
        let (next, pushed) = rayon::join(|| messages.next(&chosen), || rows.push(&now));
        pushed?;
        batch = next.map_err(|fault| broken(&rows, fault))?;
    }
    rows.finish()
}
