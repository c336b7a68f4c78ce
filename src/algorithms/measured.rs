//! A table that all ranks of a session measure together.

use crate::collective::{Collective, Local};
use crate::data::{Dataset, Origin, RowSource, Survey};
use crate::queue::Session;
use crate::{Error, Result};
use std::sync::Arc;

/// Measures and checks a table, of which each rank reads its share; all ranks call this together.
pub(super) fn measured<'a>(
    rows: &'a (impl RowSource + ?Sized),
    session: Option<&Session>,
    origin: Origin,
) -> Result<Dataset<'a>> {
    let collective: Arc<dyn Collective> = session.map_or_else(|| Arc::new(Local) as _, |on| on.collective().clone());
    let share = collective.share(rows.rows());
    // Each rank measures its own rows, and all merge what all have found.
    let own = Survey::of(rows, share.clone());
    let surveys = collective.exchange(own.map(|survey| survey.encode()))?;
    let mut surveys = surveys.iter().map(|bytes| Survey::decode(bytes).ok_or_else(other_program));
    let mut all = surveys.next().ok_or_else(other_program)??;
    surveys.try_for_each(|survey| all.merge(survey?))?;
    Ok(Dataset::surveyed(rows, &all, origin)?.with_share(share))
}

/// Another rank has sent what this program does not.
pub(super) fn other_program() -> Error {
    Error::parameter("ranks", "what another rank sent does not read as it should: do all run one program?")
}
