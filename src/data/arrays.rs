//! Rows that already lie in memory: `ndarray` arrays of any layout, and slices as a single column.

use std::ops::Range;

use ndarray::{ArrayBase, ArrayRef2, Axis, Data, Ix2, Slice};

use super::output::{Block, Element};
use super::source::{RowSource, forward_to_pointee, rows_of_read, rows_of_slice};
use crate::{Place, Result};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// The two floating-point types that data comes in and results go back in: f32 and f64.
pub trait Real:
    sealed::Sealed + Copy + Into<f64> + PartialOrd + Send + Sync + std::fmt::Debug + std::fmt::Display + 'static
{
    /// Whether the type carries more than an f32 does.
    const WIDE: bool;

    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;

    /// The same slice, where this type is f32.
    fn as_f32(values: &[Self]) -> Option<&[f32]>;

    /// The type as files know it.
    const ELEMENT: Element;

    /// The same slice, to be written.
    fn block(values: &[Self]) -> Block<'_>;
}

impl Real for f32 {
    const WIDE: bool = false;

    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn as_f32(values: &[Self]) -> Option<&[f32]> {
        Some(values)
    }

    const ELEMENT: Element = Element::F32;

    fn block(values: &[Self]) -> Block<'_> {
        Block::F32(values)
    }
}

impl Real for f64 {
    const WIDE: bool = true;

    fn from_f64(value: f64) -> Self {
        value
    }

    fn as_f32(_values: &[Self]) -> Option<&[f32]> {
        None
    }

    const ELEMENT: Element = Element::F64;

    fn block(values: &[Self]) -> Block<'_> {
        Block::F64(values)
    }
}

/// `n × d` arrays and views, of any strides. Only row-major f32 without gaps is handed out without a copy.
impl<E, S> RowSource for ArrayBase<S, Ix2>
where
    E: Real,
    S: Data<Elem = E> + Send + Sync,
{
    fn rows(&self) -> u64 {
        self.nrows() as u64
    }

    fn columns(&self) -> usize {
        self.ncols()
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        rows_of_slice(E::as_f32(self.as_slice()?)?, self.ncols(), rows)
    }

    fn is_wide(&self) -> bool {
        E::WIDE
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        read_array(self, first, &[], out, |value, _| value)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        read_array(self, first, origin, out, |value, origin| (value - origin) as f32)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::default().row(row).column(column as u64)
    }
}

/// One column: `n` values are an `n × 1` table. What weights come in.
impl<E: Real> RowSource for [E] {
    fn rows(&self) -> u64 {
        self.len() as u64
    }

    fn columns(&self) -> usize {
        1
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        rows_of_slice(E::as_f32(self)?, 1, rows)
    }

    fn is_wide(&self) -> bool {
        E::WIDE
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        let rows = rows_of_read(RowSource::rows(self), 1, first, &[], out.len())?;
        convert(&self[rows], &[], out, |value, _| value);
        Ok(())
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        let rows = rows_of_read(RowSource::rows(self), 1, first, origin, out.len())?;
        convert(&self[rows], origin, out, |value, origin| (value - origin) as f32);
        Ok(())
    }

    fn place(&self, row: u64, _column: usize) -> Place {
        Place::default().row(row)
    }
}

/// One column, as a slice.
impl<E: Real> RowSource for Vec<E> {
    forward_to_pointee!();
}

/// Reads rows of a view through `finish(value, origin of its column)`; without an origin that is 0.
fn read_array<E: Real, O>(
    array: &ArrayRef2<E>,
    first: u64,
    origin: &[f64],
    out: &mut [O],
    finish: impl Fn(f64, f64) -> O + Copy,
) -> Result<()> {
    let columns = array.ncols();
    let rows = rows_of_read(array.nrows() as u64, columns, first, origin, out.len())?;
    let block = array.slice_axis(Axis(0), Slice::from(rows));
    if let Some(values) = block.as_slice() {
        convert(values, origin, out, finish);
        return Ok(());
    }
    for (row, out) in block.outer_iter().zip(out.chunks_exact_mut(columns)) {
        match row.as_slice() {
            Some(row) => convert(row, origin, out, finish),
            None => {
                for (column, (value, out)) in row.iter().zip(out).enumerate() {
                    *out = finish((*value).into(), origin.get(column).copied().unwrap_or(0.0));
                }
            }
        }
    }
    Ok(())
}

/// Converts row-major values one by one; `origin` is empty or one value a column.
pub(super) fn convert<E: Real, O>(values: &[E], origin: &[f64], out: &mut [O], finish: impl Fn(f64, f64) -> O) {
    if origin.is_empty() {
        for (value, out) in values.iter().zip(out) {
            *out = finish((*value).into(), 0.0);
        }
        return;
    }
    for (row, out) in values.chunks_exact(origin.len()).zip(out.chunks_exact_mut(origin.len())) {
        for ((value, origin), out) in row.iter().zip(origin).zip(out) {
            *out = finish((*value).into(), *origin);
        }
    }
}
