//! K-means, written as a queue of items.
//!
//! `params` is the builder, `fit` its queue, `model` what comes out. The items of a superstep, in their order:
//! `relocate` (empty clusters), `update` or `median` (the centroids), `assign_and_sum` (labels, sums, inertia; on
//! processors alone `search` and `reassign`, which pass over what bounds rule out
//! and sum only the rows that moved), an all-reduce, and `update::Summarise`. `watch` decides when it is done. `prepare` brings rows into the space of the
//! kernels, `init` chooses the first centroids.

mod assign_and_sum;
mod file;
mod fit;
mod init;
mod keys;
mod median;
mod metric;
mod model;
mod params;
mod plan;
mod prepare;
mod progress;
mod reassign;
mod relocate;
mod search;
pub mod steps;
mod update;
mod watch;
mod workers;

pub use init::Init;
pub use metric::{EARTH_RADIUS_KM, Metric};
pub use model::KMeansModel;
pub use params::{Algorithm, EmptyClusters, KMeans};
pub use progress::{Progress, Round, Timings};
