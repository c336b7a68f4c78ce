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
//! - a centroid's shift is summed in f64 and made larger than its rounding ([`drift`]);
//! - bounds are stored relative to the sum of all shifts so far (`U = u − E`, `L = l + D`), so that those of a settled row
//!   are not written. Each rounding of f32 there is a factor of `1 ± 2⁻²⁴`, and is answered by one of `1 ± 2⁻²²`; a sum
//!   of shifts is rounded up where it loosens a bound and down where it tightens it.
//!
//! A group is passed over where its bound is above the upper bound by a factor of `1 + 2⁻²²`; the f64 definition is off by
//! less than `(d + 2)·2⁻⁵³` of a distance, so nothing in the group could have won, nor tied. What f32 cannot tell apart
//! is measured in f64, as in [`Nearest`].

mod drift;
mod reassign;
mod state;

pub use state::{BlockBounds, Bounds};

use super::groups::Groups;
use super::nearest::AnyForm;
use super::screen::LaneState;
use super::{Distance, Isa, Nearest};
use crate::{Error, Result};
use drift::Drift;
use ndarray::ArrayView2;
use reassign::{Doubt, Reassign, RowState};
use std::sync::Arc;

/// The most groups: more bounds would cost more to look at than they save.
const MOST_GROUPS: usize = 64;

/// Centroids of a round, in groups, and how far they have moved since the bounds began: shared by all rows.
#[derive(Debug, Clone)]
pub struct Guide {
    nearest: Arc<Nearest>,
    groups: Arc<Groups>,
    own: Drift,
    group: Drift,
}

/// What one thread needs for [`Guide::reassign`]; any number of blocks may use it in turn.
#[derive(Debug, Default)]
pub struct BoundScratch {
    lanes: LaneState,
    /// Upper bounds, and the smallest lower bound, of the rows of a block.
    upper: Vec<f32>,
    lower: Vec<f32>,
    /// Rows that the bounds leave open, and of these those that a group was measured for.
    open: Vec<u16>,
    asked: Vec<u16>,
    /// The rows for which each group is measured.
    lists: Vec<Vec<u16>>,
    states: Vec<RowState>,
    candidates: Vec<u32>,
    measured: u64,
    rescued: u64,
}

impl BoundScratch {
    /// How many distances were measured, and how many rows decided in f64, since the start.
    pub fn counts(&self) -> (u64, u64) {
        (self.measured, self.rescued)
    }
}

impl Guide {
    /// Makes groups of the centroids, `k × d`, and starts without any drift.
    ///
    /// There are as many groups as bounds of `d + 16` bytes a row allow (see [`bytes_a_row`](Self::bytes_a_row)), one for
    /// each centroid where that is few.
    ///
    /// # Errors
    /// As [`Nearest::new`].
    pub fn new(centroids: ArrayView2<f32>, distance: Distance, isa: Isa) -> Result<Self> {
        let (k, d) = centroids.dim();
        let values: Vec<f32> = centroids.iter().copied().collect();
        let groups = Arc::new(Groups::new(&values, d, group_size(k, d, super::panels::lanes(isa))));
        let nearest = Arc::new(Nearest::grouped(centroids, distance, isa, &groups)?);
        let (own, group) = (Drift::none(k), Drift::none(groups.len()));
        Ok(Self { nearest, groups, own, group })
    }

    /// The guide of the next round: the same groups, with the centroids where they are now.
    ///
    /// # Errors
    /// As [`Nearest::new`], and when the centroids have another shape.
    pub fn moved(&self, centroids: ArrayView2<f32>) -> Result<Self> {
        let (k, d) = centroids.dim();
        if (k, d) != (self.nearest.count(), self.nearest.columns()) {
            let message =
                format!("{k} × {d}, but the bounds are of {} × {}", self.nearest.count(), self.nearest.columns());
            return Err(Error::parameter("centroids", message));
        }
        let nearest = Nearest::grouped(centroids, self.nearest.distance(), self.nearest.isa(), &self.groups)?;
        let shift = |cluster: u32| {
            drift::shift(self.nearest.distance(), self.nearest.centroid(cluster), nearest.centroid(cluster))
        };
        let shifts: Vec<f64> = (0..k as u32).map(shift).collect();
        let of_group = |group: usize| {
            self.groups.members(group).iter().map(|&cluster| shifts[cluster as usize]).fold(0.0, f64::max)
        };
        let group = self.group.and((0..self.groups.len()).map(of_group));
        Ok(Self {
            nearest: Arc::new(nearest),
            groups: self.groups.clone(),
            own: self.own.and(shifts.iter().copied()),
            group,
        })
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The centroids, to label or measure rows without bounds.
    pub fn nearest(&self) -> &Nearest {
        &self.nearest
    }

    /// The bytes of bounds that a row takes: at most a quarter of the row itself and 24.
    pub fn bytes_a_row(k: usize, d: usize, isa: Isa) -> usize {
        let groups = k.div_ceil(group_size(k, d, super::panels::lanes(isa)));
        (groups + 2) * size_of::<f32>()
    }

    /// Labels a block of rows and makes their first bounds.
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
        self.run(values, bounds, scratch, labels, true);
        Ok(())
    }

    /// Whether the bounds leave open the label of any row of a block; if so, [`reassign`](Self::reassign) needs the rows,
    /// with the same scratch.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn doubts(&self, bounds: &BlockBounds, scratch: &mut BoundScratch, labels: &[u32]) -> Result<bool> {
        self.check(bounds, labels)?;
        self.nearest.isa().run(Doubt { guide: self, bounds, scratch, labels });
        Ok(!scratch.open.is_empty())
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
            AnyForm::Dot(form) => isa.run(Reassign { guide, form: *form, values, bounds, scratch, labels, seeds }),
            AnyForm::Squares(form) => isa.run(Reassign { guide, form: *form, values, bounds, scratch, labels, seeds }),
            AnyForm::Absolutes(form) => {
                isa.run(Reassign { guide, form: *form, values, bounds, scratch, labels, seeds })
            }
        }
    }

    fn check(&self, bounds: &BlockBounds, labels: &[u32]) -> Result<()> {
        if bounds.fits(labels.len(), self.groups.len()) && labels.len() <= usize::from(u16::MAX) {
            return Ok(());
        }
        Err(Error::parameter(
            "bounds",
            format!("they are not those of {} rows and {} groups", labels.len(), self.groups()),
        ))
    }
}

/// How many centroids share a bound: one, or whole vectors of lanes.
fn group_size(k: usize, d: usize, lanes: usize) -> usize {
    // A quarter of the row and 24 bytes, less the upper bound and the squared length.
    let most = (d / 4 + 4).min(MOST_GROUPS);
    if k <= most { 1 } else { k.div_ceil(most).next_multiple_of(lanes) }
}
