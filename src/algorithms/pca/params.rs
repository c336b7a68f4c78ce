//! The settings of principal components, checked once.

use super::ritz::Round;
use crate::data::Dataset;
use crate::queue::Session;
use crate::{Error, Result};
use std::sync::Arc;

/// Principal component analysis, ready to fit.
///
/// Finds the m directions, at right angles to each other, in which n rows of d columns vary most: the leading eigenvectors of
/// their covariance matrix, which is never formed. By block subspace iteration (Rutishauser, "Simultaneous iteration method
/// for symmetric matrices", Numer. Math. 16, 1970) from a random start (Halko, Martinsson and Tropp, "Finding structure with
/// randomness", SIAM Review 53, 2011): a block of m + `oversample` directions is multiplied by the covariance matrix, in one
/// pass over the rows, and brought back to right angles, until the residual of each wanted eigenpair is small.
///
/// Rows are centred on their means in f64 before they are rounded to f32, so data far from zero lose nothing. What a round sums
/// are exact integers (see [`products`](crate::algorithms::products)): the same input, seed and device give the same bits for any
/// number of threads, partitions, devices of a kind and ranks.
///
/// Definitions are scikit-learn's: variances are divided by n − 1, and of each component the value of largest magnitude is
/// positive.
///
/// ```
/// use ndarray::array;
/// use superstep::Pca;
///
/// let points = array![[2.0_f32, 1.0], [4.0, 2.0], [6.0, 3.0], [8.0, 4.0]];
/// let model = Pca::new(1).fit(&points)?;
/// assert!((model.explained_variance_ratio()[0] - 1.0).abs() < 1e-6);
/// assert!((model.components()[(0, 0)] - 2.0 / 5.0_f64.sqrt()).abs() < 1e-6);
/// let line = model.transform(&points)?; // 4 × 1
/// assert!((model.inverse_transform(&line)?[(3, 1)] - 4.0).abs() < 1e-6);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Clone)]
pub struct Pca {
    pub(super) components: usize,
    pub(super) whiten: bool,
    pub(super) tol: f64,
    pub(super) max_iter: u32,
    pub(super) seed: u64,
    pub(super) oversample: usize,
    pub(super) session: Option<Session>,
    pub(super) progress: Option<Arc<dyn Fn(Round) + Send + Sync>>,
}

impl Pca {
    /// So many components.
    pub fn new(components: usize) -> Self {
        Self {
            components,
            whiten: false,
            tol: 1e-5,
            max_iter: 100,
            seed: 0,
            oversample: 10,
            session: None,
            progress: None,
        }
    }

    /// Whether [`transform`](super::PcaModel::transform) divides each component by its standard deviation, so that all have the
    /// variance 1; off by default.
    #[must_use]
    pub fn whiten(mut self, on: bool) -> Self {
        self.whiten = on;
        self
    }

    /// Stops once `|C·v − λ·v| ≤ tol·λ₁` for each wanted eigenpair (λ, v) of the covariance matrix C; 1e-5 by default. Each λ is
    /// then within tol·λ₁ of an eigenvalue, and of a well separated one much nearer: the error is the residual's square over
    /// the gap. Rounding to f32 sets a floor near 1e-7. With 0, `max_iter` rounds are run.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// The most rounds, each a pass over the rows; 100 by default.
    #[must_use]
    pub fn max_iter(mut self, rounds: u32) -> Self {
        self.max_iter = rounds;
        self
    }

    /// The seed of the random start; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Directions that are followed beside the wanted ones; 10 by default. A round brings the last wanted component nearer by
    /// the ratio of its variance to that of the first direction that is not followed, so more of them take fewer rounds,
    /// and longer ones.
    #[must_use]
    pub fn oversample(mut self, directions: usize) -> Self {
        self.oversample = directions;
        self
    }

    /// The devices to compute on; [`Session::auto`] by default.
    #[must_use]
    pub fn session(mut self, session: &Session) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Is told of every round while the fit runs; where there are several ranks, on the first.
    #[must_use]
    pub fn progress(mut self, tell: impl Fn(Round) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// Checks the settings against the data.
    pub(super) fn check(&self, dataset: &Dataset) -> Result<()> {
        let (rows, columns) = (dataset.rows(), dataset.columns());
        if rows < 2 {
            return Err(Error::parameter("components", "one row does not vary: give 2 rows or more"));
        }
        let most = rows.min(columns as u64);
        if self.components == 0 || self.components as u64 > most {
            let message = format!(
                "n_components={} must be between 1 and min(n_samples, n_features)={most}: take fewer components",
                self.components
            );
            return Err(Error::parameter("components", message));
        }
        if !self.tol.is_finite() || self.tol < 0.0 {
            return Err(Error::parameter("tol", format!("{} is no tolerance: take 0 or more", self.tol)));
        }
        if self.max_iter == 0 {
            return Err(Error::parameter("max_iter", "0 rounds: take 1 or more"));
        }
        if dataset.weights().is_some() {
            return Err(Error::parameter("weights", "principal components know no weights: give rows without any"));
        }
        Ok(())
    }

    /// The directions that are followed together.
    pub(super) fn width(&self, dataset: &Dataset) -> usize {
        let most = dataset.rows().min(dataset.columns() as u64) as usize;
        self.components.saturating_add(self.oversample).min(most)
    }

    /// What all ranks must have the same of.
    pub(super) fn fingerprint(&self, dataset: &Dataset) -> String {
        format!(
            "superstep {}, pca {}, oversample {}, max_iter {}, tol {:e}, seed {}, {} × {} values",
            env!("CARGO_PKG_VERSION"),
            self.components,
            self.oversample,
            self.max_iter,
            self.tol,
            self.seed,
            dataset.rows(),
            dataset.columns(),
        )
    }
}

impl std::fmt::Debug for Pca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pca")
            .field("components", &self.components)
            .field("whiten", &self.whiten)
            .field("tol", &self.tol)
            .field("max_iter", &self.max_iter)
            .field("seed", &self.seed)
            .field("oversample", &self.oversample)
            .finish_non_exhaustive()
    }
}
