//! A fitted model: centroids, labels, and what can be asked of them.

use super::metric::Metric;
use super::params::Algorithm;
use super::progress::{Round, Timings};
use crate::backend::cpu::{self, Isa, Nearest, Scratch};
use crate::data::RowSource;
use crate::queue::Streamed;
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use std::ops::Range;
use std::time::Duration;

/// Rows that one task of a parallel pass takes at a time.
const BLOCK: usize = 1024;

/// The result of [`KMeans::fit`](super::KMeans::fit).
///
/// Labels, inertia, sizes and centroids belong to each other: each row's label is the centroid nearest to it (the lowest
/// index on ties), and the inertia is that of these labels.
#[derive(Debug, Clone)]
pub struct KMeansModel {
    pub(super) metric: Metric,
    pub(super) algorithm: Algorithm,
    /// k × d, in the data's own space.
    pub(super) centroids: Array2<f64>,
    /// The same in the space in which distances are computed.
    pub(super) prepared: Array2<f32>,
    pub(super) origin: Vec<f64>,
    pub(super) sizes: Vec<u64>,
    /// Empty where they were not asked for.
    pub(super) inertias: Vec<f64>,
    pub(super) inertia: f64,
    pub(super) iterations: u32,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) seed: u64,
    pub(super) rows: u64,
    pub(super) labels: Vec<u32>,
    pub(super) trace: Vec<Round>,
    pub(super) timings: Timings,
    pub(super) streamed: Option<Streamed>,
    pub(super) moves: u32,
    pub(super) warnings: Vec<String>,
}

/// What a file keeps of a model; other algorithms make models of it as well.
pub(crate) struct Kept {
    pub(crate) metric: Metric,
    pub(crate) centroids: Array2<f64>,
    pub(crate) prepared: Array2<f32>,
    pub(crate) origin: Vec<f64>,
    pub(crate) sizes: Vec<u64>,
    pub(crate) inertias: Vec<f64>,
    pub(crate) inertia: f64,
    pub(crate) iterations: u32,
    pub(crate) converged: bool,
    pub(crate) seed: u64,
    pub(crate) rows: u64,
}

impl Kept {
    /// The model, without labels and without a trace; a sentence's middle where its parts do not fit each other.
    pub(crate) fn model(self) -> std::result::Result<KMeansModel, String> {
        let Self { metric, centroids, prepared, origin, sizes, inertias, .. } = self;
        let (k, d) = centroids.dim();
        let width = if d == 0 { 0 } else { metric.prepared_columns(d) };
        if k == 0 || d == 0 || prepared.dim() != (k, width) || sizes.len() != k || ![0, d].contains(&origin.len()) {
            return Err("the shapes of its tensors do not fit each other".to_owned());
        }
        metric.check_columns(d).map_err(|error| error.to_string())?;
        let finite = centroids.iter().chain(&origin).all(|value| value.is_finite());
        if !finite || !prepared.iter().all(|value| value.is_finite()) {
            return Err("it holds values that are not finite numbers".to_owned());
        }
        Ok(KMeansModel {
            metric,
            algorithm: Algorithm::Auto,
            centroids,
            prepared,
            origin,
            sizes,
            inertias,
            inertia: self.inertia,
            iterations: self.iterations,
            converged: self.converged,
            interrupted: false,
            seed: self.seed,
            rows: self.rows,
            labels: Vec::new(),
            trace: Vec::new(),
            timings: Timings::default(),
            streamed: None,
            moves: 0,
            warnings: Vec::new(),
        })
    }
}

impl KMeansModel {
    /// The centroids, k × d, in the data's own space and units.
    pub fn centroids(&self) -> &Array2<f64> {
        &self.centroids
    }

    /// The cluster of each row of the data it was fitted to, 0 ≤ label < k; where several ranks fitted together, of each row
    /// of this rank's share. Empty for a model that was loaded.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The sum of the rows' distances to their centroids, times their weights; of squared distances for Euclidean and
    /// haversine (see [`Metric`]).
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// The algorithm that ran: [`Algorithm::Lloyd`] or [`Algorithm::Bounded`]; [`Algorithm::Auto`] for a model that was
    /// loaded, as files do not keep it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How many times the centroids were updated (scikit-learn's `n_iter_`).
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Whether it ended because labels or centroids no longer changed, rather than at the maximum of rounds.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether it was interrupted after some round.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// How many rows each cluster has.
    pub fn cluster_sizes(&self) -> &[u64] {
        &self.sizes
    }

    /// Each cluster's share of the inertia, where [`KMeans::cluster_inertias`](super::KMeans::cluster_inertias) asked for it;
    /// else empty, as for a model that was loaded.
    pub fn cluster_inertias(&self) -> &[f64] {
        &self.inertias
    }

    /// The number of clusters: that asked for, less those that were dropped.
    pub fn k(&self) -> usize {
        self.centroids.nrows()
    }

    /// The number of columns a row must have.
    pub fn columns(&self) -> usize {
        self.centroids.ncols()
    }

    /// The number of rows it was fitted to.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The distance it was fitted with.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The seed it was fitted with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What each round did; empty for a model that was loaded.
    pub fn trace(&self) -> &[Round] {
        &self.trace
    }

    /// How long the phases of the fit took.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// What of the rows was streamed in every round; `None` where the memory held all of them.
    pub fn streamed(&self) -> Option<Streamed> {
        self.streamed
    }

    /// How often rows have moved to other devices in the start that was the best, since one proved slower than it was taken for.
    pub fn moves(&self) -> u32 {
        self.moves
    }

