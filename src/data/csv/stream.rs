//! Text that comes piece by piece, as tables of a number of rows each.

use super::detect;
use super::head::{self, Layout};
use super::lines::lines_in;
use super::parse::{Refused, parse};
use super::text::{LONGEST_ROW, NO_END, row_ends};
use crate::data::collect::Block;
use crate::data::open::ReadOptions;
use crate::data::source::RowSource;
use crate::{Error, Place, Result};
use ndarray::Array2;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Gives the next piece of the text; `None` where it ends.
pub(crate) type NextPiece<'p> = &'p mut dyn FnMut() -> Result<Option<Vec<u8>>>;

/// Puts pieces of text together to batches of rows.
pub(crate) struct TextBatches {
    name: Arc<str>,
    rows: usize,
    options: ReadOptions,
    layout: Option<Layout>,
    /// Text that does not end with a row, and how many lines come before it.
    carry: Vec<u8>,
    lines_before: u64,
    is_first: bool,
    at_end: bool,
    /// Values and lines of the rows that are not handed out yet.
    values: VecDeque<f64>,
    lines: VecDeque<u64>,
}

impl TextBatches {
    pub(crate) fn new(name: &str, rows: usize, options: &ReadOptions) -> Self {
        Self {
            name: name.into(),
            rows: rows.max(1),
            options: options.clone(),
            layout: None,
            carry: Vec::new(),
            lines_before: 0,
            is_first: true,
            at_end: false,
            values: VecDeque::new(),
            lines: VecDeque::new(),
        }
    }

    /// The next batch: as many rows as asked for, fewer where the text ends; `None` once there are none.
    pub(crate) fn next(&mut self, piece: NextPiece) -> Result<Option<TextBatch>> {
        while self.lines.len() < self.rows && !self.at_end {
            match piece()? {
                Some(piece) => self.carry.extend(piece),
                None => self.at_end = true,
            }
            self.parse()?;
        }
        let rows = self.lines.len().min(self.rows);
        let Some(layout) = self.layout.as_ref().filter(|_| rows > 0) else { return Ok(None) };
        let columns = layout.columns();
        let values: Vec<f64> = self.values.drain(..rows * columns).collect();
        let lines = self.lines.drain(..rows).collect();
        let values = Array2::from_shape_vec((rows, columns), values)
            .map_err(|error| Error::data(Place::of(&*self.name), error.to_string()))?;
        let chosen = layout.chosen.clone();
        Ok(Some(TextBatch { name: self.name.clone(), values, lines, chosen }))
    }

    /// Takes the whole rows out of the text at hand.
    fn parse(&mut self) -> Result<()> {
        let delimiter = self.layout.as_ref().map(|layout| layout.delimiter).or(self.options.delimiter);
        let end = match row_ends(&self.carry, delimiter.unwrap_or(b','), usize::MAX / 2).last() {
            _ if self.at_end => self.carry.len(),
            Some(end) => *end,
            None if self.carry.len() >= LONGEST_ROW => {
                return Err(Error::data(Place::of(&*self.name).row(self.lines_before + 1), NO_END));
            }
            None => return Ok(()),
        };
        let rest = self.carry.split_off(end);
        let text = std::mem::replace(&mut self.carry, rest);
        let mut text = &text[..];
        if self.layout.is_none() {
            text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            let delimiter = delimiter.unwrap_or_else(|| detect::delimiter(text));
            match head::read(&self.name, text, delimiter, &self.options)? {
                Some(head) => {
                    self.lines_before += head.lines;
                    self.layout = Some(head.layout);
                    text = text.get(head.start..).unwrap_or_default();
                }
                // Blank lines, so far.
                None => {
                    self.lines_before += lines_in(text);
                    return Ok(());
                }
            }
        }
        let Some(layout) = &self.layout else { return Ok(()) };
        let piece = parse(text, layout, self.is_first).map_err(|Refused { line, cell, message }| {
            let mut place = Place::of(&*self.name).row(self.lines_before + line);
            place.column = cell.map(|cell| cell as u64 + 1);
            Error::data(place, message)
        })?;
        self.is_first &= piece.lines.rows() == 0;
        self.lines.extend((0..piece.lines.rows()).map(|row| self.lines_before + piece.lines.line(row)));
        self.lines_before += piece.line_ends;
        match piece.values {
            Block::Narrow(values) => self.values.extend(values.into_iter().map(f64::from)),
            Block::Wide(values) => self.values.extend(values),
        }
        Ok(())
    }
}

/// Some rows of a text.
pub(crate) struct TextBatch {
    name: Arc<str>,
    values: Array2<f64>,
    lines: Vec<u64>,
    /// The cells that became columns; `None` where all did.
    chosen: Option<Vec<usize>>,
}

impl RowSource for TextBatch {
    fn rows(&self) -> u64 {
        self.values.rows()
    }

    fn columns(&self) -> usize {
        self.values.columns()
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        self.values.in_memory(rows)
    }

    fn is_wide(&self) -> bool {
        true
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.values.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.values.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        let line = usize::try_from(row).ok().and_then(|row| self.lines.get(row)).copied();
        let cell = self.chosen.as_ref().and_then(|chosen| chosen.get(column)).copied().unwrap_or(column);
        let place = Place::of(&*self.name).column(cell as u64 + 1);
        line.map_or(place.clone(), |line| place.row(line))
    }
}
