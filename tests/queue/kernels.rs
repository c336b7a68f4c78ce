//! Items with WGSL that several tests run.

use crate::support::column_sums;
use ndarray::{Array1, Array2};
use std::borrow::Cow;
use superstep::Result;
use superstep::queue::{ComContext, ComputeFunction, Key, Objects, Rows, Shader, ShapeRule};

pub(crate) const ROWS: Key<Rows> = Key::new("rows");
pub(crate) const SUMS: Key<Array1<f32>> = Key::new("sums");
pub(crate) const STATE: Key<Array1<f32>> = Key::new("state");

/// Sums each column of a task's rows, one thread a column.
pub(crate) struct SumColumns;

impl ComputeFunction for SumColumns {
    fn objects(&self) -> Objects {
        Objects::reads((ROWS, STATE)).writes(SUMS).shape(SUMS, ShapeRule::like(STATE))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let sums = cx.get(ROWS)?.sum_axis(ndarray::Axis(0));
        cx.put(SUMS, sums)
    }

    fn shader(&self) -> Option<Shader> {
        let source = "
            @group(0) @binding(0) var<storage, read> rows: array<f32>;
            @group(0) @binding(1) var<uniform> rows_shape: vec2<u32>;
            @group(0) @binding(2) var<storage, read_write> sums: array<f32>;
            @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                if id.x >= rows_shape.y { return; }
                for (var row = 0u; row < rows_shape.x; row++) { sums[id.x] += rows[row * rows_shape.y + id.x]; }
            }";
        Some(Shader::wgsl(source).named("sum_columns").per_element(SUMS))
    }
}

/// `state = state / 2 + sums`, in WGSL alone: it has to run on a device.
pub(crate) struct Follow;

impl ComputeFunction for Follow {
    fn objects(&self) -> Objects {
        Objects::reads((STATE, SUMS)).updates(STATE).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let state = cx.get(STATE)? / 2.0 + cx.get(SUMS)?;
        cx.put(STATE, state)
    }

    fn shader(&self) -> Option<Shader> {
        let source = "
            @group(0) @binding(0) var<storage, read_write> state: array<f32>;
            @group(0) @binding(1) var<storage, read> sums: array<f32>;
            @group(0) @binding(2) var<uniform> state_shape: vec2<u32>;
            @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                if id.x < state_shape.x { state[id.x] = state[id.x] / 2.0 + sums[id.x]; }
            }";
        Some(Shader::wgsl(source).named("follow").per_element(STATE))
    }
}

/// The state after these rounds of [`SumColumns`] and [`Follow`], in plain f64.
pub(crate) fn followed(rows: &Array2<f32>, rounds: u32) -> Array1<f64> {
    let sums = column_sums(rows);
    (0..rounds).fold(Array1::zeros(rows.ncols()), |state: Array1<f64>, _| state / 2.0 + &sums)
}

/// WGSL of any kind, which never runs on the host.
pub(crate) struct Wgsl {
    pub(crate) name: &'static str,
    pub(crate) objects: Objects,
    pub(crate) shader: Shader,
}

impl Wgsl {
    /// One workgroup of `source`.
    pub(crate) fn new(name: &'static str, objects: Objects, source: &'static str) -> Self {
        Self { name, objects, shader: Shader::wgsl(source).named(name) }
    }
}

impl ComputeFunction for Wgsl {
    fn name(&self) -> Cow<'static, str> {
        self.name.into()
    }

    fn objects(&self) -> Objects {
        self.objects.clone()
    }

    fn calc(&self, _: &mut ComContext) -> Result<()> {
        panic!("{} ran on the host", self.name)
    }

    fn shader(&self) -> Option<Shader> {
        Some(self.shader.clone())
    }
}
