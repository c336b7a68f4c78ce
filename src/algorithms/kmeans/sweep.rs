//! How many clusters? K-means for several k, with restarts, as one queue of queues.
//!
//! An outer round is a restart. Its items are, for each k in turn, where that one starts, the queue of k-means, and what is
//! kept of it. The rows are pinned once for all of them.

use super::begin::{NoLabels, NoSums};
use super::fit::Outcome;
use super::init::Init;
use super::keys::{CENTROIDS, CHANGES, EXPONENTS, LABELS, NO_WEIGHTS, POINTS, SUMMARY, Summary, WEIGHTS};
use super::metric::Metric;
use super::model::KMeansModel;
use super::params::{Algorithm, KMeans};
use super::plan::Plan;
use super::prepare::Prepared;
use super::progress::Timings;
use super::reassign::{Reassign, Tally};
use super::search::Steer;
use super::update::Summarise;
use super::watch::progress_of;
use crate::algorithms::working::reserve;
use crate::data::{Dataset, RowSource};
use crate::metrics::{Distance, silhouette_score_sampled};
use crate::queue::{
    AllReduce, ComContext, ComputeFunction, IterationListener, IterativeComQueue, Key, Object, Objects, Session, Stop,
};
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::Arc;
use std::time::Duration;

/// The best of each k so far, as a task has it.
const KEPT: Key<Kept> = Key::new("kept");
/// How many updates the k that ran last took, and whether it converged.
const ENDED: Key<Vec<u32>> = Key::new("ended");

type Tell = Arc<dyn Fn(SweepProgress) + Send + Sync>;

/// K-means for several numbers of clusters, to choose one by.
///
/// ```
/// use ndarray::array;
/// use superstep::KMeansSweep;
///
/// let rows = array![[0.0_f32], [1.0], [100.0], [101.0], [200.0], [201.0], [300.0], [301.0]];
/// let sweep = KMeansSweep::new(2..=6).restarts(3).fit(&rows)?;
/// assert_eq!(sweep.best_by_silhouette(), Some(4));
/// assert_eq!(sweep.models()[2].k(), 4);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Clone)]
pub struct KMeansSweep {
    ks: Vec<usize>,
    kmeans: KMeans,
    restarts: u32,
    silhouette_sample: usize,
    progress: Option<Tell>,
}

/// What a sweep tells while it runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SweepProgress {
    /// The restart, from 1, of how many.
    pub restart: u32,
    /// How many restarts there are.
    pub restarts: u32,
    /// The clusters of the fit that has ended.
    pub k: usize,
    /// The inertia it came to.
    pub inertia: f64,
}

/// What a sweep came to.
#[derive(Debug, Clone)]
pub struct Sweep {
    models: Vec<KMeansModel>,
    silhouettes: Vec<Option<f64>>,
    interrupted: bool,
}

impl Sweep {
    /// The best of each k, in the order in which the ks were given.
    pub fn models(&self) -> &[KMeansModel] {
        &self.models
    }

    /// The mean silhouette of each, from −1 to 1 (best): of a sample of the rows where they are many. `None` for one cluster, for
    /// haversine, and where fewer than two clusters have rows.
    pub fn silhouettes(&self) -> &[Option<f64>] {
        &self.silhouettes
    }

    /// Whether it was interrupted after some restart.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// The k of the largest silhouette; of equal ones the smallest k.
    pub fn best_by_silhouette(&self) -> Option<usize> {
        let known = self
            .models
            .iter()
            .zip(&self.silhouettes)
            .filter_map(|(model, silhouette)| Some((model.k(), (*silhouette)?)));
        known
            .reduce(|best, next| if next.1 > best.1 || (next.1 == best.1 && next.0 < best.0) { next } else { best })
            .map(|(k, _)| k)
    }

    /// The k at the elbow of the inertia: the point farthest below the straight line from the first to the last, k and inertia
    /// both scaled to 0 to 1 (Satopää et al., "Finding a 'kneedle' in a haystack", ICDCSW 2011). `None` for fewer than three.
    pub fn elbow(&self) -> Option<usize> {
        let mut points: Vec<(usize, f64)> = self.models.iter().map(|model| (model.k(), model.inertia())).collect();
        points.sort_by_key(|(k, _)| *k);
        let (&(k0, most), &(k1, least)) = (points.first()?, points.last()?);
        if points.len() < 3 || most <= least {
            return None;
        }
        let below = |&(k, inertia): &(usize, f64)| {
            let (x, y) = ((k - k0) as f64 / (k1 - k0) as f64, (inertia - least) / (most - least));
            1.0 - x - y
        };
        let inner = &points[1..points.len() - 1];
        inner.iter().reduce(|best, next| if below(next) > below(best) { next } else { best }).map(|(k, _)| *k)
    }
}

