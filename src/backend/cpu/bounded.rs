//! The nearest centroid with bounds kept from round to round, so that most distances need not be measured.
//!
//! A row keeps an upper bound on the distance to its own centroid, and a lower bound for each *group* of centroids (all but
//! its own): Hamerly's bounds with one group, Yinyang's with some (Ding et al., "Yinyang k-means", ICML 2015), Elkan's
//! with one centroid a group ("Using the triangle inequality to accelerate k-means", ICML 2003). When centroids move,
//! bounds give way by as much; a group whose bound stays above the row's upper bound cannot hold its nearest centroid. What
//! is left is measured by the same kernel as in [`Nearest`]: rows are gathered group by group, so that its tiles are full.
//!
//! # Exactness
//!
//! Labels are those of [`Nearest`] to the bit. Each bound is a true bound of the distance in real arithmetic:
//!
//! - a kernel's value is turned into one by the [`Form`](super::screen::Form), which knows how far rounding can have moved
//!   it;
//! - a centroid's shift is summed in f64 and made larger than its rounding (`drift`);
//! - bounds are stored relative to the sum of all shifts so far (`U = u − E`, `L = l + D`), so that those of a settled row
//!   are not written. Each rounding of f32 there is a factor of `1 ± 2⁻²⁴`, and is answered by one of `1 ± 2⁻²²`; a sum
//!   of shifts is rounded up where it loosens a bound and down where it tightens it.
//!
//! A group is passed over where its bound is above the upper bound by a factor of `1 + 2⁻²²`; the f64 definition is off by
//! less than `(d + 2)·2⁻⁵³` of a distance, so nothing in the group could have won, nor tied. What f32 cannot tell apart
//! is measured in f64, as in [`Nearest`].

mod basis;
mod doubt;
mod drift;
mod reassign;
mod reduced;
mod scratch;
mod state;

pub use scratch::BoundScratch;
pub use state::{BlockBounds, Bounds};

use super::nearest::AnyForm;
use super::panels::Packing;
use super::screen::ROUNDING;
use super::{Distance, Isa, Nearest, groups};
use crate::{Error, Result};
use doubt::Doubt;
use drift::Drift;
use groups::Groups;
use ndarray::ArrayView2;
use reassign::Reassign;
use reduced::{Narrow, Reduced};
use std::sync::Arc;

/// The most groups: more bounds would cost more to look at than they save.
const MOST_GROUPS: usize = 64;

/// Centroids of a round, in groups, and how far they have moved since the bounds began: shared by all rows.
#[derive(Debug, Clone)]
pub struct Guide {
    nearest: Arc<Nearest>,
    groups: Arc<Groups>,
    reduced: Option<Arc<Reduced>>,
    own: Drift,
    group: Drift,
}

impl Guide {
    /// Makes groups of the centroids, `k × d`, by how far they have moved from where they were `before`, and starts without
    /// any drift.
    ///
    /// There are as many groups as [`bytes_a_row`](Self::bytes_a_row) allow, one for each centroid where they are few. Long
    /// rows get bounds in fewer columns as well, where `sample`, some rows of the data, shows that it pays.
    ///
    /// # Errors
    /// As [`Nearest::new`], when `before` has another shape, and when the sample is no whole rows.
    #[expect(clippy::needless_pass_by_value, reason = "views are handed over by value, as ndarray does")]
    pub fn new(
        centroids: ArrayView2<f32>,
        before: ArrayView2<f32>,
        distance: Distance,
        isa: Isa,
        sample: &[f32],
    ) -> Result<Self> {
        let (k, d) = centroids.dim();
        if before.dim() != (k, d) {
            let message = format!("{k} × {d}, and {:?} before", before.dim());
            return Err(Error::parameter("centroids", message));
        }
        if d == 0 || !sample.len().is_multiple_of(d) {
            return Err(Error::parameter("sample", format!("{} values are not rows of {d} columns", sample.len())));
        }
        let lanes = super::panels::lanes(isa);
        let rows = before.outer_iter().zip(centroids.outer_iter());
        let shifts: Vec<f64> = rows.map(|(from, to)| drift::shift(distance, from.iter().zip(to))).collect();
        if distance == Distance::SquaredEuclidean
            && let (Some(width), false) = (reduced::width(k, d), sample.is_empty())
        {
            let groups = Groups::new(&shifts, long_group_size(k, d, width, lanes));
            let nearest = Nearest::new(centroids, distance, isa)?;
            if let Some(reduced) = Reduced::find(sample, &nearest, &groups) {
                return Ok(Self::begun(nearest, groups, Some(reduced)));
            }
        }
        let groups = Groups::new(&shifts, group_size(k, d, lanes));
        let nearest = Nearest::packed(centroids, distance, isa, packing(&groups, false))?;
        Ok(Self::begun(nearest, groups, None))
    }

