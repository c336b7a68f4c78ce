//! Sums over rows of the products of their columns and their values, `Xᵀ·V`, as 64-bit fixed-point integers.

use super::Isa;
use super::products::{LANES, OTHERS, products, widen};
use super::simd::{Kernel, Simd};
use super::sum_by_label::power_of_two;
use crate::{Error, Result};
use ndarray::Array2;

/// Rows whose products are summed in floating point and then rounded once. Sums have the same bits for any cut of the rows
/// between such blocks.
pub const PRODUCT_BLOCK: usize = 256;

/// Bits that a sum takes at most of the 63 that it has: what rounding adds to its bound is far less.
const BITS: i32 = 61;

/// What the exponents of a pair may add up to on devices, whose scale is an f32: half of it each.
const EXPONENTS: std::ops::RangeInclusive<i32> = -47..=79;

/// What the integers of `Xᵀ·V` are worth: the sum of column `i` and output `c` counts `2^-(columns[i] + outputs[c])`.
///
/// ```
/// use superstep::backend::cpu::ProductUnits;
///
/// let units = ProductUnits::plan(&[3.0, 0.0], &[100.0])?;
/// assert_eq!(units.value(0, 0, units.count(0, 0, 42.0)), 42.0);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ProductUnits {
    columns: Vec<i32>,
    outputs: Vec<i32>,
}

impl ProductUnits {
    /// Units for sums of which it is known that `|Σ x_i v_c| ≤ columns[i]·outputs[c]`, over any of the rows. The lengths of
    /// columns and outputs are such bounds (Cauchy and Schwarz), and so are n times the largest of a column and the largest of
    /// an output.
    ///
    /// # Errors
    /// When a bound is negative, not finite, or beyond 2⁷⁶, which f32 products of devices could not reach: scale the rows.
    pub fn plan(columns: &[f64], outputs: &[f64]) -> Result<Self> {
        let exponents = |bounds: &[f64], bits: i32, what: &str| {
            let one = |(at, &bound): (usize, &f64)| {
                exponent(bits, bound).ok_or_else(|| {
                    let message = format!("the bound {bound} of {what} {at} is none of 0 to 2^76: scale the rows");
                    Error::parameter("sums of products", message)
                })
            };
            bounds.iter().enumerate().map(one).collect::<Result<Vec<i32>>>()
        };
        Ok(Self {
            columns: exponents(columns, BITS / 2, "column")?,
            outputs: exponents(outputs, BITS - BITS / 2, "output")?,
        })
    }

    /// The units with these exponents: those that [`columns`](Self::columns) and [`outputs`](Self::outputs) gave.
    ///
    /// # Errors
    /// When one is beyond what devices can scale by.
    pub fn from_exponents(columns: &[i32], outputs: &[i32]) -> Result<Self> {
        if let Some(other) = columns.iter().chain(outputs).find(|exponent| !EXPONENTS.contains(exponent)) {
            let message = format!("the exponent {other} is none of {} to {}", EXPONENTS.start(), EXPONENTS.end());
            return Err(Error::parameter("sums of products", message));
        }
        Ok(Self { columns: columns.to_vec(), outputs: outputs.to_vec() })
    }

    /// One exponent for each column.
    pub fn columns(&self) -> &[i32] {
        &self.columns
    }

    /// One exponent for each output.
    pub fn outputs(&self) -> &[i32] {
        &self.outputs
    }

    /// A sum in units; 0 where there is no such pair.
    pub fn count(&self, column: usize, output: usize, sum: f64) -> i64 {
        (sum * power_of_two(self.exponent(column, output))).round_ties_even() as i64
    }

    /// What so many units are worth.
    pub fn value(&self, column: usize, output: usize, units: i64) -> f64 {
        units as f64 * power_of_two(-self.exponent(column, output))
    }

    /// What a table of units, d × m, is worth.
    ///
    /// # Errors
    /// When it is not of this shape.
    pub fn values(&self, units: &Array2<i64>) -> Result<Array2<f64>> {
        if units.dim() != (self.columns.len(), self.outputs.len()) {
            let (columns, outputs) = (self.columns.len(), self.outputs.len());
            let message = format!("{:?} units for {columns} columns and {outputs} outputs", units.dim());
            return Err(Error::parameter("sums of products", message));
        }
        Ok(Array2::from_shape_fn(units.dim(), |(column, output)| self.value(column, output, units[(column, output)])))
    }

    fn exponent(&self, column: usize, output: usize) -> i32 {
        let of = |exponents: &[i32], at: usize| exponents.get(at).copied().unwrap_or(0);
        of(&self.columns, column) + of(&self.outputs, output)
    }
}

