//! Merging the parts of a device's tasks one after the other, as its tasks end.

use super::communicate::Reduce;
use super::context::ComContext;
#[cfg(feature = "gpu")]
use super::device::FoldOnDevice;
use super::key::Key;
#[cfg(feature = "gpu")]
use super::object::ObjectType;
use super::object::{Object, Shape};
use super::stream::Folding;
use crate::backend::ReduceOp;
use crate::collective::Number;
use crate::{Error, Result};

/// What the parts so far come to, in a type that rounds and overflows no more than one merge of all of them would.
pub(crate) trait Total<T> {
    /// Merges one more part, which has the shape of the first.
    fn join(&mut self, part: &T);

    /// The merge; `Err` carries the first element whose result does not fit.
    fn finish(self: Box<Self>) -> Result<T, usize>;
}

struct Elements<T: Reduce> {
    op: ReduceOp,
    shape: Shape,
    totals: Vec<<T::Number as Number>::Total>,
}

/// Starts with the first part.
pub(super) fn begin<T: Reduce>(op: ReduceOp, first: &T) -> Option<Box<dyn Total<T>>> {
    let totals = elements(first)?.into_iter().map(Number::total).collect();
    Some(Box::new(Elements::<T> { op, shape: first.shape()?, totals }))
}

fn elements<T: Reduce>(part: &T) -> Option<Vec<T::Number>> {
    part.to_bytes().map(|bytes| bytemuck::allocation::pod_collect_to_vec(&bytes))
}

impl<T: Reduce> Total<T> for Elements<T> {
    fn join(&mut self, part: &T) {
        for (total, more) in self.totals.iter_mut().zip(elements(part).unwrap_or_default()) {
            *total = T::Number::join(self.op, *total, more);
        }
    }

    fn finish(self: Box<Self>) -> Result<T, usize> {
        let values = self.totals.into_iter().enumerate().map(|(at, total)| T::Number::of_total(total).ok_or(at));
        let values = values.collect::<Result<Vec<T::Number>, usize>>()?;
        T::from_bytes(&self.shape, bytemuck::cast_slice(&values)).ok_or(0)
    }
}

type Begin<T> = fn(ReduceOp, &T) -> Option<Box<dyn Total<T>>>;
type Combine<'f, T> = &'f (dyn Fn(&mut T, &T) -> Result<()> + Send + Sync);

enum Way<'f, T> {
    Known(ReduceOp, Begin<T>),
    Custom(Combine<'f, T>),
}

enum State<T> {
    Empty,
    Total(Box<dyn Total<T>>),
    Combined(T),
}

/// The fold of an all-reduce.
pub(super) struct Fold<'f, T> {
    key: Key<T>,
    way: Way<'f, T>,
    state: State<T>,
    /// Shape and number of the task that came first.
    first: Option<(usize, Option<Shape>)>,
    /// Tasks that had put the object, and those that had not.
    with: usize,
    without: Vec<usize>,
    #[cfg(feature = "gpu")]
    device: Option<Box<FoldOnDevice>>,
}

impl<'f, T: Object> Fold<'f, T> {
    pub(super) fn known(key: Key<T>, op: ReduceOp, begin: Begin<T>) -> Self {
        let fold = Self::new(key, Way::Known(op, begin));
        #[cfg(feature = "gpu")]
        let fold = Self { device: Some(Box::new(FoldOnDevice::new(op, ObjectType::of::<T>(), key.name()))), ..fold };
        fold
    }

    pub(super) fn custom(key: Key<T>, combine: Combine<'f, T>) -> Self {
        Self::new(key, Way::Custom(combine))
    }

    fn new(key: Key<T>, way: Way<'f, T>) -> Self {
        Self {
            key,
            way,
            state: State::Empty,
            first: None,
            with: 0,
            without: Vec::new(),
            #[cfg(feature = "gpu")]
            device: None,
        }
    }

    fn item(&self) -> String {
        format!("AllReduce({})", self.key.name())
    }

    fn check(&mut self, task: &ComContext) -> Result<bool> {
        if !task.contains(self.key) {
            self.without.push(task.task_id());
        } else {
            self.with += 1;
        }
        if self.with > 0 && !self.without.is_empty() {
            return Err(absent(&self.item(), self.key.name(), &self.without, task.num_task()));
        }
        if self.with == 0 {
            return Ok(false);
        }
        let shape = task.shape(self.key.name());
        match &self.first {
            None => self.first = Some((task.task_id(), shape.cloned())),
            Some((_, first)) if first.as_ref() == shape => {}
            Some((id, first)) => {
                let (first, other) = ((*id, first.as_ref()), (task.task_id(), shape));
                return Err(unequal(&self.item(), self.key.name(), first, other));
            }
        }
        Ok(true)
    }
}

impl<T: Object> Folding for Fold<'_, T> {
    fn add(&mut self, task: &mut ComContext) -> Result<()> {
        if !self.check(task)? {
            return Ok(());
        }
        #[cfg(feature = "gpu")]
        if let Some(device) = &mut self.device {
            if self.with > 1 || device.takes(task) {
                return device.add(task);
            }
            self.device = None;
        }
        let fresh = task.is_fresh(self.key.name());
        let part = if fresh { task.take(self.key)? } else { task.get(self.key)?.clone() };
        match (&mut self.state, &self.way) {
            (State::Total(total), _) => total.join(&part),
            (State::Combined(all), Way::Custom(combine)) => combine(all, &part)?,
            (_, Way::Known(op, begin)) => {
                let none = || Error::wiring(self.item(), self.key.name(), "it is no array of numbers");
                self.state = State::Total(begin(*op, &part).ok_or_else(none)?);
            }
            (_, Way::Custom(_)) => self.state = State::Combined(part),
        }
        Ok(())
    }

    fn reuse(&mut self, task: &mut ComContext) {
        #[cfg(feature = "gpu")]
        if let Some(device) = &mut self.device {
            device.reuse(task);
        }
        let _ = task;
    }

    fn finish(self: Box<Self>, leader: &mut ComContext) -> Result<bool> {
        #[cfg(feature = "gpu")]
        if let Some(device) = self.device {
            return device.finish(leader);
        }
        let item = self.item();
        let merged = match (self.state, self.way) {
            (State::Empty, _) => return Ok(false),
            (State::Combined(merged), _) => merged,
            (State::Total(total), way) => total.finish().map_err(|at| {
                let op = if let Way::Known(op, _) = way { op } else { ReduceOp::Sum };
                super::communicate::too_large(&item, self.key.name(), op, at, self.with)
            })?,
        };
        leader.put(self.key, merged)?;
        Ok(true)
    }
}

/// The error where some tasks have put an object and others have not.
pub(super) fn absent(item: &str, name: &'static str, without: &[usize], tasks: usize) -> Error {
    let message = format!("tasks {without:?} of {tasks} have not put it: every task must, or none");
    Error::wiring(item, name, message)
}

/// The error where two tasks, given with their numbers, have put objects of different shapes.
pub(super) fn unequal(
    item: &str,
    name: &'static str,
    first: (usize, Option<&Shape>),
    other: (usize, Option<&Shape>),
) -> Error {
    let describe = |shape: Option<&Shape>| shape.map_or("no shape".to_owned(), Shape::to_string);
    let (one, two) = (describe(first.1), describe(other.1));
    let message = format!("task {} put {one} and task {} put {two}: all must have one length", first.0, other.0);
    Error::wiring(item, name, message)
}
