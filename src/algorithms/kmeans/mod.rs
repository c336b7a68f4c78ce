//! K-means, written as a queue of items.
//!
//! `params` is the builder, `fit` its queue, `model` what comes out. The items of a superstep, in their order: `begin` (only
//! in the first), `relocate` (empty clusters), `update` or `median` (the centroids), `search` (on processors: what bounds
//! rule out), `reassign` (labels, and what the rows that moved change in the sums; its WGSL is put together in `shaders`), an
//! all-reduce, `reassign::Tally` (the sums) and `update::Summarise`. `watch` decides when it is done, `held` whether a round may begin before that, `resume` keeps where it stands. `prepare` brings rows
//! into the space of the kernels, `init` chooses the first centroids.

mod batches;
mod begin;
mod file;
mod fit;
mod held;
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
mod resume;
mod search;
mod shaders;
pub mod steps;
mod sweep;
mod update;
mod watch;
mod workers;

pub use batches::{Decay, MiniBatchKMeans, OnlineKMeans, OnlineVersion, PartialFit};
pub use init::Init;
pub use metric::{EARTH_RADIUS_KM, Metric};
pub use model::KMeansModel;
pub(super) use model::Kept;
pub use params::{Algorithm, EmptyClusters, KMeans};
pub(super) use prepare::prepare_points;
pub use progress::{Progress, Round, Timings};
pub use sweep::{KMeansSweep, Sweep, SweepProgress};
