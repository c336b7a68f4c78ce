//! A task's part of a partitioned object.

use super::memory::{Memory, Reservation};
use crate::data::RowSource;
use crate::{Error, Result};
use ndarray::ArrayView2;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Values that one thread copies at a time while rows are pinned.
const PIECE_VALUES: usize = 1 << 18;

/// The rows of one task: where they come from, and what was made of them.
pub(crate) struct RowsSlot<'a> {
    source: Arc<dyn RowSource + 'a>,
    pub(crate) range: Range<u64>,
    /// The rows as f32, for sources that do not lie in memory as that: pinned for all rounds, or made when a view is asked
    /// for and let go after the chain.
    dense: OnceLock<Vec<f32>>,
    pinned: Option<Reservation>,
    meter: Arc<StreamMeter>,
    #[cfg(feature = "gpu")]
    pub(crate) device: Option<Arc<crate::backend::gpu::DeviceBuffer>>,
    /// The device memory of rows that these have come after.
    #[cfg(feature = "gpu")]
    pub(crate) spare: Option<Arc<crate::backend::gpu::DeviceBuffer>>,
}

/// What the streamed rows of a run have cost.
#[derive(Default)]
pub(crate) struct StreamMeter {
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl StreamMeter {
    pub(crate) fn note(&self, values: usize, begun: Instant) {
        self.bytes.fetch_add((values * size_of::<f32>()) as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// The bytes of rows that were read, as f32, and the time that all threads together spent on it.
    pub(crate) fn read(&self) -> (u64, Duration) {
        let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
        (self.bytes.load(Ordering::Relaxed), Duration::from_nanos(nanoseconds))
    }
}

impl<'a> RowsSlot<'a> {
    pub(crate) fn new(source: Arc<dyn RowSource + 'a>, range: Range<u64>, meter: Arc<StreamMeter>) -> Self {
        Self {
            source,
            range,
            dense: OnceLock::new(),
            pinned: None,
            meter,
            #[cfg(feature = "gpu")]
            device: None,
            #[cfg(feature = "gpu")]
            spare: None,
        }
    }

    /// Goes on with the device memory of the rows before these.
    pub(crate) fn after(mut self, before: Option<Self>) -> Self {
        #[cfg(feature = "gpu")]
        {
            self.spare = before.and_then(|before| before.device.or(before.spare));
        }
        #[cfg(not(feature = "gpu"))]
        {
            let _ = (&mut self, before);
        }
        self
    }

    pub(crate) fn task_rows(&self) -> TaskRows<'_> {
        TaskRows { source: &*self.source, range: self.range.clone(), dense: &self.dense, meter: &self.meter }
    }

    /// The bytes of the rows as f32.
    pub(crate) fn bytes(&self) -> u64 {
        (self.range.end - self.range.start) * (self.source.columns() * size_of::<f32>()) as u64
    }

    /// Whether the rows are read anew in every round.
    pub(crate) fn is_streamed(&self) -> bool {
        self.pinned.is_none() && self.source.in_memory(self.range.clone()).is_none() && !self.range.is_empty()
    }

    /// Brings the rows into memory for all rounds, if they fit.
    pub(crate) fn pin(&mut self, memory: &Memory) -> Result<()> {
        if self.is_streamed()
            && let Ok(reservation) = memory.reserve("the rows", self.bytes())
        {
            self.task_rows().dense()?;
            self.pinned = Some(reservation);
        }
        Ok(())
    }

    /// Says that the rows are read next.
    pub(crate) fn will_need(&self) {
        if self.is_streamed() {
            self.source.will_need(self.range.clone());
        }
    }

    /// Lets a copy go that was made for one chain.
    pub(crate) fn release(&mut self) {
        if self.pinned.is_none() {
            self.dense = OnceLock::new();
        }
    }
}

/// The rows that one task holds of a partitioned object.
#[derive(Clone)]
pub struct TaskRows<'c> {
    source: &'c (dyn RowSource + 'c),
    range: Range<u64>,
    dense: &'c OnceLock<Vec<f32>>,
    meter: &'c StreamMeter,
}

impl<'c> TaskRows<'c> {
    /// How many rows the task has.
    pub fn len(&self) -> usize {
        (self.range.end - self.range.start) as usize
    }

    /// Whether the task has no rows, as the last ones may where there are more tasks than rows.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// How many columns each row has.
    pub fn columns(&self) -> usize {
        self.source.columns()
    }

    /// The number of the task's first row in the whole.
    pub fn first_row(&self) -> u64 {
        self.range.start
    }

    /// All the task's rows, `len × columns`: a view of memory where they lie there as row-major f32, else of a copy, kept
    /// for all rounds where the session's memory holds it and for this chain where it does not.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn view(&self) -> Result<ArrayView2<'c, f32>> {
        let shape = (self.len(), self.columns());
        let values = match self.direct(0..self.len()) {
            Some(values) => values,
            None => self.dense()?,
        };
        ArrayView2::from_shape(shape, values).map_err(|_| {
            Error::data(self.source.place(self.range.start, 0), "the source gave another number of values")
        })
    }

    /// The rows `range` of the task, counted from its first: a slice of memory where they lie there as row-major f32, else
    /// read into `scratch`. Reading a task block by block this way takes no more memory than a block.
    ///
    /// # Errors
    /// When the range is outside the task's rows or the source cannot be read.
    pub fn read<'s>(&self, range: Range<usize>, scratch: &'s mut Vec<f32>) -> Result<&'s [f32]>
    where
        'c: 's,
    {
        self.check(&range)?;
        if let Some(values) = self.held(range.clone()) {
            return Ok(values);
        }
        scratch.resize(range.len() * self.columns(), 0.0);
        self.stream(range.start, scratch)?;
        Ok(scratch)
    }

    /// The rows from `first` on, of which `out` holds a whole number.
    #[cfg(feature = "gpu")]
    pub(crate) fn read_into(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let range = first..first + out.len() / self.columns().max(1);
        self.check(&range)?;
        match self.held(range.clone()) {
            Some(values) => {
                out.copy_from_slice(values);
                Ok(())
            }
            None => self.stream(range.start, out),
        }
    }

    fn check(&self, range: &Range<usize>) -> Result<()> {
        if range.start <= range.end && range.end <= self.len() {
            return Ok(());
        }
        let message = format!("rows {} to {} of a task that has {}", range.start, range.end, self.len());
        Err(Error::parameter("range", message))
    }

    fn held(&self, range: Range<usize>) -> Option<&'c [f32]> {
        let dense = || self.dense.get()?.get(range.start * self.columns()..range.end * self.columns());
        self.direct(range.clone()).or_else(dense)
    }

    fn direct(&self, range: Range<usize>) -> Option<&'c [f32]> {
        self.source.in_memory(self.range.start + range.start as u64..self.range.start + range.end as u64)
    }

    fn stream(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let begun = Instant::now();
        self.source.read_f32(self.range.start + first as u64, &[], out)?;
        self.meter.note(out.len(), begun);
        Ok(())
    }

    fn dense(&self) -> Result<&'c [f32]> {
        if let Some(dense) = self.dense.get() {
            return Ok(dense);
        }
        let columns = self.columns().max(1);
        let mut values = vec![0.0; self.len() * self.columns()];
        let rows = (PIECE_VALUES / columns).max(1);
        let pieces = values.par_chunks_mut(rows * columns).enumerate();
        pieces.try_for_each(|(piece, values)| self.stream(piece * rows, values))?;
        Ok(self.dense.get_or_init(|| values))
    }
}
