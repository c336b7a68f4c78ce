//! The settings of k-means, checked once.

use super::init::Init;
use super::metric::Metric;
use super::progress::Progress;
use crate::data::Dataset;
use crate::queue::{Every, Session};
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// What becomes of a cluster that no row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyClusters {
    /// It moves to the row that is farthest from its centroid: scikit-learn's way.
    #[default]
    Relocate,
    /// It goes: k shrinks, and sizes, centroids and labels stay in step. Alink's way.
    Drop,
    /// It keeps its centroid: Spark's way.
    Keep,
}

/// How the nearest centroids are found; every choice gives the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// What is expected to be fastest: [`Bounded`](Self::Bounded) where rows are long enough or, on processors, clusters
    /// many enough for it to pay, else [`Lloyd`](Self::Lloyd).
    #[default]
    Auto,
    /// Every distance in every round (Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28, 1982).
    Lloyd,
    /// Bounds from round to round rule out most distances. On processors for groups of centroids (Ding et al., "Yinyang
    /// k-means", ICML 2015), in at most a quarter of the rows' memory and 24 bytes a row. Where there is a GPU likewise, if distances
    /// are squared and rows have more than 32 columns, else Lloyd's.
    Bounded,
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Lloyd => "lloyd",
            Self::Bounded => "bounded",
        })
    }
}

