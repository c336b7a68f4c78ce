//! Columns of a batch become row-major values.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow_schema::DataType;

use crate::data::collect::Block;
use crate::{Error, Place, Result};

/// A column of a batch: `width` values a row, one after the other.
pub(super) struct Column {
    name: String,
    /// How many values a row has, where the column is of lists.
    list: Option<usize>,
    values: ArrayRef,
}

impl Column {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether its type carries more than an f32 does, whatever its values are.
    pub(super) fn is_wide(&self) -> bool {
        use DataType::{Boolean, Float16, Float32, Int8, Int16, UInt8, UInt16};
        !matches!(self.values.data_type(), Boolean | Int8 | Int16 | UInt8 | UInt16 | Float16 | Float32)
    }

    fn width(&self) -> usize {
        self.list.unwrap_or(1)
    }

    /// The names of its values: its own, or for lists `name[0]`, `name[1]`, ….
    pub(super) fn names(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.width()).map(|index| match self.list {
            Some(_) => format!("{}[{index}]", self.name),
            None => self.name.clone(),
        })
    }
}

/// The columns of a batch whose first row is row `first` of the file.
///
/// # Errors
/// When a value is missing (the first such is named), or lists of a column differ in length.
pub(super) fn columns(file: &str, batch: &RecordBatch, first: u64) -> Result<Vec<Column>> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    let mut missing: Option<(usize, usize)> = None;
    for (index, (field, array)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        let place = |row: usize| Place::of(file).row(first + row as u64).column(index as u64).named(field.name());
        let of_rows = array.logical_nulls().and_then(|nulls| nulls.iter().position(|valid| !valid));
        let column = match of_rows {
            // Lists that are not there have no length; that is said below.
            Some(_) => Column { name: field.name().clone(), list: None, values: array.clone() },
            None => flat(field.name(), array).map_err(|(row, message)| Error::data(place(row), message))?,
        };
        let of_values = column.values.logical_nulls().and_then(|nulls| nulls.iter().position(|valid| !valid));
        let row = of_rows.or(of_values.map(|value| value / column.width().max(1)));
        missing = missing.into_iter().chain(row.map(|row| (row, index))).min();
        columns.push(column);
    }
    let Some((row, index)) = missing else { return Ok(columns) };
    let place = Place::of(file).row(first + row as u64).column(index as u64).named(schema.field(index).name());
    Err(Error::data(place, "the value is missing (null); fill it in, or leave the row or the column out"))
}

/// A column with its lists laid end to end; else the row whose list does not fit, and why.
fn flat(name: &str, array: &ArrayRef) -> Result<Column, (usize, String)> {
    let (width, values) = match array.data_type() {
        DataType::FixedSizeList(..) => fixed(array.as_fixed_size_list()),
        DataType::List(_) => variable(array.as_list::<i32>())?,
        DataType::LargeList(_) => variable(array.as_list::<i64>())?,
        _ => return Ok(Column { name: name.to_owned(), list: None, values: array.clone() }),
    };
    match width {
        0 => Err((0, "its lists are empty; give each row at least one value".into())),
        width => Ok(Column { name: name.to_owned(), list: Some(width), values }),
    }
}

fn fixed(lists: &FixedSizeListArray) -> (usize, ArrayRef) {
    let width = lists.value_length().max(0) as usize;
    (width, lists.values().slice(lists.value_offset_at(0), width * lists.len()))
}

fn variable<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> Result<(usize, ArrayRef), (usize, String)> {
    let offsets = lists.value_offsets();
    let start = offsets.first().map_or(0, |offset| offset.as_usize());
    let end = offsets.last().map_or(0, |offset| offset.as_usize());
    let width = (end - start).checked_div(lists.len()).unwrap_or(0);
    let lengths = offsets.windows(2).map(|pair| pair[1].as_usize() - pair[0].as_usize());
    let expected = lengths.clone().next().unwrap_or(width);
    if let Some((row, length)) = lengths.enumerate().find(|(_, length)| *length != expected) {
        let message = format!(
            "its list has {length} values where the list of the rows before has {expected}; every row must have the \
             same number of values"
        );
        return Err((row, message));
    }
    Ok((width, lists.values().slice(start, end - start)))
}

/// Rows of columns, row-major, `width` values a row.
pub(super) fn block(columns: &[Column], rows: Range<usize>, width: usize) -> Block {
    let mut out = vec![0.0; rows.len() * width];
    let mut at = 0;
    for column in columns {
        put(column, rows.clone(), out.get_mut(at..).unwrap_or_default(), width);
        at += column.width();
    }
    Block::from_wide(out)
}

/// Writes rows of a column into the first of every `stride` values of `out`.
fn put(column: &Column, rows: Range<usize>, out: &mut [f64], stride: usize) {
    let mut to = Target { rows, width: column.width(), out, stride };
    let array = &*column.values;
    match array.data_type() {
        DataType::Boolean => {
            let bits = array.as_boolean();
            to.put(|index| f64::from(u8::from(bits.value(index))));
        }
        DataType::Int8 => to.put_all::<Int8Type>(array, f64::from),
        DataType::Int16 => to.put_all::<Int16Type>(array, f64::from),
        DataType::Int32 => to.put_all::<Int32Type>(array, f64::from),
        DataType::Int64 => to.put_all::<Int64Type>(array, |value| value as f64),
        DataType::UInt8 => to.put_all::<UInt8Type>(array, f64::from),
        DataType::UInt16 => to.put_all::<UInt16Type>(array, f64::from),
        DataType::UInt32 => to.put_all::<UInt32Type>(array, f64::from),
        DataType::UInt64 => to.put_all::<UInt64Type>(array, |value| value as f64),
        DataType::Float16 => to.put_all::<Float16Type>(array, f64::from),
        DataType::Float32 => to.put_all::<Float32Type>(array, f64::from),
        DataType::Float64 => to.put_all::<Float64Type>(array, |value| value),
        DataType::Decimal32(_, scale) => to.put_all::<Decimal32Type>(array, |value| decimal(value.into(), *scale)),
        DataType::Decimal64(_, scale) => to.put_all::<Decimal64Type>(array, |value| decimal(value.into(), *scale)),
        DataType::Decimal128(_, scale) => to.put_all::<Decimal128Type>(array, |value| decimal(value, *scale)),
        // Refused by `fields` before anything is read.
        _ => to.put(|_| f64::NAN),
    }
}

/// Where the values of a column go.
struct Target<'a> {
    rows: Range<usize>,
    width: usize,
    out: &'a mut [f64],
    stride: usize,
}

impl Target<'_> {
    fn put_all<T: ArrowPrimitiveType>(&mut self, array: &dyn Array, to_f64: impl Fn(T::Native) -> f64) {
        if let Some(values) = array.as_primitive_opt::<T>() {
            let values = values.values();
            self.put(|index| to_f64(values[index]));
        }
    }

    fn put(&mut self, value: impl Fn(usize) -> f64) {
        for (row, out) in self.rows.clone().zip(self.out.chunks_mut(self.stride)) {
            for (offset, out) in out.iter_mut().take(self.width).enumerate() {
                *out = value(row * self.width + offset);
            }
        }
    }
}

/// The f64 nearest to `value · 10^-scale`.
fn decimal(value: i128, scale: i8) -> f64 {
    // Both are exact in f64 then, and one division rounds once.
    if (0..=22).contains(&scale) && value.unsigned_abs() <= 1 << 53 {
        return value as f64 / 10f64.powi(scale.into());
    }
    format!("{value}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN)
}
