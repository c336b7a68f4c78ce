//! Batches drawn from a table.

use super::super::init::Init;
use super::super::init::random;
use super::super::keys::{CENTROIDS, CHANGES, EXPONENTS, LABELS, NO_WEIGHTS, POINTS};
use super::super::metric::Metric;
use super::super::model::KMeansModel;
use super::super::params::KMeans;
use super::super::plan::Plan;
use super::super::prepare::Prepared;
use super::super::reassign::Reassign;
use super::{BATCH, Begun, CENTRES, Decay, Follow, FreshLabels, State, Told, state_of};
use crate::backend::ReduceOp;
use crate::data::{Batches, Philox, RowSource};
use crate::queue::{AllReduce, ComContext, IterativeComQueue, Session, Stop};
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::{Mutex, PoisonError};

/// The stream of the generator that batches are drawn from.
const BATCHES: u32 = 9;

/// K-means by small batches that are drawn from a table at random: far less work than [`KMeans`](crate::KMeans), and clusters that are a
/// little worse (Sculley, "Web-scale k-means clustering", WWW 2010).
///
/// Definitions and defaults are those of scikit-learn's `MiniBatchKMeans`: batches of 1,024 rows drawn with replacement, at most
/// as many as 100 passes over the rows would be, an end once the smoothed inertia of a batch has not improved for 10 batches, and new
/// seats for clusters that get few rows. Draws are our own, so centroids are not scikit-learn's to the bit.
///
/// ```
/// use ndarray::array;
/// use superstep::MiniBatchKMeans;
///
/// let rows = array![[0.0_f32, 0.0], [0.5, 0.0], [9.5, 9.0], [9.0, 9.5]];
/// let model = MiniBatchKMeans::new(2).batch_size(8).fit(&rows)?;
/// assert_eq!(model.labels()[0], model.labels()[1]);
/// assert_ne!(model.labels()[0], model.labels()[2]);
///
/// // Or with batches of one's own, as they come:
/// let mut partial = MiniBatchKMeans::new(2).begin();
/// for _ in 0..5 {
///     partial.fit(&rows)?;
/// }
/// assert_eq!(partial.model()?.k(), 2);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MiniBatchKMeans {
    kmeans: KMeans,
    batch_size: usize,
    tol: f64,
    max_no_improvement: Option<u32>,
    reassignment_ratio: f64,
    init_size: Option<u64>,
}

impl MiniBatchKMeans {
    /// With k clusters and scikit-learn's defaults.
    pub fn new(k: usize) -> Self {
        Self {
            kmeans: KMeans::new(k).max_iter(100),
            batch_size: 1024,
            tol: 0.0,
            max_no_improvement: Some(10),
            reassignment_ratio: 0.01,
            init_size: None,
        }
    }

