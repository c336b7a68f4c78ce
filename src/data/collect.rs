//! Rows of formats that are read from front to back, or are costly to decode, kept once parsed: in memory as far as
//! that is allowed, the rest in a temporary file.
//!
//! A [`Collector`] takes [`Block`]s of row-major values in order and ends as [`Collected`], a source of rows. Blocks
//! are kept as f32 until the first that no f32 holds exactly, and as f64 from then on; the rows before stay as they
//! are, since an f32 is exact in f64.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::arrays::convert;
use super::source::{RowSource, rows_of_read, rows_of_slice};
use super::spool::Spool;
use crate::{Error, Place, Result};

/// Values of a spool file that are decoded at a time: small enough for the processor's cache.
const DECODED: usize = 1 << 16;

/// The memory that parsed rows may take, shared by all files of one [`open`](super::open).
pub(super) struct Room(AtomicU64);

impl Room {
    /// So many bytes; `None` is no limit.
    pub(super) fn new(bytes: Option<u64>) -> Self {
        Self(AtomicU64::new(bytes.unwrap_or(u64::MAX)))
    }

    /// Takes bytes away; false, and nothing is taken, where they are not left.
    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(bytes) };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// Row-major values in the narrowest type that holds all of them exactly.
#[derive(Debug)]
pub(super) enum Block {
    Narrow(Vec<f32>),
    Wide(Vec<f64>),
}

impl Default for Block {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Block {
    /// Adds a value.
    pub(super) fn push(&mut self, value: f64) {
        match self {
            Self::Wide(values) => values.push(value),
            Self::Narrow(values) if f64::from(value as f32) == value || value.is_nan() => values.push(value as f32),
            Self::Narrow(values) => {
                let mut wide: Vec<f64> = Vec::with_capacity(values.capacity());
                wide.extend(values.iter().map(|value| f64::from(*value)));
                wide.push(value);
                *self = Self::Wide(wide);
            }
        }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow(values) => values.len(),
            Self::Wide(values) => values.len(),
        }
    }

    /// The same values, as f32 where each of them is exactly one.
    #[cfg(feature = "parquet")]
    pub(super) fn from_wide(values: Vec<f64>) -> Self {
        let is_narrow = |value: &f64| f64::from(*value as f32) == *value || value.is_nan();
        if values.iter().all(is_narrow) {
            return Self::Narrow(values.into_iter().map(|value| value as f32).collect());
        }
        Self::Wide(values)
    }

    fn into_wide(self) -> Vec<f64> {
        match self {
            Self::Narrow(values) => values.into_iter().map(f64::from).collect(),
            Self::Wide(values) => values,
        }
    }
}

/// Takes blocks in order.
pub(super) struct Collector<'a> {
    name: String,
    columns: usize,
    room: &'a Room,
    rows: u64,
    is_wide: bool,
    segments: Vec<Segment>,
    spool: Option<Spool>,
}

/// Rows that are kept in one way.
struct Segment {
    /// The number of its first row.
    first: u64,
    values: Values,
}

enum Values {
    Narrow(Vec<f32>),
    Wide(Vec<f64>),
    /// From this byte of the spool file on.
    Spooled {
        at: u64,
        is_wide: bool,
    },
}

impl<'a> Collector<'a> {
    /// For a table of `columns` columns from the file of this name.
    pub(super) fn new(name: impl Into<String>, columns: usize, room: &'a Room) -> Self {
        Self { name: name.into(), columns, room, rows: 0, is_wide: false, segments: Vec::new(), spool: None }
    }

    /// Adds whole rows after those that were added before.
    ///
    /// # Errors
    /// [`Error::Data`] when they are not whole rows; [`Error::Io`] with the folder when the temporary file cannot be
    /// made or written, such as on a full disk.
    pub(super) fn push(&mut self, block: Block) -> Result<()> {
        let values = block.len();
        if self.columns == 0 || !values.is_multiple_of(self.columns) {
            let message = format!("{values} values are not whole rows of {} columns", self.columns);
            return Err(Error::data(Place::of(&self.name), message));
        }
        if values == 0 {
            return Ok(());
        }
        let block = if self.is_wide { Block::Wide(block.into_wide()) } else { block };
        match &block {
            Block::Narrow(values) if self.keeps(size_of_val(&values[..])) => self.hold_narrow(values),
            Block::Wide(values) if self.keeps(size_of_val(&values[..])) => self.hold_wide(values),
            Block::Narrow(values) => self.spool(bytemuck::cast_slice(values), false)?,
            Block::Wide(values) => self.spool(bytemuck::cast_slice(values), true)?,
        }
        self.is_wide = matches!(block, Block::Wide(_));
        self.rows += (values / self.columns) as u64;
        Ok(())
    }

