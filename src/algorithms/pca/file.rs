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
use crate::algorithms::model_file::{Parsed, Stored, load, save};
use safetensors::tensor::Dtype;
use std::path::Path;

const FORMAT: (&str, &str) = ("superstep-pca", "1");

impl PcaModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let components = self.components.as_standard_layout();
        let components: &[u8] = bytemuck::cast_slice(components.as_slice().unwrap_or(&[]));
        let (m, d) = self.components.dim();
        let tensors = [
            ("components", Dtype::F64, vec![m, d], components),
            ("explained_variance", Dtype::F64, vec![m], bytemuck::cast_slice(&self.variances)),
            ("explained_variance_ratio", Dtype::F64, vec![m], bytemuck::cast_slice(&self.ratio)),
            ("mean", Dtype::F64, vec![d], bytemuck::cast_slice(&self.mean)),
        ];
        let metadata = [
            ("noise_variance", self.noise_variance.to_string()),
            ("whiten", self.whiten.to_string()),
            ("iterations", self.iterations.to_string()),
            ("converged", self.converged.to_string()),
            ("seed", self.seed.to_string()),
            ("rows", self.rows.to_string()),
        ];
        save(path.as_ref(), FORMAT, tensors, metadata)
    }

    /// Reads a model from a file; it has no trace.
    ///
    /// # Errors
    /// When the file cannot be read, is no model, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        load(path.as_ref(), FORMAT, "`PcaModel::save`", Self::of)
    }

    fn of(stored: &Stored) -> Parsed<Self> {
        let components = stored.matrix::<f64>("components", Dtype::F64)?;
        let variances = stored.values::<f64>("explained_variance", Dtype::F64)?;
        let ratio = stored.values::<f64>("explained_variance_ratio", Dtype::F64)?;
        let mean = stored.values::<f64>("mean", Dtype::F64)?;
        let (m, d) = components.dim();
        if m == 0 || m > d || variances.len() != m || ratio.len() != m || mean.len() != d {
            return Err("the shapes of its tensors do not fit each other".to_owned());
        }
        let noise_variance: f64 = stored.number("noise_variance")?;
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
            whiten: stored.number("whiten")?,
            rows: stored.number("rows")?,
            iterations: stored.number("iterations")?,
            converged: stored.number("converged")?,
            interrupted: false,
            seed: stored.number("seed")?,
            trace: Vec::new(),
            streamed: None,
            warnings: Vec::new(),
        })
    }
}
