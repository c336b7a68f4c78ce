//! k-means||.

use super::{Draws, POINTS, Stream, WEIGHTS, matrix, queue, random, sample};
use crate::Result;
use crate::algorithms::kmeans::begin::NoLabels;
use crate::algorithms::kmeans::keys::{CENTROIDS, CHANGES, EXPONENTS, NO_WEIGHTS};
use crate::algorithms::kmeans::params::KMeans;
use crate::algorithms::kmeans::plan::{Plan, rows_a_block};
use crate::algorithms::kmeans::prepare::Prepared;
use crate::algorithms::kmeans::progress::Progress;
use crate::algorithms::kmeans::reassign::Reassign;
use crate::backend::cpu::{Isa, Nearest, Partials, Scratch};
use crate::data::wire::{Word, read_list, write_list};
use crate::data::{Dataset, RowSource};
use crate::queue::{AllReduce, ComContext, ComputeFunction, IterationListener, Key, Object, Objects, Session};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use std::sync::Arc;

/// The rows drawn in the round before, and all before them.
const NEW: Key<Drawn> = Key::new("new");
const CANDIDATES: Key<Drawn> = Key::new("candidates");
/// Each row's distance to the nearest candidate so far.
const CLOSEST: Key<Vec<f32>> = Key::new("closest");
/// The sum of all rows' distances, as an integer.
const POTENTIAL: Key<i64> = Key::new("potential");

/// Rounds of drawing; the paper's experiments find no gain beyond five.
const ROUNDS: u32 = 5;
/// About this many times k rows are drawn in each round.
const OVERSAMPLING: f64 = 2.0;
/// Rows a thread takes at a time, at most.
const BLOCK: usize = 1024;

/// Rows in the order of their numbers.
#[derive(Clone, Default)]
struct Drawn {
    rows: Vec<(u64, Vec<f32>)>,
}

impl Object for Drawn {
    const TRAVELS: bool = true;

    fn encode(&self) -> Option<Vec<u8>> {
        let mut to = Vec::new();
        for (row, values) in &self.rows {
            row.write(&mut to);
            write_list(values, &mut to);
        }
        Some(to)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut rows = Vec::new();
        while !bytes.is_empty() {
            rows.push((u64::read(&mut bytes)?, read_list(&mut bytes)?));
        }
        Some(Self { rows })
    }
}

impl Drawn {
    fn merge(&mut self, other: &Self) {
        self.rows.extend_from_slice(&other.rows);
        self.rows.sort_by_key(|(row, _)| *row);
    }

    fn values(&self) -> Vec<f32> {
        self.rows.iter().flat_map(|(_, values)| values.iter().copied()).collect()
    }
}

/// k centroids by k-means||: candidates drawn in a few passes, weighted by the rows nearest to each, and clustered.
///
/// Candidates take O(rounds · k · d), distances 4 bytes a row; nothing is n × k.
pub(super) fn choose(kmeans: &KMeans, session: &Session, prepared: &Prepared, seed: u64) -> Result<Array2<f32>> {
    let (k, d) = (kmeans.k, prepared.columns());
    let candidates = draw(kmeans, session, prepared, seed)?;
    if candidates.nrows() <= k {
        // Fewer distinct rows than clusters, or nearly: every candidate is wanted, and rows at random fill up.
        let mut values = candidates.into_raw_vec_and_offset().0;
        let missing = k - values.len() / d;
        if missing > 0 {
            values.extend(random::choose(session, prepared, missing, seed)?);
        }
        return matrix(values, d);
    }
    let weights = masses(kmeans, session, prepared, &candidates)?;
    let dataset = Dataset::uncentred(candidates.view())?.with_weights(weights)?;
    let (local, metric) = sample::alone(session, kmeans)?;
    let model = KMeans::new(k).seed(seed).metric(metric).max_iter(30).session(&local).fit_dataset(&dataset)?;
    let centroids = model.centroids().mapv(|value| value as f32);
    if kmeans.metric.is_spherical() { Ok(on_the_sphere(centroids)) } else { Ok(centroids) }
}

