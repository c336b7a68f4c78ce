//! Distinct rows at random.

use super::{POINTS, Stream, WEIGHTS, matrix, queue};
use crate::algorithms::kmeans::prepare::Prepared;
use crate::data::wire::{Word, read_list, write_list};
use crate::data::{Philox, RowSource};
use crate::queue::{AllReduce, ComContext, ComputeFunction, Key, Object, Objects, Session, TaskRows};
use crate::{Error, Result};
use ndarray::Array2;
use rayon::prelude::*;

pub(in crate::algorithms::kmeans) const DRAWN: Key<Sample> = Key::new("drawn");

/// The rows whose keys are smallest, in the order of the keys.
#[derive(Clone, Default)]
pub(in crate::algorithms::kmeans) struct Sample {
    limit: usize,
    rows: Vec<Drawn>,
}

#[derive(Clone)]
struct Drawn {
    key: f64,
    row: u64,
    values: Vec<f32>,
}

impl Object for Sample {
    const TRAVELS: bool = true;

    fn encode(&self) -> Option<Vec<u8>> {
        let mut to = Vec::new();
        (self.limit as u64).write(&mut to);
        for Drawn { key, row, values } in &self.rows {
            key.write(&mut to);
            row.write(&mut to);
            write_list(values, &mut to);
        }
        Some(to)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        let limit = usize::try_from(u64::read(from)?).ok()?;
        let mut rows = Vec::new();
        while !from.is_empty() {
            rows.push(Drawn { key: f64::read(from)?, row: u64::read(from)?, values: read_list(from)? });
        }
        Some(Self { limit, rows })
    }
}

impl Sample {
    /// The values of the rows.
    pub(in crate::algorithms::kmeans) fn values(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.iter().map(|drawn| &*drawn.values)
    }

    pub(in crate::algorithms::kmeans) fn merge(&mut self, other: &Self) {
        self.rows.extend_from_slice(&other.rows);
        self.rows.sort_by(|a, b| a.key.total_cmp(&b.key).then(a.row.cmp(&b.row)));
        self.rows.truncate(self.limit);
    }
}

/// k distinct rows, each drawn with probability proportional to its weight.
pub(super) fn choose(session: &Session, prepared: &Prepared, k: usize, seed: u64) -> Result<Array2<f32>> {
    let rows = draw(session, prepared, k, seed)?;
    if rows.nrows() < k {
        let message = format!("only {} rows have a weight above 0, fewer than n_clusters={k}", rows.nrows());
        return Err(Error::parameter("k", message));
    }
    Ok(rows)
}

/// As [`choose`], but fewer where fewer rows have weight.
pub(in crate::algorithms::kmeans) fn draw(
    session: &Session,
    prepared: &Prepared,
    k: usize,
    seed: u64,
) -> Result<Array2<f32>> {
    let weighted = prepared.dataset().weights().is_some();
    let sample = queue(session, prepared)
        .set_max_iter(1)
        .add(DrawRows { k, seed, weighted })
        .add(AllReduce::by(DRAWN, |into: &mut Sample, from| {
            into.merge(from);
            Ok(())
        }))
        .close_with(|cx| cx.take(DRAWN))
        .exec()?;
    matrix(sample.rows.into_iter().flat_map(|drawn| drawn.values).collect(), prepared.columns())
}

/// Draws rows of each task.
struct DrawRows {
    k: usize,
    seed: u64,
    weighted: bool,
}

impl ComputeFunction for DrawRows {
    fn objects(&self) -> Objects {
        let objects = Objects::reads(POINTS).writes(DRAWN);
        if self.weighted { objects.and(Objects::reads(WEIGHTS)) } else { objects }
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let weights = if self.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let drawing = Drawing { count: self.k, seed: self.seed, draw: 0 };
        let drawn = drawing.of_rows(&cx.rows(POINTS)?, weights.as_ref())?;
        cx.put(DRAWN, drawn)
    }
}

/// An exponential race: row i gets the key −ln(u)/wᵢ with a uniform u of its own, and the smallest keys win, which draws
/// rows without replacement in proportion to their weights (Efraimidis and Spirakis, "Weighted random sampling with a
/// reservoir", IPL 97, 2006).
pub(in crate::algorithms::kmeans) struct Drawing {
    pub(in crate::algorithms::kmeans) count: usize,
    pub(in crate::algorithms::kmeans) seed: u64,
    /// Tells it from other drawings of the same rows.
    pub(in crate::algorithms::kmeans) draw: u32,
}

impl Drawing {
    /// Those of a task's rows that may be among the winners of all.
    pub(in crate::algorithms::kmeans) fn of_rows(&self, rows: &TaskRows, weights: Option<&TaskRows>) -> Result<Sample> {
        const BLOCK: usize = 1 << 16;
        let philox = Philox::new(self.seed);
        let first_row = rows.first_row();
        let blocks = (0..rows.len().div_ceil(BLOCK)).into_par_iter().map(|block| {
            let range = block * BLOCK..((block + 1) * BLOCK).min(rows.len());
            let mut scratch = Vec::new();
            let weights = weights.map(|w| w.read(range.clone(), &mut scratch)).transpose()?;
            let keys = range.clone().filter_map(|at| {
                let weight = weights.map_or(1.0, |weights| f64::from(weights[at - range.start]));
                let row = first_row + at as u64;
                let uniform = philox.uniform(Stream::Rows as u32, row, self.draw);
                (weight > 0.0).then(|| (-(1.0 - uniform).ln() / weight, at))
            });
            Ok(self.smallest(keys.collect()))
        });
        let best = blocks.collect::<Result<Vec<_>>>()?.concat();
        let mut scratch = Vec::new();
        let drawn = self.smallest(best).into_iter().map(|(key, at)| {
            let values = rows.read(at..at + 1, &mut scratch)?.to_vec();
            Ok(Drawn { key, row: first_row + at as u64, values })
        });
        let mut sample = Sample { limit: self.count, rows: drawn.collect::<Result<Vec<Drawn>>>()? };
        sample.merge(&Sample::default());
        Ok(sample)
    }

    fn smallest(&self, mut keys: Vec<(f64, usize)>) -> Vec<(f64, usize)> {
        if keys.len() > self.count {
            keys.select_nth_unstable_by(self.count - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            keys.truncate(self.count);
        }
        keys
    }
}
