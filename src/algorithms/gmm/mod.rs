//! Gaussian mixtures by expectation and maximisation, written as a queue of items.
//!
//! `params` is the builder, `fit` its queue, `model` what comes out, `file` the model as a file. A superstep is `expect` (the
//! responsibilities of the components for each row, and the sums that follow from them), an all-reduce, and `maximise` (the
//! next weights, means and covariances). `mixture` is such a set of parameters, `step` what kernels are told of it.

mod expect;
mod file;
mod fit;
mod maximise;
mod mixture;
mod model;
mod params;
mod progress;
mod step;

pub use mixture::{CovarianceType, Matrices};
pub use model::GaussianMixtureModel;
pub use params::{GaussianMixture, MixtureInit};
pub use progress::{Progress, Round};
