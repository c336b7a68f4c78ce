//! Rows as the kernels see them: less their origin, or as points of the unit sphere.

use super::metric::Metric;
use super::plan::rows_a_block;
use crate::backend::ReduceOp;
use crate::backend::cpu::{FixedPoint, WideColumns};
use crate::collective::Collective;
use crate::data::wire::{read_list, write_list};
use crate::data::{ALL_ZERO, Dataset, RowSource, Statistics, Tree, blocks_of, rows_of_block};
use crate::queue::{Memory, Reservation};
use crate::{Error, Place, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// How many rows are looked at to decide how wide the sums must be.
pub(super) const SAMPLE: u64 = 16_384;

/// Up to this distance between rows of a sample those between them are read as well.
const NEAR: u64 = 8;

/// A data set in the space of a metric's kernels: n × d' rows of f32.
pub(super) struct Prepared<'a> {
    dataset: &'a Dataset<'a>,
    metric: Metric,
    columns: usize,
    collective: Arc<dyn Collective>,
    pinned: Option<Pinned>,
}

/// The first rows of this rank's share as they are prepared, kept in memory.
struct Pinned {
    rows: Range<u64>,
    values: Vec<f32>,
    _room: Reservation,
}

impl<'a> Prepared<'a> {
    /// Checks that the metric has a value for every row of this rank's share.
    pub(super) fn new(dataset: &'a Dataset<'a>, metric: Metric, collective: &Arc<dyn Collective>) -> Result<Self> {
        metric.check_columns(dataset.columns())?;
        let columns = metric.prepared_columns(dataset.columns());
        let prepared = Self { dataset, metric, columns, collective: collective.clone(), pinned: None };
        if metric.is_spherical() {
            let blocks = blocks_of(&dataset.share(), prepared.block()).into_par_iter();
            let read = |block| prepared.read_rows(rows_of_block(block, prepared.block(), dataset.rows())).map(drop);
            collective.agree(blocks.try_for_each(read))?;
        }
        Ok(prepared)
    }

    pub(super) fn dataset(&self) -> &'a Dataset<'a> {
        self.dataset
    }

    /// Brings this rank's rows into memory as far as it goes, so that they are read and prepared once; what already lies
    /// there as it is needed stays where it is.
    pub(super) fn pin(&mut self, memory: &Memory) -> Result<()> {
        let share = self.dataset.share();
        if share.is_empty() || self.in_memory(share.clone()).is_some() {
            return Ok(());
        }
        self.pinned = None;
        let row = (self.columns * size_of::<f32>()) as u64;
        let room = memory.reserve_up_to((share.end - share.start).saturating_mul(row), row);
        let rows = room.bytes() / row;
        let mut values = vec![0.0; rows as usize * self.columns];
        let length = rows_a_block(self.columns);
        let pieces = values.par_chunks_mut(length * self.columns).enumerate();
        let at = |piece: usize| share.start + (piece * length) as u64;
        pieces.try_for_each(|(piece, values)| self.read_f32(at(piece), &[], values))?;
        self.pinned = Some(Pinned { rows: share.start..share.start + rows, values, _room: room });
        Ok(())
    }

    /// Lets go what [`pin`](Self::pin) has brought into memory.
    pub(super) fn unpin(&mut self) {
        self.pinned = None;
    }

    /// Sums what `of` makes of each block of rows, over the rows of all ranks. Blocks go by their numbers in the whole and are
    /// added in a tree of a shape of its own: the fixed shape of every floating-point reduction.
    pub(super) fn sum_blocks(&self, of: impl Fn(Range<u64>) -> Result<Vec<f64>> + Sync) -> Result<Vec<f64>> {
        let add = |total: &mut Vec<f64>, more: &Vec<f64>| total.iter_mut().zip(more).for_each(|(a, b)| *a += b);
        let (rows, length) = (self.dataset.rows(), self.block());
        let leaf = |block| of(rows_of_block(block, length, rows));
        let own = Tree::of(blocks_of(&self.dataset.share(), length), &leaf, add).map(|tree| {
            let mut bytes = Vec::new();
            tree.write(&mut bytes, |sums, to| write_list(sums, to));
            bytes
        });
        let mut all = Tree::default();
        let garbled = || Error::parameter("ranks", "the sums of some rows are missing: do all ranks run one program?");
        for part in self.collective.exchange(own)? {
            let tree = Tree::read(&mut part.as_slice(), read_list).ok_or_else(garbled)?;
            all.merge(tree, add);
        }
        all.finish(rows.div_ceil(length), add).ok_or_else(garbled)
    }

