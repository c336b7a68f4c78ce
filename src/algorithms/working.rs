//! What every fit needs before its work: devices, and room for what it holds.

use crate::Result;
use crate::queue::{Reservation, Session};

/// The session that was given, or all of this machine.
pub(super) fn opened(given: Option<&Session>) -> Result<Session> {
    given.cloned().map_or_else(Session::auto, Ok)
}

/// Room on every rank for what sources hold of rows, and for so many bytes of something of the algorithm's own. All ranks call
/// this together.
pub(super) fn reserve(session: &Session, held: u64, what: &str, bytes: u64) -> Result<(Reservation, Reservation)> {
    let memory = session.memory();
    let both = memory.reserve("parsed rows", held).and_then(|parsed| Ok((parsed, memory.reserve(what, bytes)?)));
    session.collective().agree(both)
}
