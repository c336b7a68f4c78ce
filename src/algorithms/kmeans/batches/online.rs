//! Following a stream.

use super::super::init::Init;
use super::super::keys::POINTS;
use super::super::metric::Metric;
use super::super::model::KMeansModel;
use super::super::params::KMeans;
use super::{BATCH, Begun, CENTRES, Follow, MASSES, Told, prepare_rows, state_of};
use crate::data::wire::{Word, read_list, write_list};
use crate::data::{Batches, RowSource};
use crate::queue::{ComContext, IterationListener, IterativeComQueue, Session, Stop};
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::{Mutex, PoisonError};

/// How the rows of earlier batches fade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// With each batch they count this much less: 1 keeps all alike, 0 forgets all but the batch. Flink ML's and Spark's
    /// `decayFactor`.
    Batches(f64),
    /// The same with each row that comes, whatever batch it comes in: Spark's time unit `points`.
    Rows(f64),
}

impl Decay {
    /// Such that what comes counts half as much after so many batches: Spark's half-life.
    pub fn half_life_of_batches(batches: f64) -> Self {
        Self::Batches(half_life(batches))
    }

    /// Such that what comes counts half as much after so many rows.
    pub fn half_life_of_rows(rows: f64) -> Self {
        Self::Rows(half_life(rows))
    }

    /// How much what was before a batch of so many rows counts after it.
    pub(super) fn of_batch(self, rows: f64) -> f64 {
        match self {
            Self::Batches(factor) => factor,
            Self::Rows(factor) => factor.powf(rows),
        }
    }

    fn check(self) -> Result<()> {
        let (Self::Batches(factor) | Self::Rows(factor)) = self;
        if (0.0..=1.0).contains(&factor) {
            return Ok(());
        }
        Err(Error::parameter(
            "decay",
            format!("{factor} is no factor: take 0 (only the newest count) to 1 (all alike)"),
        ))
    }
}

fn half_life(time: f64) -> f64 {
    // 0 or less of anything has no half: `check` refuses what comes of it.
    if time > 0.0 { (-std::f64::consts::LN_2 / time).exp() } else { f64::NAN }
}

/// K-means of a stream: each batch moves the centroids towards its rows, and gives a new version of the model.
///
/// A batch's rows are assigned to the nearest centroid; a centroid c of mass m with n of the rows, which sum to S, becomes
///
/// ```text
/// m ← α·m,   c ← (m·c + S) / (m + n),   m ← m + n
/// ```
///
/// with the decay α. This is Flink ML's `OnlineKMeans` and Spark's `StreamingKMeans`. The first centroids are given, or chosen from the
/// rows of the first batch.
///
/// ```
/// use ndarray::array;
/// use superstep::data::Batches;
/// use superstep::{Decay, OnlineKMeans};
///
/// let batches = Batches::new([array![[0.0_f32], [10.0]], array![[1.0], [11.0]], array![[2.0], [12.0]]]);
/// let mut first = Vec::new();
/// let online = OnlineKMeans::new(2).decay(Decay::Batches(1.0)).initial(array![[0.0], [10.0]], vec![0.0, 0.0]);
/// let model = online.fit(batches, |version| {
///     first.push(version.centroids[[0, 0]]);
///     Ok(())
/// })?;
/// assert_eq!(first, [0.0, 0.5, 1.0]);
/// assert_eq!(model.predict(&array![[0.3_f32], [9.0]])?, [0, 1]);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OnlineKMeans {
    kmeans: KMeans,
    decay: Decay,
    splits: bool,
    initial: Option<(Array2<f64>, Vec<f64>)>,
}

/// The model after a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineVersion {
    /// The batch's number, from 1.
    pub batch: u32,
    /// Its rows.
    pub rows: u64,
    /// The inertia of its rows, with the centroids as they were before it.
    pub inertia: f64,
    /// The squared shifts of the centroids, summed.
    pub shift: f64,
    /// The centroids, k × d, in the data's own space.
    pub centroids: Array2<f64>,
    /// The mass of each: what a row that comes weighs against.
    pub weights: Vec<f64>,
}

impl OnlineKMeans {
    /// K-means of a stream with k clusters, in which all rows count alike, however old.
    pub fn new(k: usize) -> Self {
        Self { kmeans: KMeans::new(k), decay: Decay::Batches(1.0), splits: false, initial: None }
    }

    /// How rows of earlier batches fade.
    #[must_use]
    pub fn decay(mut self, decay: Decay) -> Self {
        self.decay = decay;
        self
    }

    /// Gives a cluster whose mass has faded to less than a hundred-millionth of the largest one's half of that one: Spark's way.
    #[must_use]
    pub fn split_dying(mut self, on: bool) -> Self {
        self.splits = on;
        self
    }

    /// The first centroids, k × d, and how many rows each weighs: those of a model that is to be followed on, or 0 for guesses.
    #[must_use]
    pub fn initial(mut self, centroids: Array2<f64>, weights: Vec<f64>) -> Self {
        self.initial = Some((centroids, weights));
        self
    }

