//! What a communication item is, and the most used: the all-reduce.

use super::context::ComContext;
use super::declare::Objects;
use super::fold::{self, Fold, Total};
use super::key::Key;
use super::object::{Hosted, Object, ObjectType};
use super::place::Devices;
use super::ranks::{Ranks, cannot_travel};
use super::stored::Stored;
use super::stream::Folding;
use crate::backend::ReduceOp;
use crate::collective::{self, Number};
use crate::{Error, Result};
use ndarray::{Array1, Array2};

/// What happens between the tasks; every task waits for it.
pub(crate) trait Communicate: Send + Sync {
    fn name(&self) -> String;
    fn objects(&self) -> Objects;

    /// Refuses what cannot travel, for queues of several ranks.
    fn check_travel(&self) -> Result<()>;

    /// Communicates between this rank's tasks and with the other ranks. `verdict` is how the items before it ended here:
    /// where they failed on any rank, all ranks return that.
    fn run(&self, tasks: &mut [ComContext], devices: &Devices, ranks: &Ranks, verdict: Result<()>) -> Result<()>;

    /// A way to merge the tasks of a device as they end, for communications that merge.
    fn fold(&self) -> Option<Box<dyn Folding + '_>> {
        None
    }
}

pub(super) fn check_travel<T: Object>(item: &str, key: Key<T>) -> Result<()> {
    if T::TRAVELS { Ok(()) } else { Err(cannot_travel::<T>(item, key.name())) }
}

/// An object whose elements can be summed, or their extremes taken: numbers, `Vec`s and arrays of them.
pub trait Reduce: Object {
    /// The type of its elements.
    type Number: Number;

    /// Merges the same object of several tasks, element by element, in their order. Elements past the prefix length, or
    /// past the shortest part, are those of the first part.
    ///
    /// # Errors
    /// The index of the first element whose result does not fit the type.
    fn reduce(op: ReduceOp, parts: &[&Self], prefix: Option<usize>) -> Result<Self, usize>;
}

fn reduce_slices<N: Number>(op: ReduceOp, parts: &[&[N]], prefix: Option<usize>) -> Result<Vec<N>, usize> {
    let Some(first) = parts.first() else { return Ok(Vec::new()) };
    let shortest = parts.iter().map(|part| part.len()).min().unwrap_or(0);
    let length = prefix.unwrap_or(usize::MAX).min(shortest);
    let heads: Vec<&[N]> = parts.iter().map(|part| &part[..length]).collect();
    let mut merged = collective::merge(op, &heads)?;
    merged.extend_from_slice(&first[length..]);
    Ok(merged)
}

macro_rules! reductions_of {
    ($($number:ty),+) => {$(
        impl Reduce for $number {
            type Number = $number;

            fn reduce(op: ReduceOp, parts: &[&Self], _: Option<usize>) -> Result<Self, usize> {
                Number::merge(op, parts.iter().map(|part| **part)).ok_or(0)
            }
        }

        impl Reduce for Vec<$number> {
            type Number = $number;

            fn reduce(op: ReduceOp, parts: &[&Self], prefix: Option<usize>) -> Result<Self, usize> {
                reduce_slices(op, &parts.iter().map(|part| part.as_slice()).collect::<Vec<_>>(), prefix)
            }
        }

        impl Reduce for Array1<$number> {
            type Number = $number;

            fn reduce(op: ReduceOp, parts: &[&Self], prefix: Option<usize>) -> Result<Self, usize> {
                let parts: Vec<_> = parts.iter().map(|part| part.as_standard_layout()).collect();
                let slices: Vec<&[$number]> = parts.iter().filter_map(|part| part.as_slice()).collect();
                reduce_slices(op, &slices, prefix).map(Array1::from)
            }
        }

        impl Reduce for Array2<$number> {
            type Number = $number;

            fn reduce(op: ReduceOp, parts: &[&Self], prefix: Option<usize>) -> Result<Self, usize> {
                let shape = parts.first().map_or((0, 0), |part| part.dim());
                let parts: Vec<_> = parts.iter().map(|part| part.as_standard_layout()).collect();
                let slices: Vec<&[$number]> = parts.iter().filter_map(|part| part.as_slice()).collect();
                Array2::from_shape_vec(shape, reduce_slices(op, &slices, prefix)?).map_err(|_| 0)
            }
        }
    )+};
}

reductions_of!(f32, f64, i32, u32, i64, u64);

type Combine<T> = Box<dyn Fn(&mut T, &T) -> Result<()> + Send + Sync>;
type Merge<T> = fn(ReduceOp, &[&T], Option<usize>) -> Result<T, usize>;
type Begin<T> = fn(ReduceOp, &T) -> Option<Box<dyn Total<T>>>;

enum Operation<T> {
    Known(ReduceOp, Merge<T>, Begin<T>),
    Custom(Combine<T>),
}

