//! Rows as each component of a mixture with diagonal covariances sees them.

use super::responsibilities::{FAR, MixtureShape};
use crate::{Error, Result};
use ndarray::ArrayRef2;

/// Each row less the mean of each component, times its inverse standard deviations: n × d becomes n ×
/// [`outputs`](MixtureShape::outputs). `matrix` is 2 × outputs: the means and the inverse deviations, each where the result lies.
/// After the values of each component stands 1, and 0 after all of them.
///
/// ```
/// use superstep::backend::cpu::{MixtureShape, scale_rows};
///
/// let shape = MixtureShape { components: 1, dimensions: 2 };
/// let matrix = ndarray::array![[1.0_f32, 2.0, 0.0, 0.0], [2.0, 0.5, 0.0, 0.0]];
/// let mut values = [0.0; 4];
/// scale_rows(shape, &[4.0, 4.0], &matrix, &mut values)?;
/// assert_eq!(values, [6.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When the lengths are not those of as many rows.
pub fn scale_rows(shape: MixtureShape, rows: &[f32], matrix: &ArrayRef2<f32>, values: &mut [f32]) -> Result<()> {
    let (d, m) = (shape.dimensions, shape.outputs());
    let n = values.len() / m;
    if values.len() != n * m || rows.len() != n * d || matrix.dim() != (2, m) {
        let message = format!(
            "{} values of rows of {d} columns do not give {} of {m} outputs by a matrix of {:?}",
            rows.len(),
            values.len(),
            matrix.dim()
        );
        return Err(Error::parameter("rows", message));
    }
    let matrix = matrix.as_standard_layout();
    let (means, scales) = matrix.as_slice().unwrap_or(&[]).split_at(m);
    for (row, values) in rows.chunks_exact(d.max(1)).zip(values.chunks_exact_mut(m)) {
        let components = values.chunks_exact_mut(d + 1).zip(means.chunks_exact(d + 1).zip(scales.chunks_exact(d + 1)));
        for (values, (means, scales)) in components {
            for (value, (x, (mean, scale))) in values.iter_mut().zip(row.iter().zip(means.iter().zip(scales))) {
                let scaled = (f64::from(*x) - f64::from(*mean)) * f64::from(*scale);
                *value = scaled.clamp(-FAR, FAR) as f32;
            }
            values[d] = 1.0;
        }
        values[m - 1] = 0.0;
    }
    Ok(())
}
