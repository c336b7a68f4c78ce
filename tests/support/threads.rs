//! Ranks as threads of one process, to test what several processes do without any.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use superstep::collective::Collective;
use superstep::{Error, Result};

/// Where the ranks meet.
struct Hub {
    size: usize,
    state: Mutex<State>,
    all_came: Condvar,
}

#[derive(Default)]
struct State {
    meeting: u64,
    brought: Vec<(usize, Vec<u8>)>,
    result: Arc<Vec<Vec<u8>>>,
}

/// One of them. Only what a collective must have: the reductions are those the trait provides.
struct Thread {
    rank: usize,
    hub: Arc<Hub>,
}

impl Collective for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.hub.size
    }

    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut state = self.hub.state.lock().expect("no rank panics in here");
        let meeting = state.meeting;
        state.brought.push((self.rank, bytes.to_vec()));
        if state.brought.len() == self.hub.size {
            let mut brought = std::mem::take(&mut state.brought);
            brought.sort_by_key(|(rank, _)| *rank);
            state.result = Arc::new(brought.into_iter().map(|(_, bytes)| bytes).collect());
            state.meeting += 1;
            self.hub.all_came.notify_all();
            return Ok(state.result.to_vec());
        }
        let wait =
            self.hub.all_came.wait_timeout_while(state, Duration::from_secs(60), |state| state.meeting == meeting);
        let (state, waited) = wait.expect("no rank panics in here");
        if waited.timed_out() {
            return Err(Error::parameter("collective", format!("rank {} waits alone", self.rank)));
        }
        Ok(state.result.to_vec())
    }
}

/// Runs `work` on every rank at once and returns what each made of it.
pub(crate) fn on_ranks<T: Send>(size: usize, work: impl Fn(Arc<dyn Collective>) -> T + Sync) -> Vec<T> {
    let hub = Arc::new(Hub { size, state: Mutex::default(), all_came: Condvar::new() });
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..size)
            .map(|rank| {
                let thread = Arc::new(Thread { rank, hub: hub.clone() });
                scope.spawn(move || work(thread))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("the rank did not panic")).collect()
    })
}