/// K-means clustering, ready to fit.
///
/// Partitions n rows of d columns into k clusters so that the sum of the distances of the rows to their clusters'
/// centroids is small, by Lloyd's iteration: assign each row to the nearest centroid, move each centroid to the middle
/// of its rows, until nothing moves. Definitions and defaults are scikit-learn's: greedy k-means++ start, at most 300
/// rounds, `tol` relative to the mean variance of the columns, empty clusters relocated to the farthest rows.
///
/// [`Algorithm::Bounded`] leaves out the distances that bounds rule out, with the same bits as
/// [`Algorithm::Lloyd`]; [`Algorithm::Auto`] takes it where it pays.
///
/// The same input, seed and device give the same bits on every run; on the CPU for any number of threads. Sums are
/// exact integers (see [`FixedPoint`](crate::backend::cpu::FixedPoint)), so the number of partitions or devices does not
/// change them.
///
/// ```
/// use ndarray::array;
/// use superstep::{Init, KMeans};
///
/// let points = array![[0.0_f32, 0.0], [0.5, 0.0], [0.5, 1.0], [1.0, 1.0]];
/// let model = KMeans::new(2).init(Init::Centroids(array![[0.0, 0.0], [1.0, 1.0]])).fit(&points)?;
/// assert_eq!(model.labels(), [0, 0, 1, 1]);
/// assert_eq!(model.predict(&array![[0.1_f32, 0.2]])?, [0]);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Clone)]
pub struct KMeans {
    pub(super) k: usize,
    pub(super) init: Init,
    pub(super) n_init: Option<usize>,
    pub(super) init_sample: Option<u64>,
    pub(super) max_iter: u32,
    pub(super) tol: f64,
    pub(super) seed: u64,
    pub(super) metric: Metric,
    pub(super) algorithm: Algorithm,
    pub(super) empty_clusters: EmptyClusters,
    pub(super) session: Option<Session>,
    pub(super) profile: bool,
    pub(super) checkpoint: Option<(PathBuf, Every)>,
    pub(super) resume: bool,
    pub(super) cluster_inertias: bool,
    pub(super) progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl KMeans {
    /// K-means with k clusters and scikit-learn's defaults.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            init: Init::default(),
            n_init: None,
            init_sample: None,
            max_iter: 300,
            tol: 1e-4,
            seed: 0,
            metric: Metric::default(),
            algorithm: Algorithm::default(),
            empty_clusters: EmptyClusters::default(),
            session: None,
            profile: false,
            checkpoint: None,
            resume: false,
            cluster_inertias: false,
            progress: None,
        }
    }

    /// Where the first centroids come from; [`Init::KMeansPlusPlus`] by default.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// How many starts are tried, of which the one with the smallest inertia is returned. By default 1, and 10 for
    /// [`Init::Random`], as in scikit-learn. Given centroids are tried once.
    #[must_use]
    pub fn n_init(mut self, starts: usize) -> Self {
        self.n_init = Some(starts);
        self
    }

    /// Lets k-means++ choose among this many rows, drawn at random in proportion to their weights, instead of all: it then
    /// reads them once rather than k times. By default it chooses among all.
    #[must_use]
    pub fn init_sample(mut self, rows: u64) -> Self {
        self.init_sample = Some(rows);
        self
    }

    /// The most updates of the centroids; 300 by default.
    #[must_use]
    pub fn max_iter(mut self, rounds: u32) -> Self {
        self.max_iter = rounds;
        self
    }

    /// Measures what each kernel and each item of the host takes in each round, for [`Round::items`](super::Round::items).
    /// The rounds take longer meanwhile: kernels run one by one, and the host waits for each round's clocks.
    #[must_use]
    pub fn profile(mut self, on: bool) -> Self {
        self.profile = on;
        self
    }

    /// Writes down in a folder where the fit stands, so that one that was cut off can be [resumed](Self::resume): centroids,
    /// labels, sums and the trace of each start. A folder that holds a fit that was cut off is not written over.
    #[must_use]
    pub fn checkpoint(mut self, folder: impl Into<PathBuf>, every: Every) -> Self {
        self.checkpoint = Some((folder.into(), every));
        self
    }

    /// Goes on with what the folder of [`checkpoint`](Self::checkpoint) holds; where that is nothing, from the beginning. On the
    /// same device the result has the bits of a fit that was not cut off, on others and for other numbers of ranks those that these give
    /// from there on. The data and the settings must be the same, but for the maximum of rounds, the algorithm and the number of
    /// starts.
    #[must_use]
    pub fn resume(mut self, on: bool) -> Self {
        self.resume = on;
        self
    }

    /// Measures each cluster's share of the inertia, for
    /// [`KMeansModel::cluster_inertias`](super::KMeansModel::cluster_inertias): k numbers more that ranks exchange at the end.
    #[must_use]
    pub fn cluster_inertias(mut self, on: bool) -> Self {
        self.cluster_inertias = on;
        self
    }

    /// Stops once the squared shifts of the centroids sum to at most `tol` × the mean variance of the columns; 1e-4 by
    /// default. With 0, only unchanged labels stop it.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// The seed of all draws; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The distance; squared Euclidean by default.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// How the nearest centroids are found.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// What becomes of empty clusters; relocated by default.
    #[must_use]
    pub fn empty_clusters(mut self, policy: EmptyClusters) -> Self {
        self.empty_clusters = policy;
        self
    }

    /// The devices to compute on; [`Session::auto`] by default.
    #[must_use]
    pub fn session(mut self, session: &Session) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Is told of every phase and round while the fit runs.
    #[must_use]
    pub fn progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// Checks the settings against the data's shape.
    pub(crate) fn check(&self, rows: u64, columns: usize) -> Result<()> {
        let k = self.k;
        if k == 0 {
            return Err(Error::parameter("k", "0 clusters: take 1 or more"));
        }
        if k as u64 > rows {
            let message = format!("n_samples={rows} should be >= n_clusters={k}: take fewer clusters or more rows");
            return Err(Error::parameter("k", message));
        }
        if k > i32::MAX as usize {
            return Err(Error::parameter("k", format!("{k} clusters are more than labels can count")));
        }
        if !self.tol.is_finite() || self.tol < 0.0 {
            return Err(Error::parameter("tol", format!("{} is no tolerance: take 0 or more", self.tol)));
        }
        if self.max_iter == 0 || self.max_iter == u32::MAX {
            return Err(Error::parameter("max_iter", format!("{} rounds: take 1 or more", self.max_iter)));
        }
        if let Some(sample) = self.init_sample.filter(|&sample| sample < k as u64) {
            let message = format!("a sample of {sample} rows is fewer than n_clusters={k}: take {k} rows or more");
            return Err(Error::parameter("init_sample", message));
        }
        if self.n_init == Some(0) {
            return Err(Error::parameter("n_init", "0 starts: take 1 or more"));
        }
        self.metric.check_columns(columns)?;
        self.init.check(k, columns)
    }

    /// What all ranks must have the same of: every setting that the result depends on, and the shape of the data.
    pub(crate) fn fingerprint(&self, dataset: &Dataset) -> String {
        let more = [
            ("superstep", env!("CARGO_PKG_VERSION").to_owned()),
            ("n_init", self.starts().to_string()),
            ("max_iter", self.max_iter.to_string()),
            ("algorithm", self.algorithm.to_string()),
            ("data", format!("{} × {} values", dataset.rows(), dataset.columns())),
        ];
        let all = self.settings(dataset).into_iter().chain(more);
        all.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    }

    /// The settings that every round of a fit depends on.
    pub(super) fn settings(&self, dataset: &Dataset) -> Vec<(&'static str, String)> {
        let init = match &self.init {
            // FNV-1a over the bits: two starts that differ anywhere differ here.
            Init::Centroids(centroids) => {
                let hash = centroids.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, value| {
                    (hash ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3)
                });
                format!("{} {hash:x}", self.init)
            }
            _ => self.init.to_string(),
        };
        let sample = self.init_sample.map_or("all rows".into(), |rows| format!("{rows} rows"));
        vec![
            ("k", self.k.to_string()),
            ("init", init),
            ("init_sample", sample),
            ("tol", format!("{:e}", self.tol)),
            ("seed", self.seed.to_string()),
            ("metric", self.metric.to_string()),
            ("empty_clusters", format!("{:?}", self.empty_clusters).to_lowercase()),
            ("weights", if dataset.weights().is_some() { "given" } else { "none" }.to_owned()),
        ]
    }

    pub(super) fn starts(&self) -> usize {
        match (&self.init, self.n_init) {
            (Init::Centroids(_), _) => 1,
            (_, Some(starts)) => starts,
            (Init::Random, None) => 10,
            (_, None) => 1,
        }
    }
}

impl std::fmt::Debug for KMeans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KMeans")
            .field("k", &self.k)
            .field("init", &self.init)
            .field("max_iter", &self.max_iter)
            .field("tol", &self.tol)
            .field("seed", &self.seed)
            .field("metric", &self.metric)
            .finish_non_exhaustive()
    }
}
