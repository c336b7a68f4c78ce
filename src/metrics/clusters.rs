//! Labels of any numbers, made into clusters numbered from 0.

use rayon::prelude::*;

use crate::data::RowSource;
use crate::{Error, Result};

/// The cluster of each row, in the order of the labels' values. No cluster is empty.
pub(super) struct Clusters {
    /// The number of each row's cluster, below `sizes.len()`.
    pub(super) of_row: Vec<u32>,
    /// How many rows each cluster has; at least one.
    pub(super) sizes: Vec<u64>,
}

impl Clusters {
    /// Numbers the distinct labels by their values.
    pub(super) fn new(labels: &[u32]) -> Self {
        let mut distinct = labels.to_vec();
        distinct.par_sort_unstable();
        distinct.dedup();
        let number = |label: &u32| distinct.partition_point(|other| other < label) as u32;
        let of_row: Vec<u32> = labels.par_iter().map(number).collect();
        let mut sizes = vec![0; distinct.len()];
        for cluster in &of_row {
            sizes[*cluster as usize] += 1;
        }
        Self { of_row, sizes }
    }

    /// How many clusters there are.
    pub(super) fn count(&self) -> usize {
        self.sizes.len()
    }

    /// Refuses one cluster, and as many clusters as rows: the scores that compare clusters say nothing then.
    pub(super) fn check_count(&self) -> Result<()> {
        let count = self.count();
        if 2 <= count && count < self.of_row.len() {
            return Ok(());
        }
        let message = format!("Number of labels is {count}. Valid values are 2 to n_samples - 1 (inclusive)");
        Err(Error::parameter("labels", message))
    }
}

/// Checks that there is something to measure, and one label a row.
pub(super) fn check_shapes(rows: &dyn RowSource, labels: &[u32]) -> Result<()> {
    let (n, d) = (rows.rows(), rows.columns());
    if n == 0 || d == 0 {
        return Err(Error::parameter("rows", format!("there are {n} rows of {d} columns; nothing to measure")));
    }
    if n != labels.len() as u64 {
        let message = format!("there are {} labels for {n} rows; give one for each row", labels.len());
        return Err(Error::parameter("labels", message));
    }
    Ok(())
}
