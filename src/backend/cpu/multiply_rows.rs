//! Rows times a small matrix: the step that projections, linear models and mixtures share.

use super::Isa;
use super::simd::{Kernel, Simd};
use crate::{Error, Result};
use ndarray::ArrayRef2;

/// Columns that are summed side by side; their sums are added in a fixed order, so the bits are equal on every instruction set.
const LANES: usize = 8;

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
    /// m × d: an output's coefficients lie side by side.
    coefficients: Vec<f64>,
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
        let coefficients = matrix.columns().into_iter().flatten().map(|value| f64::from(*value)).collect();
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

    /// Two rows and two outputs at a time: each value that is loaded is multiplied twice.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (d, m) = (self.by.columns, self.by.outputs());
        let output = |c: usize| &self.by.coefficients[c * d..(c + 1) * d];
        for (rows, values) in self.rows.chunks(2 * d).zip(self.values.chunks_mut(2 * m)) {
            let (a, b) = rows.split_at(d);
            // An odd row at the end is its own neighbour.
            let b = if b.is_empty() { a } else { b };
            for c in (0..m).step_by(2) {
                let next = (c + 1).min(m - 1);
                let sums = four(a, b, output(c), output(next));
                for (at, sum) in [(c, sums[0]), (next, sums[1]), (m + c, sums[2]), (m + next, sums[3])] {
                    if let Some(value) = values.get_mut(at) {
                        *value = (sum + self.by.bias[at % m]) as f32;
                    }
                }
            }
        }
    }
}

/// `a·v`, `a·w`, `b·v` and `b·w`.
#[inline(always)]
fn four(a: &[f32], b: &[f32], v: &[f64], w: &[f64]) -> [f64; 4] {
    let mut sums = [[0.0_f64; LANES]; 4];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let (v, v_rest) = v.as_chunks::<LANES>();
    let (w, w_rest) = w.as_chunks::<LANES>();
    for (((a, b), v), w) in a.iter().zip(b).zip(v).zip(w) {
        for lane in 0..LANES {
            let (a, b) = (f64::from(a[lane]), f64::from(b[lane]));
            sums[0][lane] += a * v[lane];
            sums[1][lane] += a * w[lane];
            sums[2][lane] += b * v[lane];
            sums[3][lane] += b * w[lane];
        }
    }
    for (lane, (((a, b), v), w)) in a_rest.iter().zip(b_rest).zip(v_rest).zip(w_rest).enumerate() {
        let (a, b) = (f64::from(*a), f64::from(*b));
        sums[0][lane] += a * v;
        sums[1][lane] += a * w;
        sums[2][lane] += b * v;
        sums[3][lane] += b * w;
    }
    sums.map(|[a, b, c, d, e, f, g, h]| ((a + e) + (c + g)) + ((b + f) + (d + h)))
}
