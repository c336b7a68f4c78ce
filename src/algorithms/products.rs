//! Products of rows with small matrices, as items: what principal components, linear models and mixtures stand on.
//!
//! With the rows X (n × d), a small matrix W (d × m) and a bias b (m):
//!
//! - [`MultiplyRows`] puts `V = X·W + b`, n × m;
//! - [`SumProducts`] puts `G = Xᵀ·V`, d × m, of any values V of the rows;
//! - [`MultiplyBack`] does both, and keeps V of a few rows at a time only.
//!
//! G is summed in 64-bit fixed point, in [`ProductUnits`]. Within a block of 256 rows products are added as floats (f64 on the
//! processor, f32 in WGSL), then rounded once; blocks are integers, which an [`AllReduce::sum`](crate::queue::AllReduce::sum)
//! over [`SUMS`] adds up across tasks, devices and ranks. A queue that cuts rows
//! [`in_whole_blocks`](crate::queue::IterativeComQueue::in_whole_blocks) of [`PRODUCT_BLOCK`] rows so gets equal bits for any
//! number of them.
//!
//! ```
//! use ndarray::{Array2, array};
//! use superstep::Session;
//! use superstep::algorithms::products::*;
//! use superstep::backend::cpu::{PRODUCT_BLOCK, ProductUnits};
//! use superstep::queue::{AllReduce, IterativeComQueue};
//!
//! let rows = array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
//! let matrix = array![[1.0_f32], [-1.0]];
//! let units = ProductUnits::plan(&[9.0, 12.0], &[3.0])?; // no sum is larger than the product of such a pair
//! let products = Products::new(3, units.clone())?;
//! let sums = IterativeComQueue::once(&Session::cpu()?)
//!     .in_whole_blocks(PRODUCT_BLOCK as u64)
//!     .init_with_partitioned_data(POINTS, &rows)
//!     .init_with_broadcast_data(MATRIX, matrix)
//!     .init_with_broadcast_data(BIAS, vec![0.0])
//!     .init_with_broadcast_data(COLUMN_EXPONENTS, units.columns().to_vec())
//!     .init_with_broadcast_data(VALUE_EXPONENTS, units.outputs().to_vec())
//!     .add(MultiplyBack(products))
//!     .add(AllReduce::sum(SUMS))
//!     .close_with(|cx| cx.take(SUMS))
//!     .exec()?;
//! assert_eq!(units.values(&sums)?, array![[-9.0], [-12.0]]);
//! # Ok::<(), superstep::Error>(())
//! ```

use super::workers::Workers;
use crate::backend::cpu::{Multiplier, PRODUCT_BLOCK, ProductSums, ProductUnits};
use crate::queue::{ComContext, ComputeFunction, Key, Objects, Rows, Shader, ShapeRule, TaskRows};
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use std::ops::Range;

/// The rows, n × d.
pub const POINTS: Key<Rows> = Key::new("points");
/// A small matrix, d × m.
pub const MATRIX: Key<Array2<f32>> = Key::new("matrix");
/// What is added to each output, m values.
pub const BIAS: Key<Vec<f32>> = Key::new("bias");
/// What rows have become, n × m.
pub const VALUES: Key<Array2<f32>> = Key::new("values");
/// The exponents of [`ProductUnits::columns`], d of them.
pub const COLUMN_EXPONENTS: Key<Vec<i32>> = Key::new("column_exponents");
/// The exponents of [`ProductUnits::outputs`], m of them.
pub const VALUE_EXPONENTS: Key<Vec<i32>> = Key::new("value_exponents");
/// The sums of the products of columns and values, d × m, in units.
pub const SUMS: Key<Array2<i64>> = Key::new("sums");

/// The threads of a workgroup of either kernel; the rows and the columns, or outputs, that a thread owns.
const THREADS: usize = 128;
const OWN_ROWS: usize = 8;
const OWN_OUTPUTS: usize = 4;

/// Workgroups of `sum_products.wgsl` and its kin that keep any device busy, and the blocks each layer of one should have at least.
pub(super) const BUSY: usize = 2048;
pub(super) const LEAST_BLOCKS: usize = 4;

/// Values of rows that are kept on their way from one kernel to the next, at most: 64 MiB.
pub(super) const MOST_VALUES: usize = 1 << 24;

/// Values of rows that one thread of the processor takes at a time.
const VALUES_A_THREAD: usize = 1 << 16;

/// The shapes of the products, and what their sums are worth.
#[derive(Debug, Clone)]
pub struct Products {
    rows: u64,
    units: ProductUnits,
}

