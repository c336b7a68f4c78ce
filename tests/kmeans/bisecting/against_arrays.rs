//! Against the loop of the paper, written with copies of the rows: bit for bit, since each split is the same k-means.

use crate::support::{METRICS, blobs, cpu, noise, on_quick_devices, rows_for};
use ndarray::{Array2, Axis};
use std::sync::atomic::{AtomicU64, Ordering};
use superstep::algorithms::bisecting::Strategy;
use superstep::data::RowSource;
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{BisectingKMeans, BisectingKMeansModel, Init, KMeans, Metric, Place, Result, Session};

/// A cluster as the plain loop knows it.
#[derive(Clone)]
struct Cluster {
    rows: Vec<usize>,
    centroid: Vec<f64>,
    score: f64,
}

struct Plain<'a> {
    points: &'a Array2<f32>,
    weights: Option<&'a [f32]>,
    k: usize,
    strategy: Strategy,
    metric: Metric,
    init: Init,
    starts: usize,
    seed: u64,
}

impl Plain<'_> {
    /// The clusters from left to right, each a 2-means of an array of its own.
    fn run(&self, session: &Session) -> Result<Vec<Cluster>> {
        let all = Cluster { rows: (0..self.points.nrows()).collect(), centroid: Vec::new(), score: 0.0 };
        let mut clusters = vec![all];
        for split in 0..self.k as u64 - 1 {
            let highest = clusters.iter().map(|cluster| cluster.score).fold(f64::NEG_INFINITY, f64::max);
            let at = clusters.iter().position(|cluster| cluster.score == highest).expect("there is one");
            let cluster = clusters.remove(at);
            let rows = self.points.select(Axis(0), &cluster.rows);
            let kmeans = KMeans::new(2)
                .init(self.init.clone())
                .n_init(self.starts)
                .metric(self.metric)
                .cluster_inertias(true)
                .seed(self.seed + split * self.starts as u64)
                .session(session);
            let dataset = kmeans.dataset(&rows)?;
            let model = match self.weights {
                Some(weights) => {
                    let own: Vec<f32> = cluster.rows.iter().map(|row| weights[*row]).collect();
                    kmeans.fit_dataset(&dataset.with_weights(own)?)?
                }
                None => kmeans.fit_dataset(&dataset)?,
            };
            for side in [1, 0] {
                let rows: Vec<usize> = cluster
                    .rows
                    .iter()
                    .zip(model.labels())
                    .filter(|(_, label)| **label == side as u32)
                    .map(|(row, _)| *row)
                    .collect();
                let score = match self.strategy {
                    Strategy::BiggestInertia => model.cluster_inertias()[side],
                    Strategy::LargestCluster => rows.len() as f64,
                };
                clusters.insert(at, Cluster { rows, centroid: model.centroids().row(side).to_vec(), score });
            }
        }
        Ok(clusters)
    }

    fn fit(&self, session: &Session, rows: &(impl RowSource + ?Sized)) -> Result<BisectingKMeansModel> {
        let bisecting = BisectingKMeans::new(self.k)
            .strategy(self.strategy)
            .metric(self.metric)
            .init(self.init.clone())
            .n_init(self.starts)
            .seed(self.seed)
            .session(session);
        let dataset = bisecting.dataset(rows)?;
        match self.weights {
            Some(weights) => bisecting.fit_dataset(&dataset.with_weights(weights.to_vec())?),
            None => bisecting.fit_dataset(&dataset),
        }
    }

    fn compare(&self, session: &Session, rows: &(impl RowSource + ?Sized), case: &str) -> Result<()> {
        let (model, clusters) = (self.fit(session, rows)?, self.run(session)?);
        let mut labels = vec![0; self.points.nrows()];
        for (name, cluster) in clusters.iter().enumerate() {
            cluster.rows.iter().for_each(|row| labels[*row] = name as u32);
            assert_eq!(model.centroids().row(name).to_vec(), cluster.centroid, "{case}, cluster {name}");
        }
        assert_eq!(model.labels(), labels, "{case}");
        Ok(())
    }
}

fn weights(n: usize) -> Vec<f32> {
    (0..n).map(|row| (row % 5) as f32 * 0.375).collect()
}

