//! Sparse matrices as rows that a queue can cut, pin and stream like any others: compressed sparse rows in packs.
//!
//! Rows of a sparse matrix differ in length, some by a factor of a million, and what a queue cuts are rows of one length. So the
//! matrix is cut by its entries first: a *pack* is a small matrix in compressed sparse rows, of [`PACK_WORDS`] words whatever
//! its rows are like. A long row goes on in the next pack, and rows without entries are in none. Packs are then the rows that
//! partitions, devices and ranks share out: each gets as many entries as any other, however skewed the rows are.
//!
//! ```text
//! word 0         r, how many rows have entries in the pack
//! r words        their numbers, ascending
//! r words        where the entries of each end, counted from the pack's first
//! e words        the columns of the entries, e being the last of the ends
//! e words        their values, as f32
//! the rest       0
//! ```

use super::source::{RowSource, rows_of_read, rows_of_slice};
use crate::{Error, Place, Result};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// The 32-bit words of a pack.
pub const PACK_WORDS: usize = 256;

/// One entry of a sparse matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Its row, from 0.
    pub row: u32,
    /// Its column, from 0.
    pub column: u32,
    /// Its value.
    pub value: f32,
}

/// A sparse matrix of f32, in compressed sparse rows, as a table of packs: a [`RowSource`] whose rows are packs and whose
/// columns are their words.
///
/// The words are whole numbers and f32, bit by bit: they are to be read as [`Pack`]s, or in WGSL as `array<u32>`, and not as
/// numbers of a table.
///
/// ```
/// use superstep::data::{Entry, Pack, RowSource, SparseRows};
///
/// let entries = vec![Entry { row: 2, column: 0, value: 0.5 }, Entry { row: 0, column: 1, value: 3.0 }];
/// let matrix = SparseRows::new((3, 2), entries)?;
/// let words = matrix.in_memory(0..matrix.rows()).unwrap_or_default();
/// let mut rows = Vec::new();
/// for pack in Pack::all(words) {
///     rows.extend(pack?.rows().map(|(row, columns, values)| (row, columns.to_vec(), values.to_vec())));
/// }
/// assert_eq!(rows, [(0, vec![1], vec![3.0]), (2, vec![0], vec![0.5])]);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SparseRows {
    shape: (u32, u32),
    entries: u64,
    words: Vec<u32>,
}

impl SparseRows {
    /// A matrix of so many rows and columns, and its entries in any order; of several entries in one place the sum counts.
    ///
    /// Takes 8 bytes an entry and 8 bytes a row that has any, and as much again for the entries while it is made. Sorts them
    /// on the threads of the current pool.
    ///
    /// # Errors
    /// When an entry lies outside the matrix or its value is not finite; rows of the place count entries as they were given.
    pub fn new(shape: (u32, u32), mut entries: Vec<Entry>) -> Result<Self> {
        check(shape, &entries)?;
        entries.par_sort_unstable_by_key(|entry| (entry.row, entry.column));
        let mut packer = Packer::default();
        entries.chunk_by(|a, b| a.row == b.row).for_each(|row| packer.push(row));
        packer.close();
        Ok(Self { shape, entries: entries.len() as u64, words: packer.words })
    }

    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (u32, u32) {
        self.shape
    }

    /// How many entries it has.
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

fn check((rows, columns): (u32, u32), entries: &[Entry]) -> Result<()> {
    let is_wrong = |entry: &Entry| entry.row >= rows || entry.column >= columns || !entry.value.is_finite();
    let Some(at) = entries.par_iter().position_first(is_wrong) else { return Ok(()) };
    let message = match entries.get(at) {
        Some(entry) if entry.row < rows && entry.column < columns => format!("the value {} is not finite", entry.value),
        Some(entry) => {
            format!("row {} and column {} lie outside a matrix of {rows} × {columns}", entry.row, entry.column)
        }
        None => "there is no such entry".to_owned(),
    };
    Err(Error::data(Place::of("the sparse matrix").row(at as u64), message))
}

/// The pack that is being filled, and those that are full.
#[derive(Default)]
struct Packer {
    words: Vec<u32>,
    rows: Vec<u32>,
    ends: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<u32>,
}

impl Packer {
    /// How many entries of one more row there is room for.
    fn room(&self) -> usize {
        PACK_WORDS.saturating_sub(1 + 2 * (self.rows.len() + 1) + 2 * self.columns.len()) / 2
    }

