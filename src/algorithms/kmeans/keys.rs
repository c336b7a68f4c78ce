//! The objects of k-means, by name; the names are also those of the variables in WGSL.

use super::search::Search;
use crate::Result;
use crate::backend::cpu::{Bounds, PartialsLayout};
use crate::queue::{Key, Rows};
use ndarray::Array2;

/// The rows, prepared: n × d'.
pub(super) const POINTS: Key<Rows> = Key::new("points");
/// The rows' weights: n × 1; only where there are weights.
pub(super) const WEIGHTS: Key<Rows> = Key::new("weights");
/// Stands for the weights where there are none: WGSL needs something to bind.
pub(super) const NO_WEIGHTS: Key<Vec<f32>> = Key::new("weights");
/// The powers of two of the fixed-point sums: d' + 2.
pub(super) const EXPONENTS: Key<Vec<i32>> = Key::new("exponents");
/// The centroids: k × d'.
pub(super) const CENTROIDS: Key<Array2<f32>> = Key::new("centroids");
/// Each row's cluster: n.
pub(super) const LABELS: Key<Vec<u32>> = Key::new("labels");
/// Sums, masses, inertia and moved rows in fixed point; see `PartialsLayout`.
pub(super) const PARTIALS: Key<Vec<i64>> = Key::new("partials");
/// What the rows that moved change in the sums, laid out alike; and the sums themselves, as they stand before empty
/// clusters are seated anew.
pub(super) const CHANGES: Key<Vec<i64>> = Key::new("changes");
pub(super) const SUMS: Key<Vec<i64>> = Key::new("sums");
/// What a round goes on from.
pub(super) const STATE: State = (CENTROIDS, LABELS, PARTIALS, SUMS);
type State = (Key<Array2<f32>>, Key<Vec<u32>>, Key<Vec<i64>>, Key<Vec<i64>>);
/// How the round searches, and the bounds of a task's rows: on processors.
pub(super) const SEARCH: Key<Search> = Key::new("search");
pub(super) const BOUNDS: Key<Bounds> = Key::new("bounds");
/// The squared shift of each centroid: k.
pub(super) const SHIFTS: Key<Vec<f32>> = Key::new("shifts");
/// How many clusters have no rows, as the update saw it.
pub(super) const EMPTY: Key<u32> = Key::new("empty");
/// What the criterion and the trace need of a round.
pub(super) const SUMMARY: Key<Vec<u32>> = Key::new("summary");
/// Device memory between assignment and sums: each row's nearest centroid and its distance.
pub(super) const NEAREST: Key<Vec<u32>> = Key::new("nearest");
pub(super) const DISTANCES: Key<Vec<f32>> = Key::new("distances");
/// On devices, where rows are more than a few columns: bounds on each row's distance to every centroid of a group but its own, for
/// each of a few groups, and on that to its own; and the centroids for which they hold.
pub(super) const LOWER: Key<Vec<f32>> = Key::new("lower");
pub(super) const BEFORE: Key<Array2<f32>> = Key::new("before");
/// Device memory where the inertia follows from the sums: what each cluster adds to it.
pub(super) const AROUND: Key<Vec<u32>> = Key::new("around");
/// Device memory within the assignment. Of the centroids: squared lengths, how far they have moved, the extremes of each group.
pub(super) const NORMS: Key<Vec<f32>> = Key::new("norms");
pub(super) const DRIFTS: Key<Vec<f32>> = Key::new("drifts");
pub(super) const EXTREMES: Key<Vec<f32>> = Key::new("extremes");
/// Of the rows: those that must be searched, list by list for the groups they must be shown, and what the fast product finds there.
pub(super) const OPEN: Key<Vec<u32>> = Key::new("open");
pub(super) const LISTS: Key<Vec<u32>> = Key::new("lists");
pub(super) const ENTRIES: Key<Vec<u32>> = Key::new("entries");
/// Rows that it cannot decide, how many there are of all these, and what is found of them in parts.
pub(super) const UNDECIDED: Key<Vec<u32>> = Key::new("undecided");
pub(super) const COUNTS: Key<Vec<u32>> = Key::new("counts");
pub(super) const PARTS: Key<Vec<u32>> = Key::new("parts");
/// What follows from the rows alone: their lengths, and the rows in half precision, which centroids are as well.
pub(super) const LENGTHS: Key<Vec<f32>> = Key::new("lengths");
pub(super) const ROW_HALVES: Key<Vec<u32>> = Key::new("row_halves");
pub(super) const CENTROID_HALVES: Key<Vec<u32>> = Key::new("centroid_halves");

/// A few numbers of a round, as they come back from a device in one piece of 8 words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    /// The inertia's two words in fixed point.
    pub(super) inertia: [i64; 2],
    /// Rows whose label changed.
    pub(super) moved: i64,
    /// Clusters without rows.
    pub(super) empty: u32,
    /// The squared shifts of all centroids, summed.
    pub(super) shift: f32,
}

impl Summary {
    pub(super) const WORDS: usize = 8;

    /// That of a round's sums, in which the centroids have moved so far.
    pub(super) fn of_partials(partials: &[i64], layout: PartialsLayout, shift: f32) -> Self {
        let masses = &partials[layout.mass(0)..layout.inertia(0)];
        Self {
            inertia: [0, 1].map(|word| partials[layout.inertia(word)]),
            moved: partials[layout.moved()],
            empty: masses.iter().filter(|&&mass| mass == 0).count() as u32,
            shift,
        }
    }

    pub(super) fn to_words(self) -> Vec<u32> {
        let halves = |value: i64| [value as u32, (value >> 32) as u32];
        let integers = [self.inertia[0], self.inertia[1], self.moved].into_iter().flat_map(halves);
        integers.chain([self.empty, self.shift.to_bits()]).collect()
    }

    pub(super) fn of_words(words: &[u32]) -> Result<Self> {
        let &[a, b, c, d, e, f, empty, shift] = words else {
            let message = format!("{} words where {} were expected", words.len(), Self::WORDS);
            return Err(crate::Error::wiring("(criterion)", SUMMARY.name(), message));
        };
        let whole = |low: u32, high: u32| (i64::from(high as i32) << 32) | i64::from(low);
        let (inertia, moved) = ([whole(a, b), whole(c, d)], whole(e, f));
        Ok(Self { inertia, moved, empty, shift: f32::from_bits(shift) })
    }
}

/// A label no row has: every row moves in the first round.
pub(super) const NO_LABEL: u32 = u32::MAX;
