//! Bounds from rows in fewer columns, which rule out most of what the kept bounds leave open.

use super::basis::{Basis, Project};
use super::doubt::ask;
use super::scratch::BoundScratch;
use super::state::BlockBounds;
use super::{Guide, stored_upper, upper_now};
use crate::backend::cpu::assign_tiled::Dot;
use crate::backend::cpu::groups::Groups;
use crate::backend::cpu::panels::{Packing, Panels};
use crate::backend::cpu::screen::{BLOCK, Block, Form, ROUNDING, slot};
use crate::backend::cpu::simd::{Kernel, Simd};
use crate::backend::cpu::square_norms::square_norms;
use crate::backend::cpu::{Isa, Nearest};
use std::sync::Arc;

/// Rows have at least so many columns, where fewer are worth looking for.
const LONG: usize = 192;

/// Rows whose candidates are counted before a basis is taken.
const TRIED: usize = 128;

/// Centroids in the columns of a basis.
#[derive(Debug)]
pub(super) struct Reduced {
    basis: Arc<Basis>,
    panels: Panels,
    form: Dot,
}

/// The columns of rows in a basis, where `d` columns are many enough for one. To bring the rows there takes as long as to
/// measure as many centroids.
pub(super) fn width(k: usize, d: usize) -> Option<usize> {
    (d >= LONG).then(|| (k.min(d / 8) / 8 * 8).clamp(24, 128))
}

impl Reduced {
    /// The centroids, `k × d`, in a basis.
    pub(super) fn new(basis: Arc<Basis>, centroids: &[f32], groups: &Groups, isa: Isa) -> Self {
        let (d, width) = (basis.columns(), basis.width());
        let mut reduced = vec![0.0; centroids.len() / d * width];
        let mut squares = vec![0.0; centroids.len() / d];
        isa.run(Project { basis: &basis, rows: centroids, squares: &mut squares, out: &mut reduced });
        let biases = square_norms(centroids, d);
        let form = Dot::in_basis(centroids, d, width, basis.tau());
        let panels = Panels::new(isa, reduced, width, biases, Packing::InGroups(groups));
        Self { basis, panels, form }
    }

    /// Finds a basis for some rows and the centroids, if it tells them apart well enough: if it leaves so few candidates
    /// that to measure all in it and those in full takes less than 3/5 of measuring all in full.
    pub(super) fn find(sample: &[f32], nearest: &Nearest, groups: &Groups) -> Option<Self> {
        let (k, d, isa) = (nearest.count(), nearest.columns(), nearest.isa());
        let rows = sample.len() / d;
        let width = width(k, d)?;
        // The centroids together count as much as the rows.
        let step = k.div_ceil(rows.max(1)).max(1);
        let weight = (rows as f32 / k.div_ceil(step) as f32).sqrt();
        let some = nearest.centroids().chunks_exact(d).step_by(step);
        let points: Vec<f32> =
            sample.iter().copied().chain(some.flat_map(|c| c.iter().map(|value| value * weight))).collect();
        let points = ndarray::ArrayView2::from_shape((points.len() / d, d), &points).ok()?;
        let basis = Basis::leading(&points, width - 1)?;
        let reduced = Self::new(Arc::new(basis), nearest.centroids(), groups, isa);
        let (mut left, mut tried) = (0, 0);
        for row in sample.chunks_exact(d).step_by((rows / TRIED).max(1)) {
            left += reduced.candidates(row, nearest);
            tried += 1;
        }
        let per_row = k * width + (left * d).div_ceil(tried.max(1)) * 3 / 2;
        (tried > 0 && per_row * 5 < k * d * 3).then_some(reduced)
    }

    /// The same basis, with the centroids where they are now.
    pub(super) fn moved(&self, centroids: &[f32], groups: &Groups, isa: Isa) -> Self {
        Self::new(self.basis.clone(), centroids, groups, isa)
    }

    pub(super) fn width(&self) -> usize {
        self.basis.width()
    }

    /// Brings rows into the basis, and finds their squared lengths.
    pub(super) fn project(&self, isa: Isa, rows: &[f32], squares: &mut [f32], out: &mut [f32]) {
        isa.run(Project { basis: &self.basis, rows, squares, out });
    }

    /// How many centroids the basis cannot tell from the nearest of a row, in plain code.
    fn candidates(&self, row: &[f32], nearest: &Nearest) -> usize {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let mut reduced = vec![0.0; self.width()];
        self.project(nearest.isa(), row, &mut [0.0], &mut reduced);
        let clusters = 0..nearest.count() as u32;
        let values = |cluster| dot(nearest.centroid(cluster), nearest.centroid(cluster));
        let best = clusters.clone().map(|c| values(c) - 2.0 * dot(row, nearest.centroid(c))).fold(f64::MAX, f64::min);
        clusters.filter(|&c| values(c) - 2.0 * dot(&reduced, self.panels.centroid(c)) <= best).count()
    }
}

