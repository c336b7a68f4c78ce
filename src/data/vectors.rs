//! The formats of vector search: `.fvecs`, `.bvecs`, `.ivecs` (the width before each row, as in the TEXMEX sets) and
//! `.fbin`, `.u8bin`, `.i8bin` (the shape before all, as in the billion-scale benchmarks). All are little-endian.

use std::path::Path;

use super::binary::{BinaryTable, Form, Layout};
use super::dtype::{DType, Kind};
use super::file::InputFile;
use super::source::{RowSource, forward};
use crate::{Error, Place, Result};

/// A file of vectors, one a row.
///
/// | extension | before | values |
/// | --- | --- | --- |
/// | `.fvecs`, `.ivecs`, `.bvecs` | each row: its width, i32 | f32, i32, u8 |
/// | `.fbin`, `.u8bin`, `.i8bin` | all: rows and columns, two u32 | f32, u8, i8 |
///
/// Each row's width is checked when the row is read.
pub struct VectorFile(BinaryTable);

impl VectorFile {
    /// Opens a file in the format of its extension, and checks what it says of itself against its length.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or read; [`Error::Data`] when it is empty, cut short, or too long for
    /// its shape; [`Error::Parameter`] when the extension is none of these.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let extension = super::open::extension(path);
        let (kind, has_widths) = match extension.as_str() {
            "fvecs" => (Kind::F32, true),
            "ivecs" => (Kind::I32, true),
            "bvecs" => (Kind::U8, true),
            "fbin" => (Kind::F32, false),
            "u8bin" => (Kind::U8, false),
            "i8bin" => (Kind::I8, false),
            _ => {
                let message = "is none of .fvecs, .bvecs, .ivecs, .fbin, .u8bin and .i8bin";
                return Err(Error::parameter(path.display().to_string(), message));
            }
        };
        let file = InputFile::open(path)?;
        let dtype = DType::little_endian(kind);
        let form = if has_widths { form_of_widths(&file, dtype)? } else { form_of_shape(&file, dtype)? };
        let name = file.name();
        let form = form.map_err(|message| Error::data(Place::of(&name), message))?;
        BinaryTable::new(file, name, form).map(Self)
    }
}

impl RowSource for VectorFile {
    forward!(()(.0));
}

/// What the first row's width and the length tell; the inner error continues "the file …".
fn form_of_widths(file: &InputFile, dtype: DType) -> Result<Result<Form, String>> {
    let length = file.len();
    if length < 4 {
        return Ok(Err(format!("holds {length} bytes, not even the width of a first row; write it again")));
    }
    let mut width = [0; 4];
    file.read_at(0, &mut width)?;
    let width = i32::from_le_bytes(width);
    let Some(columns) = u64::try_from(width).ok().filter(|width| *width > 0) else {
        return Ok(Err(format!("says that its first row has {width} columns; it is damaged, or of another format")));
    };
    let row = 4 + columns * dtype.size() as u64;
    if !length.is_multiple_of(row) {
        return Ok(Err(format!(
            "is {length} bytes long, which are not whole rows of {columns} columns ({row} bytes each, as its first row \
             says): {} follow the last whole one; it was cut short or its rows differ: write it again",
            length % row
        )));
    }
    Ok(Ok(Form { start: 0, dtype, layout: Layout::RowsWithWidth, rows: length / row, columns }))
}

/// What the shape in front tells; the inner error continues "the file …".
fn form_of_shape(file: &InputFile, dtype: DType) -> Result<Result<Form, String>> {
    let length = file.len();
    if length < 8 {
        return Ok(Err(format!(
            "holds {length} bytes, fewer than the 8 of its shape; it was cut short: write it again"
        )));
    }
    let mut shape = [0; 8];
    file.read_at(0, &mut shape)?;
    let ([rows, columns], _) = shape.as_chunks::<4>() else {
        return Ok(Err("has no shape".to_owned()));
    };
    let (rows, columns) = (u64::from(u32::from_le_bytes(*rows)), u64::from(u32::from_le_bytes(*columns)));
    let form = Form { start: 8, dtype, layout: Layout::Rows, rows, columns };
    let held = length - 8;
    Ok(match form.bytes() {
        Some(promised) if promised == held => Ok(form),
        promised => Err(format!(
            "holds {held} bytes of values where its shape {rows} × {columns} needs {}; it was cut short, or is of another \
             format",
            promised.map_or_else(|| "more than can be counted".to_owned(), |bytes| bytes.to_string())
        )),
    })
}
