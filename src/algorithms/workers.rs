//! The states of threads that work through blocks of rows.

use crate::Result;
use std::sync::{Mutex, PoisonError};

/// One state for each thread that takes part, however many blocks there are: they are as large as the sums.
pub(super) struct Workers<W>(Mutex<Vec<W>>);

impl<W> Workers<W> {
    pub(super) fn none() -> Self {
        Self(Mutex::default())
    }

    /// Works on a block with a state that is idle, or with a new one.
    pub(super) fn work(&self, new: impl FnOnce() -> Result<W>, block: impl FnOnce(&mut W) -> Result<()>) -> Result<()> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = idle.map_or_else(new, Ok)?;
        block(&mut worker)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        Ok(())
    }

    /// All states, once the work is done.
    pub(super) fn into_all(self) -> Vec<W> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
