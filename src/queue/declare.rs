//! What an item declares of the objects it touches.

use super::key::{Declared, Key, Keys, Rows, Value};
use super::object::{Object, Shape};

/// The objects an item reads and writes, with the shapes that must hold.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use superstep::queue::{Key, Objects, Rows, ShapeRule};
///
/// const ROWS: Key<Rows> = Key::new("rows");
/// const VECTOR: Key<Array1<f32>> = Key::new("vector");
/// const PRODUCT: Key<Array1<f32>> = Key::new("product");
///
/// let objects = Objects::reads((ROWS, VECTOR)).writes(PRODUCT).shape(PRODUCT, ShapeRule::like(VECTOR));
/// # let _ = objects;
/// ```
///
/// The queue checks all of it before the first round.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    pub(crate) reads: Vec<Declared>,
    pub(crate) writes: Vec<Declared>,
    pub(crate) updates: Vec<Declared>,
    pub(crate) scratch: Vec<Declared>,
    pub(crate) shapes: Vec<(&'static str, ShapeRule)>,
    pub(crate) once_per_device: bool,
    pub(crate) only_when_seen: bool,
}

impl Objects {
    /// No object: an item that only computes for its side effects, or whose objects follow.
    pub fn none() -> Self {
        Self::default()
    }

    /// The objects that the item reads and leaves as they are.
    pub fn reads(keys: impl Keys) -> Self {
        let mut objects = Self::default();
        keys.declare(&mut objects.reads);
        objects
    }

    /// The objects that the item puts anew. On a device they are zero when its WGSL starts.
    #[must_use]
    pub fn writes(mut self, keys: impl Keys) -> Self {
        keys.declare(&mut self.writes);
        self
    }

    /// The objects that the item reads and changes in place. Where nobody provided one, the item's own first `put`
    /// does; on a device it starts as zeros.
    #[must_use]
    pub fn updates(mut self, keys: impl Keys) -> Self {
        keys.declare(&mut self.updates);
        self
    }

    /// Device memory that the item's WGSL uses between its passes; it never reaches the host.
    #[must_use]
    pub fn scratch<T: Object>(mut self, key: Key<T>, shape: ShapeRule) -> Self {
        key_declare(&key, &mut self.scratch);
        self.shapes.push((key.name(), shape));
        self
    }

    /// The shape an object must have. Needed for what WGSL writes, since a device must set the memory aside; checked for
    /// what is read and for what `calc` has put. Of partitioned rows the columns are checked:
    /// `.shape(ROWS, ShapeRule::rows_of_by(ROWS, 3))`.
    #[must_use]
    pub fn shape<T: Value>(mut self, key: Key<T>, shape: ShapeRule) -> Self {
        self.shapes.push((key.name(), shape));
        self
    }

    /// These objects and those of another declaration.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.reads.extend(other.reads);
        self.writes.extend(other.writes);
        self.updates.extend(other.updates);
        self.scratch.extend(other.scratch);
        self.shapes.extend(other.shapes);
        self.once_per_device |= other.once_per_device;
        self.only_when_seen |= other.only_when_seen;
        self
    }

    /// Says that the item computes the same on every task, as what follows an all-reduce does: it then runs once on each
    /// device, and the tasks there share what it wrote.
    #[must_use]
    pub fn once_per_device(mut self) -> Self {
        self.once_per_device = true;
        self
    }

    /// Says that the item has nothing to do in a round that was begun before the one before it was looked at, where a queue
    /// [looks ahead](super::IterativeComQueue::look_ahead): it is left out there.
    #[must_use]
    pub fn only_when_seen(mut self) -> Self {
        self.only_when_seen = true;
        self
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Declared> {
        self.reads.iter().chain(&self.writes).chain(&self.updates).chain(&self.scratch)
    }

    /// The most rows that a slice may have: scratch memory has no room for more.
    pub(crate) fn most_in_slice(&self) -> u64 {
        self.shapes.iter().filter_map(|(_, rule)| rule.most_in_slice()).min().unwrap_or(u64::MAX)
    }

    pub(crate) fn written(&self) -> impl Iterator<Item = &Declared> {
        self.writes.iter().chain(&self.updates)
    }

    pub(crate) fn shape_rule(&self, name: &str) -> Option<&ShapeRule> {
        self.shapes.iter().find(|(of, _)| *of == name).map(|(_, rule)| rule)
    }

    pub(crate) fn names(&self, name: &str) -> bool {
        self.all().any(|declared| declared.name == name)
    }

    /// Whether the item only writes an object, so that what was there before does not matter to it.
    pub(crate) fn puts_anew(&self, name: &str) -> bool {
        let by_name = |declared: &&Declared| declared.name == name;
        self.writes.iter().any(|declared| by_name(&declared))
            && !self.reads.iter().chain(&self.updates).any(|declared| by_name(&declared))
    }

    pub(crate) fn may_write(&self, name: &str) -> bool {
        self.written().any(|declared| declared.name == name)
    }
}

fn key_declare<T: Object>(key: &Key<T>, into: &mut Vec<Declared>) {
    super::key::sealed::Keys::declare(key, into);
}

/// How the shape of an object is known before it exists.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeRule(pub(crate) Rule);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    Fixed(Shape),
    Like(&'static str),
    RowsOf(&'static str, Option<usize>),
    /// Rows, columns, the most rows.
    Slice(&'static str, usize, usize),
}

impl ShapeRule {
    /// These dimensions: `[]` for a scalar, `[n]`, `[rows, columns]`.
    pub fn fixed(dimensions: impl Into<Vec<usize>>) -> Self {
        Self(Rule::Fixed(Shape::new(dimensions)))
    }

    /// The shape that another object has.
    pub fn like<T: Value>(key: Key<T>) -> Self {
        Self(Rule::Like(key.name()))
    }

    /// One element for each of the task's rows.
    pub fn rows_of(key: Key<Rows>) -> Self {
        Self(Rule::RowsOf(key.name(), None))
    }

    /// `columns` elements for each of the task's rows.
    pub fn rows_of_by(key: Key<Rows>, columns: usize) -> Self {
        Self(Rule::RowsOf(key.name(), Some(columns)))
    }

    /// `columns` elements for each of the rows that a shader takes at once, of which there are then at most `most` (rounded up to
    /// 256): for [`scratch`](Objects::scratch) memory between the passes of one that runs [`in_slices`](super::Shader::in_slices).
    /// What was written for a slice is gone in the next.
    pub fn slice_of(key: Key<Rows>, columns: usize, most: usize) -> Self {
        Self(Rule::Slice(key.name(), columns, most.max(1).next_multiple_of(256)))
    }

    /// The most rows of a slice, where the rule is for one.
    pub(crate) fn most_in_slice(&self) -> Option<u64> {
        match self.0 {
            Rule::Slice(_, _, most) => Some(most as u64),
            Rule::Fixed(_) | Rule::Like(_) | Rule::RowsOf(..) => None,
        }
    }
}
