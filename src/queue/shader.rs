//! The WGSL an item may carry.

use super::key::{Key, Rows};
use super::object::Object;
use std::borrow::Cow;

/// WGSL for the computation of an item: one pass, or several that run in order.
///
/// Variables are bound to objects by their names: `points` binds the object `points`, `points_shape` (a uniform
/// `vec2<u32>`) its rows and columns, `superstep` (a uniform of eight `u32`) the round:
///
/// ```wgsl
/// struct Superstep {
///     step_no: u32, task_id: u32, num_task: u32,
///     first_row_low: u32, first_row_high: u32,
///     unused_0: u32, unused_1: u32, unused_2: u32,
/// }
/// @group(0) @binding(0) var<uniform> superstep: Superstep;
/// ```
///
/// Rows are bound as `array<f32>`, or as `array<u32>` where they are words, as those of [`SparseRows`](crate::data::SparseRows) are.
/// Objects of 64-bit integers are bound as pairs of `u32`, low word first. Workgroups are counted in one line; past
/// 65,535 they are folded into a second dimension, so the index of a workgroup is
/// `workgroup_id.x + workgroup_id.y * num_workgroups.x`, and a shader checks it against the shape.
#[derive(Debug, Clone)]
pub struct Shader {
    pub(crate) passes: Vec<Pass>,
    /// What runs where rows are new to a device: before everything else, once for all of them.
    pub(crate) derived: Vec<Pass>,
    /// What runs before the passes, once for all rows.
    pub(crate) first: Vec<Pass>,
    /// The rows of which its passes may take some after others.
    pub(crate) sliced: Option<&'static str>,
    /// Others that compute the same.
    others: Vec<Shader>,
}

/// One kernel of a shader and the number of workgroups it takes.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) name: Cow<'static, str>,
    pub(crate) source: Cow<'static, str>,
    pub(crate) entry: Option<Cow<'static, str>>,
    pub(crate) constants: Vec<(String, f64)>,
    pub(crate) size: Size,
    /// Whether it runs without the checks that WGSL of others needs.
    pub(crate) is_trusted: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Size {
    PerRow(&'static str),
    RowsPerWorkgroup(&'static str, usize),
    PerValue(&'static str),
    PerElement(&'static str),
    Workgroups(u64),
}

impl Shader {
    /// A shader of one pass; one workgroup runs unless one of the methods below says otherwise.
    pub fn wgsl(source: impl Into<Cow<'static, str>>) -> Self {
        let pass = Pass {
            name: Cow::Borrowed("shader"),
            source: source.into(),
            entry: None,
            constants: Vec::new(),
            size: Size::Workgroups(1),
            is_trusted: false,
        };
        Self { passes: vec![pass], derived: Vec::new(), first: Vec::new(), sliced: None, others: Vec::new() }
    }

    /// The name of the last pass in errors and traces: that of its file.
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.last(|pass| pass.name = name.into())
    }

    /// The entry point of the last pass, needed where its source has several.
    #[must_use]
    pub fn entry(self, entry: impl Into<Cow<'static, str>>) -> Self {
        self.last(|pass| pass.entry = Some(entry.into()))
    }

    /// Gives an `override` of the last pass its value.
    #[must_use]
    pub fn constant(self, name: impl Into<String>, value: impl Into<f64>) -> Self {
        self.last(|pass| pass.constants.push((name.into(), value.into())))
    }

    /// Runs the last pass with at least one invocation for each of the task's rows, and so not at all where there are none.
    #[must_use]
    pub fn per_row(self, rows: Key<Rows>) -> Self {
        self.last(|pass| pass.size = Size::PerRow(rows.name()))
    }

    /// Runs the last pass with at least one invocation for each value of the task's rows.
    #[must_use]
    pub fn per_value(self, rows: Key<Rows>) -> Self {
        self.last(|pass| pass.size = Size::PerValue(rows.name()))
    }

    /// Runs the last pass with one workgroup for every `count` of the task's rows.
    #[must_use]
    pub fn rows_per_workgroup(self, rows: Key<Rows>, count: usize) -> Self {
        self.last(|pass| pass.size = Size::RowsPerWorkgroup(rows.name(), count.max(1)))
    }

    /// Runs the last pass with at least one invocation for each element of an object.
    #[must_use]
    pub fn per_element<T: Object>(self, key: Key<T>) -> Self {
        self.last(|pass| pass.size = Size::PerElement(key.name()))
    }

    /// Runs the last pass with this many workgroups, on a task without rows too, as `calc` does.
    #[must_use]
    pub fn workgroups(self, count: u64) -> Self {
        self.last(|pass| pass.size = Size::Workgroups(count))
    }

    /// Says that all passes may run for some rows of the task, then for the next ones, and so on, so that no submission takes
    /// longer than desktops allow: the queue finds out how many rows take about 50 ms.
    ///
    /// A pass then sees partitioned rows, and what has the shape of rows, as if those were all: `rows_shape` has their
    /// number, and of `superstep` the first row is theirs. Everything else it sees whole, and adds to what it finds there.
    #[must_use]
    pub fn in_slices(mut self, rows: Key<Rows>) -> Self {
        self.sliced = Some(rows.name());
        self
    }

    /// Runs the passes of another shader before those of this one: once for all rows, also where this one takes them
    /// [`in_slices`](Self::in_slices), and whichever of several shaders ([`or`](Self::or)) is taken.
    #[must_use]
    pub fn after(mut self, first: Self) -> Self {
        self.derived.extend(first.derived);
        self.first.extend(first.first);
        self.first.extend(first.passes);
        self
    }

    /// Runs the passes of another shader before all others wherever a task's rows have come to a device anew: in the first
    /// round, and for rows that are streamed in every round. They fill [`scratch`](super::Objects::scratch) memory with what
    /// follows from the rows alone, and no other pass writes it.
    #[must_use]
    pub fn derived_by(mut self, from_rows: Self) -> Self {
        self.derived.extend(from_rows.derived);
        self.derived.extend(from_rows.first);
        self.derived.extend(from_rows.passes);
        self
    }

    /// Another way to compute the same, to the same bits. Where rows are taken [`in_slices`](Self::in_slices), the queue tries
    /// both on the first rows of a device and goes on with the faster one.
    #[must_use]
    pub fn or(mut self, mut other: Self) -> Self {
        self.derived.append(&mut other.derived);
        self.first.append(&mut other.first);
        self.others.push(other);
        self
    }

    /// This shader and the others that compute the same.
    pub(crate) fn variants(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// Runs the passes of another shader after those of this one.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.derived.extend(next.derived);
        self.first.extend(next.first);
        self.passes.extend(next.passes);
        self
    }

    /// All passes that run where this variant is taken.
    pub(crate) fn all_passes(&self) -> impl Iterator<Item = &Pass> {
        self.before().chain(&self.passes)
    }

    /// The passes that run before those of any variant.
    pub(crate) fn before(&self) -> impl Iterator<Item = &Pass> {
        self.derived.iter().chain(&self.first)
    }

    /// Runs the last pass without checks of its indices, loops and divisors, and without clearing its workgroup memory: for
    /// WGSL of this crate that needs none of it for any shape that its item declares.
    pub(crate) fn trusted(self) -> Self {
        self.last(|pass| pass.is_trusted = true)
    }

    fn last(mut self, change: impl FnOnce(&mut Pass)) -> Self {
        if let Some(pass) = self.passes.last_mut() {
            change(pass);
        }
        self
    }
}
