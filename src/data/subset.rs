//! Some rows of a table, as a table of their own.

use std::borrow::Cow;
use std::ops::Range;

use super::source::{RowSource, rows_of_read};
use super::tree::BLOCK;
use crate::{Error, Place, Result};

/// Rows a word of bits stands for.
const WORD: u64 = u64::BITS as u64;

/// Words of a block of rows.
const WORDS: usize = (BLOCK / WORD) as usize;

/// Up to so many values between chosen rows are read as well: one longer read takes less time than two.
const NEAR: u64 = 128;

/// Values read at a time where not all rows of a span are chosen.
const READ: usize = 1 << 16;

/// A set of the rows of a table: a bit for each row, and how many are chosen before each block of 4096.
///
/// An eighth of a byte a row, whatever is chosen: of a thousand million rows 125 MB.
///
/// ```
/// use superstep::data::RowSet;
///
/// let odd = RowSet::from_fn(9, |row| row % 2 == 1);
/// assert_eq!(odd.len(), 4);
/// assert_eq!((odd.row(2), odd.contains(5), odd.position(5)), (Some(5), true, 2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet {
    /// Of the whole table.
    rows: u64,
    words: Vec<u64>,
    /// How many rows are chosen before each block; the last entry counts all.
    before: Vec<u64>,
}

impl RowSet {
    /// The rows of a table of `rows` rows for which `choose` is true.
    pub fn from_fn(rows: u64, choose: impl Fn(u64) -> bool) -> Self {
        let bit = |row: u64| u64::from(row < rows && choose(row));
        let word = |word: u64| (0..WORD).fold(0, |bits, at| bits | bit(word * WORD + at) << at);
        Self::counted(rows, (0..rows.div_ceil(WORD)).map(word).collect())
    }

    /// The rows whose bits are set in the words, the lowest bit of the first word for row 0.
    ///
    /// # Errors
    /// When there are not ⌈rows / 64⌉ words.
    pub fn from_words(rows: u64, mut words: Vec<u64>) -> Result<Self> {
        if words.len() as u64 != rows.div_ceil(WORD) {
            let message = format!("{} words of 64 bits are not those of {rows} rows", words.len());
            return Err(Error::parameter("rows to choose", message));
        }
        if let Some(last) = words.last_mut().filter(|_| !rows.is_multiple_of(WORD)) {
            *last &= (1 << (rows % WORD)) - 1;
        }
        Ok(Self::counted(rows, words))
    }

    fn counted(rows: u64, words: Vec<u64>) -> Self {
        let mut count = 0;
        let mut before = vec![0];
        for block in words.chunks(WORDS) {
            count += block.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
            before.push(count);
        }
        Self { rows, words, before }
    }

    /// How many rows the whole table has.
    pub fn of_rows(&self) -> u64 {
        self.rows
    }

    /// How many rows are chosen.
    pub fn len(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row is chosen.
    pub fn contains(&self, row: u64) -> bool {
        row < self.rows && self.word(row / WORD) >> (row % WORD) & 1 == 1
    }

    /// How many rows are chosen before this one.
    pub fn position(&self, row: u64) -> u64 {
        let row = row.min(self.rows);
        let block = (row / BLOCK) as usize;
        let words = (block * WORDS) as u64..row / WORD;
        let whole: u64 = words.map(|word| u64::from(self.word(word).count_ones())).sum();
        let part = self.word(row / WORD) & ((1 << (row % WORD)) - 1);
        self.before.get(block).copied().unwrap_or(0) + whole + u64::from(part.count_ones())
    }

    /// The chosen row that has so many before it; `None` where there are not as many.
    pub fn row(&self, position: u64) -> Option<u64> {
        if position >= self.len() {
            return None;
        }
        let block = self.before.partition_point(|before| *before <= position).checked_sub(1)?;
        let mut left = position - self.before.get(block)?;
        for (at, word) in self.words.get(block * WORDS..)?.iter().enumerate() {
            let count = u64::from(word.count_ones());
            if left < count {
                let rest = (0..left).fold(*word, |word, _| word & (word - 1));
                return Some((block * WORDS + at) as u64 * WORD + u64::from(rest.trailing_zeros()));
            }
            left -= count;
        }
        None
    }

    /// The chosen rows from the one at `position` on, in order.
    pub fn rows_from(&self, position: u64) -> impl Iterator<Item = u64> + '_ {
        let first = self.row(position).unwrap_or(self.rows);
        let words = first / WORD..self.words.len() as u64;
        words.flat_map(move |at| {
            let skipped = if at == first / WORD { first % WORD } else { 0 };
            let mut word = self.word(at) >> skipped << skipped;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| u64::from(word.trailing_zeros()))?;
                word &= word - 1;
                Some(at * WORD + bit)
            })
        })
    }

    fn word(&self, at: u64) -> u64 {
        self.words.get(at as usize).copied().unwrap_or(0)
    }
}

