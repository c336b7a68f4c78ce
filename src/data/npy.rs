//! NumPy's `.npy` files, read and written.
//!
//! The format is NEP 1 of NumPy (`numpy.lib.format`): a magic string, a version, a Python dictionary that tells type,
//! order and shape, then the values.

mod header;
mod write;

use std::ops::Range;
use std::path::Path;

pub(in crate::data) use header::Header;
pub(in crate::data) use write::write_header;
pub use write::{NpyElement, write_npy};

use super::binary::{BinaryTable, Form, Layout};
use super::file::InputFile;
use super::source::{RowSource, forward};
use crate::{Error, Place, Result};

/// Bytes of the head that are looked at first; a longer one, for its many spaces, is read as a whole.
const HEAD: u64 = 4096;

/// A `.npy` file of one or two dimensions; `n` values are an `n × 1` table.
///
/// Versions 1 to 3 of the format, little- and big-endian, C and Fortran order, of f2, f4, f8, i1 to i8, u1 to u8 and
/// bool. Wide integers are rounded to the f32 or f64 asked for. Rows are read by position as they are asked for; a file
/// that changes meanwhile is an error.
pub struct NpyFile(BinaryTable);

impl NpyFile {
    /// Opens a file and checks its header against its length.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or read; [`Error::Data`] when it is no `.npy` file, is cut short
    /// or too long for its shape, is empty, has other than one or two dimensions, or a type that is no number.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let file = InputFile::open(path)?;
        let (name, bytes) = (file.name(), 0..file.len());
        Self::within(file, name, bytes)
    }

    /// The array in these bytes of a file; `name` is what messages call it.
    pub(super) fn within(file: InputFile, name: String, bytes: Range<u64>) -> Result<Self> {
        let form = form(&file, &bytes)?.map_err(|message| Error::data(Place::of(&name), message))?;
        BinaryTable::new(file, name, form).map(Self)
    }
}

impl RowSource for NpyFile {
    forward!(()(.0));
}

/// What the header in these bytes says of the values; the inner error continues "the file …".
fn form(file: &InputFile, bytes: &Range<u64>) -> Result<Result<Form, String>> {
    let length = bytes.end - bytes.start;
    let mut head = vec![0; length.min(HEAD) as usize];
    file.read_at(bytes.start, &mut head)?;
    if let Some(needed) = Header::length(&head).filter(|needed| *needed > head.len() as u64) {
        head.resize(length.min(needed) as usize, 0);
        file.read_at(bytes.start, &mut head)?;
    }
    Ok(Header::parse(&head).and_then(|(header, start)| header.form(bytes.start + start as u64, bytes.end)))
}

impl Header {
    /// Where the values lie that begin at `start`, if their bytes reach to `end`.
    pub(super) fn form(&self, start: u64, end: u64) -> Result<Form, String> {
        let (rows, columns) = self.rows_and_columns()?;
        let layout = if self.fortran_order { Layout::Columns } else { Layout::Rows };
        let form = Form { start, dtype: self.dtype, layout, rows, columns };
        let held = end.saturating_sub(start);
        match form.bytes() {
            Some(promised) if promised == held => Ok(form),
            Some(promised) => Err(format!(
                "holds {held} bytes of values where its shape {rows} × {columns} needs {promised}; {}",
                if held < promised { "it was cut short: write it again" } else { "its header does not fit" }
            )),
            None => Err(format!("claims {rows} × {columns} values, more than a file can hold; its header is damaged")),
        }
    }

    /// The shape as a table's.
    pub(super) fn rows_and_columns(&self) -> Result<(u64, u64), String> {
        let (rows, columns) = match *self.shape.as_slice() {
            [rows] => (rows, 1),
            [rows, columns] => (rows, columns),
            ref shape => {
                return Err(format!(
                    "has {} dimensions; give an array of one or two (rows × columns), reshaped before it is saved",
                    shape.len()
                ));
            }
        };
        if rows == 0 || columns == 0 {
            return Err(format!("is empty: its shape is {rows} × {columns}; there is nothing to compute on"));
        }
        Ok((rows, columns))
    }
}
