//! A fitted model: the tree of splits, its leaves, and what can be asked of them.

use super::params::Strategy;
use super::tree::{Branch, Split};
use crate::algorithms::kmeans::{KMeansModel, Kept, Metric, Timings, prepare_points};
use crate::data::{RowSet, RowSource, Subset};
use crate::queue::Streamed;
use crate::{Error, Result};
use ndarray::Array2;

/// The result of [`BisectingKMeans::fit`](super::BisectingKMeans::fit).
///
/// The clusters are the leaves of the tree of splits, numbered from left to right. A row's label is where it comes to when
/// it goes down the tree, at each split to the side of the nearer centroid: not always the cluster whose centroid is nearest
/// of all. The inertia is that of these labels.
#[derive(Debug, Clone)]
pub struct BisectingKMeansModel {
    pub(super) strategy: Strategy,
    /// The clusters as a model of their own.
    pub(super) leaves: KMeansModel,
    pub(super) splits: Vec<Split>,
    pub(super) labels: Vec<u32>,
    pub(super) iterations: u32,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) timings: Timings,
    pub(super) streamed: Option<Streamed>,
    pub(super) warnings: Vec<String>,
}

impl BisectingKMeansModel {
    /// The centroids of the clusters, k × d, in the data's own space and units.
    pub fn centroids(&self) -> &Array2<f64> {
        self.leaves.centroids()
    }

    /// The cluster of each row of the data it was fitted to, 0 ≤ label < k; where several ranks fitted together, of each row
    /// of this rank's share. Empty for a model that was loaded.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The sum of the rows' distances to their clusters' centroids, times their weights; of squared distances for Euclidean
    /// and haversine (see [`Metric`]).
    pub fn inertia(&self) -> f64 {
        self.leaves.inertia()
    }

    /// Each cluster's share of the inertia.
    pub fn cluster_inertias(&self) -> &[f64] {
        self.leaves.cluster_inertias()
    }

    /// How many rows each cluster has.
    pub fn cluster_sizes(&self) -> &[u64] {
        self.leaves.cluster_sizes()
    }

    /// The number of clusters: that asked for, or fewer where rows are alike or the fit was interrupted.
    pub fn k(&self) -> usize {
        self.leaves.k()
    }

    /// The number of columns a row must have.
    pub fn columns(&self) -> usize {
        self.leaves.columns()
    }

    /// The number of rows it was fitted to.
    pub fn rows(&self) -> u64 {
        self.leaves.rows()
    }

    /// The distance it was fitted with.
    pub fn metric(&self) -> Metric {
        self.leaves.metric()
    }

    /// How clusters were chosen to be split.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The seed it was fitted with.
    pub fn seed(&self) -> u64 {
        self.leaves.seed()
    }

    /// The splits in the order in which they were made, k − 1 of them; the first one parts all rows.
    pub fn splits(&self) -> &[Split] {
        &self.splits
    }

    /// How many times centroids were updated, in all splits together.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Whether every split ended because labels or centroids no longer changed, rather than at the maximum of rounds.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether it was interrupted after some round.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// How long the phases of all splits took together.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// What of the rows was streamed, in all rounds of all splits; `None` where the memory held all of them.
    pub fn streamed(&self) -> Option<Streamed> {
        self.streamed
    }

    /// What a user should know of the fit: fewer distinct rows than clusters.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The cluster of each row of an n × d table: where it comes to down the tree. Reads each row once for every split on
    /// its way.
    ///
    /// # Errors
    /// When the table's width is not the model's, or a value is not a finite number.
    pub fn predict(&self, rows: &(impl RowSource + ?Sized)) -> Result<Vec<u32>> {
        let Some(root) = self.splits.first() else { return self.leaves.predict(rows) };
        let sides = root.model.predict(rows)?;
        let mut labels = vec![0; sides.len()];
        // The splits that rows have come to, and which rows.
        let mut open = Vec::new();
        let all = 0..rows.rows();
        self.go_down(root, all.zip(&sides), rows.rows(), &mut labels, &mut open)?;
        while let Some((split, set)) = open.pop() {
            let split = self.split(split)?;
            let sides = split.model.predict(&Subset::new(rows, &set)?)?;
            self.go_down(split, set.rows_from(0).zip(&sides), set.of_rows(), &mut labels, &mut open)?;
        }
        Ok(labels)
    }

    /// Labels the rows that a split sends to a cluster, and gathers those that it sends to another split.
    fn go_down<'s>(
        &self,
        split: &Split,
        rows: impl Iterator<Item = (u64, &'s u32)>,
        of_rows: u64,
        labels: &mut [u32],
        open: &mut Vec<(usize, RowSet)>,
    ) -> Result<()> {
        let mut sets = split.branches.map(|branch| match branch {
            Branch::Cluster(cluster) => Err(cluster),
            Branch::Split(_) => Ok(vec![0_u64; of_rows.div_ceil(64) as usize]),
        });
        for (row, side) in rows {
            match &mut sets[usize::from(*side == 1)] {
                Ok(words) => words[(row / 64) as usize] |= 1 << (row % 64),
                Err(cluster) => labels[row as usize] = *cluster,
            }
        }
        for (branch, words) in split.branches.into_iter().zip(sets) {
            if let (Branch::Split(next), Ok(words)) = (branch, words) {
                let set = RowSet::from_words(of_rows, words)?;
                if !set.is_empty() {
                    open.push((next, set));
                }
            }
        }
        Ok(())
    }

    /// The cluster of one row of d values, without a session or a device.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_row(&self, row: &[f64]) -> Result<u32> {
        let Some(mut split) = self.splits.first() else { return self.leaves.predict_row(row) };
        loop {
            match split.branches[usize::from(split.model.predict_row(row)? == 1)] {
                Branch::Cluster(cluster) => return Ok(cluster),
                Branch::Split(next) => split = self.split(next)?,
            }
        }
    }

    /// The distance of each row to each cluster's centroid, n × k, in the metric's own units (Euclidean: not squared).
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn transform(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array2<f64>> {
        self.leaves.transform(rows)
    }

    /// The distance of each row to the centroid of a given label.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); also when there are not as many labels as rows or a label is not below k.
    pub fn distances(&self, rows: &(impl RowSource + ?Sized), labels: &[u32]) -> Result<Vec<f64>> {
        self.leaves.distances(rows, labels)
    }

    /// The negative sum of the rows' distances (Euclidean: squared) to the nearest of all centroids, as scikit-learn's `score`:
    /// it does not go down the tree.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn score(&self, rows: &(impl RowSource + ?Sized)) -> Result<f64> {
        self.leaves.score(rows)
    }

    fn split(&self, number: usize) -> Result<&Split> {
        let missing = || Error::parameter("model", format!("split {number} is not there: the tree is not whole"));
        self.splits.get(number).ok_or_else(missing)
    }
}

/// The leaves of a tree as a model of their own, for rows that are read with an origin taken off.
pub(super) fn leaves(
    (metric, seed, rows): (Metric, u64, u64),
    centroids: Array2<f64>,
    origin: &[f64],
    sizes: Vec<u64>,
    inertias: Vec<f64>,
) -> Result<KMeansModel> {
    let kept = Kept {
        metric,
        prepared: prepare_points(metric, origin, &centroids)?,
        centroids,
        origin: origin.to_vec(),
        sizes,
        inertia: inertias.iter().sum(),
        inertias,
        iterations: 0,
        converged: true,
        seed,
        rows,
    };
    kept.model().map_err(|message| Error::parameter("model", message))
}
