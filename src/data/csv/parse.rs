//! A piece of text becomes numbers.

use ::csv::{ByteRecord, Position, ReaderBuilder};
use memchr::{memchr, memchr2};

use super::head::Layout;
use super::lines::{Counter, Lines, lines_in};
use crate::data::collect::Block;

/// The rows of a piece.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) values: Block,
    /// The line of each row, the piece's first being 1.
    pub(super) lines: Lines,
    /// How many lines the piece has.
    pub(super) line_ends: u64,
}

/// A row that is none.
pub(super) struct Refused {
    /// Its line, the piece's first being 1.
    pub(super) line: u64,
    /// The cell, from 0, where it is one.
    pub(super) cell: Option<usize>,
    pub(super) message: String,
}

/// Parses whole rows. `is_first`: whether no row comes before them.
pub(super) fn parse(text: &[u8], layout: &Layout, is_first: bool) -> Result<Piece, Refused> {
    let mut rows = Rows { layout, is_first, row: vec![0.0; layout.columns()], piece: Piece::default() };
    if memchr(b'"', text).is_some() {
        rows.quoted(text)?;
    } else {
        rows.plain(text)?;
    }
    Ok(rows.piece)
}

/// The cells of a row without the blanks around them. Aligned tables pad with runs of spaces, which are no empty cells.
pub(super) fn cells_of<'a>(cells: impl Iterator<Item = &'a [u8]>, delimiter: u8) -> impl Iterator<Item = &'a [u8]> {
    cells.map(<[u8]>::trim_ascii).filter(move |cell| delimiter != b' ' || !cell.is_empty())
}

pub(super) fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// The text after the spaces it begins with. (Not all blanks: a tab may be a delimiter.)
fn without_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    text.get(spaces..).unwrap_or_default()
}

struct Rows<'a> {
    layout: &'a Layout,
    is_first: bool,
    /// One row of values.
    row: Vec<f64>,
    piece: Piece,
}

impl Rows<'_> {
    /// Text without quotes: every line end ends a row, and every delimiter a cell.
    fn plain(&mut self, text: &[u8]) -> Result<(), Refused> {
        let delimiter = self.layout.delimiter;
        let (mut rest, mut line) = (text, 1);
        while !rest.is_empty() {
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (row, after) = rest.split_at(end);
            if !row.is_empty() && !self.push_quickly(line, row) {
                self.push(line, || cells_of(row.split(|byte| *byte == delimiter), delimiter))?;
            }
            let (ended, after) = match after {
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => (1, after),
                [] => (0, after),
            };
            line += ended;
            rest = after;
        }
        self.piece.line_ends = line - 1;
        Ok(())
    }

    /// Adds a row of numbers that stand between delimiters, with at most spaces around them, in one pass over its bytes;
    /// false, and nothing is added, where it is not one. Twice as fast as cutting it into cells first.
    fn push_quickly(&mut self, line: u64, text: &[u8]) -> bool {
        let delimiter = self.layout.delimiter;
        if delimiter == b' ' || !self.layout.column_of_cell.is_empty() {
            return false;
        }
        let mut rest = Some(text);
        for slot in &mut self.row {
            let Some(cell) = rest.map(without_spaces) else { return false };
            let Ok((value, length)) = fast_float2::parse_partial::<f64, _>(cell) else { return false };
            *slot = value;
            rest = match cell.get(length..) {
                Some([next, after @ ..]) if *next == delimiter => Some(after),
                Some([]) => None,
                Some(after) => match without_spaces(after) {
                    [next, after @ ..] if *next == delimiter => Some(after),
                    [] => None,
                    _ => return false,
                },
                None => return false,
            };
        }
        if rest.is_some() {
            return false;
        }
        self.row.iter().for_each(|value| self.piece.values.push(*value));
        self.piece.lines.push(line);
        true
    }

    /// Text with quotes, which crate `csv` knows how to read.
    fn quoted(&mut self, text: &[u8]) -> Result<(), Refused> {
        let delimiter = self.layout.delimiter;
        let mut reader = ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
        let (mut record, mut counter, mut line) = (ByteRecord::new(), Counter::new(text), 1);
        let refuse = |line, error: ::csv::Error| Refused { line, cell: None, message: error.to_string() };
        while reader.read_byte_record(&mut record).map_err(|error| refuse(line, error))? {
            line = counter.line_at(record.position().map_or(0, Position::byte) as usize);
            self.push(line, || cells_of(record.iter(), delimiter))?;
        }
        self.piece.line_ends = lines_in(text);
        Ok(())
    }

    /// Adds a row; `cells` gives its cells, as often as it is asked.
    fn push<'c, I: Iterator<Item = &'c [u8]>>(&mut self, line: u64, cells: impl Fn() -> I) -> Result<(), Refused> {
        let mut count = 0;
        for (index, cell) in cells().enumerate() {
            count += 1;
            let slot = match self.layout.column_of_cell.get(index) {
                Some(None) => continue,
                Some(Some(column)) => self.row.get_mut(*column),
                None => self.row.get_mut(index),
            };
            match (slot, number(cell)) {
                (Some(slot), Some(value)) => *slot = value,
                _ => return Err(self.refuse(line, &cells().collect::<Vec<_>>())),
            }
        }
        if count == 0 && self.layout.delimiter == b' ' {
            return Ok(());
        }
        if count != self.layout.cells {
            return Err(self.refuse(line, &cells().collect::<Vec<_>>()));
        }
        self.row.iter().for_each(|value| self.piece.values.push(*value));
        self.piece.lines.push(line);
        Ok(())
    }

    /// What is wrong with a row.
    fn refuse(&self, line: u64, cells: &[&[u8]]) -> Refused {
        let layout = self.layout;
        if cells.len() != layout.cells {
            let message = format!(
                "{} cells where the first row has {}; every row must have the same number, separated alike",
                cells.len(),
                layout.cells
            );
            return Refused { line, cell: None, message };
        }
        let is_taken = |index: &usize| layout.column_of_cell.get(*index).is_none_or(Option::is_some);
        let bad = (0..cells.len()).filter(is_taken).find(|index| number(cells[*index]).is_none());
        let cell = bad.unwrap_or_default();
        let message = self.bad_cell(cell, cells.get(cell).copied().unwrap_or_default());
        Refused { line, cell: Some(cell), message }
    }

    /// What is said of a cell that is no number, with the column's name where the file tells it.
    fn bad_cell(&self, index: usize, cell: &[u8]) -> String {
        let text = String::from_utf8_lossy(cell);
        let shown: String = text.chars().take(40).collect();
        let what = match &*text {
            "" => "the cell is empty".to_string(),
            _ => format!("`{}` is not a number", shown.escape_debug()),
        };
        let names = self.layout.names.as_ref();
        let named = names.and_then(|names| names.get(index)).filter(|name| !name.is_empty());
        let named = named.map(|name| format!(" (column `{name}`)")).unwrap_or_default();
        let advice = if number(text.replacen(',', ".", 1).as_bytes()).is_some() {
            "write decimals with a point"
        } else if self.is_first && self.piece.lines.rows() == 0 && names.is_none() {
            "correct it, or leave the column out; if this row names the columns, say that there is a header"
        } else {
            "correct it, or leave the row or the column out"
        };
        format!("{what}{named}; {advice}")
    }
}
