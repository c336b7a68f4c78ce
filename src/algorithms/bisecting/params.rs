//! The settings of bisecting k-means, checked once.

use super::progress::Progress;
use crate::algorithms::kmeans::{Init, KMeans, Metric};
use crate::queue::Session;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Which cluster is split next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The one with the largest share of the inertia: what is split is what is spread.
    #[default]
    BiggestInertia,
    /// The one with the most rows: clusters come out more alike in size.
    LargestCluster,
}

impl Strategy {
    /// scikit-learn's word for it, which is also that of files and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BiggestInertia => "biggest_inertia",
            Self::LargestCluster => "largest_cluster",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::BiggestInertia, Self::LargestCluster].into_iter().find(|strategy| strategy.as_str() == text).ok_or_else(
            || {
                let message = format!("`{text}` is no strategy: biggest_inertia and largest_cluster are");
                Error::parameter("strategy", message)
            },
        )
    }
}

/// Bisecting k-means clustering, ready to fit.
///
/// All rows are one cluster at first. Then one cluster after the other is split in two by a 2-means of its rows, chosen by
/// [`Strategy`], until there are k (Steinbach, Karypis and Kumar, "A comparison of document clustering techniques", KDD
/// Workshop on Text Mining 2000). What remains is a binary tree: its leaves are the clusters, numbered from left to right, so
/// that clusters that were parted late have numbers close together. A split reads the rows of its cluster alone, so that
/// all splits of a balanced tree read each row about log₂ k times.
///
/// Definitions and defaults are scikit-learn's `BisectingKMeans`: starts at random, one for each split, at most 300 rounds;
/// prediction walks down the tree. Three things are different:
///
/// - `tol` is relative to the mean variance of the columns *of the rows that are split*, as
///   [`KMeans::tol`](crate::KMeans::tol) is to that of its rows; scikit-learn says so of its own, and takes it as it is.
/// - A cluster whose rows are all alike is never split. Where there are fewer distinct rows than k, fewer clusters come out
///   and a warning says so; scikit-learn gives empty ones.
/// - Of one cluster (k = 1) the centroid is the weighted mean; scikit-learn leaves the weights out.
///
/// The same input, seed and device give the same bits on every run; on the CPU for any number of threads or ranks.
///
/// ```
/// use ndarray::array;
/// use superstep::BisectingKMeans;
///
/// let points = array![[1.0_f32, 1.0], [10.0, 1.0], [3.0, 1.0], [10.0, 0.0], [2.0, 1.0], [10.0, 2.0]];
/// let model = BisectingKMeans::new(3).seed(1).fit(&points)?;
/// assert_eq!((model.k(), model.splits().len()), (3, 2));
/// assert_eq!(model.predict(&points)?, model.labels());
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Clone)]
pub struct BisectingKMeans {
    pub(super) k: usize,
    pub(super) strategy: Strategy,
    pub(super) seed: u64,
    pub(super) init: Init,
    pub(super) n_init: usize,
    pub(super) max_iter: u32,
    pub(super) tol: f64,
    pub(super) metric: Metric,
    pub(super) profile: bool,
    pub(super) session: Option<Session>,
    pub(super) progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl BisectingKMeans {
    /// Bisecting k-means with k clusters and scikit-learn's defaults.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            strategy: Strategy::default(),
            seed: 0,
            init: Init::Random,
            n_init: 1,
            max_iter: 300,
            tol: 1e-4,
            metric: Metric::default(),
            profile: false,
            session: None,
            progress: None,
        }
    }

    /// Which cluster is split next; the one with the largest share of the inertia by default.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// How the two first centroids of a split are chosen: [`Init::Random`] by default. Given centroids are refused.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// How many starts each split tries, of which the one with the smallest inertia is kept; 1 by default.
    #[must_use]
    pub fn n_init(mut self, starts: usize) -> Self {
        self.n_init = starts;
        self
    }

    /// The most updates of the two centroids of a split; 300 by default.
    #[must_use]
    pub fn max_iter(mut self, rounds: u32) -> Self {
        self.max_iter = rounds;
        self
    }

    /// Ends a split once the squared shifts of its two centroids sum to at most `tol` × the mean variance of the columns of
    /// its rows; 1e-4 by default. With 0, only unchanged labels end it.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// The distance; squared Euclidean by default, and scikit-learn's only one. The paper's own is cosine.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// The seed of all draws; 0 by default. Start s of split i, both from 0, draws as [`KMeans`] does with the seed
    /// `seed + i · n_init + s`.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The devices to compute on; [`Session::auto`] by default.
    #[must_use]
    pub fn session(mut self, session: &Session) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Measures what each kernel and each item of the host takes in each round, for the traces of
    /// [`Split`](super::Split): see [`KMeans::profile`].
    #[must_use]
    pub fn profile(mut self, on: bool) -> Self {
        self.profile = on;
        self
    }

    /// Is told of every step of every split while the fit runs.
    #[must_use]
    pub fn progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// The k-means of so many clusters that these settings ask for.
    pub(super) fn kmeans(&self, k: usize, session: &Session) -> KMeans {
        KMeans::new(k)
            .init(self.init.clone())
            .n_init(self.n_init)
            .max_iter(self.max_iter)
            .tol(self.tol)
            .metric(self.metric)
            .seed(self.seed)
            .profile(self.profile)
            .cluster_inertias(true)
            .session(session)
    }

    /// Checks the settings against the data's shape.
    pub(super) fn check(&self, session: &Session, rows: u64, columns: usize) -> Result<()> {
        if matches!(self.init, Init::Centroids(_)) {
            let message =
                "given centroids start one split, and each needs its own: take random, k-means++ or k-means||";
            return Err(Error::parameter("init", message));
        }
        self.kmeans(self.k, session).check(rows, columns)
    }
}

impl fmt::Debug for BisectingKMeans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BisectingKMeans")
            .field("k", &self.k)
            .field("strategy", &self.strategy)
            .field("init", &self.init)
            .field("n_init", &self.n_init)
            .field("metric", &self.metric)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
