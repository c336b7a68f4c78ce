//! A task's part of a partitioned object.

use crate::data::RowSource;
use crate::{Error, Result};
use ndarray::ArrayView2;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The rows of one task: where they come from, and what was made of them.
pub(crate) struct RowsSlot<'a> {
    source: Arc<dyn RowSource + 'a>,
    pub(crate) range: Range<u64>,
    /// The rows as f32, for sources that are not that already; made when a view is asked for.
    dense: OnceLock<Vec<f32>>,
    #[cfg(feature = "gpu")]
    pub(crate) device: Option<Arc<crate::backend::gpu::DeviceBuffer>>,
}

impl<'a> RowsSlot<'a> {
    pub(crate) fn new(source: Arc<dyn RowSource + 'a>, range: Range<u64>) -> Self {
        Self {
            source,
            range,
            dense: OnceLock::new(),
            #[cfg(feature = "gpu")]
            device: None,
        }
    }

    pub(crate) fn task_rows(&self) -> TaskRows<'_> {
        TaskRows { source: &*self.source, range: self.range.clone(), dense: &self.dense }
    }
}

/// The rows that one task holds of a partitioned object.
#[derive(Clone)]
pub struct TaskRows<'c> {
    source: &'c (dyn RowSource + 'c),
    range: Range<u64>,
    dense: &'c OnceLock<Vec<f32>>,
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

    /// All the task's rows, `len × columns`: a view of the source's own memory where that is row-major f32, else of a
    /// copy that is made once and kept.
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

    /// The rows `range` of the task, counted from its first: a slice of the source's own memory where that is row-major
    /// f32, else read into `scratch`.
    ///
    /// # Errors
    /// When the range is outside the task's rows or the source cannot be read.
    pub fn read<'s>(&self, range: Range<usize>, scratch: &'s mut Vec<f32>) -> Result<&'s [f32]>
    where
        'c: 's,
    {
        if range.start > range.end || range.end > self.len() {
            let message = format!("rows {} to {} of a task that has {}", range.start, range.end, self.len());
            return Err(Error::parameter("range", message));
        }
        if let Some(values) = self.direct(range.clone()) {
            return Ok(values);
        }
        if let Some(dense) = self.dense.get() {
            return Ok(&dense[range.start * self.columns()..range.end * self.columns()]);
        }
        scratch.resize(range.len() * self.columns(), 0.0);
        self.source.read_f32(self.range.start + range.start as u64, &[], scratch)?;
        Ok(scratch)
    }

    fn direct(&self, range: Range<usize>) -> Option<&'c [f32]> {
        self.source.in_memory(self.range.start + range.start as u64..self.range.start + range.end as u64)
    }

    fn dense(&self) -> Result<&'c [f32]> {
        if let Some(dense) = self.dense.get() {
            return Ok(dense);
        }
        let mut values = vec![0.0; self.len() * self.columns()];
        self.source.read_f32(self.range.start, &[], &mut values)?;
        Ok(self.dense.get_or_init(|| values))
    }
}
