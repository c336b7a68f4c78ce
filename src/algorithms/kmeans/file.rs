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
use super::model::{KMeansModel, Kept};
use crate::Result;
use crate::algorithms::model_file::{Found, ModelKind, ModelReader, ModelWriter, load};
use std::path::Path;
use std::str::FromStr;

const VERSION: u32 = 1;

impl KMeansModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        ModelWriter::new(ModelKind::KMeans, VERSION)
            .matrix("centroids", &self.centroids)
            .matrix("prepared", &self.prepared)
            .tensor("origin", &[self.origin.len()], &self.origin)
            .tensor("cluster_sizes", &[self.k()], &self.sizes)
            .text("metric", self.metric)
            .text("inertia", self.inertia)
            .text("iterations", self.iterations)
            .text("converged", self.converged)
            .text("seed", self.seed)
            .text("rows", self.rows)
            .save(path.as_ref())
    }

    /// Reads a model from a file; it has no labels and no trace.
    ///
    /// # Errors
    /// When the file cannot be read, is no model, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        load(path.as_ref(), (ModelKind::KMeans, VERSION), "`kmeans --model` or `KMeansModel::save`", parse)
    }
}

fn parse(file: &ModelReader) -> Found<KMeansModel> {
    let kept = Kept {
        metric: Metric::from_str(file.text("metric")?).map_err(|error| error.to_string())?,
        centroids: file.matrix("centroids")?,
        prepared: file.matrix("prepared")?,
        origin: file.values("origin")?,
        sizes: file.values("cluster_sizes")?,
        inertias: Vec::new(),
        inertia: file.parsed("inertia")?,
        iterations: file.parsed("iterations")?,
        converged: file.parsed("converged")?,
        seed: file.parsed("seed")?,
        rows: file.parsed("rows")?,
    };
    kept.model()
}
