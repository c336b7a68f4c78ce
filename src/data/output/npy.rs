//! `.npy` files, block by block.

use super::encode::put_values;
use super::pending::PendingFile;
use super::table::{Block, Element, Encoder, TableSpec};
use crate::Result;
use crate::data::npy::write_header;

/// Writes the header at once and then the values as they come, little-endian.
pub(super) struct NpyEncoder {
    file: PendingFile,
    element: Element,
}

impl NpyEncoder {
    pub(super) fn new(mut file: PendingFile, spec: &TableSpec) -> Result<Self> {
        let descr = match spec.element {
            Element::I32 => "<i4",
            Element::F16 => "<f2",
            Element::F32 => "<f4",
            Element::F64 => "<f8",
        };
        let shape = [spec.rows, spec.columns as u64];
        let shape = if spec.is_vector { &shape[..1] } else { &shape[..] };
        write_header(&mut file, descr, shape).map_err(|error| file.failed(error))?;
        Ok(Self { file, element: spec.element })
    }
}

impl Encoder for NpyEncoder {
    fn push(&mut self, block: Block<'_>) -> Result<()> {
        put_values(&mut self.file, self.element, block).map_err(|error| self.file.failed(error))
    }

    fn finish(self: Box<Self>) -> Result<PendingFile> {
        Ok(self.file)
    }
}
