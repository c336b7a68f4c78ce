//! The kernels: which rows are open, and their new labels.

use super::state::BlockBounds;
use super::{BoundScratch, Guide};
use crate::backend::cpu::exact;
use crate::backend::cpu::screen::{BLOCK, Block, Form, LaneState, ROUNDING, slot};
use crate::backend::cpu::simd::{Kernel, Simd};

/// Finds the rows whose label the bounds leave open.
pub(super) struct Doubt<'a, 'b> {
    pub(super) guide: &'a Guide,
    pub(super) bounds: &'a BlockBounds<'b>,
    pub(super) scratch: &'a mut BoundScratch,
    pub(super) labels: &'a [u32],
}

impl Kernel for Doubt<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let BoundScratch { upper, lower, open, .. } = self.scratch;
        let rows = self.labels.len();
        upper.resize(rows, 0.0);
        lower.clear();
        lower.resize(rows, f32::INFINITY);
        let drift = self.guide.own.above();
        for ((now, &stored), &label) in upper.iter_mut().zip(&*self.bounds.upper).zip(self.labels) {
            *now = upper_now(stored, drift[label as usize]);
        }
        for (stored, &drift) in self.bounds.lower.chunks_exact(rows).zip(self.guide.group.above()) {
            for (lower, &stored) in lower.iter_mut().zip(stored) {
                let now = stored - drift;
                *lower = if now < *lower { now } else { *lower };
            }
        }
        // Written in any case, and kept where it is open: no branch to foretell.
        open.resize(rows, 0);
        let mut count = 0;
        for (row, (lower, upper)) in lower.iter().zip(&*upper).enumerate() {
            open[count] = row as u16;
            count += usize::from(!(lower > upper));
        }
        open.truncate(count);
    }
}

/// What is known of an open row while groups are measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowState {
    margin: f32,
    /// The smallest value so far, the cluster it belongs to, and the smallest of all others.
    best: f32,
    cluster: u32,
    second: f32,
    /// The second smallest value within the group of the best; NaN where that group was not measured.
    second_in_group: f32,
    /// The value of the row's own centroid, where its group was not measured; else NaN.
    own: f32,
}

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
        let (rows, groups) = (self.labels.len(), self.guide.groups.len());
        self.scratch.states.resize(rows, RowState::default());
        self.scratch.lists.resize_with(groups, Vec::new);
        self.scratch.lists.iter_mut().for_each(Vec::clear);
        self.scratch.asked.clear();
        if self.seeds {
            self.begin(simd);
        } else {
            self.tighten(simd);
        }
        if self.guide.groups.size() == 1 {
            self.measure_one_by_one(simd);
        } else {
            self.measure_by_group(simd);
        }
        self.decide();
    }
}

impl<F: Form> Reassign<'_, '_, F> {
    /// Asks for all rows and groups.
    #[inline(always)]
    fn begin<S: Simd>(&mut self, _: S) {
        let d = self.guide.nearest.columns();
        let BoundScratch { lists, states, asked, .. } = &mut *self.scratch;
        asked.extend(0..self.labels.len() as u16);
        lists.iter_mut().for_each(|list| list.extend_from_slice(asked));
        for ((row, square), state) in self.values.chunks_exact(d).zip(&mut *self.bounds.squares).zip(states) {
            *square = exact::squared_length(row) as f32;
            *state = RowState { margin: self.form.margin(*square), ..RowState::UNKNOWN };
        }
    }

