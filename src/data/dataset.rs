//! A source that was read once and found good.

use std::fmt;
use std::ops::Range;

use super::source::RowSource;
use super::statistics::{Statistics, Survey};
use crate::{Error, Place, Result};

/// How far off the origin, in squared standard deviations of all columns, f32 data lie before it is moved: 16 is four
/// standard deviations, which cost a difference of squares (|x|² − 2x·c + |c|²) about four of its 24 bits.
const OFFSET: f64 = 16.0;

/// Rows that are fit to compute on: finite, in the range of f32, at least one row and one column; with their
/// [`Statistics`], their weights if they have any, and the origin that is taken off when they are read.
///
/// Everything is computed in f32. What is read from a data set is therefore each value less its column's origin, formed in
/// f64 and rounded once, so that data far from zero lose no precision. Where the origin lies:
///
/// - At the column means for a wide source (f64, 32- and 64-bit integers): it is rounded anyway, so moving it is free.
/// - Nowhere (no origin, values as they are) for an f32 source, since centring takes a pass over every block and forbids
///   handing memory out without a copy; except where Σⱼ meanⱼ² > 16 Σⱼ varianceⱼ, summed over the columns. Such data lie
///   so far off that squared distances would cancel; then it lies at the means rounded to f32.
/// - At zero in a column whose values less their mean would leave the range of f32.
///
/// Add the origin to what was computed in these coordinates, such as centroids, to get back to the source's.
///
/// ```
/// use ndarray::array;
/// use superstep::data::Dataset;
///
/// let far = array![[1e8, 0.0], [1e8 + 0.25, 4.0]];
/// let data = Dataset::new(&far)?;
/// assert_eq!(data.origin(), [1e8 + 0.125, 2.0]);
///
/// let mut rows = [0.0; 4];
/// data.read(0, &mut rows)?;
/// assert_eq!(rows, [-0.125, -2.0, 0.125, 2.0]);
/// # Ok::<(), superstep::Error>(())
/// ```
pub struct Dataset<'a> {
    source: Box<dyn RowSource + 'a>,
    statistics: Statistics,
    origin: Vec<f64>,
    /// The rows that this process computes on.
    share: Range<u64>,
    weights: Option<Weights>,
}

impl<'a> Dataset<'a> {
    /// Reads a source once, in the current rayon pool, and chooses the origin.
    ///
    /// # Errors
    /// When there are no rows or columns, or a value is not a number, infinite or beyond the range of f32 (the first such
    /// is named by its place), or the source cannot be read.
    pub fn new(source: impl RowSource + 'a) -> Result<Self> {
        let survey = Survey::of(&source, 0..source.rows())?;
        Self::surveyed(source, &survey, Origin::Chosen)
    }

    /// As [`new`](Self::new), without an origin: for metrics that depend on where zero is (cosine, haversine).
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn uncentred(source: impl RowSource + 'a) -> Result<Self> {
        let survey = Survey::of(&source, 0..source.rows())?;
        Self::surveyed(source, &survey, Origin::Zero)
    }

    /// A data set that was surveyed beforehand, by this process or by several, each of its rows.
    ///
    /// # Errors
    /// When the survey is not one of all rows of such a source.
    pub fn surveyed(source: impl RowSource + 'a, survey: &Survey, at: Origin) -> Result<Self> {
        let other = || {
            let (rows, columns) = (source.rows(), source.columns());
            Error::parameter(
                "survey",
                format!("it is none of all {rows} rows of {columns} columns: merge those of all"),
            )
        };
        if source.columns() != survey.columns() {
            return Err(other());
        }
        let statistics = survey.statistics().ok_or_else(other)?;
        let origin = at.of(&statistics, source.is_wide());
        let share = 0..source.rows();
        Ok(Self { source: Box::new(source), statistics, origin, share, weights: None })
    }

    /// A part of a larger whole, of which the origin is known: it has no statistics of its own.
    pub(crate) fn at_origin(source: impl RowSource + 'a, origin: Vec<f64>) -> Self {
        let none = || Vec::new();
        let statistics = Statistics { mean: none(), variance: none(), min: none(), max: none() };
        let share = 0..source.rows();
        Self { source: Box::new(source), statistics, origin, share, weights: None }
    }

    /// Says which rows this process computes on, where several share them out: weights are kept of these alone.
    #[must_use]
    pub fn with_share(mut self, rows: Range<u64>) -> Self {
        self.share = rows.start.min(self.rows())..rows.end.min(self.rows());
        self
    }

    /// The rows that this process computes on: all, unless several processes share them out.
    pub fn share(&self) -> Range<u64> {
        self.share.clone()
    }

    /// Gives each row a weight: `n × 1` values, such as a `Vec<f32>` or an opened file.
    ///
    /// # Errors
    /// When they are not one column of `n` rows, one is negative, not finite or beyond the range of f32 (the first such is
    /// named by its place), or all are zero.
    pub fn with_weights(self, weights: impl RowSource) -> Result<Self> {
        let all = self.share == (0..self.rows());
        let dataset = self.with_some_weights(&weights)?;
        if all && dataset.weights().is_some_and(|weights| weights.held().iter().all(|weight| *weight == 0.0)) {
            let source = weights.place(0, 0).source;
            let name = if source.is_empty() { "weights".into() } else { source };
            return Err(Error::data(Place::of(name), ALL_ZERO));
        }
        Ok(dataset)
    }

