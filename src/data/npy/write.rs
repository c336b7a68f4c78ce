//! Writing `.npy` files, version 1.0, C order, in this machine's byte order.

use std::io::{self, Write};

use bytemuck::NoUninit;
use ndarray::{ArrayRef, Dimension};

/// An element type that `.npy` files are written of: f32, f64, i32, i64 and u32.
pub trait NpyElement: NoUninit {
    /// NumPy's short form of the type without its byte order, such as `f4`.
    const DESCR: &'static str;
}

impl NpyElement for f32 {
    const DESCR: &'static str = "f4";
}

impl NpyElement for f64 {
    const DESCR: &'static str = "f8";
}

impl NpyElement for i32 {
    const DESCR: &'static str = "i4";
}

impl NpyElement for i64 {
    const DESCR: &'static str = "i8";
}

impl NpyElement for u32 {
    const DESCR: &'static str = "u4";
}

/// Writes an array of any layout and any number of dimensions, as numpy.save would its C-ordered copy.
///
/// # Errors
/// What the writer returns.
pub fn write_npy<T: NpyElement, D: Dimension>(to: &mut dyn Write, array: &ArrayRef<T, D>) -> io::Result<()> {
    let order = if cfg!(target_endian = "little") { '<' } else { '>' };
    let shape: Vec<u64> = array.shape().iter().map(|length| *length as u64).collect();
    write_header(to, &format!("{order}{}", T::DESCR), &shape)?;
    if let Some(values) = array.as_slice() {
        return to.write_all(bytemuck::cast_slice(values));
    }
    array.iter().try_for_each(|value| to.write_all(bytemuck::bytes_of(value)))
}

/// Writes what comes before the values; `descr` is NumPy's short form of their type, such as `<f4`.
pub(in crate::data) fn write_header(to: &mut dyn Write, descr: &str, shape: &[u64]) -> io::Result<()> {
    let mut lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    if shape.len() > 1 {
        lengths.truncate(lengths.len() - 2);
    }
    let lengths = lengths.trim_end();
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // The values begin at a multiple of 64 bytes, so that a map of the file is aligned for any vector load.
    let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let length_bytes = u16::try_from(length).map_err(|_| io::Error::other("too many dimensions for a .npy header"))?;
    to.write_all(b"\x93NUMPY\x01\x00")?;
    to.write_all(&length_bytes.to_le_bytes())?;
    writeln!(to, "{dict:<width$}", width = length - 1)
}
