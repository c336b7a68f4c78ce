//! The nearest of a few centroids for long rows: columns in the lanes of vectors, and a row past all centroids while it is
//! there.
//!
//! Panels of centroids ([`screen`](super::screen)) fill their lanes with whole vectors of centroids: of ten centroids in
//! sixteen lanes, three eighths of the work would be for nothing.

use super::assign_exact;
use super::assign_tiled::Dot;
use super::screen::Form;
use super::simd::{Kernel, Simd};

/// Rows whose sums are in registers at once, and the most centroids: ten sums, two of squares, and what they are made of.
const ROWS: usize = 2;
const TOGETHER: usize = 5;

/// Rows that pass by a tile of columns, and the columns: 5 centroids of 256 columns are 5 KiB.
const BLOCK: usize = 32;
const TILE: usize = 256;

/// Whether this is the faster way for `k` centroids of `d` columns.
pub(super) fn serves(k: usize, d: usize, lanes: usize) -> bool {
    // The bound of the form's sums holds for eight lanes and more; a quarter of the panels' lanes would be empty.
    lanes >= 8 && d >= 16 * lanes && k <= 4 * lanes && k.next_multiple_of(lanes) * 4 >= k * 5
}

/// A few centroids made ready: part after part, each vector by vector, so that they are read from end to end.
#[derive(Debug)]
pub(super) struct FewCentroids {
    /// The whole vectors of all columns.
    values: Vec<f32>,
    /// The columns in these.
    whole: usize,
    /// Centroids in a part, but for the last: all as equal as can be, as five and one would take as long as two fives.
    part: usize,
}

impl FewCentroids {
    /// Packs `k` centroids, `k × d`, for vectors of `lanes`.
    pub(super) fn new(centroids: &[f32], k: usize, lanes: usize) -> Self {
        let (d, part) = (centroids.len() / k, k.div_ceil(k.div_ceil(TOGETHER)));
        let whole = d / lanes * lanes;
        let mut values = Vec::with_capacity(k * whole);
        for part in centroids.chunks(part * d) {
            for column in (0..whole).step_by(lanes) {
                for centroid in part.chunks_exact(d) {
                    values.extend_from_slice(&centroid[column..column + lanes]);
                }
            }
        }
        Self { values, whole, part }
    }
}

/// Labels long rows.
pub(super) struct ColumnLanes<'a> {
    pub(super) form: Dot,
    pub(super) few: &'a FewCentroids,
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
        let (k, d, whole) = (self.biases.len(), self.d, self.few.whole);
        // The last sums are those of the squares.
        let (mut sums, mut values, mut unsettled) = (vec![0.0; BLOCK * (k + 1) * S::LANES], vec![0.0; k], 0);
        for first in (0..self.labels.len()).step_by(BLOCK) {
            let count = (self.labels.len() - first).min(BLOCK);
            let (rows, ahead) = self.rows[first * d..].split_at(count * d);
            self.multiply(simd, rows, ahead, &mut sums);
            for (at, row) in rows.chunks_exact(d).enumerate() {
                let sums = &sums[at * (k + 1) * S::LANES..][..(k + 1) * S::LANES];
                let (products, squares) = sums.split_at(k * S::LANES);
                for (j, (value, lanes)) in values.iter_mut().zip(products.chunks_exact(S::LANES)).enumerate() {
                    let mut product = simd.reduce_add(simd.load(lanes));
                    for (x, c) in row[whole..].iter().zip(&self.centroids[j * d + whole..]) {
                        product += x * c;
                    }
                    *value = self.biases[j] - 2.0 * product;
                }
                let mut square = simd.reduce_add(simd.load(squares));
                for x in &row[whole..] {
                    square += x * x;
                }
                unsettled += self.decide(first + at, row, &values, square);
            }
        }
        unsettled
    }
}

