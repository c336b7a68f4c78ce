//! The other communication items: broadcast, gather and reduce-scatter.

use super::communicate::{Communicate, Reduce, check_travel, every, present_everywhere, same_shapes, share};
use super::context::ComContext;
use super::declare::Objects;
use super::key::Key;
use super::object::Object;
use super::place::Devices;
use super::ranks::{Ranks, cannot_travel};
use crate::backend::ReduceOp;
use crate::collective::Number;
use crate::data::wire::{read_list, write_list};
use crate::{Error, Result};

/// Gives every task the object that one task has: Alink's `Bcast`. Where no task has put the object, nothing happens.
pub struct Bcast<T> {
    key: Key<T>,
    root: usize,
}

impl<T: Object> Bcast<T> {
    /// Broadcasts the object of task `root`.
    pub fn from_task(root: usize, key: Key<T>) -> Self {
        Self { key, root }
    }
}

impl<T: Object> Communicate for Bcast<T> {
    fn name(&self) -> String {
        format!("Bcast({})", self.key.name())
    }

    fn objects(&self) -> Objects {
        Objects::none().updates(self.key)
    }

    fn check_travel(&self) -> Result<()> {
        check_travel(&self.name(), self.key)
    }

    fn run(&self, tasks: &mut [ComContext], _: &Devices, ranks: &Ranks, verdict: Result<()>) -> Result<()> {
        let fail = |message: String| Err(Error::wiring(self.name(), self.key.name(), message));
        let root = self.root.checked_sub(ranks.first_task).and_then(|root| tasks.get(root));
        let value = verdict.and_then(|()| match root {
            Some(root) if root.contains(self.key) => root.get(self.key).cloned().map(Some),
            _ => Ok(None),
        });
        let anywhere = tasks.iter().any(|task| task.contains(self.key));
        let (anywhere, value) =
            if ranks.is_alone() { (anywhere, value?) } else { self.across(anywhere, value, ranks)? };
        match value {
            Some(value) => share(self.key, value, tasks),
            None if self.root >= ranks.num_task => {
                fail(format!("there is no task {}: {} tasks run", self.root, ranks.num_task))
            }
            None if anywhere => {
                fail(format!("task {} has not put it, and it is the one whose value goes to all", self.root))
            }
            None => Ok(()),
        }
    }
}

impl<T: Object> Bcast<T> {
    /// Whether any rank has the object, and the value of the root.
    fn across(&self, anywhere: bool, value: Result<Option<T>>, ranks: &Ranks) -> Result<(bool, Option<T>)> {
        let (name, key) = (self.name(), self.key.name());
        let encoded = value.and_then(|value| {
            let encoded =
                value.map(|value| value.encode().ok_or_else(|| cannot_travel::<T>(&name, key))).transpose()?;
            Ok([vec![u8::from(anywhere), u8::from(encoded.is_some())], encoded.unwrap_or_default()].concat())
        });
        let parts = ranks.exchange(encoded)?;
        let anywhere = parts.iter().any(|part| part.first() == Some(&1));
        let value = parts.iter().find_map(|part| part.strip_prefix(&[1, 1]));
        let garbled = || Error::wiring(&*name, key, "what its rank sent does not read as such an object");
        let value = value.map(|value| T::decode(value).ok_or_else(garbled)).transpose()?;
        Ok((anywhere, value))
    }
}

/// Collects an object of all tasks, in their order, on every task: Alink's `Gather`.
pub struct Gather<T> {
    from: Key<T>,
    into: Key<Gathered<T>>,
}

/// What [`Gather`] collected: one value for each task.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered<T>(pub Vec<T>);

impl<T: Object> Object for Gathered<T> {
    const TRAVELS: bool = T::TRAVELS;

    fn encode(&self) -> Option<Vec<u8>> {
        let mut to = Vec::new();
        for value in &self.0 {
            write_list(&value.encode()?, &mut to);
        }
        Some(to)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            values.push(T::decode(&read_list::<u8>(&mut bytes)?)?);
        }
        Some(Self(values))
    }
}

