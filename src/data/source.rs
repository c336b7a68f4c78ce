//! The trait that every source of rows implements.

use crate::{Place, Result};

/// A table of numbers, `rows × columns`, that can be read block by block as f32 or f64.
///
/// Sources are read from several threads at once. Values are handed out in row-major order whatever the order and
/// type they are stored in; nothing is ever converted as a whole copy.
pub trait RowSource: Send + Sync {
    /// How many rows there are.
    fn rows(&self) -> u64;

    /// How many columns each row has.
    fn columns(&self) -> usize;

    /// All values at once where they already lie in memory as row-major f32 (`rows × columns` of them).
    fn as_f32(&self) -> Option<&[f32]> {
        None
    }

    /// Whether the source's own element type carries more than an f32 does (f64, 32- and 64-bit integers).
    fn is_wide(&self) -> bool {
        false
    }

    /// Reads whole rows as f64, from row `first` on; `out.len()` is a multiple of [`columns`](Self::columns).
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()>;

    /// Reads whole rows as f32, from row `first` on, each value less its column's `origin` (empty: nothing is taken
    /// off). The difference is formed in f64 and rounded once.
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()>;

    /// Where a value came from, for messages: file, row and column as a person counts them there.
    fn place(&self, row: u64, column: usize) -> Place;
}
