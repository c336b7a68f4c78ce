//! Models as safetensors files: what those of all algorithms have in common.
//!
//! A file holds named tensors and, as metadata, texts by name: its `format`, which says whose model it is, the `version` of
//! that, and whatever else the algorithm keeps. Python reads it with `safetensors.numpy.load_file`.

use crate::data::output::write_whole;
use crate::{Error, Place, Result};
use ndarray::{Array2, Array3};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

/// Whose model a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelKind {
    /// A [`KMeansModel`](crate::KMeansModel).
    KMeans,
    /// A [`BisectingKMeansModel`](crate::BisectingKMeansModel).
    BisectingKMeans,
    /// A [`PcaModel`](crate::PcaModel).
    Pca,
    /// A [`GaussianMixtureModel`](crate::GaussianMixtureModel).
    GaussianMixture,
    /// A [`LogisticRegressionModel`](crate::LogisticRegressionModel).
    Logistic,
    /// A [`LinearRegressionModel`](crate::LinearRegressionModel).
    Linear,
}

impl ModelKind {
    const ALL: [Self; 6] =
        [Self::KMeans, Self::BisectingKMeans, Self::Pca, Self::GaussianMixture, Self::Logistic, Self::Linear];

    /// Looks at what kind of model a file holds; whether it is a whole one is seen when it is loaded.
    ///
    /// # Errors
    /// When the file cannot be read or is no model.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        read(path.as_ref(), "superstep", |bytes| {
            let metadata = metadata(bytes)?;
            let format = text(&metadata, "format")?;
            let found = Self::ALL.into_iter().find(|kind| kind.format() == format);
            found.ok_or_else(|| {
                let known = Self::ALL.map(|kind| format!("`{}`", kind.format())).join(", ");
                format!("its format is `{format}`, this program reads {known}")
            })
        })
    }

    /// The word for it in files.
    fn format(self) -> &'static str {
        match self {
            Self::KMeans => "superstep-kmeans",
            Self::BisectingKMeans => "superstep-bisecting-kmeans",
            Self::Pca => "superstep-pca",
            Self::GaussianMixture => "superstep-gaussian-mixture",
            Self::Logistic => "superstep-logistic",
            Self::Linear => "superstep-linear",
        }
    }
}

/// What a reader of a file finds wrong with it, in the middle of a sentence.
pub(crate) type Found<T> = std::result::Result<T, String>;

/// A number that tensors hold.
pub(crate) trait Stored: bytemuck::AnyBitPattern + bytemuck::NoUninit {
    const DTYPE: Dtype;
}

impl Stored for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Stored for f64 {
    const DTYPE: Dtype = Dtype::F64;
}

impl Stored for u64 {
    const DTYPE: Dtype = Dtype::U64;
}

impl Stored for i64 {
    const DTYPE: Dtype = Dtype::I64;
}

/// A model on its way into a file.
pub(crate) struct ModelWriter<'a> {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(&'static str, Tensor<'a>)>,
}

struct Tensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> ModelWriter<'a> {
    pub(crate) fn new(kind: ModelKind, version: u32) -> Self {
        let head = [("format", kind.format().to_owned()), ("version", version.to_string())];
        Self { metadata: head.map(|(key, value)| (key.to_owned(), value)).into(), tensors: Vec::new() }
    }

    /// Adds a text.
    pub(crate) fn text(mut self, key: &str, value: impl Display) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Adds a tensor of the shape.
    pub(crate) fn tensor<T: Stored>(mut self, name: &'static str, shape: &[usize], values: &'a [T]) -> Self {
        self.add::<T>(name, shape, bytemuck::cast_slice(values).into());
        self
    }

    /// Adds a matrix.
    pub(crate) fn matrix<T: Stored>(mut self, name: &'static str, values: &Array2<T>) -> Self {
        let rows = values.as_standard_layout();
        let bytes: &[u8] = bytemuck::cast_slice(rows.as_slice().unwrap_or(&[]));
        self.add::<T>(name, values.shape(), bytes.to_vec().into());
        self
    }

    fn add<T: Stored>(&mut self, name: &'static str, shape: &[usize], bytes: Cow<'a, [u8]>) {
        self.tensors.push((name, Tensor { dtype: T::DTYPE, shape: shape.to_vec(), bytes }));
    }

    /// Writes the file: a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(self, path: &Path) -> Result<()> {
        let refused = |error: SafeTensorError| Error::data(Place::of(path.display().to_string()), error.to_string());
        let views = self
            .tensors
            .iter()
            .map(|(name, Tensor { dtype, shape, bytes })| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?)));
        let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(refused)?;
        let texts = self.metadata.clone().into_iter().collect();
        let mut bytes = safetensors::serialize(views, Some(texts)).map_err(refused)?;
        sort_texts(&mut bytes, &self.metadata);
        write_whole(path, |out| out.write_all(&bytes))
    }
}

