//! The nearest centroid for more than a few columns: `|c|² − 2x·c`, one multiplication and addition per column.
//!
//! Rows are read where they lie, `n × d` row-major; their values are broadcast against panels of packed centroids (see
//! [`screen`](super::screen)). A row costs `2·k·d` operations.

use super::Distance;
use super::screen::{Form, ROUNDING, chain, gamma, sums_along};
use super::simd::Simd;
use super::square_norms::squared_length;

/// Beyond this bound on `(|x| + |c|)²`, sums of f32 may overflow: the row is decided in f64 over all clusters.
const LARGEST: f32 = 8.0e37; // about 2^126

/// The form, with the error bound of these centroids.
///
/// Write `u = 2⁻²⁴`, `γ_n = n·u/(1 − n·u)`, `X ≥ |x|` and `C ≥ |c_j|` for all `j`. For a centroid `c`, the screen
/// computes `s = fl(b − 2a)`, with `a` the sum of the products by tiles and `b = |c|²` rounded from f64.
///
/// - A product passes at most `TILE` additions in its tile and `m = ⌈d / TILE⌉` between tiles, and is rounded once
///   itself where there is no FMA: `|a − x·c| ≤ γ_{TILE + m + 1} · Σ|x_i c_i| ≤ γ_{TILE + m + 1} · X·C`.
///   Measured along the row (see [`sums_along`]), it passes at most `min(d, d / 8 + 24)`; the longer chain counts.
/// - `|b − |c|²| ≤ γ_2 · C²`, and the last operation rounds a value of at most `(C² + 2·X·C)(1 + γ)`.
/// - A product may fall below the normal range: each of these adds at most 2⁻¹⁵⁰ (sums of f32 there are exact).
///
/// So `s` is within `E = 2·γ_{TILE + m + 3}·X·C + γ_4·C² + (d + 4)·2⁻¹⁴⁷` of `|c|² − 2x·c`. The f64 definition itself
/// is off by less than `(d + 2)·2⁻⁵³` of a distance, which is at most `(X + C)²`. Hence, if `c_j`'s value exceeds the
/// smallest by more than `2E + 2(d + 3)·2⁻⁵³·(X + C)²`, its f64 distance is strictly larger than that of the smallest.
/// The threshold is formed in f32: for the rounding of the margin and of the sum, `2⁻²³·(X + C)²` are added, as all
/// values are at most `(X + C)²`; as much again, so that the margin also bounds `|x|² + s` when `|x|²` was rounded once. (Where `d` is below `TILE`, so is the chain: the bound takes the real length.)
///
/// Margins themselves are formed in f32, four bytes a row in vectors: each factor here is rounded up, and one of 1 + 2⁻¹⁹
/// answers the dozen roundings of the formula.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dot {
    /// Twice the error per `X·C`.
    per_product: f32,
    /// `C`.
    largest_norm: f32,
    /// Twice the error that does not depend on the row.
    fixed: f32,
    /// The rounding of the f64 definition and of the threshold, per `(X + C)²`.
    per_reach: f32,
    /// What makes the computed squared norm of a row an upper bound: relative and absolute.
    norm_slack: (f32, f32),
}

impl Dot {
    /// The form without any bound, for its sums alone.
    pub(super) const PLAIN: Self =
        Self { per_product: 0.0, largest_norm: 0.0, fixed: 0.0, per_reach: 0.0, norm_slack: (1.0, 0.0) };

    /// The bound for `k × d` centroids.
    pub(super) fn new(centroids: &[f32], d: usize) -> Self {
        Self::bounding(centroids, d, chain(d), 0.0, 1.0)
    }

    /// The bound for centroids of `d` columns that are measured in `width` of a basis: products of rows are off by another
    /// `tau·X·C`, and rows as well as centroids may be longer there by a hundredth.
    pub(super) fn in_basis(centroids: &[f32], d: usize, width: usize, tau: f64) -> Self {
        Self::bounding(centroids, d, chain(width), tau, 1.02)
    }

    /// The bound where all columns are summed in one go.
    pub(super) fn in_one_sum(centroids: &[f32], d: usize) -> Self {
        Self::bounding(centroids, d, d, 0.0, 1.0)
    }

    /// The bound where that sum begins with `|c|²`, which then passes as many additions.
    pub(super) fn from_bias(centroids: &[f32], d: usize) -> Self {
        let form = Self::in_one_sum(centroids, d);
        let more = 2.0 * gamma(d + 4) * f64::from(form.largest_norm).powi(2);
        Self { fixed: ((f64::from(form.fixed) + more) as f32).next_up(), ..form }
    }

