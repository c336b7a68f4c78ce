//! Ctrl-C: the first asks for an end after the round, the second is the end.

use super::failure::Failure;
use super::say;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use superstep::Error;

/// The exit status of an interrupted job, as shells know it: 128 + SIGINT.
pub(super) const STATUS: u8 = 130;

/// Whether the user has asked for an end.
#[derive(Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches Ctrl-C (and SIGTERM and SIGHUP) from now on; unless `quiet`, the first is answered with `reply`.
    pub(super) fn catch(quiet: bool, reply: &'static str) -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        let caught = ctrlc::set_handler(move || {
            if set.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(STATUS));
            }
            if !quiet {
                say(&format!("interrupted: {reply}; a second Ctrl-C ends at once"));
            }
        });
        caught.map_err(|error| Error::io("signals", std::io::Error::other(error)))?;
        Ok(Self(flag))
    }

    /// The flag itself, for a session to watch.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    /// Whether Ctrl-C was pressed.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
