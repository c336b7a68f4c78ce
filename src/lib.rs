//! Fast iterative computing on any GPU, from Rust.
//!
//! An algorithm is a *queue of items* that runs once per superstep over partitions pinned in device memory, until a
//! criterion says stop. Items compute on the CPU and may carry the same computation in WGSL; partial results are
//! all-reduced across partitions and devices. K-means is the first algorithm:
//!
//! ```
//! use superstep::{Init, KMeans};
//!
//! let points = ndarray::array![[0.0_f32, 0.0], [0.5, 0.0], [9.5, 9.0], [9.0, 9.5]];
//! let model = KMeans::new(2).init(Init::KMeansPlusPlus).seed(7).fit(&points)?; // best device at hand
//! assert_eq!(model.predict(&points)?, model.labels());
//! # Ok::<(), superstep::Error>(())
//! ```
//!
//! | part | what it is |
//! | --- | --- |
//! | [`KMeans`], [`BisectingKMeans`], [`Pca`], [`PageRank`], [`GaussianMixture`], [`LogisticRegression`], [`LinearRegression`], [`algorithms`] | the algorithms |
//! | [`queue`] | the engine to write others with; its page maps the words of Alink and Flink ML to ours |
//! | [`Session`] | devices, threads, budget |
//! | [`data`] | where rows come from, and what was measured of them |
//! | [`backend`] | kernels of the processor, devices through wgpu |
//! | [`collective`] | merging partial results |
//! | [`metrics`] | how good a clustering is |
//!
//! Without default features the crate is a small CPU core; `gpu` adds devices through wgpu, `cli` the program.

pub mod algorithms;
pub mod backend;
pub mod collective;
pub mod data;
mod error;
pub mod metrics;
pub mod queue;

pub use algorithms::bisecting::{BisectingKMeans, BisectingKMeansModel};
pub use algorithms::gmm::{CovarianceType, GaussianMixture, GaussianMixtureModel, MixtureInit};
pub use algorithms::kmeans::{
    Algorithm, Decay, EmptyClusters, Init, KMeans, KMeansModel, KMeansSweep, Metric, MiniBatchKMeans, OnlineKMeans,
};
pub use algorithms::linear::{
    LearningRate, LinearRegression, LinearRegressionModel, LogisticRegression, LogisticRegressionModel, Solver,
};
pub use algorithms::pagerank::{PageRank, PageRanks};
pub use algorithms::pca::{Pca, PcaModel};
pub use error::{Error, Place, Result};
pub use queue::Session;
