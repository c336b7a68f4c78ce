//! The formats of vector search, f32 alone: `.fvecs` (the width before each row) and `.fbin` (the shape before all).

use std::io::Write;

use super::encode::put_values;
use super::pending::PendingFile;
use super::table::{Block, Element, Encoder, TableSpec};
use crate::Result;

/// Each row is its width, as a little-endian i32, and then its values.
pub(super) struct FvecsEncoder {
    file: PendingFile,
    columns: usize,
    width: [u8; 4],
}

impl FvecsEncoder {
    pub(super) fn new(file: PendingFile, spec: &TableSpec) -> Result<Self> {
        check_element(&file, spec)?;
        let Ok(width) = i32::try_from(spec.columns) else {
            return Err(super::refuse(file.path(), ".fvecs rows have fewer than 2³¹ columns; write another format"));
        };
        Ok(Self { file, columns: spec.columns, width: width.to_le_bytes() })
    }

    fn put_row(&mut self, row: Block<'_>) -> std::io::Result<()> {
        self.file.write_all(&self.width)?;
        put_values(&mut self.file, Element::F32, row)
    }
}

impl Encoder for FvecsEncoder {
    fn push(&mut self, block: Block<'_>) -> Result<()> {
        let columns = self.columns;
        let put = match block {
            Block::I32(values) => values.chunks(columns).try_for_each(|row| self.put_row(Block::I32(row))),
            Block::F32(values) => values.chunks(columns).try_for_each(|row| self.put_row(Block::F32(row))),
            Block::F64(values) => values.chunks(columns).try_for_each(|row| self.put_row(Block::F64(row))),
        };
        put.map_err(|error| self.file.failed(error))
    }

    fn finish(self: Box<Self>) -> Result<PendingFile> {
        Ok(self.file)
    }
}

/// The number of rows and of columns, as little-endian u32, and then all values.
pub(super) struct FbinEncoder {
    file: PendingFile,
}

impl FbinEncoder {
    pub(super) fn new(mut file: PendingFile, spec: &TableSpec) -> Result<Self> {
        check_element(&file, spec)?;
        let (Ok(rows), Ok(columns)) = (u32::try_from(spec.rows), u32::try_from(spec.columns)) else {
            let message = "a .fbin file has fewer than 2³² rows and columns; write several, or another format";
            return Err(super::refuse(file.path(), message));
        };
        let header = [rows.to_le_bytes(), columns.to_le_bytes()].concat();
        file.write_all(&header).map_err(|error| file.failed(error))?;
        Ok(Self { file })
    }
}

impl Encoder for FbinEncoder {
    fn push(&mut self, block: Block<'_>) -> Result<()> {
        put_values(&mut self.file, Element::F32, block).map_err(|error| self.file.failed(error))
    }

    fn finish(self: Box<Self>) -> Result<PendingFile> {
        Ok(self.file)
    }
}

fn check_element(file: &PendingFile, spec: &TableSpec) -> Result<()> {
    match spec.element {
        Element::F32 => Ok(()),
        other => {
            let message = format!("the format holds f32 alone, not {}; ask for f32, or write .npy", other.as_str());
            Err(super::refuse(file.path(), &message))
        }
    }
}
