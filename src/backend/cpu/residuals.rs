//! What a loss makes of a row's outputs: its derivative and its value, in place of them.

use crate::{Error, Result};

/// The loss of one row, of its outputs z and its target y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLoss {
    /// `½(z − y)²`, of one output.
    Squared,
    /// `ln(1 + e^z) − y·z`, of one output: y is 0 or 1.
    Logistic,
    /// `ln Σ_c e^{z_c} − z_y`, of an output for each class: y is the number of one.
    Softmax,
}

impl RowLoss {
    /// The number of it in WGSL.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Squared => 0,
            Self::Logistic => 1,
            Self::Softmax => 2,
        }
    }

    /// The most that a second derivative by an output can be.
    pub(crate) fn curvature(self) -> f64 {
        match self {
            Self::Squared => 1.0,
            Self::Logistic | Self::Softmax => 0.25,
        }
    }

    /// Puts the derivatives in place of z, and returns the loss.
    fn take(self, z: &mut [f64], y: f64) -> f64 {
        match self {
            Self::Squared => z.iter_mut().fold(0.0, |sum, z| {
                *z -= y;
                sum + 0.5 * *z * *z
            }),
            Self::Logistic => z.iter_mut().fold(0.0, |sum, z| {
                // The side on which the row should not lie: neither small derivatives nor small losses cancel there.
                let side = 1.0 - 2.0 * y;
                let s = side * *z;
                let e = (-s.abs()).exp();
                *z = side * if s > 0.0 { 1.0 } else { e } / (1.0 + e);
                sum + s.max(0.0) + e.ln_1p()
            }),
            Self::Softmax => {
                let class = y as usize;
                let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let below = top - z.get(class).copied().unwrap_or(top);
                z.iter_mut().for_each(|z| *z = (*z - top).exp());
                let all: f64 = z.iter().sum();
                z.iter_mut().enumerate().for_each(|(at, z)| *z = *z / all - f64::from(u8::from(at == class)));
                all.ln() + below
            }
        }
    }
}

/// Replaces the outputs of rows by their derivatives, and what stands behind them by the loss: both times the row's weight and a
/// scale of their own. Computed in f64 and rounded once.
///
/// `values` are n × (m + 1), the outputs z and a place for the loss; `targets` are n × 2, the target y and the weight.
///
/// ```
/// use superstep::backend::cpu::{RowLoss, residuals};
///
/// let mut values = [3.0, 0.0, -1.0, 0.0]; // two rows of one output
/// residuals(RowLoss::Squared, 1, &mut values, &[1.0, 1.0, -1.5, 2.0], [1.0, 0.5])?;
/// assert_eq!(values, [2.0, 1.0, 1.0, 0.125]);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When the lengths are not those of as many rows, or the loss is one of a single output and there are more.
pub fn residuals(loss: RowLoss, outputs: usize, values: &mut [f32], targets: &[f32], scales: [f32; 2]) -> Result<()> {
    let rows = targets.len() / 2;
    let fits = values.len() == rows * (outputs + 1) && targets.len() == 2 * rows && outputs > 0;
    if !fits || (outputs > 1 && loss != RowLoss::Softmax) {
        let message =
            format!("{} values and {} targets of {outputs} outputs do not fit {loss:?}", values.len(), targets.len());
        return Err(Error::parameter("residuals", message));
    }
    let scales = scales.map(f64::from);
    let mut z = vec![0.0; outputs];
    for (values, target) in values.chunks_exact_mut(outputs + 1).zip(targets.chunks_exact(2)) {
        let weight = f64::from(target[1]);
        z.iter_mut().zip(&*values).for_each(|(z, value)| *z = f64::from(*value));
        let lost = loss.take(&mut z, f64::from(target[0]));
        values.iter_mut().zip(&z).for_each(|(value, z)| *value = (z * weight * scales[0]) as f32);
        values[outputs] = (lost * weight * scales[1]) as f32;
    }
    Ok(())
}
