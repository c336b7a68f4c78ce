//! K-means of rows that come batch by batch: [`OnlineKMeans`] follows a stream, [`MiniBatchKMeans`] draws its batches from a
//! table.
//!
//! Both are one unbounded iteration. A round labels the rows of a batch and sums them by label, with the items of k-means,
//! all-reduces the sums, and moves each centroid towards the mean of its rows (`follow`). What differs is where batches come
//! from, how old rows fade, and what becomes of clusters that get none (`reseat`).

mod follow;
mod mini_batch;
mod online;
mod reseat;

pub use mini_batch::{MiniBatchKMeans, PartialFit};
pub use online::{Decay, OnlineKMeans, OnlineVersion};

use super::init::Init;
use super::keys::{CENTROIDS, CHANGES, EXPONENTS, LABELS, NO_LABEL, NO_WEIGHTS, POINTS};
use super::metric::Metric;
use super::model::KMeansModel;
use super::params::{Algorithm, KMeans};
use super::plan::Plan;
use super::prepare::{Prepared, prepare_block};
use super::progress::Timings;
use super::reassign::Reassign;
use crate::backend::cpu::FixedPoint;
use crate::data::RowSource;
use crate::queue::{AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Session};
use crate::{Error, Result};
use follow::Follow;
use ndarray::Array2;

/// The centroids in f64, k × d' in the space of the kernels, and the mass of each: how much a row that comes weighs against it.
const CENTRES: Key<Array2<f64>> = Key::new("centres");
const MASSES: Key<Vec<f64>> = Key::new("masses");
/// Of the batch: its rows, its inertia before the centroids moved, and the sum of their squared shifts.
const BATCH: Key<Vec<f64>> = Key::new("batch");
/// Rows since clusters were last given new seats, and the clusters that are given one in this round.
const SINCE: Key<u64> = Key::new("since");
const UNSEATED: Key<Vec<u32>> = Key::new("unseated");

/// The most rows of a batch: that many sums of products leave room in their integers.
const MOST_ROWS: u64 = 1 << 24;

/// How much larger than the first rows later ones may be.
const REACH: f64 = (1 << 20) as f64;

/// Where a stream starts from: its space, its centroids, the units of its sums.
struct Begun {
    metric: Metric,
    origin: Vec<f64>,
    /// The largest magnitude that rows may have in the space of the kernels.
    most: f64,
    plan: Plan,
    centres: Array2<f64>,
    masses: Vec<f64>,
}

/// What a stream has come to.
#[derive(Clone)]
struct State {
    centres: Array2<f64>,
    masses: Vec<f64>,
    since: u64,
}

impl State {
    /// How many rows each cluster was given, to the nearest one.
    fn sizes(&self) -> Vec<u64> {
        self.masses.iter().map(|mass| mass.round() as u64).collect()
    }
}

impl Begun {
    /// Chooses the first centroids (or takes those given, k × d with their masses) from the first rows, and finds out how large rows are.
    fn new(
        kmeans: &KMeans,
        session: &Session,
        first: &(impl RowSource + ?Sized),
        given: Option<&(Array2<f64>, Vec<f64>)>,
    ) -> Result<Self> {
        let kmeans = match given {
            Some((centroids, _)) => kmeans.clone().init(Init::Centroids(centroids.clone())),
            None => kmeans.clone(),
        };
        if given.is_none() {
            session.collective().agree(kmeans.check(first.rows(), first.columns()))?;
        } else {
            session.collective().agree(kmeans.check(u64::MAX, first.columns()))?;
        }
        let dataset = kmeans.dataset(first)?;
        let prepared = Prepared::new(&dataset, kmeans.metric, session.collective())?;
        let centroids = kmeans.init.choose(&kmeans, session, &prepared, kmeans.seed)?;
        let masses = given.map_or_else(|| vec![0.0; kmeans.k], |(_, masses)| masses.clone());
        Self::at(&kmeans, session, &prepared, centroids.mapv(f64::from), masses)
    }

    /// Starts from these centroids, in the space of the kernels.
    fn at(
        kmeans: &KMeans,
        session: &Session,
        prepared: &Prepared,
        centres: Array2<f64>,
        masses: Vec<f64>,
    ) -> Result<Self> {
        if kmeans.metric == Metric::CityBlock {
            let message = "city block has medians, which do not follow batch by batch: take another metric";
            return Err(Error::parameter("metric", message));
        }
        let (k, d) = centres.dim();
        let largest = centres.iter().fold(prepared.largest(), |most, value| most.max(value.abs()));
        let most = if largest > 0.0 { (largest * REACH).min(f64::from(f32::MAX) / 4.0) } else { REACH };
        let farthest = (4.0 * d as f64 * most * most).min(f32::MAX.into());
        // Two words reach from there down to far below the last bit of the first rows.
        let fixed = FixedPoint::plan(MOST_ROWS, &vec![most; d], None, farthest)?.with_words(2)?;
        let mut devices = session.devices().windows(2);
        let mixed_devices = devices.any(|pair| pair[0].info() != pair[1].info());
        let plan = Plan { mixed_devices, ..Plan::of_one_round(MOST_ROWS, (k, d), kmeans.metric, fixed) };
        let origin = prepared.dataset().origin().to_vec();
        Ok(Self { metric: kmeans.metric, origin, most, plan, centres, masses })
    }

