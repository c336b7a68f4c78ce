//! Merging what several tasks, devices and processes have computed. Knows the devices' element types and nothing of
//! queues.
//!
//! [`Collective`] is what an engine that runs several processes must offer: [`Local`] is this process alone, `Mpi` (feature
//! `mpi`) the ranks of an MPI job. `merge` is what happens on the host with the parts of one process, and `agree` how
//! all ranks come to one verdict, so that a fault on one ends all with its message.

mod agree;
mod local;
mod merge;
#[cfg(feature = "mpi")]
mod mpi;

pub use local::Local;
pub use merge::Number;
pub(crate) use merge::merge;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;

use crate::backend::ReduceOp;
use crate::{Error, Result};

/// What the processes of one job exchange. Every rank must make the same calls in the same order.
///
/// An engine that runs processes stands in by implementing three methods; the reductions then go through
/// [`all_gather`](Self::all_gather), which costs the values of all ranks on each: override them where there is a better
/// way.
pub trait Collective: Send + Sync {
    /// This process's number, from 0.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// What each rank gave, in the order of the ranks, on every rank. Lengths may differ and may be 0.
    ///
    /// # Errors
    /// When the engine fails.
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Replaces each value by its reduction over all ranks. All ranks give equally many; sums must fit an i64.
    ///
    /// # Errors
    /// When the engine fails.
    fn all_reduce_i64(&self, op: ReduceOp, values: &mut [i64]) -> Result<()> {
        reduce_gathered(self, op, values)
    }

    /// As [`all_reduce_i64`](Self::all_reduce_i64), of unsigned integers.
    ///
    /// # Errors
    /// When the engine fails.
    fn all_reduce_u64(&self, op: ReduceOp, values: &mut [u64]) -> Result<()> {
        reduce_gathered(self, op, values)
    }

    /// As [`all_reduce_i64`](Self::all_reduce_i64), of floats: added in the order of the ranks, so that every rank gets the
    /// same bits. What is not a number wins.
    ///
    /// # Errors
    /// When the engine fails.
    fn all_reduce_f64(&self, op: ReduceOp, values: &mut [f64]) -> Result<()> {
        reduce_gathered(self, op, values)
    }

    /// This process's number among those on the same host, and how many these are.
    fn on_this_host(&self) -> (usize, usize) {
        (0, 1)
    }

    /// Ends all other ranks, where the engine can, because this one cannot go on and has not agreed on it with them.
    fn abort(&self, status: i32) {
        let _ = status;
    }
}

fn reduce_gathered<N: Number>(collective: &(impl Collective + ?Sized), op: ReduceOp, values: &mut [N]) -> Result<()> {
    let parts: Vec<Vec<N>> = collective
        .all_gather(bytemuck::cast_slice(values))?
        .iter()
        .map(|bytes| bytemuck::allocation::pod_collect_to_vec(bytes))
        .collect();
    if let Some(rank) = parts.iter().position(|part| part.len() != values.len()) {
        let (own, other) = (values.len(), parts.get(rank).map_or(0, Vec::len));
        let message = format!("rank {rank} gave {other} values to a reduction, rank {} gave {own}", collective.rank());
        return Err(Error::parameter("collective", message));
    }
    let merged = merge(op, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()).map_err(|at| {
        Error::parameter("collective", format!("the {op:?} of element {at} over all ranks does not fit its type"))
    })?;
    values.iter_mut().zip(merged).for_each(|(value, merged)| *value = merged);
    Ok(())
}