    /// The rows of a batch; 1,024 by default.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = rows;
        self
    }

    /// Ends after as many batches as this many passes over all rows would have; 100 by default.
    #[must_use]
    pub fn max_iter(mut self, passes: u32) -> Self {
        self.kmeans = self.kmeans.max_iter(passes);
        self
    }

    /// Ends once the squared shifts of the centroids in a batch sum to at most `tol` × the mean variance of the columns; with 0, the
    /// default, this does not end it.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Ends once the smoothed inertia has not improved for so many batches; 10 by default, `None` for never.
    #[must_use]
    pub fn max_no_improvement(mut self, batches: Option<u32>) -> Self {
        self.max_no_improvement = batches;
        self
    }

    /// Clusters that have been given fewer rows than this part of what the largest one has get new seats, now and then; 0.01 by default, 0 for never.
    #[must_use]
    pub fn reassignment_ratio(mut self, ratio: f64) -> Self {
        self.reassignment_ratio = ratio;
        self
    }

    /// How many rows at random the first centroids are chosen among; 3 batches by default, and at least 3 for each cluster.
    #[must_use]
    pub fn init_size(mut self, rows: u64) -> Self {
        self.init_size = Some(rows);
        self
    }

    /// How the first centroids are chosen; [`Init::KMeansPlusPlus`] by default.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.kmeans = self.kmeans.init(init);
        self
    }

    /// How many starts are tried on a sample, of which the best is taken; 1 by default, and 3 for [`Init::Random`].
    #[must_use]
    pub fn n_init(mut self, starts: usize) -> Self {
        self.kmeans = self.kmeans.n_init(starts);
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

    /// Fits the rows of an n × d table, and labels all of them in the end.
    ///
    /// # Errors
    /// As [`KMeans::fit`](crate::KMeans::fit).
    pub fn fit(&self, rows: &(impl RowSource + ?Sized)) -> Result<KMeansModel> {
        let session = self.kmeans.opened()?;
        session.install(|| self.fit_here(&session, rows))
    }

    /// Begins a fit whose batches are given one by one: scikit-learn's `partial_fit`.
    pub fn begin(&self) -> PartialFit {
        PartialFit { settings: self.clone(), session: None, fit: None, batches: 0, rows: 0, inertia: 0.0 }
    }

    fn check(&self) -> Result<()> {
        if self.batch_size == 0 {
            return Err(Error::parameter("batch_size", "0 rows are no batch: take 1 or more"));
        }
        if !self.reassignment_ratio.is_finite() || self.reassignment_ratio < 0.0 {
            let message = format!("{} is no part of the largest cluster: take 0 or more", self.reassignment_ratio);
            return Err(Error::parameter("reassignment_ratio", message));
        }
        if !self.tol.is_finite() || self.tol < 0.0 {
            return Err(Error::parameter("tol", format!("{} is no tolerance: take 0 or more", self.tol)));
        }
        match self.init_size {
            Some(rows) if rows < self.kmeans.k as u64 => {
                let message = format!("{rows} rows are fewer than n_clusters={}: take more", self.kmeans.k);
                Err(Error::parameter("init_size", message))
            }
            _ => Ok(()),
        }
    }

    fn fit_here(&self, session: &Session, rows: &(impl RowSource + ?Sized)) -> Result<KMeansModel> {
        let collective = session.collective();
        let checked = self.check().and_then(|()| self.kmeans.check(rows.rows(), rows.columns()));
        collective.agree(checked)?;
        let dataset = self.kmeans.dataset(rows)?;
        let prepared = Prepared::new(&dataset, self.kmeans.metric, collective)?;
        let centroids = self.first_centroids(session, &prepared)?;
        let masses = vec![0.0; self.kmeans.k];
        let begun = Begun::at(&self.kmeans, session, &prepared, centroids.mapv(f64::from), masses)?;
        let (n, size) = (prepared.rows(), self.batch_size as u64);
        let steps = (u64::from(self.kmeans.max_iter).saturating_mul(n) / size).clamp(1, u64::from(u32::MAX)) as u32;
        let progress = Mutex::new(Improvement::default());
        let tol = self.tol * if self.tol > 0.0 { prepared.mean_variance()? } else { 0.0 };
        let batches = Batches::drawn(|draw| self.draw(&prepared, draw));
        let queue = IterativeComQueue::new(session).init_with_unbounded_data(POINTS, batches);
        let run = begun
            .round(queue, begun.state(), self.follow(&begun), self.kmeans.seed)
            .set_compare_criterion(|cx: &ComContext| {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(progress.ends(cx.step_no(), cx.get(BATCH)?, n as f64, tol, self.max_no_improvement))
            })
            .set_max_iter(steps)
            .close_with(|cx| state_of(cx))
            .run()?;
        let nothing = || Error::wiring("MiniBatchKMeans", CENTRES.name(), "no task ran");
        let state = run.results.into_iter().next().ok_or_else(nothing)?;
        let centroids = state.centres.mapv(|value| value as f32);
        let labels = label_all(&self.kmeans, session, &prepared, &centroids)?;
        let (inertia, _) = self.kmeans.inertia(&prepared, &centroids, &labels)?;
        let mut sizes = vec![0; self.kmeans.k];
        labels.iter().for_each(|label| sizes[*label as usize] += 1);
        collective.all_reduce_u64(ReduceOp::Sum, &mut sizes)?;
        let (converged, interrupted) = (run.stop == Stop::Criterion, run.stop == Stop::Interrupted);
        let warnings = run.warnings;
        let told = Told { labels, sizes, inertia, rows: n, rounds: run.rounds, converged, interrupted, warnings };
        begun.model(&self.kmeans, &state, told)
    }

    fn follow(&self, begun: &Begun) -> Follow {
        Follow {
            plan: begun.plan.clone(),
            decay: Decay::Batches(1.0),
            splits: false,
            reassignment_ratio: self.reassignment_ratio,
        }
    }

    /// The rows of a batch, drawn with replacement, in the space of the kernels.
    fn draw(&self, prepared: &Prepared, draw: u32) -> Result<Array2<f32>> {
        let philox = Philox::new(self.kmeans.seed);
        let below = |row: u64| philox.below(BATCHES, row, draw, prepared.rows());
        let mut rows: Vec<u64> = (0..self.batch_size as u64).map(below).collect();
        // Storage is read in its order; that of a batch's rows does not matter.
        rows.sort_unstable();
        let mut values = Vec::with_capacity(rows.len() * prepared.columns());
        for row in rows {
            values.extend_from_slice(&prepared.read_rows(row..row + 1)?);
        }
        Array2::from_shape_vec((self.batch_size, prepared.columns()), values)
            .map_err(|error| Error::parameter("batch_size", error.to_string()))
    }

    /// The best start of several, judged by a sample.
    fn first_centroids(&self, session: &Session, prepared: &Prepared) -> Result<Array2<f32>> {
        let kmeans = &self.kmeans;
        let size = self.init_size.unwrap_or(3 * self.batch_size as u64).max(3 * kmeans.k as u64).min(prepared.rows());
        let starts = match (&kmeans.init, kmeans.n_init) {
            (Init::Centroids(_), _) | (Init::KMeansPlusPlus | Init::KMeansParallel, None) => 1,
            (Init::Random, None) => 3,
            (_, Some(starts)) => starts,
        };
        let sampled = kmeans.clone().init_sample(size);
        let choose = |start: usize| {
            let seed = kmeans.seed.wrapping_add(start as u64);
            sampled.init.choose(&sampled, session, prepared, seed)
        };
        if starts == 1 {
            return choose(0);
        }
        let judge = random::draw(session, prepared, size as usize, kmeans.seed.wrapping_sub(1))?;
        let mut best: Option<(f64, Array2<f32>)> = None;
        for start in 0..starts {
            let centroids = choose(start)?;
            let loss = loss_of(kmeans.metric, &judge, &centroids);
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, centroids));
            }
        }
        best.map(|(_, centroids)| centroids).ok_or_else(|| Error::parameter("n_init", "0 starts: take 1 or more"))
    }
}