/// Replaces an object on every task by the merge of all tasks' values: Alink's `AllReduce`.
///
/// Partitions of one device are merged there, devices on the host in f64 (integers exactly). The order is that of the
/// tasks, so the result is the same on every run; lengths that differ are an error. Where no task has put the object,
/// nothing happens. A sum of integers that does not fit is an error on the host; on a device it wraps around.
///
/// ```
/// use ndarray::Array1;
/// use superstep::queue::{AllReduce, Key};
///
/// const GRADIENT: Key<Array1<f64>> = Key::new("gradient");
/// const LONGEST: Key<Vec<f32>> = Key::new("longest");
///
/// let sum = AllReduce::sum(GRADIENT);
/// let heads = AllReduce::max(LONGEST).prefix(2);
/// let merge = AllReduce::by(GRADIENT, |into, from| {
///     into.zip_mut_with(from, |a, b| *a = a.hypot(*b));
///     Ok(())
/// });
/// # let _ = (sum, heads, merge);
/// ```
pub struct AllReduce<T> {
    key: Key<T>,
    operation: Operation<T>,
    prefix: Option<usize>,
}

impl<T: Reduce> AllReduce<T> {
    /// The sum over all tasks.
    pub fn sum(key: Key<T>) -> Self {
        Self { key, operation: Operation::Known(ReduceOp::Sum, T::reduce, fold::begin::<T>), prefix: None }
    }

    /// The largest of all tasks' values, element by element.
    pub fn max(key: Key<T>) -> Self {
        Self { key, operation: Operation::Known(ReduceOp::Max, T::reduce, fold::begin::<T>), prefix: None }
    }

    /// The smallest of all tasks' values, element by element.
    pub fn min(key: Key<T>) -> Self {
        Self { key, operation: Operation::Known(ReduceOp::Min, T::reduce, fold::begin::<T>), prefix: None }
    }

    /// Merges only the first `length` elements, in row-major order; of the rest, every task keeps its own.
    #[must_use]
    pub fn prefix(mut self, length: usize) -> Self {
        self.prefix = Some(length);
        self
    }
}

impl<T: Object> AllReduce<T> {
    /// Merges with an operation of the caller's: `combine(into, from)` is called for tasks 1, 2, … in order, `into`
    /// starting as the value of task 0.
    pub fn by(key: Key<T>, combine: impl Fn(&mut T, &T) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { key, operation: Operation::Custom(Box::new(combine)), prefix: None }
    }

    fn merge(&self, parts: &[&T]) -> Result<Option<T>> {
        match &self.operation {
            Operation::Known(op, merge, _) => merge(*op, parts, self.prefix)
                .map(Some)
                .map_err(|at| too_large(&self.name(), self.key.name(), *op, at, parts.len())),
            Operation::Custom(combine) => {
                let Some((first, rest)) = parts.split_first() else { return Ok(None) };
                let mut merged = (*first).clone();
                rest.iter().try_for_each(|part| combine(&mut merged, part))?;
                Ok(Some(merged))
            }
        }
    }
}

impl<T: Object> Communicate for AllReduce<T> {
    fn name(&self) -> String {
        format!("AllReduce({})", self.key.name())
    }

    fn objects(&self) -> Objects {
        Objects::none().updates(self.key)
    }

    fn fold(&self) -> Option<Box<dyn Folding + '_>> {
        if self.prefix.is_some() {
            return None;
        }
        Some(match &self.operation {
            Operation::Known(op, _, begin) => Box::new(Fold::known(self.key, *op, *begin)),
            Operation::Custom(combine) => Box::new(Fold::custom(self.key, &**combine)),
        })
    }

    fn check_travel(&self) -> Result<()> {
        check_travel(&self.name(), self.key)
    }

    fn run(&self, tasks: &mut [ComContext], devices: &Devices, ranks: &Ranks, verdict: Result<()>) -> Result<()> {
        let name = self.name();
        let leaders = verdict.and_then(|()| self.leaders(tasks, devices));
        if ranks.is_alone() {
            return match leaders?[..] {
                [] => Ok(()),
                [leader] => share_stored(self.key, leader, tasks),
                ref leaders => match self.merge_of(leaders, tasks)? {
                    Some(merged) => self.give(merged, tasks),
                    None => Ok(()),
                },
            };
        }
        let own = leaders.and_then(|leaders| self.merge_of(&leaders, tasks));
        let merged = match (&self.operation, self.prefix) {
            (Operation::Known(op, ..), None) => {
                ranks.reduce(&name, self.key.name(), *op, own, |parts| self.merge(parts))?
            }
            _ => match ranks.gather(&name, self.key.name(), own)? {
                Some(parts) => self.merge(&parts.iter().collect::<Vec<_>>())?,
                None => None,
            },
        };
        merged.map_or(Ok(()), |merged| self.give(merged, tasks))
    }
}

