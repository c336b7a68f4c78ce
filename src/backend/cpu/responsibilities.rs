//! The expectation step of a Gaussian mixture, from rows as each component sees them.

use crate::{Error, Result};

/// Values count as within ± this: farther away a row has no density that f32 tells from none.
pub(super) const FAR: f64 = 137_438_953_472.0;
/// And half the sum of their squares as at most this.
const FAR_SQUARED: f64 = FAR * FAR;

/// How many components a mixture has, and of how many dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixtureShape {
    /// k, 1 or more.
    pub components: usize,
    /// d, 1 or more.
    pub dimensions: usize,
}

impl MixtureShape {
    /// The values that a row becomes: for each component d whitened ones and a 1, and after all of them one for the log-likelihood.
    pub fn outputs(self) -> usize {
        self.components * (self.dimensions + 1) + 1
    }
}

/// The share of each component in each row, n × k, and the log-likelihood of the row.
///
/// `values` are n × [`outputs`](MixtureShape::outputs): for each component c the whitened row `y` of d values (less the mean, by the
/// deviations) and a 1. With `ℓ_c = offsets[c] − ½|y|²` the log-likelihood is `L = log Σ exp ℓ_c`, which is put as the row's last
/// value, and the share of c is `exp(ℓ_c − L)`. Where `weigh` is set, the values of each component are then multiplied by its share.
///
/// Values are taken to be within ±2³⁷, and half the sum of their squares to be at most 2⁷⁴; shares so add up to 1 always.
///
/// ```
/// use superstep::backend::cpu::{MixtureShape, responsibilities};
///
/// let shape = MixtureShape { components: 2, dimensions: 1 };
/// let mut values = [1.0, 1.0, -1.0, 1.0, 0.0]; // as far from one as from the other
/// let mut shares = [0.0; 2];
/// responsibilities(shape, &[0.0, 0.0], true, &mut values, &mut shares)?;
/// assert_eq!(shares, [0.5, 0.5]);
/// assert_eq!(values[..4], [0.5, 0.5, -0.5, 0.5]);
/// assert_eq!(values[4], 2.0_f32.ln() - 0.5);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When the lengths are not those of as many rows.
pub fn responsibilities(
    shape: MixtureShape,
    offsets: &[f32],
    weigh: bool,
    values: &mut [f32],
    shares: &mut [f32],
) -> Result<()> {
    let MixtureShape { components: k, dimensions: d } = shape;
    let m = shape.outputs();
    let n = values.len() / m;
    if values.len() != n * m || shares.len() != n * k || offsets.len() != k || k == 0 {
        let message = format!("{} values and {} shares of rows of {m} and {k}", values.len(), shares.len());
        return Err(Error::parameter("rows", message));
    }
    let mut densities = vec![0.0; k];
    for (values, shares) in values.chunks_exact_mut(m).zip(shares.chunks_exact_mut(k)) {
        for ((density, values), offset) in densities.iter_mut().zip(values.chunks_exact(d + 1)).zip(offsets) {
            let squares: f64 = values[..d].iter().map(|value| f64::from(*value).clamp(-FAR, FAR).powi(2)).sum();
            *density = f64::from(*offset) - (0.5 * squares).min(FAR_SQUARED);
        }
        let largest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        densities.iter_mut().for_each(|density| *density = (*density - largest).exp());
        let sum: f64 = densities.iter().sum();
        for ((share, density), values) in shares.iter_mut().zip(&densities).zip(values.chunks_exact_mut(d + 1)) {
            let exact = density / sum;
            *share = exact as f32;
            if weigh {
                values.iter_mut().for_each(|value| *value = (f64::from(*value).clamp(-FAR, FAR) * exact) as f32);
            }
        }
        values[m - 1] = (largest + sum.ln()) as f32;
    }
    Ok(())
}
