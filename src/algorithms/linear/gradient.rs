//! The item of the devices: what the loss of all rows is at a point, and how it changes.

use crate::Result;
use crate::algorithms::products::{BIAS, MATRIX, MOST_VALUES, POINTS, Products, SUMS, VALUES, sum_pieces};
use crate::backend::cpu::{Multiplier, RowLoss, residuals};
use crate::queue::{ComContext, ComputeFunction, Key, Objects, Rows, Shader, ShapeRule};

/// The rows' targets and weights: n × 2.
pub(super) const TARGETS: Key<Rows> = Key::new("targets");
/// What derivatives and losses are multiplied by before they are summed: 2 powers of two.
pub(super) const SCALES: Key<Vec<f32>> = Key::new("scales");

/// Puts [`SUMS`]: Xᵀ·V over a task's rows, where X are the rows and a column of ones, and V the derivatives of the loss by each
/// output and the loss itself, of the outputs X·W.
///
/// So what belongs to the ones is the derivative by the intercepts, and, last, the loss. V of a few rows at a time is kept.
pub(super) struct Gradient {
    pub(super) products: Products,
    pub(super) loss: RowLoss,
    /// m: outputs of a row, without the place of the loss.
    pub(super) outputs: usize,
}

impl ComputeFunction for Gradient {
    fn objects(&self) -> Objects {
        let width = self.outputs + 1;
        let values = ShapeRule::slice_of(POINTS, width, MOST_VALUES / width);
        let objects = Objects::reads((TARGETS, SCALES))
            .shape(TARGETS, ShapeRule::rows_of_by(TARGETS, 2))
            .shape(SCALES, ShapeRule::fixed([2]));
        objects.and(self.products.multiplied()).and(self.products.summed()).scratch(VALUES, values)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let targets = cx.rows(TARGETS)?;
        let multiplier = Multiplier::new(cx.get(MATRIX)?, cx.get(BIAS)?)?;
        let scales = cx.get(SCALES)?;
        let scales = [0, 1].map(|at| scales.get(at).copied().unwrap_or(1.0));
        let worker = || (Vec::new(), Vec::new());
        let sums = sum_pieces(cx, worker, |(values, scratch), range, points, sums| {
            values.resize(range.len() * (self.outputs + 1), 0.0);
            multiplier.multiply(points, values)?;
            residuals(self.loss, self.outputs, values, targets.read(range, scratch)?, scales)?;
            sums.add(points, values)
        })?;
        cx.put(SUMS, sums)
    }

    fn shader(&self) -> Option<Shader> {
        let residuals = Shader::wgsl(kernel!("residuals"))
            .named("residuals")
            .trusted()
            .constant("OUTPUTS", (self.outputs + 1) as f64)
            .constant("LOSS", self.loss.number())
            .per_row(TARGETS);
        Some(self.products.multiply().then(residuals).then(self.products.sum()).in_slices(POINTS))
    }
}