    /// What a user should know of the fit: fewer distinct rows than clusters, clusters that were dropped.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The nearest centroid of each row of an n × d table.
    ///
    /// # Errors
    /// When the table's width is not the model's, or a value is not a finite number.
    pub fn predict(&self, rows: &(impl RowSource + ?Sized)) -> Result<Vec<u32>> {
        let mut labels = vec![0; self.check(rows)? as usize];
        let nearest = Nearest::new(self.prepared.view(), self.metric.kernel_distance(), Isa::detect())?;
        let blocks = labels.par_chunks_mut(BLOCK).enumerate();
        blocks.try_for_each_init(Scratch::default, |scratch, (block, labels)| {
            let first = block * BLOCK;
            let prepared = self.prepare_block(rows, first as u64..(first + labels.len()) as u64)?;
            nearest.assign(&prepared, scratch, labels)
        })?;
        Ok(labels)
    }

    /// The nearest centroid of one row of d values, without a session or a device.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_row(&self, row: &[f64]) -> Result<u32> {
        let row =
            ArrayView2::from_shape((1, row.len()), row).map_err(|error| Error::parameter("row", error.to_string()))?;
        self.check(&row)?;
        let prepared = self.prepare_block(&row, 0..1)?;
        cpu::nearest_row(self.prepared.view(), &prepared, self.metric.kernel_distance())
    }

    /// The distance of each row to each centroid, n × k, in the metric's own units (Euclidean: not squared).
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn transform(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array2<f64>> {
        let n = self.check(rows)? as usize;
        let mut distances = Array2::zeros((n, self.k()));
        let Some(values) = distances.as_slice_mut() else { return Ok(distances) };
        values.par_chunks_mut(BLOCK * self.k()).enumerate().try_for_each(|(block, out)| {
            let first = (block * BLOCK) as u64;
            let prepared = self.prepare_block(rows, first..first + (out.len() / self.k()) as u64)?;
            for (row, out) in prepared.chunks_exact(self.prepared.ncols()).zip(out.chunks_exact_mut(self.k())) {
                for (out, centroid) in out.iter_mut().zip(self.centroid_slices()) {
                    *out = self.metric.distance(row, centroid);
                }
            }
            Ok::<(), Error>(())
        })?;
        Ok(distances)
    }

    /// The distance of each row to the centroid of a given label.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); also when there are not as many labels as rows or a label is not below k.
    pub fn distances(&self, rows: &(impl RowSource + ?Sized), labels: &[u32]) -> Result<Vec<f64>> {
        let n = self.check(rows)?;
        if labels.len() as u64 != n || labels.iter().any(|&label| label as usize >= self.k()) {
            let message = format!("{} labels for {n} rows and {} clusters", labels.len(), self.k());
            return Err(Error::parameter("labels", message));
        }
        let mut distances = vec![0.0; labels.len()];
        let blocks = distances.par_chunks_mut(BLOCK).zip(labels.par_chunks(BLOCK)).enumerate();
        blocks.try_for_each(|(block, (out, labels))| {
            let first = (block * BLOCK) as u64;
            let prepared = self.prepare_block(rows, first..first + labels.len() as u64)?;
            for ((out, row), label) in out.iter_mut().zip(prepared.chunks_exact(self.prepared.ncols())).zip(labels) {
                *out = self.metric.distance(row, self.centroid(*label));
            }
            Ok::<(), Error>(())
        })?;
        Ok(distances)
    }

    /// The negative inertia of a table under this model, as scikit-learn's `score`.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn score(&self, rows: &(impl RowSource + ?Sized)) -> Result<f64> {
        let labels = self.predict(rows)?;
        let losses = labels.par_chunks(BLOCK).enumerate().map(|(block, labels)| {
            let first = (block * BLOCK) as u64;
            let prepared = self.prepare_block(rows, first..first + labels.len() as u64)?;
            let losses = prepared.chunks_exact(self.prepared.ncols()).zip(labels);
            Ok(losses.map(|(row, label)| self.metric.loss(row, self.centroid(*label))).sum::<f64>())
        });
        // Collected first: the sum must not depend on how the blocks were shared out.
        Ok(-losses.collect::<Result<Vec<f64>>>()?.into_iter().sum::<f64>())
    }

    /// The centroids in the space in which distances are computed, k × d', and what is taken off rows to get there.
    pub(crate) fn prepared(&self) -> (&Array2<f32>, &[f64]) {
        (&self.prepared, &self.origin)
    }

    /// Takes the labels out of the model: they are as many as the rows.
    pub(crate) fn take_labels(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.labels)
    }

    /// Counts what went before the fit to its pinning.
    pub(crate) fn add_pin(&mut self, time: Duration) {
        self.timings.pin += time;
    }

    fn centroid(&self, label: u32) -> &[f32] {
        let d = self.prepared.ncols();
        let at = label as usize * d;
        self.prepared.as_slice().and_then(|values| values.get(at..at + d)).unwrap_or(&[])
    }

    fn centroid_slices(&self) -> impl Iterator<Item = &[f32]> {
        (0..self.k() as u32).map(|label| self.centroid(label))
    }

    fn check(&self, rows: &(impl RowSource + ?Sized)) -> Result<u64> {
        if rows.columns() != self.columns() {
            let (found, expected) = (rows.columns(), self.columns());
            let message = format!("it has {found} columns, but the model is expecting {expected}");
            return Err(Error::data(rows.place(0, 0), message));
        }
        Ok(rows.rows())
    }

    fn prepare_block(&self, rows: &(impl RowSource + ?Sized), range: Range<u64>) -> Result<Vec<f32>> {
        super::prepare::prepare_block(self.metric, &self.origin, rows, range)
    }
}