    fn begun(nearest: Nearest, groups: Groups, reduced: Option<Reduced>) -> Self {
        let (own, group) = (Drift::none(nearest.count()), Drift::none(groups.len()));
        Self { nearest: Arc::new(nearest), groups: Arc::new(groups), reduced: reduced.map(Arc::new), own, group }
    }

    /// The guide of the next round: the same groups, with the centroids where they are now.
    ///
    /// # Errors
    /// As [`Nearest::new`], and when the centroids have another shape.
    #[expect(clippy::needless_pass_by_value, reason = "views are handed over by value, as ndarray does")]
    pub fn moved(&self, centroids: ArrayView2<f32>) -> Result<Self> {
        let (k, d, isa) = (self.nearest.count(), self.nearest.columns(), self.nearest.isa());
        if (k, d) != centroids.dim() {
            let message = format!("{:?} of them, but the bounds are of {k} × {d}", centroids.dim());
            return Err(Error::parameter("centroids", message));
        }
        let distance = self.nearest.distance();
        let packing = packing(&self.groups, self.is_reduced());
        let nearest = Nearest::packed(centroids, distance, isa, packing)?;
        let reduced = self.reduced.as_ref().map(|reduced| reduced.moved(nearest.centroids(), &self.groups, isa));
        let rows = self.nearest.centroids().chunks_exact(d).zip(nearest.centroids().chunks_exact(d));
        let shifts: Vec<f64> = rows.map(|(from, to)| drift::shift(distance, from.iter().zip(to))).collect();
        let of_group = |group: usize| {
            self.groups.members(group).iter().map(|&cluster| shifts[cluster as usize]).fold(0.0, f64::max)
        };
        Ok(Self {
            own: self.own.and(shifts.iter().copied()),
            group: self.group.and((0..self.groups.len()).map(of_group)),
            nearest: Arc::new(nearest),
            groups: self.groups.clone(),
            reduced: reduced.map(Arc::new),
        })
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The columns of a row where it is kept in fewer; 0 where it is not.
    pub fn width(&self) -> usize {
        self.reduced.as_ref().map_or(0, |reduced| reduced.width())
    }

    /// The centroids, to measure rows without bounds.
    pub fn nearest(&self) -> &Nearest {
        &self.nearest
    }

    /// About how many products it takes to make use of a sample of so many rows; infinite where none would be used.
    pub fn sample_cost(rows: usize, k: usize, d: usize) -> f64 {
        reduced::width(k, d).map_or(f64::INFINITY, |width| basis::cost(rows + k.min(rows), d, width))
    }

    /// The most bytes of bounds that a row takes: a quarter of the row itself and 24, or less.
    pub fn bytes_a_row(k: usize, d: usize, isa: Isa) -> usize {
        let lanes = super::panels::lanes(isa);
        let groups = k.div_ceil(group_size(k, d, lanes));
        let long = reduced::width(k, d).map_or(0, |width| width + k.div_ceil(long_group_size(k, d, width, lanes)));
        (groups.max(long) + 2) * size_of::<f32>()
    }

    /// Whether bounds are made of rows in fewer columns: they then hold however far the centroids move.
    pub fn is_reduced(&self) -> bool {
        self.reduced.is_some()
    }

    /// Labels a block of rows and makes their first bounds; the labels of the round before help where there are any.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn seed(
        &self,
        values: &[f32],
        bounds: &mut BlockBounds,
        scratch: &mut BoundScratch,
        labels: &mut [u32],
    ) -> Result<()> {
        self.check(bounds, labels)?;
        self.nearest.check(values, labels)?;
        match &self.reduced {
            None => self.run(values, bounds, scratch, labels, true),
            Some(reduced) => {
                reduced.project(self.nearest.isa(), values, bounds.squares, bounds.reduced);
                bounds.upper.fill(f32::INFINITY);
                bounds.lower.fill(0.0);
                if labels.iter().all(|&label| (label as usize) < self.nearest.count()) {
                    // Nothing is known yet, but in fewer columns it is found out sooner.
                    if self.doubts(bounds, scratch, labels)? {
                        self.run(values, bounds, scratch, labels, false);
                    }
                } else {
                    scratch.rescued += self.nearest.assign_checked(values, &mut scratch.lanes, labels);
                    scratch.measured += (labels.len() * self.nearest.centroids().len()) as u64;
                }
            }
        }
        Ok(())
    }

