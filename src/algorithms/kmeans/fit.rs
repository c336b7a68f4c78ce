//! Fitting: the queue of k-means, written as the loop of the paper.

use super::begin::{NoLabels, NoSums};
use super::held::{self, Held};
use super::keys::{CENTROIDS, CHANGES, EXPONENTS, LABELS, NO_WEIGHTS, POINTS, STATE, SUMMARY, Summary, WEIGHTS};
use super::median;
use super::metric::Metric;
use super::model::KMeansModel;
use super::params::{Algorithm, EmptyClusters, KMeans};
use super::plan::{Plan, rows_a_block};
use super::prepare::Prepared;
use super::progress::{Progress, Round, Timings};
use super::reassign::{Reassign, Tally};
use super::relocate::{DropEmpty, FARTHEST, Farthest, FindFarthest, Relocate, Reseat};
use super::resume::{Begin, Resumed};
use super::search::{self, Steer};
use super::update::{Summarise, Update};
use super::watch::Watch;
use crate::algorithms::measured::{measured, other_program};
use crate::algorithms::working::{opened, profiled};
use crate::backend::ReduceOp;
use crate::data::{Dataset, Origin, RowSource};
use crate::queue::{AllReduce, Device, IterativeComQueue, Reservation, Session, Stop, Streamed};
use crate::{Error, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one start came to, in the space of the kernels.
pub(super) struct Outcome {
    pub(super) algorithm: Algorithm,
    pub(super) centroids: Array2<f32>,
    pub(super) labels: Vec<u32>,
    pub(super) inertia: f64,
    /// Each cluster's share of it.
    pub(super) inertias: Vec<f64>,
    pub(super) iterations: u32,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) trace: Vec<Round>,
    pub(super) pin: Duration,
    pub(super) streamed: Option<Streamed>,
    pub(super) moves: u32,
    pub(super) warnings: Vec<String>,
}

impl KMeans {
    /// Fits the rows of an n × d table: an `ndarray` array or view of f32 or f64 in any layout, or any other source of
    /// rows. The table is not changed, and not copied where it is row-major f32.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, a value is not a finite number (with its row and column), there are fewer rows
    /// than clusters, or a device fails.
    pub fn fit(&self, rows: &(impl RowSource + ?Sized)) -> Result<KMeansModel> {
        let session = self.opened()?;
        let pin = Instant::now();
        self.tell(Progress::Pin);
        let dataset = session.install(|| self.dataset(rows))?;
        self.fit_measured(&session, &dataset, pin)
    }