impl Products {
    /// Products of so many rows (those of all ranks), whose columns and values have these units.
    ///
    /// # Errors
    /// When there are no columns, or no values.
    pub fn new(rows: u64, units: ProductUnits) -> Result<Self> {
        if units.columns().is_empty() || units.outputs().is_empty() {
            let (columns, outputs) = (units.columns().len(), units.outputs().len());
            return Err(Error::parameter(
                "products",
                format!("{columns} columns and {outputs} values: take 1 or more"),
            ));
        }
        Ok(Self { rows, units })
    }

    fn columns(&self) -> usize {
        self.units.columns().len()
    }

    fn outputs(&self) -> usize {
        self.units.outputs().len()
    }

    /// What a product with [`MATRIX`] and [`BIAS`] reads.
    pub(super) fn multiplied(&self) -> Objects {
        let (d, m) = (self.columns(), self.outputs());
        Objects::reads((POINTS, MATRIX, BIAS))
            .shape(POINTS, ShapeRule::rows_of_by(POINTS, d))
            .shape(MATRIX, ShapeRule::fixed([d, m]))
            .shape(BIAS, ShapeRule::fixed([m]))
    }

    /// What the sums of products are made of and put.
    pub(super) fn summed(&self) -> Objects {
        let (d, m) = (self.columns(), self.outputs());
        Objects::reads((POINTS, COLUMN_EXPONENTS, VALUE_EXPONENTS))
            .writes(SUMS)
            .shape(COLUMN_EXPONENTS, ShapeRule::fixed([d]))
            .shape(VALUE_EXPONENTS, ShapeRule::fixed([m]))
            .shape(SUMS, ShapeRule::fixed([d, m]))
    }

    fn constants(&self, shader: Shader, (across, down): (usize, usize)) -> Shader {
        shader
            .constant("DIMENSIONS", self.columns() as f64)
            .constant("OUTPUTS", self.outputs() as f64)
            .constant("ACROSS", across as f64)
            .constant("DOWN", down as f64)
    }

    /// Threads along outputs: enough for all of them, or 16.
    fn across(&self) -> usize {
        self.outputs().div_ceil(OWN_OUTPUTS).next_power_of_two().clamp(4, 16)
    }

    /// Puts [`VALUES`] of a slice of rows.
    pub(super) fn multiply(&self) -> Shader {
        let across = self.across();
        let down = THREADS / across;
        let shader = Shader::wgsl(kernel!("multiply_rows")).named("multiply_rows").trusted();
        self.constants(shader.rows_per_workgroup(POINTS, OWN_ROWS * down), (across, down))
    }

    /// Adds the products of [`POINTS`] and [`VALUES`] of a slice to [`SUMS`].
    pub(super) fn sum(&self) -> Shader {
        let across = self.across();
        let down = self.columns().div_ceil(OWN_ROWS).next_power_of_two().clamp(4, THREADS / across);
        let layers = THREADS / (across * down);
        let tiles = self.columns().div_ceil(OWN_ROWS * down) * self.outputs().div_ceil(OWN_OUTPUTS * across);
        let blocks = usize::try_from(self.rows).unwrap_or(usize::MAX).div_ceil(PRODUCT_BLOCK);
        let teams = (blocks / (layers * LEAST_BLOCKS)).clamp(1, BUSY.div_ceil(tiles));
        let shader = Shader::wgsl(kernel!("sum_products")).named("sum_products").trusted();
        self.constants(shader.workgroups((tiles * teams) as u64), (across, down))
    }
}

/// The units that the queue has for this round's sums: an item may give them anew in every round.
pub(super) fn units_of(cx: &ComContext) -> Result<ProductUnits> {
    ProductUnits::from_exponents(cx.get(COLUMN_EXPONENTS)?, cx.get(VALUE_EXPONENTS)?)
}

/// The sums over a task's rows of their products with what `values` gives of a piece of them.
pub(super) fn sum_pieces<W: Send>(
    cx: &ComContext,
    worker: impl Fn() -> W + Sync,
    values: impl Fn(&mut W, Range<usize>, &[f32], &mut ProductSums) -> Result<()> + Sync,
) -> Result<Array2<i64>> {
    let units = units_of(cx)?;
    let new = || Ok((worker(), ProductSums::new(units.clone())));
    let workers =
        work_in_pieces(&cx.rows(POINTS)?, new, |(worker, sums), range, points| values(worker, range, points, sums))?;
    let mut total = ProductSums::new(units);
    workers.iter().try_for_each(|(_, sums)| total.merge(sums))?;
    Ok(total.into_units())
}