/// `bits − p` with the smallest `p` for which `bound ≤ 2^p`, or less where a device could not scale by more; none where it could
/// not scale by so little.
fn exponent(bits: i32, bound: f64) -> Option<i32> {
    if bound == 0.0 {
        return Some(0);
    }
    if !(bound > 0.0 && bound.is_finite()) {
        return None;
    }
    let bound = bound.max(f64::MIN_POSITIVE);
    let floor = ((bound.to_bits() >> 52) as i32) - 1023;
    let p = if bound == power_of_two(floor) { floor } else { floor + 1 };
    let exponent = (bits - p).min(*EXPONENTS.end());
    EXPONENTS.contains(&exponent).then_some(exponent)
}

/// The sums of some rows, d × m, in units.
///
/// ```
/// use superstep::backend::cpu::{ProductSums, ProductUnits};
///
/// let units = ProductUnits::plan(&[8.0, 8.0], &[8.0])?;
/// let mut sums = ProductSums::new(units.clone());
/// sums.add(&[1.0, 2.0, 3.0, 4.0], &[0.5, -1.0])?; // two rows of two columns, a value each
/// assert_eq!(units.values(&sums.into_units())?, ndarray::array![[-2.5], [-3.0]]);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProductSums {
    units: ProductUnits,
    sums: Vec<i64>,
    outputs: Vec<[f64; OTHERS]>,
}

impl ProductSums {
    /// Sums of no rows.
    pub fn new(units: ProductUnits) -> Self {
        let sums = vec![0; units.columns.len() * units.outputs.len()];
        Self { units, sums, outputs: Vec::new() }
    }

    /// Adds rows (n × d) and their values (n × m): by blocks of [`PRODUCT_BLOCK`], the first of which begins here.
    ///
    /// # Errors
    /// When the lengths are not those of as many rows.
    pub fn add(&mut self, rows: &[f32], values: &[f32]) -> Result<()> {
        let (d, m) = (self.units.columns.len(), self.units.outputs.len());
        let n = values.len() / m.max(1);
        if values.len() != n * m || rows.len() != n * d || m == 0 || d == 0 {
            let message = format!("{} values in rows of {d} columns, and {} of {m} outputs", rows.len(), values.len());
            return Err(Error::parameter("rows", message));
        }
        for (rows, values) in rows.chunks(PRODUCT_BLOCK * d).zip(values.chunks(PRODUCT_BLOCK * m)) {
            Isa::detect().run(AddBlock { to: self, rows, values });
        }
        Ok(())
    }

    /// Adds what others have summed.
    ///
    /// # Errors
    /// When their units are other ones.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.units != self.units {
            return Err(Error::parameter("sums of products", "sums of other units cannot be added"));
        }
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
        Ok(())
    }

    /// The sums, d × m.
    pub fn into_units(self) -> Array2<i64> {
        let shape = (self.units.columns.len(), self.units.outputs.len());
        Array2::from_shape_vec(shape, self.sums).unwrap_or_else(|_| Array2::zeros(shape))
    }
}

struct AddBlock<'a> {
    to: &'a mut ProductSums,
    rows: &'a [f32],
    values: &'a [f32],
}

impl Kernel for AddBlock<'_> {
    type Output = ();

    /// Columns and outputs are widened to f64 once, a few of them at a time, and then multiplied all with all.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (d, m) = (self.to.units.columns.len(), self.to.units.outputs.len());
        let rows = self.rows.len() / d;
        let groups = m.div_ceil(OTHERS);
        let outputs = &mut self.to.outputs;
        outputs.clear();
        outputs.resize(groups * rows, [0.0; OTHERS]);
        for (row, values) in self.values.chunks_exact(m).enumerate() {
            for (group, values) in values.chunks(OTHERS).enumerate() {
                widen(values, &mut outputs[group * rows + row]);
            }
        }
        let mut columns = [[0.0; LANES]; PRODUCT_BLOCK];
        for first in (0..d).step_by(LANES) {
            let width = LANES.min(d - first);
            for (row, columns) in self.rows.chunks_exact(d).zip(&mut columns) {
                widen(&row[first..first + width], columns);
            }
            for (group, outputs) in outputs.chunks_exact(rows).enumerate() {
                let sums = products(&columns[..rows], outputs);
                for output in group * OTHERS..m.min((group + 1) * OTHERS) {
                    for (lane, sum) in sums[output % OTHERS][..width].iter().enumerate() {
                        let counted = self.to.units.count(first + lane, output, *sum);
                        let at = (first + lane) * m + output;
                        self.to.sums[at] = self.to.sums[at].wrapping_add(counted);
                    }
                }
            }
        }
    }
}