impl KMeansSweep {
    /// A sweep over these numbers of clusters, with one start each.
    pub fn new(ks: impl IntoIterator<Item = usize>) -> Self {
        Self {
            ks: ks.into_iter().collect(),
            kmeans: KMeans::new(1),
            restarts: 1,
            silhouette_sample: 2000,
            progress: None,
        }
    }

    /// How many starts are tried for each k, of which the one with the smallest inertia is kept.
    #[must_use]
    pub fn restarts(mut self, restarts: u32) -> Self {
        self.restarts = restarts;
        self
    }

    /// The settings of every fit, all but k and the number of starts: the start, the rounds, the tolerance, the metric, the seed, what
    /// becomes of empty clusters, the devices.
    #[must_use]
    pub fn template(mut self, kmeans: KMeans) -> Self {
        self.kmeans = kmeans;
        self
    }

    /// How many rows at random the silhouette is measured of, at size² distances; 2,000 by default.
    #[must_use]
    pub fn silhouette_sample(mut self, rows: usize) -> Self {
        self.silhouette_sample = rows;
        self
    }

    /// Is told of every fit that has ended.
    #[must_use]
    pub fn progress(mut self, tell: impl Fn(SweepProgress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// Fits the rows of an n × d table for every k.
    ///
    /// # Errors
    /// As [`KMeans::fit`], for any k; when there is no k, or one is named twice.
    pub fn fit(&self, rows: &(impl RowSource + ?Sized)) -> Result<Sweep> {
        let session = self.kmeans.opened()?;
        let dataset = session.install(|| self.of(1, &session).dataset(rows))?;
        session.install(|| self.fit_here(&session, &dataset))
    }

    /// Fits a data set that was prepared, and maybe given weights, beforehand: by a [`KMeans`] of the same metric.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_dataset(&self, dataset: &Dataset) -> Result<Sweep> {
        let session = self.kmeans.opened()?;
        session.install(|| self.fit_here(&session, dataset))
    }

    /// K-means with these settings and k clusters.
    fn of(&self, k: usize, session: &Session) -> KMeans {
        let mut kmeans = self.kmeans.clone().n_init(1).session(session);
        kmeans.k = k;
        kmeans
    }

    fn check(&self, session: &Session, dataset: &Dataset) -> Result<()> {
        if self.ks.is_empty() {
            return Err(Error::parameter("k", "there is none to try: give one number of clusters or more"));
        }
        if self.restarts == 0 {
            return Err(Error::parameter("restarts", "0 starts: take 1 or more"));
        }
        if let Some(twice) = self.ks.iter().enumerate().find(|(at, k)| self.ks[..*at].contains(k)) {
            return Err(Error::parameter("k", format!("{} is given twice", twice.1)));
        }
        if matches!(self.kmeans.init, Init::Centroids(_)) {
            let message = "given centroids are of one k: take k-means++, k-means|| or random";
            return Err(Error::parameter("init", message));
        }
        self.ks.iter().try_for_each(|k| self.of(*k, session).check(dataset.rows(), dataset.columns()))
    }

    fn fit_here(&self, session: &Session, dataset: &Dataset) -> Result<Sweep> {
        let collective = session.collective();
        collective.agree(self.check(session, dataset))?;
        let prepared = Prepared::new(dataset, self.kmeans.metric, collective)?;
        prepared.check_weights()?;
        let held = dataset.source().held();
        let _working = reserve(session, held, "labels of each k", self.working(session, &prepared))?;
        let tol = self.kmeans.tol * prepared.mean_variance()?;
        let fits = self.ks.iter().map(|k| Fit::new(self.of(*k, session), session, &prepared, self.restarts, tol));
        let fits = fits.collect::<Result<Vec<Fit>>>()?;
        let run = self.queue(session, &prepared, &fits).close_with(|cx| cx.take(KEPT)).run()?;
        let interrupted = run.stop == Stop::Interrupted;
        let (mut models, mut silhouettes) = (Vec::new(), Vec::new());
        for (at, fit) in fits.iter().enumerate() {
            let missing = || Error::wiring("KMeansSweep", KEPT.name(), "a fit is missing");
            let parts = run.results.iter().map(|kept| kept.0.get(at).and_then(Option::as_ref).ok_or_else(missing));
            let parts = parts.collect::<Result<Vec<&Best>>>()?;
            let model = fit.model(&prepared, &parts, (run.pin, &run.warnings))?;
            silhouettes.push(self.silhouette(&prepared, &model)?);
            models.push(model);
        }
        Ok(Sweep { models, silhouettes, interrupted })
    }

    /// The bytes of the best labels of each k, besides what the largest fit works with.
    fn working(&self, session: &Session, prepared: &Prepared) -> u64 {
        let largest = self.of(self.ks.iter().copied().max().unwrap_or(1), session).working(session, prepared);
        let labels = prepared.own_rows().saturating_mul(self.ks.len() as u64 * size_of::<u32>() as u64);
        largest.saturating_add(labels)
    }

    /// Restarts around all ks, and in each k-means.
    fn queue<'q>(&'q self, session: &Session, prepared: &'q Prepared<'q>, fits: &'q [Fit]) -> IterativeComQueue<'q> {
        let exponents = fits.first().map_or_else(Vec::new, |fit| fit.plan.fixed.exponents().to_vec());
        let queue = IterativeComQueue::new(session)
            .share_by_speed()
            .init_with_partitioned_data(POINTS, prepared)
            .init_with_broadcast_data(EXPONENTS, exponents)
            .init_with_broadcast_data(ENDED, vec![0, 0]);
        let queue = match prepared.dataset().weights() {
            Some(weights) => queue.init_with_partitioned_data(WEIGHTS, weights),
            None => queue.init_with_broadcast_data(NO_WEIGHTS, vec![1.0]),
        };
        let queue = fits.iter().enumerate().fold(queue, |queue, (at, fit)| {
            let tell = Told { sweep: self, fit };
            queue.add(Start(fit)).add(fit.rounds(session).listen(tell)).add(Keep { fit, at, of: fits.len() })
        });
        queue.set_max_iter(self.restarts)
    }

    /// The silhouette of a sample of the rows of all ranks.
    fn silhouette(&self, prepared: &Prepared, model: &KMeansModel) -> Result<Option<f64>> {
        let distance = match self.kmeans.metric {
            Metric::Euclidean => Distance::Euclidean,
            Metric::Cosine => Distance::Cosine,
            Metric::CityBlock => Distance::CityBlock,
            Metric::Haversine => return Ok(None),
        };
        let with_rows = model.cluster_sizes().iter().filter(|size| **size > 0).count() as u64;
        let parts = prepared.collective().exchange(Ok(bytemuck::cast_slice(model.labels()).to_vec()))?;
        let labels: Vec<u32> = parts.iter().flat_map(|part| bytemuck::allocation::pod_collect_to_vec(part)).collect();
        if with_rows < 2 || with_rows >= labels.len() as u64 {
            return Ok(None);
        }
        let (rows, seed) = (prepared.dataset().source(), self.kmeans.seed);
        // A sample may miss all clusters but one: then it says nothing.
        Ok(silhouette_score_sampled(rows, &labels, distance, self.silhouette_sample, seed).ok())
    }
}

/// K-means for one k.
struct Fit {
    kmeans: KMeans,
    plan: Plan,
    tol: f64,
    /// Where each restart begins: k × d'.
    starts: Vec<Array2<f32>>,
}

impl Fit {
    fn new(kmeans: KMeans, session: &Session, prepared: &Prepared, restarts: u32, tol: f64) -> Result<Self> {
        let choose = |restart: u32| {
            let seed = kmeans.seed.wrapping_add(u64::from(restart));
            kmeans.init.choose(&kmeans, session, prepared, seed)
        };
        let starts = (0..restarts).map(choose).collect::<Result<Vec<_>>>()?;
        let nothing = || Error::parameter("restarts", "0 starts: take 1 or more");
        let wants_bounds = kmeans.algorithm != Algorithm::Lloyd;
        let plan = Plan::new(session, prepared, kmeans.metric, starts.first().ok_or_else(nothing)?, wants_bounds)?;
        Ok(Self { kmeans, plan, tol, starts })
    }

