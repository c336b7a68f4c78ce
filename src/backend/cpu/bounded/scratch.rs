//! What a thread needs while it works through blocks.

use super::super::screen::LaneState;

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
    /// What measuring a group found for the rows of its list.
    pub(super) found: Found,
    /// Rows and clusters that were not told apart in fewer columns.
    pub(super) pairs: Vec<(u16, u32)>,
    pub(super) candidates: Vec<u32>,
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
        for values in
            [&mut self.margin, &mut self.best, &mut self.second, &mut self.second_in_group, &mut self.own]
        {
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

/// What measuring a group found, one of each a row of the list.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) smallest: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) slot: Vec<u32>,
    /// What the list's rows know, gathered.
    pub(super) squares: Vec<f32>,
    pub(super) margins: Vec<f32>,
    /// What the values bound.
    pub(super) bounds: Vec<f32>,
}

impl Found {
    pub(super) fn make_room(&mut self, rows: usize) {
        let Self { smallest, second, slot, squares, margins, bounds } = self;
        [smallest, second, squares, margins, bounds].into_iter().for_each(|values| values.resize(rows, 0.0));
        slot.resize(rows, 0);
    }
}

/// The smaller; the second where one is no number.
#[inline(always)]
pub(super) fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
