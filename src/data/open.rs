//! Opens input files by their names.

use std::path::{Path, PathBuf};

use super::collect::Room;
use super::concat::Concat;
use super::csv::CsvFile;
use super::inputs::{Input, full_extension, in_words, inputs};
use super::npy::NpyFile;
use super::npz::NpzFile;
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
    let member = member.as_deref();
    path.metadata().map_err(|e| Error::io(path, e))?;
    Ok(match full_extension(path).as_str() {
        "npy" => Box::new(NpyFile::open(path)?),
        "npz" => Box::new(NpzFile::open_within(path, member, room)?),
        "safetensors" => Box::new(TensorFile::open(path, member)?),
        "fvecs" | "bvecs" | "ivecs" | "fbin" | "u8bin" | "i8bin" => Box::new(VectorFile::open(path)?),
        "csv" | "tsv" | "txt" => Box::new(CsvFile::open_within(path, options, room)?),
        _ => {
            let message = format!("the extension is not one that is read: {}", in_words());
            return Err(Error::data(Place::of(path.display().to_string()), message));
        }
    })
}

/// A path's extension in small letters; empty where there is none.
pub(super) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}
