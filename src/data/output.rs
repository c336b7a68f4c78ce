//! Result files, in the format of their names, that are either there as a whole or not at all.

mod csv;
mod encode;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod parts;
mod pending;
mod table;
mod vectors;

use std::io::{self, Write};
use std::path::Path;

use ndarray::ArrayRef2;

use super::arrays::Real;
use super::open::extension;
use crate::{Error, Result};
pub use parts::{SharedFile, check_parts, labels_head, labels_part, write_part};
use pending::PendingFile;
use table::Format;
pub use table::{Block, Element, TableSpec, TableWriter};

/// Values handed on at a time where an array has gaps: 256 KiB of f64.
const CHUNK: usize = 1 << 15;

fn refuse(path: &Path, message: &str) -> Error {
    Error::parameter(path.display().to_string(), message)
}

/// Checks, before the work starts, that results (labels, distances, centroids) can be written to `path`: a known
/// extension, and a folder that exists and takes new files. Leaves nothing behind.
///
/// # Errors
/// When it cannot; the message says why.
pub fn check_output(path: &Path) -> Result<()> {
    let holds_results = Format::of(path).is_some_and(Format::holds_results);
    if !holds_results && extension(path) != "parquet" {
        let formats = if cfg!(feature = "parquet") { ".npy, .csv or .parquet" } else { ".npy or .csv" };
        return Err(refuse(path, &format!("results are written as {formats}; give one of these extensions")));
    }
    TableWriter::check(path)
}

/// Writes one cluster number a row: as int32 to `.npy`, as scikit-learn's `labels_`, and to `.parquet`; one a line to `.csv`.
///
/// # Errors
/// When a label is 2³¹ or more, the extension is unknown, or the file cannot be written.
pub fn write_labels(path: &Path, labels: &[u32]) -> Result<()> {
    check_output(path)?;
    let mut table = TableWriter::create(path, TableSpec::labels(labels.len() as u64))?;
    table.push_labels(labels)?;
    table.finish()
}

/// Writes an `n × d` array, in its own element type to `.npy`; to `.csv` one row a line, in the shortest digits that read
/// back as the same numbers.
///
/// # Errors
/// When the extension is unknown or the file cannot be written.
pub fn write_matrix<T: Real>(path: &Path, values: &ArrayRef2<T>) -> Result<()> {
    check_output(path)?;
    let (rows, columns) = values.dim();
    let mut table = TableWriter::create(path, TableSpec::matrix(rows as u64, columns, T::ELEMENT))?;
    if let Some(values) = values.as_slice() {
        table.push(T::block(values))?;
        return table.finish();
    }
    let mut chunk = Vec::new();
    for row in values.outer_iter() {
        chunk.extend(row.iter().copied());
        if chunk.len() >= CHUNK {
            table.push(T::block(&chunk))?;
            chunk.clear();
        }
    }
    table.push(T::block(&chunk))?;
    table.finish()
}

/// Writes one number a row, as [`write_matrix`] does; to `.npy` as an array of one dimension.
///
/// # Errors
/// When the extension is unknown or the file cannot be written.
pub fn write_vector<T: Real>(path: &Path, values: &[T]) -> Result<()> {
    check_output(path)?;
    let mut table = TableWriter::create(path, TableSpec::vector(values.len() as u64, T::ELEMENT, "value"))?;
    table.push(T::block(values))?;
    table.finish()
}

/// Writes a number for each of some names: to `.csv` a line of titles and then name and number, the names in quotes where these are
/// needed; to other formats the numbers alone, as [`write_vector`] does.
///
/// # Errors
/// When the extension is unknown or the file cannot be written.
pub fn write_named<'n>(
    path: &Path,
    titles: [&str; 2],
    names: impl IntoIterator<Item = &'n str>,
    values: &[f64],
) -> Result<()> {
    if Format::of(path) != Some(Format::Csv) {
        return write_vector(path, values);
    }
    write_whole(path, |to| {
        writeln!(to, "{},{}", titles[0], titles[1])?;
        names.into_iter().zip(values).try_for_each(|(name, value)| csv::write_named(to, name, *value))
    })
}

/// Brings to the disk which files a folder has, as far as the system can: after that a file that was renamed there is found
/// under its new name whatever happens.
pub(crate) fn settle_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| crate::Error::io(folder, error))?;
    let _ = folder;
    Ok(())
}

/// Writes a file as a whole: to a temporary file in the same folder, flushed to the disk, then renamed.
///
/// When anything fails, a file that was at `path` before is untouched, and nothing new is left behind.
///
/// # Errors
/// [`Error::Io`] with what `write` or the operating system returned.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut file = PendingFile::create(path)?;
    write(&mut file).map_err(|error| file.failed(error))?;
    file.persist()
}
