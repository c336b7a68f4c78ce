//! K-means, held to scikit-learn's definitions, to a naive oracle in f64, and to its own promises.
//!
//! What a fit comes to is asked of the CPU and of each adapter that wgpu lists.

#[path = "../support/adapters.rs"]
mod adapters;
mod agreement;
mod balance;
mod batches;
mod bisecting;
mod bounded;
mod checkpoints;
mod counts;
mod definitions;
mod empty_clusters;
mod errors;
mod files;
mod model;
mod oracle;
mod profile;
mod ranks;
mod reproducible;
mod shapes;
mod starts;
mod steps;
mod stopping;
mod streaming;
mod support;
mod sweep;
#[path = "../support/threads.rs"]
mod threads;
mod weights;
