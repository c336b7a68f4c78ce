//! Greedy k-means++.

use super::{Draws, POINTS, Stream, WEIGHTS, queue, random};
use crate::algorithms::kmeans::params::KMeans;
use crate::algorithms::kmeans::prepare::Prepared;
use crate::algorithms::kmeans::progress::Progress;
use crate::backend::cpu::{Isa, distances_to_all};
use crate::data::RowSource;
use crate::queue::{
    AllReduce, ComContext, ComputeFunction, Gather, Gathered, IterationListener, Key, Objects, Session,
};
use crate::{Error, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::sync::Arc;

/// The centroids chosen so far; the rows that follow are zero.
const CHOSEN: Key<Array2<f32>> = Key::new("chosen");
/// The rows that were drawn this round.
const CANDIDATES: Key<Array2<f32>> = Key::new("candidates");
/// What the potential would become with each candidate.
const POTENTIALS: Key<Vec<i64>> = Key::new("potentials");
/// Each row's distance to the nearest centroid so far.
const CLOSEST: Key<Vec<f32>> = Key::new("closest");
/// The potential of each block of rows, of each task, and of all tasks.
const BLOCKS: Key<Vec<i64>> = Key::new("blocks");
const TOTAL: Key<i64> = Key::new("total");
const TOTALS: Key<Gathered<i64>> = Key::new("totals");

/// Rows of a block, whose potential is kept so that a draw need not pass over all rows.
const BLOCK: usize = 4096;

/// k centroids by greedy k-means++.
///
/// A round adopts the best candidate of the round before, then draws the next ones. Distances are turned into integers,
/// so their sums, and with them every draw, are exact and do not depend on how the rows are cut.
pub(super) fn choose(kmeans: &KMeans, session: &Session, prepared: &Prepared, seed: u64) -> Result<Array2<f32>> {
    let (k, d) = (kmeans.k, prepared.columns());
    let first = random::choose(session, prepared, 1, seed)?;
    let trials = 2 + (k as f64).ln() as usize;
    let settings = Arc::new(Settings { draws: Draws::new(kmeans, prepared, seed)?, k, trials });
    let run = queue(session, prepared)
        .init_with_broadcast_data(CHOSEN, Array2::zeros((k, d)))
        .init_with_broadcast_data(CANDIDATES, first)
        .init_with_broadcast_data(POTENTIALS, vec![0])
        .add(Adopt(settings.clone()))
        .add(Gather::new(TOTAL, TOTALS))
        .add(Draw(settings.clone()))
        .add(AllReduce::sum(CANDIDATES))
        .add(Evaluate(settings))
        .add(AllReduce::sum(POTENTIALS))
        .set_max_iter(k as u32)
        .listen(Tell(kmeans))
        .close_with(|cx| cx.take(CHOSEN))
        .run()?;
    let nothing = || Error::wiring("k-means++", CHOSEN.name(), "no task ran");
    let mut chosen = run.results.into_iter().next().ok_or_else(nothing)?;
    let missing = k - run.rounds as usize;
    if missing > 0 {
        // Interrupted: rows at random fill up, so that the round that follows still has k centroids to work with. The
        // first of these is the one that was begun with.
        let rest = random::choose(session, prepared, missing + 1, seed)?;
        chosen.slice_mut(ndarray::s![k - missing.., ..]).assign(&rest.slice(ndarray::s![1.., ..]));
    }
    Ok(chosen)
}

struct Settings {
    draws: Draws,
    k: usize,
    /// Rows drawn in a round.
    trials: usize,
}

impl Settings {
    fn is_last(&self, cx: &ComContext) -> bool {
        cx.step_no() as usize >= self.k
    }
}

/// Takes the candidate with the lowest potential, the first of several, and brings every row's distance up to date.
struct Adopt(Arc<Settings>);

impl ComputeFunction for Adopt {
    fn objects(&self) -> Objects {
        let objects = Objects::reads((POINTS, CANDIDATES, POTENTIALS));
        self.0.draws.with_weights(objects.updates((CHOSEN, CLOSEST)).writes((BLOCKS, TOTAL)))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let potentials = cx.get(POTENTIALS)?;
        let best = (0..potentials.len()).min_by_key(|&at| potentials[at]).unwrap_or(0);
        let centroid = cx.get(CANDIDATES)?.row(best).to_owned();
        let mut chosen = cx.take(CHOSEN)?;
        chosen.row_mut(cx.step_no() as usize - 1).assign(&centroid);
        cx.put(CHOSEN, chosen)?;
        let count = cx.rows(POINTS)?.len();
        let mut closest = if cx.contains(CLOSEST) { cx.take(CLOSEST)? } else { vec![f32::INFINITY; count] };
        let blocks = self.bring_up_to_date(cx, &mut closest, centroid.as_slice().unwrap_or(&[]))?;
        cx.put(CLOSEST, closest)?;
        cx.put(TOTAL, blocks.iter().sum())?;
        cx.put(BLOCKS, blocks)
    }
}

impl Adopt {
    fn bring_up_to_date(&self, cx: &ComContext, closest: &mut [f32], centroid: &[f32]) -> Result<Vec<i64>> {
        let (rows, settings, isa) = (cx.rows(POINTS)?, &*self.0, Isa::detect());
        let weights = if settings.draws.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let blocks = closest.par_chunks_mut(BLOCK).enumerate().map(|(block, closest)| {
            let (mut scratch, mut weight_scratch) = (Vec::new(), Vec::new());
            let range = block * BLOCK..block * BLOCK + closest.len();
            let values = rows.read(range.clone(), &mut scratch)?;
            let weights = weights.as_ref().map(|w| w.read(range, &mut weight_scratch)).transpose()?;
            let mut distances = vec![0.0; closest.len()];
            distances_to_all(values, centroid, rows.columns(), settings.draws.distance, isa, &mut distances)?;
            let mut total = 0;
            for (at, (closest, distance)) in closest.iter_mut().zip(distances).enumerate() {
                *closest = closest.min(distance);
                total += settings.draws.potential(*closest, weights.map(|weights| weights[at]));
            }
            Ok(total)
        });
        blocks.collect()
    }
}

/// Draws rows with probability proportional to their potential. Every task draws the same numbers; the one that holds a
/// row puts it, the others put zeros, and the sum of all is the row.
struct Draw(Arc<Settings>);

impl ComputeFunction for Draw {
    fn objects(&self) -> Objects {
        self.0.draws.with_weights(Objects::reads((POINTS, CLOSEST, BLOCKS, TOTALS)).updates(CANDIDATES))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if self.0.is_last(cx) {
            return Ok(());
        }
        let totals = &cx.get(TOTALS)?.0;
        let total: i64 = totals.iter().sum();
        let before: i64 = totals[..cx.task_id()].iter().sum();
        if total == 0 {
            // Every row coincides with a centroid: the last one drawn, which has weight, is taken again.
            let mut again = cx.get(CANDIDATES)?.clone();
            if cx.task_id() > 0 {
                again.fill(0.0);
            }
            return cx.put(CANDIDATES, again);
        }
        let mut candidates = Array2::zeros((self.0.trials, cx.rows(POINTS)?.columns()));
        for (trial, mut candidate) in candidates.outer_iter_mut().enumerate() {
            let stream = Stream::Candidates as u32;
            let target = self.0.draws.philox.below(stream, u64::from(cx.step_no()), trial as u32, total as u64) as i64;
            if let Some(row) = self.find(cx, target - before)? {
                let mut scratch = Vec::new();
                let values = cx.rows(POINTS)?.read(row..row + 1, &mut scratch)?.to_vec();
                candidate.iter_mut().zip(values).for_each(|(to, from)| *to = from);
            }
        }
        cx.put(CANDIDATES, candidates)
    }
}

impl Draw {
    /// The task's row in whose part of the potential the target lies; `None` where it lies in another task's.
    fn find(&self, cx: &ComContext, target: i64) -> Result<Option<usize>> {
        let (blocks, closest) = (cx.get(BLOCKS)?, cx.get(CLOSEST)?);
        if target < 0 {
            return Ok(None);
        }
        let mut left = target;
        for (block, &total) in blocks.iter().enumerate() {
            if left >= total {
                left -= total;
                continue;
            }
            let range = block * BLOCK..((block + 1) * BLOCK).min(closest.len());
            let mut scratch = Vec::new();
            let weights = if self.0.draws.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
            let weights = weights.as_ref().map(|w| w.read(range.clone(), &mut scratch)).transpose()?;
            for row in range.clone() {
                left -= self.0.draws.potential(closest[row], weights.map(|weights| weights[row - range.start]));
                if left < 0 {
                    return Ok(Some(row));
                }
            }
        }
        Ok(None)
    }
}

/// The potential that each candidate would leave.
struct Evaluate(Arc<Settings>);

impl ComputeFunction for Evaluate {
    fn objects(&self) -> Objects {
        self.0.draws.with_weights(Objects::reads((POINTS, CLOSEST, CANDIDATES)).updates(POTENTIALS))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if self.0.is_last(cx) {
            return Ok(());
        }
        let (rows, settings, isa) = (cx.rows(POINTS)?, &*self.0, Isa::detect());
        let weights = if settings.draws.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let (closest, candidates) = (cx.get(CLOSEST)?, cx.get(CANDIDATES)?.as_standard_layout());
        let count = candidates.nrows();
        let candidates = candidates.as_slice().unwrap_or(&[]);
        let blocks = closest.par_chunks(BLOCK).enumerate().map(|(block, closest)| {
            let (mut scratch, mut weight_scratch) = (Vec::new(), Vec::new());
            let range = block * BLOCK..block * BLOCK + closest.len();
            let values = rows.read(range.clone(), &mut scratch)?;
            let weights = weights.as_ref().map(|w| w.read(range, &mut weight_scratch)).transpose()?;
            let mut distances = vec![0.0; closest.len() * count];
            distances_to_all(values, candidates, rows.columns(), settings.draws.distance, isa, &mut distances)?;
            let mut totals = vec![0; count];
            for (at, (closest, distances)) in closest.iter().zip(distances.chunks_exact(count)).enumerate() {
                let weight = weights.map(|weights| weights[at]);
                for (total, distance) in totals.iter_mut().zip(distances) {
                    *total += settings.draws.potential(closest.min(*distance), weight);
                }
            }
            Ok::<_, Error>(totals)
        });
        let add = |mut a: Vec<i64>, b: Vec<i64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            Ok(a)
        };
        let potentials = blocks.try_reduce(|| vec![0; count], add)?;
        cx.put(POTENTIALS, potentials)
    }
}

struct Tell<'k>(&'k KMeans);

impl IterationListener for Tell<'_> {
    fn on_round_end(&self, round: u32, _: &ComContext) -> Result<()> {
        self.0.tell(Progress::Init { done: round as usize, of: self.0.k });
        Ok(())
    }
}
