//! Text tables: `.csv`, `.tsv` and `.txt` files of numbers, and the same with `.gz` behind.
//!
//! The text is read in batches of whole rows (`text`), and while one is read, the pieces of the one before are parsed
//! on all threads (`parse`) and collected in order.

mod detect;
mod head;
mod lines;
mod parse;
mod stream;
mod text;

pub(super) use stream::TextBatches;

use std::ops::Range;
use std::path::Path;

use head::Layout;
use lines::{Lines, lines_in};
use parse::{Piece, Refused, parse};
use rayon::prelude::*;
pub(super) use text::Batches;

use super::collect::{Collected, Collector, Room};
use super::open::ReadOptions;
use super::source::RowSource;
use crate::{Error, Place, Result};

/// A text table of numbers, plain or compressed with gzip, parsed on all threads of the current pool when it is opened.
///
/// The delimiter is found (comma, semicolon, tab, space or pipe) unless it is given, and so is whether the first row
/// names the columns: it does if none of its cells is a number. Cells may be quoted and padded with blanks; runs of
/// spaces are one delimiter; a byte-order mark, `\r\n` and blank lines are fine. Numbers are read as f64 and kept as f32
/// if every one of them is exactly an f32. `nan` and `inf` are read as such, for [`Dataset`](super::Dataset) to refuse.
///
/// Places count lines and columns from 1, as editors do.
pub struct CsvFile {
    name: String,
    values: Collected,
    lines: Lines,
    /// The cells that became columns; `None` where all did.
    chosen: Option<Vec<usize>>,
    /// The names of the cells, where the file tells them.
    names: Option<Vec<String>>,
}

impl CsvFile {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or read, or the temporary file for what does not fit the memory cannot
    /// be written; [`Error::Data`] when it is empty or holds only a header, has not the columns chosen, its compressed data
    /// are damaged, a cell is no number, or a row has more or fewer cells than the first; with the line and the column.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self> {
        Self::open_within(path.as_ref(), options, &Room::new(options.memory))
    }

    /// As [`open`](Self::open), in what is left of the memory allowed.
    pub(super) fn open_within(path: &Path, options: &ReadOptions, room: &Room) -> Result<Self> {
        let (batch, piece) = sizes();
        let mut batches = Batches::open(path, options.delimiter, batch, piece)?;
        let name = path.display().to_string();
        let mut table = None;
        let mut lines_before = 0;
        let mut batch = batches.next().map_err(|broken| broken.after(0))?;
        while let Some(now) = batch {
            let start = match &table {
                Some(_) => 0,
                None => match head::read(&name, now.text(), batches.delimiter(), options)? {
                    Some(head) => {
                        lines_before += head.lines;
                        table = Some(Table::new(&name, head.layout, lines_before, room));
                        head.start
                    }
                    None => now.text().len(),
                },
            };
            let (next, pieces) = rayon::join(
                || batches.next(),
                || table.as_ref().map(|table| table.parse(&now.pieces(start))).unwrap_or_default(),
            );
            match &mut table {
                Some(table) => pieces.into_iter().try_for_each(|piece| table.push(piece))?,
                None => lines_before += lines_in(now.text()),
            }
            let lines = table.as_ref().map_or(lines_before, |table| table.lines_before);
            batch = next.map_err(|broken| broken.after(lines))?;
        }
        match table {
            None => Err(Error::data(Place::of(name), "is empty; there are no rows to compute on")),
            Some(table) if table.lines.rows() == 0 => {
                Err(Error::data(Place::of(name), "has a header and no rows below it"))
            }
            Some(table) => {
                let Table { lines, layout, values, .. } = table;
                let values = values.finish();
                Ok(Self { name, values, lines, chosen: layout.chosen, names: layout.names })
            }
        }
    }

    /// The cell, from 0, that became a column.
    fn cell(&self, column: usize) -> usize {
        self.chosen.as_ref().and_then(|chosen| chosen.get(column)).copied().unwrap_or(column)
    }

    /// The source that everything but [`place`](RowSource::place) is passed on to.
    fn values(&self) -> &Collected {
        &self.values
    }
}

impl RowSource for CsvFile {
    fn rows(&self) -> u64 {
        self.values().rows()
    }

    fn columns(&self) -> usize {
        self.values().columns()
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        self.values().in_memory(rows)
    }

    fn is_wide(&self) -> bool {
        self.values().is_wide()
    }

    fn column_name(&self, column: usize) -> Option<&str> {
        self.names.as_ref()?.get(self.cell(column)).map(String::as_str)
    }

    fn notes(&self) -> Vec<String> {
        self.values().notes()
    }

    fn held(&self) -> u64 {
        self.values().held()
    }

    fn will_need(&self, rows: Range<u64>) {
        self.values().will_need(rows);
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.values().read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.values().read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of(&self.name).row(self.lines.line(row)).column(self.cell(column) as u64 + 1)
    }
}

/// Bytes of a batch, and of the pieces that threads of the current pool parse of it.
///
/// A piece is long beside what it costs to hand it over, and there are some for each thread so that none waits long.
/// What batches take in memory is bounded whatever the number of threads: their text twice, since one is read while
/// the other is parsed, and up to four times as much in numbers.
fn sizes() -> (usize, usize) {
    let batch = (rayon::current_num_threads() << 20).clamp(1 << 20, 16 << 20);
    (batch, 1 << 18)
}

/// A table while it is parsed.
struct Table<'a> {
    name: &'a str,
    layout: Layout,
    values: Collector<'a>,
    lines: Lines,
    /// How many lines come before those that are parsed next.
    lines_before: u64,
}

impl<'a> Table<'a> {
    fn new(name: &'a str, layout: Layout, lines_before: u64, room: &'a Room) -> Self {
        let values = Collector::new(name, layout.columns(), room);
        Self { name, layout, values, lines: Lines::default(), lines_before }
    }

    /// Parses pieces that follow each other, each on a thread.
    fn parse(&self, pieces: &[&[u8]]) -> Vec<Result<Piece, Refused>> {
        let is_first = |index| index == 0 && self.lines.rows() == 0;
        pieces.par_iter().enumerate().map(|(index, text)| parse(text, &self.layout, is_first(index))).collect()
    }

    /// Adds the next piece.
    fn push(&mut self, piece: Result<Piece, Refused>) -> Result<()> {
        match piece {
            Ok(piece) => {
                self.values.push(piece.values)?;
                self.lines.append(&piece.lines, self.lines_before);
                self.lines_before += piece.line_ends;
                Ok(())
            }
            Err(Refused { line, cell, message }) => {
                let mut place = Place::of(self.name).row(self.lines_before + line);
                place.column = cell.map(|cell| cell as u64 + 1);
                Err(Error::data(place, message))
            }
        }
    }
}
