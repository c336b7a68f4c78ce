//! Saving and loading a model, as a safetensors file.
//!
//! | tensor | type | shape | what |
//! | --- | --- | --- | --- |
//! | `weights` | F64 | k | the weights of the components |
//! | `means` | F64 | k × d | their means |
//! | `covariances` | F64 | k × d × d, or k × d | their covariances, or variances |
//!
//! The metadata are text: `format` (`superstep-gaussian-mixture`), `version` (`1`), `covariance` (`full` or `diag`), `lower_bound`,
//! `iterations`, `converged`, `seed`, `rows`. Python reads it with `safetensors.numpy.load_file`.

use super::mixture::{CovarianceType, Matrices, Mixture};
use super::model::GaussianMixtureModel;
use crate::Result;
use crate::algorithms::kmeans::Timings;
use crate::algorithms::model_file::{Found, ModelKind, ModelReader, ModelWriter, load};
use std::path::Path;

const VERSION: u32 = 1;

impl GaussianMixtureModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (k, d) = self.mixture.means.dim();
        let covariances: Vec<f64> = match &self.mixture.covariances {
            Matrices::Full(matrices) => matrices.iter().copied().collect(),
            Matrices::Diagonal(diagonals) => diagonals.iter().copied().collect(),
        };
        let shape: &[usize] = if self.covariance_type() == CovarianceType::Full { &[k, d, d] } else { &[k, d] };
        ModelWriter::new(ModelKind::GaussianMixture, VERSION)
            .tensor("weights", &[k], &self.mixture.weights)
            .matrix("means", &self.mixture.means)
            .tensor("covariances", shape, &covariances)
            .text("covariance", self.covariance_type())
            .text("lower_bound", self.lower_bound)
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
        load(path.as_ref(), (ModelKind::GaussianMixture, VERSION), "`GaussianMixtureModel::save`", Self::of)
    }

    fn of(stored: &ModelReader) -> Found<Self> {
        let weights = stored.values::<f64>("weights")?;
        let means = stored.matrix::<f64>("means")?;
        let (k, d) = means.dim();
        let covariances = match stored.parsed("covariance")? {
            CovarianceType::Full => Matrices::Full(stored.matrices("covariances")?),
            CovarianceType::Diagonal => Matrices::Diagonal(stored.matrix("covariances")?),
        };
        if k == 0 || d == 0 || weights.len() != k || covariances.shape() != Some((k, d)) {
            return Err("the shapes of its tensors do not fit each other".to_owned());
        }
        if weights.iter().any(|weight| !(0.0..=1.0).contains(weight)) {
            return Err("its weights are none".to_owned());
        }
        let mixture = Mixture::new(weights, means, covariances)
            .map_err(|_| "it holds values that are not finite numbers, or no covariances".to_owned())?;
        Ok(Self {
            mixture,
            rows: stored.parsed("rows")?,
            iterations: stored.parsed("iterations")?,
            converged: stored.parsed("converged")?,
            interrupted: false,
            lower_bound: stored.parsed("lower_bound")?,
            seed: stored.parsed("seed")?,
            trace: Vec::new(),
            passes: 0,
            items: Vec::new(),
            timings: Timings::default(),
            streamed: None,
            warnings: Vec::new(),
        })
    }
}