    /// Whether the bounds leave open the label of any row of a block; if so, [`reassign`](Self::reassign) needs the rows,
    /// with the same scratch.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn doubts(&self, bounds: &mut BlockBounds, scratch: &mut BoundScratch, labels: &[u32]) -> Result<bool> {
        self.check(bounds, labels)?;
        let k = self.nearest.count();
        if labels.iter().fold(false, |is_wrong, &label| is_wrong | (label as usize >= k)) {
            return Err(Error::parameter("labels", format!("a label is no cluster: there are {k}")));
        }
        scratch.rows = labels.len();
        let isa = self.nearest.isa();
        isa.run(Doubt { guide: self, bounds, scratch, labels });
        match &self.reduced {
            Some(reduced) if !scratch.open.is_empty() => {
                isa.run(Narrow { guide: self, reduced, bounds, scratch, labels });
                Ok(!scratch.pairs.is_empty())
            }
            _ => Ok(!scratch.open.is_empty()),
        }
    }

    /// Labels those rows of a block that [`doubts`](Self::doubts) has left open.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn reassign(
        &self,
        values: &[f32],
        bounds: &mut BlockBounds,
        scratch: &mut BoundScratch,
        labels: &mut [u32],
    ) -> Result<()> {
        self.check(bounds, labels)?;
        self.nearest.check(values, labels)?;
        if scratch.rows != labels.len() {
            let message = format!("it is of {} rows, and these are {}", scratch.rows, labels.len());
            return Err(Error::parameter("scratch", message));
        }
        self.run(values, bounds, scratch, labels, false);
        Ok(())
    }

    fn run(
        &self,
        values: &[f32],
        bounds: &mut BlockBounds,
        scratch: &mut BoundScratch,
        labels: &mut [u32],
        seeds: bool,
    ) {
        let (guide, isa) = (self, self.nearest.isa());
        match self.nearest.form() {
            AnyForm::Dot(form) => {
                isa.run(Reassign { guide, form: *form, values, bounds, scratch, labels, seeds });
            }
            AnyForm::Squares(form) => {
                isa.run(Reassign { guide, form: *form, values, bounds, scratch, labels, seeds });
            }
            AnyForm::Absolutes(form) => {
                isa.run(Reassign { guide, form: *form, values, bounds, scratch, labels, seeds });
            }
        }
    }

    fn check(&self, bounds: &BlockBounds, labels: &[u32]) -> Result<()> {
        let rows = labels.len();
        if bounds.fits(rows, self.groups.len(), self.width()) && rows <= usize::from(u16::MAX) {
            return Ok(());
        }
        Err(Error::parameter("bounds", format!("they are not those of {rows} rows and {} groups", self.groups())))
    }
}

/// Groups are measured in panels, but where each centroid is one, or only what fewer columns leave is measured.
fn packing(groups: &Groups, is_reduced: bool) -> Packing<'_> {
    if is_reduced || groups.size() == 1 { Packing::Alone } else { Packing::InGroups(groups) }
}

/// How many centroids share a bound: one, or whole panels. (Groups of one vector, 8 of AVX2, took a third more time at
/// d = 16, k = 64: what is done once for each row and group outweighs the sums.)
fn group_size(k: usize, d: usize, lanes: usize) -> usize {
    // A quarter of the row and 24 bytes, less the upper bound and the squared length.
    let most = (d / 4 + 4).min(MOST_GROUPS);
    if k <= most { 1 } else { k.div_ceil(most).next_multiple_of(super::panels::VECTORS * lanes) }
}

/// How many share one where a row is kept in `width` columns as well: whole panels.
fn long_group_size(k: usize, d: usize, width: usize, lanes: usize) -> usize {
    let most = (d / 4 + 4 - width).clamp(1, MOST_GROUPS);
    k.div_ceil(most).next_multiple_of(super::panels::VECTORS * lanes)
}

/// Whether a lower bound as it is now is above an upper one.
#[inline(always)]
fn is_above(stored: f32, drift_above: f32, upper: f32) -> bool {
    stored - drift_above > upper
}

/// An upper bound as it is now, made larger than its rounding and that of the comparison.
#[inline(always)]
fn upper_now(stored: f32, drift_above: f32) -> f32 {
    (stored + drift_above) * (1.0 + ROUNDING)
}

/// How an upper bound is stored: not less than the difference.
#[inline(always)]
fn stored_upper(upper: f32, drift_below: f32) -> f32 {
    let difference = upper - drift_below;
    difference + difference.abs() * (ROUNDING / 2.0)
}

/// How a lower bound is stored: not more than the sum, and finite where that is beyond an f32.
#[inline(always)]
fn stored_lower(lower: f32, drift_below: f32) -> f32 {
    let sum = (lower + drift_below) * (1.0 - ROUNDING / 2.0);
    if sum < f32::MAX { sum } else { f32::MAX }
}
