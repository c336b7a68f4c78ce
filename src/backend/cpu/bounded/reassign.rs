//! The kernel that measures what the bounds leave open.

use super::doubt::ask;
use super::scratch::{BoundScratch, least};
use super::state::BlockBounds;
use super::{Guide, is_above, stored_lower, stored_upper};
use crate::backend::cpu::assign_exact;
use crate::backend::cpu::screen::{BLOCK, Block, Form, LaneState, ROUNDING, slot};
use crate::backend::cpu::simd::{Kernel, Simd};
use crate::backend::cpu::square_norms::squared_length;

/// Centroids that a row is measured against at once, where it is measured by itself.
const TOGETHER: usize = 4;

/// Labels the open rows of a block; where it seeds, all of them.
pub(super) struct Reassign<'a, 'b, F> {
    pub(super) guide: &'a Guide,
    pub(super) form: F,
    pub(super) values: &'a [f32],
    pub(super) bounds: &'a mut BlockBounds<'b>,
    pub(super) scratch: &'a mut BoundScratch,
    pub(super) labels: &'a mut [u32],
    pub(super) seeds: bool,
}

impl<F: Form> Kernel for Reassign<'_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        self.scratch.known.make_room(self.labels.len());
        self.scratch.lists.resize_with(self.guide.groups.len(), Vec::new);
        if self.guide.reduced.is_some() {
            self.measure_pairs(simd);
        } else {
            if self.seeds {
                self.begin();
            } else {
                self.tighten(simd);
            }
            if self.guide.groups.size() == 1 {
                self.measure_one_by_one(simd);
            } else {
                self.measure_by_group(simd);
            }
        }
        self.decide();
    }
}

impl<F: Form> Reassign<'_, '_, F> {
    /// Asks for all rows and groups.
    #[inline(always)]
    fn begin(&mut self) {
        let d = self.guide.nearest.columns();
        let BoundScratch { lists, known, asked, .. } = &mut *self.scratch;
        asked.clear();
        asked.extend(0..self.labels.len() as u16);
        lists.iter_mut().for_each(|list| list.clone_from(asked));
        for (row, (values, square)) in self.values.chunks_exact(d).zip(&mut *self.bounds.squares).enumerate() {
            *square = squared_length(values) as f32;
            known.margin[row] = self.form.margin(*square);
            known.nothing(row);
        }
    }

    /// Measures the distance of each open row to its own centroid, and asks for the groups that are not farther.
    #[inline(always)]
    fn tighten<S: Simd>(&mut self, simd: S) {
        let (guide, d, rows) = (self.guide, self.guide.nearest.columns(), self.labels.len());
        let panels = guide.nearest.panels();
        let (below, above) = (guide.own.below(), guide.own.above());
        let BoundScratch { known, open, upper, column, measured, .. } = &mut *self.scratch;
        *measured += (open.len() * d) as u64;
        column.make_room(open.len());
        for (at, &row) in open.iter().enumerate() {
            let row = usize::from(row);
            let label = self.labels[row];
            let values = &self.values[row * d..][..d];
            let [own] = self.form.values(simd, values, [panels.centroid(label)], [panels.bias(label)]);
            known.own(row, own, label);
            (column.value[at], column.square[at]) = (own, self.bounds.squares[row]);
            (column.below[at], column.above[at]) = (below[label as usize], above[label as usize]);
        }
        column.bound_above(self.form);
        for (at, &row) in open.iter().enumerate() {
            let row = usize::from(row);
            known.margin[row] = column.margin[at];
            self.bounds.upper[row] = column.bound[at];
            upper[row] = column.now[at];
        }
        ask(guide, self.bounds, self.scratch, self.labels);
        let BoundScratch { known, asked, upper, .. } = &mut *self.scratch;
        for &at in &*asked {
            // Where the row's own group is measured, so is its own centroid with it.
            let row = usize::from(at);
            let group = guide.groups.of(self.labels[row]);
            if !is_above(self.bounds.lower[group * rows + row], guide.group.above()[group], upper[row]) {
                known.nothing(row);
            }
        }
    }

