//! How many rows a device takes at once, so that no submission runs long enough for a desktop to think that it hangs.

use crate::Result;
use crate::backend::gpu::{GpuDevice, View};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A submission is to take about so long: well below what any desktop allows (2 s on Windows), and short enough that a
/// screen stays smooth. Beyond `LONG` the next is made shorter at once.
const AIM: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_millis(80);

/// The rows that are tried first; compiling what the driver has left for the first run counts as theirs.
pub(super) const FIRST: u64 = 4096;

/// A slice is at most so many times the one before it, as a larger one was never tried.
const STEP: f64 = 4.0;

/// So many slices in a row must have taken about as long as they should: one may have waited for something else.
const SURE: u32 = 2;

/// The rows that an item takes at once on a device, as far as it is known.
#[derive(Default)]
pub(crate) struct Pace {
    /// 0 before the first run.
    rows: AtomicU64,
    /// How many slices in a row have taken about as long as they should: of `SURE` nothing is waited for any more.
    fitting: AtomicU32,
}

impl Pace {
    /// Runs `record(first, rows)` for slices of at most `most` rows that together are the rows from `first` on of `all`, in their
    /// order. What fits in one slice is left for the superstep's own submission; more are submitted one by one.
    pub(crate) fn run(
        &self,
        first: u64,
        all: u64,
        most: u64,
        gpu: &GpuDevice,
        mut record: impl FnMut(u64, u64) -> Result<()>,
    ) -> Result<()> {
        let mut first = first;
        if first >= all && all > 0 {
            return Ok(());
        }
        if all - first <= self.rows.load(Ordering::Relaxed).max(FIRST).min(most) {
            return record(first, all - first);
        }
        // What was recorded before is not to be measured with the first slice.
        gpu.submit()?;
        while first < all {
            let known = self.rows.load(Ordering::Relaxed);
            let rows = known.max(FIRST).min(most).min(all - first);
            let is_settled = self.is_settled();
            if !is_settled {
                gpu.wait()?;
            }
            let clock = Instant::now();
            record(first, rows)?;
            gpu.submit()?;
            if !is_settled {
                gpu.wait()?;
                self.learn(known.min(most), rows, clock.elapsed());
                if self.rows.load(Ordering::Relaxed) >= most {
                    // More are never taken, however short that is.
                    self.fitting.store(SURE, Ordering::Relaxed);
                }
            }
            first += rows;
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.fitting.load(Ordering::Relaxed) >= SURE
    }

    /// From how long some rows took. Of the very first nothing is learned but that they ran.
    fn learn(&self, known: u64, rows: u64, time: Duration) {
        let factor = AIM.as_secs_f64() / time.as_secs_f64().max(1e-9);
        let next = if known == 0 && time < LONG { 1.0 } else { factor.min(STEP) };
        let next = (rows as f64 * next) as u64 / View::ALIGNMENT * View::ALIGNMENT;
        // The rest of a task, shorter than what is known, says little of what more would take.
        if rows >= known || time > LONG {
            self.rows.store(next.clamp(View::ALIGNMENT, u64::MAX / 2), Ordering::Relaxed);
            let fits = (1.0..2.0).contains(&factor) && known > 0;
            let fitting = if fits { self.fitting.load(Ordering::Relaxed) + 1 } else { 0 };
            self.fitting.store(fitting, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_to_what_takes_the_time_aimed_at_and_stay() {
        let pace = Pace::default();
        // A device that takes 10 µs a row, and half a second to begin.
        let time = |rows: u64| Duration::from_micros(10 * rows);
        pace.learn(0, FIRST, Duration::from_millis(500));
        let mut seen = vec![pace.rows.load(Ordering::Relaxed)];
        while !pace.is_settled() {
            let rows = *seen.last().unwrap();
            pace.learn(rows, rows, time(rows));
            seen.push(pace.rows.load(Ordering::Relaxed));
            assert!(seen.len() < 20, "{seen:?}");
        }
        let last = *seen.last().unwrap();
        assert!((4000..=5000).contains(&last), "about 50 ms: {seen:?}");
        assert!(seen.iter().all(|rows| rows.is_multiple_of(View::ALIGNMENT)), "{seen:?}");
    }

    #[test]
    fn one_slice_that_had_to_wait_settles_nothing() {
        let pace = Pace::default();
        pace.learn(0, FIRST, Duration::from_micros(100));
        let rows = pace.rows.load(Ordering::Relaxed);
        pace.learn(rows, rows, Duration::from_millis(30));
        assert!(!pace.is_settled());
        for _ in 0..8 {
            let rows = pace.rows.load(Ordering::Relaxed);
            pace.learn(rows, rows, Duration::from_nanos(20 * rows));
        }
        assert!(pace.rows.load(Ordering::Relaxed) > 1_000_000, "what it is worth in the end");
    }

    #[test]
    fn a_fast_device_takes_all_at_once_in_the_end() {
        let pace = Pace::default();
        let mut rows = FIRST;
        pace.learn(0, rows, Duration::from_micros(100));
        for _ in 0..12 {
            let known = pace.rows.load(Ordering::Relaxed);
            rows = known;
            pace.learn(known, rows, Duration::from_nanos(rows));
        }
        assert!(pace.rows.load(Ordering::Relaxed) >= 40_000_000);
    }
}
