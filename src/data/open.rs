//! Opens input files by their names.

use std::path::{Path, PathBuf};

use super::collect::Room;
use super::concat::Concat;
use super::csv::CsvFile;
use super::inputs::{Input, TEXT, full_extension, in_words, inputs};
use super::npy::NpyFile;
use super::npz::NpzFile;
use super::select::Select;
use super::source::RowSource;
use super::tensors::TensorFile;
use super::vectors::VectorFile;
use crate::{Error, Place, Result};

/// How files are read, where that is not to be found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The character between cells; `None` finds it.
    pub delimiter: Option<u8>,
    /// Whether the first row names the columns; `None` finds it.
    pub header: Option<bool>,
    /// The columns to read, in this order, by name where the files name them; else by number, from 1 in text and from 0 in
    /// arrays. A name of a fixed-size list takes all of its columns. `None` reads all.
    pub columns: Option<Vec<String>>,
    /// Most bytes of memory for the rows of formats that are parsed as a whole when they are opened; what is more goes
    /// to a temporary file, in the system's folder for such (on Unix, `TMPDIR`). `None` is no limit.
    pub memory: Option<u64>,
}

/// Opens what these names mean (see [`inputs`]) as one table: each file by its extension, one after the other in the order
/// given. Any number of files may be named: not more than 128 are held open at a time.
///
/// # Errors
/// When no file is named, one is missing or of an unknown extension, one cannot be read as what it says it is, or two
/// differ in the number of columns.
pub fn open(names: &[PathBuf], options: &ReadOptions) -> Result<Box<dyn RowSource>> {
    let room = Room::new(options.memory);
    let files = inputs(names)?;
    if let [file] = files.as_slice() {
        return open_one(file, options, &room);
    }
    let mut parts: Vec<Box<dyn RowSource>> = Vec::with_capacity(files.len());
    for file in &files {
        let part = open_one(file, options, &room)?;
        // Told here, before the files after it are parsed.
        if let Some(first) = parts.first() {
            Concat::check_width(&**first, &*part)?;
        }
        parts.push(part);
    }
    Ok(Box::new(Concat::new(parts)?))
}

/// Opens one file.
///
/// # Errors
/// As [`open`].
pub fn open_input(file: &Input, options: &ReadOptions) -> Result<Box<dyn RowSource>> {
    open_one(file, options, &Room::new(options.memory))
}

fn open_one(file: &Input, options: &ReadOptions, room: &Room) -> Result<Box<dyn RowSource>> {
    let Input { path, member } = file;
    path.metadata().map_err(|e| Error::io(path, e))?;
    let array: Box<dyn RowSource> = match full_extension(path).as_str() {
        "npy" => Box::new(NpyFile::open(path)?),
        "npz" => Box::new(NpzFile::open_within(path, member.as_deref(), room)?),
        "safetensors" => Box::new(TensorFile::open(path, member.as_deref())?),
        "fvecs" | "bvecs" | "ivecs" | "fbin" | "u8bin" | "i8bin" => Box::new(VectorFile::open(path)?),
        _ => return open_named(path, options, room),
    };
    // Formats that name columns choose from them by themselves.
    Ok(match &options.columns {
        Some(columns) => Box::new(Select::by_words(array, columns)?),
        None => array,
    })
}

/// Opens a file of a format whose columns may have names.
fn open_named(path: &Path, options: &ReadOptions, room: &Room) -> Result<Box<dyn RowSource>> {
    let refuse = |message: String| Err(Error::data(Place::of(path.display().to_string()), message));
    match full_extension(path).as_str() {
        extension if TEXT.contains(&extension) => Ok(Box::new(CsvFile::open_within(path, options, room)?)),
        #[cfg(feature = "parquet")]
        "parquet" => Ok(Box::new(super::columnar::open_parquet(path, options, room)?)),
        #[cfg(feature = "parquet")]
        "arrow" | "arrows" | "feather" | "ipc" => Ok(Box::new(super::columnar::open_arrow(path, options, room)?)),
        #[cfg(not(feature = "parquet"))]
        extension @ ("parquet" | "arrow" | "arrows" | "feather" | "ipc") => {
            refuse(format!(".{extension} files are read with the cargo feature `parquet`, which this build has not"))
        }
        _ => refuse(format!("the extension is not one that is read: {}", in_words())),
    }
}

/// A path's extension in small letters; empty where there is none.
pub(super) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}
