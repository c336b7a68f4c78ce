//! A GPU-accelerated compute backend for iterative algorithms.

pub mod algorithms;
pub mod backend;
pub mod collective;
pub mod data;
mod error;
pub mod metrics;
pub mod queue;

pub use algorithms::kmeans::{Algorithm, EmptyClusters, Init, KMeans, KMeansModel, Metric};
pub use error::{Error, Place, Result};
pub use queue::Session;
