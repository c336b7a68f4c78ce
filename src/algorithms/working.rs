//! What every fit needs around its work: devices, room for what it holds, and the times of its items where they are asked for.

use crate::Result;
use crate::queue::{ItemTime, Reservation, Session};

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

/// Does the work, and says what its items took where that is asked for.
pub(super) fn profiled<T>(
    session: &Session,
    is_asked: bool,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<ItemTime>)> {
    if is_asked { session.profiled(work) } else { Ok((work()?, Vec::new())) }
}

/// Does the work, and once more where it has failed and a device was lost: queues then begin with others. Where there are several ranks,
/// these would not know of it.
pub(super) fn again_after_loss<T>(session: &Session, work: impl Fn() -> Result<T>) -> Result<T> {
    let before = session.losses();
    match work() {
        Err(_) if session.losses() > before && session.collective().size() == 1 => work(),
        done => done,
    }
}
