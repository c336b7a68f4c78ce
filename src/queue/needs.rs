//! What a queue keeps on a device beside the rows, by what its items declare.

use super::declare::{Objects, Rule, ShapeRule};
use super::key::{Declared, Kind};
use crate::backend::Element;
use std::collections::HashMap;

/// What the items of a queue keep on a device beside the rows that they read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    /// Bytes for each row that stay for all rounds.
    pub(crate) kept_per_row: u64,
    /// Bytes for each row of the partition at work.
    pub(crate) scratch_per_row: u64,
    /// Bytes for each row of the slice at work, and the most rows it has.
    pub(crate) slice_per_row: u64,
    pub(crate) most_in_slice: u64,
    /// Bytes that do not depend on the rows.
    pub(crate) fixed: u64,
}

impl Needs {
    /// The same where blocks of so many rows are what is cut.
    #[cfg(feature = "gpu")]
    pub(super) fn of_blocks(self, block: u64) -> Self {
        Self {
            kept_per_row: self.kept_per_row.saturating_mul(block),
            scratch_per_row: self.scratch_per_row.saturating_mul(block),
            slice_per_row: self.slice_per_row.saturating_mul(block),
            most_in_slice: self.most_in_slice.div_ceil(block),
            fixed: self.fixed,
        }
    }

    /// The bytes for the slices at work, where so many tasks have so many rows together.
    pub(super) fn slices(&self, rows: u64, tasks: u64) -> u64 {
        rows.min(tasks.saturating_mul(self.most_in_slice)).saturating_mul(self.slice_per_row)
    }

    /// The needs of items by what they declare. An object that is written anew exists three times: as it is, as it was,
    /// and as memory that is used again; while parts are merged there is one more.
    pub(crate) fn of<'o>(items: impl Iterator<Item = &'o Objects>) -> Self {
        let mut largest: HashMap<(&str, bool), Needs> = HashMap::new();
        for objects in items {
            let written = objects.writes.iter().map(|declared| (declared, 4, false));
            let updated = objects.updates.iter().map(|declared| (declared, 1, false));
            let scratch = objects.scratch.iter().map(|declared| (declared, 1, true));
            for (declared, times, is_scratch) in written.chain(updated).chain(scratch) {
                let (per_row, fixed) = sizes(objects, declared);
                let needs = largest.entry((declared.name, is_scratch)).or_default();
                let slice = objects.shape_rule(declared.name).and_then(ShapeRule::most_in_slice);
                needs.most_in_slice = needs.most_in_slice.max(slice.unwrap_or(0));
                let of_rows = match (is_scratch, slice) {
                    (true, Some(_)) => &mut needs.slice_per_row,
                    (true, None) => &mut needs.scratch_per_row,
                    (false, _) => &mut needs.kept_per_row,
                };
                *of_rows = (*of_rows).max(per_row * times);
                needs.fixed = needs.fixed.max(fixed * times.max(2));
            }
        }
        largest.values().fold(Self::default(), |all, needs| Self {
            kept_per_row: all.kept_per_row + needs.kept_per_row,
            scratch_per_row: all.scratch_per_row + needs.scratch_per_row,
            slice_per_row: all.slice_per_row + needs.slice_per_row,
            most_in_slice: all.most_in_slice.max(needs.most_in_slice),
            fixed: all.fixed + needs.fixed,
        })
    }
}

/// The bytes that an object takes: for each row, and besides.
fn sizes(objects: &Objects, declared: &Declared) -> (u64, u64) {
    let Kind::Object(of) = declared.kind else { return (0, 0) };
    let element = of.element.map_or(0, Element::size) as u64;
    match objects.shape_rule(declared.name).map(|rule| &rule.0) {
        Some(Rule::RowsOf(_, columns)) => (element * columns.unwrap_or(1) as u64, 0),
        Some(Rule::Slice(_, columns, _)) => (element * *columns as u64, 0),
        Some(Rule::Fixed(shape)) => (0, element * shape.elements() as u64),
        // As large as an object that the caller gave, which is counted on its own.
        Some(Rule::Like(_)) | None => (0, 0),
    }
}
