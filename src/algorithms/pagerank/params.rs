//! The settings of PageRank, checked once.

use super::damp::Round;
use super::graph::Graph;
use crate::data::checked_weight;
use crate::queue::Session;
use crate::{Error, Place, Result};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// PageRank, ready to run on a graph.
///
/// A surfer takes one of the edges of the node where it is, in proportion to their weights, with the probability `damping`; else,
/// and where there is no edge, it starts again at a node drawn from a distribution of choice. The rank of a node is the part
/// of its time that the surfer is there: the ranks are not negative and add up to 1. (L. Page, S. Brin, R. Motwani and
/// T. Winograd, "The PageRank citation ranking: bringing order to the Web", Stanford InfoLab 1999-66.) They are found by power
/// iteration: each round is one product of the edges, as a sparse matrix, with the ranks.
///
/// Definitions are those of NetworkX's `pagerank`: it stops once the ranks have changed by less than `tol` a node in all, and
/// dangling nodes, which have no edges, lead to the nodes where the surfer starts again unless it is said where.
///
/// What a round sums are exact integers (see [`sparse`](crate::algorithms::sparse)): the same graph gives the same bits for any
/// number of threads, partitions, devices and ranks of a job.
///
/// ```
/// use superstep::PageRank;
/// use superstep::algorithms::pagerank::Graph;
///
/// let graph = Graph::new(4, [(0, 2), (1, 2), (2, 0), (3, 2)])?;
/// let ranks = PageRank::new().fit(&graph)?;
/// assert_eq!(ranks.top(2).iter().map(|(node, _)| *node).collect::<Vec<_>>(), [2, 0]);
/// assert!((ranks.ranks().iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Clone)]
pub struct PageRank {
    pub(super) damping: f64,
    pub(super) tol: f64,
    pub(super) max_iter: u32,
    pub(super) personalization: Option<Vec<f64>>,
    pub(super) dangling: Option<Vec<f64>>,
    pub(super) start: Option<Vec<f64>>,
    pub(super) profile: bool,
    pub(super) session: Option<Session>,
    pub(super) progress: Option<Arc<dyn Fn(Round) + Send + Sync>>,
}

impl Default for PageRank {
    fn default() -> Self {
        Self::new()
    }
}

impl PageRank {
    /// With a damping of 0.85, a tolerance of 1e-6 and at most 100 rounds.
    pub fn new() -> Self {
        Self {
            damping: 0.85,
            tol: 1e-6,
            max_iter: 100,
            personalization: None,
            dangling: None,
            start: None,
            profile: false,
            session: None,
            progress: None,
        }
    }

    /// The probability that the surfer follows an edge, from 0 to 1; 0.85 by default. NetworkX calls it `alpha`.
    #[must_use]
    pub fn damping(mut self, probability: f64) -> Self {
        self.damping = probability;
        self
    }

    /// Stops once the ranks change by less than n·`tol` in a round, summed over the n nodes; 1e-6 by default. The ranks are
    /// then within n·`tol`·d / (1 − d) of the limit, for a damping of d. With 0, `max_iter` rounds are run.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// The most rounds, each a pass over the edges; 100 by default.
    #[must_use]
    pub fn max_iter(mut self, rounds: u32) -> Self {
        self.max_iter = rounds;
        self
    }

    /// Where the surfer starts again: a weight for each node, which need not add up to 1. All nodes alike by default.
    #[must_use]
    pub fn personalization(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.personalization = Some(weights.into());
        self
    }

    /// Where the surfer goes from a dangling node: a weight for each node. That of [`personalization`](Self::personalization) by
    /// default.
    #[must_use]
    pub fn dangling(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.dangling = Some(weights.into());
        self
    }

    /// The ranks to begin with: a weight for each node. All nodes alike by default. NetworkX calls it `nstart`.
    #[must_use]
    pub fn start(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.start = Some(weights.into());
        self
    }

    /// Whether [`items`](super::PageRanks::items) are to say how long the kernels took; off by default. Rounds take longer then.
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

    /// Is told of every round while the ranks are computed; where there are several ranks of a job, on the first.
    #[must_use]
    pub fn progress(mut self, tell: impl Fn(Round) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// Checks the settings against the graph.
    pub(super) fn check(&self, graph: &Graph) -> Result<()> {
        if !(0.0..=1.0).contains(&self.damping) {
            return Err(Error::parameter("damping", format!("{} is no probability: take 0 to 1", self.damping)));
        }
        if !self.tol.is_finite() || self.tol < 0.0 {
            return Err(Error::parameter("tol", format!("{} is no tolerance: take 0 or more", self.tol)));
        }
        if self.max_iter == 0 {
            return Err(Error::parameter("max_iter", "0 rounds: take 1 or more"));
        }
        let given = self.given();
        given
            .iter()
            .try_for_each(|(name, weights)| weights.map_or(Ok(()), |weights| check_weights(name, weights, graph)))
    }

    fn given(&self) -> [(&'static str, Option<&[f64]>); 3] {
        [
            ("personalization", self.personalization.as_deref()),
            ("dangling", self.dangling.as_deref()),
            ("start", self.start.as_deref()),
        ]
    }

    /// What all ranks of a job must have the same of.
    pub(super) fn fingerprint(&self, graph: &Graph) -> String {
        let mut hasher = DefaultHasher::new();
        for values in self.given().iter().filter_map(|(_, values)| *values).chain([graph.out()]) {
            values.len().hash(&mut hasher);
            values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
        }
        format!(
            "superstep {}, pagerank, damping {:e}, tol {:e}, max_iter {}, {} nodes, {} edges, weights {:016x}",
            env!("CARGO_PKG_VERSION"),
            self.damping,
            self.tol,
            self.max_iter,
            graph.nodes(),
            graph.edges(),
            hasher.finish(),
        )
    }
}

/// Checks that there is a weight for each node, and that they can be made to add up to 1.
fn check_weights(name: &str, weights: &[f64], graph: &Graph) -> Result<()> {
    if weights.len() != graph.nodes() {
        let message = format!("{} weights for {} nodes: give one for each", weights.len(), graph.nodes());
        return Err(Error::parameter(name, message));
    }
    for (node, weight) in (0..).zip(weights) {
        checked_weight(*weight).map_err(|message| Error::data(Place::of(name).row(node), message))?;
    }
    let all: f64 = weights.iter().sum();
    if all.is_normal() {
        return Ok(());
    }
    let message = format!("the weights of all nodes add up to {all}: give some that are positive, and no huge ones");
    Err(Error::parameter(name, message))
}

impl std::fmt::Debug for PageRank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageRank")
            .field("damping", &self.damping)
            .field("tol", &self.tol)
            .field("max_iter", &self.max_iter)
            .field("personalization", &self.personalization)
            .field("dangling", &self.dangling)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
