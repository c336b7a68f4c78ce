//! The item that does the work: how likely each component has made each row, and the sums of rows that follow from it.

use super::mixture::CovarianceType;
use super::step::Space;
use crate::Result;
use crate::algorithms::products::{
    BIAS, BUSY, COLUMN_EXPONENTS, LEAST_BLOCKS, MATRIX, MOST_VALUES, POINTS, Products, SUMS, VALUE_EXPONENTS, VALUES,
    sum_pieces, units_of, work_in_pieces,
};
use crate::backend::cpu::{
    MixtureShape, MomentSums, Multiplier, PRODUCT_BLOCK, ProductUnits, responsibilities, scale_rows,
};
use crate::queue::{ComContext, ComputeFunction, Key, Objects, Shader, ShapeRule};
use ndarray::Array2;

/// What the log-density of each component is at its mean, with the log of its weight, less the largest of all: k.
pub(super) const OFFSETS: Key<Vec<f32>> = Key::new("offsets");
/// The share of each component in each of a slice of rows, n × k.
const SHARES: Key<Array2<f32>> = Key::new("shares");

/// The rows that a workgroup of `scale_rows.wgsl` and `responsibilities.wgsl` takes; the outputs one of `sum_moments.wgsl` does.
const ROWS: usize = 16;
const TILE: usize = 64;

/// Puts [`SUMS`] of what a mixture with full covariances makes of a task's rows, each with a 1 after its columns: for each component
/// the products of row and whitened row, weighed by the component's share; and the log-likelihoods.
pub(super) struct ExpectFull {
    space: Space,
    products: Products,
}

/// The same for diagonal covariances: the whitened values and their squares.
pub(super) struct ExpectDiagonal {
    space: Space,
}

impl ExpectFull {
    /// With units of which only the numbers matter here: each round has its own.
    pub(super) fn new(space: Space, units: ProductUnits) -> Result<Self> {
        Ok(Self { products: Products::new(space.rows, units)?, space })
    }
}

impl ExpectDiagonal {
    pub(super) fn new(space: Space) -> Self {
        Self { space }
    }
}

impl Space {
    /// What both read and need for a slice of rows.
    fn objects(&self) -> Objects {
        let (k, m) = (self.shape.components, self.shape.outputs());
        let slice = |columns| ShapeRule::slice_of(POINTS, columns, MOST_VALUES / m);
        Objects::reads(OFFSETS)
            .shape(OFFSETS, ShapeRule::fixed([k]))
            .scratch(VALUES, slice(m))
            .scratch(SHARES, slice(k))
    }

    fn constants(&self, shader: Shader) -> Shader {
        let MixtureShape { components, dimensions } = self.shape;
        shader.constant("COMPONENTS", components as f64).constant("DIMENSIONS", dimensions as f64)
    }

    fn responsibilities(&self) -> Shader {
        let shader = Shader::wgsl(kernel!("responsibilities")).named("responsibilities");
        let weigh = f64::from(u8::from(self.covariance == CovarianceType::Full));
        self.constants(shader.trusted().rows_per_workgroup(POINTS, ROWS)).constant("WEIGH", weigh)
    }

    fn scale_rows(&self) -> Shader {
        let shader = Shader::wgsl(kernel!("scale_rows")).named("scale_rows").trusted();
        self.constants(shader.rows_per_workgroup(POINTS, ROWS))
    }

    fn sum_moments(&self) -> Shader {
        let source = kernel!("sum_moments", "whole", "fixed_point");
        let tiles = self.shape.outputs().div_ceil(TILE);
        let blocks = usize::try_from(self.rows).unwrap_or(usize::MAX).div_ceil(PRODUCT_BLOCK);
        let teams = (blocks / LEAST_BLOCKS).clamp(1, BUSY.div_ceil(tiles));
        let shader = Shader::wgsl(source).named("sum_moments").trusted().workgroups((tiles * teams) as u64);
        self.constants(shader).constant("BITS", 0.0)
    }
}

impl ComputeFunction for ExpectFull {
    fn objects(&self) -> Objects {
        self.products.multiplied().and(self.products.summed()).and(self.space.objects())
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (shape, offsets) = (self.space.shape, cx.get(OFFSETS)?);
        let (k, m) = (shape.components, shape.outputs());
        let multiplier = Multiplier::new(cx.get(MATRIX)?, cx.get(BIAS)?)?;
        let buffers = || (Vec::new(), Vec::new());
        let sums = sum_pieces(cx, buffers, |(values, shares), range, points, sums| {
            values.resize(range.len() * m, 0.0);
            shares.resize(range.len() * k, 0.0);
            multiplier.multiply(points, values)?;
            responsibilities(shape, offsets, true, values, shares)?;
            sums.add(points, values)
        })?;
        cx.put(SUMS, sums)
    }

    fn shader(&self) -> Option<Shader> {
        let whitened = self.products.multiply().then(self.space.responsibilities());
        Some(whitened.then(self.products.sum()).in_slices(POINTS))
    }
}

impl ComputeFunction for ExpectDiagonal {
    fn objects(&self) -> Objects {
        let MixtureShape { dimensions: d, .. } = self.space.shape;
        let ((columns, outputs), m) = (self.space.sums(), self.space.shape.outputs());
        Objects::reads((POINTS, MATRIX, COLUMN_EXPONENTS, VALUE_EXPONENTS))
            .writes(SUMS)
            .shape(POINTS, ShapeRule::rows_of_by(POINTS, d))
            .shape(MATRIX, ShapeRule::fixed([2, m]))
            .shape(COLUMN_EXPONENTS, ShapeRule::fixed([columns]))
            .shape(VALUE_EXPONENTS, ShapeRule::fixed([outputs]))
            .shape(SUMS, ShapeRule::fixed([columns, outputs]))
            .and(self.space.objects())
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (shape, matrix, offsets) = (self.space.shape, cx.get(MATRIX)?, cx.get(OFFSETS)?);
        let (k, m) = (shape.components, shape.outputs());
        let units = units_of(cx)?;
        let new = || Ok((Vec::new(), Vec::new(), MomentSums::new(shape, units.clone())?));
        let workers = work_in_pieces(&cx.rows(POINTS)?, new, |(values, shares, sums), range, points| {
            values.resize(range.len() * m, 0.0);
            shares.resize(range.len() * k, 0.0);
            scale_rows(shape, points, matrix, values)?;
            responsibilities(shape, offsets, false, values, shares)?;
            sums.add(values, shares)
        })?;
        let mut total = MomentSums::new(shape, units.clone())?;
        workers.iter().try_for_each(|(_, _, sums)| total.merge(sums))?;
        cx.put(SUMS, total.into_units())
    }

    fn shader(&self) -> Option<Shader> {
        let whitened = self.space.scale_rows().then(self.space.responsibilities());
        Some(whitened.then(self.space.sum_moments()).in_slices(POINTS))
    }
}