    /// Adds the entries of a row.
    fn push(&mut self, mut entries: &[Entry]) {
        while let Some(first) = entries.first() {
            if self.room() == 0 {
                self.close();
            }
            let (now, later) = entries.split_at(self.room().min(entries.len()));
            self.rows.push(first.row);
            self.columns.extend(now.iter().map(|entry| entry.column));
            self.values.extend(now.iter().map(|entry| entry.value.to_bits()));
            self.ends.push(self.columns.len() as u32);
            entries = later;
        }
    }

    /// Ends the pack, unless it is empty.
    fn close(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let end = self.words.len() + PACK_WORDS;
        self.words.push(self.rows.len() as u32);
        for part in [&mut self.rows, &mut self.ends, &mut self.columns, &mut self.values] {
            self.words.append(part);
        }
        self.words.resize(end, 0);
    }
}

/// Some of the entries of a sparse matrix: those of one pack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pack<'w> {
    rows: &'w [u32],
    ends: &'w [u32],
    columns: &'w [u32],
    values: &'w [f32],
}

impl<'w> Pack<'w> {
    /// The packs in these words: those of rows that were read from [`SparseRows`]. Words behind the last whole pack are left out.
    ///
    /// # Errors
    /// Each pack is an error where its words are those of none.
    pub fn all(words: &'w [f32]) -> impl ExactSizeIterator<Item = Result<Self>> {
        let none = || Error::parameter("pack", "these words are no pack of a sparse matrix: give rows of `SparseRows`");
        words.chunks_exact(PACK_WORDS).map(move |words| Self::of(words).ok_or_else(none))
    }

    fn of(words: &'w [f32]) -> Option<Self> {
        let (count, rest) = bytemuck::cast_slice::<f32, u32>(words).split_first()?;
        let (rows, rest) = rest.split_at_checked(*count as usize)?;
        let (ends, rest) = rest.split_at_checked(rows.len())?;
        let (columns, rest) = rest.split_at_checked(ends.last().map_or(0, |end| *end as usize))?;
        let values = bytemuck::cast_slice(rest.get(..columns.len())?);
        ends.is_sorted().then_some(Self { rows, ends, columns, values })
    }

    /// Each row that has entries in the pack: its number, the columns of these entries and their values.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &'w [u32], &'w [f32])> {
        let Self { rows, ends, columns, values } = *self;
        let mut first = 0;
        rows.iter().zip(ends).map(move |(row, end)| {
            let range = first..*end as usize;
            first = range.end;
            // The ends ascend, and the last is the number of columns and values.
            (*row, columns.get(range.clone()).unwrap_or_default(), values.get(range).unwrap_or_default())
        })
    }
}

impl RowSource for SparseRows {
    fn rows(&self) -> u64 {
        (self.words.len() / PACK_WORDS) as u64
    }

    fn columns(&self) -> usize {
        PACK_WORDS
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        rows_of_slice(bytemuck::cast_slice(&self.words), PACK_WORDS, rows)
    }

    fn element_type(&self) -> Cow<'_, str> {
        Cow::Borrowed("words of a sparse matrix")
    }

    fn held(&self) -> u64 {
        size_of_val(self.words.as_slice()) as u64
    }

    fn read_f64(&self, _: u64, _: &mut [f64]) -> Result<()> {
        Err(Error::parameter("sparse rows", "are words of packs and no numbers: read them as f32, bit by bit"))
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        if !origin.is_empty() {
            return Err(Error::parameter("origin", "nothing can be taken off the words of a sparse matrix"));
        }
        let rows = rows_of_read(self.rows(), PACK_WORDS, first, origin, out.len())?;
        let words = self.in_memory(rows.start as u64..rows.end as u64);
        words
            .map(|words| out.copy_from_slice(words))
            .ok_or_else(|| Error::data(self.place(first, 0), "there is no such pack"))
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of("the sparse matrix, its packs").row(row).column(column as u64)
    }
}