/// The inertia of rows with these centroids.
fn loss_of(metric: Metric, rows: &Array2<f32>, centroids: &Array2<f32>) -> f64 {
    let (rows, centroids) = (rows.as_standard_layout(), centroids.as_standard_layout());
    let centroids: Vec<&[f32]> = centroids.outer_iter().filter_map(|row| row.to_slice()).collect();
    let nearest =
        |row: &[f32]| centroids.iter().map(|centroid| metric.loss(row, centroid)).fold(f64::INFINITY, f64::min);
    rows.outer_iter().filter_map(|row| row.to_slice().map(nearest)).sum()
}

/// The label of each of this rank's rows, one pass over them.
fn label_all(kmeans: &KMeans, session: &Session, prepared: &Prepared, centroids: &Array2<f32>) -> Result<Vec<u32>> {
    let mut plan = Plan::new(session, prepared, kmeans.metric, centroids, false)?;
    plan.steered = false;
    let labels = IterativeComQueue::once(session)
        .init_with_partitioned_data(POINTS, prepared)
        .init_with_broadcast_data(CENTROIDS, centroids.clone())
        .init_with_broadcast_data(EXPONENTS, plan.fixed.exponents().to_vec())
        .init_with_broadcast_data(NO_WEIGHTS, vec![1.0])
        .add(FreshLabels)
        .add(Reassign(plan))
        .add(AllReduce::sum(CHANGES))
        .close_with(|cx| cx.take(LABELS))
        .run()?;
    Ok(labels.results.concat())
}

/// Whether the inertia of batches still falls: scikit-learn's `_mini_batch_convergence`.
#[derive(Default)]
struct Improvement {
    smoothed: Option<f64>,
    least: Option<f64>,
    without: u32,
}

