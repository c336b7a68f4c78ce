//! What the values of a table are like, whether they are fit to compute on or not: one pass, block by block.

use super::interrupt::Interrupt;
use rayon::prelude::*;
use superstep::Result;
use superstep::data::RowSource;

/// Values that a thread reads at a time: 512 KiB.
const CHUNK: usize = 1 << 16;

/// Chunks that are read between two looks at Ctrl-C.
const CHUNKS: u64 = 256;

/// What was found in the rows looked at so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scan {
    /// The least and the greatest finite value of each column; infinite the wrong way round where there is none.
    pub(super) min: Vec<f64>,
    pub(super) max: Vec<f64>,
    /// How many values are not numbers, and how many are infinite, of each column.
    pub(super) nan: Vec<u64>,
    pub(super) infinite: Vec<u64>,
    /// Row and column of the first of each.
    pub(super) first_nan: Option<(u64, usize)>,
    pub(super) first_infinite: Option<(u64, usize)>,
}

impl Scan {
    /// Of no rows.
    fn none(columns: usize) -> Self {
        Self {
            min: vec![f64::INFINITY; columns],
            max: vec![f64::NEG_INFINITY; columns],
            nan: vec![0; columns],
            infinite: vec![0; columns],
            first_nan: None,
            first_infinite: None,
        }
    }

    /// Looks at all rows, in the current rayon pool, and tells `progress` how many it has; `None` when interrupted.
    pub(super) fn of(source: &dyn RowSource, interrupt: &Interrupt, progress: impl Fn(u64)) -> Result<Option<Self>> {
        let (rows, columns) = (source.rows(), source.columns());
        let chunk = (CHUNK / columns.max(1)).max(1) as u64;
        let mut all = Self::none(columns);
        let mut first = 0;
        while first < rows {
            if interrupt.is_set() {
                return Ok(None);
            }
            let end = first.saturating_add(chunk * CHUNKS).min(rows);
            source.will_need(end..end.saturating_add(chunk * CHUNKS).min(rows));
            let starts = (0..(end - first).div_ceil(chunk)).into_par_iter().map(|at| first + at * chunk);
            let found = starts.map_init(Vec::new, |values, start| {
                values.resize(chunk.min(end - start) as usize * columns, 0.0);
                source.read_f64(start, values)?;
                Ok(Self::of_chunk(values, columns, start))
            });
            // Collected first: of several faults, the one that comes first in the rows is told.
            for scan in found.collect::<Vec<Result<Self>>>() {
                all.merge(&scan?);
            }
            first = end;
            progress(first);
        }
        Ok(Some(all))
    }

    fn of_chunk(values: &[f64], columns: usize, first: u64) -> Self {
        let mut scan = Self::none(columns);
        for row in values.chunks_exact(columns) {
            // Compared so that NaN changes nothing; infinities are found below.
            for ((value, min), max) in row.iter().zip(&mut scan.min).zip(&mut scan.max) {
                *min = if value < min { *value } else { *min };
                *max = if value > max { *value } else { *max };
            }
        }
        // A fold without an early end, which becomes vector instructions; most chunks have no such value.
        if values.iter().fold(false, |any, value| any | !value.is_finite()) {
            scan.look_closer(values, columns, first);
        }
        scan
    }

    /// Looks at each value of a chunk in which some are not finite.
    fn look_closer(&mut self, values: &[f64], columns: usize, first: u64) {
        *self = Self::none(columns);
        for (at, value) in values.iter().enumerate() {
            let (row, column) = (first + (at / columns) as u64, at % columns);
            if value.is_nan() {
                self.nan[column] += 1;
                self.first_nan.get_or_insert((row, column));
            } else if value.is_infinite() {
                self.infinite[column] += 1;
                self.first_infinite.get_or_insert((row, column));
            } else {
                self.min[column] = self.min[column].min(*value);
                self.max[column] = self.max[column].max(*value);
            }
        }
    }

    /// Adds what was found in the rows after these.
    fn merge(&mut self, after: &Self) {
        let pairs = |own: &mut Vec<f64>, other: &[f64], pick: fn(f64, f64) -> f64| {
            own.iter_mut().zip(other).for_each(|(own, other)| *own = pick(*own, *other));
        };
        pairs(&mut self.min, &after.min, f64::min);
        pairs(&mut self.max, &after.max, f64::max);
        self.nan.iter_mut().zip(&after.nan).for_each(|(own, other)| *own += other);
        self.infinite.iter_mut().zip(&after.infinite).for_each(|(own, other)| *own += other);
        self.first_nan = self.first_nan.or(after.first_nan);
        self.first_infinite = self.first_infinite.or(after.first_infinite);
    }
}
