//! The trait that every source of rows implements.

use std::borrow::Cow;
use std::ops::Range;

use crate::{Error, Place, Result};

/// A table of numbers, `rows × columns`, that can be read block by block as f32 or f64.
///
/// Sources are read from several threads at once. Values are handed out in row-major order whatever the order and
/// type they are stored in; nothing is ever converted as a whole copy.
pub trait RowSource: Send + Sync {
    /// How many rows there are.
    fn rows(&self) -> u64;

    /// How many columns each row has.
    fn columns(&self) -> usize;

    /// The values of these rows where they already lie in memory as row-major f32, `rows.len() × columns` of them.
    ///
    /// A source may hold some of its rows in memory and others not; what it gives once it always gives.
    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        let _ = rows;
        None
    }

    /// Says that these rows will be read next, so that the storage may fetch them meanwhile. A hint: it never fails.
    fn will_need(&self, rows: Range<u64>) {
        let _ = rows;
    }

    /// Whether the source's own element type carries more than an f32 does (f64, 32- and 64-bit integers).
    fn is_wide(&self) -> bool {
        false
    }

    /// The type values are stored in, for people: `f32`, `u8`.
    fn element_type(&self) -> Cow<'_, str> {
        Cow::Borrowed(if self.is_wide() { "f64" } else { "f32" })
    }

    /// The name of a column, where the storage has names.
    fn column_name(&self, column: usize) -> Option<&str> {
        let _ = column;
        None
    }

    /// What a person should be told of how the rows are kept, one sentence each: that a file was parsed into a temporary
    /// one, say. Empty where all is as expected.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The bytes of memory in which the source itself keeps rows: 0 where a file or the caller keeps them.
    fn held(&self) -> u64 {
        0
    }

    /// Reads whole rows as f64, from row `first` on; `out.len()` is a multiple of [`columns`](Self::columns).
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()>;

    /// Reads whole rows as f32, from row `first` on, each value less its column's `origin` (empty: nothing is taken
    /// off). The difference is formed in f64 and rounded once.
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()>;

    /// Where a value came from, for messages: file, row and column as a person counts them there.
    fn place(&self, row: u64, column: usize) -> Place;
}

/// Passes every call on to the source that `self` is, with tokens before and after it.
macro_rules! forward {
    (($($before:tt)*) ($($after:tt)*)) => {
        fn rows(&self) -> u64 {
            ($($before)* self $($after)*).rows()
        }

        fn columns(&self) -> usize {
            ($($before)* self $($after)*).columns()
        }

        fn in_memory(&self, rows: std::ops::Range<u64>) -> Option<&[f32]> {
            ($($before)* self $($after)*).in_memory(rows)
        }

        fn will_need(&self, rows: std::ops::Range<u64>) {
            ($($before)* self $($after)*).will_need(rows);
        }

        fn is_wide(&self) -> bool {
            ($($before)* self $($after)*).is_wide()
        }

        fn element_type(&self) -> std::borrow::Cow<'_, str> {
            ($($before)* self $($after)*).element_type()
        }

        fn column_name(&self, column: usize) -> Option<&str> {
            ($($before)* self $($after)*).column_name(column)
        }

        fn notes(&self) -> Vec<String> {
            ($($before)* self $($after)*).notes()
        }

        fn held(&self) -> u64 {
            ($($before)* self $($after)*).held()
        }

        fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
            ($($before)* self $($after)*).read_f64(first, out)
        }

        fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
            ($($before)* self $($after)*).read_f32(first, origin, out)
        }

        fn place(&self, row: u64, column: usize) -> Place {
            ($($before)* self $($after)*).place(row, column)
        }
    };
}

/// Passes every call on to the source behind a pointer.
macro_rules! forward_to_pointee {
    () => {
        crate::data::source::forward!((**)());
    };
}

pub(super) use forward;
pub(super) use forward_to_pointee;

impl<T: RowSource + ?Sized> RowSource for &T {
    forward_to_pointee!();
}

impl<T: RowSource + ?Sized> RowSource for Box<T> {
    forward_to_pointee!();
}

/// The values of some rows of a row-major table that lies in memory.
pub(super) fn rows_of_slice(values: &[f32], columns: usize, rows: Range<u64>) -> Option<&[f32]> {
    let at = |row: u64| usize::try_from(row).ok()?.checked_mul(columns);
    values.get(at(rows.start)?..at(rows.end)?)
}

/// The rows that a read of `values` values from row `first` on covers.
///
/// # Errors
/// When they are not whole rows, or not rows of a `rows × columns` table, or `origin` is neither empty nor one value
/// a column.
pub(super) fn rows_of_read(
    rows: u64,
    columns: usize,
    first: u64,
    origin: &[f64],
    values: usize,
) -> Result<Range<usize>> {
    let refuse = |message: String| Err(Error::parameter("rows to read", message));
    if columns == 0 || !values.is_multiple_of(columns) {
        return refuse(format!("{values} values are not whole rows of {columns} columns"));
    }
    if !origin.is_empty() && origin.len() != columns {
        return refuse(format!("an origin of {} values does not fit {columns} columns", origin.len()));
    }
    let count = values / columns;
    match first.checked_add(count as u64) {
        Some(end) if end <= rows => Ok(first as usize..end as usize),
        _ => refuse(format!("{count} rows from row {first} on reach past the last of {rows} rows")),
    }
}
