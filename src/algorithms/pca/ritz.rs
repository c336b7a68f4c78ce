//! The item of the host: what the covariance matrix is within a block of directions, and the next block.

use crate::algorithms::dense::{DMatrix, array, dense, orthonormal, symmetric_eigen};
use crate::algorithms::products::{MATRIX, SUMS};
use crate::backend::cpu::ProductUnits;
use crate::queue::{ComContext, ComputeFunction, Key, Object, Objects};
use crate::{Error, Result};
use ndarray::Array2;

/// What the rounds have come to.
pub(super) const SOLUTION: Key<Solution> = Key::new("solution");

/// One round: a pass over the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Round {
    /// The round's number, from 1.
    pub iteration: u32,
    /// The largest `|C·v − λ·v| / λ₁` of the wanted eigenpairs (λ, v) of the covariance matrix C, as they are before the
    /// round's own product brings them nearer.
    pub residual: f64,
    /// The variance of the wanted components, summed, in the data's own units.
    pub explained_variance: f64,
}

/// The block's eigenpairs, and the rounds until now.
#[derive(Debug, Clone, Default)]
pub(super) struct Solution {
    /// The eigenvalues within the block, the largest first, in the data's own units.
    pub(super) variances: Vec<f64>,
    /// Their directions after one more product, at right angles: d × l.
    pub(super) directions: Array2<f64>,
    pub(super) rounds: Vec<Round>,
}

impl Object for Solution {}

impl Solution {
    /// How far the last round was off.
    pub(super) fn residual(&self) -> f64 {
        self.rounds.last().map_or(f64::INFINITY, |round| round.residual)
    }
}

/// Takes the product of the covariance matrix and the block, and puts the next block.
pub(super) struct RayleighRitz {
    pub(super) units: ProductUnits,
    /// How many eigenpairs are wanted.
    pub(super) wanted: usize,
    /// What makes a sum of products of scaled rows a covariance.
    pub(super) factor: f64,
}

impl ComputeFunction for RayleighRitz {
    fn objects(&self) -> Objects {
        Objects::reads(SUMS).updates((MATRIX, SOLUTION)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let product = self.units.values(cx.get(SUMS)?)? * self.factor;
        // The block as the kernels had it, in f32.
        let block = cx.get(MATRIX)?.mapv(f64::from);
        let rounds = if cx.contains(SOLUTION) { cx.take(SOLUTION)?.rounds } else { Vec::new() };
        let solution = self.solve(&dense(&block), &dense(&product), rounds)?;
        cx.put(MATRIX, solution.directions.mapv(|value| value as f32))?;
        cx.put(SOLUTION, solution)
    }
}

impl RayleighRitz {
    /// The eigenpairs of C within the span of Q, given Y = C·Q. Q has been rounded, so its columns are only nearly at right
    /// angles: with L·Lᵀ = QᵀQ, those of L⁻¹·(QᵀY)·L⁻ᵀ are the ones.
    fn solve(&self, q: &DMatrix<f64>, y: &DMatrix<f64>, mut rounds: Vec<Round>) -> Result<Solution> {
        let dependent = || Error::parameter("seed", "the block's directions depend on each other: take another seed");
        let l = q.tr_mul(q).cholesky().ok_or_else(dependent)?.l();
        let half = l.solve_lower_triangular(&q.tr_mul(y)).ok_or_else(dependent)?;
        let within = l.solve_lower_triangular(&half.transpose()).ok_or_else(dependent)?;
        let (variances, vectors) = symmetric_eigen(&within)?;
        let combination = l.tr_solve_lower_triangular(&vectors).ok_or_else(dependent)?;
        let (directions, products) = (q * &combination, y * &combination);
        let largest = variances.first().copied().unwrap_or(0.0);
        let off = |at: usize| (products.column(at) - directions.column(at) * variances[at]).norm();
        let worst = (0..self.wanted.min(variances.len())).map(off).fold(0.0, f64::max);
        rounds.push(Round {
            iteration: rounds.len() as u32 + 1,
            residual: if worst > 0.0 { worst / largest.max(f64::MIN_POSITIVE) } else { 0.0 },
            explained_variance: variances.iter().take(self.wanted).map(|variance| variance.max(0.0)).sum(),
        });
        Ok(Solution { variances, directions: array(&orthonormal(products)), rounds })
    }
}
