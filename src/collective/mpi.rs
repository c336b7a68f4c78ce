//! The ranks of an MPI job.

use super::{Collective, Number};
use crate::backend::ReduceOp;
use crate::{Error, Result};
use mpi::collective::SystemOperation;
use mpi::datatype::{Equivalence, Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use mpi::{Count, Threading};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes that one call of MPI moves, whose counts are 32-bit.
const CHUNK: usize = 1 << 30;

/// The processes that `mpirun` or a cluster's launcher has started.
///
/// MPI is initialised once in a process and ends when the last clone of the `Arc` goes. Calls come from any thread, one
/// at a time.
pub struct Mpi {
    universe: Universe,
    /// One call at a time: what `Threading::Serialized` asks of us.
    calls: Mutex<()>,
    on_this_host: (usize, usize),
}

impl Mpi {
    /// Joins the job. A process that was started alone is a job of one rank.
    ///
    /// # Errors
    /// When MPI was initialised before, or lets only the first thread call it.
    pub fn init() -> Result<Arc<Self>> {
        let before = || Error::parameter("mpi", "MPI is already running in this process: call Mpi::init once");
        let (universe, threading) = mpi::initialize_with_threading(Threading::Serialized).ok_or_else(before)?;
        if threading < Threading::Serialized {
            let message =
                format!("this MPI library offers {threading:?} threads and Serialized is needed: build it so");
            return Err(Error::parameter("mpi", message));
        }
        let mut this = Self { universe, calls: Mutex::default(), on_this_host: (0, 1) };
        let host = mpi::environment::processor_name().unwrap_or_default();
        let hosts = this.all_gather(host.as_bytes())?;
        let own = |hosts: &[Vec<u8>]| hosts.iter().filter(|other| **other == host.as_bytes()).count();
        this.on_this_host = (own(hosts.get(..this.rank()).unwrap_or(&[])), own(&hosts));
        Ok(Arc::new(this))
    }

    fn world(&self) -> (SimpleCommunicator, MutexGuard<'_, ()>) {
        (self.universe.world(), self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Integers: whatever way MPI adds them, the result is the same.
    fn reduce_integers<N: Equivalence + Copy>(&self, op: ReduceOp, values: &mut [N]) {
        let op = match op {
            ReduceOp::Sum => SystemOperation::sum(),
            ReduceOp::Max => SystemOperation::max(),
            ReduceOp::Min => SystemOperation::min(),
        };
        let (world, _calls) = self.world();
        for values in values.chunks_mut(CHUNK / size_of::<N>()) {
            let own = values.to_vec();
            world.all_reduce_into(&own[..], values, op);
        }
    }

    /// Floats: each rank merges one run of the elements, in the order of the ranks, and all get all runs. This moves as
    /// much as the best reduction does, and its bits do not depend on the way MPI takes.
    fn reduce_floats(&self, op: ReduceOp, values: &mut [f64]) -> Result<()> {
        let (world, _calls) = self.world();
        let (size, rank) = (self.size(), self.rank());
        let run = |rank: usize, length: usize| length * rank / size..length * (rank + 1) / size;
        for values in values.chunks_mut(CHUNK / size_of::<f64>()) {
            let runs: Vec<Range<usize>> = (0..size).map(|rank| run(rank, values.len())).collect();
            let own = run(rank, values.len()).len();
            let mut parts = vec![0.0; own * size];
            let (counts, at) = (counts(runs.iter().map(Range::len))?, counts(runs.iter().map(|run| run.start))?);
            let (equal, equal_at) = (self.repeated(own)?, counts_of_runs(own, size)?);
            world.all_to_all_varcount_into(
                &Partition::new(&*values, &counts[..], &at[..]),
                &mut PartitionMut::new(&mut parts[..], &equal[..], &equal_at[..]),
            );
            let element = |at: usize| f64::merge(op, (0..size).map(|rank| parts[rank * own + at])).unwrap_or(f64::NAN);
            let merged: Vec<f64> = (0..own).map(element).collect();
            world.all_gather_varcount_into(&merged[..], &mut PartitionMut::new(values, &counts[..], &at[..]));
        }
        Ok(())
    }

    fn repeated(&self, length: usize) -> Result<Vec<Count>> {
        counts(std::iter::repeat_n(length, self.size()))
    }
}

fn counts(lengths: impl Iterator<Item = usize>) -> Result<Vec<Count>> {
    let too_long = |_| Error::parameter("mpi", "a message is longer than MPI can count: this is a bug");
    lengths.map(|length| Count::try_from(length).map_err(too_long)).collect()
}

fn counts_of_runs(length: usize, runs: usize) -> Result<Vec<Count>> {
    counts((0..runs).map(|run| run * length))
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        usize::try_from(self.universe.world().rank()).unwrap_or(0)
    }

    fn size(&self) -> usize {
        usize::try_from(self.universe.world().size()).unwrap_or(1)
    }

    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let size = self.size();
        let (world, _calls) = self.world();
        let mut lengths = vec![0_u64; size];
        world.all_gather_into(&(bytes.len() as u64), &mut lengths[..]);
        let mut all: Vec<Vec<u8>> = lengths.iter().map(|&length| Vec::with_capacity(length as usize)).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0) as usize;
        let step = CHUNK / size;
        for first in (0..longest).step_by(step.max(1)) {
            let piece = |length: usize| first.min(length)..first.saturating_add(step).min(length);
            let pieces: Vec<usize> = lengths.iter().map(|&length| piece(length as usize).len()).collect();
            let starts = pieces.iter().scan(0, |at, length| Some(std::mem::replace(at, *at + length)));
            let (counts_of, starts) = (counts(pieces.iter().copied())?, counts(starts)?);
            let mut received = vec![0_u8; pieces.iter().sum()];
            let own = bytes.get(piece(bytes.len())).unwrap_or(&[]);
            world.all_gather_varcount_into(own, &mut PartitionMut::new(&mut received[..], &counts_of[..], &starts[..]));
            let mut rest = received.as_slice();
            for (all, &length) in all.iter_mut().zip(&pieces) {
                let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                all.extend_from_slice(piece);
                rest = after;
            }
        }
        Ok(all)
    }

    fn all_reduce_i64(&self, op: ReduceOp, values: &mut [i64]) -> Result<()> {
        self.reduce_integers(op, values);
        Ok(())
    }

    fn all_reduce_u64(&self, op: ReduceOp, values: &mut [u64]) -> Result<()> {
        self.reduce_integers(op, values);
        Ok(())
    }

    fn all_reduce_f64(&self, op: ReduceOp, values: &mut [f64]) -> Result<()> {
        self.reduce_floats(op, values)
    }

    fn on_this_host(&self) -> (usize, usize) {
        self.on_this_host
    }

    fn abort(&self, status: i32) {
        self.universe.world().abort(status);
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        // The end of MPI waits for all ranks, and these would wait for one that has panicked.
        if std::thread::panicking() {
            self.abort(1);
        }
    }
}