    /// Whether so many bytes more are kept in memory. What was spooled is followed by what is spooled.
    fn keeps(&self, bytes: usize) -> bool {
        self.spool.is_none() && self.room.take(bytes as u64)
    }

    fn hold_narrow(&mut self, block: &[f32]) {
        // One vector that grows, so that any range of rows lies in memory as one slice.
        match self.segments.last_mut().map(|segment| &mut segment.values) {
            Some(Values::Narrow(values)) => values.extend_from_slice(block),
            _ => self.segments.push(Segment { first: self.rows, values: Values::Narrow(block.to_vec()) }),
        }
    }

    fn hold_wide(&mut self, block: &[f64]) {
        match self.segments.last_mut().map(|segment| &mut segment.values) {
            Some(Values::Wide(values)) => values.extend_from_slice(block),
            _ => self.segments.push(Segment { first: self.rows, values: Values::Wide(block.to_vec()) }),
        }
    }

    fn spool(&mut self, bytes: &[u8], is_wide: bool) -> Result<()> {
        let at = Spool::in_place(&mut self.spool, "parsed rows")?.append(bytes)?;
        let goes_on =
            |segment: &Segment| matches!(segment.values, Values::Spooled { is_wide: so_far, .. } if so_far == is_wide);
        if !self.segments.last().is_some_and(goes_on) {
            self.segments.push(Segment { first: self.rows, values: Values::Spooled { at, is_wide } });
        }
        Ok(())
    }

    /// All rows, as a source.
    pub(super) fn finish(mut self) -> Collected {
        for segment in &mut self.segments {
            match &mut segment.values {
                Values::Narrow(values) => values.shrink_to_fit(),
                Values::Wide(values) => values.shrink_to_fit(),
                Values::Spooled { .. } => {}
            }
        }
        Collected {
            name: self.name,
            names: Vec::new(),
            notes: Vec::new(),
            rows: self.rows,
            columns: self.columns,
            is_wide: self.is_wide,
            segments: self.segments,
            spool: self.spool,
        }
    }
}

/// Parsed rows: those that were allowed in memory, then those in the temporary file.
///
/// Places count rows and columns from 0.
pub(super) struct Collected {
    name: String,
    /// Of each column; empty where they have none.
    names: Vec<String>,
    /// What a person should be told of the file, besides where its rows are.
    notes: Vec<String>,
    rows: u64,
    columns: usize,
    is_wide: bool,
    /// In the order of rows; the first begins at row 0.
    segments: Vec<Segment>,
    spool: Option<Spool>,
}

impl Collected {
    /// The same rows, with names for their columns, whether the file's own types are wide whatever the values, and what
    /// should be told of the file.
    #[cfg(feature = "parquet")]
    pub(super) fn described(mut self, names: Vec<String>, is_wide: bool, notes: Vec<String>) -> Self {
        self.names = names;
        self.is_wide |= is_wide;
        self.notes = notes;
        self
    }

    /// Reads rows through `finish(value, origin of its column)`; without an origin that is 0.
    fn read<O>(
        &self,
        first: u64,
        origin: &[f64],
        mut out: &mut [O],
        finish: impl Fn(f64, f64) -> O + Copy,
    ) -> Result<()> {
        rows_of_read(self.rows, self.columns, first, origin, out.len())?;
        let mut row = first;
        while !out.is_empty() {
            let (segment, end) = self.segment_of(row)?;
            let rows = (end - row).min((out.len() / self.columns) as u64);
            let (piece, rest) = out.split_at_mut(rows as usize * self.columns);
            self.read_segment(segment, row - segment.first, origin, piece, finish)?;
            out = rest;
            row += rows;
        }
        Ok(())
    }

