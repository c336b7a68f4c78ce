//! What the threads that work through blocks of rows have summed.

use super::plan::Plan;
use crate::Result;
pub(super) use crate::algorithms::workers::Workers;
use crate::backend::cpu::Partials;

/// The sums of all workers; sums of nothing where there was none.
pub(super) fn total(plan: &Plan, partials: impl IntoIterator<Item = Partials>) -> Result<Partials> {
    let mut partials = partials.into_iter();
    let mut total = partials.next().map_or_else(|| plan.partials(), Ok)?;
    partials.try_for_each(|more| total.merge(&more))?;
    Ok(total)
}