impl<T: Object> AllReduce<T> {
    /// The tasks whose values are left to merge once devices have merged what they can; none where no task has put one.
    fn leaders(&self, tasks: &mut [ComContext], devices: &Devices) -> Result<Vec<usize>> {
        let name = self.name();
        let parts: Vec<usize> = (0..tasks.len()).filter(|&id| !tasks[id].is_folded).collect();
        if !present_everywhere(&name, self.key, tasks, &parts)? {
            return Ok(Vec::new());
        }
        same_shapes(&name, self.key.name(), tasks, &parts)?;
        let leaders = match (&self.operation, self.prefix) {
            (Operation::Known(op, ..), None) => {
                devices.merge_within(*op, ObjectType::of::<T>(), self.key.name(), tasks, parts)?
            }
            _ => parts,
        };
        tasks.iter_mut().for_each(|task| task.is_folded = false);
        Ok(leaders)
    }

    fn merge_of(&self, leaders: &[usize], tasks: &[ComContext]) -> Result<Option<T>> {
        let parts = leaders.iter().map(|&leader| tasks[leader].get(self.key)).collect::<Result<Vec<&T>>>()?;
        if parts.is_empty() { Ok(None) } else { self.merge(&parts) }
    }

    /// Gives all tasks the merged value; with a prefix its head, each keeping its own tail.
    fn give(&self, merged: T, tasks: &mut [ComContext]) -> Result<()> {
        let Some(length) = self.prefix else { return share(self.key, merged, tasks) };
        let changed = || Error::wiring(self.name(), self.key.name(), "the merge is not of the shape of its parts");
        for task in tasks {
            let own = with_head(task.get(self.key)?, &merged, length).ok_or_else(changed)?;
            task.put(self.key, own)?;
        }
        Ok(())
    }
}

/// A copy of `own` whose first `length` elements are those of `merged`; `None` where their shapes differ.
fn with_head<T: Object>(own: &T, merged: &T, length: usize) -> Option<T> {
    let (shape, size) = (own.shape()?, T::ELEMENT?.size());
    let (head, tail) = (merged.to_bytes()?, own.to_bytes()?);
    let at = length.saturating_mul(size).min(tail.len());
    T::from_bytes(&shape, &[head.get(..at)?, tail.get(at..)?].concat())
}

pub(super) fn every(tasks: &[ComContext]) -> Vec<usize> {
    (0..tasks.len()).collect()
}

/// Whether all of these tasks have the object (true) or none has (false).
pub(super) fn present_everywhere<T: Object>(
    item: &str,
    key: Key<T>,
    tasks: &[ComContext],
    of: &[usize],
) -> Result<bool> {
    let without: Vec<usize> = of.iter().copied().filter(|&id| !tasks[id].contains(key)).collect();
    if without.is_empty() || without.len() == of.len() {
        return Ok(without.is_empty());
    }
    Err(fold::absent(item, key.name(), &without, tasks.len()))
}

pub(super) fn same_shapes(item: &str, name: &'static str, tasks: &[ComContext], of: &[usize]) -> Result<()> {
    let Some(first) = of.first() else { return Ok(()) };
    let shape = |id: &usize| tasks[*id].shape(name);
    match of.iter().find(|id| shape(id) != shape(first)) {
        None => Ok(()),
        Some(id) => Err(fold::unequal(item, name, (*first, shape(first)), (*id, shape(id)))),
    }
}

pub(super) fn too_large(item: &str, name: &'static str, op: ReduceOp, element: usize, tasks: usize) -> Error {
    let message = format!("the {op:?} of element {element} over {tasks} tasks does not fit its type");
    Error::wiring(item, name, message)
}

/// Gives all tasks what one of them holds, on the host or on their common device.
fn share_stored<T: Object>(key: Key<T>, leader: usize, tasks: &mut [ComContext]) -> Result<()> {
    if tasks.len() == 1 {
        return Ok(());
    }
    let Some(stored) = tasks[leader].stored(key.name()).cloned() else { return Ok(()) };
    for (_, task) in tasks.iter_mut().enumerate().filter(|(id, _)| *id != leader) {
        task.put_stored(key.name(), ObjectType::of::<T>(), key.lifetime(), stored.clone())?;
    }
    Ok(())
}

/// Puts one value into all tasks' contexts; it is held once.
pub(super) fn share<T: Object>(key: Key<T>, value: T, tasks: &mut [ComContext]) -> Result<()> {
    let shape = value.shape();
    let hosted = Hosted::new(Box::new(value));
    for task in tasks {
        let stored = Stored::on_host(hosted.clone(), shape.clone());
        task.put_stored(key.name(), ObjectType::of::<T>(), key.lifetime(), stored)?;
    }
    Ok(())
}
