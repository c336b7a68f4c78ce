//! Between the processes of a job: what the communication items and the loop exchange, and how long that takes.
//!
//! Everything that one rank decides or may fail at is exchanged before any rank acts on it: an error on one rank ends all
//! at the next communication, with that rank's message.

use super::object::{Object, Shape};
use crate::backend::{Element, ReduceOp};
use crate::collective::Collective;
use crate::data::wire::{Word, read_list, write_list};
use crate::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The ranks of a running queue, seen from one of them.
pub(crate) struct Ranks {
    collective: Arc<dyn Collective>,
    /// The number of this rank's first task, and how many all ranks have.
    pub(crate) first_task: usize,
    pub(crate) num_task: usize,
    spent: Mutex<Duration>,
}

/// What a rank says at the end of a round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vote {
    /// Whether the criterion says stop.
    pub(crate) met: bool,
    /// Whether the session was interrupted.
    pub(crate) interrupted: bool,
    /// Whether a checkpoint is due, which rank 0 says.
    pub(crate) due: bool,
    /// For each variable that is fed back, whether a task has something of it.
    pub(crate) fed: Vec<bool>,
}

impl Ranks {
    /// Tells the others how many tasks this rank has, or why it is not ready: the wiring is agreed on here.
    pub(crate) fn join<S>(collective: &Arc<dyn Collective>, ready: Result<(S, usize)>) -> Result<(S, Self)> {
        let (ready, count) = match ready {
            Ok((ready, count)) => (Some(ready), Ok((count as u64).to_le_bytes().to_vec())),
            Err(error) => (None, Err(error)),
        };
        let counts = collective.exchange(count)?;
        let counts = counts.iter().map(|bytes| u64::read(&mut bytes.as_slice()).map(|count| count as usize));
        let counts: Vec<usize> = counts.collect::<Option<_>>().ok_or_else(|| garbled("(queue)", "tasks"))?;
        let first_task = counts.iter().take(collective.rank()).sum();
        let spent = Mutex::default();
        let ranks = Self { collective: collective.clone(), first_task, num_task: counts.iter().sum(), spent };
        ready.map(|ready| (ready, ranks)).ok_or_else(|| garbled("(queue)", "tasks"))
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.collective.size() == 1
    }

    /// Whether task 0, where things are decided and told, is one of this rank's.
    pub(crate) fn has_first_task(&self) -> bool {
        self.collective.rank() == 0
    }

