//! What a fit tells while it runs.

use crate::algorithms::kmeans;

/// A step of a fit, for progress bars and logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Which split is at work, from 1.
    pub split: usize,
    /// How many there will be, k − 1, unless some cluster cannot be split.
    pub splits: usize,
    /// The rows of the cluster that is split.
    pub rows: u64,
    /// What its 2-means does.
    pub step: kmeans::Progress,
}
