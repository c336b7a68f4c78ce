//! Which rows the bounds leave open.

use super::scratch::BoundScratch;
use super::state::BlockBounds;
use super::{Guide, is_above, upper_now};
use crate::backend::cpu::simd::{Kernel, Simd};

/// Finds the rows whose label the bounds leave open.
pub(super) struct Doubt<'a, 'b> {
    pub(super) guide: &'a Guide,
    pub(super) bounds: &'a BlockBounds<'b>,
    pub(super) scratch: &'a mut BoundScratch,
    pub(super) labels: &'a [u32],
}

impl Kernel for Doubt<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let BoundScratch { upper, lower, open, .. } = self.scratch;
        let rows = self.labels.len();
        upper.resize(rows, 0.0);
        lower.clear();
        lower.resize(rows, f32::INFINITY);
        let drift = self.guide.own.above();
        for ((now, &stored), &label) in upper.iter_mut().zip(&*self.bounds.upper).zip(self.labels) {
            *now = upper_now(stored, drift[label as usize]);
        }
        for (stored, &drift) in self.bounds.lower.chunks_exact(rows).zip(self.guide.group.above()) {
            for (lower, &stored) in lower.iter_mut().zip(stored) {
                let now = stored - drift;
                *lower = if now < *lower { now } else { *lower };
            }
        }
        // Written in any case, and kept where it is open: no branch to foretell.
        open.resize(rows, 0);
        let mut count = 0;
        for (row, (lower, upper)) in lower.iter().zip(&*upper).enumerate() {
            open[count] = row as u16;
            let is_settled = lower > upper;
            count += usize::from(!is_settled);
        }
        open.truncate(count);
    }
}

/// Asks for the groups that are not farther than the upper bounds of the open rows, and lists the rows that ask.
#[inline(always)]
pub(super) fn ask(guide: &Guide, bounds: &BlockBounds, scratch: &mut BoundScratch, labels: &[u32]) {
    let BoundScratch { lists, asked, open, upper, .. } = scratch;
    let rows = labels.len();
    asked.resize(rows, 0);
    asked.fill(0);
    let groups = bounds.lower.chunks_exact(rows).zip(guide.group.above()).zip(lists);
    for ((lower, &drift), list) in groups {
        list.resize(open.len(), 0);
        let mut count = 0;
        for &at in &*open {
            let row = usize::from(at);
            let is_near = !is_above(lower[row], drift, upper[row]);
            list[count] = at;
            count += usize::from(is_near);
            asked[row] |= u16::from(is_near);
        }
        list.truncate(count);
    }
    let mut count = 0;
    for &at in &*open {
        let is_asked = asked[usize::from(at)] != 0;
        // The mark of a row is read before a place in front of it is taken.
        asked[count] = at;
        count += usize::from(is_asked);
    }
    asked.truncate(count);
}
