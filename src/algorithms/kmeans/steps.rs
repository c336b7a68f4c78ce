//! k-means in steps, for engines that run the map and the reduce themselves: Spark, Dask, Ray, or files in a folder.
//!
//! The rows lie in *shards*, wherever the engine keeps them. One map over them surveys the data, then each round is one map
//! and one reduce:
//!
//! ```text
//! map     ShardSurvey::of(shard)      reduce  ShardSurvey::merge
//!         Step::new(survey, centroids)
//! map     step.partial(shard)         reduce  Partial::merge
//!         step.finish(partial)        → the next step, the centroids, how far they moved
//! ```
//!
//! Surveys, steps and partial results are bytes where they must travel. Partial results are integers: they merge in any
//! order, with the bits that [`KMeans::fit`](super::KMeans::fit) finds in one process from the same centroids.

use super::begin::NoLabels;
use super::keys::{CENTROIDS, CHANGES, EXPONENTS, NO_WEIGHTS, PARTIALS, POINTS, SUMMARY, Summary, WEIGHTS};
use super::metric::Metric;
use super::plan::Plan;
use super::prepare::{self, Prepared, SAMPLE};
use super::reassign::Reassign;
use super::update::{Summarise, Update};
use crate::backend::cpu::{FixedPoint, Partials, WideColumns};
use crate::collective::{Collective, Local};
use crate::data::wire::{Word, read_list, write_list};
use crate::data::{Dataset, Origin, RowSource, Survey};
use crate::queue::{AllReduce, IterativeComQueue, Session};
use crate::{Error, Result};
use ndarray::Array2;
use std::ops::Range;
use std::sync::Arc;

/// What is known of some of the rows, before the first round: their number, moments and ranges, and those rows of a sample
/// of 16,384 that are among them.
///
/// It takes at most about 128 KiB a column, all shards together.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardSurvey {
    moments: Survey,
    wide: bool,
    /// The largest weight, where rows have weights.
    max_weight: Option<f32>,
    /// Row-major values, as they are in the source, and weights.
    sample: Vec<f64>,
    sample_weights: Vec<f32>,
}

impl ShardSurvey {
    /// Surveys a shard that holds the rows from number `first` on of `total` rows, with their weights (`rows × 1`) where
    /// rows have weights. A shard begins with a row whose number is a multiple of 4096.
    ///
    /// # Errors
    /// When a value is not a finite number (named by its place), when a weight is negative, or when the shard's rows are not
    /// such.
    pub fn of(
        shard: &(impl RowSource + ?Sized),
        weights: Option<&dyn RowSource>,
        first: u64,
        total: u64,
    ) -> Result<Self> {
        let rows = first..first.saturating_add(shard.rows());
        let moments = Survey::of_shard(shard, rows.clone(), first, total)?;
        let weights = weights.map(|weights| values_of(weights, shard.rows())).transpose()?;
        let step = total.div_ceil(SAMPLE).max(1);
        let mut row = vec![0.0; shard.columns()];
        let (mut sample, mut sample_weights) = (Vec::new(), Vec::new());
        for at in (first.next_multiple_of(step)..rows.end).step_by(step as usize) {
            shard.read_f64(at - first, &mut row)?;
            sample.extend_from_slice(&row);
            sample_weights.extend(weights.as_ref().and_then(|weights| weights.get((at - first) as usize)));
        }
        let max_weight = weights.map(|weights| weights.iter().copied().fold(0.0, f32::max));
        Ok(Self { moments, wide: shard.is_wide(), max_weight, sample, sample_weights })
    }