/// The mass of the rows nearest to each candidate: one assignment, as in the iteration itself.
fn masses(kmeans: &KMeans, session: &Session, prepared: &Prepared, candidates: &Array2<f32>) -> Result<Vec<f32>> {
    let plan = Plan::new(session, prepared, kmeans.metric, candidates, false)?;
    // One round has no inertia.
    let plan = Plan { steered: false, inertia_from_sums: false, ..plan };
    let queue = queue(session, prepared)
        .init_with_broadcast_data(CENTROIDS, candidates.clone())
        .init_with_broadcast_data(EXPONENTS, plan.fixed.exponents().to_vec());
    let queue = if plan.weighted { queue } else { queue.init_with_broadcast_data(NO_WEIGHTS, vec![1.0]) };
    queue
        .add(NoLabels)
        .add(Reassign(plan.clone()))
        .add(AllReduce::sum(CHANGES))
        .set_max_iter(1)
        .close_with(move |cx| {
            let partials = Partials::from_values(&plan.fixed, plan.k, cx.get(CHANGES)?.clone())?;
            Ok((0..plan.k).map(|candidate| partials.mass(candidate) as f32).collect())
        })
        .exec()
}

fn on_the_sphere(mut centroids: Array2<f32>) -> Array2<f32> {
    for mut row in centroids.outer_iter_mut() {
        let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if norm > 0.0 {
            row.mapv_inplace(|value| (f64::from(value) / norm) as f32);
        }
    }
    centroids
}

fn draw(kmeans: &KMeans, session: &Session, prepared: &Prepared, seed: u64) -> Result<Array2<f32>> {
    let first = random::choose(session, prepared, 1, seed)?;
    let expected = OVERSAMPLING * kmeans.k as f64;
    let settings = Arc::new(Settings { draws: Draws::new(kmeans, prepared, seed)?, expected });
    let concatenate = |into: &mut Drawn, from: &Drawn| {
        into.merge(from);
        Ok(())
    };
    let first = Drawn { rows: vec![(0, first.into_raw_vec_and_offset().0)] };
    let drawn = queue(session, prepared)
        .init_with_broadcast_data(NEW, first)
        .init_with_broadcast_data(CANDIDATES, Drawn::default())
        .add(Collect)
        .add(Measure(settings.clone()))
        .add(AllReduce::sum(POTENTIAL))
        .add(Oversample(settings))
        .add(AllReduce::by(NEW, concatenate))
        .set_max_iter(ROUNDS)
        .listen(Tell(kmeans))
        .close_with(|cx| {
            let mut all = Drawn::default();
            if cx.is_first_here() {
                all = cx.take(CANDIDATES)?;
                all.rows.extend(cx.take(NEW)?.rows);
            }
            Ok(all)
        })
        .exec()?;
    matrix(drawn.values(), prepared.columns())
}

struct Settings {
    draws: Draws,
    /// How many rows a round is expected to draw.
    expected: f64,
}

/// Adds the rows drawn last to the candidates.
struct Collect;

impl ComputeFunction for Collect {
    fn objects(&self) -> Objects {
        Objects::reads(NEW).updates(CANDIDATES).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let new = cx.get(NEW)?.rows.clone();
        cx.get_mut(CANDIDATES)?.rows.extend(new);
        Ok(())
    }
}

/// Brings every row's distance up to date with the rows drawn last, and sums them.
struct Measure(Arc<Settings>);

impl ComputeFunction for Measure {
    fn objects(&self) -> Objects {
        let objects = Objects::reads((POINTS, NEW)).updates(CLOSEST).writes(POTENTIAL);
        self.0.draws.with_weights(objects)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let new = cx.get(NEW)?.values();
        let count = cx.rows(POINTS)?.len();
        let mut closest = if cx.contains(CLOSEST) { cx.take(CLOSEST)? } else { vec![f32::INFINITY; count] };
        let potential = self.measure(cx, &new, &mut closest)?;
        cx.put(CLOSEST, closest)?;
        cx.put(POTENTIAL, potential)
    }
}

