//! The memory that a session may keep on the host, and what of it is taken.

use crate::backend::cpu;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much memory the rows, labels and sums of a session's jobs may take on the host: what was set, else four fifths of
/// what the machine has free.
///
/// It is a ledger: who keeps something large reserves it first. Clones share it.
///
/// ```
/// use superstep::Session;
///
/// let session = Session::builder().device("cpu".parse()?).memory(1000).build()?;
/// let labels = session.memory().reserve("labels", 600)?;
/// assert_eq!(session.memory().available(), 400);
/// assert!(session.memory().reserve("labels", 600).is_err());
/// drop(labels);
/// assert_eq!(session.memory().available(), 1000);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Memory(Arc<Ledger>);

#[derive(Debug)]
struct Ledger {
    limit: u64,
    stated: bool,
    taken: AtomicU64,
}

impl Memory {
    /// What was stated, else a fair part of what is free where so many processes of one job share the machine.
    pub(crate) fn new(stated: Option<u64>, neighbours: usize) -> Self {
        let free = || cpu::free_memory().map_or(u64::MAX, |free| free / 5 * 4 / neighbours.max(1) as u64);
        let (limit, stated) = (stated.unwrap_or_else(free), stated.is_some());
        Self(Arc::new(Ledger { limit, stated, taken: AtomicU64::new(0) }))
    }

    /// All of it, in bytes; `u64::MAX` where nothing was set and the system does not tell what is free.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// What is not taken yet, in bytes.
    pub fn available(&self) -> u64 {
        self.0.limit.saturating_sub(self.0.taken.load(Ordering::Relaxed))
    }

    /// Takes `bytes` of it, until the reservation is dropped.
    ///
    /// # Errors
    /// When less is left; `what` says in the message what they are for.
    pub fn reserve(&self, what: &str, bytes: u64) -> Result<Reservation> {
        self.take(bytes).ok_or_else(|| {
            let of = if self.0.stated { "allowed" } else { "free on this machine" };
            let left = self.available();
            let message = format!(
                "{what} take {bytes} bytes, and of the {} {of} {left} are left: allow {} or more",
                self.0.limit,
                self.0.taken.load(Ordering::Relaxed).saturating_add(bytes)
            );
            Error::parameter("memory", message)
        })
    }

    /// Takes as much of `bytes` as there is, in whole pieces of `piece` bytes.
    pub fn reserve_up_to(&self, bytes: u64, piece: u64) -> Reservation {
        loop {
            let fits = self.available().min(bytes) / piece.max(1) * piece;
            // Another thread may have been faster: then there is less to try for.
            if let Some(reservation) = self.take(fits) {
                return reservation;
            }
        }
    }

    fn take(&self, bytes: u64) -> Option<Reservation> {
        let more = |taken: u64| taken.checked_add(bytes).filter(|taken| bytes == 0 || *taken <= self.0.limit);
        let taken = self.0.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Reservation { memory: self.clone(), bytes })
    }
}

/// A part of a session's [`Memory`] that is taken for as long as this lives.
#[derive(Debug)]
pub struct Reservation {
    memory: Memory,
    bytes: u64,
}

impl Reservation {
    /// How much it is, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.0.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