    /// Measures the distance of each open row to its own centroid, and asks for the groups that are not farther.
    #[inline(always)]
    fn tighten<S: Simd>(&mut self, simd: S) {
        let (guide, d, rows) = (self.guide, self.guide.nearest.columns(), self.labels.len());
        let panels = guide.nearest.panels();
        let BoundScratch { lists, states, asked, open, measured, .. } = &mut *self.scratch;
        *measured += open.len() as u64;
        for &at in &*open {
            let row = usize::from(at);
            let (label, square) = (self.labels[row], self.bounds.squares[row]);
            let values = &self.values[row * d..][..d];
            let [own] = self.form.values(simd, values, [panels.centroid(label)], [panels.bias(label)]);
            let margin = self.form.margin(square);
            let upper = self.form.upper(own, square, margin);
            let stored = stored_upper(upper, guide.own.below()[label as usize]);
            self.bounds.upper[row] = stored;
            let upper = upper_now(stored, guide.own.above()[label as usize]);
            let lower = self.bounds.lower.iter().skip(row).step_by(rows);
            let (mut is_asked, mut own_is_measured, own_group) = (false, false, guide.groups.of(label));
            for (group, (lower, drift)) in lower.zip(guide.group.above()).enumerate() {
                if !(lower - drift > upper) && !(guide.groups.size() == 1 && group == own_group) {
                    lists[group].push(at);
                    is_asked = true;
                    own_is_measured |= group == own_group;
                }
            }
            if is_asked {
                asked.push(at);
                let known = RowState { margin, best: own, cluster: label, own, ..RowState::UNKNOWN };
                states[row] = if own_is_measured { RowState { margin, ..RowState::UNKNOWN } } else { known };
            }
        }
    }

    /// Measures groups that fill vectors, each for the rows that ask for it.
    #[inline(always)]
    fn measure_by_group<S: Simd>(&mut self, simd: S) {
        let (guide, rows) = (self.guide, self.labels.len());
        let panels = guide.nearest.panels();
        let (form, d, room) = (self.form, panels.columns(), panels.slots() / guide.groups.len());
        let BoundScratch { lists, states, lanes, measured, .. } = &mut *self.scratch;
        for (group, list) in lists.iter().enumerate() {
            let lower = &mut self.bounds.lower[group * rows..][..rows];
            let drift = guide.group.below()[group];
            *measured += (list.len() * guide.groups.members(group).len()) as u64;
            for picked in list.chunks(BLOCK) {
                lanes.make_room(picked.len(), S::LANES);
                let block = Block { simd, form, panels, rows: self.values, d, picked: Some(picked) };
                block.sweep(group * room..(group + 1) * room, lanes);
                for (at, &row) in picked.iter().enumerate() {
                    let row = usize::from(row);
                    let found = Found::in_lanes(simd, lanes, at);
                    let state = &mut states[row];
                    let bound = form.lower(found.smallest, self.bounds.squares[row], state.margin);
                    lower[row] = stored_lower(bound, drift);
                    state.see(found, |slot| panels.cluster(slot), panels.cluster(group * room));
                }
            }
        }
    }

    /// Measures single centroids, all that a row asks for while it is in the cache.
    #[inline(always)]
    fn measure_one_by_one<S: Simd>(&mut self, simd: S) {
        const TOGETHER: usize = 4;
        let (guide, rows) = (self.guide, self.labels.len());
        let (panels, d) = (guide.nearest.panels(), guide.nearest.columns());
        let (form, below) = (self.form, guide.group.below());
        let BoundScratch { lists, states, asked, candidates, measured, .. } = &mut *self.scratch;
        let mut next = vec![0_usize; lists.len()];
        for &at in &*asked {
            let row = usize::from(at);
            candidates.clear();
            for (cluster, (list, next)) in lists.iter().zip(&mut next).enumerate() {
                if list.get(*next) == Some(&at) {
                    *next += 1;
                    candidates.push(cluster as u32);
                }
            }
            *measured += candidates.len() as u64;
            let (values, square, state) = (&self.values[row * d..][..d], self.bounds.squares[row], &mut states[row]);
            let mut see = |cluster: u32, value: f32| {
                let bound = form.lower(value, square, state.margin);
                self.bounds.lower[guide.groups.of(cluster) * rows + row] =
                    stored_lower(bound, below[guide.groups.of(cluster)]);
                state.see(Found { smallest: value, second: f32::INFINITY, slot: Some(0) }, |_| cluster, cluster);
            };
            let (fours, rest) = candidates.as_chunks::<TOGETHER>();
            for four in fours {
                let centroids = four.map(|cluster| panels.centroid(cluster));
                let found = form.values(simd, values, centroids, four.map(|cluster| panels.bias(cluster)));
                four.iter().zip(found).for_each(|(&cluster, value)| see(cluster, value));
            }
            for &cluster in rest {
                let [value] = form.values(simd, values, [panels.centroid(cluster)], [panels.bias(cluster)]);
                see(cluster, value);
            }
        }
    }