/// Bounds the open rows of a block by their reduced columns, and lists the pairs that it leaves.
pub(super) struct Narrow<'a, 'b> {
    pub(super) guide: &'a Guide,
    pub(super) reduced: &'a Reduced,
    pub(super) bounds: &'a mut BlockBounds<'b>,
    pub(super) scratch: &'a mut BoundScratch,
    pub(super) labels: &'a [u32],
}

impl Kernel for Narrow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        self.scratch.known.make_room(self.labels.len());
        self.scratch.lists.resize_with(self.guide.groups.len(), Vec::new);
        self.tighten(simd);
        ask(self.guide, self.bounds, self.scratch, self.labels);
        self.pair(simd);
    }
}

impl Narrow<'_, '_> {
    /// Bounds the distance of each open row to its own centroid from above, and finds the largest value that a centroid
    /// as near can have.
    #[inline(always)]
    fn tighten<S: Simd>(&mut self, simd: S) {
        let Reduced { panels, form, .. } = self.reduced;
        let (below, above, width) = (self.guide.own.below(), self.guide.own.above(), panels.columns());
        let BoundScratch { known, open, upper, measured, .. } = &mut *self.scratch;
        *measured += (open.len() * width) as u64;
        for &at in &*open {
            let row = usize::from(at);
            let (label, square) = (self.labels[row], self.bounds.squares[row]);
            let values = &self.bounds.reduced[row * width..][..width];
            let centroid = panels.centroid(label);
            let [own] = form.values(simd, values, [centroid], [panels.bias(label)]);
            let margin = form.margin(square);
            let rests = 4.0 * values[width - 1] * centroid[width - 1] * (1.0 + ROUNDING);
            let bound = form.upper(own + rests, square, margin);
            let stored = stored_upper(bound, below[label as usize]);
            let now = upper_now(stored, above[label as usize]);
            if now < upper[row] {
                upper[row] = now;
                self.bounds.upper[row] = stored;
            }
            let reach = upper[row] * (1.0 + 2.0 * ROUNDING);
            let limit = (reach * reach * (1.0 + 2.0 * ROUNDING) - square) + margin * (1.0 + 2.0 * ROUNDING);
            known.margin[row] = margin;
            known.best[row] = limit + limit.abs() * ROUNDING;
        }
    }

    /// Lists the centroids of each group that may be as near to the rows that ask for it as their own.
    #[inline(always)]
    fn pair<S: Simd>(&mut self, simd: S) {
        let (guide, rows) = (self.guide, self.labels.len());
        let Reduced { panels, form, .. } = self.reduced;
        let (form, width, room) = (*form, panels.columns(), panels.slots() / guide.groups.len());
        let BoundScratch { lists, known, column, lanes, pairs, measured, .. } = &mut *self.scratch;
        pairs.clear();
        let nothing = simd.splat(f32::INFINITY);
        for (group, list) in lists.iter().enumerate() {
            let slots = group * room..(group + 1) * room;
            let lower = &mut self.bounds.lower[group * rows..][..rows];
            let drift = guide.group.below()[group];
            *measured += (list.len() * room * width) as u64;
            for picked in list.chunks(BLOCK) {
                lanes.make_room(picked.len(), S::LANES);
                column.make_room(picked.len());
                let block = Block { simd, form, panels, rows: self.bounds.reduced, d: width, picked: Some(picked) };
                block.sweep(slots.clone(), lanes);
                for (at, &of) in picked.iter().enumerate() {
                    let (row, span) = (usize::from(of), at * S::LANES..(at + 1) * S::LANES);
                    let (smallest, second) =
                        (simd.load(&lanes.smallest[span.clone()]), simd.load(&lanes.second[span.clone()]));
                    let limit = simd.splat(known.best[row]);
                    let (mut near, mut crowded) = (simd.at_most(smallest, limit), simd.at_most(second, limit));
                    let farther = simd.min(
                        simd.select_less(limit, smallest, smallest, nothing),
                        simd.select_less(limit, second, second, nothing),
                    );
                    column.value[at] = simd.reduce_min(farther);
                    (column.square[at], column.margin[at]) = (self.bounds.squares[row], known.margin[row]);
                    let is_known = known.best[row] < f32::INFINITY;
                    if !is_known {
                        // Nothing is known of the row: all are candidates.
                        (near, crowded) = (u32::MAX, u32::MAX);
                    }
                    let ids = &lanes.ids[span];
                    let label = self.labels[row];
                    while near != 0 && (near.trailing_zeros() as usize) < S::LANES {
                        let lane = near.trailing_zeros() as usize;
                        let cluster = panels.cluster(slot(ids, lane));
                        if crowded >> lane & 1 == 1 {
                            let all = panels.clusters_in(slots.clone(), lane);
                            pairs.extend(all.filter(|&cluster| cluster != label).map(|cluster| (of, cluster)));
                        } else if cluster != label {
                            pairs.push((of, cluster));
                        }
                        near &= near - 1;
                    }
                }
                column.bound_below(form, drift);
                picked.iter().zip(&column.bound).for_each(|(&row, &bound)| lower[usize::from(row)] = bound);
            }
        }
        // By rows, so that a row is fetched once.
        pairs.sort_unstable();
    }
}