impl Improvement {
    fn ends(&mut self, round: u32, batch: &[f64], n: f64, tol: f64, most_without: Option<u32>) -> bool {
        let &[rows, inertia, shift] = batch else { return false };
        // The first centroids were not made of any batch.
        if round == 1 {
            return false;
        }
        let inertia = inertia / rows;
        let weight = (rows * 2.0 / (n + 1.0)).min(1.0);
        let smoothed = self.smoothed.map_or(inertia, |before| before * (1.0 - weight) + inertia * weight);
        self.smoothed = Some(smoothed);
        if tol > 0.0 && shift <= tol {
            return true;
        }
        if self.least.is_none_or(|least| smoothed < least) {
            (self.least, self.without) = (Some(smoothed), 0);
        } else {
            self.without += 1;
        }
        most_without.is_some_and(|most| self.without >= most)
    }
}

/// A fit whose batches are given one by one.
pub struct PartialFit {
    settings: MiniBatchKMeans,
    session: Option<Session>,
    fit: Option<(Begun, State)>,
    batches: u32,
    rows: u64,
    inertia: f64,
}

impl PartialFit {
    /// Moves the centroids by one batch. The first one, from which they are chosen, has at least k rows.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, a value is not a finite number or a million times as large as those of the first batch, the
    /// width is another, or a device fails; the fit is then as it was before.
    pub fn fit(&mut self, batch: &(impl RowSource + ?Sized)) -> Result<()> {
        let session = match &self.session {
            Some(session) => session.clone(),
            None => self.settings.kmeans.opened()?,
        };
        session.install(|| self.fit_here(&session, batch))?;
        self.session = Some(session);
        Ok(())
    }

    /// How many batches there were.
    pub fn batches(&self) -> u32 {
        self.batches
    }

    /// How many rows each cluster was given.
    pub fn weights(&self) -> &[f64] {
        self.fit.as_ref().map_or(&[], |(_, state)| &state.masses)
    }

    /// The model so far; its inertia is that of the last batch before the centroids moved, and it has no labels.
    ///
    /// # Errors
    /// When there was no batch yet.
    pub fn model(&self) -> Result<KMeansModel> {
        let none = || Error::parameter("batches", "there was none yet: give one first");
        let (begun, state) = self.fit.as_ref().ok_or_else(none)?;
        let told = Told {
            labels: Vec::new(),
            sizes: state.sizes(),
            inertia: self.inertia,
            rows: self.rows,
            rounds: self.batches,
            converged: false,
            interrupted: false,
            warnings: Vec::new(),
        };
        begun.model(&self.settings.kmeans, state, told)
    }

    fn fit_here(&mut self, session: &Session, batch: &(impl RowSource + ?Sized)) -> Result<()> {
        let settings = &self.settings;
        session.collective().agree(settings.check())?;
        let mut fresh = None;
        let (begun, state) = match &self.fit {
            Some((begun, state)) => (begun, state.clone()),
            None => {
                let begun = &*fresh.insert(Begun::new(&settings.kmeans, session, batch, None)?);
                (begun, begun.state())
            }
        };
        let columns = begun.restore(&state.centres)?.ncols();
        if batch.columns() != columns {
            let message = format!("it has {} columns, the first batch had {columns}", batch.columns());
            return Err(Error::data(batch.place(0, 0), message));
        }
        let rows = session.collective().agree(begun.prepare(&batch))?;
        let queue = IterativeComQueue::once(session).init_with_partitioned_data(POINTS, &rows);
        // Draws of this batch are not those of another.
        let seed = settings.kmeans.seed.wrapping_add(u64::from(self.batches) << 32);
        let (state, inertia) = begun
            .round(queue, state, settings.follow(begun), seed)
            .close_with(|cx| Ok((state_of(cx)?, cx.get(BATCH)?[1])))
            .exec()?;
        self.batches += 1;
        self.rows += batch.rows();
        self.inertia = inertia;
        match (fresh, &mut self.fit) {
            (Some(begun), fit) => *fit = Some((begun, state)),
            (None, Some((_, before))) => *before = state,
            (None, None) => {}
        }
        Ok(())
    }
}
