//! The f32 pass over all centroids that settles nearly every row, and tells which it cannot settle.
//!
//! Each lane of a vector watches its own share of the centroids and keeps their smallest value, its index, and the
//! second smallest. A [`Form`] says what is summed and how far f32 rounding can have moved a value: whatever lies above
//! the smallest value of the row by more than the form's margin is not the nearest. Mostly one centroid is left and is
//! the label. Else the lanes' own smallest (and all centroids of a lane whose second is within the margin, too) are
//! measured in f64. So labels are those of the f64 definition, bit for bit, whatever the instruction set.

use super::panels::{Panel, Panels, VECTORS};
use super::simd::{Kernel, Simd};
use super::{Distance, assign_exact};

/// Columns summed in one go; the sums of such tiles are added after. A panel's tile is 16 KB at 32 lanes, half of an L1
/// cache, and short sums bound the rounding error of long rows: 128 + d/128 roundings instead of d.
const TILE: usize = 128;

/// Rows that pass over a panel's tile before the next is fetched.
pub(super) const BLOCK: usize = 96;

/// What is summed over the columns, and how exact that is in f32.
pub(super) trait Form: Copy {
    /// The distance it stands for.
    const DISTANCE: Distance;

    /// Adds one column's term.
    fn step<S: Simd>(self, simd: S, sum: S::Vector, x: S::Vector, centroid: S::Vector) -> S::Vector;

    /// One column's term by itself.
    fn term(self, x: f32, centroid: f32) -> f32;

    /// The value of a row and a centroid, column after column in plain code.
    fn plain(self, row: &[f32], centroid: &[f32]) -> f32 {
        row.iter().zip(centroid).map(|(&x, &c)| self.term(x, c)).sum()
    }

    /// The value that is compared, from the finished sum and the centroid's bias.
    fn finish<S: Simd>(self, simd: S, sum: S::Vector, bias: S::Vector) -> S::Vector;

    /// What the thresholds must know of each row of `d` columns, if anything.
    fn margins<S: Simd>(self, simd: S, rows: &[f32], d: usize, margins: &mut [f32]);

    /// The value above which a centroid is not the nearest, given the row's smallest value and its margin; infinite or
    /// NaN where f32 tells nothing at all.
    fn threshold(self, smallest: f32, margin: f32) -> f32;

    /// The thresholds of a vector of rows without margins.
    fn thresholds<S: Simd>(self, simd: S, smallest: S::Vector) -> S::Vector;

    /// The margin of a row whose squared length is known, to within a rounding.
    fn margin(self, squared_length: f32) -> f32;

    /// A bound from below on the distance (its root, where it is squared) that a value stands for.
    fn lower(self, value: f32, squared_length: f32, margin: f32) -> f32;

    /// A bound from above on that distance; infinite where f32 tells nothing.
    fn upper(self, value: f32, squared_length: f32, margin: f32) -> f32;

    /// The values of a row and some centroids by themselves, along the row.
    fn values<S: Simd, const N: usize>(
        self,
        simd: S,
        row: &[f32],
        centroids: [&[f32]; N],
        biases: [f32; N],
    ) -> [f32; N];
}

/// What makes a bound on a root out of a root that was rounded, and out of a sum rounded before it.
pub(super) const ROUNDING: f32 = 1.0 / (1 << 21) as f32;

/// Sums along a row, as [`along`] takes them: more partial sums where there are fewer centroids to keep the processor busy.
#[inline(always)]
pub(super) fn sums_along<F: Form, S: Simd, const N: usize>(
    form: F,
    simd: S,
    row: &[f32],
    centroids: [&[f32]; N],
) -> [f32; N] {
    if N == 1 {
        along::<F, S, N, 4>(form, simd, row, centroids)
    } else {
        along::<F, S, N, 2>(form, simd, row, centroids)
    }
}

