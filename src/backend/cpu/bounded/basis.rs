//! Rows in fewer columns: their coordinates in a basis, and how long what is left of them is.
//!
//! Write `Q` for the basis (`m` vectors as the columns of a `d × m` matrix of f32), `p ≈ Qᵀx` for the coordinates of a
//! row as they were rounded, and `e = x − Q·p` for the rest, exactly. With `G = QᵀQ` and `g ≥ |G − 1|`,
//!
//! `x·c = p_xᵀ G p_c + p_x·Qᵀe_c + p_c·Qᵀe_x + e_x·e_c`, where `Qᵀe = (1 − G) p − δ` with `δ = p − Qᵀx`,
//!
//! so that `|x·c − p_x·p_c| ≤ |e_x|·|e_c| + τ·|x|·|c|` with `τ = 4·(g + δ')`, where `|δ| ≤ δ'·|x|`. A coordinate is a sum of
//! at most `d / 8 + 24` products (see [`sums_along`]), hence `δ' = γ·√m·(1 + g)` (Cauchy–Schwarz over the columns, the
//! Frobenius norm of `Q` over the coordinates). The length of the rest follows from
//! `|e|² ≤ |x|² − |p|² + (2δ' + g)·(1 + g + δ')²·|x|²`.
//!
//! A row becomes `x' = (p, |e|)`, in `m + 1` columns; then `|x − c|² ≥ |x|² + |c|² − 2·x'·c' − 2τ·|x|·|c|`, which is the
//! form of [`Dot`] with a wider margin: the same kernel measures it. The sign of `|e_x|·|e_c|` turned, it is an upper
//! bound. Both are tight where the basis holds most of the data, or most of the centroids: what is left of a centroid is
//! averaged over its rows.

use crate::backend::cpu::assign_tiled::Dot;
use crate::backend::cpu::screen::{gamma, sums_along};
use crate::backend::cpu::simd::{Kernel, Simd};
use crate::backend::cpu::square_norms::squared_length;
use ndarray::{Array2, ArrayView2};

/// Passes of the search for a basis: each squares how far the leading directions stand out.
const PASSES: usize = 3;

/// About how many products it takes to find `width` leading directions of so many points.
pub(super) fn cost(points: usize, d: usize, width: usize) -> f64 {
    (PASSES * (2 * points + width) * width) as f64 * d as f64
}

/// Vectors that stand nearly at right angles, as rows: `m × d`.
#[derive(Debug)]
pub(super) struct Basis {
    vectors: Vec<f32>,
    m: usize,
    d: usize,
    /// `τ`, and the factor of `|x|²` in the bound of the rest.
    tau: f64,
    rest: f64,
}

impl Basis {
    /// The leading directions of some points, `n × d`, by subspace iteration (Halko, Martinsson and Tropp, "Finding
    /// structure with randomness", SIAM Review 53, 2011); starts from points themselves. None where they span less.
    pub(super) fn leading(points: &ArrayView2<f32>, m: usize) -> Option<Self> {
        let (n, d) = points.dim();
        if m == 0 || n < m || d < m {
            return None;
        }
        let mut vectors = Array2::from_shape_fn((m, d), |(i, j)| points[[i * n / m, j]]);
        for _ in 0..PASSES {
            orthonormalise(&mut vectors)?;
            let coordinates = points.dot(&vectors.t());
            vectors = coordinates.t().dot(points);
        }
        orthonormalise(&mut vectors)?;
        Self::of(vectors.iter().copied().collect(), m, d)
    }

    fn of(vectors: Vec<f32>, m: usize, d: usize) -> Option<Self> {
        // The Frobenius norm of QᵀQ − 1, which its sum in f64 moves by less than a part in 10⁶.
        let mut square = 0.0;
        for (i, a) in vectors.chunks_exact(d).enumerate() {
            for (j, b) in vectors.chunks_exact(d).enumerate().take(i + 1) {
                let product: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let off = if i == j { product - 1.0 } else { product };
                square += off * off * if i == j { 1.0 } else { 2.0 };
            }
        }
        let g = square.sqrt() * 1.001 + 1e-12;
        let delta = gamma(d.min(d / 8 + 24) + 2) * (m as f64).sqrt() * (1.0 + g);
        let tau = 4.0 * (g + delta);
        let rest = (2.0 * delta + g) * (1.0 + g + delta).powi(2) * 1.001 + 1e-12;
        // A margin of a hundredth would tell nothing apart; a NaN is none either.
        (tau < 0.01).then_some(Self { vectors, m, d, tau, rest })
    }

    /// Columns of a row outside of it.
    pub(super) fn columns(&self) -> usize {
        self.d
    }

    /// Columns of a row in the basis: its coordinates and the length of its rest.
    pub(super) fn width(&self) -> usize {
        self.m + 1
    }

    /// What the margin of [`Dot`] must grow by, per `|x|·|c|`.
    pub(super) fn tau(&self) -> f64 {
        self.tau
    }

    /// A row in the basis: its coordinates, then at least the length of its rest. Returns its squared length.
    #[inline(always)]
    fn row<S: Simd>(&self, simd: S, row: &[f32], out: &mut [f32]) -> f32 {
        let (vectors, d) = (&self.vectors, self.d);
        let mut at = 0;
        while at + 4 <= self.m {
            let four = [0, 1, 2, 3].map(|i| &vectors[(at + i) * d..][..d]);
            out[at..at + 4].copy_from_slice(&sums_along(Dot::PLAIN, simd, row, four));
            at += 4;
        }
        while at < self.m {
            out[at] = sums_along(Dot::PLAIN, simd, row, [&vectors[at * d..][..d]])[0];
            at += 1;
        }
        let square = squared_length(row);
        let rest = square - squared_length(&out[..self.m]) + self.rest * square;
        out[self.m] = (rest.max(0.0).sqrt() as f32).next_up();
        square as f32
    }
}

/// Rows that are brought into a basis; `out` has [`Basis::width`] values for each, `squares` their squared lengths.
pub(super) struct Project<'a> {
    pub(super) basis: &'a Basis,
    pub(super) rows: &'a [f32],
    pub(super) squares: &'a mut [f32],
    pub(super) out: &'a mut [f32],
}

impl Kernel for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self.rows.chunks_exact(self.basis.d).zip(self.out.chunks_exact_mut(self.basis.width()));
        for ((row, out), square) in rows.zip(self.squares) {
            *square = self.basis.row(simd, row, out);
        }
    }
}

/// Makes the rows of a matrix orthonormal by Gram and Schmidt's method, twice, as once does not suffice in floating point;
/// none where they span less.
fn orthonormalise(vectors: &mut Array2<f32>) -> Option<()> {
    let m = vectors.nrows();
    let mut done: Vec<Vec<f64>> = Vec::with_capacity(m);
    for mut vector in vectors.outer_iter_mut() {
        let mut values: Vec<f64> = vector.iter().map(|&value| f64::from(value)).collect();
        let before = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        for _ in 0..2 {
            for other in &done {
                let along: f64 = values.iter().zip(other).map(|(a, b)| a * b).sum();
                values.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
        }
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        // What is left must be more than the rounding of what it came from.
        if norm.is_nan() || norm <= 1e-5 * before {
            return None;
        }
        values.iter_mut().for_each(|value| *value /= norm);
        vector.iter_mut().zip(&values).for_each(|(to, value)| *to = *value as f32);
        done.push(values);
    }
    Some(())
}
