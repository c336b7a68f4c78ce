//! Greedy k-means++.

use super::{Draws, POINTS, Stream, WEIGHTS, queue, random};
use crate::algorithms::kmeans::params::KMeans;
use crate::algorithms::kmeans::plan::rows_a_block;
use crate::algorithms::kmeans::prepare::Prepared;
use crate::algorithms::kmeans::progress::Progress;
use crate::backend::cpu::{Closer, Distance, Isa, distances_to_all};
use crate::data::RowSource;
use crate::queue::{
    AllReduce, ComContext, ComputeFunction, Gather, Gathered, IterationListener, Key, Objects, Session,
};
use crate::{Error, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The centroids chosen so far; the rows that follow are zero.
const CHOSEN: Key<Array2<f32>> = Key::new("chosen");
/// The one chosen last, and which of the candidates it was.
const NEWEST: Key<Vec<f32>> = Key::new("newest");
const BEST: Key<u64> = Key::new("best");
/// The rows that were drawn this round.
const CANDIDATES: Key<Array2<f32>> = Key::new("candidates");
/// What the potential would become with each candidate: of all rows, and of each block of a task's rows, so that a draw need
/// not pass over all rows.
const POTENTIALS: Key<Vec<i64>> = Key::new("potentials");
const BLOCKS: Key<Array2<i64>> = Key::new("blocks");
/// Each row's distance to the nearest of the centroids chosen, but the newest.
const CLOSEST: Key<Vec<f32>> = Key::new("closest");
/// Each row's squared length, for the screen.
const SQUARES: Key<Vec<f32>> = Key::new("squares");
/// The potential of each task, and of all tasks.
const TOTAL: Key<i64> = Key::new("total");
const TOTALS: Key<Gathered<i64>> = Key::new("totals");

/// From this number of columns on, rows are screened before they are measured.
const SCREENED: usize = 16;
/// Where more than one in so many pairs of a row and a point passes the screen, all are measured at once: sixteen rows in
/// lanes then outrun single ones.
const MEASURED_AT_ONCE: usize = 16;

/// k centroids by greedy k-means++.
///
/// A round chooses the best candidate of the round before, draws the next ones, and in one pass over the rows brings the
/// distances up to date and finds what each candidate would leave: k passes in all. The first candidate is alone, so that
/// a round more than centroids is needed. Distances are turned into integers, so their sums, and with them every draw, are
/// exact and do not depend on how the rows are cut.
pub(super) fn choose(kmeans: &KMeans, session: &Session, prepared: &Prepared, seed: u64) -> Result<Array2<f32>> {
    let (k, d) = (kmeans.k, prepared.columns());
    let first = random::choose(session, prepared, 1, seed)?;
    let trials = 2 + (k as f64).ln() as usize;
    let settings = Arc::new(Settings { draws: Draws::new(kmeans, prepared, seed)?, k, trials });
    let run = queue(session, prepared)
        .init_with_broadcast_data(CHOSEN, Array2::zeros((k, d)))
        .init_with_broadcast_data(CANDIDATES, first)
        .init_with_broadcast_data(POTENTIALS, vec![0])
        .add(Adopt)
        .add(Count)
        .add(Gather::new(TOTAL, TOTALS))
        .add(Draw(settings.clone()))
        .add(AllReduce::sum(CANDIDATES))
        .add(Evaluate(settings))
        .add(AllReduce::sum(POTENTIALS))
        .set_max_iter(k as u32 + 1)
        .listen(Tell(kmeans))
        .close_with(|cx| cx.is_first_here().then(|| cx.take(CHOSEN)).transpose())
        .run()?;
    let nothing = || Error::wiring("k-means++", CHOSEN.name(), "no task ran");
    let mut chosen = run.results.into_iter().next().flatten().ok_or_else(nothing)?;
    let done = run.rounds as usize - 1;
    if done < k {
        // Interrupted: rows at random fill up, so that the round that follows still has k centroids to work with. The
        // first of these is the one that was begun with.
        let known = done.min(1);
        let rest = random::choose(session, prepared, k - done + known, seed)?;
        chosen.slice_mut(ndarray::s![done.., ..]).assign(&rest.slice(ndarray::s![known.., ..]));
    }
    Ok(chosen)
}

/// Rows whose potential is kept as one number: a draw looks through that many.
fn block(columns: usize) -> usize {
    rows_a_block(columns).min(512)
}

struct Settings {
    draws: Draws,
    k: usize,
    /// Rows drawn in a round.
    trials: usize,
}

impl Settings {
    /// Whether all centroids are chosen, so that nothing more is drawn.
    fn is_last(&self, cx: &ComContext) -> bool {
        cx.step_no() as usize > self.k
    }
}

/// Chooses the candidate with the lowest potential, the first of several; in round 1 there is none yet.
struct Adopt;

impl ComputeFunction for Adopt {
    fn objects(&self) -> Objects {
        Objects::reads((CANDIDATES, POTENTIALS)).updates(CHOSEN).writes((NEWEST, BEST)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let Some(before) = (cx.step_no() as usize).checked_sub(2) else {
            cx.put(BEST, 0)?;
            return cx.put(NEWEST, Vec::new());
        };
        let potentials = cx.get(POTENTIALS)?;
        let best = (0..potentials.len()).min_by_key(|&at| potentials[at]).unwrap_or(0);
        let centroid = cx.get(CANDIDATES)?.row(best).to_owned();
        cx.get_mut(CHOSEN)?.row_mut(before).assign(&centroid);
        cx.put(BEST, best as u64)?;
        cx.put(NEWEST, centroid.to_vec())
    }
}

/// Sums the potential of the task's rows.
struct Count;

impl ComputeFunction for Count {
    fn objects(&self) -> Objects {
        Objects::reads(BEST).updates(BLOCKS).writes(TOTAL)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let best = *cx.get(BEST)? as usize;
        let total = if cx.contains(BLOCKS) { cx.get(BLOCKS)?.column(best).sum() } else { 0 };
        cx.put(TOTAL, total)
    }
}

/// Draws rows with probability proportional to their potential. Every task draws the same numbers; the one that holds a
/// row puts it, the others put zeros, and the sum of all is the row.
struct Draw(Arc<Settings>);

impl ComputeFunction for Draw {
    fn objects(&self) -> Objects {
        let objects = Objects::reads((POINTS, BEST, NEWEST, TOTALS)).updates((BLOCKS, CLOSEST, CANDIDATES));
        self.0.draws.with_weights(objects)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if self.0.is_last(cx) {
            return Ok(());
        }
        let totals = &cx.get(TOTALS)?.0;
        let total: i64 = totals.iter().sum();
        let before: i64 = totals[..cx.task_id()].iter().sum();
        if total == 0 {
            // Round 1, or every row coincides with a centroid: the last one drawn, which has weight, is taken again.
            let mut again = cx.get(CANDIDATES)?.clone();
            if cx.task_id() > 0 {
                again.fill(0.0);
            }
            return cx.put(CANDIDATES, again);
        }
        let mut candidates = Array2::zeros((self.0.trials, cx.rows(POINTS)?.columns()));
        let round = u64::from(cx.step_no() - 1);
        for (trial, mut candidate) in candidates.outer_iter_mut().enumerate() {
            let stream = Stream::Candidates as u32;
            let target = self.0.draws.philox.below(stream, round, trial as u32, total as u64) as i64;
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
        if target < 0 {
            return Ok(None);
        }
        let (rows, blocks) = (cx.rows(POINTS)?, cx.get(BLOCKS)?.column(*cx.get(BEST)? as usize));
        let length = block(rows.columns());
        let mut left = target;
        for (block, &total) in blocks.iter().enumerate() {
            if left < total {
                return self.find_within(cx, block * length..((block + 1) * length).min(rows.len()), left).map(Some);
            }
            left -= total;
        }
        Ok(None)
    }

    /// The row of a block in whose part of the block's potential the target lies.
    fn find_within(&self, cx: &ComContext, rows: Range<usize>, target: i64) -> Result<usize> {
        let (mut scratch, mut weight_scratch, draws) = (Vec::new(), Vec::new(), &self.0.draws);
        let weights = if draws.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let weights = weights.as_ref().map(|w| w.read(rows.clone(), &mut weight_scratch)).transpose()?;
        let (source, newest) = (cx.rows(POINTS)?, cx.get(NEWEST)?);
        let values = source.read(rows.clone(), &mut scratch)?;
        let mut distances = vec![0.0; rows.len()];
        distances_to_all(values, newest, source.columns(), draws.distance, Isa::detect(), &mut distances)?;
        let closest = &cx.get(CLOSEST)?[rows.clone()];
        let mut left = target;
        for (at, (closest, distance)) in closest.iter().zip(distances).enumerate() {
            left -= draws.potential(closest.min(distance), weights.map(|weights| weights[at]));
            if left < 0 {
                return Ok(rows.start + at);
            }
        }
        Err(Error::wiring("Draw", CLOSEST.name(), "the rows of a block do not sum to its potential: they have changed"))
    }
}

/// Brings every row's distance up to date with the centroid chosen last, and finds the potential that each candidate would
/// leave: one pass over the rows.
///
/// What a candidate changes is summed, not what it leaves: most rows are nearer to a centroid already chosen, and a screen
/// shows so without their exact distance.
struct Evaluate(Arc<Settings>);

impl ComputeFunction for Evaluate {
    fn objects(&self) -> Objects {
        let objects =
            Objects::reads((POINTS, NEWEST, BEST, CANDIDATES)).updates((CLOSEST, SQUARES, BLOCKS, POTENTIALS));
        self.0.draws.with_weights(objects)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if self.0.is_last(cx) {
            return Ok(());
        }
        let count = cx.rows(POINTS)?.len();
        let is_first = !cx.contains(CLOSEST);
        let mut closest = if is_first { vec![f32::INFINITY; count] } else { cx.take(CLOSEST)? };
        let mut squares = if is_first { vec![0.0; count] } else { cx.take(SQUARES)? };
        let blocks = self.evaluate(cx, &mut closest, &mut squares)?;
        cx.put(CLOSEST, closest)?;
        cx.put(SQUARES, squares)?;
        cx.put(POTENTIALS, blocks.columns().into_iter().map(|column| column.sum()).collect())?;
        cx.put(BLOCKS, blocks)
    }
}

impl Evaluate {
    /// The potential that each candidate would leave in each block of rows: blocks × candidates.
    fn evaluate(&self, cx: &ComContext, closest: &mut [f32], squares: &mut [f32]) -> Result<Array2<i64>> {
        let rows = cx.rows(POINTS)?;
        let weights = if self.0.draws.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let (newest, candidates) = (cx.get(NEWEST)?, cx.get(CANDIDATES)?);
        let before = if cx.contains(BLOCKS) { Some(cx.get(BLOCKS)?.column(*cx.get(BEST)? as usize)) } else { None };
        let points = newest.iter().chain(candidates).copied().collect();
        let pass = Pass::new(&self.0.draws, points, usize::from(!newest.is_empty()), rows.columns())?;
        let length = block(rows.columns());
        let blocks = closest.par_chunks_mut(length).zip(squares.par_chunks_mut(length)).enumerate();
        let blocks = blocks.map(|(block, (closest, squares))| {
            let (mut scratch, mut weight_scratch) = (Vec::new(), Vec::new());
            let range = block * length..block * length + closest.len();
            let values = rows.read(range.clone(), &mut scratch)?;
            let weights = weights.as_ref().map(|w| w.read(range, &mut weight_scratch)).transpose()?;
            if let (Some(closer), None) = (&pass.closer, &before) {
                closer.squared_lengths(values, squares)?;
            }
            let mut state = Rows { values, weights, closest, squares };
            match (&pass.closer, &before) {
                (Some(closer), Some(before)) => pass.screened(closer, &mut state, before[block]),
                _ => pass.measured(&mut state),
            }
        });
        let blocks = blocks.collect::<Result<Vec<Vec<i64>>>>()?;
        let shape = (blocks.len(), candidates.nrows());
        Array2::from_shape_vec(shape, blocks.concat()).map_err(|error| Error::parameter("init", error.to_string()))
    }
}

/// A block of rows on its way through a round.
struct Rows<'a> {
    values: &'a [f32],
    weights: Option<&'a [f32]>,
    closest: &'a mut [f32],
    squares: &'a [f32],
}

/// What the blocks of a round have in common.
struct Pass<'a> {
    draws: &'a Draws,
    /// The centroid chosen last, if any, and the candidates.
    points: Vec<f32>,
    has_newest: usize,
    columns: usize,
    closer: Option<Closer>,
}

impl<'a> Pass<'a> {
    fn new(draws: &'a Draws, points: Vec<f32>, has_newest: usize, columns: usize) -> Result<Self> {
        // For few columns the exact distance takes no longer than the screen.
        let screens =
            draws.distance == Distance::SquaredEuclidean && columns >= SCREENED && points.len() / columns <= 32;
        let closer = screens.then(|| Closer::new(&points, columns, Isa::detect())).transpose()?;
        Ok(Self { draws, points, has_newest, columns, closer })
    }

    /// By the distance of every row to every point.
    fn measured(&self, rows: &mut Rows) -> Result<Vec<i64>> {
        let count = self.points.len() / self.columns;
        let mut distances = vec![0.0; rows.closest.len() * count];
        distances_to_all(rows.values, &self.points, self.columns, self.draws.distance, Isa::detect(), &mut distances)?;
        let mut totals = vec![0; count - self.has_newest];
        for (at, (closest, distances)) in rows.closest.iter_mut().zip(distances.chunks(count)).enumerate() {
            let (newest, candidates) = distances.split_at(self.has_newest);
            *closest = newest.iter().fold(*closest, |closest, distance| closest.min(*distance));
            let weight = rows.weights.map(|weights| weights[at]);
            for (total, distance) in totals.iter_mut().zip(candidates) {
                *total += self.draws.potential(closest.min(*distance), weight);
            }
        }
        Ok(totals)
    }

    /// By what the candidates change of a potential that is known: that of the block with the centroid chosen last.
    fn screened(&self, closer: &Closer, rows: &mut Rows, potential: i64) -> Result<Vec<i64>> {
        let count = rows.closest.len();
        let mut masks = vec![0; count];
        closer.screen(rows.values, rows.squares, rows.closest, &mut masks)?;
        let open: u32 = masks.iter().map(|mask| mask.count_ones()).sum();
        if open as usize * MEASURED_AT_ONCE > count * self.points.len() / self.columns {
            return self.measured(rows);
        }
        let mut totals = vec![potential; self.points.len() / self.columns - self.has_newest];
        for (at, &mask) in masks.iter().enumerate().filter(|(_, mask)| **mask != 0) {
            let (row, weight) = (&rows.values[at * self.columns..][..self.columns], rows.weights.map(|w| w[at]));
            let closest = &mut rows.closest[at];
            let points = (0..u32::BITS as usize).filter(|point| mask >> point & 1 == 1);
            for point in points {
                let distance = closer.distance(row, point);
                if distance >= *closest {
                    continue;
                }
                match point.checked_sub(self.has_newest) {
                    // It comes first, so the candidates are compared with what it leaves.
                    None => *closest = distance,
                    Some(candidate) => {
                        let less = self.draws.potential(*closest, weight) - self.draws.potential(distance, weight);
                        totals[candidate] -= less;
                    }
                }
            }
        }
        Ok(totals)
    }
}

struct Tell<'k>(&'k KMeans);

impl IterationListener for Tell<'_> {
    fn on_round_end(&self, round: u32, _: &ComContext) -> Result<()> {
        self.0.tell(Progress::Init { done: round as usize - 1, of: self.0.k });
        Ok(())
    }
}
