//! Rows as the kernels see them: less their origin, or as points of the unit sphere.

use super::metric::Metric;
use super::plan::rows_a_block;
use crate::backend::cpu::{FixedPoint, WideColumns};
use crate::data::{Dataset, RowSource};
use crate::queue::{Memory, Reservation};
use crate::{Error, Place, Result};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// How many rows are looked at to decide how wide the sums must be.
const SAMPLE: u64 = 16_384;

/// A data set in the space of a metric's kernels: n × d' rows of f32.
pub(super) struct Prepared<'a> {
    dataset: &'a Dataset<'a>,
    metric: Metric,
    columns: usize,
    pinned: Option<Pinned>,
}

/// The first rows as they are prepared, kept in memory.
struct Pinned {
    rows: u64,
    values: Vec<f32>,
    _room: Reservation,
}

impl<'a> Prepared<'a> {
    /// Checks that the metric has a value for every row.
    pub(super) fn new(dataset: &'a Dataset<'a>, metric: Metric) -> Result<Self> {
        metric.check_columns(dataset.columns())?;
        let prepared = Self { dataset, metric, columns: metric.prepared_columns(dataset.columns()), pinned: None };
        if metric.is_spherical() {
            prepared.blocks().into_par_iter().try_for_each(|range| prepared.read_rows(range).map(drop))?;
        }
        Ok(prepared)
    }

    pub(super) fn dataset(&self) -> &'a Dataset<'a> {
        self.dataset
    }

    /// Brings the rows into memory as far as it goes, so that they are read and prepared once; what already lies there as
    /// it is needed stays where it is.
    pub(super) fn pin(&mut self, memory: &Memory) -> Result<()> {
        if self.in_memory(0..self.rows()).is_some() {
            return Ok(());
        }
        self.pinned = None;
        let row = (self.columns * size_of::<f32>()) as u64;
        let room = memory.reserve_up_to(self.rows().saturating_mul(row), row);
        let rows = room.bytes() / row;
        let mut values = vec![0.0; rows as usize * self.columns];
        let length = rows_a_block(self.columns);
        let pieces = values.par_chunks_mut(length * self.columns).enumerate();
        pieces.try_for_each(|(piece, values)| self.read_f32((piece * length) as u64, &[], values))?;
        self.pinned = Some(Pinned { rows, values, _room: room });
        Ok(())
    }

    /// Lets go what [`pin`](Self::pin) has brought into memory.
    pub(super) fn unpin(&mut self) {
        self.pinned = None;
    }

    /// Blocks of rows by their numbers in the whole: the fixed shape of every floating-point reduction.
    pub(super) fn blocks(&self) -> Vec<Range<u64>> {
        let (rows, length) = (self.dataset.rows(), rows_a_block(self.columns) as u64);
        (0..rows.div_ceil(length)).map(|block| block * length..((block + 1) * length).min(rows)).collect()
    }