/// The rows of a source that a [`RowSet`] holds, in their order: nothing is copied, rows are read as they are asked for.
pub struct Subset<'a, S> {
    source: S,
    chosen: &'a RowSet,
}

impl<'a, S: RowSource> Subset<'a, S> {
    /// The chosen rows of a source.
    ///
    /// # Errors
    /// When the set is one of another number of rows.
    pub fn new(source: S, chosen: &'a RowSet) -> Result<Self> {
        if chosen.of_rows() != source.rows() {
            let message = format!("they are of {} rows, the table has {}", chosen.of_rows(), source.rows());
            return Err(Error::parameter("rows to choose", message));
        }
        Ok(Self { source, chosen })
    }

    /// Reads spans of rows with `read(first row, values)` and keeps those that are chosen.
    fn read<T: Copy + Default>(
        &self,
        first: u64,
        out: &mut [T],
        read: impl Fn(u64, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        let columns = self.columns();
        rows_of_read(self.rows(), columns, first, &[], out.len())?;
        let (longest, near) = ((READ / columns).max(1) as u64, NEAR / columns as u64);
        let mut rows = self.chosen.rows_from(first).take(out.len() / columns).peekable();
        let mut left = out;
        let mut span: Vec<u64> = Vec::new();
        let mut buffer = Vec::new();
        while let Some(row) = rows.next() {
            span.push(row);
            let start = span[0];
            if rows.peek().is_some_and(|next| next - row <= near + 1 && next - start < longest) {
                continue;
            }
            let Some((out, rest)) = std::mem::take(&mut left).split_at_mut_checked(span.len() * columns) else { break };
            if row - start + 1 == span.len() as u64 {
                read(start, out)?;
            } else {
                buffer.resize((row - start + 1) as usize * columns, T::default());
                read(start, &mut buffer)?;
                for (out, row) in out.chunks_exact_mut(columns).zip(&span) {
                    out.copy_from_slice(&buffer[(row - start) as usize * columns..][..columns]);
                }
            }
            left = rest;
            span.clear();
        }
        Ok(())
    }

    /// The rows of the source from the first of a range to its last, those between them included.
    fn span(&self, rows: &Range<u64>) -> Option<Range<u64>> {
        let last = rows.end.checked_sub(1).filter(|last| *last >= rows.start)?;
        Some(self.chosen.row(rows.start)?..self.chosen.row(last)? + 1)
    }
}

impl<S: RowSource> RowSource for Subset<'_, S> {
    fn rows(&self) -> u64 {
        self.chosen.len()
    }

    fn columns(&self) -> usize {
        self.source.columns()
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        let span = self.span(&rows)?;
        let gapless = span.end - span.start == rows.end - rows.start;
        if gapless { self.source.in_memory(span) } else { None }
    }

    fn will_need(&self, rows: Range<u64>) {
        if let Some(span) = self.span(&rows) {
            self.source.will_need(span);
        }
    }

    fn is_wide(&self) -> bool {
        self.source.is_wide()
    }

    fn element_type(&self) -> Cow<'_, str> {
        self.source.element_type()
    }

    fn column_name(&self, column: usize) -> Option<&str> {
        self.source.column_name(column)
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }

    fn held(&self) -> u64 {
        self.source.held()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.read(first, out, |row, values| self.source.read_f64(row, values))
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        rows_of_read(self.rows(), self.columns(), first, origin, out.len())?;
        self.read(first, out, |row, values| self.source.read_f32(row, origin, values))
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.source.place(self.chosen.row(row).unwrap_or(row), column)
    }
}
