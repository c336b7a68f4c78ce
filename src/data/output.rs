//! Result files, `.npy` or `.csv` by their names, that are either there as a whole or not at all.

use std::fmt::{Display, LowerExp};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ndarray::{ArrayRef2, ArrayView1};
use tempfile::NamedTempFile;

use super::arrays::Real;
use super::npy::{NpyElement, write_npy};
use super::open::extension;
use crate::{Error, Result};

/// The two formats results are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Npy,
    Csv,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        match extension(path).as_str() {
            "npy" => Ok(Self::Npy),
            "csv" => Ok(Self::Csv),
            _ => Err(refuse(path, "results are written as .npy or .csv; give one of these extensions")),
        }
    }
}

fn refuse(path: &Path, message: &str) -> Error {
    Error::parameter(path.display().to_string(), message)
}

/// Checks, before the work starts, that results can be written to `path`: a known extension, and a folder that exists and
/// takes new files. Leaves nothing behind.
///
/// # Errors
/// When it cannot; the message says why.
pub fn check_output(path: &Path) -> Result<()> {
    Format::of(path)?;
    if path.is_dir() {
        return Err(refuse(path, "is a folder; name a file"));
    }
    new_file_beside(path).map(drop)
}

/// Writes one cluster number a row: as int32 to `.npy`, as scikit-learn's `labels_`; one a line to `.csv`.
///
/// # Errors
/// When a label is 2³¹ or more, the extension is unknown, or the file cannot be written.
pub fn write_labels(path: &Path, labels: &[u32]) -> Result<()> {
    if labels.iter().any(|label| i32::try_from(*label).is_err()) {
        return Err(refuse(path, "labels of 2³¹ or more do not fit the int32 they are written as"));
    }
    match Format::of(path)? {
        // Below 2³¹ the bits of a u32 are those of the i32.
        Format::Npy => {
            write_whole(path, |to| write_npy(to, &ArrayView1::from(bytemuck::cast_slice::<u32, i32>(labels))))
        }
        Format::Csv => write_whole(path, |to| labels.iter().try_for_each(|label| writeln!(to, "{label}"))),
    }
}

/// Writes an `n × d` array, in its own element type to `.npy`; to `.csv` one row a line, in the shortest digits that read
/// back as the same numbers.
///
/// # Errors
/// When the extension is unknown or the file cannot be written.
pub fn write_matrix<T: Real + NpyElement + LowerExp>(path: &Path, values: &ArrayRef2<T>) -> Result<()> {
    match Format::of(path)? {
        Format::Npy => write_whole(path, |to| write_npy(to, values)),
        Format::Csv => write_whole(path, |to| {
            values.outer_iter().try_for_each(|row| {
                for (column, value) in row.iter().enumerate() {
                    let separator = if column == 0 { "" } else { "," };
                    write!(to, "{separator}{}", Shortest(*value))?;
                }
                writeln!(to)
            })
        }),
    }
}

/// Writes one number a row, as [`write_matrix`] does; to `.npy` as an array of one dimension.
///
/// # Errors
/// When the extension is unknown or the file cannot be written.
pub fn write_vector<T: Real + NpyElement + LowerExp>(path: &Path, values: &[T]) -> Result<()> {
    match Format::of(path)? {
        Format::Npy => write_whole(path, |to| write_npy(to, &ArrayView1::from(values))),
        Format::Csv => write_whole(path, |to| values.iter().try_for_each(|value| writeln!(to, "{}", Shortest(*value)))),
    }
}

/// Writes a file as a whole: to a temporary file in the same folder, flushed to the disk, then renamed.
///
/// When anything fails, a file that was at `path` before is untouched, and nothing new is left behind.
///
/// # Errors
/// [`Error::Io`] with what `write` or the operating system returned.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let file = new_file_beside(path)?;
    let fill = || {
        let mut to = BufWriter::with_capacity(1 << 20, file);
        write(&mut to)?;
        let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)
    };
    fill().map(drop).map_err(|e| Error::io(path, e))
}

/// A temporary file in the folder of `path`, with the permissions that a new file there gets.
fn new_file_beside(path: &Path) -> Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".superstep-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|e| Error::io(path, e))
}

/// Prints a number in the shortest digits that read back as the same number, with an exponent where that is shorter.
struct Shortest<T>(T);

impl<T: Real + LowerExp> Display for Shortest<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.0.into().abs();
        if size == 0.0 || (1e-5..1e16).contains(&size) { Display::fmt(&self.0, f) } else { LowerExp::fmt(&self.0, f) }
    }
}
