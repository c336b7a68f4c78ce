//! Some rows of a source, as a source of their own.

use std::borrow::Cow;
use std::ops::Range;
use superstep::data::RowSource;
use superstep::{Place, Result};

/// The rows of a range, without a copy; places are those of the whole.
pub(super) struct Window<'a> {
    source: &'a dyn RowSource,
    rows: Range<u64>,
}

impl<'a> Window<'a> {
    /// The rows `range` of a source; rows past its end are left out.
    pub(super) fn new(source: &'a dyn RowSource, range: Range<u64>) -> Self {
        let end = range.end.min(source.rows());
        Self { source, rows: range.start.min(end)..end }
    }
}

impl RowSource for Window<'_> {
    fn rows(&self) -> u64 {
        self.rows.end - self.rows.start
    }

    fn columns(&self) -> usize {
        self.source.columns()
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        self.source.in_memory(self.rows.start + rows.start..self.rows.start + rows.end)
    }

    fn will_need(&self, rows: Range<u64>) {
        self.source.will_need(self.rows.start + rows.start..self.rows.start + rows.end);
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

    fn is_wide(&self) -> bool {
        self.source.is_wide()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.source.read_f64(self.rows.start + first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.source.read_f32(self.rows.start + first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.source.place(self.rows.start + row, column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_values_and_places_are_those_of_the_range() {
        let table = array![[0.0_f32, 1.0], [2.0, 3.0], [4.0, 5.0]];
        let window = Window::new(&table, 1..9);
        let mut row = [0.0; 2];
        window.read_f64(1, &mut row).expect("the row is there");
        assert_eq!((window.rows(), row), (2, [4.0, 5.0]));
        assert_eq!(window.in_memory(0..2), Some(&[2.0, 3.0, 4.0, 5.0][..]));
        assert_eq!(window.place(1, 0), table.place(2, 0));
        assert_eq!(Window::new(&table, 7..9).rows(), 0);
    }
}