    /// How the first centroids are chosen from the first batch, where they are not given.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.kmeans = self.kmeans.init(init);
        self
    }

    /// The seed of all draws; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.kmeans = self.kmeans.seed(seed);
        self
    }

    /// The distance: squared Euclidean by default; cosine and haversine, whose centroids stay on the sphere.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.kmeans = self.kmeans.metric(metric);
        self
    }

    /// The devices to compute on; [`Session::auto`] by default.
    #[must_use]
    pub fn session(mut self, session: &Session) -> Self {
        self.kmeans = self.kmeans.session(session);
        self
    }

    /// Follows the batches until they end, the session is interrupted, or `take` fails, which gets each version of the model; on
    /// the first of several ranks, whose batches are those of all. The model at the end has no labels, and of `cluster_sizes` as many
    /// rows as each cluster was given.
    ///
    /// # Errors
    /// When no batch comes, a setting cannot be obeyed, a value is not a finite number or a million times as large as those of
    /// the first batch, or a device fails.
    pub fn fit(
        &self,
        batches: Batches<'_>,
        take: impl FnMut(&OnlineVersion) -> Result<()> + Send,
    ) -> Result<KMeansModel> {
        let session = self.kmeans.opened()?;
        session.collective().agree(self.check())?;
        let mut batches = batches;
        let first = first_batch(&mut batches, &session)?;
        let begun = session.install(|| Begun::new(&self.kmeans, &session, &first, self.initial.as_ref()))?;
        let (metric, origin, most) = (begun.metric, begun.origin.clone(), begun.most);
        let batches = batches.after(first).map(move |batch| prepare_rows(metric, &origin, most, batch));
        let follow =
            Follow { plan: begun.plan.clone(), decay: self.decay, splits: self.splits, reassignment_ratio: 0.0 };
        let queue = IterativeComQueue::new(&session).init_with_unbounded_data(POINTS, batches);
        let watch = Watch { begun: &begun, take: Mutex::new(take) };
        let run = begun
            .round(queue, begun.state(), follow, self.kmeans.seed)
            .listen(watch)
            .close_with(|cx| Ok((state_of(cx)?, cx.get(BATCH).map_or(0.0, |batch| batch[1]))))
            .run()?;
        let nothing = || Error::wiring("OnlineKMeans", CENTRES.name(), "no task ran");
        let (state, inertia) = run.results.into_iter().next().ok_or_else(nothing)?;
        let sizes = state.sizes();
        let told = Told {
            labels: Vec::new(),
            rows: sizes.iter().sum(),
            sizes,
            inertia,
            rounds: run.rounds,
            converged: false,
            interrupted: run.stop == Stop::Interrupted,
            warnings: run.warnings,
        };
        begun.model(&self.kmeans, &state, told)
    }

    fn check(&self) -> Result<()> {
        self.decay.check()?;
        let Some((centroids, weights)) = &self.initial else { return Ok(()) };
        if weights.len() != centroids.nrows() {
            let message = format!("{} weights of {} centroids: give one each", weights.len(), centroids.nrows());
            return Err(Error::parameter("initial", message));
        }
        match weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
            Some(weight) => Err(Error::parameter("initial", format!("{weight} is no weight: take 0 or more"))),
            None => Ok(()),
        }
    }
}

/// The first batch that has rows, on all ranks.
fn first_batch(batches: &mut Batches, session: &Session) -> Result<Array2<f64>> {
    let collective = session.collective();
    let own = if collective.rank() == 0 { pull(batches, session).map(|batch| encode(&batch)) } else { Ok(Vec::new()) };
    let parts = collective.exchange(own)?;
    let garbled = || Error::parameter("batches", "what rank 0 sent does not read as a batch");
    parts.first().and_then(|bytes| decode(bytes)).ok_or_else(garbled)
}

fn pull(batches: &mut Batches, session: &Session) -> Result<Array2<f64>> {
    loop {
        let Some(batch) = batches.next_batch(&|| session.is_interrupted())? else {
            let message = "none came that has rows: there is nothing to choose centroids from";
            return Err(Error::parameter("batches", message));
        };
        if batch.rows() > 0 {
            let mut values = Array2::zeros((batch.rows() as usize, batch.columns()));
            batch.read_f64(0, values.as_slice_mut().unwrap_or(&mut []))?;
            // Refused here, where its place is still known.
            if let Some(((row, column), value)) = values.indexed_iter().find(|(_, value)| !value.is_finite()) {
                let message = format!("{value} is not a finite number");
                return Err(Error::data(batch.place(row as u64, column), message));
            }
            return Ok(values);
        }
    }
}

fn encode(batch: &Array2<f64>) -> Vec<u8> {
    let mut to = Vec::new();
    (batch.ncols() as u64).write(&mut to);
    write_list(batch.as_slice().unwrap_or(&[]), &mut to);
    to
}

fn decode(mut from: &[u8]) -> Option<Array2<f64>> {
    let columns = usize::try_from(u64::read(&mut from)?).ok()?;
    let values = read_list::<f64>(&mut from)?;
    Array2::from_shape_vec((values.len().checked_div(columns)?, columns), values).ok()
}

/// Hands out the versions.
struct Watch<'b, F> {
    begun: &'b Begun,
    take: Mutex<F>,
}

impl<F: FnMut(&OnlineVersion) -> Result<()> + Send> IterationListener for Watch<'_, F> {
    fn on_round_end(&self, round: u32, cx: &ComContext) -> Result<()> {
        let batch = cx.get(BATCH)?;
        let version = OnlineVersion {
            batch: round,
            rows: batch[0] as u64,
            inertia: batch[1],
            shift: batch[2],
            centroids: self.begun.restore(cx.get(CENTRES)?)?,
            weights: cx.get(MASSES)?.clone(),
        };
        (self.take.lock().unwrap_or_else(PoisonError::into_inner))(&version)
    }
}
