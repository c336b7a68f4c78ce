//! Which rounds must be looked at before the next goes on: the twin of the part `held.wgsl`.

use super::keys::Summary;
use super::params::{EmptyClusters, KMeans};
use std::time::Duration;

/// Rounds that take longer are looked at before the next begins: the last round is then not done in vain, which would cost more than
/// waiting for a criterion some tens of times. On an H100 a round that waited took 0.2 to 0.6 ms more.
pub(super) const WITHIN: Duration = Duration::from_millis(12);

/// What a round that was begun unseen looks for in the summary of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Held {
    /// Shifts up to this end the iteration.
    pub(super) tolerance: f32,
    /// Whether clusters without rows are for the host to see.
    pub(super) empty: bool,
}

impl Held {
    /// That of a fit which ends at shifts up to `tol`.
    pub(super) fn of(kmeans: &KMeans, tol: f64) -> Self {
        let nearest = tol as f32;
        // Shifts are f32: those up to `tol` are those up to the largest f32 that is not above it.
        let tolerance = if f64::from(nearest) > tol { nearest.next_down() } else { nearest };
        Self { tolerance, empty: kmeans.empty_clusters != EmptyClusters::Keep }
    }

    /// Whether the next round goes on without the host.
    pub(super) fn goes_on(self, summary: &Summary) -> bool {
        let ends = summary.moved == 0 || summary.shift <= self.tolerance;
        !(ends || (self.empty && summary.empty > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, KMeans, Summary};

    const SUMMARY: Summary = Summary { inertia: [1, 0], moved: 5, empty: 0, shift: 0.1 };

    #[test]
    fn a_shift_is_within_the_tolerance_as_it_is_in_f64() {
        for (shift, tol) in [(0.1_f32, 0.1_f64), (0.1, 0.1_f32.into()), (1e-9, 0.0), (0.0, 0.0), (0.25, 0.25)] {
            let held = Held::of(&KMeans::new(2), tol);
            let goes_on = held.goes_on(&Summary { shift, ..SUMMARY });
            assert_eq!(goes_on, f64::from(shift) > tol, "{shift} {tol}");
        }
    }

    #[test]
    fn rounds_without_moves_or_with_empty_clusters_are_seen() {
        let held = Held { tolerance: 0.0, empty: true };
        assert!(held.goes_on(&SUMMARY));
        assert!(!held.goes_on(&Summary { moved: 0, ..SUMMARY }));
        assert!(!held.goes_on(&Summary { empty: 1, ..SUMMARY }));
        assert!(Held { empty: false, ..held }.goes_on(&Summary { empty: 1, ..SUMMARY }));
    }
}
