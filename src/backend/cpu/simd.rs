//! The vector operations that the kernels are written in, once for all instruction sets.
//!
//! A value of a [`Simd`] type is the proof that the machine has the instruction set: it can only be made by asking the
//! machine. So its operations are safe, and all the `unsafe` of the kernels lies in the files of this folder. A
//! [`Kernel`] is compiled once per instruction set, inside a function that enables it; everything below it is
//! `#[inline(always)]`, since a function boundary would fall back to the target's base instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
pub(super) use portable::Portable;

/// A computation that can be compiled for any instruction set.
pub(super) trait Kernel {
    /// What it returns.
    type Output;

    /// Computes; implementations are `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// An instruction set at hand: vectors of [`LANES`](Self::LANES) f32.
pub(super) trait Simd: Copy {
    /// A vector.
    type Vector: Copy;

    /// The f32 in a vector: at most 32, as lanes are counted in the bits of a `u32`.
    const LANES: usize;

    /// The rows whose sums, two vectors each, fit in the registers beside two vectors of centroids and one of a row.
    const ROWS: usize;

    /// Runs a kernel compiled for this instruction set.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    /// Asks the memory for values that will be needed soon, where the instruction set has a way to.
    #[inline(always)]
    fn prefetch(self, values: &[f32]) {
        let _ = values;
    }

    /// The same value in each lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// The first `LANES` values of a slice (which has that many: shorter ones panic).
    fn load(self, from: &[f32]) -> Self::Vector;

    /// Writes the lanes to the start of a slice (which has room for them: shorter ones panic).
    fn store(self, vector: Self::Vector, to: &mut [f32]);

    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a − b`.
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a·b + c`, rounded once or twice.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// `|a|`.
    fn abs(self, a: Self::Vector) -> Self::Vector;

    /// The smaller of each pair.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// The larger of each pair.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `yes` in the lanes where `a < b`, else `no`, bit for bit.
    fn select_less(self, a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector;

    /// The lanes where `a < b`, lane 0 in the lowest bit.
    fn less(self, a: Self::Vector, b: Self::Vector) -> u32;

    /// The lanes where `a ≤ b`, lane 0 in the lowest bit.
    fn at_most(self, a: Self::Vector, b: Self::Vector) -> u32;

    /// The smallest lane.
    fn reduce_min(self, a: Self::Vector) -> f32;

    /// The sum of the lanes, in any order.
    fn reduce_add(self, a: Self::Vector) -> f32;
}
