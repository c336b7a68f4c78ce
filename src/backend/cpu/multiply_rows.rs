//! Rows times a small matrix: the step that projections, linear models and mixtures share.

use super::Isa;
use super::products::{LANES, OTHERS, products};
use super::simd::{Kernel, Simd};
use crate::{Error, Result};
use ndarray::ArrayRef2;

/// A small matrix, d × m, and what is added to each of its outputs: ready to be multiplied by rows.
///
/// ```
/// use ndarray::array;
/// use superstep::backend::cpu::Multiplier;
///
/// let multiplier = Multiplier::new(&array![[1.0_f32, 0.0], [2.0, -1.0]], &[0.5, 0.0])?;
/// let mut values = [0.0; 4];
/// multiplier.multiply(&[3.0, 4.0, 0.0, 1.0], &mut values)?;
/// assert_eq!(values, [11.5, -4.0, 2.5, -1.0]);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Multiplier {
    columns: usize,
    /// Four outputs at a time, the last of them 0 where there are fewer: of each four, d times their coefficients.
    coefficients: Vec<[f64; OTHERS]>,
    bias: Vec<f64>,
}

impl Multiplier {
    /// The matrix (d × m) and the bias (m).
    ///
    /// # Errors
    /// When they do not fit each other, or the matrix is empty.
    pub fn new(matrix: &ArrayRef2<f32>, bias: &[f32]) -> Result<Self> {
        let (columns, outputs) = matrix.dim();
        if bias.len() != outputs || matrix.is_empty() {
            let message = format!("{} values of a bias for a matrix of {columns} × {outputs}", bias.len());
            return Err(Error::parameter("matrix", message));
        }
        let at = |column: usize, output: usize| matrix.get((column, output)).map_or(0.0, |value| f64::from(*value));
        let four = |first: usize, column: usize| std::array::from_fn(|other| at(column, first + other));
        let groups = (0..outputs).step_by(OTHERS);
        let coefficients = groups.flat_map(|first| (0..columns).map(move |column| four(first, column))).collect();
        Ok(Self { columns, coefficients, bias: bias.iter().copied().map(f64::from).collect() })
    }

    /// How many values a row becomes.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `rows·matrix + bias`: n × d becomes n × m. Each value is summed in f64 and rounded once.
    ///
    /// # Errors
    /// When the lengths are not those of as many rows.
    pub fn multiply(&self, rows: &[f32], values: &mut [f32]) -> Result<()> {
        let n = values.len() / self.outputs();
        if values.len() != n * self.outputs() || rows.len() != n * self.columns {
            let message = format!(
                "{} values of rows of {} columns do not give {} of {} outputs",
                rows.len(),
                self.columns,
                values.len(),
                self.outputs()
            );
            return Err(Error::parameter("rows", message));
        }
        Isa::detect().run(Multiply { by: self, rows, values });
        Ok(())
    }
}

struct Multiply<'a> {
    by: &'a Multiplier,
    rows: &'a [f32],
    values: &'a mut [f32],
}

impl Kernel for Multiply<'_> {
    type Output = ();

    /// Eight rows and four outputs at a time: the rows are turned around once, so that they lie in lanes.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (d, m) = (self.by.columns, self.by.outputs());
        let mut turned = vec![[0.0; LANES]; d];
        for (rows, values) in self.rows.chunks(LANES * d).zip(self.values.chunks_mut(LANES * m)) {
            for (lane, row) in rows.chunks_exact(d).enumerate() {
                turned.iter_mut().zip(row).for_each(|(column, value)| column[lane] = f64::from(*value));
            }
            for (group, coefficients) in self.by.coefficients.chunks_exact(d).enumerate() {
                let sums = products(&turned, coefficients);
                let outputs = group * OTHERS..m.min((group + 1) * OTHERS);
                for (lane, values) in values.chunks_exact_mut(m).enumerate() {
                    for output in outputs.clone() {
                        values[output] = (sums[output % OTHERS][lane] + self.by.bias[output]) as f32;
                    }
                }
            }
        }
    }
}