    /// Measures groups that fill vectors, each for the rows that ask for it.
    #[inline(always)]
    fn measure_by_group<S: Simd>(&mut self, simd: S) {
        let (guide, rows) = (self.guide, self.labels.len());
        let panels = guide.nearest.panels();
        let (form, d, room) = (self.form, panels.columns(), panels.slots() / guide.groups.len());
        let BoundScratch { lists, known, column, lanes, measured, .. } = &mut *self.scratch;
        for (group, list) in lists.iter().enumerate() {
            let lower = &mut self.bounds.lower[group * rows..][..rows];
            let drift = guide.group.below()[group];
            *measured += (list.len() * room * d) as u64;
            for picked in list.chunks(BLOCK) {
                lanes.make_room(picked.len(), S::LANES);
                column.make_room(picked.len());
                let block = Block { simd, form, panels, rows: self.values, d, picked: Some(picked) };
                block.sweep(group * room..(group + 1) * room, lanes);
                for (at, &row) in picked.iter().enumerate() {
                    let row = usize::from(row);
                    (column.value[at], column.second[at], column.slot[at]) = two_smallest(simd, lanes, at);
                    (column.square[at], column.margin[at]) = (self.bounds.squares[row], known.margin[row]);
                }
                column.bound_below(form, drift);
                for (at, &row) in picked.iter().enumerate() {
                    let row = usize::from(row);
                    lower[row] = column.bound[at];
                    known.see(row, column.value[at], column.second[at], panels.cluster(column.slot[at] as usize));
                }
            }
        }
    }

    /// Measures single centroids, all that a row asks for while it is in the cache.
    #[inline(always)]
    fn measure_one_by_one<S: Simd>(&mut self, simd: S) {
        let mut next = vec![0_usize; self.scratch.lists.len()];
        for index in 0..self.scratch.asked.len() {
            let at = self.scratch.asked[index];
            let BoundScratch { lists, candidates, .. } = &mut *self.scratch;
            candidates.clear();
            for (cluster, (list, next)) in lists.iter().zip(&mut next).enumerate() {
                if list.get(*next) == Some(&at) {
                    *next += 1;
                    candidates.push(cluster as u32);
                }
            }
            self.measure_row(simd, usize::from(at));
        }
    }

    /// Measures the pairs of rows and centroids that fewer columns could not tell apart.
    #[inline(always)]
    fn measure_pairs<S: Simd>(&mut self, simd: S) {
        let d = self.guide.nearest.columns();
        let panels = self.guide.nearest.panels();
        let pairs = std::mem::take(&mut self.scratch.pairs);
        self.scratch.asked.clear();
        for of_row in pairs.chunk_by(|a, b| a.0 == b.0) {
            let (at, row) = (of_row[0].0, usize::from(of_row[0].0));
            let (label, square) = (self.labels[row], self.bounds.squares[row]);
            let values = &self.values[row * d..][..d];
            let [own] = self.form.values(simd, values, [panels.centroid(label)], [panels.bias(label)]);
            let BoundScratch { known, asked, candidates, measured, .. } = &mut *self.scratch;
            *measured += d as u64;
            asked.push(at);
            known.margin[row] = self.form.margin(square);
            known.own(row, own, label);
            candidates.clear();
            candidates.extend(of_row.iter().map(|pair| pair.1));
            self.measure_row(simd, row);
        }
        self.scratch.pairs = pairs;
    }

    /// Measures a row against its candidates.
    #[inline(always)]
    fn measure_row<S: Simd>(&mut self, simd: S, row: usize) {
        let d = self.guide.nearest.columns();
        let panels = self.guide.nearest.panels();
        let values = &self.values[row * d..][..d];
        let candidates = std::mem::take(&mut self.scratch.candidates);
        self.scratch.measured += (candidates.len() * d) as u64;
        let (fours, rest) = candidates.as_chunks::<TOGETHER>();
        for four in fours {
            let centroids = four.map(|cluster| panels.centroid(cluster));
            let found = self.form.values(simd, values, centroids, four.map(|cluster| panels.bias(cluster)));
            four.iter().zip(found).for_each(|(&cluster, value)| self.see(row, cluster, value));
        }
        for &cluster in rest {
            let [value] = self.form.values(simd, values, [panels.centroid(cluster)], [panels.bias(cluster)]);
            self.see(row, cluster, value);
        }
        self.scratch.candidates = candidates;
    }

    /// Takes note of one centroid by itself.
    #[inline(always)]
    fn see(&mut self, row: usize, cluster: u32, value: f32) {
        let (guide, rows) = (self.guide, self.labels.len());
        let known = &mut self.scratch.known;
        let (best, best_value) = (known.cluster[row], known.best[row]);
        known.see(row, value, f32::INFINITY, cluster);
        if guide.reduced.is_none() {
            // It is a group of its own.
            let group = guide.groups.of(cluster);
            let bound = self.form.lower(value, self.bounds.squares[row], known.margin[row]);
            self.bounds.lower[group * rows + row] = stored_lower(bound, guide.group.below()[group]);
            return;
        }
        // The bound of its group began as that of those that were not measured. The best is nobody's bound; what it
        // displaces is one of its group's again, unless it is the row's own, which is seen to at the end.
        known.second_in_group[row] = f32::NAN;
        if known.cluster[row] != cluster {
            self.loosen(row, cluster, value);
        } else if best != self.labels[row] {
            self.loosen(row, best, best_value);
        }
    }

