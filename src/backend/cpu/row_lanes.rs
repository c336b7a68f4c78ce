//! The nearest centroid for a few columns: rows in the lanes of vectors, and all centroids past them one by one.
//!
//! Rows of a few columns are all in registers at once, and each lane decides for its row alone: nothing is reduced across
//! lanes. At 3 columns and 8 clusters it takes a quarter of the time of panels of centroids ([`screen`](super::screen)).

mod dot;

pub(super) use dot::{DotLanes, Doubled, SOME_COLUMNS};

use super::assign_exact;
use super::screen::{Form, keep_smallest};
use super::simd::{Kernel, Simd};

/// Up to this number of columns rows are taken in lanes.
pub(super) const FEW_COLUMNS: usize = 8;

/// Rows that are turned into columns at a time: a number of vectors on every instruction set.
const BLOCK: usize = 128;

/// Vectors of rows that a centroid's value serves once it is loaded.
const VECTORS: usize = 2;

/// Labels rows of at most [`FEW_COLUMNS`] columns.
pub(super) struct RowLanes<'a, F> {
    pub(super) form: F,
    /// `k × d`.
    pub(super) centroids: &'a [f32],
    pub(super) d: usize,
    pub(super) rows: &'a [f32],
    pub(super) labels: &'a mut [u32],
    pub(super) candidates: &'a mut Vec<u32>,
}

impl<F: Form> Kernel for RowLanes<'_, F> {
    /// How many rows were decided in f64.
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> u64 {
        // Decided when this is compiled: columns in registers need a number that the compiler knows.
        match self.d {
            1 => self.all::<S, 1>(simd),
            2 => self.all::<S, 2>(simd),
            3 => self.all::<S, 3>(simd),
            4 => self.all::<S, 4>(simd),
            5 => self.all::<S, 5>(simd),
            6 => self.all::<S, 6>(simd),
            7 => self.all::<S, 7>(simd),
            _ => self.all::<S, FEW_COLUMNS>(simd),
        }
    }
}

impl<F: Form> RowLanes<'_, F> {
    #[inline(always)]
    fn all<S: Simd, const D: usize>(&mut self, simd: S) -> u64 {
        let (mut columns, mut unsettled) = ([[0.0_f32; BLOCK]; D], 0);
        let mut first = 0;
        while first < self.labels.len() {
            let count = (self.labels.len() - first).min(BLOCK);
            for (row, values) in self.rows[first * D..][..count * D].chunks_exact(D).enumerate() {
                for column in 0..D {
                    columns[column][row] = values[column];
                }
            }
            for at in (0..count).step_by(VECTORS * S::LANES) {
                unsettled += self.vectors::<S, D>(simd, &columns, first, at, count);
            }
            first += count;
        }
        unsettled
    }

    /// Labels the rows of [`VECTORS`] vectors, from `at` on in a block that begins with row `first`.
    #[inline(always)]
    fn vectors<S: Simd, const D: usize>(
        &mut self,
        simd: S,
        columns: &[[f32; BLOCK]; D],
        first: usize,
        at: usize,
        count: usize,
    ) -> u64 {
        let mut x = [[simd.splat(0.0); VECTORS]; D];
        for column in 0..D {
            for v in 0..VECTORS {
                x[column][v] = simd.load(&columns[column][at + v * S::LANES..]);
            }
        }
        let mut smallest = [simd.splat(f32::INFINITY); VECTORS];
        let (mut second, mut ids) = (smallest, [simd.splat(0.0); VECTORS]);
        for (j, centroid) in self.centroids.chunks_exact(D).enumerate() {
            let id = simd.splat(f32::from_bits(j as u32));
            let mut sums = [simd.splat(0.0); VECTORS];
            for column in 0..D {
                let c = simd.splat(centroid[column]);
                for v in 0..VECTORS {
                    sums[v] = self.form.step(simd, sums[v], x[column][v], c);
                }
            }
            for v in 0..VECTORS {
                keep_smallest(simd, sums[v], id, &mut smallest[v], &mut second[v], &mut ids[v]);
            }
        }
        let mut unsettled = 0;
        for v in 0..VECTORS {
            let begin = at + v * S::LANES;
            let lanes = count.saturating_sub(begin).min(S::LANES);
            write_labels(simd, ids[v], &mut self.labels[first + begin.min(count)..][..lanes]);
            // Negated, so that what is no number is open as well.
            let threshold = self.form.thresholds(simd, smallest[v]);
            let mut open = !simd.less(threshold, second[v]) & (u32::MAX >> (32 - S::LANES));
            while open != 0 && (open.trailing_zeros() as usize) < lanes {
                let lane = open.trailing_zeros() as usize;
                let row = first + begin + lane;
                let values = &self.rows[row * D..][..D];
                self.labels[row] = settle(self.form, values, self.centroids, self.candidates);
                (open, unsettled) = (open & (open - 1), unsettled + 1);
            }
        }
        unsettled
    }
}

/// Writes the ids of a vector of rows as their labels; those of the first rows where fewer are left.
#[inline(always)]
fn write_labels<S: Simd>(simd: S, ids: S::Vector, labels: &mut [u32]) {
    if labels.len() == S::LANES {
        simd.store(ids, bytemuck::cast_slice_mut(labels));
        return;
    }
    let mut found = [0.0_f32; 32];
    simd.store(ids, &mut found);
    labels.iter_mut().zip(&found).for_each(|(label, id)| *label = id.to_bits());
}

/// The canonical label of a row that f32 could not settle: in f64, among those whose value is within the threshold.
#[cold]
#[inline(never)]
fn settle<F: Form>(form: F, row: &[f32], centroids: &[f32], candidates: &mut Vec<u32>) -> u32 {
    let value = |centroid: &[f32]| form.plain(row, centroid);
    let smallest = centroids.chunks_exact(row.len()).map(value).fold(f32::INFINITY, f32::min);
    let square = row.iter().map(|x| x * x).sum();
    let threshold = form.threshold(smallest, form.margin(square));
    candidates.clear();
    let all = centroids.chunks_exact(row.len()).zip(0..);
    // What is no number is not farther, and goes to f64 as well.
    let is_farther = |centroid: &[f32]| value(centroid) > threshold;
    candidates.extend(all.filter(|(centroid, _)| !is_farther(centroid)).map(|(_, j)| j));
    assign_exact::nearest_of(F::DISTANCE, row, centroids, candidates)
}
