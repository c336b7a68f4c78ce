//! Models as safetensors files: tensors, and metadata that are text.

use crate::data::output::write_whole;
use crate::{Error, Place, Result};
use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

/// What cannot be read, as a part of a sentence.
pub(super) type Parsed<T> = std::result::Result<T, String>;

/// A tensor's name, type, shape and bytes.
pub(super) type Tensor<'a> = (&'a str, Dtype, Vec<usize>, &'a [u8]);

/// Writes a model of a format and version: to a temporary file beside it first, which then takes its name.
pub(super) fn save<'t>(
    path: &Path,
    (format, version): (&str, &str),
    tensors: impl IntoIterator<Item = Tensor<'t>>,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<()> {
    let refused =
        |error: safetensors::SafeTensorError| Error::data(Place::of(path.display().to_string()), error.to_string());
    let views = tensors
        .into_iter()
        .map(|(name, of, shape, bytes)| Ok((name, TensorView::new(of, shape, bytes)?)))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(refused)?;
    let head = [("format", format.to_owned()), ("version", version.to_owned())];
    let metadata: HashMap<String, String> =
        head.into_iter().chain(metadata).map(|(key, value)| (key.to_owned(), value)).collect();
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(refused)?;
    write_whole(path, |out| out.write_all(&bytes))
}

/// Reads a model of a format and version; `writers` says what writes such ones.
pub(super) fn load<M>(
    path: &Path,
    (format, version): (&str, &str),
    writers: &str,
    parse: impl FnOnce(&Stored) -> Parsed<M>,
) -> Result<M> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let parsed = Stored::of(&bytes, format, version).and_then(|stored| parse(&stored));
    parsed.map_err(|message| {
        let message = format!("{message}: this is no model that {writers} wrote");
        Error::data(Place::of(path.display().to_string()), message)
    })
}

/// What a file holds.
pub(super) struct Stored<'b> {
    tensors: SafeTensors<'b>,
    metadata: HashMap<String, String>,
}

impl<'b> Stored<'b> {
    fn of(bytes: &'b [u8], format: &str, version: &str) -> Parsed<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| metadata.get(key).map(String::as_str).ok_or(format!("its metadata lack `{key}`"));
        if text("format")? != format {
            return Err(format!("its format is `{}`, not `{format}`", text("format")?));
        }
        if text("version")? != version {
            return Err(format!("its version is {}, this program reads {version}", text("version")?));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        Ok(Self { tensors, metadata })
    }

    pub(super) fn text(&self, key: &str) -> Parsed<&str> {
        self.metadata.get(key).map(String::as_str).ok_or(format!("its metadata lack `{key}`"))
    }

    pub(super) fn number<T: FromStr>(&self, key: &str) -> Parsed<T> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("`{text}` in its metadata is not what it should be"))
    }

    pub(super) fn values<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
        &self,
        name: &str,
        of: Dtype,
    ) -> Parsed<Vec<T>> {
        let tensor = self.tensors.tensor(name).map_err(|error| error.to_string())?;
        if tensor.dtype() != of {
            return Err(format!("`{name}` holds {:?}, not {of:?}", tensor.dtype()));
        }
        Ok(bytemuck::allocation::pod_collect_to_vec(tensor.data()))
    }

    pub(super) fn matrix<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
        &self,
        name: &str,
        of: Dtype,
    ) -> Parsed<Array2<T>> {
        let tensor = self.tensors.tensor(name).map_err(|error| error.to_string())?;
        let &[rows, columns] = tensor.shape() else { return Err(format!("`{name}` is not a matrix")) };
        Array2::from_shape_vec((rows, columns), self.values(name, of)?).map_err(|error| error.to_string())
    }
}