/// Sums over the columns of a row and each of some centroids, along the row: `A` vectors of partial sums for each, so that
/// a value passes at most `d / 8 + 24` additions.
///
/// Plain loops: a closure that is not inlined would be compiled for the target's base instructions.
#[inline(always)]
fn along<F: Form, S: Simd, const N: usize, const A: usize>(
    form: F,
    simd: S,
    row: &[f32],
    centroids: [&[f32]; N],
) -> [f32; N] {
    let (d, lanes) = (row.len(), S::LANES);
    let mut sums = [[simd.splat(0.0); A]; N];
    let mut at = 0;
    while at + A * lanes <= d {
        for a in 0..A {
            let x = simd.load(&row[at + a * lanes..][..lanes]);
            for n in 0..N {
                sums[n][a] = form.step(simd, sums[n][a], x, simd.load(&centroids[n][at + a * lanes..][..lanes]));
            }
        }
        at += A * lanes;
    }
    while at + lanes <= d {
        let x = simd.load(&row[at..][..lanes]);
        for n in 0..N {
            sums[n][0] = form.step(simd, sums[n][0], x, simd.load(&centroids[n][at..][..lanes]));
        }
        at += lanes;
    }
    let mut totals = [0.0; N];
    for n in 0..N {
        let mut total = sums[n][0];
        for &more in &sums[n][1..] {
            total = simd.add(total, more);
        }
        totals[n] = simd.reduce_add(total);
        for i in at..d {
            totals[n] += form.term(row[i], centroids[n][i]);
        }
    }
    totals
}

impl Panels {
    /// Labels a block of rows; `rows` is `labels.len() × d`. Returns how many rows f32 could not settle.
    pub(super) fn assign<F: Form>(&self, form: F, rows: &[f32], lanes: &mut LaneState, labels: &mut [u32]) -> u64 {
        self.isa().run(Screen { form, panels: self, rows, lanes, labels })
    }

    /// The label of a row that f32 could not settle: the canonical one among what the screen left over.
    #[cold]
    #[inline(never)]
    fn settle(
        &self,
        distance: Distance,
        row: &[f32],
        left: &LeftOver,
        slots: impl Fn(usize) -> usize,
        lanes: usize,
        candidates: &mut Vec<u32>,
    ) -> u32 {
        candidates.clear();
        for lane in (0..lanes).filter(|lane| (left.near | left.crowded) >> lane & 1 == 1) {
            if left.crowded >> lane & 1 == 1 {
                candidates.extend(self.clusters_in(0..self.slots(), lane));
            } else {
                candidates.push(self.cluster(slots(lane)));
            }
        }
        assign_exact::nearest_of(distance, row, self.centroids(), candidates)
    }
}

/// What the lanes know of the rows of a block: `rows × lanes` each. Kept between blocks for its memory alone.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    pub(super) smallest: Vec<f32>,
    pub(super) second: Vec<f32>,
    /// The vector (panel · 2 + half) in which the smallest stood, as the bits of an f32, so that it moves with the same
    /// instructions: the slot is `id · lanes + lane`.
    pub(super) ids: Vec<f32>,
    /// Sums of the tiles before, `rows × 2 × lanes`.
    sums: Vec<f32>,
    /// One a row, see [`Form::margins`].
    margins: Vec<f32>,
    pub(super) candidates: Vec<u32>,
}

impl LaneState {
    /// Makes room; what is in it from the block before is never read.
    pub(super) fn make_room(&mut self, rows: usize, lanes: usize) {
        for values in [&mut self.smallest, &mut self.second, &mut self.ids] {
            values.resize(rows * lanes, 0.0);
        }
        self.sums.resize(rows * VECTORS * lanes, 0.0);
        self.margins.resize(rows, 0.0);
    }
}

/// The lanes of a row whose smallest, and whose second, are within the margin.
struct LeftOver {
    near: u32,
    crowded: u32,
}

impl LeftOver {
    const ALL: Self = Self { near: u32::MAX, crowded: u32::MAX };

    fn is_settled(&self) -> bool {
        self.crowded == 0 && self.near.is_power_of_two()
    }
}

struct Screen<'a, F> {
    form: F,
    panels: &'a Panels,
    rows: &'a [f32],
    lanes: &'a mut LaneState,
    labels: &'a mut [u32],
}

impl<F: Form> Kernel for Screen<'_, F> {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> u64 {
        let d = self.panels.columns();
        let mut unsettled = 0;
        for (rows, labels) in self.rows.chunks(BLOCK * d).zip(self.labels.chunks_mut(BLOCK)) {
            self.lanes.make_room(labels.len(), S::LANES);
            let form = self.form;
            let block = Block { simd, form, panels: self.panels, rows, d, picked: None };
            // First, since it reads the rows from end to end, as prefetchers like it: the sweep finds them in the cache.
            form.margins(simd, rows, d, &mut self.lanes.margins);
            block.sweep(0..self.panels.slots(), self.lanes);
            unsettled += block.decide(self.lanes, labels);
        }
        unsettled
    }
}

