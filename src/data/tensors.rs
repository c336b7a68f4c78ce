//! Tensors of `.safetensors` files.

use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::binary::{BinaryTable, Form, Layout};
use super::dtype::{DType, Kind};
use super::file::InputFile;
use super::inputs::choose;
use super::source::{RowSource, forward};
use crate::{Error, Place, Result};

/// The longest header that is read, as the format has it.
const MOST_HEADER: u64 = 100_000_000;

/// One tensor of one or two dimensions of a `.safetensors` file; `n` values are an `n × 1` table.
///
/// F64, F32, F16, BF16, I8 to I64, U8 to U64 and BOOL. Only the header and the rows asked for are read.
pub struct TensorFile(BinaryTable);

impl TensorFile {
    /// Opens a file and finds the tensor of this name; without a name, the only one, or the only one of two dimensions.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or read; [`Error::Data`] when it is no such file, is cut short, has
    /// no such tensor (what there is is listed), or the tensor has another number of dimensions or no numbers.
    pub fn open(path: impl AsRef<Path>, tensor: Option<&str>) -> Result<Self> {
        let file = InputFile::open(path)?;
        let refuse = |message: String| Error::data(Place::of(file.name()), message);
        let (metadata, start) = header(&file)?.map_err(refuse)?;
        let tensors = metadata.tensors();
        let mut members: Vec<(&str, usize)> =
            tensors.iter().map(|(name, info)| (name.as_str(), info.shape.len())).collect();
        members.sort_unstable();
        let chosen = choose(&file.name(), "tensor", tensor, &members)?.to_owned();
        let name = if tensors.len() == 1 { file.name() } else { format!("{}:{chosen}", file.name()) };
        let info = tensors.get(&chosen).ok_or_else(|| refuse(format!("has no tensor `{chosen}`")))?;
        let form = form(info, start).map_err(|message| Error::data(Place::of(&name), message))?;
        BinaryTable::new(file, name, form).map(Self)
    }
}

impl RowSource for TensorFile {
    forward!(()(.0));
}

/// The header, checked against the length, and the offset of the first tensor's bytes.
fn header(file: &InputFile) -> Result<Result<(Metadata, u64), String>> {
    let cut_short = |what: &str| Ok(Err(format!("is no .safetensors file, or was cut short: {what}; write it again")));
    let mut length = [0; 8];
    if file.len() < 8 {
        return cut_short("it has fewer than the 8 bytes of its header's length");
    }
    file.read_at(0, &mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MOST_HEADER || length > file.len() - 8 {
        return cut_short(&format!("it says that its header has {length} bytes"));
    }
    let mut text = vec![0; length as usize];
    file.read_at(8, &mut text)?;
    let metadata: Metadata = match serde_json::from_slice(&text) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Ok(Err(format!("is no .safetensors file: its header is not what it should be ({error})")));
        }
    };
    let (promised, held) = (metadata.data_len() as u64, file.len() - 8 - length);
    if promised != held {
        return cut_short(&format!("it holds {held} bytes of tensors where its header needs {promised}"));
    }
    Ok(Ok((metadata, 8 + length)))
}

/// Where a tensor lies.
fn form(info: &TensorInfo, start: u64) -> Result<Form, String> {
    let kind = match info.dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::U8 => Kind::U8,
        Dtype::I8 => Kind::I8,
        Dtype::U16 => Kind::U16,
        Dtype::I16 => Kind::I16,
        Dtype::U32 => Kind::U32,
        Dtype::I32 => Kind::I32,
        Dtype::U64 => Kind::U64,
        Dtype::I64 => Kind::I64,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::BF16,
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        other => return Err(format!("holds {other:?}, which is not read; save it as F32")),
    };
    let (rows, columns) = match *info.shape.as_slice() {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        ref shape => {
            let dimensions = shape.len();
            return Err(format!("has {dimensions} dimensions; a table has one or two (rows × columns)"));
        }
    };
    let start = start + info.data_offsets.0 as u64;
    let dtype = DType::little_endian(kind);
    Ok(Form { start, dtype, layout: Layout::Rows, rows: rows as u64, columns: columns as u64 })
}
