//! Tables of f32, and ones that must be read.

use ndarray::Array2;
use superstep::data::RowSource;
use superstep::{Place, Result};

/// Rows in f32.
pub(crate) fn narrow(rows: &Array2<f64>) -> Array2<f32> {
    rows.mapv(|value| value as f32)
}

/// A table that must be read, as a file must: it hands nothing out without a copy.
pub(crate) struct Stored(pub(crate) Array2<f32>);

impl RowSource for Stored {
    fn rows(&self) -> u64 {
        self.0.nrows() as u64
    }

    fn columns(&self) -> usize {
        self.0.ncols()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.0.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.0.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.0.place(row, column)
    }
}
