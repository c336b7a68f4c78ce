//! The nearest centroid in the difference form: squared for few columns, absolute (city block) for any number.
//!
//! The difference form takes two operations per column instead of one, but its error is relative to the distance, so
//! that an offset of the data costs nothing. For few columns that is the better bargain.

use super::Distance;
use super::screen::{Form, ROUNDING, chain, gamma, sums_along};
use super::simd::Simd;

/// How far a sum of differences can be off.
///
/// All terms have one sign, so the error is relative: a difference is rounded once, its square once more, and a term
/// passes at most `TILE` additions in its tile and `m = ⌈d / TILE⌉` after it (or `d / 8 + 24`, see [`sums_along`]): the computed value `s` is within
/// `γ_{TILE + m + 3}` of the true distance, relatively (`γ_n` as in [`gamma`]). A square may fall below the normal
/// range, which adds at most 2⁻¹⁵⁰ each. The rounding of the f64 definition, of the threshold and of its factor are
/// covered by four more in the chain. Hence what is nearer than the smallest value `s₀` has a value of at most
/// `s₀·(1 + γ)/(1 − γ)` plus the underflow. Overflow gives infinity, and then the threshold is infinite, too.
#[derive(Clone, Copy, Debug)]
struct Relative {
    factor: f32,
    underflow: f32,
}

impl Relative {
    fn new(d: usize) -> Self {
        let gamma = gamma(chain(d) + 7);
        let factor = if gamma < 0.5 { (1.0 + gamma) / (1.0 - gamma) } else { f64::INFINITY };
        Self { factor: factor as f32, underflow: ((d + 1) as f64 * 2f64.powi(-147)) as f32 }
    }

    #[inline(always)]
    fn threshold(self, smallest: f32) -> f32 {
        smallest * self.factor + self.underflow
    }

    /// The distance is at least this; 0 where the value is no number. One that overflowed says that it is as large as an
    /// f32 can be.
    #[inline(always)]
    fn at_least(self, value: f32) -> f32 {
        let value = if value > f32::MAX { f32::MAX } else { value };
        let least = value / self.factor - self.underflow;
        if least > 0.0 { least } else { 0.0 }
    }

    /// The distance is at most this.
    #[inline(always)]
    fn at_most(self, value: f32) -> f32 {
        let most = self.threshold(value);
        if (0.0..f32::MAX).contains(&most) { most } else { f32::INFINITY }
    }
}

/// `Σ (x_i − c_i)²`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Squares(Relative);

impl Squares {
    /// For rows of `d` columns.
    pub(super) fn new(d: usize) -> Self {
        Self(Relative::new(d))
    }
}

impl Form for Squares {
    const DISTANCE: Distance = Distance::SquaredEuclidean;

    #[inline(always)]
    fn step<S: Simd>(self, simd: S, sum: S::Vector, x: S::Vector, centroid: S::Vector) -> S::Vector {
        let difference = simd.sub(x, centroid);
        simd.mul_add(difference, difference, sum)
    }

    #[inline(always)]
    fn term(self, x: f32, centroid: f32) -> f32 {
        (x - centroid) * (x - centroid)
    }

    #[inline(always)]
    fn finish<S: Simd>(self, simd: S, sum: S::Vector, bias: S::Vector) -> S::Vector {
        simd.add(sum, bias)
    }

    #[inline(always)]
    fn margins<S: Simd>(self, _: S, _: &[f32], _: usize, _: &mut [f32]) {}

    #[inline(always)]
    fn threshold(self, smallest: f32, _: f32) -> f32 {
        self.0.threshold(smallest)
    }

    #[inline(always)]
    fn thresholds<S: Simd>(self, simd: S, smallest: S::Vector) -> S::Vector {
        simd.mul_add(smallest, simd.splat(self.0.factor), simd.splat(self.0.underflow))
    }

    #[inline(always)]
    fn margin(self, _: f32) -> f32 {
        0.0
    }

    #[inline(always)]
    fn lower(self, value: f32, _: f32, _: f32) -> f32 {
        self.0.at_least(value).sqrt() * (1.0 - ROUNDING)
    }

    #[inline(always)]
    fn upper(self, value: f32, _: f32, _: f32) -> f32 {
        self.0.at_most(value).sqrt() * (1.0 + ROUNDING)
    }

    #[inline(always)]
    fn values<S: Simd, const N: usize>(self, simd: S, row: &[f32], centroids: [&[f32]; N], _: [f32; N]) -> [f32; N] {
        sums_along(self, simd, row, centroids)
    }
}

/// `Σ |x_i − c_i|`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absolutes(Relative);

impl Absolutes {
    /// For rows of `d` columns.
    pub(super) fn new(d: usize) -> Self {
        Self(Relative::new(d))
    }
}

impl Form for Absolutes {
    const DISTANCE: Distance = Distance::CityBlock;

    #[inline(always)]
    fn step<S: Simd>(self, simd: S, sum: S::Vector, x: S::Vector, centroid: S::Vector) -> S::Vector {
        simd.add(sum, simd.abs(simd.sub(x, centroid)))
    }

    #[inline(always)]
    fn term(self, x: f32, centroid: f32) -> f32 {
        (x - centroid).abs()
    }

    #[inline(always)]
    fn finish<S: Simd>(self, simd: S, sum: S::Vector, bias: S::Vector) -> S::Vector {
        simd.add(sum, bias)
    }

    #[inline(always)]
    fn margins<S: Simd>(self, _: S, _: &[f32], _: usize, _: &mut [f32]) {}

    #[inline(always)]
    fn threshold(self, smallest: f32, _: f32) -> f32 {
        self.0.threshold(smallest)
    }

    #[inline(always)]
    fn thresholds<S: Simd>(self, simd: S, smallest: S::Vector) -> S::Vector {
        simd.mul_add(smallest, simd.splat(self.0.factor), simd.splat(self.0.underflow))
    }

    #[inline(always)]
    fn margin(self, _: f32) -> f32 {
        0.0
    }

    #[inline(always)]
    fn lower(self, value: f32, _: f32, _: f32) -> f32 {
        self.0.at_least(value) * (1.0 - ROUNDING)
    }

    #[inline(always)]
    fn upper(self, value: f32, _: f32, _: f32) -> f32 {
        self.0.at_most(value) * (1.0 + ROUNDING)
    }

    #[inline(always)]
    fn values<S: Simd, const N: usize>(self, simd: S, row: &[f32], centroids: [&[f32]; N], _: [f32; N]) -> [f32; N] {
        sums_along(self, simd, row, centroids)
    }
}