    /// Whether any weight is above zero, on any rank.
    pub(super) fn check_weights(&self) -> Result<()> {
        match self.max_weight()? {
            Some(0.0) => Err(Error::data(Place::of("weights"), ALL_ZERO)),
            _ => Ok(()),
        }
    }

    /// The largest weight of all ranks' rows.
    fn max_weight(&self) -> Result<Option<f64>> {
        let Some(weights) = self.dataset.weights() else { return Ok(None) };
        let mut largest = [f64::from(weights.held().iter().copied().fold(0.0_f32, f32::max))];
        self.collective.all_reduce_f64(ReduceOp::Max, &mut largest)?;
        Ok(Some(largest[0]))
    }

    /// How many rows this rank has.
    pub(super) fn own_rows(&self) -> u64 {
        let Range { start, end } = self.dataset.share();
        end - start
    }

    /// How many rows a block has.
    fn block(&self) -> u64 {
        rows_a_block(self.columns) as u64
    }

    pub(super) fn read_rows(&self, range: Range<u64>) -> Result<Cow<'_, [f32]>> {
        if let Some(rows) = self.in_memory(range.clone()) {
            return Ok(rows.into());
        }
        let mut rows = vec![0.0; (range.end - range.start) as usize * self.columns];
        self.read_f32(range.start, &[], &mut rows)?;
        Ok(rows.into())
    }

    /// The mean variance of the prepared columns, to which the tolerance is relative.
    pub(super) fn mean_variance(&self) -> Result<f64> {
        if !self.metric.is_spherical() {
            let variance = &self.dataset.statistics().variance;
            return Ok(variance.iter().sum::<f64>() / variance.len().max(1) as f64);
        }
        // Rows of length 1 have the variance 1 − |mean|², shared by the columns.
        let total = self.sum_blocks(|range| {
            let rows = self.read_rows(range)?;
            let mut sums = vec![0.0_f64; self.columns];
            for row in rows.chunks_exact(self.columns) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            Ok(sums)
        })?;
        let rows = self.dataset.rows() as f64;
        let squared_mean: f64 = total.iter().map(|sum| (sum / rows).powi(2)).sum();
        Ok((1.0 - squared_mean).max(0.0) / self.columns as f64)
    }

    /// How the sums are kept: a power of two for each column, and as many words as the data's range asks for.
    pub(super) fn fixed_point(&self, centroids: &[f32]) -> Result<FixedPoint> {
        let (statistics, origin) = (self.dataset.statistics(), self.dataset.origin());
        let largest = largest(self.metric, self.columns, statistics, origin);
        let plan = units(self.dataset.rows(), self.metric, &largest, self.max_weight()?, centroids)?;
        let words = self.words(&plan)?;
        plan.with_words(words)
    }

    /// The largest magnitude of a prepared value.
    pub(super) fn largest(&self) -> f64 {
        let of_columns = largest(self.metric, self.columns, self.dataset.statistics(), self.dataset.origin());
        of_columns.into_iter().fold(0.0, f64::max)
    }

    /// One word a sum, or two where the range of a column asks for them, judged by a sample spread over all rows.
    fn words(&self, plan: &FixedPoint) -> Result<usize> {
        let rows = self.dataset.rows();
        let step = rows.div_ceil(SAMPLE).max(1);
        let (weights, share) = (self.dataset.weights(), self.dataset.share());
        // Where most pages of a file would be read anyway, many rows at a time take less time than each by itself.
        let together = if step <= NEAR { (self.block() / step).max(1) * step } else { 1 };
        let mut columns = WideColumns::new(plan);
        let mut count = || {
            // Of the rows 0, step, 2·step, … those of this rank's share.
            let mut next = share.start.next_multiple_of(step);
            while next < share.end {
                let range = next..(next + together).min(share.end);
                let rows = self.read_rows(range.clone())?;
                for (row, at) in rows.chunks_exact(self.columns).zip(range).step_by(step as usize) {
                    columns.add_rows(row, weights.and_then(|weights| weights.of(at..at + 1)))?;
                }
                next += together.next_multiple_of(step);
            }
            Ok(())
        };
        self.collective.agree(count())?;
        let mut counts = columns.counts();
        self.collective.all_reduce_u64(ReduceOp::Sum, &mut counts)?;
        Ok(columns.with_counts(&counts)?.words())
    }

    /// A hash of the data that is the same for any number of ranks: of what was measured of all rows, of a sample of them, and of
    /// all weights.
    pub(super) fn fingerprint(&self) -> Result<String> {
        let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
        let Statistics { mean, variance, min, max, .. } = self.dataset.statistics();
        let measured = [mean, variance, min, max].into_iter().flatten().chain(self.dataset.origin());
        let measured = measured.fold(self.dataset.rows(), |hash, value| mix(hash, value.to_bits()));
        let (share, step) = (self.dataset.share(), self.dataset.rows().div_ceil(SAMPLE).max(1));
        let of_row = |row: u64| {
            let hash =
                self.read_rows(row..row + 1)?.iter().fold(row, |hash, value| mix(hash, u64::from(value.to_bits())));
            // Of 32 bits, so that no sum of a sample's leaves 64.
            Ok(mix(hash, 1) >> 32)
        };
        let own =
            (share.start.next_multiple_of(step)..share.end).step_by(step as usize).map(of_row).sum::<Result<u64>>();
        let mut sample = [self.collective.agree(own)?];
        self.collective.all_reduce_u64(ReduceOp::Sum, &mut sample)?;
        let weights = match self.dataset.weights() {
            None => Vec::new(),
            Some(weights) => self.sum_blocks(|range| {
                let first = range.start;
                let held = weights.of(range).unwrap_or(&[]).iter().enumerate();
                let turned = |(at, weight): (usize, &f32)| f64::from(*weight) * ((first + at as u64) % 8191) as f64;
                Ok(vec![held.map(turned).sum()])
            })?,
        };
        let all = weights.iter().map(|sum| sum.to_bits()).chain(sample).fold(measured, mix);
        Ok(format!("{all:016x}"))
    }

    pub(super) fn collective(&self) -> &dyn Collective {
        &*self.collective
    }

    /// Brings points of the data's own space into that of the kernels.
    pub(super) fn prepare_points(&self, points: &Array2<f64>) -> Result<Array2<f32>> {
        prepare_points(self.metric, self.dataset.origin(), points)
    }
}