    /// Fits a data set that was prepared, and maybe given weights, beforehand.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_dataset(&self, dataset: &Dataset) -> Result<KMeansModel> {
        let session = self.opened()?;
        self.tell(Progress::Pin);
        self.fit_measured(&session, dataset, Instant::now())
    }

    /// Measures and checks a table for this metric: directions keep their true origin. Where the session has several ranks,
    /// each reads its share of the rows, and all call this together.
    ///
    /// # Errors
    /// When a value is not a finite number or there is none.
    pub fn dataset<'a>(&self, rows: &'a (impl RowSource + ?Sized)) -> Result<Dataset<'a>> {
        let origin = if self.metric.is_spherical() { Origin::Zero } else { Origin::Chosen };
        measured(rows, self.session.as_ref(), origin)
    }

    pub(super) fn opened(&self) -> Result<Session> {
        opened(self.session.as_ref())
    }

    pub(super) fn tell(&self, progress: Progress) {
        if let Some(tell) = &self.progress {
            tell(progress);
        }
    }

    fn fit_measured(&self, session: &Session, dataset: &Dataset, pin: Instant) -> Result<KMeansModel> {
        let collective = session.collective();
        collective.agree(self.check(dataset.rows(), dataset.columns()))?;
        collective.same("the settings and the data's shape", &self.fingerprint(dataset))?;
        session.install(|| {
            let mut prepared = Prepared::new(dataset, self.metric, collective)?;
            prepared.check_weights()?;
            let parsed = session.memory().reserve("parsed rows", dataset.source().held());
            let working = parsed.and_then(|parsed| {
                let working = session.memory().reserve("labels and sums", self.working(session, &prepared))?;
                Ok((parsed, working))
            });
            let on_host = session.devices().iter().any(Device::is_host);
            let pinned = if on_host && working.is_ok() { prepared.pin(session.memory()) } else { Ok(()) };
            let _working = collective.agree(pinned.and(working))?;
            let tol = self.tol * prepared.mean_variance()?;
            let mut timings = Timings { pin: pin.elapsed(), ..Timings::default() };
            let mut best: Option<Outcome> = None;
            let resumed = self.resumed(session, &prepared)?;
            for (start, resumed) in resumed.into_iter().enumerate() {
                let clock = Instant::now();
                let begun = resumed.as_ref().map_or(Ok(None), Resumed::begun)?;
                let passes = !on_host && begun.is_none() && self.init.passes_over_rows();
                collective.agree(if passes { prepared.pin(session.memory()) } else { Ok(()) })?;
                let begin = match begun {
                    Some(begun) => begun,
                    None => {
                        let seed = self.seed.wrapping_add(start as u64);
                        (self.init.choose(self, session, &prepared, seed)?, 0, Vec::new())
                    }
                };
                if !on_host {
                    // The rows are about to be pinned on devices.
                    prepared.unpin();
                }
                timings.init += clock.elapsed();
                let clock = Instant::now();
                let outcome = self.iterate(session, &prepared, (begin, resumed), tol, start)?;
                timings.pin += outcome.pin;
                timings.iterate += clock.elapsed().saturating_sub(outcome.pin);
                let stop = outcome.interrupted;
                if best.as_ref().is_none_or(|best| outcome.inertia < best.inertia) {
                    best = Some(outcome);
                }
                if stop {
                    // Whichever start is the best, others were not tried.
                    best.iter_mut().for_each(|best| best.interrupted = true);
                    break;
                }
            }
            let nothing = || Error::parameter("n_init", "0 starts: take 1 or more");
            self.model(&prepared, best.ok_or_else(nothing)?, timings)
        })
    }

    /// The bytes that a fit keeps besides its rows: a label, and while it starts a distance, for each row; the sums of each
    /// thread; the blocks of rows at work; and a sample to start from.
    pub(super) fn working(&self, session: &Session, prepared: &Prepared) -> u64 {
        let (k, d, threads) = (self.k as u64, prepared.columns() as u64, session.threads() as u64);
        let sums = k.saturating_mul(2 * d + 1) * size_of::<i64>() as u64;
        let block = 2 * rows_a_block(prepared.columns()) as u64 * d * size_of::<f32>() as u64;
        let per_row = (size_of::<u32>() + size_of::<f32>()) as u64;
        // A sample is held twice: as rows on their own, and as a table.
        let sample = self.init_sample.map_or(0, |rows| rows.min(prepared.rows()) * 2 * d * size_of::<f32>() as u64);
        let parts = [prepared.own_rows() * per_row, (threads + 6).saturating_mul(sums), threads * block, sample];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// One start: supersteps until the criterion is met. Each updates the centroids with the sums of the round before and
    /// then assigns, so that labels, sums and inertia always belong to the centroids there are; the first has no sums and
    /// only assigns. `max_iter` updates take one superstep more.
    fn iterate(
        &self,
        session: &Session,
        prepared: &Prepared,
        ((init, iterations, trace), resumed): (Begin, Option<Resumed>),
        tol: f64,
        start: usize,
    ) -> Result<Outcome> {
        let wants_bounds = self.algorithm != Algorithm::Lloyd;
        let plan = Plan::new(session, prepared, self.metric, &init, wants_bounds)?;
        let plan = Plan { held: Held::of(self, tol), ..plan };
        let bounds = if plan.steered { self.room_for_bounds(session, prepared) } else { None };
        let bounded_rows = bounds.as_ref().map_or(0, |_| prepared.own_rows());
        let watch = Watch::new(self, session, &plan, prepared.rows(), tol, start).after(iterations, trace);
        let watch = Arc::new(watch);
        let checkpoint = resumed.map(|resumed| resumed.checkpoint(&init, &watch));
        let queue = IterativeComQueue::new(session).share_by_speed().goes_on_from(STATE);
        let queue = self.data(queue, prepared, &plan, init);
        let queue = self.update(queue.add(NoSums(plan.clone())).add(NoLabels), &plan);
        let queue = if plan.steered { queue.add(Steer { plan: plan.clone(), bounded_rows }) } else { queue };
        let queue = match checkpoint {
            Some(checkpoint) => queue.checkpoint(checkpoint),
            None => queue,
        };
        let queue = if plan.moves_on_host() {
            queue
        } else {
            let held = plan.held;
            queue.look_ahead(SUMMARY, held::WITHIN, move |words| Ok(held.goes_on(&Summary::of_words(words)?)))
        };
        let queue = queue
            .add(Reassign(plan.clone()))
            .add(AllReduce::sum(CHANGES))
            .add(Tally(plan.clone()))
            .add(Summarise(plan.clone()))
            .set_compare_criterion({
                let watch = watch.clone();
                move |cx| watch.is_converged(cx)
            })
            .set_max_iter(self.max_iter + 1)
            .listen(watch.clone())
            .close_with(|cx| {
                let centroids = cx.is_first_here().then(|| cx.get(CENTROIDS).cloned()).transpose()?;
                Ok((centroids, cx.take(LABELS)?))
            });
        // The trace has what each round's items took.
        let (run, _) = profiled(session, self.profile, || queue.run())?;
        // The rank of task 0 has watched; the others hear of it.
        let told = prepared.collective().exchange(Ok(watch.encode()))?;
        let (iterations, trace) = told.first().and_then(|bytes| Watch::decode(bytes)).ok_or_else(other_program)?;
        let (streamed, moves) = (run.streamed, run.moves);
        let mut results = run.results.into_iter();
        let nothing = || Error::wiring("KMeans", CENTROIDS.name(), "no task ran");
        let (centroids, mut labels) = results.next().ok_or_else(nothing)?;
        let centroids = centroids.ok_or_else(nothing)?;
        // Room for all at once: the memory of each task's labels is given back as it is copied.
        labels.reserve_exact(prepared.own_rows() as usize - labels.len());
        results.for_each(|(_, more)| labels.extend(more));
        let (inertia, inertias) = self.inertia(prepared, &centroids, &labels)?;
        let (converged, interrupted) = (run.stop == Stop::Criterion, run.stop == Stop::Interrupted);
        let pin = run.pin;
        let is_bounded = bounds.is_some() || (!plan.steered && plan.bounded_on_devices());
        let algorithm = if is_bounded { Algorithm::Bounded } else { Algorithm::Lloyd };
        Ok(Outcome {
            algorithm,
            centroids,
            labels,
            inertia,
            inertias,
            iterations,
            converged,
            interrupted,
            trace,
            pin,
            streamed,
            moves,
            warnings: run.warnings,
        })
    }

    /// Memory for bounds, where they are wanted and it is there.
    fn room_for_bounds(&self, session: &Session, prepared: &Prepared) -> Option<Reservation> {
        let (k, d) = (self.k, prepared.columns());
        let wanted = match self.algorithm {
            Algorithm::Lloyd => false,
            Algorithm::Bounded => true,
            Algorithm::Auto => search::pays(k, d),
        };
        wanted.then(|| session.memory().reserve("bounds", self.bytes_of_bounds(prepared)).ok()).flatten()
    }

    fn bytes_of_bounds(&self, prepared: &Prepared) -> u64 {
        prepared.own_rows().saturating_mul(search::bytes_a_row(self.k, prepared.columns()) as u64)
    }

    /// What the queue starts from.
    fn data<'q>(
        &self,
        queue: IterativeComQueue<'q>,
        prepared: &'q Prepared<'q>,
        plan: &Plan,
        init: Array2<f32>,
    ) -> IterativeComQueue<'q> {
        let queue = queue
            .init_with_partitioned_data(POINTS, prepared)
            .init_with_broadcast_data(EXPONENTS, plan.fixed.exponents().to_vec())
            .init_with_broadcast_data(CENTROIDS, init);
        match prepared.dataset().weights() {
            Some(weights) => queue.init_with_partitioned_data(WEIGHTS, weights),
            None => queue.init_with_broadcast_data(NO_WEIGHTS, vec![1.0]),
        }
    }

    /// The items that move the centroids, and what becomes of empty clusters.
    pub(super) fn update<'q>(&self, queue: IterativeComQueue<'q>, plan: &Plan) -> IterativeComQueue<'q> {
        let medians = self.metric == Metric::CityBlock;
        let relocates = self.empty_clusters == EmptyClusters::Relocate;
        let mut queue = queue;
        if relocates {
            queue = queue.add(FindFarthest(plan.clone())).add(AllReduce::by(FARTHEST, |into: &mut Farthest, from| {
                into.merge(from);
                Ok(())
            }));
        }
        if medians {
            queue = median::update(queue, plan);
        } else if relocates {
            queue = queue.add(Relocate(plan.clone())).add(Update(plan.clone()));
        } else {
            queue = queue.add(Update(plan.clone()));
        }
        match self.empty_clusters {
            EmptyClusters::Relocate if medians => queue.add(Reseat(plan.clone())),
            EmptyClusters::Drop => queue.add(DropEmpty(plan.clone())),
            EmptyClusters::Relocate | EmptyClusters::Keep => queue,
        }
    }

    /// The inertia of the labels of this rank's rows and of all other ranks', in f64; and each cluster's share of it, where
    /// that is wanted.
    pub(super) fn inertia(
        &self,
        prepared: &Prepared,
        centroids: &Array2<f32>,
        labels: &[u32],
    ) -> Result<(f64, Vec<f64>)> {
        let (d, first) = (prepared.columns(), prepared.dataset().share().start);
        let shares = if self.cluster_inertias { centroids.nrows() } else { 0 };
        let values = centroids.as_standard_layout();
        let values = values.as_slice().unwrap_or(&[]);
        let weights = prepared.dataset().weights();
        let mut sums = prepared.sum_blocks(|range| {
            let labels = &labels[(range.start - first) as usize..(range.end - first) as usize];
            let weights = weights.and_then(|weights| weights.of(range.clone()));
            let rows = prepared.read_rows(range)?;
            let (mut sums, mut total) = (vec![0.0; shares], 0.0);
            for (at, (row, &label)) in rows.chunks_exact(d).zip(labels).enumerate() {
                let centroid = values.get(label as usize * d..).unwrap_or(&[]);
                let loss = self.metric.loss(row, centroid) * weights.map_or(1.0, |weights| f64::from(weights[at]));
                total += loss;
                if let Some(sum) = sums.get_mut(label as usize) {
                    *sum += loss;
                }
            }
            sums.push(total);
            Ok(sums)
        })?;
        let total = sums.pop().unwrap_or(0.0);
        Ok((total, sums))
    }

    pub(super) fn model(&self, prepared: &Prepared, outcome: Outcome, timings: Timings) -> Result<KMeansModel> {
        let dataset = prepared.dataset();
        let algorithm = outcome.algorithm;
        let Outcome { mut centroids, mut labels, inertia, mut inertias, iterations, converged, interrupted, .. } =
            outcome;
        let (trace, streamed, moves) = (outcome.trace, outcome.streamed, outcome.moves);
        let mut sizes = vec![0_u64; self.k];
        labels.iter().for_each(|&label| sizes[label as usize] += 1);
        prepared.collective().all_reduce_u64(ReduceOp::Sum, &mut sizes)?;
        let mut warnings = outcome.warnings;
        if self.algorithm == Algorithm::Bounded && algorithm == Algorithm::Lloyd {
            let bytes = self.bytes_of_bounds(prepared);
            warnings.push(format!(
                "lloyd ran in place of bounded, with the same result: bounds are kept on processors, where they would take \
                 {} MB here, and on devices for squared distances of rows of more than 32 columns",
                bytes.div_ceil(1 << 20)
            ));
        }
        let distinct = sizes.iter().filter(|&&size| size > 0).count();
        if distinct < self.k {
            warnings.push(format!(
                "number of distinct clusters ({distinct}) found smaller than n_clusters ({}): possibly due to duplicate \
                 points",
                self.k
            ));
        }
        if self.empty_clusters == EmptyClusters::Drop && distinct < self.k {
            let alive: Vec<usize> = (0..self.k).filter(|&cluster| sizes[cluster] > 0).collect();
            centroids = centroids.select(ndarray::Axis(0), &alive);
            let mut renamed = vec![0; self.k];
            alive.iter().enumerate().for_each(|(to, &from)| renamed[from] = to as u32);
            labels.par_iter_mut().for_each(|label| *label = renamed[*label as usize]);
            inertias = alive.iter().filter_map(|&cluster| inertias.get(cluster).copied()).collect();
            sizes.retain(|&size| size > 0);
        }
        let origin = dataset.origin().to_vec();
        let restored = centroids
            .outer_iter()
            .flat_map(|row| self.metric.restore(row.to_owned().as_slice().unwrap_or(&[]), &origin));
        let restored = Array2::from_shape_vec((centroids.nrows(), dataset.columns()), restored.collect())
            .map_err(|error| Error::parameter("k", error.to_string()))?;
        Ok(KMeansModel {
            algorithm,
            metric: self.metric,
            centroids: restored,
            prepared: centroids,
            origin,
            sizes,
            inertias,
            inertia,
            iterations,
            converged,
            interrupted,
            seed: self.seed,
            rows: dataset.rows(),
            labels,
            trace,
            timings,
            streamed,
            moves,
            warnings,
        })
    }
}