    pub(super) fn read_rows(&self, range: Range<u64>) -> Result<Cow<'_, [f32]>> {
        if let Some(rows) = self.in_memory(range.clone()) {
            return Ok(rows.into());
        }
        let mut rows = vec![0.0; (range.end - range.start) as usize * self.columns];
        self.read_f32(range.start, &[], &mut rows)?;
        Ok(rows.into())
    }

    /// The largest absolute value of each prepared column.
    fn largest(&self) -> Vec<f64> {
        if self.metric.is_spherical() {
            return vec![1.0; self.columns];
        }
        let (statistics, origin) = (self.dataset.statistics(), self.dataset.origin());
        let extremes = statistics.min.iter().zip(&statistics.max).enumerate();
        extremes
            .map(|(column, (min, max))| {
                let origin = origin.get(column).copied().unwrap_or(0.0);
                let (low, high) = ((min - origin) as f32, (max - origin) as f32);
                f64::from(low.abs().max(high.abs()))
            })
            .collect()
    }

    /// The mean variance of the prepared columns, to which the tolerance is relative.
    pub(super) fn mean_variance(&self) -> Result<f64> {
        if !self.metric.is_spherical() {
            let variance = &self.dataset.statistics().variance;
            return Ok(variance.iter().sum::<f64>() / variance.len().max(1) as f64);
        }
        // Rows of length 1 have the variance 1 − |mean|², shared by the columns.
        let sums = self.blocks().into_par_iter().map(|range| {
            let rows = self.read_rows(range)?;
            let mut sums = vec![0.0_f64; self.columns];
            for row in rows.chunks_exact(self.columns) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            Ok(sums)
        });
        let mut total = vec![0.0; self.columns];
        for sums in sums.collect::<Result<Vec<_>>>()? {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        let rows = self.dataset.rows() as f64;
        let squared_mean: f64 = total.iter().map(|sum| (sum / rows).powi(2)).sum();
        Ok((1.0 - squared_mean).max(0.0) / self.columns as f64)
    }

    /// How the sums are kept: a power of two for each column, and as many words as the data's range asks for.
    pub(super) fn fixed_point(&self, centroids: &[f32]) -> Result<FixedPoint> {
        let largest = self.largest();
        let weights = self.dataset.weights();
        let max_weight: Option<f64> = weights.map(|weights| weights.iter().copied().fold(0.0_f32, f32::max).into());
        let reach = |column: usize| {
            let centroids = centroids.iter().skip(column).step_by(self.columns.max(1));
            centroids.fold(largest[column], |reach, value| reach.max(f64::from(value.abs())))
        };
        let reaches = (0..self.columns).map(|column| 2.0 * reach(column));
        let farthest: f64 = match self.metric {
            Metric::CityBlock => reaches.sum(),
            _ => reaches.map(|reach| reach * reach).sum(),
        };
        // The kernels' f32 distances may round upwards: a factor of two keeps them inside.
        let farthest = (2.0 * farthest * max_weight.unwrap_or(1.0)).min(f32::MAX.into());
        // So may a value times its weight.
        let weight = max_weight.map_or(1.0, |weight: f64| weight * (1.0 + f64::from(f32::EPSILON)));
        let largest: Vec<f64> = largest.iter().map(|largest| (largest * weight).min(f32::MAX.into())).collect();
        let plan = FixedPoint::plan(self.dataset.rows(), &largest, max_weight, farthest)?;
        let words = self.words(&plan)?;
        plan.with_words(words)
    }

    /// One word a sum, or two where the range of a column asks for them, judged by a sample spread over all rows.
    fn words(&self, plan: &FixedPoint) -> Result<usize> {
        let rows = self.dataset.rows();
        let step = rows.div_ceil(SAMPLE).max(1);
        let weights = self.dataset.weights();
        let mut columns = WideColumns::new(plan);
        let mut row = vec![0.0; self.columns];
        for at in (0..rows).step_by(step as usize) {
            self.read_f32(at, &[], &mut row)?;
            columns.add_rows(&row, weights.map(|weights| &weights[at as usize..=at as usize]))?;
        }
        Ok(columns.words())
    }

    /// Brings points of the data's own space into that of the kernels.
    pub(super) fn prepare_points(&self, points: &ndarray::Array2<f64>) -> Result<ndarray::Array2<f32>> {
        let values = prepare_block(self.metric, self.dataset.origin(), points, 0..points.nrows() as u64)?;
        ndarray::Array2::from_shape_vec((points.nrows(), self.columns), values)
            .map_err(|error| Error::parameter("init", error.to_string()))
    }
}

impl RowSource for Prepared<'_> {
    fn rows(&self) -> u64 {
        self.dataset.rows()
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        if let Some(pinned) = &self.pinned {
            let values = |row: u64| row as usize * self.columns;
            return pinned.values.get(values(rows.start)..values(rows.end)).filter(|_| rows.end <= pinned.rows);
        }
        if self.metric.is_spherical() { None } else { self.dataset.in_memory(rows) }
    }

    fn will_need(&self, rows: Range<u64>) {
        self.dataset.source().will_need(rows);
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        let mut rows = vec![0.0_f32; out.len()];
        self.read_f32(first, &[], &mut rows)?;
        out.iter_mut().zip(rows).for_each(|(out, value)| *out = value.into());
        Ok(())
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        if self.metric.is_spherical() {
            let source = self.dataset.source();
            let rows = (out.len() / self.columns) as u64;
            out.copy_from_slice(&prepare_block(self.metric, &[], source, first..first + rows)?);
        } else {
            self.dataset.read(first, out)?;
        }
        for (value, origin) in out.iter_mut().zip(origin.iter().cycle()) {
            *value = (f64::from(*value) - origin) as f32;
        }
        Ok(())
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.dataset.source().place(row, column)
    }
}

/// Reads rows of a source in the space of a metric, refusing what is no finite number.
pub(super) fn prepare_block(
    metric: Metric,
    origin: &[f64],
    source: &(impl RowSource + ?Sized),
    range: Range<u64>,
) -> Result<Vec<f32>> {
    let (count, columns) = ((range.end - range.start) as usize, source.columns());
    let mut values = vec![0.0_f64; count * columns];
    source.read_f64(range.start, &mut values)?;
    let prepared_columns = metric.prepared_columns(columns);
    let mut prepared = vec![0.0_f32; count * prepared_columns];
    let rows = values.chunks_exact(columns.max(1)).zip(prepared.chunks_exact_mut(prepared_columns.max(1)));
    for (number, (row, out)) in rows.enumerate() {
        let number = range.start + number as u64;
        let place = |column: usize| source.place(number, column);
        if let Some(column) = row.iter().position(|value| !value.is_finite()) {
            return Err(Error::data(place(column), format!("{} is not a finite number", row[column])));
        }
        if metric.prepare(row, origin, out).is_none() {
            let message = match metric {
                Metric::Haversine => "latitudes lie in -90..90 and longitudes in -360..360 degrees",
                _ => "the row is all zeros, and its cosine with anything is undefined: remove it",
            };
            return Err(Error::data(place(0), message));
        }
        if let Some(column) = out.iter().position(|value| !value.is_finite()) {
            return Err(Error::data(place(column.min(columns - 1)), "the value is beyond the range of an f32"));
        }
    }
    Ok(prepared)
}