    /// Adds what is known of other rows of the same whole.
    ///
    /// # Errors
    /// When the other is of another whole, or only one of them has weights.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.max_weight.is_some() != other.max_weight.is_some() {
            return Err(Error::parameter("weights", "some shards have weights and some have none: give all or none"));
        }
        self.moments.merge(other.moments)?;
        self.wide |= other.wide;
        self.max_weight = self.max_weight.zip(other.max_weight).map(|(a, b)| a.max(b));
        self.sample.extend(other.sample);
        self.sample_weights.extend(other.sample_weights);
        Ok(())
    }

    /// The bytes that [`decode`](Self::decode) reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Vec::new();
        write_list(&self.moments.encode(), &mut to);
        u8::from(self.wide).write(&mut to);
        self.max_weight.unwrap_or(f32::NAN).write(&mut to);
        write_list(&self.sample, &mut to);
        write_list(&self.sample_weights, &mut to);
        to
    }

    /// The survey of these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = bytes;
        let moments = Survey::decode(&read_list::<u8>(&mut from)?)?;
        let (wide, weight) = (u8::read(&mut from)? == 1, f32::read(&mut from)?);
        let (sample, sample_weights) = (read_list(&mut from)?, read_list(&mut from)?);
        let max_weight = (!weight.is_nan()).then_some(weight);
        from.is_empty().then_some(Self { moments, wide, max_weight, sample, sample_weights })
    }
}

/// The weights of a shard, checked.
fn values_of(weights: &dyn RowSource, rows: u64) -> Result<Vec<f32>> {
    let empty = Dataset::at_origin(Array2::<f32>::zeros((rows as usize, 1)), Vec::new());
    empty.with_some_weights(&weights).map(|dataset| dataset.weights().map_or(Vec::new(), |held| held.held().to_vec()))
}

/// One round for all shards: the centroids, and the units that sums are kept in.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    metric: Metric,
    rows: u64,
    origin: Vec<f64>,
    /// k × d', in the space of the kernels.
    centroids: Array2<f32>,
    fixed: FixedPoint,
}

/// What one shard, or several, add to a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    rows: u64,
    sums: Vec<i64>,
}

/// What a round came to.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The round that follows.
    pub next: Step,
    /// The centroids it starts from, k × d in the data's own space: of each cluster the middle of its rows; a cluster
    /// without rows keeps its own ([`EmptyClusters::Keep`](super::EmptyClusters::Keep)).
    pub centroids: Array2<f64>,
    /// The inertia of the rows with the centroids of *this* round, as in a trace.
    pub inertia: f64,
    /// How far the centroids moved: squared shifts, summed.
    pub shift: f64,
    /// The rows of each cluster, or the sum of their weights.
    pub sizes: Vec<f64>,
}

impl Step {
    /// The first round from given centroids, k × d, once all shards are surveyed.
    ///
    /// # Errors
    /// When the survey lacks rows, the centroids do not fit the data, or the metric is city block, whose medians take more
    /// than one reduce a round.
    pub fn new(metric: Metric, survey: &ShardSurvey, centroids: &Array2<f64>) -> Result<Self> {
        if metric == Metric::CityBlock {
            let message = "city block needs medians, which take eight reductions a round: `KMeans::fit` computes them";
            return Err(Error::parameter("metric", message));
        }
        let columns = survey.moments.columns();
        metric.check_columns(columns)?;
        super::Init::Centroids(centroids.clone()).check(centroids.nrows(), columns)?;
        if centroids.nrows() == 0 {
            return Err(Error::parameter("k", "0 clusters: take 1 or more"));
        }
        let missing = || Error::parameter("survey", "some rows were not surveyed: merge the surveys of all shards");
        let statistics = survey.moments.statistics().ok_or_else(missing)?;
        if survey.max_weight == Some(0.0) {
            return Err(Error::parameter("weights", crate::data::ALL_ZERO));
        }
        let at = if metric.is_spherical() { Origin::Zero } else { Origin::Chosen };
        let (rows, origin) = (survey.moments.rows(), at.of(&statistics, survey.wide));
        let points = prepare::prepare_block(metric, &origin, centroids, 0..centroids.nrows() as u64)?;
        let largest = prepare::largest(metric, metric.prepared_columns(columns), &statistics, &origin);
        let fixed = prepare::units(rows, metric, &largest, survey.max_weight.map(f64::from), &points)?;
        let fixed = fixed.with_words(words(metric, &origin, survey, &fixed)?)?;
        let shape = (centroids.nrows(), metric.prepared_columns(columns));
        let centroids =
            Array2::from_shape_vec(shape, points).map_err(|error| Error::parameter("k", error.to_string()))?;
        Ok(Self { metric, rows, origin, centroids, fixed })
    }

