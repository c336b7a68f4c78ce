//! A source that was read once and found good.

use std::fmt;
use std::ops::Range;

use super::source::RowSource;
use super::statistics::Statistics;
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
    weights: Option<Vec<f32>>,
}

impl<'a> Dataset<'a> {
    /// Reads a source once, in the current rayon pool, and chooses the origin.
    ///
    /// # Errors
    /// When there are no rows or columns, or a value is not a number, infinite or beyond the range of f32 (the first such
    /// is named by its place), or the source cannot be read.
    pub fn new(source: impl RowSource + 'a) -> Result<Self> {
        let mut dataset = Self::uncentred(source)?;
        dataset.origin = origin(&dataset.statistics, dataset.is_wide());
        Ok(dataset)
    }

    /// As [`new`](Self::new), without an origin: for metrics that depend on where zero is (cosine, haversine).
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn uncentred(source: impl RowSource + 'a) -> Result<Self> {
        let statistics = Statistics::measure(&source)?;
        Ok(Self { source: Box::new(source), statistics, origin: Vec::new(), weights: None })
    }

    /// Gives each row a weight: `n × 1` values, such as a `Vec<f32>` or an opened file.
    ///
    /// # Errors
    /// When they are not one column of `n` rows, one is negative, not finite or beyond the range of f32 (the first such is
    /// named by its place), or all are zero.
    pub fn with_weights(mut self, weights: impl RowSource) -> Result<Self> {
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
        let mut values = vec![0.0; weights.rows() as usize];
        weights.read_f32(0, &[], &mut values)?;
        if let Some(row) = values.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
            let message = format!("the weight {} is not a finite number ≥ 0", values[row]);
            return Err(Error::data(place(Some(row as u64)), message));
        }
        if values.iter().all(|weight| *weight == 0.0) {
            return Err(Error::data(place(None), "all weights are zero; at least one must be above"));
        }
        self.weights = Some(values);
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

    /// The weight of each row; `None` where all weigh 1.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
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
