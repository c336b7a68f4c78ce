//! Opens input files by their names.

use std::path::{Path, PathBuf};

use super::collect::Room;
use super::concat::Concat;
use super::csv::CsvFile;
use super::npy::NpyFile;
use super::select::Select;
use super::source::RowSource;
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

/// Opens files as one table, each by its extension: `.npy`, or `.csv`, `.tsv`, `.txt` as text.
///
/// # Errors
/// When no file is named, one is missing, a folder, or of an unknown extension, one cannot be read as what it says it is,
/// or two differ in the number of columns.
pub fn open(paths: &[PathBuf], options: &ReadOptions) -> Result<Box<dyn RowSource>> {
    let room = Room::new(options.memory);
    match paths {
        [path] => open_one(path, options, &room),
        paths => {
            let parts: Result<Vec<_>> = paths.iter().map(|path| open_one(path, options, &room)).collect();
            Ok(Box::new(Concat::new(parts?)?))
        }
    }
}

fn open_one(path: &Path, options: &ReadOptions, room: &Room) -> Result<Box<dyn RowSource>> {
    let place = || Place::of(path.display().to_string());
    let about = path.metadata().map_err(|e| Error::io(path, e))?;
    if about.is_dir() {
        return Err(Error::data(place(), "is a folder; name the files in it"));
    }
    match extension(path).as_str() {
        "npy" => {
            let file = NpyFile::open(path)?;
            match &options.columns {
                Some(columns) => Ok(Box::new(Select::by_words(file, columns)?)),
                None => Ok(Box::new(file)),
            }
        }
        "csv" | "tsv" | "txt" => Ok(Box::new(CsvFile::open_within(path, options, room)?)),
        #[cfg(feature = "parquet")]
        "parquet" => Ok(Box::new(super::columnar::open_parquet(path, options, room)?)),
        #[cfg(feature = "parquet")]
        "arrow" | "arrows" | "feather" | "ipc" => Ok(Box::new(super::columnar::open_arrow(path, options, room)?)),
        #[cfg(not(feature = "parquet"))]
        extension @ ("parquet" | "arrow" | "arrows" | "feather" | "ipc") => {
            let message = format!(".{extension} files are read with the cargo feature `parquet`, which this build has not");
            Err(Error::data(place(), message))
        }
        "gz" if matches!(
            extension(Path::new(path.file_stem().unwrap_or_default())).as_str(),
            "csv" | "tsv" | "txt"
        ) =>
        {
            Ok(Box::new(CsvFile::open_within(path, options, room)?))
        }
        _ => Err(Error::data(
            place(),
            "the extension is not one that is read: .npy, .csv, .tsv or .txt, these three also with .gz behind",
        )),
    }
}

/// A path's extension in lower case; empty where there is none.
pub(super) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}
