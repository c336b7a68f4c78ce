//! How good a clustering is, with and without true labels, in f64. Knows the data and no algorithm.
//!
//! Rows come as a [`RowSource`](crate::data::RowSource) of `n × d` values, labels as one `u32` a row: any numbers, only
//! which rows share one counts. Everything runs in the current rayon pool and gives the same bits for any number of
//! threads: sums are formed over blocks of rows by number and combined in a tree that depends on the data's shape alone.
//! Definitions and edge cases are scikit-learn's where it has them.
//!
//! | without true labels | best | needs |
//! | --- | --- | --- |
//! | [`inertia`] | low | the centroids |
//! | [`silhouette_score`], [`silhouette_samples`] | 1 | n² distances |
//! | [`silhouette_score_sampled`] | 1 | size² distances |
//! | [`calinski_harabasz_score`] | high | two passes over the rows |
//! | [`davies_bouldin_score`] | 0 | two passes |
//! | [`compactness`] | 0 | two passes |
//! | [`separation`] | high | one pass |
//!
//! Against true labels, a [`Contingency`] table is counted once and gives the (adjusted) Rand index, the normalised
//! mutual information and the purity.

mod blocks;
mod clusters;
mod external;
mod internal;
mod silhouette;

pub use external::Contingency;
pub use internal::{calinski_harabasz_score, compactness, davies_bouldin_score, inertia, separation};
pub use silhouette::{Distance, silhouette_samples, silhouette_score, silhouette_score_sampled};