/// The largest absolute value of each prepared column.
pub(super) fn largest(metric: Metric, columns: usize, statistics: &Statistics, origin: &[f64]) -> Vec<f64> {
    if metric.is_spherical() {
        return vec![1.0; columns];
    }
    let extremes = statistics.min.iter().zip(&statistics.max).enumerate();
    extremes
        .map(|(column, (min, max))| {
            let origin = origin.get(column).copied().unwrap_or(0.0);
            let (low, high) = ((min - origin) as f32, (max - origin) as f32);
            f64::from(low.abs().max(high.abs()))
        })
        .collect()
}

/// The units of the sums around these first centroids (k × d'), in one word.
pub(super) fn units(
    rows: u64,
    metric: Metric,
    largest: &[f64],
    max_weight: Option<f64>,
    centroids: &[f32],
) -> Result<FixedPoint> {
    let reach = |column: usize| {
        let centroids = centroids.iter().skip(column).step_by(largest.len().max(1));
        centroids.fold(largest[column], |reach, value| reach.max(f64::from(value.abs())))
    };
    let reaches = (0..largest.len()).map(|column| 2.0 * reach(column));
    let farthest: f64 = match metric {
        Metric::CityBlock => reaches.sum(),
        _ => reaches.map(|reach| reach * reach).sum(),
    };
    // The kernels' f32 distances may round upwards: a factor of two keeps them inside.
    let farthest = (2.0 * farthest * max_weight.unwrap_or(1.0)).min(f32::MAX.into());
    // So may a value times its weight.
    let weight = max_weight.map_or(1.0, |weight: f64| weight * (1.0 + f64::from(f32::EPSILON)));
    let largest: Vec<f64> = largest.iter().map(|largest| (largest * weight).min(f32::MAX.into())).collect();
    FixedPoint::plan(rows, &largest, max_weight, farthest)
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
            let values = |row: u64| Some(usize::try_from(row.checked_sub(pinned.rows.start)?).ok()? * self.columns);
            let held = pinned.rows.start <= rows.start && rows.end <= pinned.rows.end;
            return if held { pinned.values.get(values(rows.start)?..values(rows.end)?) } else { None };
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

/// Points of the data's own space in that of a metric's kernels, n × d'.
pub(crate) fn prepare_points(metric: Metric, origin: &[f64], points: &Array2<f64>) -> Result<Array2<f32>> {
    let values = prepare_block(metric, origin, points, 0..points.nrows() as u64)?;
    let shape = (points.nrows(), metric.prepared_columns(points.ncols()));
    Array2::from_shape_vec(shape, values).map_err(|error| Error::parameter("points", error.to_string()))
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
