//! What a thread needs while it works through blocks.

use super::{stored_lower, stored_upper, upper_now};
use crate::backend::cpu::screen::{Form, LaneState};

/// What one thread needs for [`Guide::reassign`](super::Guide::reassign); any number of blocks may use it in turn.
#[derive(Debug, Default)]
pub struct BoundScratch {
    pub(super) lanes: LaneState,
    /// Upper bounds, and the smallest lower bound, of the rows of a block.
    pub(super) upper: Vec<f32>,
    pub(super) lower: Vec<f32>,
    /// Rows that the bounds leave open, and of these those that something was measured for.
    pub(super) open: Vec<u16>,
    pub(super) asked: Vec<u16>,
    /// The rows for which each group is measured.
    pub(super) lists: Vec<Vec<u16>>,
    pub(super) known: Known,
    pub(super) column: Column,
    /// Rows and clusters that were not told apart in fewer columns.
    pub(super) pairs: Vec<(u16, u32)>,
    pub(super) candidates: Vec<u32>,
    /// The rows of the block that the above is of.
    pub(super) rows: usize,
    pub(super) measured: u64,
    pub(super) rescued: u64,
}

impl BoundScratch {
    /// How many values of centroids were multiplied with rows, and how many rows decided in f64, since the start.
    pub fn counts(&self) -> (u64, u64) {
        (self.measured, self.rescued)
    }
}

/// What is known of the rows of a block while groups are measured: one of each a row.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) margin: Vec<f32>,
    /// The smallest value so far, the cluster it belongs to, and the smallest of all others.
    pub(super) best: Vec<f32>,
    pub(super) cluster: Vec<u32>,
    pub(super) second: Vec<f32>,
    /// The second smallest value within the group of the best; NaN where that group was not measured.
    pub(super) second_in_group: Vec<f32>,
    /// The value of the row's own centroid, where its group was not measured; else NaN.
    pub(super) own: Vec<f32>,
}

impl Known {
    pub(super) fn make_room(&mut self, rows: usize) {
        for values in [&mut self.margin, &mut self.best, &mut self.second, &mut self.second_in_group, &mut self.own] {
            values.resize(rows, 0.0);
        }
        self.cluster.resize(rows, 0);
    }

    /// Nothing is known of a row but its margin.
    #[inline(always)]
    pub(super) fn nothing(&mut self, row: usize) {
        (self.best[row], self.second[row]) = (f32::INFINITY, f32::INFINITY);
        (self.second_in_group[row], self.own[row]) = (f32::NAN, f32::NAN);
        self.cluster[row] = u32::MAX;
    }

    /// The value of the row's own cluster is known.
    #[inline(always)]
    pub(super) fn own(&mut self, row: usize, value: f32, cluster: u32) {
        (self.best[row], self.second[row]) = (value, f32::INFINITY);
        (self.second_in_group[row], self.own[row]) = (f32::NAN, value);
        self.cluster[row] = cluster;
    }

    /// Takes note of the smallest and second smallest value of a group. Without a branch: none could be foretold.
    #[inline(always)]
    pub(super) fn see(&mut self, row: usize, smallest: f32, second: f32, cluster: u32) {
        let best = self.best[row];
        let is_less = smallest < best;
        let other = if is_less { best } else { smallest };
        self.second[row] = least(least(self.second[row], other), second);
        self.best[row] = if is_less { smallest } else { best };
        self.cluster[row] = if is_less { cluster } else { self.cluster[row] };
        self.second_in_group[row] = if is_less { second } else { self.second_in_group[row] };
    }
}

/// Some rows' values side by side, so that loops over them become vectors: roots taken one at a time would outlast all
/// else.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// The value that is bounded (of a group, the smallest), and the next.
    pub(super) value: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) slot: Vec<u32>,
    /// What is known of the rows.
    pub(super) square: Vec<f32>,
    pub(super) margin: Vec<f32>,
    pub(super) below: Vec<f32>,
    pub(super) above: Vec<f32>,
    /// What comes out.
    pub(super) bound: Vec<f32>,
    pub(super) now: Vec<f32>,
}

impl Column {
    pub(super) fn make_room(&mut self, rows: usize) {
        let Self { value, second, slot, square, margin, below, above, bound, now } = self;
        let all = [value, second, square, margin, below, above, bound, now];
        all.into_iter().for_each(|values| values.resize(rows, 0.0));
        slot.resize(rows, 0);
    }

    /// Margins of the rows, and upper bounds of their values: as they are stored, and as they are now.
    #[inline(always)]
    pub(super) fn bound_above<F: Form>(&mut self, form: F) {
        let rows = self.value.len();
        let (value, square) = (&self.value[..rows], &self.square[..rows]);
        let (below, above) = (&self.below[..rows], &self.above[..rows]);
        let (margin, bound, now) = (&mut self.margin[..rows], &mut self.bound[..rows], &mut self.now[..rows]);
        for at in 0..rows {
            margin[at] = form.margin(square[at]);
            bound[at] = stored_upper(form.upper(value[at], square[at], margin[at]), below[at]);
            now[at] = upper_now(bound[at], above[at]);
        }
    }

    /// Lower bounds of the values, as they are stored.
    #[inline(always)]
    pub(super) fn bound_below<F: Form>(&mut self, form: F, drift_below: f32) {
        let rows = self.value.len();
        let (value, square, margin) = (&self.value[..rows], &self.square[..rows], &self.margin[..rows]);
        let bound = &mut self.bound[..rows];
        for at in 0..rows {
            bound[at] = stored_lower(form.lower(value[at], square[at], margin[at]), drift_below);
        }
    }

    /// Of the best values the thresholds (`now`) and upper bounds (`above`), of the second ones lower bounds (`bound`).
    #[inline(always)]
    pub(super) fn bound_both<F: Form>(&mut self, form: F) {
        let rows = self.value.len();
        let (value, second) = (&self.value[..rows], &self.second[..rows]);
        let (square, margin) = (&self.square[..rows], &self.margin[..rows]);
        let (bound, now, above) = (&mut self.bound[..rows], &mut self.now[..rows], &mut self.above[..rows]);
        for at in 0..rows {
            now[at] = form.threshold(value[at], margin[at]);
            above[at] = form.upper(value[at], square[at], margin[at]);
            bound[at] = form.lower(second[at], square[at], margin[at]);
        }
    }
}

/// The smaller; the second where one is no number.
#[inline(always)]
pub(super) fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
