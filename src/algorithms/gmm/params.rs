//! The settings of a Gaussian mixture, checked once.

use super::mixture::{CovarianceType, Matrices, Mixture};
use super::progress::Progress;
use crate::data::Dataset;
use crate::queue::Session;
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::Arc;

/// What the first round begins with.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum MixtureInit {
    /// The weights, means and covariances of the clusters that k-means finds (from k-means++).
    #[default]
    KMeans,
    /// Parameters that are known, in the data's own units.
    Given {
        /// k weights, above 0 and adding up to 1.
        weights: Vec<f64>,
        /// k × d.
        means: Array2<f64>,
        /// Of the shape that the mixture is to have.
        covariances: Matrices,
    },
}

/// A mixture of k Gaussian distributions, ready to fit by expectation and maximisation.
///
/// Finds weights w, means μ and covariances Σ under which n rows of d columns are most likely, as far as a local search does:
/// each round gives every component its share of every row, `r_c ∝ w_c·N(x | μ_c, Σ_c)`, and then takes for its weight, mean and
/// covariance those of the rows by their shares (Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM
/// algorithm", J. Royal Statistical Society B 39, 1977). No round makes the rows less likely.
///
/// Rows are centred in f64 before they are rounded to f32, and moments are summed about the mean that a round begins with, in the
/// component's own deviations: neither data far from zero nor narrow components far apart cancel. Sums are exact integers (see
/// [`products`](crate::algorithms::products)): the same input, seed and device give the same bits for any number of threads,
/// partitions, devices of a kind and ranks.
///
/// Definitions are scikit-learn's: a start is the parameters of the clusters of one k-means, `reg_covar` is added to each
/// variance in each round, and rounds end when the mean log-likelihood of a row gains less than `tol`.
///
/// ```
/// use ndarray::array;
/// use superstep::{CovarianceType, GaussianMixture};
///
/// let points = array![[0.0_f32], [1.0], [2.0], [100.0], [101.0], [102.0]];
/// let model = GaussianMixture::new(2).covariance_type(CovarianceType::Diagonal).fit(&points)?;
/// let labels = model.predict(&points)?;
/// assert!(labels[..3] == [labels[0]; 3] && labels[3..] == [1 - labels[0]; 3]);
/// let left = labels[0] as usize;
/// assert!((model.means()[(left, 0)] - 1.0).abs() < 1e-6 && (model.weights()[left] - 0.5).abs() < 1e-6);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Clone)]
pub struct GaussianMixture {
    pub(super) components: usize,
    pub(super) covariance: CovarianceType,
    pub(super) reg_covar: f64,
    pub(super) tol: f64,
    pub(super) max_iter: u32,
    pub(super) n_init: usize,
    pub(super) init: MixtureInit,
    pub(super) seed: u64,
    pub(super) profile: bool,
    pub(super) session: Option<Session>,
    pub(super) progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl GaussianMixture {
    /// So many components.
    pub fn new(components: usize) -> Self {
        Self {
            components,
            covariance: CovarianceType::Full,
            reg_covar: 1e-6,
            tol: 1e-3,
            max_iter: 100,
            n_init: 1,
            init: MixtureInit::KMeans,
            seed: 0,
            profile: false,
            session: None,
            progress: None,
        }
    }

    /// The shape of the covariances; [`CovarianceType::Full`] by default.
    #[must_use]
    pub fn covariance_type(mut self, covariance: CovarianceType) -> Self {
        self.covariance = covariance;
        self
    }

    /// What is added to each variance, in the data's own units squared, so that components do not collapse; 1e-6 by default.
    #[must_use]
    pub fn reg_covar(mut self, variance: f64) -> Self {
        self.reg_covar = variance;
        self
    }

    /// Stops once the mean log-likelihood of a row changes by less; 1e-3 by default. With 0, `max_iter` rounds are run. Rounding
    /// to f32 on a device sets a floor near 1e-6.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// The most rounds of a start, each a pass over the rows; 100 by default.
    #[must_use]
    pub fn max_iter(mut self, rounds: u32) -> Self {
        self.max_iter = rounds;
        self
    }

    /// Starts to try, of which the one of largest log-likelihood is kept; 1 by default. With [`MixtureInit::Given`] all would be the same,
    /// and only one is made.
    #[must_use]
    pub fn n_init(mut self, starts: usize) -> Self {
        self.n_init = starts;
        self
    }

    /// What the first round begins with; [`MixtureInit::KMeans`] by default.
    #[must_use]
    pub fn init(mut self, init: MixtureInit) -> Self {
        self.init = init;
        self
    }

    /// The seed of k-means, of which each start has the next; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether [`items`](super::GaussianMixtureModel::items) are to say how long the kernels took; off by default.
    /// Rounds take longer then.
    #[must_use]
    pub fn profile(mut self, on: bool) -> Self {
        self.profile = on;
        self
    }

    /// The devices to compute on; [`Session::auto`] by default.
    #[must_use]
    pub fn session(mut self, session: &Session) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Is told of every step while the fit runs; of rounds, where there are several ranks, on the first.
    #[must_use]
    pub fn progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    pub(super) fn starts(&self) -> usize {
        if self.init == MixtureInit::KMeans { self.n_init } else { 1 }
    }

    /// Checks the settings against the data; returns the parameters that were given.
    pub(super) fn check(&self, dataset: &Dataset) -> Result<Option<Mixture>> {
        let rows = dataset.rows();
        if self.components == 0 {
            return Err(Error::parameter("components", "n_components=0: take 1 or more"));
        }
        if rows < 2 {
            return Err(Error::parameter("components", "one row does not vary: give 2 rows or more"));
        }
        if rows < self.components as u64 {
            let message = format!("n_samples={rows} should be >= n_components={}: take fewer", self.components);
            return Err(Error::parameter("components", message));
        }
        if self.components > u32::MAX as usize {
            return Err(Error::parameter("components", "more than 2^32 - 1 components: take fewer"));
        }
        for (name, value) in [("tol", self.tol), ("reg_covar", self.reg_covar)] {
            if !value.is_finite() || value < 0.0 {
                return Err(Error::parameter(name, format!("{value}: take a number of 0 or more")));
            }
        }
        if self.max_iter == 0 || self.max_iter == u32::MAX {
            return Err(Error::parameter("max_iter", format!("{} rounds: take 1 to 2^32 - 2", self.max_iter)));
        }
        if self.n_init == 0 {
            return Err(Error::parameter("n_init", "0 starts: take 1 or more"));
        }
        if dataset.weights().is_some() {
            return Err(Error::parameter("weights", "mixtures know no weights of rows: give rows without any"));
        }
        match &self.init {
            MixtureInit::KMeans => Ok(None),
            MixtureInit::Given { weights, means, covariances } => {
                self.given(dataset.columns(), (weights, means, covariances)).map(Some)
            }
        }
    }

    fn given(&self, d: usize, (weights, means, covariances): (&[f64], &Array2<f64>, &Matrices)) -> Result<Mixture> {
        let k = self.components;
        let refused = |message: String| Err(Error::parameter("init", message));
        if covariances.covariance_type() != self.covariance {
            let (given, wanted) = (covariances.covariance_type(), self.covariance);
            return refused(format!("the covariances are {given}, and the mixture is to be {wanted}"));
        }
        if weights.len() != k || means.dim() != (k, d) || covariances.shape() != Some((k, d)) {
            return refused(format!("give {k} weights, {k} × {d} means, and a covariance of {d} columns for each"));
        }
        let total: f64 = weights.iter().sum();
        if weights.iter().any(|weight| !(*weight > 0.0 && weight.is_finite())) || (total - 1.0).abs() > 1e-6 {
            return refused(format!("the weights add up to {total}: give ones above 0 that add up to 1"));
        }
        if !covariances.is_finite() || !means.iter().all(|value| value.is_finite()) {
            return refused("some means or covariances are not finite numbers".to_owned());
        }
        if let Matrices::Full(matrices) = covariances
            && matrices.outer_iter().any(|one| {
                let largest = one.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
                one.iter().zip(one.t()).any(|(a, b)| (a - b).abs() > 1e-9 * largest)
            })
        {
            return refused("some covariances are not symmetric".to_owned());
        }
        Mixture::new(weights.to_vec(), means.clone(), covariances.clone())
            .or_else(|_| refused("some covariances are not positive definite".to_owned()))
    }

    /// What all ranks must have the same of.
    pub(super) fn fingerprint(&self, dataset: &Dataset) -> String {
        format!(
            "superstep {}, {} mixture of {}, reg_covar {:e}, tol {:e}, max_iter {}, n_init {}, seed {}, init {:?}, {} × {} values",
            env!("CARGO_PKG_VERSION"),
            self.covariance,
            self.components,
            self.reg_covar,
            self.tol,
            self.max_iter,
            self.n_init,
            self.seed,
            self.init,
            dataset.rows(),
            dataset.columns(),
        )
    }
}

impl std::fmt::Debug for GaussianMixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GaussianMixture")
            .field("components", &self.components)
            .field("covariance", &self.covariance)
            .field("reg_covar", &self.reg_covar)
            .field("tol", &self.tol)
            .field("max_iter", &self.max_iter)
            .field("n_init", &self.n_init)
            .field("init", &self.init)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
