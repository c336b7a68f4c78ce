//! Rows in lanes for up to [`SOME_COLUMNS`] columns, in the form `|c|² − 2x·c`.

use super::{BLOCK, VECTORS, settle, write_labels};
use crate::backend::cpu::assign_tiled::Dot;
use crate::backend::cpu::screen::{Form, keep_smallest};
use crate::backend::cpu::simd::{Kernel, Simd};

/// Up to this number of columns rows are taken in lanes: to turn a row into columns takes as long as to multiply it with
/// eight centroids.
pub(in super::super) const SOME_COLUMNS: usize = 32;

/// Centroids whose sums are in registers at once.
const TOGETHER: usize = 4;

/// Centroids made ready: `−2c`, so that a sum that begins with `|c|²` ends as the value itself.
#[derive(Debug)]
pub(in super::super) struct Doubled {
    /// `k × d`, and zeros up to a multiple of [`TOGETHER`] centroids.
    values: Vec<f32>,
    /// What each sum begins with; +∞ behind the last centroid.
    biases: Vec<f32>,
}

impl Doubled {
    pub(in super::super) fn new(centroids: &[f32], biases: &[f32]) -> Self {
        let d = centroids.len() / biases.len().max(1);
        let slots = biases.len().next_multiple_of(TOGETHER);
        let mut values: Vec<f32> = centroids.iter().map(|c| -2.0 * c).collect();
        values.resize(slots * d, 0.0);
        let mut biases = biases.to_vec();
        biases.resize(slots, f32::INFINITY);
        Self { values, biases }
    }
}

/// Labels rows of at most [`SOME_COLUMNS`] columns.
pub(in super::super) struct DotLanes<'a> {
    /// The bound of sums that begin with the bias.
    pub(in super::super) form: Dot,
    pub(in super::super) doubled: &'a Doubled,
    /// `k × d`.
    pub(in super::super) centroids: &'a [f32],
    pub(in super::super) d: usize,
    pub(in super::super) rows: &'a [f32],
    pub(in super::super) labels: &'a mut [u32],
    pub(in super::super) candidates: &'a mut Vec<u32>,
}

impl Kernel for DotLanes<'_> {
    /// How many rows were decided in f64.
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> u64 {
        let (d, mut columns) = (self.d, [[0.0_f32; BLOCK]; SOME_COLUMNS]);
        let (mut first, mut unsettled) = (0, 0);
        while first < self.labels.len() {
            let count = (self.labels.len() - first).min(BLOCK);
            // Value by value: turned eight by eight in registers (AVX2) it took a tenth longer in all.
            for (row, values) in self.rows[first * d..][..count * d].chunks_exact(d).enumerate() {
                for (column, &value) in columns[..d].iter_mut().zip(values) {
                    column[row] = value;
                }
            }
            for at in (0..count).step_by(VECTORS * S::LANES) {
                unsettled += self.vectors(simd, &columns[..d], first, at, count);
            }
            first += count;
        }
        unsettled
    }
}

impl DotLanes<'_> {
    /// Labels the rows of [`VECTORS`] vectors, from `at` on in a block that begins with row `first`.
    #[inline(always)]
    fn vectors<S: Simd>(&mut self, simd: S, columns: &[[f32; BLOCK]], first: usize, at: usize, count: usize) -> u64 {
        let d = columns.len();
        let mut smallest = [simd.splat(f32::INFINITY); VECTORS];
        let (mut second, mut ids) = (smallest, [simd.splat(0.0); VECTORS]);
        let groups = self.doubled.values.chunks_exact(TOGETHER * d).zip(self.doubled.biases.chunks_exact(TOGETHER));
        for (group, (centroids, biases)) in groups.enumerate() {
            let mut sums = [[simd.splat(0.0); VECTORS]; TOGETHER];
            for j in 0..TOGETHER {
                sums[j] = [simd.splat(biases[j]); VECTORS];
            }
            let centroids: [&[f32]; TOGETHER] = [0, 1, 2, 3].map(|j| &centroids[j * d..][..d]);
            for (i, column) in columns.iter().enumerate() {
                let mut x = [simd.splat(0.0); VECTORS];
                for v in 0..VECTORS {
                    x[v] = simd.load(&column[at + v * S::LANES..]);
                }
                for j in 0..TOGETHER {
                    let c = simd.splat(centroids[j][i]);
                    for v in 0..VECTORS {
                        sums[j][v] = simd.mul_add(x[v], c, sums[j][v]);
                    }
                }
            }
            for (values, j) in sums.iter().zip(0_u32..) {
                let id = simd.splat(f32::from_bits((group * TOGETHER) as u32 + j));
                for v in 0..VECTORS {
                    keep_smallest(simd, values[v], id, &mut smallest[v], &mut second[v], &mut ids[v]);
                }
            }
        }
        let mut unsettled = 0;
        for v in 0..VECTORS {
            let begin = at + v * S::LANES;
            let lanes = count.saturating_sub(begin).min(S::LANES);
            if lanes == 0 {
                break;
            }
            let (mut found, mut thresholds) = ([0.0_f32; 32], [0.0_f32; 32]);
            let mut squares = simd.splat(0.0);
            for column in columns {
                let x = simd.load(&column[begin..]);
                squares = simd.mul_add(x, x, squares);
            }
            simd.store(squares, &mut thresholds);
            simd.store(smallest[v], &mut found);
            for (threshold, &smallest) in thresholds[..S::LANES].iter_mut().zip(&found) {
                *threshold = self.form.threshold(smallest, self.form.margin(*threshold));
            }
            let open = !simd.less(simd.load(&thresholds), second[v]) & (u32::MAX >> (32 - S::LANES));
            write_labels(simd, ids[v], &mut self.labels[first + begin..][..lanes]);
            if open != 0 {
                for lane in (0..lanes).filter(|lane| open >> lane & 1 == 1) {
                    let row = first + begin + lane;
                    let values = &self.rows[row * d..][..d];
                    self.labels[row] = settle(self.form, values, self.centroids, self.candidates);
                    unsettled += 1;
                }
            }
        }
        unsettled
    }
}