impl ColumnLanes<'_> {
    /// The products of a block of rows with all centroids, and with themselves, lane by lane. A tile of the columns of all
    /// centroids stays in the nearest cache while the rows pass; meanwhile the rows `ahead` are fetched from end to end,
    /// as memory likes it.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, rows: &[f32], ahead: &[f32], sums: &mut [f32]) {
        let (k, d) = (self.biases.len(), self.d);
        let &FewCentroids { ref values, whole, part } = self.few;
        let (count, length) = (rows.len() / d, (k + 1) * S::LANES);
        let passes = whole.div_ceil(TILE) * count.div_ceil(ROWS);
        let mut ahead = ahead[..ahead.len().min(rows.len())].chunks(rows.len().div_ceil(passes));
        for from in (0..whole).step_by(TILE) {
            let to = (from + TILE).min(whole);
            for row in (0..count).step_by(ROWS) {
                if let Some(ahead) = ahead.next() {
                    simd.prefetch(ahead);
                }
                let pair = [row, (row + 1).min(count - 1)];
                let x = pair.map(|row| &rows[row * d + from..row * d + to]);
                for at in (0..k).step_by(part) {
                    let n = part.min(k - at);
                    let centroids = &values[at * whole..][n * from..n * to];
                    // The squares go with the first part.
                    let squares = (at == 0).then_some(pair.map(|row| row * length + k * S::LANES));
                    let places = pair.map(|row| row * length + at * S::LANES);
                    let places = Places { products: places, squares, are_new: from == 0 };
                    match n {
                        1 => products::<S, 1>(simd, x, centroids, sums, &places),
                        2 => products::<S, 2>(simd, x, centroids, sums, &places),
                        3 => products::<S, 3>(simd, x, centroids, sums, &places),
                        4 => products::<S, 4>(simd, x, centroids, sums, &places),
                        _ => products::<S, TOGETHER>(simd, x, centroids, sums, &places),
                    }
                }
            }
        }
    }

    /// Labels a row from its values and its squared length. Returns 1 where f64 had to decide.
    #[inline(always)]
    fn decide(&mut self, at: usize, row: &[f32], values: &[f32], square: f32) -> u64 {
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
        self.labels[at] = assign_exact::nearest_of(Dot::DISTANCE, row, self.centroids, self.candidates);
        1
    }
}

/// Where the sums of two rows stand, and whether they begin.
struct Places {
    products: [usize; ROWS],
    squares: Option<[usize; ROWS]>,
    are_new: bool,
}

/// Adds the products of two rows with `N` centroids over some columns to their sums, and the squares where asked.
#[inline(always)]
fn products<S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    centroids: &[f32],
    sums: &mut [f32],
    places: &Places,
) {
    let mut totals = [[simd.splat(0.0); N]; ROWS];
    if !places.are_new {
        for row in 0..ROWS {
            for j in 0..N {
                totals[row][j] = simd.load(&sums[places.products[row] + j * S::LANES..]);
            }
        }
    }
    let vectors = rows[0].chunks_exact(S::LANES).zip(rows[1].chunks_exact(S::LANES));
    let vectors = vectors.zip(centroids.chunks_exact(N * S::LANES));
    if let Some(at) = places.squares {
        let mut squares = [simd.splat(0.0); ROWS];
        if !places.are_new {
            squares = [simd.load(&sums[at[0]..]), simd.load(&sums[at[1]..])];
        }
        for ((first, second), centroids) in vectors {
            let x = [simd.load(first), simd.load(second)];
            multiply(simd, x, centroids, &mut totals);
            for row in 0..ROWS {
                squares[row] = simd.mul_add(x[row], x[row], squares[row]);
            }
        }
        for row in 0..ROWS {
            simd.store(squares[row], &mut sums[at[row]..]);
        }
    } else {
        for ((first, second), centroids) in vectors {
            multiply(simd, [simd.load(first), simd.load(second)], centroids, &mut totals);
        }
    }
    for row in 0..ROWS {
        for j in 0..N {
            simd.store(totals[row][j], &mut sums[places.products[row] + j * S::LANES..]);
        }
    }
}

/// Adds the products of a vector of two rows with those of `N` centroids.
#[inline(always)]
fn multiply<S: Simd, const N: usize>(
    simd: S,
    x: [S::Vector; ROWS],
    centroids: &[f32],
    totals: &mut [[S::Vector; N]; ROWS],
) {
    for j in 0..N {
        let c = simd.load(&centroids[j * S::LANES..]);
        for row in 0..ROWS {
            totals[row][j] = simd.mul_add(x[row], c, totals[row][j]);
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
