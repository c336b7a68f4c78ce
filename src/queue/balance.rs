//! Sharing out the rows anew between rounds, when a device proves slower than it was taken for.
//!
//! How long each device was busy with a round says how fast it is on the rows that it has, and so what a round would take if all
//! ended at once. Bringing rows to other devices costs about what it cost to bring them the first time. Nobody knows how many
//! rounds are to come; so rows move once the rounds have lost as much as moving costs, and the time lost is never more than
//! twice what it would be had one known (A. Karlin, M. Manasse, L. Rudolph and D. Sleator, "Competitive snoopy caching",
//! Algorithmica 3, 1988).

use super::context::ComContext;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Losing less than this part of a round is not worth a move: measurements are not exact.
const LITTLE: f64 = 0.15;

/// Nor is moving less than this part of the rows.
const FEW: f64 = 0.01;

/// How finely rows are shared out.
const WEIGHTS: f64 = 1e6;

/// How long each device is busy with a round.
pub(crate) struct Busy {
    is_measured: AtomicBool,
    nanoseconds: Vec<AtomicU64>,
}

impl Busy {
    pub(super) fn of(devices: usize) -> Self {
        Self { is_measured: AtomicBool::new(false), nanoseconds: (0..devices).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Whether the round that runs is measured.
    pub(super) fn is_measured(&self) -> bool {
        self.is_measured.load(Ordering::Relaxed)
    }

    /// A device was busy for so long.
    pub(super) fn note(&self, device: usize, time: Duration) {
        if let Some(all) = self.nanoseconds.get(device) {
            all.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    fn begin(&self) {
        self.is_measured.store(true, Ordering::Relaxed);
    }

    /// The seconds of each device, where the round was measured; the next one is not.
    fn end(&self) -> Option<Vec<f64>> {
        let seconds = |all: &AtomicU64| all.swap(0, Ordering::Relaxed) as f64 / 1e9;
        self.is_measured.swap(false, Ordering::Relaxed).then(|| self.nanoseconds.iter().map(seconds).collect())
    }
}

/// When rows are shared out anew.
#[derive(Default)]
pub(crate) struct Balance {
    /// How many rows each device has.
    rows: Vec<u64>,
    /// What a move costs, in seconds.
    cost: f64,
    /// What rounds have lost since the last move, in seconds.
    lost: f64,
    /// How long each device is busy with a round, and the round that was measured last.
    busy: Vec<f64>,
    measured: u32,
    /// The rounds before the rows came where they are.
    begun: u32,
    /// How often rows were moved.
    pub(super) moves: u32,
    /// How many rows each device is to get, as against the others, where they are to move.
    pub(super) decided: Option<Vec<u64>>,
}

impl Balance {
    /// Begins after so many rounds with the rows where they are now; bringing them there has cost so much.
    pub(super) fn place(&mut self, rounds: u32, tasks: &[ComContext], devices: usize, cost: Duration) {
        self.rows = vec![0; devices];
        for task in tasks {
            if let Some(rows) = self.rows.get_mut(task.place.device) {
                *rows += task.row_count();
            }
        }
        // Each move must pay more than the one before: speeds that change all the time are not run after.
        self.cost = cost.as_secs_f64() * f64::from(self.moves).exp2();
        (self.lost, self.measured, self.begun) = (0.0, rounds, rounds);
        self.busy.clear();
    }

    /// The move that was decided was not made, and no other will be.
    pub(super) fn stay(&mut self) {
        self.moves -= 1;
        self.rows.clear();
    }

    /// Begins a round, which is measured or not: the first one brings more than its own work, those after it tell of most.
    pub(super) fn begin(&self, round: u32, busy: &Busy) {
        let since = round - self.begun;
        if self.rows.len() > 1 && (matches!(since, 2..=4) || since.is_multiple_of(4)) {
            busy.begin();
        }
    }

    /// Ends a round; true where the rows are to be shared out as was [`decided`](Self::decided).
    pub(super) fn end(&mut self, round: u32, busy: &Busy) -> bool {
        let Some(seconds) = busy.end().filter(|seconds| seconds.iter().all(|time| *time > 0.0)) else { return false };
        // The mean of all that were measured, the last ones counting most.
        self.busy = match self.busy.len() {
            0 => seconds,
            _ => self.busy.iter().zip(&seconds).map(|(before, now)| 0.5 * (before + now)).collect(),
        };
        let speeds: Vec<f64> =
            self.rows.iter().zip(&self.busy).map(|(rows, busy)| (*rows as f64).max(1.0) / busy).collect();
        let (now, all) = (self.busy.iter().copied().fold(0.0, f64::max), speeds.iter().sum::<f64>());
        // What a round would take if all ended at once, and what part of the rows would have to move for that.
        let rows = self.rows.iter().sum::<u64>() as f64;
        let best = rows / all;
        let away = |(own, speed): (&u64, &f64)| (*own as f64 - rows * speed / all).abs() / (2.0 * rows.max(1.0));
        let moving: f64 = self.rows.iter().zip(&speeds).map(away).sum();
        let rounds = f64::from(round - self.measured);
        self.measured = round;
        if now - best < LITTLE * now || moving < FEW {
            self.lost = 0.0;
            return false;
        }
        self.lost += rounds * (now - best);
        // After a move a round does anew what others need not do.
        if self.lost < self.cost + now {
            return false;
        }
        self.moves += 1;
        self.decided = Some(speeds.iter().map(|speed| (speed / all * WEIGHTS).round().max(1.0) as u64).collect());
        true
    }
}
