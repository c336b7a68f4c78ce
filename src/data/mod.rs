//! Sources of rows, how they are cut into partitions, and their validation before any work. Knows nobody.

mod source;

pub use source::RowSource;