    /// The queue of k-means, from the centroids there are to where they no longer move.
    fn rounds<'q>(&'q self, session: &Session) -> IterativeComQueue<'q> {
        let plan = &self.plan;
        let queue = IterativeComQueue::new(session).named("k-means").add(NoSums(plan.clone())).add(NoLabels);
        let queue = self.kmeans.update(queue, plan);
        let queue = if plan.steered { queue.add(Steer { plan: plan.clone(), bounded_rows: 0 }) } else { queue };
        queue
            .add(Reassign(plan.clone()))
            .add(AllReduce::sum(CHANGES))
            .add(Tally(plan.clone()))
            .add(Summarise(plan.clone()))
            .set_compare_criterion(|cx| Ok(self.progress(cx)?.1))
            .set_max_iter(self.kmeans.max_iter + 1)
            .close_with(|cx| {
                let (iterations, converged) = self.progress(cx)?;
                cx.put(ENDED, vec![iterations, u32::from(converged)])
            })
    }

    fn progress(&self, cx: &ComContext) -> Result<(u32, bool)> {
        progress_of(cx, self.tol, self.kmeans.max_iter)
    }

    /// The inertia of the labels there are.
    fn inertia(&self, summary: &Summary) -> f64 {
        self.plan.metric.inertia_of_kernel(self.plan.fixed.inertia(summary.inertia))
    }

    fn model(
        &self,
        prepared: &Prepared,
        parts: &[&Best],
        (pin, warnings): (Duration, &[String]),
    ) -> Result<KMeansModel> {
        let nothing = || Error::wiring("KMeansSweep", KEPT.name(), "no task ran");
        let first = parts.first().ok_or_else(nothing)?;
        let labels: Vec<u32> = parts.iter().flat_map(|part| part.labels.iter().copied()).collect();
        let (inertia, inertias) = self.kmeans.inertia(prepared, &first.centroids, &labels)?;
        let outcome = Outcome {
            algorithm: Algorithm::Lloyd,
            centroids: first.centroids.clone(),
            labels,
            inertia,
            inertias,
            iterations: first.iterations,
            converged: first.converged,
            interrupted: false,
            trace: Vec::new(),
            pin,
            streamed: None,
            moves: 0,
            warnings: warnings.to_vec(),
        };
        self.kmeans.model(prepared, outcome, Timings::default())
    }
}

