//! Per-column statistics of a source, and its validation, in one parallel pass.
//!
//! Blocks of 4096 rows, counted from the source's first, are measured each on its own and merged in a tree whose shape
//! depends on the number of blocks alone: the bits do not depend on threads, nor on which process measured which rows.
//! Moments are merged as in Chan, Golub and
//! LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979), from deviations about
//! local means, so an offset of 10⁸ leaves the variance as exact as the data are.

use std::ops::Range;

use super::source::RowSource;
use super::tree::{BLOCK, Tree, blocks_of, rows_of_block};
use super::wire::{Word, read_list, write_list};
use crate::{Error, Place, Result};

/// Values converted to f64 at a time: 64 KiB, so that the second look at them finds them in the cache.
const CHUNK: usize = 8192;

/// Accumulators side by side, at least, so that narrow rows fill the vector registers too.
const LANES: usize = 32;

/// What is known of each column: four lists of `d` values.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The arithmetic mean.
    pub mean: Vec<f64>,
    /// The population variance: squared deviations from the mean, divided by the number of rows.
    pub variance: Vec<f64>,
    /// The least value.
    pub min: Vec<f64>,
    /// The greatest value.
    pub max: Vec<f64>,
}

/// What was measured of some of a source's rows: the part of its [`Statistics`] that one process contributes.
///
/// It is small, O(d log n), travels as bytes, and merges with those of the other rows in any order; the statistics that
/// come of all rows have the bits that one process finds.
///
/// ```
/// use superstep::data::Survey;
///
/// let table = ndarray::Array2::from_shape_fn((10_000, 2), |(row, column)| (row * 7 % 11 + column) as f32);
/// let mut survey = Survey::of(&table, 0..4096)?;
/// survey.merge(Survey::of(&table, 4096..10_000)?)?;
/// assert_eq!(survey.statistics(), Survey::of(&table, 0..10_000)?.statistics());
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Of the whole source.
    rows: u64,
    columns: usize,
    tree: Tree<Moments>,
}

impl Survey {
    /// Reads a run of rows once, in the current rayon pool: from a multiple of 4096 to another, or to the last row.
    ///
    /// # Errors
    /// When there are no columns, the run is not such, or a value is not a number, infinite or beyond the range of f32: the
    /// first such by row, then column, is named.
    pub fn of(source: &(impl RowSource + ?Sized), rows: Range<u64>) -> Result<Self> {
        Self::of_shard(source, rows, 0, source.rows())
    }

    /// As [`of`](Self::of), where the source holds only some of `total` rows, from row `first` of them on; `rows` counts
    /// in the whole.
    pub(crate) fn of_shard(
        source: &(impl RowSource + ?Sized),
        rows: Range<u64>,
        first: u64,
        total: u64,
    ) -> Result<Self> {
        let columns = source.columns();
        if total == 0 || columns == 0 {
            let place = Place::of(source.place(0, 0).source);
            return Err(Error::data(
                place,
                format!("there are {total} rows of {columns} columns; nothing to compute on"),
            ));
        }
        let whole = |edge: u64| edge.is_multiple_of(BLOCK) || edge == total;
        if rows.start > rows.end || rows.end > total || !whole(rows.start) || !whole(rows.end) {
            let message = format!("rows {rows:?} of {total} are not whole blocks of {BLOCK} rows from the first on");
            return Err(Error::parameter("rows", message));
        }
        let leaf = |number| block(source, rows_of_block(number, BLOCK, total), first);
        let tree = Tree::of(blocks_of(&rows, BLOCK), &leaf, Moments::merge)?;
        Ok(Self { rows: total, columns, tree })
    }

    /// Adds what was measured of other rows of the same source.
    ///
    /// # Errors
    /// When the other is of a source of another shape.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if (self.rows, self.columns) != (other.rows, other.columns) {
            let [own, others] = [&*self, &other].map(|survey| format!("{} × {}", survey.rows, survey.columns));
            return Err(Error::parameter(
                "survey",
                format!("one is of a table of {own} values, the other of {others}"),
            ));
        }
        self.tree.merge(other.tree, Moments::merge);
        Ok(())
    }

    /// The statistics of all rows; `None` where some have not been measured.
    pub fn statistics(&self) -> Option<Statistics> {
        let all = self.tree.clone().finish(self.rows.div_ceil(BLOCK), Moments::merge)?;
        let count = all.rows as f64;
        let variance = all.squares.iter().map(|squares| squares / count).collect();
        Some(Statistics { mean: all.mean, variance, min: all.min, max: all.max })
    }

    /// The bytes that [`decode`](Self::decode) reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Vec::new();
        self.rows.write(&mut to);
        (self.columns as u64).write(&mut to);
        self.tree.write(&mut to, |moments, to| {
            moments.rows.write(to);
            for list in [&moments.mean, &moments.squares, &moments.min, &moments.max] {
                write_list(list, to);
            }
        });
        to
    }

    /// The survey of these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = bytes;
        let survey = Self::read(&mut from)?;
        from.is_empty().then_some(survey)
    }

    pub(crate) fn read(from: &mut &[u8]) -> Option<Self> {
        let (rows, columns) = (u64::read(from)?, usize::try_from(u64::read(from)?).ok()?);
        let tree = Tree::read(from, |from| {
            let rows = u64::read(from)?;
            let mut list = || read_list(from).filter(|list: &Vec<f64>| list.len() == columns);
            Some(Moments { rows, mean: list()?, squares: list()?, min: list()?, max: list()? })
        })?;
        Some(Self { rows, columns, tree })
    }

    /// Rows of the whole source.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Columns of the source.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// Measures the rows of a block, of which the source's first row has the number `offset`.
