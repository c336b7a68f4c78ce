//! What the first row of a text table tells of all others.

use ::csv::{ByteRecord, ReaderBuilder};

use super::lines::lines_in;
use super::parse::{cells_of, number};
use crate::data::open::ReadOptions;
use crate::data::select::choose;
use crate::{Error, Place, Result};

/// How every row is read.
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// Cells of each row.
    pub(super) cells: usize,
    /// The names of the cells, where the file tells them.
    pub(super) names: Option<Vec<String>>,
    /// The cells that become columns, in the columns' order; `None` takes all.
    pub(super) chosen: Option<Vec<usize>>,
    /// For each cell the column that it becomes; empty where all are taken.
    pub(super) column_of_cell: Vec<Option<usize>>,
}

impl Layout {
    /// Columns of the table.
    pub(super) fn columns(&self) -> usize {
        self.chosen.as_ref().map_or(self.cells, Vec::len)
    }
}

/// The layout, and where the rows of numbers begin.
pub(super) struct Head {
    pub(super) layout: Layout,
    /// The byte.
    pub(super) start: usize,
    /// How many lines come before.
    pub(super) lines: u64,
}

/// Reads the first row of a text; `None` where it has none.
///
/// # Errors
/// When the columns that were chosen are not there.
pub(super) fn read(name: &str, text: &[u8], delimiter: u8, options: &ReadOptions) -> Result<Option<Head>> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|e| Error::data(Place::of(name), e.to_string()))? {
        let cells: Vec<&[u8]> = cells_of(record.iter(), delimiter).collect();
        if delimiter == b' ' && cells.is_empty() {
            continue;
        }
        let named = options.header.unwrap_or_else(|| cells.iter().all(|cell| number(cell).is_none()));
        let names: Option<Vec<String>> =
            named.then(|| cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect());
        let chosen = options.columns.as_ref().map(|words| choose(name, words, names.as_deref(), cells.len(), 1));
        let chosen = chosen.transpose()?;
        let mut column_of_cell = Vec::new();
        if let Some(chosen) = &chosen {
            column_of_cell = vec![None; cells.len()];
            for (column, cell) in chosen.iter().enumerate() {
                column_of_cell[*cell] = Some(column);
            }
        }
        let start = if named { end_of_record(text, reader.position().byte() as usize) } else { 0 };
        let lines = lines_in(text.get(..start).unwrap_or_default());
        let layout = Layout { delimiter, cells: cells.len(), names, chosen, column_of_cell };
        return Ok(Some(Head { layout, start, lines }));
    }
    Ok(None)
}

/// The parser stops after the first byte of a line end; its second belongs to it.
fn end_of_record(text: &[u8], at: usize) -> usize {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, &[]));
    at + usize::from(before.ends_with(b"\r") && after.starts_with(b"\n"))
}
