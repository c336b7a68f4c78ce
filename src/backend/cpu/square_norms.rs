//! Squared lengths, of rows and of centroids.

use super::simd::{Kernel, Simd};

/// What the form `|c|² − 2x·c` adds to the product of each centroid, `k × d`: its squared length, rounded from f64.
pub(super) fn square_norms(centroids: &[f32], d: usize) -> Vec<f32> {
    centroids.chunks_exact(d).map(|centroid| squared_length(centroid) as f32).collect()
}

/// `|x|²` in f64, in eight fixed lanes: the bits are equal on every instruction set.
#[inline(always)]
pub(super) fn squared_length(row: &[f32]) -> f64 {
    let (chunks, rest) = row.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for chunk in chunks {
        for lane in 0..8 {
            sums[lane] += f64::from(chunk[lane]) * f64::from(chunk[lane]);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(rest) {
        *sum += f64::from(x) * f64::from(x);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The squared lengths of rows, rounded once.
pub(super) struct SquaredLengths<'a> {
    pub(super) rows: &'a [f32],
    pub(super) d: usize,
    pub(super) out: &'a mut [f32],
}

impl Kernel for SquaredLengths<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (row, out) in self.rows.chunks_exact(self.d).zip(self.out) {
            *out = squared_length(row) as f32;
        }
    }
}
