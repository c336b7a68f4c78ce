//! How the rows of a round find their nearest centroids: by every distance, or by bounds.

use super::keys::{CENTROIDS, POINTS, SEARCH, SUMMARY, Summary};
use super::plan::Plan;
use crate::Result;
use crate::backend::cpu::{Bounds, Guide, Isa, Nearest};
use crate::queue::{ComContext, ComputeFunction, Object, Objects};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bounds begin once at most one row in so many has moved: before that centroids run so far that bounds would not hold.
const SETTLING: i64 = 4;

/// Or in this round at the latest.
const LATEST: u32 = 4;

/// Bounds that leave more than this part of the distances to be measured are given up for some rounds.
const TOO_LOOSE: f64 = 0.7;

/// Rows that are looked at for bounds in fewer columns.
const SAMPLE: usize = 1024;

/// What a round searches with; the result is the same.
#[derive(Clone)]
pub(super) enum Search {
    /// Every distance is measured.
    Everything(Arc<Nearest>),
    /// Every distance is measured, and bounds are made of them.
    Seed(Arc<Guide>),
    /// What the bounds leave open is measured.
    Bounded(Bounded),
}

/// Bounds at work, and what they have cost.
#[derive(Clone)]
pub(super) struct Bounded {
    guide: Arc<Guide>,
    measured: Arc<AtomicU64>,
}

impl std::ops::Deref for Bounded {
    type Target = Guide;

    fn deref(&self) -> &Guide {
        &self.guide
    }
}

impl Object for Search {}

impl Object for Bounds {}

impl Search {
    /// Searches on with bounds, of which nothing has been measured in this round.
    fn go_on(guide: Guide) -> Self {
        Self::Bounded(Bounded { guide: Arc::new(guide), measured: Arc::default() })
    }

    /// The centroids of the round.
    pub(super) fn nearest(&self) -> &Nearest {
        match self {
            Self::Everything(nearest) => nearest,
            Self::Seed(guide) => guide.nearest(),
            Self::Bounded(bounded) => bounded.guide.nearest(),
        }
    }

    /// Takes note of the distances that a task has measured.
    pub(super) fn note(&self, measured: u64) {
        if let Self::Bounded(bounded) = self {
            bounded.measured.fetch_add(measured, Ordering::Relaxed);
        }
    }
}

/// Decides how the round searches, and prepares the centroids for it.
pub(super) struct Steer {
    pub(super) plan: Plan,
    /// The rows of this process that bounds may be kept for; 0 where none are.
    pub(super) bounded_rows: u64,
}

impl ComputeFunction for Steer {
    fn objects(&self) -> Objects {
        Objects::reads((POINTS, CENTROIDS, SUMMARY)).updates(SEARCH).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let before = if cx.contains(SEARCH) { Some(cx.take(SEARCH)?) } else { None };
        let (isa, distance, centroids) = (Isa::detect(), self.plan.distance(), cx.get(CENTROIDS)?.view());
        let search = match before {
            Some(Search::Seed(guide)) => Search::go_on(guide.moved(centroids)?),
            Some(Search::Bounded(bounded)) if !self.is_too_loose(&bounded) => {
                Search::go_on(bounded.guide.moved(centroids)?)
            }
            _ => match self.begin(cx)? {
                Some(guide) => Search::Seed(Arc::new(guide)),
                None => Search::Everything(Arc::new(Nearest::new(centroids, distance, isa)?)),
            },
        };
        cx.put(SEARCH, search)
    }
}

impl Steer {
    /// Some rows, for bounds in fewer columns: none where to look for these would take longer than two rounds.
    fn sample(&self, cx: &ComContext) -> Result<Vec<f32>> {
        let Plan { k, d, .. } = self.plan;
        let rows = cx.rows(POINTS)?;
        let count = SAMPLE.min(rows.len());
        if Guide::sample_cost(count, k, d) > 2.0 * self.bounded_rows as f64 * (k * d) as f64 {
            return Ok(Vec::new());
        }
        let (mut sample, mut scratch) = (Vec::with_capacity(count * d), Vec::new());
        for at in 0..count {
            let row = at * rows.len() / count;
            sample.extend_from_slice(rows.read(row..row + 1, &mut scratch)?);
        }
        Ok(sample)
    }

    fn is_too_loose(&self, bounded: &Bounded) -> bool {
        let all = self.bounded_rows as f64 * (self.plan.k * self.plan.d) as f64;
        bounded.measured.load(Ordering::Relaxed) as f64 > TOO_LOOSE * all
    }

    /// Bounds, where centroids have settled enough for them to hold, or where those in fewer columns hold anyway.
    fn begin(&self, cx: &ComContext) -> Result<Option<Guide>> {
        let step = cx.step_no();
        if self.bounded_rows == 0 || step == 1 {
            return Ok(None);
        }
        let moved = Summary::of_words(cx.get(SUMMARY)?)?.moved;
        let has_settled = moved <= self.plan.rows / SETTLING || step >= LATEST;
        let sample = if step == 2 || has_settled { self.sample(cx)? } else { Vec::new() };
        if !has_settled && sample.is_empty() {
            return Ok(None);
        }
        let guide = Guide::new(
            cx.get(CENTROIDS)?.view(),
            cx.previous(CENTROIDS)?.view(),
            self.plan.distance(),
            Isa::detect(),
            &sample,
        )?;
        Ok((has_settled || guide.is_reduced()).then_some(guide))
    }
}

/// The bytes of bounds that a row of `d` columns takes.
pub(super) fn bytes_a_row(k: usize, d: usize) -> usize {
    Guide::bytes_a_row(k, d, Isa::detect())
}

/// Whether bounds are expected to save more than they cost: to look at those of a row, and to measure the few centroids that
/// they leave, takes as long as to multiply it with about this many values.
pub(super) fn pays(k: usize, d: usize) -> bool {
    k >= 2 && k.saturating_mul(d) >= 2048
}