/// A block of at most [`BLOCK`] rows on its way past the panels.
pub(super) struct Block<'a, S, F> {
    pub(super) simd: S,
    pub(super) form: F,
    pub(super) panels: &'a Panels,
    pub(super) rows: &'a [f32],
    pub(super) d: usize,
    /// Which of the rows; else all.
    pub(super) picked: Option<&'a [u16]>,
}

impl<S: Simd, F: Form> Block<'_, S, F> {
    fn count(&self) -> usize {
        self.picked.map_or(self.rows.len() / self.d, <[u16]>::len)
    }

    /// Takes the rows past the panels of some slots.
    #[inline(always)]
    pub(super) fn sweep(&self, slots: std::ops::Range<usize>, state: &mut LaneState) {
        for panel in self.panels.panels(slots) {
            // The matches are decided when this is compiled: an array's length cannot be `S::ROWS` itself.
            if panel.biases.len() == VECTORS * S::LANES {
                match S::ROWS {
                    12 => self.pass::<12, VECTORS>(&panel, state),
                    6 => self.pass::<6, VECTORS>(&panel, state),
                    _ => self.pass::<2, VECTORS>(&panel, state),
                }
            } else {
                match S::ROWS {
                    2 => self.pass::<4, 1>(&panel, state),
                    _ => self.pass::<8, 1>(&panel, state),
                }
            }
        }
    }

    /// Takes all rows past one panel, `ROWS` at a time.
    #[inline(always)]
    fn pass<const ROWS: usize, const V: usize>(&self, panel: &Panel, state: &mut LaneState) {
        for (tile, values) in panel.values.chunks(TILE * V * S::LANES).enumerate() {
            let first_column = tile * TILE;
            let is_last = first_column + TILE >= self.d;
            for first_row in (0..self.count()).step_by(ROWS) {
                let mut sums = self.tile_sums::<ROWS, V>(first_row, first_column, values);
                if tile > 0 {
                    self.add_earlier(&mut sums, first_row, state);
                }
                if is_last {
                    self.watch(&sums, first_row, panel, state);
                } else {
                    self.keep(&sums, first_row, state);
                }
            }
        }
    }

    /// The sums of `ROWS` rows with the centroids of a panel over the columns of a tile. Rows behind the last are its
    /// copies.
    #[inline(always)]
    pub(super) fn tile_sums<const ROWS: usize, const V: usize>(
        &self,
        row: usize,
        column: usize,
        tile: &[f32],
    ) -> [[S::Vector; V]; ROWS] {
        let (simd, columns) = (self.simd, tile.len() / (V * S::LANES));
        let last = self.count() - 1;
        let rows: [&[f32]; ROWS] = std::array::from_fn(|i| {
            let at = (row + i).min(last);
            let row = self.picked.map_or(at, |picked| usize::from(picked[at]));
            &self.rows[row * self.d + column..][..columns]
        });
        let mut sums = [[simd.splat(0.0); V]; ROWS];
        for (i, centroids) in (0..columns).zip(tile.chunks_exact(V * S::LANES)) {
            let centroids: [S::Vector; V] = self.load(centroids);
            for (sums, row) in sums.iter_mut().zip(&rows) {
                let x = simd.splat(row[i]);
                for v in 0..V {
                    sums[v] = self.form.step(simd, sums[v], x, centroids[v]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn load<const V: usize>(&self, from: &[f32]) -> [S::Vector; V] {
        std::array::from_fn(|v| self.simd.load(&from[v * S::LANES..]))
    }

    #[inline(always)]
    fn add_earlier<const V: usize>(&self, sums: &mut [[S::Vector; V]], first_row: usize, state: &LaneState) {
        let earlier = state.sums[first_row * VECTORS * S::LANES..].chunks_exact(VECTORS * S::LANES);
        for (sums, earlier) in sums.iter_mut().zip(earlier) {
            let earlier: [S::Vector; V] = self.load(earlier);
            for v in 0..V {
                sums[v] = self.simd.add(earlier[v], sums[v]);
            }
        }
    }

    #[inline(always)]
    fn keep<const V: usize>(&self, sums: &[[S::Vector; V]], first_row: usize, state: &mut LaneState) {
        let kept = state.sums[first_row * VECTORS * S::LANES..].chunks_exact_mut(VECTORS * S::LANES);
        for (sums, kept) in sums.iter().zip(kept) {
            for v in 0..V {
                self.simd.store(sums[v], &mut kept[v * S::LANES..]);
            }
        }
    }

    /// Shows the finished sums of a panel to the lanes.
    #[inline(always)]
    fn watch<const V: usize>(&self, sums: &[[S::Vector; V]], row: usize, panel: &Panel, state: &mut LaneState) {
        let simd = self.simd;
        let ids: [S::Vector; V] = std::array::from_fn(|v| simd.splat(f32::from_bits(panel.first_id + v as u32)));
        let biases: [S::Vector; V] = self.load(panel.biases);
        let nothing_yet = simd.splat(f32::INFINITY);
        let smallest = state.smallest[row * S::LANES..].chunks_exact_mut(S::LANES);
        let second = state.second[row * S::LANES..].chunks_exact_mut(S::LANES);
        let watched = state.ids[row * S::LANES..].chunks_exact_mut(S::LANES);
        for (((sums, smallest_at), second_at), id_at) in sums.iter().zip(smallest).zip(second).zip(watched) {
            let (mut smallest, mut second, mut id) = if panel.is_first {
                (nothing_yet, nothing_yet, ids[0])
            } else {
                (simd.load(smallest_at), simd.load(second_at), simd.load(id_at))
            };
            for v in 0..V {
                let value = self.form.finish(simd, sums[v], biases[v]);
                keep_smallest(simd, value, ids[v], &mut smallest, &mut second, &mut id);
            }
            simd.store(smallest, smallest_at);
            simd.store(second, second_at);
            simd.store(id, id_at);
        }
    }

    /// Labels the rows from what the lanes saw. Returns how many needed f64.
    #[inline(always)]
    fn decide(&self, state: &mut LaneState, labels: &mut [u32]) -> u64 {
        let LaneState { smallest, second, ids, margins, candidates, .. } = state;
        let lanes = smallest.chunks_exact(S::LANES).zip(second.chunks_exact(S::LANES)).zip(ids.chunks_exact(S::LANES));
        let mut unsettled = 0;
        for (((row, label), &margin), ((smallest, second), ids)) in
            self.rows.chunks_exact(self.d).zip(labels).zip(&*margins).zip(lanes)
        {
            let left = self.left_over(self.simd.load(smallest), self.simd.load(second), margin);
            if left.is_settled() {
                let lane = left.near.trailing_zeros();
                *label = self.panels.cluster(slot(ids, lane as usize % S::LANES));
            } else {
                unsettled += 1;
                *label = self.panels.settle(F::DISTANCE, row, &left, |lane| slot(ids, lane), S::LANES, candidates);
            }
        }
        unsettled
    }

    #[inline(always)]
    fn left_over(&self, smallest: S::Vector, second: S::Vector, margin: f32) -> LeftOver {
        let threshold = self.form.threshold(self.simd.reduce_min(smallest), margin);
        if threshold < f32::INFINITY {
            let threshold = self.simd.splat(threshold);
            LeftOver { near: self.simd.at_most(smallest, threshold), crowded: self.simd.at_most(second, threshold) }
        } else {
            LeftOver::ALL
        }
    }
}

/// Shows each lane a value and its id: it keeps the smallest, the id of that, and the second smallest.
#[inline(always)]
pub(super) fn keep_smallest<S: Simd>(
    simd: S,
    value: S::Vector,
    id: S::Vector,
    smallest: &mut S::Vector,
    second: &mut S::Vector,
    kept: &mut S::Vector,
) {
    *second = simd.min(*second, simd.max(*smallest, value));
    *kept = simd.select_less(value, *smallest, id, *kept);
    *smallest = simd.min(*smallest, value);
}

/// The slot of a lane's smallest value, from the ids of all lanes.
#[inline(always)]
pub(super) fn slot(ids: &[f32], lane: usize) -> usize {
    ids[lane].to_bits() as usize * ids.len() + lane
}

/// The most additions that a term passes, whether its sum is taken in tiles or [`along`] the row.
pub(super) fn chain(d: usize) -> usize {
    (d.min(TILE) + d.div_ceil(TILE)).max(d.min(d / 8 + 24))
}

/// `n·u / (1 − n·u)` with `u = 2⁻²⁴`: the relative error of `n` roundings in a chain (Higham, *Accuracy and Stability
/// of Numerical Algorithms*, lemma 3.1); infinite where the chain is so long that the lemma says nothing.
pub(super) fn gamma(n: usize) -> f64 {
    let nu = n as f64 / f64::from(1 << 24);
    if nu < 0.5 { nu / (1.0 - nu) } else { f64::INFINITY }
}
