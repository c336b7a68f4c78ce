//! Saving and loading a model, as a safetensors file.
//!
//! | tensor | type | shape | what |
//! | --- | --- | --- | --- |
//! | `components` | F64 | m × d | the principal directions |
//! | `explained_variance` | F64 | m | variances along them |
//! | `explained_variance_ratio` | F64 | m | the same as parts of the whole |
//! | `mean` | F64 | d | the mean of each column |
//!
//! The metadata are text: `format` (`superstep-pca`), `version` (`1`), `noise_variance`, `whiten`, `iterations`, `converged`, `seed`,
//! `rows`. Python reads it with `safetensors.numpy.load_file`.

use super::model::PcaModel;
use crate::Result;
use crate::algorithms::model_file::{Found, ModelKind, ModelReader, ModelWriter, load};
use std::path::Path;

const VERSION: u32 = 1;

impl PcaModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let m = self.components.nrows();
        ModelWriter::new(ModelKind::Pca, VERSION)
            .matrix("components", &self.components)
            .tensor("explained_variance", &[m], &self.variances)
            .tensor("explained_variance_ratio", &[m], &self.ratio)
            .tensor("mean", &[self.mean.len()], &self.mean)
            .text("noise_variance", self.noise_variance)
            .text("whiten", self.whiten)
            .text("iterations", self.iterations)
            .text("converged", self.converged)
            .text("seed", self.seed)
            .text("rows", self.rows)
            .save(path.as_ref())
    }

    /// Reads a model from a file; it has no trace.
    ///
    /// # Errors
    /// When the file cannot be read, is no model, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        load(path.as_ref(), (ModelKind::Pca, VERSION), "`PcaModel::save`", Self::of)
    }

    fn of(stored: &ModelReader) -> Found<Self> {
        let components = stored.matrix::<f64>("components")?;
        let variances = stored.values::<f64>("explained_variance")?;
        let ratio = stored.values::<f64>("explained_variance_ratio")?;
        let mean = stored.values::<f64>("mean")?;
        let (m, d) = components.dim();
        if m == 0 || m > d || variances.len() != m || ratio.len() != m || mean.len() != d {
            return Err("the shapes of its tensors do not fit each other".to_owned());
        }
        let noise_variance: f64 = stored.parsed("noise_variance")?;
        let finite = components.iter().chain(&mean).all(|value| value.is_finite());
        let is_variance = |value: &f64| value.is_finite() && *value >= 0.0;
        if !finite || !variances.iter().chain(&ratio).chain([&noise_variance]).all(is_variance) {
            return Err("it holds values that are not finite numbers, or negative variances".to_owned());
        }
        Ok(Self {
            components,
            variances,
            ratio,
            mean,
            noise_variance,
            whiten: stored.parsed("whiten")?,
            rows: stored.parsed("rows")?,
            iterations: stored.parsed("iterations")?,
            converged: stored.parsed("converged")?,
            interrupted: false,
            seed: stored.parsed("seed")?,
            trace: Vec::new(),
            streamed: None,
            warnings: Vec::new(),
        })
    }
}
