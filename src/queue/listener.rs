//! Watching an iteration from outside: FLIP-176's progress listeners.

use super::context::ComContext;
use crate::Result;

/// Why an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The criterion said so.
    Criterion,
    /// The maximum of rounds was reached.
    MaxIter,
    /// A variable fed back nothing.
    NoFeedback,
    /// The last batch of unbounded data was computed on.
    EndOfData,
    /// The session was interrupted; the round was completed.
    Interrupted,
}

/// Is told of each round on task 0: FLIP-176's `IterationListener`.
///
/// Every method has an empty default. A listener keeps what it needs behind a `Mutex` or a channel, since the queue holds
/// it by shared reference.
pub trait IterationListener: Send + Sync {
    /// A round starts, counted from 1.
    ///
    /// # Errors
    /// Whatever stops the iteration.
    fn on_round_start(&self, round: u32, cx: &ComContext) -> Result<()> {
        let _ = (round, cx);
        Ok(())
    }

    /// A round has ended, its criterion decided.
    ///
    /// # Errors
    /// Whatever stops the iteration.
    fn on_round_end(&self, round: u32, cx: &ComContext) -> Result<()> {
        let _ = (round, cx);
        Ok(())
    }

    /// The iteration has ended after this many rounds.
    ///
    /// # Errors
    /// Whatever makes the result useless.
    fn on_terminated(&self, rounds: u32, stop: Stop, cx: &ComContext) -> Result<()> {
        let _ = (rounds, stop, cx);
        Ok(())
    }
}

impl<L: IterationListener + ?Sized> IterationListener for std::sync::Arc<L> {
    fn on_round_start(&self, round: u32, cx: &ComContext) -> Result<()> {
        (**self).on_round_start(round, cx)
    }

    fn on_round_end(&self, round: u32, cx: &ComContext) -> Result<()> {
        (**self).on_round_end(round, cx)
    }

    fn on_terminated(&self, rounds: u32, stop: Stop, cx: &ComContext) -> Result<()> {
        (**self).on_terminated(rounds, stop, cx)
    }
}
