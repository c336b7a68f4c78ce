//! Vectors as arrays of eight, which the compiler maps to whatever the target has.

use super::{Kernel, Simd};

/// What every machine has.
#[derive(Clone, Copy)]
pub(in super::super) struct Portable;

const LANES: usize = 8;

impl Simd for Portable {
    type Vector = [f32; LANES];

    const LANES: usize = LANES;
    // Two rows of two vectors are 8 of SSE2's 16 registers; the centroids take 4 and the row's value 1.
    const ROWS: usize = 2;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::Vector {
        let mut vector = [0.0; LANES];
        vector.copy_from_slice(&from[..LANES]);
        vector
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&vector);
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // Not `f32::mul_add`: without an FMA instruction that is a call into the C library per lane.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn abs(self, a: Self::Vector) -> Self::Vector {
        a.map(f32::abs)
    }

    #[inline(always)]
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // Not `f32::min`, whose care for NaN costs three instructions more.
        std::array::from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn select_less(self, a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
        std::array::from_fn(|i| if a[i] < b[i] { yes[i] } else { no[i] })
    }

    #[inline(always)]
    fn less(self, a: Self::Vector, b: Self::Vector) -> u32 {
        (0..LANES).fold(0, |mask, i| mask | (u32::from(a[i] < b[i]) << i))
    }

    #[inline(always)]
    fn at_most(self, a: Self::Vector, b: Self::Vector) -> u32 {
        (0..LANES).fold(0, |mask, i| mask | (u32::from(a[i] <= b[i]) << i))
    }

    #[inline(always)]
    fn reduce_min(self, a: Self::Vector) -> f32 {
        a.into_iter().fold(f32::INFINITY, |least, x| if x < least { x } else { least })
    }

    #[inline(always)]
    fn reduce_add(self, a: Self::Vector) -> f32 {
        a.into_iter().sum()
    }
}