    /// What a shard adds to the round. It runs on the session's devices.
    ///
    /// # Errors
    /// When the shard is of another width, weights are given and were not surveyed or the other way round, the session is
    /// one of several ranks, or a device fails.
    pub fn partial(
        &self,
        session: &Session,
        shard: &(impl RowSource + ?Sized),
        weights: Option<&dyn RowSource>,
    ) -> Result<Partial> {
        self.check(session)?;
        let dataset = Dataset::at_origin(shard, self.origin.clone());
        if self.metric.prepared_columns(dataset.columns()) != self.centroids.ncols() {
            let message = format!("it has {} columns, the step was made for others", dataset.columns());
            return Err(Error::data(shard.place(0, 0), message));
        }
        if weights.is_some() != self.fixed.is_weighted() {
            return Err(Error::parameter("weights", "give them to every survey and every partial result, or to none"));
        }
        let dataset = match &weights {
            Some(weights) => dataset.with_some_weights(weights)?,
            None => dataset,
        };
        if dataset.rows() == 0 {
            return Ok(Partial { rows: 0, sums: self.plan().partials()?.into_values() });
        }
        session.install(|| {
            let local: Arc<dyn Collective> = Arc::new(Local);
            let prepared = Prepared::new(&dataset, self.metric, &local)?;
            let plan = self.plan();
            let queue = IterativeComQueue::once(session)
                .init_with_partitioned_data(POINTS, &prepared)
                .init_with_broadcast_data(CENTROIDS, self.centroids.clone())
                .init_with_broadcast_data(EXPONENTS, self.fixed.exponents().to_vec());
            let queue = match dataset.weights() {
                Some(weights) => queue.init_with_partitioned_data(WEIGHTS, weights),
                None => queue.init_with_broadcast_data(NO_WEIGHTS, vec![1.0]),
            };
            let sums = queue
                .add(NoLabels)
                .add(Reassign(plan))
                .add(AllReduce::sum(CHANGES))
                .close_with(|cx| cx.get(CHANGES).cloned())
                .exec()?;
            Ok(Partial { rows: dataset.rows(), sums })
        })
    }

    /// Ends the round, with the partial results of all shards.
    ///
    /// # Errors
    /// When rows are missing or there are too many, or the partial result is not one of such a step.
    pub fn finish(&self, session: &Session, partial: &Partial) -> Result<Finished> {
        self.check(session)?;
        if partial.rows != self.rows {
            let message = format!("it holds {} of {} rows: merge each shard's once", partial.rows, self.rows);
            return Err(Error::parameter("partial", message));
        }
        let (plan, k) = (self.plan(), self.centroids.nrows());
        let sums = Partials::from_values(&self.fixed, k, partial.sums.clone())?;
        let (centroids, summary) = IterativeComQueue::once(session)
            .init_with_broadcast_data(CENTROIDS, self.centroids.clone())
            .init_with_broadcast_data(EXPONENTS, self.fixed.exponents().to_vec())
            .init_with_broadcast_data(PARTIALS, partial.sums.clone())
            .init_with_broadcast_data(SUMMARY, vec![0; Summary::WORDS])
            .add(Update(plan.clone()))
            .add(Summarise(plan))
            .close_with(|cx| Ok((cx.get(CENTROIDS)?.clone(), Summary::of_words(cx.get(SUMMARY)?)?)))
            .exec()?;
        let restored =
            centroids.outer_iter().flat_map(|row| self.metric.restore(&row.to_vec(), &self.origin)).collect();
        let columns = if self.metric == Metric::Haversine { 2 } else { self.centroids.ncols() };
        let restored = Array2::from_shape_vec((k, columns), restored);
        Ok(Finished {
            centroids: restored.map_err(|error| Error::parameter("k", error.to_string()))?,
            inertia: self.metric.inertia_of_kernel(sums.inertia()),
            shift: f64::from(summary.shift),
            sizes: (0..k).map(|cluster| sums.mass(cluster)).collect(),
            next: Self { centroids, ..self.clone() },
        })
    }

