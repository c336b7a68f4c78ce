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
use crate::Result;
use crate::algorithms::model_file::{Parsed, Stored, load, save};
use safetensors::tensor::Dtype;
use std::path::Path;
use std::str::FromStr;

const FORMAT: (&str, &str) = ("superstep-kmeans", "1");

impl KMeansModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
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
        let metadata = [
            ("metric", self.metric.to_string()),
            ("inertia", self.inertia.to_string()),
            ("iterations", self.iterations.to_string()),
            ("converged", self.converged.to_string()),
            ("seed", self.seed.to_string()),
            ("rows", self.rows.to_string()),
        ];
        save(path.as_ref(), FORMAT, tensors, metadata)
    }

    /// Reads a model from a file; it has no labels and no trace.
    ///
    /// # Errors
    /// When the file cannot be read, is no model, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        load(path.as_ref(), FORMAT, "`kmeans --model` or `KMeansModel::save`", Self::of)
    }

    fn of(stored: &Stored) -> Parsed<Self> {
        let centroids = stored.matrix::<f64>("centroids", Dtype::F64)?;
        let prepared = stored.matrix::<f32>("prepared", Dtype::F32)?;
        let metric = Metric::from_str(stored.text("metric")?).map_err(|error| error.to_string())?;
        let (k, d) = centroids.dim();
        let origin = stored.values::<f64>("origin", Dtype::F64)?;
        let sizes = stored.values::<u64>("cluster_sizes", Dtype::U64)?;
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
            inertia: stored.number("inertia")?,
            iterations: stored.number("iterations")?,
            converged: stored.number("converged")?,
            interrupted: false,
            seed: stored.number("seed")?,
            rows: stored.number("rows")?,
            labels: Vec::new(),
            trace: Vec::new(),
            timings: Timings::default(),
            streamed: None,
            warnings: Vec::new(),
        })
    }
}
