//! Bisecting k-means: clusters are split in two, one after the other, until there are k.
//!
//! `params` is the builder, `fit` the loop of splits, each a 2-means of one cluster's rows on the queue of
//! [`kmeans`](super::kmeans). `tree` knows which cluster is split next and how leaves are numbered, `rows` which rows are in
//! which, `model` is what comes out, and `file` writes it.

mod file;
mod fit;
mod model;
mod params;
mod progress;
mod rows;
mod tree;

pub use model::BisectingKMeansModel;
pub use params::{BisectingKMeans, Strategy};
pub use progress::Progress;
pub use tree::{Branch, Split};
