//! The items that make what the first round needs, and do nothing in later ones.

use super::keys::{LABELS, NO_LABEL, PARTIALS, POINTS, SUMMARY, Summary};
use super::plan::Plan;
use crate::Result;
use crate::queue::{ComContext, ComputeFunction, Objects};

/// Gives every device sums of nothing before the first round. A fit that was resumed has sums, and of these a summary.
pub(super) struct NoSums(pub(super) Plan);

impl ComputeFunction for NoSums {
    fn objects(&self) -> Objects {
        Objects::none().updates((PARTIALS, SUMMARY)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.contains(SUMMARY) {
            return Ok(());
        }
        if !cx.contains(PARTIALS) {
            cx.put(SUMMARY, vec![0; Summary::WORDS])?;
            return cx.put(PARTIALS, self.0.partials()?.into_values());
        }
        let summary = Summary::of_partials(cx.get(PARTIALS)?, self.0.layout(), 0.0);
        cx.put(SUMMARY, summary.to_words())
    }
}

/// Gives every task labels that no row has before the first round.
pub(super) struct NoLabels;

impl ComputeFunction for NoLabels {
    fn objects(&self) -> Objects {
        Objects::reads(POINTS).updates(LABELS)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.contains(LABELS) {
            return Ok(());
        }
        let rows = cx.rows(POINTS)?.len();
        cx.put(LABELS, vec![NO_LABEL; rows])
    }
}