/// Rows in pieces of whole blocks that a thread takes at a time.
fn pieces(rows: usize, columns: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    let length = (VALUES_A_THREAD / columns.max(1)).max(1).next_multiple_of(PRODUCT_BLOCK);
    (0..rows.div_ceil(length)).into_par_iter().map(move |piece| piece * length..rows.min((piece + 1) * length))
}

/// Works through a task's rows in pieces of whole blocks, with a state for each thread that takes part; returns the states.
pub(super) fn work_in_pieces<W: Send>(
    rows: &TaskRows,
    new: impl Fn() -> Result<W> + Sync,
    piece: impl Fn(&mut W, Range<usize>, &[f32]) -> Result<()> + Sync,
) -> Result<Vec<W>> {
    let workers = Workers::none();
    pieces(rows.len(), rows.columns()).try_for_each(|range| {
        workers.work(
            || Ok((new()?, Vec::new())),
            |(worker, scratch)| piece(worker, range.clone(), rows.read(range.clone(), scratch)?),
        )
    })?;
    Ok(workers.into_all().into_iter().map(|(worker, _)| worker).collect())
}

/// Puts [`VALUES`]: [`POINTS`] times [`MATRIX`], plus [`BIAS`].
pub struct MultiplyRows(pub Products);

impl ComputeFunction for MultiplyRows {
    fn objects(&self) -> Objects {
        let values = ShapeRule::rows_of_by(POINTS, self.0.outputs());
        self.0.multiplied().and(Objects::none().writes(VALUES).shape(VALUES, values))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (rows, m) = (cx.rows(POINTS)?, self.0.outputs());
        let multiplier = Multiplier::new(cx.get(MATRIX)?, cx.get(BIAS)?)?;
        let mut values = vec![0.0; rows.len() * m];
        let length = pieces(rows.len(), rows.columns()).map(|range| range.len()).max().unwrap_or(1);
        values.par_chunks_mut(length * m).enumerate().try_for_each_init(Vec::new, |scratch, (piece, values)| {
            let first = piece * length;
            multiplier.multiply(rows.read(first..first + values.len() / m, scratch)?, values)
        })?;
        let values = Array2::from_shape_vec((rows.len(), m), values)
            .map_err(|error| Error::parameter("products", error.to_string()))?;
        cx.put(VALUES, values)
    }

    fn shader(&self) -> Option<Shader> {
        Some(self.0.multiply().in_slices(POINTS))
    }
}

/// Puts [`SUMS`]: over a task's rows, the products of the columns of [`POINTS`] and of [`VALUES`].
pub struct SumProducts(pub Products);

impl ComputeFunction for SumProducts {
    fn objects(&self) -> Objects {
        let values = ShapeRule::rows_of_by(POINTS, self.0.outputs());
        Objects::reads(VALUES).shape(VALUES, values).and(self.0.summed())
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let values = cx.get(VALUES)?.as_standard_layout();
        let of = |range: Range<usize>| -> ArrayView2<f32> { values.slice(ndarray::s![range, ..]) };
        let sums =
            sum_pieces(cx, || (), |(), range, points, sums| sums.add(points, of(range).to_slice().unwrap_or(&[])))?;
        cx.put(SUMS, sums)
    }

    fn shader(&self) -> Option<Shader> {
        Some(self.0.sum().in_slices(POINTS))
    }
}

/// Puts [`SUMS`]: Xᵀ·(X·W + b) over a task's rows X ([`POINTS`]), of [`MATRIX`] and [`BIAS`].
pub struct MultiplyBack(pub Products);

impl ComputeFunction for MultiplyBack {
    fn objects(&self) -> Objects {
        let m = self.0.outputs();
        let values = ShapeRule::slice_of(POINTS, m, MOST_VALUES / m);
        self.0.multiplied().and(self.0.summed()).scratch(VALUES, values)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let m = self.0.outputs();
        let multiplier = Multiplier::new(cx.get(MATRIX)?, cx.get(BIAS)?)?;
        let sums = sum_pieces(cx, Vec::new, |values, range, points, sums| {
            values.resize(range.len() * m, 0.0);
            multiplier.multiply(points, values)?;
            sums.add(points, values)
        })?;
        cx.put(SUMS, sums)
    }

    fn shader(&self) -> Option<Shader> {
        Some(self.0.multiply().then(self.0.sum()).in_slices(POINTS))
    }
}