    /// The bound where a product passes at most `chain` additions.
    fn bounding(centroids: &[f32], d: usize, chain: usize, tau: f64, longer: f64) -> Self {
        let largest_square = centroids.chunks_exact(d).map(squared_length).fold(0.0, f64::max);
        let largest_norm = largest_square.sqrt() * (1.0 + 1e-9);
        let subnormal = d as f64 * 2f64.powi(-149);
        let per_reach = 2.0 * (d + 3) as f64 * 2f64.powi(-53) + 2f64.powi(-22);
        let fixed = 2.0 * (gamma(4) * largest_norm * largest_norm + 4.0 * (subnormal + 2f64.powi(-147)));
        let above = |bound: f64| ((bound * (1.0 + 2f64.powi(-19))) as f32).next_up();
        Self {
            per_product: above(longer * 2.0 * 2.0 * (gamma(chain + 3) + tau)),
            largest_norm: above(largest_norm),
            fixed: above(fixed),
            per_reach: above(longer * per_reach),
            norm_slack: (above(1.0 + 2.0 * gamma(d + 8)), above(2.0 * subnormal)),
        }
    }
}

impl Form for Dot {
    const DISTANCE: Distance = Distance::SquaredEuclidean;

    #[inline(always)]
    fn step<S: Simd>(self, simd: S, sum: S::Vector, x: S::Vector, centroid: S::Vector) -> S::Vector {
        simd.mul_add(x, centroid, sum)
    }

    #[inline(always)]
    fn term(self, x: f32, centroid: f32) -> f32 {
        x * centroid
    }

    fn plain(self, row: &[f32], centroid: &[f32]) -> f32 {
        let products: f32 = row.iter().zip(centroid).map(|(x, c)| x * c).sum();
        squared_length(centroid) as f32 - 2.0 * products
    }

    #[inline(always)]
    fn finish<S: Simd>(self, simd: S, sum: S::Vector, bias: S::Vector) -> S::Vector {
        simd.mul_add(sum, simd.splat(-2.0), bias)
    }

    #[inline(always)]
    fn margins<S: Simd>(self, simd: S, rows: &[f32], d: usize, margins: &mut [f32]) {
        for (row, norm) in rows.chunks_exact(d).zip(&mut *margins) {
            [*norm] = sums_along(Self::PLAIN, simd, row, [row]);
        }
        // A pass of its own, that the compiler vectorises.
        for margin in margins {
            *margin = self.margin(*margin);
        }
    }

    #[inline(always)]
    fn thresholds<S: Simd>(self, simd: S, _: S::Vector) -> S::Vector {
        // Each row has a margin of its own: all are open here.
        simd.splat(f32::INFINITY)
    }

    #[inline(always)]
    fn margin(self, squared_length: f32) -> f32 {
        let norm = (squared_length * self.norm_slack.0 + self.norm_slack.1).sqrt();
        let reach = (norm + self.largest_norm) * (norm + self.largest_norm);
        let margin = self.per_product * norm * self.largest_norm + self.fixed + self.per_reach * reach;
        if reach < LARGEST { margin } else { f32::INFINITY }
    }

    #[inline(always)]
    fn lower(self, value: f32, squared_length: f32, margin: f32) -> f32 {
        let square = (value + squared_length) - margin;
        let square = if square > 0.0 { square } else { 0.0 };
        square.sqrt() * (1.0 - ROUNDING)
    }

    #[inline(always)]
    fn upper(self, value: f32, squared_length: f32, margin: f32) -> f32 {
        let square = (value + squared_length) + margin;
        // What is no number bounds nothing.
        if square < f32::MAX && margin < f32::MAX { square.max(0.0).sqrt() * (1.0 + ROUNDING) } else { f32::INFINITY }
    }

    #[inline(always)]
    fn values<S: Simd, const N: usize>(
        self,
        simd: S,
        row: &[f32],
        centroids: [&[f32]; N],
        biases: [f32; N],
    ) -> [f32; N] {
        let mut values = sums_along(self, simd, row, centroids);
        for n in 0..N {
            values[n] = biases[n] - 2.0 * values[n];
        }
        values
    }

    #[inline(always)]
    fn threshold(self, smallest: f32, margin: f32) -> f32 {
        smallest + margin
    }
}
