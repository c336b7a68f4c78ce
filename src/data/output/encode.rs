//! Values as little-endian bytes.

use std::io::{self, Write};

use bytemuck::NoUninit;
use half::f16;

use super::table::{Block, Element};

/// Values converted at a time: the bytes stay in the nearest cache.
const CHUNK: usize = 4096;

/// Writes the values of a block in the given type.
pub(super) fn put_values(to: &mut dyn Write, element: Element, block: Block<'_>) -> io::Result<()> {
    match (element, block) {
        (Element::I32, Block::I32(values)) => put(to, values, i32::to_le_bytes),
        (Element::F32, Block::F32(values)) => put(to, values, f32::to_le_bytes),
        (Element::F64, Block::F64(values)) => put(to, values, f64::to_le_bytes),
        (element, Block::I32(values)) => put_as(to, element, values),
        (element, Block::F32(values)) => put_as(to, element, values),
        (element, Block::F64(values)) => put_as(to, element, values),
    }
}

/// Values that need no conversion: as they lie in memory, but for the byte order.
fn put<T: NoUninit, const N: usize>(to: &mut dyn Write, values: &[T], bytes: impl Fn(T) -> [u8; N]) -> io::Result<()> {
    if cfg!(target_endian = "little") {
        return to.write_all(bytemuck::cast_slice(values));
    }
    values.iter().try_for_each(|value| to.write_all(&bytes(*value)))
}

/// Values that f64 holds exactly, in another type.
fn put_as<T: Copy + Into<f64>>(to: &mut dyn Write, element: Element, values: &[T]) -> io::Result<()> {
    match element {
        Element::I32 => put_converted(to, values, |value| (value as i32).to_le_bytes()),
        Element::F16 => put_converted(to, values, |value| f16::from_f64(value).to_le_bytes()),
        Element::F32 => put_converted(to, values, |value| (value as f32).to_le_bytes()),
        Element::F64 => put_converted(to, values, f64::to_le_bytes),
    }
}

fn put_converted<T: Copy + Into<f64>, const N: usize>(
    to: &mut dyn Write,
    values: &[T],
    bytes: impl Fn(f64) -> [u8; N],
) -> io::Result<()> {
    let mut buffer = [[0; N]; CHUNK];
    for chunk in values.chunks(CHUNK) {
        for (to, value) in buffer.iter_mut().zip(chunk) {
            *to = bytes((*value).into());
        }
        to.write_all(buffer.get(..chunk.len()).unwrap_or(&[]).as_flattened())?;
    }
    Ok(())
}
