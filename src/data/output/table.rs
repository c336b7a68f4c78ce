//! Tables that are written block by block.

use std::path::Path;

use half::f16;

use super::csv::CsvEncoder;
use super::npy::NpyEncoder;
#[cfg(feature = "parquet")]
use super::parquet::ParquetEncoder;
use super::pending::PendingFile;
use super::vectors::{FbinEncoder, FvecsEncoder};
use crate::data::open::extension;
use crate::{Error, Place, Result};

/// What a table is, told before its first row is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// How many rows will be pushed.
    pub rows: u64,
    /// How many values each has.
    pub columns: usize,
    /// The type they are written in.
    pub element: Element,
    /// Whether it is a list of single values, which `.npy` keeps as an array of one dimension.
    pub is_vector: bool,
    /// The columns' names, in order; may be empty, then formats that need names count `c0`, `c1` and so on.
    pub names: Vec<String>,
    /// Whether text begins with a line of the names, where there are any.
    pub header: bool,
}

impl TableSpec {
    /// A table of `rows × columns` values without names.
    pub fn matrix(rows: u64, columns: usize, element: Element) -> Self {
        Self { rows, columns, element, is_vector: false, names: Vec::new(), header: false }
    }

    /// One cluster number a row: i32, as scikit-learn's `labels_`.
    pub fn labels(rows: u64) -> Self {
        Self::vector(rows, Element::I32, "label")
    }

    /// A list of `rows` values. Its name goes where a format needs one, and not into text.
    pub fn vector(rows: u64, element: Element, name: &str) -> Self {
        Self { is_vector: true, names: vec![name.to_owned()], ..Self::matrix(rows, 1, element) }
    }
}

/// The types that values are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Whole numbers of 32 bits.
    I32,
    /// Half precision.
    F16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Element {
    /// `i32`, `f16`, `f32` or `f64`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// Row-major values of whole rows. They are converted to the type of the table where theirs is another.
#[derive(Debug, Clone, Copy)]
pub enum Block<'a> {
    /// Whole numbers, such as labels.
    I32(&'a [i32]),
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
}

impl Block<'_> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Self::I32(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the values.
    #[cfg(feature = "parquet")]
    pub(in crate::data) fn slice(&self, values: std::ops::Range<usize>) -> Self {
        match self {
            Self::I32(all) => Self::I32(all.get(values).unwrap_or_default()),
            Self::F32(all) => Self::F32(all.get(values).unwrap_or_default()),
            Self::F64(all) => Self::F64(all.get(values).unwrap_or_default()),
        }
    }

    /// The values in order, as f64, which holds each of the types exactly.
    #[cfg(feature = "parquet")]
    pub(in crate::data) fn iter(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Self::I32(values) => Box::new(values.iter().map(|value| f64::from(*value))),
            Self::F32(values) => Box::new(values.iter().map(|value| f64::from(*value))),
            Self::F64(values) => Box::new(values.iter().copied()),
        }
    }

    /// The first value that a type cannot hold, with its number: beyond its range, or no whole number for i32.
    fn first_that_does_not_fit(&self, element: Element) -> Option<(usize, f64)> {
        let fits: fn(f64) -> bool = match (self, element) {
            (_, Element::F64) | (Self::I32(_), Element::I32 | Element::F32) | (Self::F32(_), Element::F32) => {
                return None;
            }
            (_, Element::I32) => |value| f64::from(value as i32) == value,
            (_, Element::F16) => |value| !value.is_finite() || f16::from_f64(value).is_finite(),
            (_, Element::F32) => |value| !value.is_finite() || (value as f32).is_finite(),
        };
        match self {
            Self::I32(values) => first(values, fits),
            Self::F32(values) => first(values, fits),
            Self::F64(values) => first(values, fits),
        }
    }
}

/// The first value that does not fit, with its number.
fn first<T: Copy + Into<f64>>(values: &[T], fits: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
    values.iter().map(|value| (*value).into()).enumerate().find(|(_, value)| !fits(*value))
}

/// What a format does with the rows it is given. Rows have been counted and values found to fit the type.
pub(in crate::data) trait Encoder: Send {
    /// Writes the next whole rows.
    fn push(&mut self, block: Block<'_>) -> Result<()>;

    /// Writes what comes after the last row, and returns the file.
    fn finish(self: Box<Self>) -> Result<PendingFile>;
}

/// The formats tables are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Npy,
    Csv,
    #[cfg(feature = "parquet")]
    Parquet,
    Fvecs,
    Fbin,
}

impl Format {
    /// The format of a file by its name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match extension(path).as_str() {
            "npy" => Some(Self::Npy),
            "csv" => Some(Self::Csv),
            #[cfg(feature = "parquet")]
            "parquet" => Some(Self::Parquet),
            "fvecs" => Some(Self::Fvecs),
            "fbin" => Some(Self::Fbin),
            _ => None,
        }
    }

    /// Whether labels and centroids are written in it: it holds whole numbers as well as f64.
    pub(super) fn holds_results(self) -> bool {
        !matches!(self, Self::Fvecs | Self::Fbin)
    }
}

