//! Tables of one element type that lie in a file as they are: what `.npy`, `.fvecs`, `.fbin` and others come down to.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use bytemuck::Pod;

use super::dtype::{DType, Decoded, Origin};
use super::file::InputFile;
use super::source::{RowSource, rows_of_read};
use crate::{Error, Place, Result};

/// Bytes read at a time where values are converted: they are still in the second-level cache when they are decoded.
const STAGE: usize = 128 << 10;

thread_local! {
    /// Where bytes wait to be decoded, one for each thread that reads.
    static STAGING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// In what order the values lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Row after row (C order).
    Rows,
    /// Row after row, each after its number of columns as a little-endian i32 (`.fvecs`).
    RowsWithWidth,
    /// Column after column (Fortran order).
    Columns,
}

/// The bytes of a row's width, before it.
const WIDTH: usize = 4;

/// `rows × columns` values of one type from an offset of a file on.
///
/// Nothing is kept in memory. Row-major f32 or f64 of this machine's byte order is read right to where it is wanted;
/// anything else passes through a buffer of 128 KiB a thread.
pub(super) struct BinaryTable {
    file: InputFile,
    /// The file, and the member of it if it has several.
    name: String,
    start: u64,
    dtype: DType,
    layout: Layout,
    rows: u64,
    columns: usize,
}

/// What a file's header says of a [`BinaryTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The offset of the first byte of the table.
    pub(super) start: u64,
    pub(super) dtype: DType,
    pub(super) layout: Layout,
    pub(super) rows: u64,
    pub(super) columns: u64,
}

impl Form {
    /// The bytes of the whole table; `None` where they are more than can be counted.
    pub(super) fn bytes(&self) -> Option<u64> {
        let prefix = if self.layout == Layout::RowsWithWidth { WIDTH as u64 } else { 0 };
        let row = self.columns.checked_mul(self.dtype.size() as u64)?.checked_add(prefix)?;
        row.checked_mul(self.rows)
    }
}

impl BinaryTable {
    /// The table of this form in `file`, which is long enough for it.
    ///
    /// # Errors
    /// [`Error::Data`] when there are no rows or columns, or the file is shorter than the form.
    pub(super) fn new(file: InputFile, name: String, form: Form) -> Result<Self> {
        let Form { start, dtype, layout, rows, columns } = form;
        let refuse = |message: String| Err(Error::data(Place::of(&name), message));
        if rows == 0 || columns == 0 {
            return refuse(format!("is empty: its shape is {rows} × {columns}; there is nothing to compute on"));
        }
        let end = form.bytes().and_then(|bytes| bytes.checked_add(start));
        let (true, Ok(columns)) = (end.is_some_and(|end| end <= file.len()), usize::try_from(columns)) else {
            return refuse(format!(
                "claims {rows} × {columns} values, more than it holds; it is damaged: write it again"
            ));
        };
        Ok(Self { file, name, start, dtype, layout, rows, columns })
    }

    /// Where a value lies in the file; all sums are below its length, which was checked.
    fn offset(&self, row: u64, column: usize) -> u64 {
        let size = self.dtype.size() as u64;
        let column = column as u64;
        self.start
            + match self.layout {
                Layout::Rows => (row * self.columns as u64 + column) * size,
                Layout::RowsWithWidth => row * self.row_bytes() as u64 + WIDTH as u64 + column * size,
                Layout::Columns => (column * self.rows + row) * size,
            }
    }

    /// From the start of one row to that of the next, where they lie one after the other.
    fn row_bytes(&self) -> usize {
        let prefix = if self.layout == Layout::RowsWithWidth { WIDTH } else { 0 };
        self.columns * self.dtype.size() + prefix
    }

    fn read<D: Decoded>(&self, first: u64, origin: &[f64], out: &mut [D]) -> Result<()> {
        match self.layout {
            Layout::Columns => self.read_columns(first, origin, out),
            Layout::RowsWithWidth if self.row_bytes() <= STAGE => self.read_prefixed(first, origin, out),
            Layout::RowsWithWidth => {
                for (row, out) in (first..).zip(out.chunks_exact_mut(self.columns)) {
                    self.read_width(row)?;
                    self.read_run(self.offset(row, 0), origin, out)?;
                }
                Ok(())
            }
            Layout::Rows => self.read_run(self.offset(first, 0), origin, out),
        }
    }

    /// Whole rows that lie without a gap from `offset` on.
    fn read_run<D: Decoded>(&self, offset: u64, origin: &[f64], out: &mut [D]) -> Result<()> {
        let size = self.dtype.size();
        let mut offset = offset;
        let mut column = 0;
        for out in out.chunks_mut(STAGE / size) {
            staged(out.len() * size, |bytes| {
                self.file.read_at(offset, bytes)?;
                column = self.decode(bytes, origin, column, out);
                Ok(())
            })?;
            offset += (out.len() * size) as u64;
        }
        Ok(())
    }

