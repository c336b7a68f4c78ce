//! Some columns of a table, in an order of one's own.

use std::borrow::Cow;
use std::ops::Range;

use super::source::{RowSource, rows_of_read};
use crate::{Error, Place, Result};

/// How many columns a message lists.
const LISTED: usize = 20;

/// Values of the whole rows that are read at a time.
const READ: usize = 1 << 16;

/// The columns of a source that were chosen, in the order given; the others are read and left out.
pub struct Select<S> {
    source: S,
    columns: Vec<usize>,
}

impl<S: RowSource> Select<S> {
    /// Chooses columns by their numbers, from 0.
    ///
    /// # Errors
    /// When there are none, one is not there, or one is given twice.
    pub fn new(source: S, columns: Vec<usize>) -> Result<Self> {
        let place = || Place::of(source.place(0, 0).source);
        if columns.is_empty() {
            return Err(Error::parameter("columns", "none is named; name at least one, or leave the choice away"));
        }
        for (index, column) in columns.iter().enumerate() {
            if *column >= source.columns() {
                return Err(Error::data(place(), unknown(&column.to_string(), None, source.columns(), 0)));
            }
            if columns.iter().take(index).any(|before| before == column) {
                return Err(twice(&column.to_string()));
            }
        }
        Ok(Self { source, columns })
    }

    /// Chooses columns by their numbers in words, as they come from a command line: `0`, `3`.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and when a word is no number.
    pub fn by_words(source: S, words: &[String]) -> Result<Self> {
        let columns = choose(&source.place(0, 0).source, words, None, source.columns(), 0)?;
        Self::new(source, columns)
    }

    /// Reads whole rows with `read(first row, values)` and picks the chosen columns out of them.
    fn read<T: Copy + Default>(
        &self,
        first: u64,
        out: &mut [T],
        read: impl Fn(u64, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        rows_of_read(self.rows(), self.columns(), first, &[], out.len())?;
        let width = self.source.columns();
        let rows = (READ / width).max(1);
        let mut buffer = vec![T::default(); width * rows.min(out.len() / self.columns())];
        let mut row = first;
        for out in out.chunks_mut(rows * self.columns()) {
            let count = out.len() / self.columns();
            let Some(whole) = buffer.get_mut(..count * width) else { break };
            read(row, whole)?;
            for (out, whole) in out.chunks_exact_mut(self.columns()).zip(whole.chunks_exact(width)) {
                for (out, column) in out.iter_mut().zip(&self.columns) {
                    *out = whole[*column];
                }
            }
            row += count as u64;
        }
        Ok(())
    }
}

impl<S: RowSource> RowSource for Select<S> {
    fn rows(&self) -> u64 {
        self.source.rows()
    }

    fn columns(&self) -> usize {
        self.columns.len()
    }

    fn will_need(&self, rows: Range<u64>) {
        self.source.will_need(rows);
    }

    fn is_wide(&self) -> bool {
        self.source.is_wide()
    }

    fn element_type(&self) -> Cow<'_, str> {
        self.source.element_type()
    }

    fn column_name(&self, column: usize) -> Option<&str> {
        self.source.column_name(*self.columns.get(column)?)
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }

    fn held(&self) -> u64 {
        self.source.held()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.read(first, out, |row, whole| self.source.read_f64(row, whole))
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        rows_of_read(self.rows(), self.columns(), first, origin, out.len())?;
        // The columns that are left out are rounded as they are; nobody sees them.
        let mut whole_origin = Vec::new();
        if !origin.is_empty() {
            whole_origin.resize(self.source.columns(), 0.0);
            for (origin, column) in origin.iter().zip(&self.columns) {
                whole_origin[*column] = *origin;
            }
        }
        self.read(first, out, |row, whole| self.source.read_f32(row, &whole_origin, whole))
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.source.place(row, self.columns.get(column).copied().unwrap_or(column))
    }
}

/// The numbers, from 0, of the columns that `words` name in a table of `count` columns: by name where the table has
/// `names`, else by number, of which the first is `from`.
///
/// # Errors
/// When there are no words, one names no column or several, or two name one.
pub(super) fn choose(
    source: &str,
    words: &[String],
    names: Option<&[String]>,
    count: usize,
    from: usize,
) -> Result<Vec<usize>> {
    if words.is_empty() {
        return Err(Error::parameter("columns", "none is named; name at least one, or leave the choice away"));
    }
    let mut chosen = Vec::with_capacity(words.len());
    for word in words {
        let column = match names {
            Some(names) => by_name(source, word, names)?,
            None => {
                word.parse().ok().and_then(|number: usize| number.checked_sub(from)).filter(|column| *column < count)
            }
        };
        let column = column.ok_or_else(|| Error::data(Place::of(source), unknown(word, names, count, from)))?;
        if chosen.contains(&column) {
            return Err(twice(word));
        }
        chosen.push(column);
    }
    Ok(chosen)
}

fn by_name(source: &str, word: &str, names: &[String]) -> Result<Option<usize>> {
    let mut fitting = names.iter().enumerate().filter(|(_, name)| *name == word).map(|(column, _)| column);
    let first = fitting.next();
    if fitting.next().is_some() {
        let message = format!("has more than one column named `{word}`; give the columns different names");
        return Err(Error::data(Place::of(source), message));
    }
    Ok(first)
}

fn twice(word: &str) -> Error {
    Error::parameter("columns", format!("`{word}` is named twice; name each column once"))
}

/// What is said of a column that is not there: those that are.
fn unknown(word: &str, names: Option<&[String]>, count: usize, from: usize) -> String {
    let there = match names {
        Some(names) => list(names),
        None if count == 1 => format!("its one column has no name and is number {from}"),
        None => format!("its columns have no names and are numbered {from} to {}", from + count.saturating_sub(1)),
    };
    format!("has no column `{word}`; {there}")
}

/// The names of columns, as far as a person reads them.
pub(super) fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("it has {}{more}", shown.join(", "))
}