impl Measure {
    fn measure(&self, cx: &ComContext, new: &[f32], closest: &mut [f32]) -> Result<i64> {
        let (rows, settings) = (cx.rows(POINTS)?, &*self.0);
        let d = rows.columns();
        let weights = if settings.draws.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let points = ArrayView2::from_shape((new.len() / d, d), new)
            .map_err(|error| crate::Error::parameter("init", error.to_string()))?;
        let nearest =
            (!new.is_empty()).then(|| Nearest::new(points, settings.draws.distance, Isa::detect())).transpose()?;
        let length = rows_a_block(d).min(BLOCK);
        let blocks = closest.par_chunks_mut(length).enumerate().map(|(block, closest)| {
            let (mut scratch, mut weight_scratch) = (Vec::new(), Vec::new());
            let range = block * length..block * length + closest.len();
            let values = rows.read(range.clone(), &mut scratch)?;
            let weights = weights.as_ref().map(|w| w.read(range, &mut weight_scratch)).transpose()?;
            if let Some(nearest) = &nearest {
                let (mut labels, mut distances) = (vec![0; closest.len()], vec![0.0; closest.len()]);
                nearest.assign(values, &mut Scratch::default(), &mut labels)?;
                nearest.distances(values, &labels, &mut distances)?;
                closest.iter_mut().zip(distances).for_each(|(closest, distance)| *closest = closest.min(distance));
            }
            let potentials = closest.iter().enumerate();
            Ok(potentials.map(|(at, closest)| settings.draws.potential(*closest, weights.map(|w| w[at]))).sum::<i64>())
        });
        blocks.try_reduce(|| 0, |a, b| Ok(a + b))
    }
}

/// Draws each row with probability `expected` × its share of the potential, independently.
struct Oversample(Arc<Settings>);

impl ComputeFunction for Oversample {
    fn objects(&self) -> Objects {
        self.0.draws.with_weights(Objects::reads((POINTS, CLOSEST, POTENTIAL)).updates(NEW))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (rows, closest, settings) = (cx.rows(POINTS)?, cx.get(CLOSEST)?, &*self.0);
        let weights = if settings.draws.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let (potential, round) = (*cx.get(POTENTIAL)? as f64, cx.step_no());
        let first_row = rows.first_row();
        let length = rows_a_block(rows.columns()).min(BLOCK);
        let blocks = closest.par_chunks(length).enumerate().map(|(block, closest)| {
            let mut weight_scratch = Vec::new();
            let range = block * length..block * length + closest.len();
            let weights = weights.as_ref().map(|w| w.read(range.clone(), &mut weight_scratch)).transpose()?;
            let mut drawn = Vec::new();
            for (at, closest) in range.zip(closest) {
                let share = settings.draws.potential(*closest, weights.map(|w| w[at % length])) as f64;
                let row = first_row + at as u64;
                // The share is 0 where the potential is, so a coincidence of all rows draws nothing.
                if share > 0.0
                    && settings.draws.philox.uniform(Stream::Oversample as u32, row, round) * potential
                        < settings.expected * share
                {
                    drawn.push((row, rows.read(at..at + 1, &mut Vec::new())?.to_vec()));
                }
            }
            Ok(drawn)
        });
        let drawn = Drawn { rows: blocks.collect::<Result<Vec<_>>>()?.concat() };
        cx.put(NEW, drawn)
    }
}

struct Tell<'k>(&'k KMeans);

impl IterationListener for Tell<'_> {
    fn on_round_end(&self, round: u32, _: &ComContext) -> Result<()> {
        self.0.tell(Progress::Init { done: round as usize, of: ROUNDS as usize });
        Ok(())
    }
}
