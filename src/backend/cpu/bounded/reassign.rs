//! The kernel that measures what the bounds leave open.

use super::doubt::ask;
use super::scratch::{BoundScratch, least};
use super::state::BlockBounds;
use super::{Guide, is_above, stored_lower, stored_upper, upper_now};
use crate::backend::cpu::exact;
use crate::backend::cpu::screen::{BLOCK, Block, Form, LaneState, ROUNDING, slot};
use crate::backend::cpu::simd::{Kernel, Simd};

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
            *square = exact::squared_length(values) as f32;
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
        let BoundScratch { known, open, upper, measured, .. } = &mut *self.scratch;
        *measured += (open.len() * d) as u64;
        for &at in &*open {
            let row = usize::from(at);
            let (label, square) = (self.labels[row], self.bounds.squares[row]);
            let values = &self.values[row * d..][..d];
            let [own] = self.form.values(simd, values, [panels.centroid(label)], [panels.bias(label)]);
            known.margin[row] = self.form.margin(square);
            known.own(row, own, label);
            let bound = self.form.upper(own, square, known.margin[row]);
            let stored = stored_upper(bound, below[label as usize]);
            self.bounds.upper[row] = stored;
            upper[row] = upper_now(stored, above[label as usize]);
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
        let BoundScratch { lists, known, found, lanes, measured, .. } = &mut *self.scratch;
        for (group, list) in lists.iter().enumerate() {
            let lower = &mut self.bounds.lower[group * rows..][..rows];
            let drift = guide.group.below()[group];
            *measured += (list.len() * room * d) as u64;
            for picked in list.chunks(BLOCK) {
                lanes.make_room(picked.len(), S::LANES);
                found.make_room(picked.len());
                let block = Block { simd, form, panels, rows: self.values, d, picked: Some(picked) };
                block.sweep(group * room..(group + 1) * room, lanes);
                for (at, &row) in picked.iter().enumerate() {
                    let row = usize::from(row);
                    (found.smallest[at], found.second[at], found.slot[at]) = two_smallest(simd, lanes, at);
                    (found.squares[at], found.margins[at]) = (self.bounds.squares[row], known.margin[row]);
                }
                // A loop of its own, that the compiler vectorises: a root at a time would take longer than all else.
                let values = found.smallest.iter().zip(&found.squares).zip(&found.margins);
                for (bound, ((&value, &square), &margin)) in found.bounds.iter_mut().zip(values) {
                    *bound = stored_lower(form.lower(value, square, margin), drift);
                }
                for (at, &row) in picked.iter().enumerate() {
                    let row = usize::from(row);
                    lower[row] = found.bounds[at];
                    known.see(row, found.smallest[at], found.second[at], panels.cluster(found.slot[at] as usize));
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

    /// Takes note of one centroid by itself. The bound of its group is the smallest of those seen: it began as that of
    /// the others.
    #[inline(always)]
    fn see(&mut self, row: usize, cluster: u32, value: f32) {
        let (guide, rows) = (self.guide, self.labels.len());
        let known = &mut self.scratch.known;
        let group = guide.groups.of(cluster);
        let bound = self.form.lower(value, self.bounds.squares[row], known.margin[row]);
        let bound = stored_lower(bound, guide.group.below()[group]);
        let lower = &mut self.bounds.lower[group * rows + row];
        if guide.reduced.is_none() {
            *lower = bound;
            known.see(row, value, f32::INFINITY, cluster);
            return;
        }
        // The best so far was nobody's bound yet; what it is displaced by will be.
        let best = (known.best[row], known.cluster[row]);
        known.see(row, value, f32::INFINITY, cluster);
        known.second_in_group[row] = f32::NAN;
        if known.cluster[row] != cluster {
            *lower = least(bound, *lower);
        } else if best.1 != self.labels[row] {
            let group = guide.groups.of(best.1);
            let bound = self.form.lower(best.0, self.bounds.squares[row], known.margin[row]);
            let lower = &mut self.bounds.lower[group * rows + row];
            *lower = least(stored_lower(bound, guide.group.below()[group]), *lower);
        }
    }

    /// Labels the rows that something was measured for, and makes their bounds anew.
    #[inline(always)]
    fn decide(&mut self) {
        let (guide, rows, d) = (self.guide, self.labels.len(), self.guide.nearest.columns());
        let (form, below) = (self.form, guide.group.below());
        let BoundScratch { known, asked, candidates, rescued, .. } = &mut *self.scratch;
        for &at in &*asked {
            let row = usize::from(at);
            let (square, margin, before) = (self.bounds.squares[row], known.margin[row], self.labels[row]);
            let threshold = form.threshold(known.best[row], margin);
            let lower_at = |group: usize| group * rows + row;
            let mut upper = form.upper(known.best[row], square, margin);
            let label = if threshold < known.second[row] {
                let label = known.cluster[row];
                if !known.second_in_group[row].is_nan() {
                    let group = guide.groups.of(label);
                    let bound = form.lower(known.second_in_group[row], square, margin);
                    self.bounds.lower[lower_at(group)] = stored_lower(bound, below[group]);
                }
                label
            } else {
                *rescued += 1;
                // The value of the label found lies between the smallest and the threshold.
                upper = form.upper(threshold, square, margin);
                candidates.clear();
                let reach = upper * (1.0 + ROUNDING);
                for (group, &drift) in guide.group.above().iter().enumerate() {
                    if !is_above(self.bounds.lower[lower_at(group)], drift, reach) {
                        candidates.extend_from_slice(guide.groups.members(group));
                    }
                }
                // The best is nobody's bound where it was measured by itself, and neither is the row's own.
                candidates.extend([known.cluster[row], before].iter().filter(|&&c| (c as usize) < guide.nearest.count()));
                let row = &self.values[row * d..][..d];
                let label = exact::nearest_of(F::DISTANCE, row, guide.nearest.centroids(), candidates);
                if known.cluster[usize::from(at)] != label && guide.reduced.is_some() {
                    // Now it is one of those that its group's bound is of.
                    let best = known.cluster[usize::from(at)];
                    let group = guide.groups.of(best);
                    let bound = form.lower(known.best[usize::from(at)], square, margin);
                    let lower = &mut self.bounds.lower[lower_at(group)];
                    *lower = least(stored_lower(bound, below[group]), *lower);
                }
                label
            };
            if !known.own[row].is_nan() && label != before {
                // The group it leaves is bounded without it no more.
                let group = guide.groups.of(before);
                let bound = stored_lower(form.lower(known.own[row], square, margin), below[group]);
                let lower = &mut self.bounds.lower[lower_at(group)];
                *lower = least(bound, *lower);
            }
            if guide.groups.size() == 1 {
                // Nothing else is in its group.
                self.bounds.lower[lower_at(guide.groups.of(label))] = f32::INFINITY;
            }
            self.bounds.upper[row] = stored_upper(upper, guide.own.below()[label as usize]);
            self.labels[row] = label;
        }
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