    /// Rows of a batch in the space of the kernels, checked.
    fn prepare(&self, batch: &dyn RowSource) -> Result<Array2<f32>> {
        prepare_rows(self.metric, &self.origin, self.most, batch)
    }

    fn state(&self) -> State {
        State { centres: self.centres.clone(), masses: self.masses.clone(), since: 0 }
    }

    /// Gives a queue, whose rows are those of a batch, what it starts from, and the items of a round but for what `follow` says.
    fn round<'q>(
        &self,
        queue: IterativeComQueue<'q>,
        state: State,
        follow: Follow,
        seed: u64,
    ) -> IterativeComQueue<'q> {
        let queue = queue
            .init_with_broadcast_data(CENTROIDS, state.centres.mapv(|value| value as f32))
            .init_with_broadcast_data(CENTRES, state.centres)
            .init_with_broadcast_data(MASSES, state.masses)
            .init_with_broadcast_data(SINCE, state.since)
            .init_with_broadcast_data(EXPONENTS, self.plan.fixed.exponents().to_vec())
            .init_with_broadcast_data(NO_WEIGHTS, vec![1.0])
            .add(FreshLabels)
            .add(Reassign(self.plan.clone()))
            .add(AllReduce::sum(CHANGES));
        let reseats = follow.reassignment_ratio > 0.0;
        let queue = queue.add(follow);
        if reseats { reseat::add(queue, &self.plan, seed) } else { queue }
    }

    /// Centroids in the data's own space.
    fn restore(&self, centres: &Array2<f64>) -> Result<Array2<f64>> {
        let rows = centres.outer_iter().flat_map(|row| match self.metric {
            Metric::Haversine => self.metric.restore(&row.mapv(|value| value as f32).to_vec(), &self.origin),
            _ => {
                let origin = self.origin.iter().chain(std::iter::repeat(&0.0));
                row.iter().zip(origin).map(|(value, origin)| value + origin).collect()
            }
        });
        let values: Vec<f64> = rows.collect();
        let columns = values.len() / centres.nrows().max(1);
        Array2::from_shape_vec((centres.nrows(), columns), values)
            .map_err(|error| Error::parameter("k", error.to_string()))
    }

    /// A model that predicts with these centroids.
    fn model(&self, kmeans: &KMeans, state: &State, told: Told) -> Result<KMeansModel> {
        let Told { labels, sizes, inertia, rows, rounds, converged, interrupted, warnings } = told;
        Ok(KMeansModel {
            algorithm: Algorithm::Lloyd,
            metric: self.metric,
            centroids: self.restore(&state.centres)?,
            prepared: state.centres.mapv(|value| value as f32),
            origin: self.origin.clone(),
            sizes,
            inertia,
            inertias: Vec::new(),
            iterations: rounds,
            converged,
            interrupted,
            seed: kmeans.seed,
            rows,
            labels,
            trace: Vec::new(),
            timings: Timings::default(),
            streamed: None,
            moves: 0,
            warnings,
        })
    }
}

/// What a model says besides its centroids.
struct Told {
    labels: Vec<u32>,
    sizes: Vec<u64>,
    inertia: f64,
    rows: u64,
    rounds: u32,
    converged: bool,
    interrupted: bool,
    warnings: Vec<String>,
}

/// Takes the state out of a task.
fn state_of(cx: &ComContext) -> Result<State> {
    Ok(State { centres: cx.get(CENTRES)?.clone(), masses: cx.get(MASSES)?.clone(), since: *cx.get(SINCE)? })
}

/// Rows of a batch in the space of a metric's kernels: finite, and not beyond what sums have room for.
fn prepare_rows(metric: Metric, origin: &[f64], most: f64, batch: &dyn RowSource) -> Result<Array2<f32>> {
    let rows = batch.rows();
    if rows > MOST_ROWS {
        let message = format!("a batch of {rows} rows is too large: at most {MOST_ROWS} are taken at a time");
        return Err(Error::data(batch.place(0, 0), message));
    }
    let values = prepare_block(metric, origin, batch, 0..rows)?;
    let columns = metric.prepared_columns(batch.columns());
    if let Some(at) = values.iter().position(|value| f64::from(value.abs()) > most) {
        let message = "it is more than a million times as large as any value of the first batch: scale the columns, or begin \
                       with a batch of usual rows";
        return Err(Error::data(batch.place((at / columns) as u64, at % columns), message));
    }
    Array2::from_shape_vec((rows as usize, columns), values)
        .map_err(|error| Error::parameter("batch", error.to_string()))
}

/// Gives every row of a batch a label that no row has.
struct FreshLabels;

impl ComputeFunction for FreshLabels {
    fn objects(&self) -> Objects {
        Objects::reads(POINTS).writes(LABELS)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let rows = cx.rows(POINTS)?.len();
        cx.put(LABELS, vec![NO_LABEL; rows])
    }
}