/// A table that is written block by block: to a temporary file beside it, which takes its name when it is finished. One
/// that is dropped before leaves nothing behind.
///
/// The format is that of the extension: `.npy` (C order), `.csv` (the shortest digits that read back as the same
/// numbers), `.parquet` (feature `parquet`), and of f32 alone `.fvecs` and `.fbin`.
///
/// ```
/// use superstep::data::output::{Block, Element, TableSpec, TableWriter};
///
/// let folder = tempfile::tempdir().map_err(|error| superstep::Error::io("a temporary folder", error))?;
/// let path = folder.path().join("table.npy");
/// let mut table = TableWriter::create(&path, TableSpec::matrix(3, 2, Element::F32))?;
/// table.push(Block::F32(&[1.0, 2.0, 3.0, 4.0]))?;
/// table.push(Block::F32(&[5.0, 6.0]))?;
/// table.finish()?;
/// # Ok::<(), superstep::Error>(())
/// ```
pub struct TableWriter {
    place: Place,
    spec: TableSpec,
    written: u64,
    encoder: Box<dyn Encoder>,
}

impl TableWriter {
    /// Checks, before the work starts, that a table can be written to `path`. Leaves nothing behind.
    ///
    /// # Errors
    /// When the extension is unknown, or its folder is not there or takes no new files.
    pub fn check(path: &Path) -> Result<()> {
        format_of(path)?;
        if path.is_dir() {
            return Err(super::refuse(path, "is a folder; name a file"));
        }
        PendingFile::create(path).map(drop)
    }

    /// Begins a table.
    ///
    /// # Errors
    /// When the extension is unknown, its format does not hold such a table, or the file cannot be written.
    pub fn create(path: &Path, spec: TableSpec) -> Result<Self> {
        let format = format_of(path)?;
        if spec.columns == 0 || (!spec.names.is_empty() && spec.names.len() != spec.columns) {
            let message = format!("{} names do not fit a table of {} columns", spec.names.len(), spec.columns);
            return Err(super::refuse(path, &message));
        }
        let file = PendingFile::create(path)?;
        let encoder: Box<dyn Encoder> = match format {
            Format::Npy => Box::new(NpyEncoder::new(file, &spec)?),
            Format::Csv => Box::new(CsvEncoder::new(file, &spec)?),
            #[cfg(feature = "parquet")]
            Format::Parquet => Box::new(ParquetEncoder::new(file, &spec)?),
            Format::Fvecs => Box::new(FvecsEncoder::new(file, &spec)?),
            Format::Fbin => Box::new(FbinEncoder::new(file, &spec)?),
        };
        Ok(Self { place: Place::of(path.display().to_string()), spec, written: 0, encoder })
    }

    /// Writes the next rows.
    ///
    /// # Errors
    /// When they are not whole rows, or more than were told, a value does not fit the element type (its row and column
    /// are named, counted from 0), or the file cannot be written.
    pub fn push(&mut self, block: Block<'_>) -> Result<()> {
        let columns = self.spec.columns;
        let rows = (block.len() / columns) as u64;
        if !block.len().is_multiple_of(columns) || rows > self.spec.rows - self.written {
            let message = format!(
                "{} values are not whole rows of {columns} columns, or more than the {} rows that are left",
                block.len(),
                self.spec.rows - self.written
            );
            return Err(Error::parameter(self.place.source.clone(), message));
        }
        if let Some((at, value)) = block.first_that_does_not_fit(self.spec.element) {
            let place = self.place.clone().row(self.written + (at / columns) as u64).column((at % columns) as u64);
            let message = format!("the value {value} does not fit {}; choose a wider type", self.spec.element.as_str());
            return Err(Error::data(place, message));
        }
        self.written += rows;
        self.encoder.push(block)
    }

    /// Writes the next labels to a table of i32.
    ///
    /// # Errors
    /// When a label is 2³¹ or more, and as [`push`](Self::push).
    pub fn push_labels(&mut self, labels: &[u32]) -> Result<()> {
        if labels.iter().any(|label| i32::try_from(*label).is_err()) {
            let message = "labels of 2³¹ or more do not fit the int32 they are written as";
            return Err(Error::parameter(self.place.source.clone(), message));
        }
        // Below 2³¹ the bits of a u32 are those of the i32.
        self.push(Block::I32(bytemuck::cast_slice(labels)))
    }

    /// Flushes the file to the disk and gives it its name.
    ///
    /// # Errors
    /// When fewer rows were pushed than were told, or the file cannot be written; then there is no file.
    pub fn finish(self) -> Result<()> {
        if self.written != self.spec.rows {
            let message = format!("{} rows were written where {} were told", self.written, self.spec.rows);
            return Err(Error::parameter(self.place.source, message));
        }
        self.encoder.finish()?.persist()
    }
}

fn format_of(path: &Path) -> Result<Format> {
    let unknown = if cfg!(feature = "parquet") {
        "tables are written as .npy, .csv, .parquet, .fvecs or .fbin; give one of these extensions"
    } else if extension(path) == "parquet" {
        "Parquet is written with the cargo feature `parquet`, which this build has not; give another extension"
    } else {
        "tables are written as .npy, .csv, .fvecs or .fbin; give one of these extensions"
    };
    Format::of(path).ok_or_else(|| super::refuse(path, unknown))
}