    /// The segment of a row, and the row after its last.
    fn segment_of(&self, row: u64) -> Result<(&Segment, u64)> {
        let after = self.segments.partition_point(|segment| segment.first <= row);
        let end = self.segments.get(after).map_or(self.rows, |next| next.first);
        let segment = after.checked_sub(1).and_then(|index| self.segments.get(index));
        Ok((segment.ok_or_else(|| self.past_the_end())?, end))
    }

    fn read_segment<O>(
        &self,
        segment: &Segment,
        row: u64,
        origin: &[f64],
        out: &mut [O],
        finish: impl Fn(f64, f64) -> O + Copy,
    ) -> Result<()> {
        let start = row as usize * self.columns;
        let range = start..start + out.len();
        match &segment.values {
            Values::Narrow(values) => {
                convert(values.get(range).ok_or_else(|| self.past_the_end())?, origin, out, finish);
            }
            Values::Wide(values) => convert(values.get(range).ok_or_else(|| self.past_the_end())?, origin, out, finish),
            Values::Spooled { at, is_wide: false } => self.decode::<f32, O>(*at, start, origin, out, finish)?,
            Values::Spooled { at, is_wide: true } => self.decode::<f64, O>(*at, start, origin, out, finish)?,
        }
        Ok(())
    }

    /// Reads values of type `E` from value `start` of those at byte `at` of the spool file on.
    fn decode<E: super::Real + bytemuck::Pod, O>(
        &self,
        at: u64,
        start: usize,
        origin: &[f64],
        out: &mut [O],
        finish: impl Fn(f64, f64) -> O + Copy,
    ) -> Result<()> {
        let spool = self.spool.as_ref().ok_or_else(|| self.past_the_end())?;
        let step = (DECODED / self.columns).max(1) * self.columns;
        let mut buffer = vec![E::from_f64(0.0); step.min(out.len())];
        let mut offset = at + start as u64 * size_of::<E>() as u64;
        for out in out.chunks_mut(step) {
            let Some(values) = buffer.get_mut(..out.len()) else { break };
            spool.read_at(offset, bytemuck::cast_slice_mut(values))?;
            convert(values, origin, out, finish);
            offset += size_of_val(values) as u64;
        }
        Ok(())
    }

    fn past_the_end(&self) -> Error {
        Error::parameter("rows to read", format!("{}: they reach past what was collected", self.name))
    }
}

impl RowSource for Collected {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        if rows.start >= rows.end || rows.end > self.rows {
            return None;
        }
        let (segment, _) = self.segment_of(rows.start).ok()?;
        match &segment.values {
            Values::Narrow(values) => {
                rows_of_slice(values, self.columns, rows.start - segment.first..rows.end - segment.first)
            }
            _ => None,
        }
    }

    fn will_need(&self, rows: Range<u64>) {
        for (index, segment) in self.segments.iter().enumerate() {
            let end = self.segments.get(index + 1).map_or(self.rows, |next| next.first);
            let (first, last) = (rows.start.max(segment.first), rows.end.min(end));
            if let (Values::Spooled { at, is_wide }, Some(spool), true) = (&segment.values, &self.spool, first < last) {
                let size = self.columns as u64 * if *is_wide { 8 } else { 4 };
                spool.will_need(at + (first - segment.first) * size..at + (last - segment.first) * size);
            }
        }
    }

    fn is_wide(&self) -> bool {
        self.is_wide
    }

    fn column_name(&self, column: usize) -> Option<&str> {
        self.names.get(column).map(String::as_str)
    }

    fn held(&self) -> u64 {
        let bytes = self.segments.iter().map(|segment| match &segment.values {
            Values::Narrow(values) => size_of_val(&values[..]) as u64,
            Values::Wide(values) => size_of_val(&values[..]) as u64,
            Values::Spooled { .. } => 0,
        });
        bytes.sum()
    }

    fn notes(&self) -> Vec<String> {
        let spooled = self.spool.iter().map(|spool| spool.note(&self.name));
        self.notes.iter().cloned().chain(spooled).collect()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.read(first, &[], out, |value, _| value)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.read(first, origin, out, |value, origin| (value - origin) as f32)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        let place = Place::of(&self.name).row(row).column(column as u64);
        match self.names.get(column) {
            Some(name) => place.named(name),
            None => place,
        }
    }
}