    /// Decodes row-major values that begin at a column; returns the column of the value after them.
    fn decode<D: Decoded>(&self, bytes: &[u8], origin: &[f64], column: usize, out: &mut [D]) -> usize {
        if origin.is_empty() {
            self.dtype.decode(bytes, Origin::Nowhere, out, 1);
            return 0;
        }
        let size = self.dtype.size();
        let (mut bytes, mut out, mut column) = (bytes, out, column);
        while !out.is_empty() {
            let count = (self.columns - column).min(out.len());
            let (row, rest) = bytes.split_at(count * size);
            let (values, others) = out.split_at_mut(count);
            let origin = origin.get(column..column + count).unwrap_or(&[]);
            self.dtype.decode(row, Origin::Each(origin), values, 1);
            (bytes, out, column) = (rest, others, (column + count) % self.columns);
        }
        column
    }

    /// Rows that each follow their width, as many at a time as fit the buffer.
    fn read_prefixed<D: Decoded>(&self, first: u64, origin: &[f64], out: &mut [D]) -> Result<()> {
        let row_bytes = self.row_bytes();
        let mut row = first;
        for out in out.chunks_mut(STAGE / row_bytes * self.columns) {
            let rows = out.len() / self.columns;
            staged(rows * row_bytes, |bytes| {
                self.file.read_at(self.offset(row, 0) - WIDTH as u64, bytes)?;
                for (bytes, out) in bytes.chunks_exact(row_bytes).zip(out.chunks_exact_mut(self.columns)) {
                    let (width, values) = bytes.split_at(WIDTH);
                    self.check_width(row, width)?;
                    self.decode(values, origin, 0, out);
                    row += 1;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn read_width(&self, row: u64) -> Result<()> {
        let mut width = [0; WIDTH];
        self.file.read_at(self.offset(row, 0) - WIDTH as u64, &mut width)?;
        self.check_width(row, &width)
    }

    fn check_width(&self, row: u64, width: &[u8]) -> Result<()> {
        let width = width.try_into().map_or(-1, i32::from_le_bytes);
        if usize::try_from(width) == Ok(self.columns) {
            return Ok(());
        }
        let message = format!(
            "the row says it has {width} columns where the first has {}; all rows of a table must be as wide: write the \
             file again",
            self.columns
        );
        Err(Error::data(Place::of(&self.name).row(row), message))
    }

    /// One positioned read a column and block.
    fn read_columns<D: Decoded>(&self, first: u64, origin: &[f64], out: &mut [D]) -> Result<()> {
        let size = self.dtype.size();
        let mut row = first;
        for out in out.chunks_mut((STAGE / size).saturating_mul(self.columns)) {
            let rows = out.len() / self.columns;
            for column in 0..self.columns {
                let origin = origin.get(column).map_or(Origin::Nowhere, |origin| Origin::Same(*origin));
                let slots = out.get_mut(column..).unwrap_or(&mut []);
                staged(rows * size, |bytes| {
                    self.file.read_at(self.offset(row, column), bytes)?;
                    self.dtype.decode(bytes, origin, slots, self.columns);
                    Ok(())
                })?;
            }
            row += rows as u64;
        }
        Ok(())
    }

    /// Whether rows lie one after the other without anything between.
    fn is_gapless(&self) -> bool {
        self.layout == Layout::Rows || (self.layout == Layout::Columns && self.columns == 1)
    }

    /// Reads rows of native values right to where they are wanted.
    fn read_native<T: Pod>(&self, first: u64, out: &mut [T]) -> Result<()> {
        self.file.read_at(self.offset(first, 0), bytemuck::cast_slice_mut(out))
    }
}

/// Lends a buffer of `length` bytes that this thread keeps.
fn staged<R>(length: usize, use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    STAGING.with_borrow_mut(|buffer| {
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        use_it(&mut buffer[..length])
    })
}

impl RowSource for BinaryTable {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn will_need(&self, rows: Range<u64>) {
        let rows = rows.start.min(self.rows)..rows.end.min(self.rows);
        if rows.is_empty() {
            return;
        }
        if self.layout == Layout::Columns {
            for column in 0..self.columns {
                self.file.will_need(self.offset(rows.start, column)..self.offset(rows.end, column));
            }
        } else {
            self.file.will_need(self.offset(rows.start, 0)..self.offset(rows.end, 0));
        }
    }

    fn is_wide(&self) -> bool {
        self.dtype.is_wide()
    }

    fn element_type(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.dtype.name())
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        rows_of_read(self.rows, self.columns, first, &[], out.len())?;
        if self.dtype.is_native_f64() && self.is_gapless() {
            return self.read_native(first, out);
        }
        self.read(first, &[], out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        rows_of_read(self.rows, self.columns, first, origin, out.len())?;
        if !self.dtype.is_native_f32() || !self.is_gapless() {
            return self.read(first, origin, out);
        }
        self.read_native(first, out)?;
        if !origin.is_empty() {
            for row in out.chunks_exact_mut(self.columns) {
                row.iter_mut().zip(origin).for_each(|(value, origin)| *value = (f64::from(*value) - origin) as f32);
            }
        }
        Ok(())
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of(&self.name).row(row).column(column as u64)
    }
}