/// Puts the centroids that a restart begins with.
struct Start<'f>(&'f Fit);

impl ComputeFunction for Start<'_> {
    fn objects(&self) -> Objects {
        Objects::none().writes(CENTROIDS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let restart = cx.step_no() as usize - 1;
        let missing = || Error::wiring("Start", CENTROIDS.name(), "there is no such restart");
        cx.put(CENTROIDS, self.0.starts.get(restart).cloned().ok_or_else(missing)?)
    }
}

/// The best of each k.
#[derive(Clone, Default)]
struct Kept(Vec<Option<Best>>);

impl Object for Kept {}

/// What is kept of the best restart of a k; labels are those of the task's rows.
#[derive(Clone)]
struct Best {
    inertia: f64,
    iterations: u32,
    converged: bool,
    centroids: Array2<f32>,
    labels: Vec<u32>,
}

/// Keeps what k-means has come to, where it is better than what other restarts did. All tasks see the same inertia.
struct Keep<'f> {
    fit: &'f Fit,
    at: usize,
    of: usize,
}

impl ComputeFunction for Keep<'_> {
    fn objects(&self) -> Objects {
        Objects::reads((SUMMARY, CENTROIDS, LABELS, ENDED)).updates(KEPT)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut kept = if cx.contains(KEPT) { cx.take(KEPT)? } else { Kept(vec![None; self.of]) };
        let inertia = self.fit.inertia(&Summary::of_words(cx.get(SUMMARY)?)?);
        if kept.0[self.at].as_ref().is_none_or(|best| inertia < best.inertia) {
            let (iterations, converged) = match cx.get(ENDED)?[..] {
                [iterations, converged] => (iterations, converged == 1),
                _ => (0, false),
            };
            kept.0[self.at] = Some(Best {
                inertia,
                iterations,
                converged,
                centroids: cx.get(CENTROIDS)?.clone(),
                labels: cx.get(LABELS)?.clone(),
            });
        }
        cx.put(KEPT, kept)
    }
}

/// Tells of the fits that end.
struct Told<'f> {
    sweep: &'f KMeansSweep,
    fit: &'f Fit,
}

impl IterationListener for Told<'_> {
    fn on_terminated(&self, _: u32, _: Stop, cx: &ComContext) -> Result<()> {
        if let Some(tell) = &self.sweep.progress {
            let inertia = self.fit.inertia(&Summary::of_words(cx.get(SUMMARY)?)?);
            let restart = cx.round().first().copied().unwrap_or(0);
            tell(SweepProgress { restart, restarts: self.sweep.restarts, k: self.fit.kmeans.k, inertia });
        }
        Ok(())
    }
}