#[test]
fn a_fit_is_the_plain_loop_of_2_means() {
    on_quick_devices(|session, device| {
        for (at, metric) in METRICS.into_iter().enumerate() {
            // More than two blocks of 4096 rows, so that a cluster's rows lie in several.
            let points = rows_for(metric, 9000, 3, 21 + at as u64);
            let weights = weights(9000);
            for strategy in [Strategy::BiggestInertia, Strategy::LargestCluster] {
                for weights in [None, Some(&weights[..])] {
                    let init = if at % 2 == 0 { Init::Random } else { Init::KMeansPlusPlus };
                    let (k, starts) = (6, 1 + at % 2);
                    let plain = Plain { points: &points, weights, k, strategy, metric, init, starts, seed: 5 };
                    let case = format!("{device}, {metric}, {strategy}, weights: {}", weights.is_some());
                    plain.compare(session, &points, &case)?;
                }
            }
        }
        Ok(())
    });
}

/// A table that must be read, as a file must, and counts how many values were.
struct Stored {
    table: Array2<f32>,
    read: AtomicU64,
}

impl RowSource for Stored {
    fn rows(&self) -> u64 {
        self.table.nrows() as u64
    }

    fn columns(&self) -> usize {
        self.table.ncols()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.read.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.table.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.read.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.table.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.table.place(row, column)
    }
}

fn host(memory: u64) -> Session {
    let builder = Session::builder().device(DeviceChoice::These(vec![OneDevice::Cpu])).threads(2);
    builder.memory(memory).build().expect("the CPU opens")
}

#[test]
fn rows_that_no_memory_holds_are_split_alike() -> Result<()> {
    let table = blobs(60_000, 5, 9, 3);
    let rows = Stored { table: table.clone(), read: AtomicU64::new(0) };
    let (strategy, metric) = (Strategy::BiggestInertia, Metric::Euclidean);
    let plain = Plain { points: &table, weights: None, k: 6, strategy, metric, init: Init::Random, starts: 1, seed: 2 };
    // The rows take 1.2 MB, labels and nodes of all rows three quarters of a megabyte.
    let session = host(1_500_000);
    plain.compare(&session, &rows, "in 1.5 MB")?;
    let streamed = plain.fit(&session, &rows)?;
    let meter = streamed.streamed().expect("not all rows fit");
    assert!(meter.of_rows == 60_000 && meter.rows > 0 && meter.bytes > 0, "{meter:?}");
    assert_eq!(session.memory().available(), 1_500_000, "all that was taken is given back");
    Ok(())
}

/// What makes splits cheap: they read the rows of their cluster, not those of all.
#[test]
fn a_split_reads_the_rows_of_its_cluster_alone() -> Result<()> {
    // Rows lie cluster by cluster; eight clusters of a cube, so that the tree is balanced.
    let (n, seed) = (64_000_usize, 11);
    let mut table = noise(n, 4, seed);
    for (row, mut values) in table.outer_iter_mut().enumerate() {
        let heap = row / (n / 8);
        [(0, 1), (1, 2), (2, 4)].into_iter().for_each(|(at, bit)| {
            values[at] += if heap & bit > 0 { 100.0 * (1 + bit) as f32 } else { 0.0 };
        });
    }
    let passes = |k: usize| -> Result<f64> {
        let rows = Stored { table: table.clone(), read: AtomicU64::new(0) };
        let model = BisectingKMeans::new(k).n_init(4).seed(1).session(cpu()).fit(&rows)?;
        assert_eq!(model.k(), k);
        Ok(rows.read.load(Ordering::Relaxed) as f64 / rows.table.len() as f64)
    };
    let (one, two, eight) = (passes(2)?, passes(4)?, passes(8)?);
    assert!(one >= 2.0, "measured, and brought into memory: {one} passes");
    // Two more splits read all rows once more together, and four more again; each is measured and brought into memory.
    assert!(two < 2.2 * one && eight < 3.3 * one, "{one}, {two} and {eight} passes");
    assert!(eight > 2.5 * one, "the counter counts: {one}, {two} and {eight} passes");
    Ok(())
}
