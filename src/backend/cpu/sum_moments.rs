//! Sums over rows of each of their values and of its square, weighed by the shares of the components, as 64-bit fixed-point integers.

use super::responsibilities::MixtureShape;
use super::sum_products::{PRODUCT_BLOCK, ProductUnits};
use crate::{Error, Result};
use ndarray::Array2;

/// The sums of some rows: 2 × [`outputs`](MixtureShape::outputs), in units. The last output is not weighed.
///
/// ```
/// use superstep::backend::cpu::{MixtureShape, MomentSums, ProductUnits};
///
/// let shape = MixtureShape { components: 1, dimensions: 1 };
/// let units = ProductUnits::plan(&[2.0], &[8.0; 6])?; // two rows; no value or square is above 8
/// let mut sums = MomentSums::new(shape, units.clone())?;
/// sums.add(&[2.0, 1.0, -5.0, -1.0, 1.0, -3.0], &[0.5, 0.25])?;
/// let sums = units.values(&sums.into_units())?;
/// assert_eq!(sums, ndarray::array![[0.75, 0.75, -8.0, 2.25, 0.75, 34.0]]);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MomentSums {
    shape: MixtureShape,
    units: ProductUnits,
    sums: Vec<i64>,
    /// Those of a block.
    block: Vec<f64>,
}

impl MomentSums {
    /// Sums of no rows: of one column (all ones) and twice the outputs, first of the values, then of their squares.
    ///
    /// # Errors
    /// When the units are other ones.
    pub fn new(shape: MixtureShape, units: ProductUnits) -> Result<Self> {
        let m = 2 * shape.outputs();
        if (units.columns().len(), units.outputs().len()) != (1, m) {
            let message = format!(
                "units of {} columns and {} outputs for 1 and {m}",
                units.columns().len(),
                units.outputs().len()
            );
            return Err(Error::parameter("sums of moments", message));
        }
        Ok(Self { shape, units, sums: vec![0; m], block: vec![0.0; m] })
    }

    /// Adds rows by their values (n × outputs) and shares (n × k): by blocks of [`PRODUCT_BLOCK`], the first of which begins here.
    ///
    /// # Errors
    /// When the lengths are not those of as many rows.
    pub fn add(&mut self, values: &[f32], shares: &[f32]) -> Result<()> {
        let (m, k) = (self.shape.outputs(), self.shape.components);
        let n = values.len() / m;
        if values.len() != n * m || shares.len() != n * k || k == 0 {
            let message = format!("{} values and {} shares of rows of {m} and {k}", values.len(), shares.len());
            return Err(Error::parameter("rows", message));
        }
        for (values, shares) in values.chunks(PRODUCT_BLOCK * m).zip(shares.chunks(PRODUCT_BLOCK * k)) {
            self.add_block(values, shares);
        }
        Ok(())
    }

    fn add_block(&mut self, values: &[f32], shares: &[f32]) {
        let (m, k, width) = (self.shape.outputs(), self.shape.components, self.shape.dimensions + 1);
        self.block.fill(0.0);
        let (sums, squares) = self.block.split_at_mut(m);
        for (values, shares) in values.chunks_exact(m).zip(shares.chunks_exact(k)) {
            let components = sums.chunks_exact_mut(width).zip(squares.chunks_exact_mut(width));
            for ((values, share), (sums, squares)) in values.chunks_exact(width).zip(shares).zip(components) {
                for (value, (sum, square)) in values.iter().zip(sums.iter_mut().zip(squares)) {
                    let value = f64::from(*value);
                    let weighed = f64::from(*share) * value;
                    *sum += weighed;
                    *square += weighed * value;
                }
            }
            let last = f64::from(values[m - 1]);
            sums[m - 1] += last;
            squares[m - 1] += last * last;
        }
        for (output, (total, sum)) in self.sums.iter_mut().zip(&self.block).enumerate() {
            *total = total.wrapping_add(self.units.count(0, output, *sum));
        }
    }

    /// Adds what others have summed.
    ///
    /// # Errors
    /// When their units are other ones.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.units != self.units || other.shape != self.shape {
            return Err(Error::parameter("sums of moments", "sums of other units cannot be added"));
        }
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
        Ok(())
    }

    /// The sums, 1 × twice the outputs: of the values, then of their squares.
    pub fn into_units(self) -> Array2<i64> {
        let m = self.sums.len();
        Array2::from_shape_vec((1, m), self.sums).unwrap_or_else(|_| Array2::zeros((1, m)))
    }
}