fn block(source: &(impl RowSource + ?Sized), rows: Range<u64>, offset: u64) -> Result<Moments> {
    let columns = source.columns();
    let rows = rows.start.saturating_sub(offset)..rows.end.saturating_sub(offset);
    let rows_a_chunk = (CHUNK / columns).clamp(1, BLOCK as usize) as u64;
    let mut buffer = vec![0.0; rows_a_chunk as usize * columns];
    let mut moments = Moments::none(columns);
    for first in rows.clone().step_by(rows_a_chunk as usize) {
        let chunk = &mut buffer[..rows_a_chunk.min(rows.end - first) as usize * columns];
        source.read_f64(first, chunk)?;
        let of_chunk = Moments::of(chunk, columns);
        if !of_chunk.fit_f32() {
            return Err(refusal(source, first, chunk));
        }
        moments.merge(&of_chunk);
    }
    Ok(moments)
}

/// The error for the first value of a chunk that is no f32.
fn refusal(source: &(impl RowSource + ?Sized), first: u64, chunk: &[f64]) -> Error {
    let columns = source.columns();
    let (index, value) = chunk
        .iter()
        .enumerate()
        .find(|(_, value)| !(**value as f32).is_finite())
        .map_or((0, f64::NAN), |(index, value)| (index, *value));
    let message = if value.is_nan() {
        "the value is not a number (NaN); fill it in, or leave the row or the column out".to_string()
    } else if value.is_infinite() {
        format!("the value is infinite ({value}); correct it, or leave the row or the column out")
    } else {
        format!("the value {value:e} is beyond ±3.4e38, the range of f32; scale the column down")
    };
    Error::data(source.place(first + (index / columns) as u64, index % columns), message)
}

/// Running moments of each column.
#[derive(Debug, Clone, PartialEq)]
struct Moments {
    rows: u64,
    mean: Vec<f64>,
    /// Squared deviations from `mean`, summed.
    squares: Vec<f64>,
    min: Vec<f64>,
    max: Vec<f64>,
}

impl Moments {
    /// Of no rows.
    fn none(columns: usize) -> Self {
        Self {
            rows: 0,
            mean: vec![0.0; columns],
            squares: vec![0.0; columns],
            min: vec![f64::INFINITY; columns],
            max: vec![f64::NEG_INFINITY; columns],
        }
    }

    /// Of row-major rows: their means, then the deviations from those.
    fn of(rows: &[f64], columns: usize) -> Self {
        // Several rows side by side make one wide row; its last, partial one reaches the first accumulators alone.
        let width = columns * LANES.div_ceil(columns);
        let mut wide = Self::none(width);
        let sums = &mut wide.mean;
        for row in rows.chunks(width) {
            for (((value, sum), min), max) in row.iter().zip(&mut *sums).zip(&mut wide.min).zip(&mut wide.max) {
                *sum += value;
                *min = if value < min { *value } else { *min };
                *max = if value > max { *value } else { *max };
            }
        }
        let count = rows.len() / columns;
        let mut mean = fold(sums, columns, 0.0, |a, b| a + b);
        mean.iter_mut().for_each(|mean| *mean /= count as f64);
        for lanes in sums.chunks_exact_mut(columns) {
            lanes.copy_from_slice(&mean);
        }
        for row in rows.chunks(width) {
            for ((value, mean), squares) in row.iter().zip(&*sums).zip(&mut wide.squares) {
                *squares += (value - mean) * (value - mean);
            }
        }
        Self {
            rows: count as u64,
            mean,
            squares: fold(&wide.squares, columns, 0.0, |a, b| a + b),
            min: fold(&wide.min, columns, f64::INFINITY, f64::min),
            max: fold(&wide.max, columns, f64::NEG_INFINITY, f64::max),
        }
    }

    /// Whether every value was a finite f32 after rounding: a NaN or an infinity shows in the mean.
    fn fit_f32(&self) -> bool {
        let fits = |value: &f64| (*value as f32).is_finite();
        self.mean.iter().all(|mean| mean.is_finite()) && self.min.iter().all(fits) && self.max.iter().all(fits)
    }

    /// Adds the moments of other rows, of as many columns.
    fn merge(&mut self, other: &Self) {
        let (own, others) = (self.rows as f64, other.rows as f64);
        let rows = own + others;
        for (column, mean) in self.mean.iter_mut().enumerate() {
            let apart = other.mean[column] - *mean;
            *mean += apart * (others / rows);
            self.squares[column] += other.squares[column] + apart * apart * (own * others / rows);
            self.min[column] = self.min[column].min(other.min[column]);
            self.max[column] = self.max[column].max(other.max[column]);
        }
        self.rows += other.rows;
    }
}

/// Folds accumulators of rows side by side into one row, in order.
fn fold(wide: &[f64], columns: usize, start: f64, with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut folded = vec![start; columns];
    for lanes in wide.chunks_exact(columns) {
        for (folded, value) in folded.iter_mut().zip(lanes) {
            *folded = with(*folded, *value);
        }
    }
    folded
}
