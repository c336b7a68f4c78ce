//! Where the first centroids come from.
//!
//! Every draw depends on the seed and the row, never on partitions or threads, and potentials are summed as integers: so
//! the same seed chooses the same rows however the data are cut.

mod parallel;
mod plus_plus;
pub(super) mod random;
mod sample;

use super::params::KMeans;
use super::prepare::Prepared;
use crate::algorithms::working::again_after_loss;
use crate::backend::cpu::{Distance, FixedPoint};
use crate::data::{Philox, RowSource};
use crate::queue::{IterativeComQueue, Key, Objects, Rows, Session};
use crate::{Error, Result};
use ndarray::Array2;
use std::fmt;
use std::str::FromStr;

/// How the first centroids are chosen.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Init {
    /// Greedy k-means++: each centroid is drawn with probability proportional to the squared distance to the nearest one
    /// so far, the best of 2 + ⌊ln k⌋ draws is taken (Arthur and Vassilvitskii, "k-means++: the advantages of careful
    /// seeding", SODA 2007; the greedy form is scikit-learn's).
    #[default]
    KMeansPlusPlus,
    /// k-means||: a few passes that each draw about 2k rows, which are then clustered (Bahmani et al., "Scalable
    /// k-means++", VLDB 2012).
    KMeansParallel,
    /// Distinct rows at random, with probability proportional to their weights.
    Random,
    /// These, k × d, in the data's own space.
    Centroids(Array2<f64>),
}

impl Init {
    pub(super) fn check(&self, k: usize, columns: usize) -> Result<()> {
        let Self::Centroids(centroids) = self else { return Ok(()) };
        if centroids.dim() != (k, columns) {
            let (rows, width) = centroids.dim();
            let message = format!("the given centroids are {rows} × {width}, k × d is {k} × {columns}");
            return Err(Error::parameter("init", message));
        }
        match centroids.indexed_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(()),
            Some(((row, column), value)) => {
                let message = format!("{value} in row {row}, column {column} is not a finite number");
                Err(Error::parameter("init", message))
            }
        }
    }

    /// Whether choosing reads all rows, more than once.
    pub(super) fn passes_over_rows(&self) -> bool {
        matches!(self, Self::KMeansPlusPlus | Self::KMeansParallel)
    }

    /// The first centroids, k × d' in the space of the kernels.
    pub(super) fn choose(
        &self,
        kmeans: &KMeans,
        session: &Session,
        prepared: &Prepared,
        seed: u64,
    ) -> Result<Array2<f32>> {
        again_after_loss(session, || match self {
            Self::Centroids(centroids) => prepared.prepare_points(centroids),
            Self::Random => random::choose(session, prepared, kmeans.k, seed),
            Self::KMeansPlusPlus => match kmeans.init_sample.filter(|&rows| rows < prepared.rows()) {
                Some(rows) => sample::choose(kmeans, session, prepared, rows, seed),
                None => plus_plus::choose(kmeans, session, prepared, seed),
            },
            Self::KMeansParallel => parallel::choose(kmeans, session, prepared, seed),
        })
    }
}

impl FromStr for Init {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "k-means++" => Ok(Self::KMeansPlusPlus),
            "k-means||" => Ok(Self::KMeansParallel),
            "random" => Ok(Self::Random),
            _ => {
                let message =
                    format!("`{text}` is no start: k-means++, k-means|| and random are, or a file of centroids");
                Err(Error::parameter("init", message))
            }
        }
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KMeansPlusPlus => "k-means++",
            Self::KMeansParallel => "k-means||",
            Self::Random => "random",
            Self::Centroids(_) => "given centroids",
        })
    }
}

/// What the items of a start share: where draws come from, and what a row's distance counts.
struct Draws {
    philox: Philox,
    distance: Distance,
    weighted: bool,
    fixed: FixedPoint,
}

impl Draws {
    fn new(kmeans: &KMeans, prepared: &Prepared, seed: u64) -> Result<Self> {
        Ok(Self {
            philox: Philox::new(seed),
            distance: kmeans.metric.kernel_distance(),
            weighted: prepared.dataset().weights().is_some(),
            fixed: prepared.fixed_point(&[])?,
        })
    }

    fn with_weights(&self, objects: Objects) -> Objects {
        if self.weighted { objects.and(Objects::reads(WEIGHTS)) } else { objects }
    }

    /// A row's share of the potential: its distance times its weight, as an integer.
    fn potential(&self, distance: f32, weight: Option<f32>) -> i64 {
        self.fixed.distance_units(weight.map_or(distance, |weight| weight * distance))
    }
}

const POINTS: Key<Rows> = super::keys::POINTS;
const WEIGHTS: Key<Rows> = super::keys::WEIGHTS;

/// Streams of the generator: draws of different purposes never meet.
#[derive(Clone, Copy)]
enum Stream {
    Rows = 1,
    Candidates = 2,
    Oversample = 3,
}

/// A queue over the prepared rows and their weights, if they have any.
fn queue<'q>(session: &Session, prepared: &'q Prepared<'q>) -> IterativeComQueue<'q> {
    let queue = IterativeComQueue::new(session).init_with_partitioned_data(POINTS, prepared);
    match prepared.dataset().weights() {
        Some(weights) => queue.init_with_partitioned_data(WEIGHTS, weights),
        None => queue,
    }
}

fn matrix(rows: Vec<f32>, columns: usize) -> Result<Array2<f32>> {
    let count = rows.len() / columns.max(1);
    Array2::from_shape_vec((count, columns), rows).map_err(|error| Error::parameter("init", error.to_string()))
}
