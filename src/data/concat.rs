//! Several sources, one after the other, as one.

use std::borrow::Cow;
use std::ops::Range;

use super::source::{RowSource, rows_of_read};
use crate::{Error, Place, Result};

/// Sources of equal width, read as one table in the order given.
pub struct Concat<'a> {
    parts: Vec<Box<dyn RowSource + 'a>>,
    /// The global number of each part's first row, and after the last the number of all rows.
    starts: Vec<u64>,
    columns: usize,
}

impl<'a> Concat<'a> {
    /// Puts `parts` one after the other.
    ///
    /// # Errors
    /// When there are none, or two differ in width; the message names both.
    pub fn new(parts: Vec<Box<dyn RowSource + 'a>>) -> Result<Self> {
        let Some(head) = parts.first() else {
            return Err(Error::parameter("input", "no source of rows was given; name at least one"));
        };
        let columns = head.columns();
        let mut starts = vec![0];
        let mut rows = 0u64;
        for part in &parts {
            Self::check_width(&**head, &**part)?;
            rows = rows.checked_add(part.rows()).ok_or_else(|| Error::parameter("input", "more than 2^64 rows"))?;
            starts.push(rows);
        }
        Ok(Self { parts, starts, columns })
    }

    /// Checks that a part is as wide as the first.
    pub(super) fn check_width(head: &dyn RowSource, part: &dyn RowSource) -> Result<()> {
        if part.columns() == head.columns() {
            return Ok(());
        }
        let message = format!(
            "has {} columns where {} has {}; files read together must have the same columns",
            part.columns(),
            head.place(0, 0).source,
            head.columns(),
        );
        Err(Error::data(Place::of(part.place(0, 0).source), message))
    }

    /// The part that holds a row (the last, for rows past the end), and the row's number within it.
    fn locate(&self, row: u64) -> (usize, u64) {
        let after = self.starts.partition_point(|start| *start <= row);
        let part = after.saturating_sub(1).min(self.parts.len() - 1);
        (part, row - self.starts[part])
    }

    /// Hands each part the piece of `out` that its rows fill: `read(part, its first row, piece)`.
    fn read<T>(
        &self,
        first: u64,
        origin: &[f64],
        mut out: &mut [T],
        read: impl Fn(&dyn RowSource, u64, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        rows_of_read(self.rows(), self.columns, first, origin, out.len())?;
        let mut row = first;
        while !out.is_empty() {
            let (part, local) = self.locate(row);
            let left = self.starts[part + 1] - row;
            let rows = left.min((out.len() / self.columns) as u64);
            let (piece, rest) = out.split_at_mut(rows as usize * self.columns);
            read(&self.parts[part], local, piece)?;
            out = rest;
            row += rows;
        }
        Ok(())
    }
}

impl RowSource for Concat<'_> {
    fn rows(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn is_wide(&self) -> bool {
        self.parts.iter().any(|part| part.is_wide())
    }

    fn will_need(&self, rows: Range<u64>) {
        let (mut row, end) = (rows.start, rows.end.min(self.rows()));
        while row < end {
            let (part, local) = self.locate(row);
            let count = (self.starts[part + 1] - row).min(end - row);
            self.parts[part].will_need(local..local + count);
            row += count;
        }
    }

    fn element_type(&self) -> Cow<'_, str> {
        let mut types: Vec<Cow<'_, str>> = Vec::new();
        for part in &self.parts {
            let of_part = part.element_type();
            if !types.contains(&of_part) {
                types.push(of_part);
            }
        }
        Cow::Owned(types.join(", "))
    }

    fn column_name(&self, column: usize) -> Option<&str> {
        self.parts[0].column_name(column)
    }

    fn notes(&self) -> Vec<String> {
        self.parts.iter().flat_map(|part| part.notes()).collect()
    }

    fn held(&self) -> u64 {
        self.parts.iter().map(|part| part.held()).sum()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.read(first, &[], out, |part, row, piece| part.read_f64(row, piece))
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.read(first, origin, out, |part, row, piece| part.read_f32(row, origin, piece))
    }

    fn place(&self, row: u64, column: usize) -> Place {
        let (part, row) = self.locate(row);
        self.parts[part].place(row, column)
    }
}
