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
        (Element::I32, block) => put_converted(to, block, |value| (value as i32).to_le_bytes()),
        (Element::F16, block) => put_converted(to, block, |value| f16::from_f64(value).to_le_bytes()),
        (Element::F32, block) => put_converted(to, block, |value| (value as f32).to_le_bytes()),
        (Element::F64, block) => put_converted(to, block, f64::to_le_bytes),
    }
}

/// Values that need no conversion: as they lie in memory, but for the byte order.
fn put<T: NoUninit, const N: usize>(to: &mut dyn Write, values: &[T], bytes: impl Fn(T) -> [u8; N]) -> io::Result<()> {
    if cfg!(target_endian = "little") {
        return to.write_all(bytemuck::cast_slice(values));
    }
    values.iter().try_for_each(|value| to.write_all(&bytes(*value)))
}

fn put_converted<const N: usize>(
    to: &mut dyn Write,
    block: Block<'_>,
    bytes: impl Fn(f64) -> [u8; N],
) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK * N);
    for value in block.iter() {
        chunk.extend_from_slice(&bytes(value));
        if chunk.len() == CHUNK * N {
            to.write_all(&chunk)?;
            chunk.clear();
        }
    }
    to.write_all(&chunk)
}