    /// The same, where other processes may hold the rows that have a weight.
    pub(crate) fn with_some_weights(mut self, weights: &impl RowSource) -> Result<Self> {
        let place = |row: Option<u64>| {
            let mut place = weights.place(row.unwrap_or(0), 0);
            if row.is_none() {
                place = Place::of(place.source);
            }
            if place.source.is_empty() {
                place.source = "weights".into();
            }
            place
        };
        if weights.columns() != 1 || weights.rows() != self.rows() {
            let shape = format!("{} × {}", weights.rows(), weights.columns());
            let message = format!("the weights are {shape}; give one for each of the {} rows", self.rows());
            return Err(Error::data(place(None), message));
        }
        let first = self.share.start;
        let mut values = vec![0.0; (self.share.end - first) as usize];
        if !values.is_empty() {
            weights.read_f32(first, &[], &mut values)?;
        }
        if let Some(row) = values.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
            let message = format!("the weight {} is not a finite number ≥ 0", values[row]);
            return Err(Error::data(place(Some(first + row as u64)), message));
        }
        self.weights = Some(Weights { rows: self.rows(), first, values });
        Ok(self)
    }

    /// How many rows there are; at least one.
    pub fn rows(&self) -> u64 {
        self.source.rows()
    }

    /// How many columns there are; at least one.
    pub fn columns(&self) -> usize {
        self.source.columns()
    }

    /// Where the rows come from, with their values as they are there.
    pub fn source(&self) -> &(dyn RowSource + 'a) {
        &*self.source
    }

    /// The weights of the rows of [`share`](Self::share); `None` where all weigh 1.
    pub fn weights(&self) -> Option<&Weights> {
        self.weights.as_ref()
    }

    /// What is taken off each column; empty where nothing is.
    pub fn origin(&self) -> &[f64] {
        &self.origin
    }

    /// Mean, variance and range of each column, unweighted, in the source's coordinates.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Whether the source carries more than f32 does, so that results are owed in f64.
    pub fn is_wide(&self) -> bool {
        self.source.is_wide()
    }

    /// Reads whole rows from row `first` on, less the origin; `out.len()` is a multiple of [`columns`](Self::columns).
    ///
    /// # Errors
    /// When `out` is not whole rows of the data set, or the source cannot be read.
    pub fn read(&self, first: u64, out: &mut [f32]) -> Result<()> {
        self.source.read_f32(first, &self.origin, out)
    }

    /// What [`read`](Self::read) would give of these rows, row-major, where it lies in memory as it is.
    pub fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        if self.origin.is_empty() { self.source.in_memory(rows) } else { None }
    }
}

impl fmt::Debug for Dataset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("rows", &self.rows())
            .field("columns", &self.columns())
            .field("is_wide", &self.is_wide())
            .field("origin", &self.origin)
            .field("is_weighted", &self.weights.is_some())
            .finish_non_exhaustive()
    }
}

/// Where the origin of a data set lies: see [`Dataset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Where f32 loses least.
    Chosen,
    /// Where the source has it.
    Zero,
}

impl Origin {
    pub(crate) fn of(self, statistics: &Statistics, is_wide: bool) -> Vec<f64> {
        match self {
            Self::Chosen => origin(statistics, is_wide),
            Self::Zero => Vec::new(),
        }
    }
}

/// Why weights are refused that no row has.
pub(crate) const ALL_ZERO: &str = "all weights are zero; at least one must be above";

/// The weights of rows, as a table of one column: of all rows, of which this process holds those of its share.
#[derive(Debug, Clone)]
pub struct Weights {
    rows: u64,
    first: u64,
    values: Vec<f32>,
}

impl Weights {
    /// Those of all rows of a table.
    pub(crate) fn of_all(values: Vec<f32>) -> Self {
        Self { rows: values.len() as u64, first: 0, values }
    }

    /// The weights that are held, in the order of the rows.
    pub fn held(&self) -> &[f32] {
        &self.values
    }

    /// The weights of these rows; `None` where some are not held.
    pub fn of(&self, rows: Range<u64>) -> Option<&[f32]> {
        let at = |row: u64| row.checked_sub(self.first).and_then(|row| usize::try_from(row).ok());
        self.values.get(at(rows.start)?..at(rows.end)?)
    }
}

impl RowSource for Weights {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn columns(&self) -> usize {
        1
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        self.of(rows)
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        let values = self.of(first..first.saturating_add(out.len() as u64)).ok_or_else(not_held)?;
        out.iter_mut().zip(values).for_each(|(out, value)| *out = f64::from(*value));
        Ok(())
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        let values = self.of(first..first.saturating_add(out.len() as u64)).ok_or_else(not_held)?;
        let origin = origin.first().copied().unwrap_or(0.0);
        out.iter_mut().zip(values).for_each(|(out, value)| *out = (f64::from(*value) - origin) as f32);
        Ok(())
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of("weights").row(row).column(column as u64)
    }
}

fn not_held() -> Error {
    Error::parameter("weights", "those rows are not of this process's share")
}

/// The origin for data of these statistics: see [`Dataset`].
fn origin(statistics: &Statistics, is_wide: bool) -> Vec<f64> {
    let squared_offset: f64 = statistics.mean.iter().map(|mean| mean * mean).sum();
    let spread: f64 = statistics.variance.iter().sum();
    if !is_wide && squared_offset <= OFFSET * spread {
        return Vec::new();
    }
    let ranges = statistics.min.iter().zip(&statistics.max);
    let means = statistics.mean.iter().zip(ranges).map(|(mean, (min, max))| {
        let mean = if is_wide { *mean } else { f64::from(*mean as f32) };
        let fits = ((min - mean) as f32).is_finite() && ((max - mean) as f32).is_finite();
        if fits { mean } else { 0.0 }
    });
    means.collect()
}