/// Brings the texts of a file into the order of their names. They come out of a hash map in another order each time, and the same model
/// is to be the same bytes.
fn sort_texts(bytes: &mut [u8], texts: &BTreeMap<String, String>) {
    const HEAD: &[u8] = br#"{"__metadata__":"#;
    let (Some(header), Ok(sorted)) = (bytes.get_mut(size_of::<u64>()..), serde_json::to_vec(texts)) else { return };
    let starts = header.starts_with(HEAD);
    let Some(place) = header.get_mut(HEAD.len()..HEAD.len() + sorted.len()).filter(|_| starts) else { return };
    // Only what are these texts in another order, and nothing else, is written over.
    if serde_json::from_slice::<BTreeMap<String, String>>(place).is_ok_and(|found| found == *texts) {
        place.copy_from_slice(&sorted);
    }
}

/// A model's file as it was read.
pub(crate) struct ModelReader<'a> {
    metadata: HashMap<String, String>,
    tensors: SafeTensors<'a>,
}

impl<'a> ModelReader<'a> {
    /// The parts of a file of this kind and version.
    fn new(bytes: &'a [u8], kind: ModelKind, version: u32) -> Found<Self> {
        let metadata = metadata(bytes)?;
        let (format, found) = (text(&metadata, "format")?, text(&metadata, "version"));
        if format != kind.format() {
            return Err(format!("its format is `{format}`, not `{}`", kind.format()));
        }
        let found = found?;
        if found != version.to_string() {
            return Err(format!("its version is {found}, this program reads {version}"));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        Ok(Self { metadata, tensors })
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Found<&str> {
        text(&self.metadata, key)
    }

    /// A text that stands for a number or a word.
    pub(crate) fn parsed<T: FromStr>(&self, key: &str) -> Found<T> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("`{text}` in its metadata is not what it should be"))
    }

    /// The values of a tensor, in the order of its shape.
    pub(crate) fn values<T: Stored>(&self, name: &str) -> Found<Vec<T>> {
        let tensor = self.tensors.tensor(name).map_err(|error| error.to_string())?;
        if tensor.dtype() != T::DTYPE {
            return Err(format!("`{name}` holds {:?}, not {:?}", tensor.dtype(), T::DTYPE));
        }
        Ok(bytemuck::allocation::pod_collect_to_vec(tensor.data()))
    }

    /// Matrices of one shape, one after the other.
    pub(crate) fn matrices<T: Stored>(&self, name: &str) -> Found<Array3<T>> {
        let tensor = self.tensors.tensor(name).map_err(|error| error.to_string())?;
        let &[count, rows, columns] = tensor.shape() else { return Err(format!("`{name}` is not a list of matrices")) };
        Array3::from_shape_vec((count, rows, columns), self.values(name)?).map_err(|error| error.to_string())
    }

    /// A matrix.
    pub(crate) fn matrix<T: Stored>(&self, name: &str) -> Found<Array2<T>> {
        let tensor = self.tensors.tensor(name).map_err(|error| error.to_string())?;
        let &[rows, columns] = tensor.shape() else { return Err(format!("`{name}` is not a matrix")) };
        Array2::from_shape_vec((rows, columns), self.values(name)?).map_err(|error| error.to_string())
    }
}

/// Reads a model of a kind; `written_by` names what writes such files.
///
/// # Errors
/// When the file cannot be read, or is none of this kind, or a damaged one.
pub(crate) fn load<T>(
    path: &Path,
    (kind, version): (ModelKind, u32),
    written_by: &str,
    parse: impl FnOnce(&ModelReader) -> Found<T>,
) -> Result<T> {
    read(path, written_by, |bytes| parse(&ModelReader::new(bytes, kind, version)?))
}

fn read<T>(path: &Path, written_by: &str, parse: impl FnOnce(&[u8]) -> Found<T>) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    parse(&bytes).map_err(|message| {
        let message = format!("{message}: this is no model that {written_by} wrote");
        Error::data(Place::of(path.display().to_string()), message)
    })
}

fn metadata(bytes: &[u8]) -> Found<HashMap<String, String>> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    Ok(header.metadata().clone().unwrap_or_default())
}

fn text<'m>(metadata: &'m HashMap<String, String>, key: &str) -> Found<&'m str> {
    metadata.get(key).map(String::as_str).ok_or(format!("its metadata lack `{key}`"))
}
