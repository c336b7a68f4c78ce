//! Rows times a matrix, in f64 and without a device: what a fitted model makes of new rows.

use crate::data::RowSource;
use crate::{Error, Result};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows that one task of a parallel pass takes at a time.
const BLOCK: usize = 1024;

/// `(X − offset)·Mᵀ` of the n × d rows X: n × m, of a matrix M of m × d and d values to take off first.
///
/// # Errors
/// When a row is not d wide, or a value is not a finite number (the first that is found is named by its place).
pub(super) fn project(
    rows: &(impl RowSource + ?Sized),
    offset: &[f64],
    matrix: &ArrayRef2<f64>,
) -> Result<Array2<f64>> {
    let d = matrix.ncols();
    if rows.columns() != d {
        let message = format!("it has {} columns, but the model is expecting {d}", rows.columns());
        return Err(Error::data(rows.place(0, 0), message));
    }
    let mut projected = Array2::zeros((rows.rows() as usize, matrix.nrows()));
    let blocks = projected.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().enumerate();
    blocks.try_for_each(|(block, mut out)| {
        let first = (block * BLOCK) as u64;
        let mut values = vec![0.0; out.nrows() * d];
        rows.read_f64(first, &mut values)?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let place = rows.place(first + (at / d) as u64, at % d);
            return Err(Error::data(place, format!("{} is not a finite number", values[at])));
        }
        values.chunks_exact_mut(d).for_each(|row| row.iter_mut().zip(offset).for_each(|(x, off)| *x -= off));
        let values = ArrayView2::from_shape((out.nrows(), d), &values)
            .map_err(|error| Error::parameter("rows", error.to_string()))?;
        out.assign(&values.dot(&matrix.t()));
        Ok(())
    })?;
    Ok(projected)
}