    /// The bytes that [`decode`](Self::decode) reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Vec::new();
        write_list(self.metric.as_str().as_bytes(), &mut to);
        self.rows.write(&mut to);
        write_list(&self.origin, &mut to);
        (self.centroids.nrows() as u64).write(&mut to);
        write_list(&self.centroids.iter().copied().collect::<Vec<f32>>(), &mut to);
        self.fixed.bits().write(&mut to);
        (self.fixed.words() as u64).write(&mut to);
        u8::from(self.fixed.is_weighted()).write(&mut to);
        write_list(&self.fixed.exponents().iter().map(|&e| i64::from(e)).collect::<Vec<_>>(), &mut to);
        to
    }

    /// The step of these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = bytes;
        let metric = String::from_utf8(read_list::<u8>(&mut from)?).ok()?.parse().ok()?;
        let (rows, origin) = (u64::read(&mut from)?, read_list(&mut from)?);
        let (k, values) = (usize::try_from(u64::read(&mut from)?).ok()?, read_list::<f32>(&mut from)?);
        let (bits, words) = (u32::read(&mut from)?, usize::try_from(u64::read(&mut from)?).ok()?);
        let weighted = u8::read(&mut from)? == 1;
        let exponents = read_list::<i64>(&mut from)?.into_iter().map(i32::try_from).collect::<Result<_, _>>().ok()?;
        let fixed = FixedPoint::from_exponents(bits, words, weighted, exponents).ok()?;
        let columns = values.len().checked_div(k)?;
        let centroids = Array2::from_shape_vec((k, columns), values).ok()?;
        (from.is_empty() && fixed.columns() == columns).then_some(Self { metric, rows, origin, centroids, fixed })
    }

    fn plan(&self) -> Plan {
        // The centroids are moved in one place, by whoever finishes the round.
        Plan::of_one_round(self.rows, self.centroids.dim(), self.metric, self.fixed.clone())
    }

    fn check(&self, session: &Session) -> Result<()> {
        if session.collective().size() == 1 {
            return Ok(());
        }
        let message = "steps run in one process each; take a session without a collective, or `KMeans::fit`";
        Err(Error::parameter("session", message))
    }
}

/// One word a sum or two, by the sample: as `KMeans::fit` decides it.
fn words(metric: Metric, origin: &[f64], survey: &ShardSurvey, fixed: &FixedPoint) -> Result<usize> {
    let columns = survey.moments.columns();
    let mut counts = WideColumns::new(fixed);
    let rows = survey.sample.len() / columns.max(1);
    let sample = Array2::from_shape_vec((rows, columns), survey.sample.clone());
    let sample = sample.map_err(|error| Error::parameter("survey", error.to_string()))?;
    let all: Range<u64> = 0..rows as u64;
    let weights = survey.max_weight.map(|_| survey.sample_weights.as_slice());
    counts.add_rows(&prepare::prepare_block(metric, origin, &sample, all)?, weights)?;
    Ok(counts.words())
}

impl Partial {
    /// Adds what other shards contribute to the same round.
    ///
    /// # Errors
    /// When the other is of another step, or a sum does not fit.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.sums.len() != other.sums.len() {
            let message = format!("one has {} sums, the other {}", self.sums.len(), other.sums.len());
            return Err(Error::parameter("partial", format!("{message}: both must be of one step")));
        }
        self.rows = self.rows.saturating_add(other.rows);
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum = sum
                .checked_add(*more)
                .ok_or_else(|| Error::parameter("partial", "the sums overflow: merge each once"))?;
        }
        Ok(())
    }

    /// The bytes that [`decode`](Self::decode) reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Vec::new();
        self.rows.write(&mut to);
        write_list(&self.sums, &mut to);
        to
    }

    /// The partial result of these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = bytes;
        let (rows, sums) = (u64::read(&mut from)?, read_list(&mut from)?);
        from.is_empty().then_some(Self { rows, sums })
    }
}
