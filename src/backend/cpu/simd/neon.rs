//! The Advanced SIMD of 64-bit Arm.

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::{Kernel, Simd};

/// The proof that the machine has NEON.
#[derive(Clone, Copy)]
pub(in super::super) struct Neon(());

impl Neon {
    /// Asks the machine.
    pub(in super::super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

#[target_feature(enable = "neon")]
fn enabled<K: Kernel>(simd: Neon, kernel: K) -> K::Output {
    kernel.run(simd)
}

/// One bit a lane.
const LANE_BITS: [u32; 4] = [1, 2, 4, 8];

impl Simd for Neon {
    type Vector = float32x4_t;

    const LANES: usize = 4;
    // 24 sums, 2 vectors of centroids and 1 of a row's value: 27 of 32 registers; 12 divides a block of 96 rows.
    const ROWS: usize = 12;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` proves NEON.
        unsafe { enabled(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> float32x4_t {
        let from = &from[..Self::LANES];
        // SAFETY: `self` proves NEON; `from` holds 4 values, and the alignment of one is enough.
        unsafe { vld1q_f32(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, vector: float32x4_t, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `self` proves NEON; `to` holds 4 values, and the alignment of one is enough.
        unsafe { vst1q_f32(to.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn abs(self, a: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vabsq_f32(a) }
    }

    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vminq_f32(a, b) }
    }

    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn select_less(self, a: float32x4_t, b: float32x4_t, yes: float32x4_t, no: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vbslq_f32(vcltq_f32(a, b), yes, no) }
    }

    #[inline(always)]
    fn less(self, a: float32x4_t, b: float32x4_t) -> u32 {
        // SAFETY: `self` proves NEON; the array holds the 4 values that are loaded.
        unsafe { vaddvq_u32(vandq_u32(vcltq_f32(a, b), vld1q_u32(LANE_BITS.as_ptr()))) }
    }

    #[inline(always)]
    fn at_most(self, a: float32x4_t, b: float32x4_t) -> u32 {
        // SAFETY: `self` proves NEON; the array holds the 4 values that are loaded.
        unsafe { vaddvq_u32(vandq_u32(vcleq_f32(a, b), vld1q_u32(LANE_BITS.as_ptr()))) }
    }

    #[inline(always)]
    fn reduce_min(self, a: float32x4_t) -> f32 {
        // SAFETY: `self` proves NEON.
        unsafe { vminvq_f32(a) }
    }

    #[inline(always)]
    fn reduce_add(self, a: float32x4_t) -> f32 {
        // SAFETY: `self` proves NEON.
        unsafe { vaddvq_f32(a) }
    }
}
