//! `.parquet` files, in row groups of bounded size.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int32Type};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use half::f16;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::pending::PendingFile;
use super::table::{Block, Element, Encoder, TableSpec};
use crate::{Error, Result};

/// Bytes of values in a row group: a writer holds one in memory, and readers read whole ones.
const ROW_GROUP: usize = 32 << 20;

/// Values that are turned into columns at a time.
const BATCH: usize = 1 << 18;

/// Writes one required column a column, compressed with Zstandard; without names they are `c0`, `c1` and so on.
pub(super) struct ParquetEncoder {
    path: std::path::PathBuf,
    writer: ArrowWriter<PendingFile>,
    schema: SchemaRef,
    element: Element,
    columns: usize,
}

impl ParquetEncoder {
    pub(super) fn new(file: PendingFile, spec: &TableSpec) -> Result<Self> {
        let (kind, size) = match spec.element {
            Element::I32 => (DataType::Int32, 4),
            Element::F16 => (DataType::Float16, 2),
            Element::F32 => (DataType::Float32, 4),
            Element::F64 => (DataType::Float64, 8),
        };
        let name = |column: usize| spec.names.get(column).cloned().unwrap_or_else(|| format!("c{column}"));
        let fields: Vec<Field> =
            (0..spec.columns).map(|column| Field::new(name(column), kind.clone(), false)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // Measurements seldom repeat, and labels do.
            .set_dictionary_enabled(spec.element == Element::I32)
            .set_max_row_group_row_count(Some((ROW_GROUP / size / spec.columns).max(1)))
            .build();
        let path = file.path().to_owned();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties));
        let writer = writer.map_err(|error| failed(&path, error))?;
        Ok(Self { path, writer, schema, element: spec.element, columns: spec.columns })
    }

    /// Some rows, column by column.
    fn batch(&self, block: Block<'_>) -> Result<RecordBatch> {
        let arrays = match self.element {
            Element::I32 => self.arrays::<Int32Type>(block, |value| value as i32),
            Element::F16 => self.arrays::<Float16Type>(block, f16::from_f64),
            Element::F32 => self.arrays::<Float32Type>(block, |value| value as f32),
            Element::F64 => self.arrays::<Float64Type>(block, |value| value),
        };
        let batch = RecordBatch::try_new(self.schema.clone(), arrays);
        batch.map_err(|error| failed(&self.path, error.into()))
    }

    fn arrays<T: ArrowPrimitiveType>(&self, block: Block<'_>, from: impl Fn(f64) -> T::Native) -> Vec<ArrayRef> {
        let rows = block.len() / self.columns;
        let mut columns: Vec<Vec<T::Native>> = (0..self.columns).map(|_| Vec::with_capacity(rows)).collect();
        let mut values = block.iter().map(from);
        for _ in 0..rows {
            columns.iter_mut().for_each(|column| column.extend(values.next()));
        }
        columns.into_iter().map(|column| Arc::new(PrimitiveArray::<T>::from_iter_values(column)) as ArrayRef).collect()
    }
}

impl Encoder for ParquetEncoder {
    fn push(&mut self, block: Block<'_>) -> Result<()> {
        let step = (BATCH / self.columns).max(1) * self.columns;
        let mut start = 0;
        while start < block.len() {
            let end = block.len().min(start + step);
            let batch = self.batch(block.slice(start..end))?;
            self.writer.write(&batch).map_err(|error| failed(&self.path, error))?;
            start = end;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<PendingFile> {
        self.writer.into_inner().map_err(|error| failed(&self.path, error))
    }
}

/// The error of a write that failed; what the operating system said, where it was that.
fn failed(path: &std::path::Path, error: ParquetError) -> Error {
    let error = match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => *error,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other.to_string()),
    };
    Error::io(path, error)
}
