//! Principal components, by block subspace iteration written as a queue of items.
//!
//! `params` is the builder, `fit` its queue, `model` what comes out, `file` the model as a file. Rows are centred by
//! `algorithms/centred.rs`. A superstep is [`MultiplyBack`](super::products::MultiplyBack) (the product of the covariance and a
//! block of directions), an all-reduce, and `ritz` (what the covariance is within that block, and the next block).

mod file;
mod fit;
mod model;
mod params;
mod ritz;

pub use model::PcaModel;
pub use params::Pca;
pub use ritz::Round;