    /// Labels the rows that something was measured for, and makes their bounds anew.
    #[inline(always)]
    fn decide(&mut self) {
        let (guide, rows, form) = (self.guide, self.labels.len(), self.form);
        let asked = std::mem::take(&mut self.scratch.asked);
        let mut column = std::mem::take(&mut self.scratch.column);
        column.make_room(asked.len());
        let known = &self.scratch.known;
        for (at, &row) in asked.iter().enumerate() {
            let row = usize::from(row);
            (column.value[at], column.second[at]) = (known.best[row], known.second_in_group[row]);
            (column.square[at], column.margin[at]) = (self.bounds.squares[row], known.margin[row]);
        }
        column.bound_both(form);
        for (at, &row) in asked.iter().enumerate() {
            let row = usize::from(row);
            let before = self.labels[row];
            let (label, upper) = if column.now[at] < self.scratch.known.second[row] {
                let label = self.scratch.known.cluster[row];
                if !column.second[at].is_nan() {
                    let group = guide.groups.of(label);
                    self.bounds.lower[group * rows + row] = stored_lower(column.bound[at], guide.group.below()[group]);
                }
                (label, column.above[at])
            } else {
                self.settle(row, column.now[at], column.above[at])
            };
            let own = self.scratch.known.own[row];
            if !own.is_nan() && label != before {
                // The group it leaves is bounded without it no more.
                self.loosen(row, before, own);
            }
            if guide.groups.size() == 1 {
                // Nothing else is in its group.
                self.bounds.lower[guide.groups.of(label) * rows + row] = f32::INFINITY;
            }
            self.bounds.upper[row] = stored_upper(upper, guide.own.below()[label as usize]);
            self.labels[row] = label;
        }
        (self.scratch.asked, self.scratch.column) = (asked, column);
    }

    /// The label of a row that f32 could not settle, and a bound on its distance from above: the canonical label among all
    /// clusters whose groups are as near as `upper`.
    #[cold]
    #[inline(never)]
    fn settle(&mut self, row: usize, threshold: f32, upper: f32) -> (u32, f32) {
        let (guide, rows, d) = (self.guide, self.labels.len(), self.guide.nearest.columns());
        let BoundScratch { known, candidates, rescued, .. } = &mut *self.scratch;
        *rescued += 1;
        candidates.clear();
        let reach = upper * (1.0 + ROUNDING);
        for (group, &drift) in guide.group.above().iter().enumerate() {
            if !is_above(self.bounds.lower[group * rows + row], drift, reach) {
                candidates.extend_from_slice(guide.groups.members(group));
            }
        }
        // The best is nobody's bound where it was measured by itself, and neither is the row's own.
        let (best, value) = (known.cluster[row], known.best[row]);
        let count = guide.nearest.count();
        candidates.extend([best, self.labels[row]].iter().filter(|&&cluster| (cluster as usize) < count));
        let values = &self.values[row * d..][..d];
        let label = assign_exact::nearest_of(F::DISTANCE, values, guide.nearest.centroids(), candidates);
        let (square, margin) = (self.bounds.squares[row], known.margin[row]);
        if label != best && guide.reduced.is_some() {
            // Now it is one of those that its group's bound is of.
            self.loosen(row, best, value);
        }
        // The value of the label lies between the smallest and the threshold.
        (label, self.form.upper(threshold, square, margin))
    }

    /// Lowers the bound of a cluster's group to what its value says.
    #[inline(always)]
    fn loosen(&mut self, row: usize, cluster: u32, value: f32) {
        let group = self.guide.groups.of(cluster);
        let bound = self.form.lower(value, self.bounds.squares[row], self.scratch.known.margin[row]);
        let bound = stored_lower(bound, self.guide.group.below()[group]);
        let lower = &mut self.bounds.lower[group * self.labels.len() + row];
        *lower = least(bound, *lower);
    }
}

/// The smallest and the second smallest value that the lanes saw of a row, and where the smallest stood; both −∞ where
/// nothing was a number, so that f64 will decide.
#[inline(always)]
fn two_smallest<S: Simd>(simd: S, state: &LaneState, at: usize) -> (f32, f32, u32) {
    let lanes = at * S::LANES..(at + 1) * S::LANES;
    let all = simd.load(&state.smallest[lanes.clone()]);
    let smallest = simd.reduce_min(all);
    let least = simd.splat(smallest);
    let places = simd.at_most(all, least);
    // In the lane of the smallest its second counts, in all others their smallest.
    let others = simd.select_less(least, all, all, simd.load(&state.second[lanes.clone()]));
    let second = if places.is_power_of_two() { simd.reduce_min(others) } else { smallest };
    let lane = (places | 1 << (S::LANES - 1)).trailing_zeros() as usize;
    let slot = slot(&state.ids[lanes], lane) as u32;
    if places == 0 { (f32::NEG_INFINITY, f32::NEG_INFINITY, slot) } else { (smallest, second, slot) }
}