impl<T: Object> Gather<T> {
    /// Collects the objects `from` in one object `into`.
    pub fn new(from: Key<T>, into: Key<Gathered<T>>) -> Self {
        Self { from, into }
    }
}

impl<T: Object> Communicate for Gather<T> {
    fn name(&self) -> String {
        format!("Gather({})", self.from.name())
    }

    fn objects(&self) -> Objects {
        Objects::reads(self.from).writes(self.into)
    }

    fn check_travel(&self) -> Result<()> {
        check_travel(&self.name(), self.from)
    }

    fn run(&self, tasks: &mut [ComContext], _: &Devices, ranks: &Ranks, verdict: Result<()>) -> Result<()> {
        let name = self.name();
        let own = verdict.and_then(|()| {
            if !present_everywhere(&name, self.from, tasks, &every(tasks))? {
                return Ok(None);
            }
            let values = tasks.iter().map(|task| task.get(self.from).cloned()).collect::<Result<Vec<T>>>()?;
            Ok(Some(Gathered(values)))
        });
        let all =
            if ranks.is_alone() { own?.map(|own| vec![own]) } else { ranks.gather(&name, self.from.name(), own)? };
        let Some(all) = all else { return Ok(()) };
        share(self.into, Gathered(all.into_iter().flat_map(|part| part.0).collect()), tasks)
    }
}

/// Sums a vector over all tasks and leaves each task its own part of the sum: Alink's `ReduceScatter`.
///
/// Of m elements and T tasks, task t keeps those from ⌊t·m/T⌋ to ⌊(t+1)·m/T⌋.
pub struct ReduceScatter<N> {
    key: Key<Vec<N>>,
    op: ReduceOp,
}

impl<N> ReduceScatter<N>
where
    N: Number,
    Vec<N>: Reduce,
{
    /// The sum, scattered.
    pub fn sum(key: Key<Vec<N>>) -> Self {
        Self { key, op: ReduceOp::Sum }
    }
}

impl<N> Communicate for ReduceScatter<N>
where
    N: Number,
    Vec<N>: Reduce,
{
    fn name(&self) -> String {
        format!("ReduceScatter({})", self.key.name())
    }

    fn objects(&self) -> Objects {
        Objects::reads(self.key).writes(self.key)
    }

    fn check_travel(&self) -> Result<()> {
        check_travel(&self.name(), self.key)
    }

    fn run(&self, tasks: &mut [ComContext], _: &Devices, ranks: &Ranks, verdict: Result<()>) -> Result<()> {
        let own = verdict.and_then(|()| {
            if !present_everywhere(&self.name(), self.key, tasks, &every(tasks))? {
                return Ok(None);
            }
            same_shapes(&self.name(), self.key.name(), tasks, &every(tasks))?;
            let parts = tasks.iter().map(|task| task.get(self.key)).collect::<Result<Vec<&Vec<N>>>>()?;
            self.merge(&parts).map(Some)
        });
        let merged = if ranks.is_alone() {
            own?
        } else {
            ranks.reduce(&self.name(), self.key.name(), self.op, own, |parts| self.merge(parts).map(Some))?
        };
        let (Some(merged), count) = (merged, ranks.num_task) else { return Ok(()) };
        for task in tasks {
            let id = task.task_id();
            let part = merged[id * merged.len() / count..(id + 1) * merged.len() / count].to_vec();
            task.put(self.key, part)?;
        }
        Ok(())
    }
}

impl<N> ReduceScatter<N>
where
    N: Number,
    Vec<N>: Reduce,
{
    fn merge(&self, parts: &[&Vec<N>]) -> Result<Vec<N>> {
        Vec::reduce(self.op, parts, None).map_err(|at| {
            Error::wiring(self.name(), self.key.name(), format!("the sum of element {at} does not fit its type"))
        })
    }
}
