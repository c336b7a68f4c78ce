//! Saving and loading a model, as a safetensors file.
//!
//! | tensor | type | shape | what |
//! | --- | --- | --- | --- |
//! | `centroids` | F64 | k × d | in the data's own space |
//! | `prepared` | F32 | k × d' | in the space of the kernels: less the origin, or on the unit sphere |
//! | `origin` | F64 | d, or 0 | what was taken off each column |
//! | `cluster_sizes` | U64 | k | rows of each cluster |
//!
//! The metadata are text: `format` (`superstep-kmeans`), `version` (`1`), `metric`, `inertia`, `iterations`, `converged`,
//! `seed`, `rows`. Python reads it with `safetensors.numpy.load_file`.

use super::metric::Metric;
use super::model::KMeansModel;
use super::params::Algorithm;
use super::progress::Timings;
use crate::data::output::write_whole;
use crate::{Error, Place, Result};
use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

const FORMAT: &str = "superstep-kmeans";
const VERSION: &str = "1";

impl KMeansModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let (centroids, prepared) = (self.centroids.as_standard_layout(), self.prepared.as_standard_layout());
        let centroids: &[u8] = bytemuck::cast_slice(centroids.as_slice().unwrap_or(&[]));
        let prepared: &[u8] = bytemuck::cast_slice(prepared.as_slice().unwrap_or(&[]));
        let (k, d) = self.centroids.dim();
        let tensors = [
            ("centroids", Dtype::F64, vec![k, d], centroids),
            ("prepared", Dtype::F32, vec![k, self.prepared.ncols()], prepared),
            ("origin", Dtype::F64, vec![self.origin.len()], bytemuck::cast_slice(&self.origin)),
            ("cluster_sizes", Dtype::U64, vec![k], bytemuck::cast_slice(&self.sizes)),
        ];
        let refused =
            |error: safetensors::SafeTensorError| Error::data(Place::of(path.display().to_string()), error.to_string());
        let views = tensors
            .into_iter()
            .map(|(name, of, shape, bytes)| Ok((name, TensorView::new(of, shape, bytes)?)))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(refused)?;
        let bytes = safetensors::serialize(views, Some(self.metadata())).map_err(refused)?;
        write_whole(path, |out| out.write_all(&bytes))
    }

    fn metadata(&self) -> HashMap<String, String> {
        let text = [
            ("format", FORMAT.to_owned()),
            ("version", VERSION.to_owned()),
            ("metric", self.metric.to_string()),
            ("inertia", self.inertia.to_string()),
            ("iterations", self.iterations.to_string()),
            ("converged", self.converged.to_string()),
            ("seed", self.seed.to_string()),
            ("rows", self.rows.to_string()),
        ];
        text.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Reads a model from a file; it has no labels and no trace.
    ///
    /// # Errors
    /// When the file cannot be read, is no model, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::from_bytes(&bytes).map_err(|message| {
            let message = format!("{message}: this is no model that `kmeans --model` or `KMeansModel::save` wrote");
            Error::data(Place::of(path.display().to_string()), message)
        })
    }

    fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| metadata.get(key).map(String::as_str).ok_or(format!("its metadata lack `{key}`"));
        if text("format")? != FORMAT {
            return Err(format!("its format is `{}`, not `{FORMAT}`", text("format")?));
        }
        if text("version")? != VERSION {
            return Err(format!("its version is {}, this program reads {VERSION}", text("version")?));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let centroids = matrix::<f64>(&tensors, "centroids", Dtype::F64)?;
        let prepared = matrix::<f32>(&tensors, "prepared", Dtype::F32)?;
        let metric = Metric::from_str(text("metric")?).map_err(|error| error.to_string())?;
        let (k, d) = centroids.dim();
        let origin = values::<f64>(&tensors, "origin", Dtype::F64)?;
        let sizes = values::<u64>(&tensors, "cluster_sizes", Dtype::U64)?;
        let width = if d == 0 { 0 } else { metric.prepared_columns(d) };
        if k == 0 || d == 0 || prepared.dim() != (k, width) || sizes.len() != k || ![0, d].contains(&origin.len()) {
            return Err("the shapes of its tensors do not fit each other".to_owned());
        }
        metric.check_columns(d).map_err(|error| error.to_string())?;
        let finite = centroids.iter().chain(&origin).all(|value| value.is_finite());
        if !finite || !prepared.iter().all(|value| value.is_finite()) {
            return Err("it holds values that are not finite numbers".to_owned());
        }
        Ok(Self {
            metric,
            algorithm: Algorithm::Auto,
            centroids,
            prepared,
            origin,
            sizes,
            inertia: number(text("inertia")?)?,
            iterations: number(text("iterations")?)?,
            converged: number(text("converged")?)?,
            interrupted: false,
            seed: number(text("seed")?)?,
            rows: number(text("rows")?)?,
            labels: Vec::new(),
            trace: Vec::new(),
            timings: Timings::default(),
            streamed: None,
            warnings: Vec::new(),
        })
    }
}

fn number<T: FromStr>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` in its metadata is not what it should be"))
}

fn values<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    tensors: &SafeTensors,
    name: &str,
    of: Dtype,
) -> std::result::Result<Vec<T>, String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    if tensor.dtype() != of {
        return Err(format!("`{name}` holds {:?}, not {of:?}", tensor.dtype()));
    }
    Ok(bytemuck::allocation::pod_collect_to_vec(tensor.data()))
}

fn matrix<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    tensors: &SafeTensors,
    name: &str,
    of: Dtype,
) -> std::result::Result<Array2<T>, String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    let &[rows, columns] = tensor.shape() else { return Err(format!("`{name}` is not a matrix")) };
    Array2::from_shape_vec((rows, columns), values(tensors, name, of)?).map_err(|error| error.to_string())
}