    /// The time spent in exchanges since this was last asked.
    pub(crate) fn take_spent(&self) -> Duration {
        std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn timed<T>(&self, exchange: impl FnOnce(&dyn Collective) -> T) -> T {
        let clock = Instant::now();
        let result = exchange(&*self.collective);
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += clock.elapsed();
        result
    }

    pub(crate) fn exchange(&self, part: Result<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        self.timed(|collective| collective.exchange(part))
    }

    pub(crate) fn agree<T>(&self, verdict: Result<T>) -> Result<T> {
        if self.is_alone() {
            return verdict;
        }
        self.timed(|collective| collective.agree(verdict))
    }

    /// What all ranks come to: rank 0 says whether the criterion is met, any rank that it was interrupted or feeds back.
    pub(crate) fn decide(&self, own: Result<Vote>) -> Result<Vote> {
        if self.is_alone() {
            return own;
        }
        let count = own.as_ref().map_or(0, |vote| vote.fed.len());
        let words = own.map(|vote| {
            let first = [vote.met, vote.due, vote.interrupted];
            first.into_iter().chain(vote.fed).map(u8::from).collect()
        });
        let words: Vec<Vec<u8>> = self.exchange(words)?;
        let says = |bytes: &Vec<u8>, at: usize| bytes.get(at) == Some(&1);
        let any = |at: usize| words.iter().any(|bytes| says(bytes, at));
        let rank_0 = |at: usize| words.first().is_some_and(|first| says(first, at));
        let fed = (0..count).map(|at| any(3 + at)).collect();
        Ok(Vote { met: rank_0(0), due: rank_0(1), interrupted: any(2), fed })
    }

    /// The objects of all ranks in their order; `None` where no rank has one.
    pub(crate) fn gather<T: Object>(&self, item: &str, name: &str, own: Result<Option<T>>) -> Result<Option<Vec<T>>> {
        let encoded = own.and_then(|own| match own {
            // A first byte tells an object of no bytes from none.
            Some(own) => {
                own.encode().map(|bytes| [vec![1], bytes].concat()).ok_or_else(|| cannot_travel::<T>(item, name))
            }
            None => Ok(Vec::new()),
        });
        let parts = self.exchange(encoded)?;
        if !all_or_none(item, name, parts.iter().map(|part| !part.is_empty()))? {
            return Ok(None);
        }
        let decoded = parts.iter().map(|part| part.get(1..).and_then(T::decode).ok_or_else(|| garbled(item, name)));
        decoded.collect::<Result<_>>().map(Some)
    }

    /// One object for all ranks, merged of theirs: by the collective's own reduction where it is an array of numbers, else
    /// by `merge` of all, in the order of the ranks.
    pub(crate) fn reduce<T: Object>(
        &self,
        item: &str,
        name: &str,
        op: ReduceOp,
        own: Result<Option<T>>,
        merge: impl Fn(&[&T]) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let (own, note) = match own {
            Ok(own) => {
                let note = own.as_ref().map_or_else(Vec::new, note);
                (own, Ok(note))
            }
            Err(error) => (None, Err(error)),
        };
        let notes = self.exchange(note)?;
        if !all_or_none(item, name, notes.iter().map(|note| !note.is_empty()))? {
            return Ok(None);
        }
        let notes: Option<Vec<(Vec<u64>, u64)>> = notes.iter().map(|note| read_note(note)).collect();
        let notes = notes.ok_or_else(|| garbled(item, name))?;
        same_shapes(item, name, &notes)?;
        let Some(own) = own else { return Ok(None) };
        // Sums of 64-bit integers that may not fit are merged in 128 bits, which notices.
        let largest = notes.iter().map(|(_, largest)| u128::from(*largest)).sum::<u128>();
        if T::ELEMENT.is_some() && (op != ReduceOp::Sum || largest <= i64::MAX as u128) {
            let message = format!("the {op:?} of an element over all ranks does not fit its type");
            let unfit = || Error::wiring(item, name, message);
            return self.reduce_numbers(op, &own)?.ok_or_else(unfit).map(Some);
        }
        let parts = self.gather(item, name, Ok(Some(own)))?.unwrap_or_default();
        merge(&parts.iter().collect::<Vec<_>>())
    }

    /// `None` where the object is no array or a result does not fit its type.
    fn reduce_numbers<T: Object>(&self, op: ReduceOp, own: &T) -> Result<Option<T>> {
        let (Some(element), Some(shape), Some(bytes)) = (T::ELEMENT, own.shape(), own.to_bytes()) else {
            return Ok(None);
        };
        let merged = self.timed(|collective| reduce_elements(collective, op, element, &bytes))?;
        Ok(merged.and_then(|bytes| T::from_bytes(&shape, &bytes)))
    }
}

/// What a rank says of its object before it is reduced: its dimensions, and the largest absolute value of 64-bit integers.
fn note<T: Object>(own: &T) -> Vec<u8> {
    let dimensions: Vec<u64> =
        own.shape().iter().flat_map(|shape| shape.dimensions().to_vec()).map(|d| d as u64).collect();
    let bytes = own.to_bytes().unwrap_or_default();
    let largest = match T::ELEMENT {
        Some(Element::I64) => elements::<i64>(&bytes).iter().map(|value| value.unsigned_abs()).max(),
        Some(Element::U64) => elements::<u64>(&bytes).into_iter().max(),
        // Of 32 bits: sums of more parts than there can be ranks do not fit, and are noticed when they are narrowed.
        Some(_) => Some(0),
        None => None,
    };
    let mut to = Vec::new();
    write_list(&dimensions, &mut to);
    largest.unwrap_or(0).write(&mut to);
    to
}

fn read_note(mut note: &[u8]) -> Option<(Vec<u64>, u64)> {
    Some((read_list(&mut note)?, u64::read(&mut note)?))
}

fn elements<N: bytemuck::Pod>(bytes: &[u8]) -> Vec<N> {
    bytemuck::allocation::pod_collect_to_vec(bytes)
}

/// The elements in their wide type, reduced over all ranks and narrowed again; `None` where one does not fit.
fn reduce_elements(
    collective: &dyn Collective,
    op: ReduceOp,
    element: Element,
    bytes: &[u8],
) -> Result<Option<Vec<u8>>> {
    fn narrow<W: Copy, N: bytemuck::Pod>(wide: &[W], to: impl Fn(W) -> Option<N>) -> Option<Vec<u8>> {
        let narrow: Vec<N> = wide.iter().map(|&value| to(value)).collect::<Option<_>>()?;
        Some(bytemuck::cast_slice(&narrow).to_vec())
    }
    let integers = |mut wide: Vec<i64>| collective.all_reduce_i64(op, &mut wide).map(|()| wide);
    let floats = |mut wide: Vec<f64>| collective.all_reduce_f64(op, &mut wide).map(|()| wide);
    Ok(match element {
        Element::F32 => {
            let wide = floats(elements::<f32>(bytes).into_iter().map(f64::from).collect())?;
            narrow(&wide, |value| Some(value as f32))
        }
        Element::F64 => narrow(&floats(elements(bytes))?, Some),
        Element::I32 => {
            let wide = integers(elements::<i32>(bytes).into_iter().map(i64::from).collect())?;
            narrow(&wide, |value| i32::try_from(value).ok())
        }
        Element::U32 => {
            let wide = integers(elements::<u32>(bytes).into_iter().map(i64::from).collect())?;
            narrow(&wide, |value| u32::try_from(value).ok())
        }
        Element::I64 => narrow(&integers(elements(bytes))?, Some),
        Element::U64 => {
            let mut wide = elements::<u64>(bytes);
            collective.all_reduce_u64(op, &mut wide)?;
            narrow(&wide, Some)
        }
    })
}

/// Whether all ranks have the object (true) or none has (false).
fn all_or_none(item: &str, name: &str, present: impl Iterator<Item = bool>) -> Result<bool> {
    let present: Vec<bool> = present.collect();
    let without: Vec<usize> = (0..present.len()).filter(|&rank| !present[rank]).collect();
    if without.is_empty() || without.len() == present.len() {
        return Ok(without.is_empty());
    }
    let message =
        format!("the tasks of ranks {without:?} of {} have not put it: every task must, or none", present.len());
    Err(Error::wiring(item, name, message))
}

fn same_shapes(item: &str, name: &str, notes: &[(Vec<u64>, u64)]) -> Result<()> {
    let first = notes.first().map(|(shape, _)| shape);
    let Some(rank) = notes.iter().position(|(shape, _)| Some(shape) != first) else { return Ok(()) };
    let describe = |rank: usize| {
        let dimensions = notes.get(rank).map(|(shape, _)| shape.iter().map(|&d| d as usize).collect::<Vec<_>>());
        Shape::new(dimensions.unwrap_or_default()).to_string()
    };
    let message =
        format!("rank 0 put {} and rank {rank} put {}: all must have one length", describe(0), describe(rank));
    Err(Error::wiring(item, name, message))
}

/// Why a queue of several ranks cannot run: an object of the host that says nothing of how it travels.
pub(crate) fn cannot_travel<T: Object>(item: &str, name: &str) -> Error {
    let of = std::any::type_name::<T>();
    let message = format!(
        "a {of} cannot travel between the ranks: implement `Object::encode` and `decode` for it and set `TRAVELS`"
    );
    Error::wiring(item, name, message)
}

fn garbled(item: &str, name: &str) -> Error {
    Error::wiring(item, name, "what another rank sent does not read as such an object: do all run one program?")
}
