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
use super::spool::Spool;
use crate::{Error, Place, Result};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The 32-bit words of a pack.
pub const PACK_WORDS: usize = 256;

/// The bytes of a pack.
const PACK_BYTES: u64 = size_of::<[u32; PACK_WORDS]>() as u64;

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
#[derive(Debug, Clone)]
pub struct SparseRows {
    shape: (u32, u32),
    entries: u64,
    packs: u64,
    /// The words of the first packs; those of the others are in the file.
    held: Vec<u32>,
    spool: Option<Arc<Spool>>,
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
        if let Some(at) = entries.par_iter().position_first(|entry| entry.refused_by(shape).is_some()) {
            let message = entries.get(at).and_then(|entry| entry.refused_by(shape)).unwrap_or_default();
            return Err(wrong_entry(at as u64, message));
        }
        entries.par_sort_unstable_by_key(|entry| (entry.row, entry.column));
        Self::of_sorted(shape, entries.into_iter().map(Ok), u64::MAX)
    }

    /// The same of entries in the order of their rows, which are taken one after the other and may be more than memory holds.
    /// Packs beyond so many bytes go to a temporary file, in the system's folder for such (on Unix, `TMPDIR`), from which
    /// they are streamed.
    ///
    /// # Errors
    /// The first that an entry is; when an entry lies outside the matrix, comes after one of a later row, or its value is not finite,
    /// with its number; when the temporary file cannot be written.
    pub fn of_sorted(shape: (u32, u32), entries: impl IntoIterator<Item = Result<Entry>>, memory: u64) -> Result<Self> {
        let (mut packer, mut count, mut last) = (Packer::within(memory), 0, 0);
        for entry in entries {
            let entry = entry?;
            if let Some(message) = entry.refused_by(shape) {
                return Err(wrong_entry(count, message));
            }
            if entry.row < last {
                return Err(wrong_entry(
                    count,
                    format!("row {} comes after row {last}: sort entries by row", entry.row),
                ));
            }
            packer.push(entry)?;
            (count, last) = (count + 1, entry.row);
        }
        packer.finish(shape, count)
    }

    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (u32, u32) {
        self.shape
    }

    /// How many entries it has.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How many packs lie in memory, which are the first.
    fn packs_held(&self) -> u64 {
        (self.held.len() / PACK_WORDS) as u64
    }
}

impl Entry {
    /// Why a matrix of this shape cannot have it.
    fn refused_by(self, (rows, columns): (u32, u32)) -> Option<String> {
        let Self { row, column, value } = self;
        if row >= rows || column >= columns {
            return Some(format!("row {row} and column {column} lie outside a matrix of {rows} × {columns}"));
        }
        (!value.is_finite()).then(|| format!("the value {value} is not finite"))
    }
}

fn wrong_entry(at: u64, message: String) -> Error {
    Error::data(Place::of("the sparse matrix").row(at), message)
}

/// Bytes of packs that are written to the temporary file at a time.
const WRITTEN: usize = 1 << 20;

/// The pack that is being filled, and those that are full.
struct Packer {
    rows: Vec<u32>,
    ends: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<u32>,
    packs: u64,
    /// How many bytes of packs are kept in memory, at most.
    memory: u64,
    held: Vec<u32>,
    /// Words that are still to be written to the file.
    unwritten: Vec<u32>,
    spool: Option<Spool>,
}

impl Packer {
    fn within(memory: u64) -> Self {
        let [rows, ends, columns, values, held, unwritten] = [const { Vec::new() }; 6];
        Self { rows, ends, columns, values, packs: 0, memory, held, unwritten, spool: None }
    }

    /// Adds the next entry.
    fn push(&mut self, Entry { row, column, value }: Entry) -> Result<()> {
        let mut is_new = self.rows.last() != Some(&row);
        let words = 1 + 2 * self.rows.len() + 2 * self.columns.len();
        if words + if is_new { 4 } else { 2 } > PACK_WORDS {
            self.close()?;
            is_new = true;
        }
        if is_new {
            self.rows.push(row);
            self.ends.push(self.columns.len() as u32);
        }
        self.columns.push(column);
        self.values.push(value.to_bits());
        if let Some(end) = self.ends.last_mut() {
            *end += 1;
        }
        Ok(())
    }

    /// Ends the pack, unless it is empty.
    fn close(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.packs += 1;
        let held = self.packs.saturating_mul(PACK_BYTES) <= self.memory;
        let words = if held { &mut self.held } else { &mut self.unwritten };
        let end = words.len() + PACK_WORDS;
        words.push(self.rows.len() as u32);
        for part in [&mut self.rows, &mut self.ends, &mut self.columns, &mut self.values] {
            words.append(part);
        }
        words.resize(end, 0);
        if size_of_val(self.unwritten.as_slice()) < WRITTEN { Ok(()) } else { self.write() }
    }

    /// Writes what is to be written.
    fn write(&mut self) -> Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        Spool::in_place(&mut self.spool, "sparse rows")?.append(bytemuck::cast_slice(&self.unwritten))?;
        self.unwritten.clear();
        Ok(())
    }

    /// The matrix of all packs.
    fn finish(mut self, shape: (u32, u32), entries: u64) -> Result<SparseRows> {
        self.close()?;
        self.write()?;
        self.held.shrink_to_fit();
        let Self { packs, held, spool, .. } = self;
        Ok(SparseRows { shape, entries, packs, held, spool: spool.map(Arc::new) })
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
        self.packs
    }

    fn columns(&self) -> usize {
        PACK_WORDS
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        rows_of_slice(bytemuck::cast_slice(&self.held), PACK_WORDS, rows)
    }

    fn will_need(&self, rows: Range<u64>) {
        let spooled = |row: u64| row.saturating_sub(self.packs_held()) * PACK_BYTES;
        if let Some(spool) = self.spool.as_ref().filter(|_| rows.end > self.packs_held()) {
            spool.will_need(spooled(rows.start)..spooled(rows.end));
        }
    }

    fn element_type(&self) -> Cow<'_, str> {
        Cow::Borrowed("words of a sparse matrix")
    }

    fn notes(&self) -> Vec<String> {
        self.spool.iter().map(|spool| spool.note("the sparse matrix")).collect()
    }

    fn held(&self) -> u64 {
        size_of_val(self.held.as_slice()) as u64
    }

    fn read_f64(&self, _: u64, _: &mut [f64]) -> Result<()> {
        Err(Error::parameter("sparse rows", "are words of packs and no numbers: read them as f32, bit by bit"))
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        if !origin.is_empty() {
            return Err(Error::parameter("origin", "nothing can be taken off the words of a sparse matrix"));
        }
        let rows = rows_of_read(self.rows(), PACK_WORDS, first, origin, out.len())?;
        let held = first.min(self.packs_held())..(rows.end as u64).min(self.packs_held());
        let held = self.in_memory(held).unwrap_or_default();
        let (from_memory, from_file) = out.split_at_mut(held.len());
        from_memory.copy_from_slice(held);
        match &self.spool {
            Some(spool) if !from_file.is_empty() => {
                let at = first.saturating_sub(self.packs_held()) * PACK_BYTES;
                spool.read_at(at, bytemuck::cast_slice_mut(from_file))
            }
            _ => Ok(()),
        }
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of("the sparse matrix, its packs").row(row).column(column as u64)
    }
}