    /// Labels the rows that groups were measured for, and makes their bounds anew.
    #[inline(always)]
    fn decide(&mut self) {
        let (guide, rows, d) = (self.guide, self.labels.len(), self.guide.nearest.columns());
        let (form, below) = (self.form, guide.group.below());
        let BoundScratch { states, asked, candidates, rescued, .. } = &mut *self.scratch;
        for &at in &*asked {
            let row = usize::from(at);
            let (state, square, before) = (states[row], self.bounds.squares[row], self.labels[row]);
            let threshold = form.threshold(state.best, state.margin);
            let lower_at = |group: usize| group * rows + row;
            let mut upper = form.upper(state.best, square, state.margin);
            let label = if threshold < state.second {
                if !state.second_in_group.is_nan() {
                    let group = guide.groups.of(state.cluster);
                    let bound = form.lower(state.second_in_group, square, state.margin);
                    self.bounds.lower[lower_at(group)] = stored_lower(bound, below[group]);
                }
                state.cluster
            } else {
                *rescued += 1;
                candidates.clear();
                let reach = upper * (1.0 + ROUNDING);
                for (group, drift) in guide.group.above().iter().enumerate() {
                    if !(self.bounds.lower[lower_at(group)] - drift > reach) {
                        candidates.extend_from_slice(guide.groups.members(group));
                    }
                }
                if !self.seeds {
                    candidates.push(before);
                }
                // The value of the label found lies between the smallest and the threshold.
                upper = form.upper(threshold, square, state.margin);
                exact::nearest_of(F::DISTANCE, &self.values[row * d..][..d], guide.nearest.centroids(), candidates)
            };
            if !state.own.is_nan() && label != before {
                // The group it leaves is bounded without it no more.
                let group = guide.groups.of(before);
                let bound = stored_lower(form.lower(state.own, square, state.margin), below[group]);
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

/// What measuring a group found for a row.
struct Found {
    smallest: f32,
    second: f32,
    /// Where the smallest stood; nowhere where nothing was a number.
    slot: Option<usize>,
}

impl Found {
    #[inline(always)]
    fn in_lanes<S: Simd>(simd: S, state: &LaneState, at: usize) -> Self {
        let lanes = at * S::LANES..(at + 1) * S::LANES;
        let all = simd.load(&state.smallest[lanes.clone()]);
        let smallest = simd.reduce_min(all);
        let least = simd.splat(smallest);
        let places = simd.at_most(all, least);
        if places == 0 {
            return Self { smallest: f32::NEG_INFINITY, second: f32::NEG_INFINITY, slot: None };
        }
        // In the lane of the smallest its second counts, in all others their smallest.
        let others = simd.select_less(least, all, all, simd.load(&state.second[lanes.clone()]));
        let second = if places.is_power_of_two() { simd.reduce_min(others) } else { smallest };
        Self { smallest, second, slot: Some(slot(&state.ids[lanes], places.trailing_zeros() as usize)) }
    }
}

impl RowState {
    const UNKNOWN: Self = Self {
        margin: 0.0,
        best: f32::INFINITY,
        cluster: u32::MAX,
        second: f32::INFINITY,
        second_in_group: f32::NAN,
        own: f32::NAN,
    };

    /// Takes note of a group; where nothing was a number `any` of its clusters stands for all, as f64 will decide.
    #[inline(always)]
    fn see(&mut self, found: Found, cluster: impl Fn(usize) -> u32, any: u32) {
        if found.smallest < self.best || self.cluster == u32::MAX {
            let before = if self.cluster == u32::MAX { f32::INFINITY } else { self.best };
            self.second = least(self.second, least(before, found.second));
            (self.best, self.second_in_group) = (found.smallest, found.second);
            self.cluster = found.slot.map_or(any, cluster);
        } else {
            self.second = least(self.second, found.smallest);
        }
    }
}

/// The smaller; the second where one is no number.
#[inline(always)]
fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
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

/// How a lower bound is stored: not more than the sum.
#[inline(always)]
fn stored_lower(lower: f32, drift_below: f32) -> f32 {
    (lower + drift_below) * (1.0 - ROUNDING / 2.0)
}
