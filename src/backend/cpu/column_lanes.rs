//! The nearest of a few centroids for long rows: columns in the lanes of vectors, and a row past all centroids while it is
//! there.
//!
//! Panels of centroids ([`screen`](super::screen)) fill their lanes with whole vectors of centroids: of ten centroids in
//! sixteen lanes, three eighths of the work would be for nothing.

use super::assign_tiled::Dot;
use super::exact;
use super::screen::{Form, sums_along};
use super::simd::{Kernel, Simd};

/// Rows whose sums are in registers at once, and the most centroids: ten sums, and what they are made of.
const ROWS: usize = 2;
const TOGETHER: usize = 5;

/// Rows that pass by a tile of columns, and the columns: 5 centroids of 256 columns are 5 KiB.
const BLOCK: usize = 32;
const TILE: usize = 256;

/// Whether this is the faster way for `k` centroids of `d` columns.
pub(super) fn serves(k: usize, d: usize, lanes: usize) -> bool {
    // The bound of the form's sums holds for eight lanes and more; a quarter of the panels' lanes would be empty.
    lanes >= 8 && d >= 8 * lanes && k <= 4 * lanes && k.next_multiple_of(lanes) * 4 >= k * 5
}

/// Labels long rows.
pub(super) struct ColumnLanes<'a> {
    pub(super) form: Dot,
    /// `k × d`, and what the form adds to their sums.
    pub(super) centroids: &'a [f32],
    pub(super) biases: &'a [f32],
    pub(super) d: usize,
    pub(super) rows: &'a [f32],
    pub(super) labels: &'a mut [u32],
    pub(super) candidates: &'a mut Vec<u32>,
}

impl Kernel for ColumnLanes<'_> {
    /// How many rows were decided in f64.
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> u64 {
        let (k, d) = (self.biases.len(), self.d);
        let (mut sums, mut values, mut unsettled) = (vec![0.0; BLOCK * k * S::LANES], vec![0.0; k], 0);
        for first in (0..self.labels.len()).step_by(BLOCK) {
            let count = (self.labels.len() - first).min(BLOCK);
            let rows = &self.rows[first * d..][..count * d];
            self.multiply(simd, rows, &mut sums);
            for (at, row) in rows.chunks_exact(d).enumerate() {
                let lanes = sums[at * k * S::LANES..].chunks_exact(S::LANES);
                for (j, (value, lanes)) in values.iter_mut().zip(lanes).enumerate() {
                    let whole = d / S::LANES * S::LANES;
                    let mut product = simd.reduce_add(simd.load(lanes));
                    for (x, c) in row[whole..].iter().zip(&self.centroids[j * d + whole..]) {
                        product += x * c;
                    }
                    *value = self.biases[j] - 2.0 * product;
                }
                unsettled += self.decide(simd, first + at, row, &values);
            }
        }
        unsettled
    }
}

impl ColumnLanes<'_> {
    /// The products of a block of rows with all centroids, lane by lane. A tile of the columns of all centroids stays in the
    /// nearest cache while the rows pass.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, rows: &[f32], sums: &mut [f32]) {
        let (k, d) = (self.biases.len(), self.d);
        let (count, whole) = (rows.len() / d, d / S::LANES * S::LANES);
        // All parts as equal as can be: five and one would take as long as two fives.
        let part = k.div_ceil(k.div_ceil(TOGETHER));
        for from in (0..whole).step_by(TILE) {
            let to = (from + TILE).min(whole);
            for row in (0..count).step_by(ROWS) {
                let pair = [row, (row + 1).min(count - 1)];
                let x = pair.map(|row| &rows[row * d + from..row * d + to]);
                for at in (0..k).step_by(part) {
                    let centroids = &self.centroids[at * d..];
                    let places = pair.map(|row| (row * k + at) * S::LANES);
                    match part.min(k - at) {
                        1 => products::<S, 1>(simd, x, centroids, d, from, sums, places),
                        2 => products::<S, 2>(simd, x, centroids, d, from, sums, places),
                        3 => products::<S, 3>(simd, x, centroids, d, from, sums, places),
                        4 => products::<S, 4>(simd, x, centroids, d, from, sums, places),
                        _ => products::<S, TOGETHER>(simd, x, centroids, d, from, sums, places),
                    }
                }
            }
        }
    }

    /// Labels a row from its values. Returns 1 where f64 had to decide.
    #[inline(always)]
    fn decide<S: Simd>(&mut self, simd: S, at: usize, row: &[f32], values: &[f32]) -> u64 {
        let [square] = sums_along(Dot::PLAIN, simd, row, [row]);
        let (label, is_settled) = nearest(self.form, values, square);
        self.labels[at] = label;
        if is_settled {
            return 0;
        }
        let threshold = self.form.threshold(values[label as usize], self.form.margin(square));
        self.candidates.clear();
        // What is no number is not farther, and goes to f64 as well.
        let is_farther = |value: f32| value > threshold;
        let near = values.iter().zip(0..).filter(|(value, _)| !is_farther(**value));
        self.candidates.extend(near.map(|(_, j)| j));
        self.labels[at] = exact::nearest_of(Dot::DISTANCE, row, self.centroids, self.candidates);
        1
    }
}

/// Adds the products of two rows with `N` centroids over some columns, `from` on, to their sums at two places; begins the
/// sums where it begins with the columns.
#[inline(always)]
fn products<S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    centroids: &[f32],
    d: usize,
    from: usize,
    sums: &mut [f32],
    places: [usize; ROWS],
) {
    let mut of = [&centroids[..0]; N];
    for j in 0..N {
        of[j] = &centroids[j * d + from..][..rows[0].len()];
    }
    let mut totals = [[simd.splat(0.0); N]; ROWS];
    if from > 0 {
        for row in 0..ROWS {
            for j in 0..N {
                totals[row][j] = simd.load(&sums[places[row] + j * S::LANES..]);
            }
        }
    }
    for at in (0..rows[0].len()).step_by(S::LANES) {
        let mut x = [simd.splat(0.0); ROWS];
        for row in 0..ROWS {
            x[row] = simd.load(&rows[row][at..]);
        }
        for j in 0..N {
            let c = simd.load(&of[j][at..]);
            for row in 0..ROWS {
                totals[row][j] = simd.mul_add(x[row], c, totals[row][j]);
            }
        }
    }
    for row in 0..ROWS {
        for j in 0..N {
            simd.store(totals[row][j], &mut sums[places[row] + j * S::LANES..]);
        }
    }
}

/// The smallest of some values, and whether the form's margin sets it apart from all others.
#[inline(always)]
fn nearest(form: Dot, values: &[f32], square: f32) -> (u32, bool) {
    let (mut smallest, mut second, mut label) = (f32::INFINITY, f32::INFINITY, 0);
    for (&value, j) in values.iter().zip(0..) {
        let is_less = value < smallest;
        let other = if is_less { smallest } else { value };
        second = if other < second { other } else { second };
        label = if is_less { j } else { label };
        smallest = if is_less { value } else { smallest };
    }
    (label, form.threshold(smallest, form.margin(square)) < second)
}
