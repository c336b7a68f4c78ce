//! NumPy's `.npy` files: read through a memory map, and written.
//!
//! The format is NEP 1 of NumPy (`numpy.lib.format`): a magic string, a version, a Python dictionary that tells type,
//! order and shape, then the values.

mod dtype;
mod header;
mod write;

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use dtype::DType;
use header::Header;
use memmap2::Mmap;
pub(in crate::data) use write::write_header;
pub use write::{NpyElement, write_npy};

use super::source::{RowSource, rows_of_read, rows_of_slice};
use crate::{Error, Place, Result};

/// A memory-mapped `.npy` file of one or two dimensions; `n` values are an `n × 1` table.
///
/// Versions 1 to 3 of the format, little- and big-endian, C and Fortran order, of f4, f8, i1 to i8, u1 to u8 and bool.
/// Values pass through f64, so 64-bit integers beyond 2⁵³ are rounded. Nothing is copied but the blocks asked for, and
/// little-endian f4 in C order is handed out as it lies in the file.
pub struct NpyFile {
    name: String,
    map: Mmap,
    /// Where the values begin in the file, in bytes.
    start: usize,
    dtype: DType,
    fortran_order: bool,
    rows: usize,
    columns: usize,
}

impl NpyFile {
    /// Opens a file and checks its header against its length.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or mapped; [`Error::Data`] when it is no `.npy` file, is cut short
    /// or too long for its shape, is empty, has other than one or two dimensions, or a type that is no number.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        // SAFETY: the map is read-only and private to this value; its bytes are only ever read as plain numbers, for
        // which every bit pattern is valid. Rust asks that they do not change meanwhile: another process that
        // overwrites the file changes numbers we compute with, and one that cuts it short makes the next access a
        // SIGBUS. The length is checked below, at open. A reader for streams from disk would use positioned reads
        // instead, which fail with an error.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
        let name = path.display().to_string();
        match Self::check(&map) {
            Ok((header, start, rows, columns)) => {
                Ok(Self { name, map, start, dtype: header.dtype, fortran_order: header.fortran_order, rows, columns })
            }
            Err(message) => Err(Error::data(Place::of(name), message)),
        }
    }

    /// The header of a file's bytes, where its values start, and its rows and columns.
    fn check(bytes: &[u8]) -> Result<(Header, usize, usize, usize), String> {
        let (header, start) = Header::parse(bytes)?;
        let (rows, columns) = match *header.shape.as_slice() {
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
        let held = bytes.len() - start;
        let promised = rows.checked_mul(columns).and_then(|n| n.checked_mul(header.dtype.size() as u64));
        match promised {
            Some(promised) if promised == held as u64 => Ok((header, start, rows as usize, columns as usize)),
            Some(promised) => Err(format!(
                "holds {held} bytes of values where its shape {rows} × {columns} needs {promised}; {}",
                if (held as u64) < promised { "it was cut short: write it again" } else { "its header does not fit" }
            )),
            None => Err(format!("claims {rows} × {columns} values, more than a file can hold; its header is damaged")),
        }
    }

    /// All values' bytes.
    fn values(&self) -> &[u8] {
        &self.map[self.start..]
    }

    /// Reads rows through `finish(value, origin of its column)`; without an origin that is 0.
    fn read<O>(&self, first: u64, origin: &[f64], out: &mut [O], finish: impl Fn(f64, f64) -> O + Copy) -> Result<()> {
        let rows = rows_of_read(self.rows as u64, self.columns, first, origin, out.len())?;
        let (size, columns) = (self.dtype.size(), self.columns);
        let bytes = |values: std::ops::Range<usize>| &self.values()[values.start * size..values.end * size];
        if self.fortran_order {
            for column in 0..columns {
                let origin = origin.get(column).copied().unwrap_or(0.0);
                let column_bytes = bytes(column * self.rows + rows.start..column * self.rows + rows.end);
                let slots = out.iter_mut().skip(column).step_by(columns);
                self.dtype.decode(column_bytes, slots, |value, out| *out = finish(value, origin));
            }
            return Ok(());
        }
        let block = bytes(rows.start * columns..rows.end * columns);
        if origin.is_empty() {
            self.dtype.decode(block, out.iter_mut(), |value, out| *out = finish(value, 0.0));
            return Ok(());
        }
        for (row, out) in block.chunks_exact(columns * size).zip(out.chunks_exact_mut(columns)) {
            let slots = out.iter_mut().zip(origin);
            self.dtype.decode(row, slots, |value, (out, origin)| *out = finish(value, *origin));
        }
        Ok(())
    }
}

impl RowSource for NpyFile {
    fn rows(&self) -> u64 {
        self.rows as u64
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        let row_major = !self.fortran_order || self.columns == 1;
        // The cast fails where the values are not aligned, as no writer of today leaves them.
        if !row_major || !self.dtype.is_native_f32() {
            return None;
        }
        rows_of_slice(bytemuck::try_cast_slice(self.values()).ok()?, self.columns, rows)
    }

    fn is_wide(&self) -> bool {
        self.dtype.is_wide()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.read(first, &[], out, |value, _| value)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.read(first, origin, out, |value, origin| (value - origin) as f32)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of(&self.name).row(row).column(column as u64)
    }
}
