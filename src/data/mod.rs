//! Sources of rows, how they are cut into partitions, and their validation before any work. Knows nobody.
//!
//! A [`RowSource`] is a table of numbers that is read block by block: an `ndarray` array, a slice, a file, or several
//! files that [`open`] puts together. A [`Dataset`] is a source that has been read once and found good: it knows its
//! [`Statistics`] and the origin that is taken off each row when it is rounded to f32. [`SparseRows`] are sparse matrices, and an
//! [`EdgeList`] is a graph from files. [`cut`] says which rows go to
//! which partition, and [`output`] writes results. [`Batches`] are tables that come one after the other, maybe without end.
//!
//! Files are of two kinds. In binary ones ([`NpyFile`], stored arrays of an [`NpzFile`], [`VectorFile`], [`TensorFile`])
//! rows lie as they are: they are read by position when they are asked for, and nothing is kept. Others (text, Parquet,
//! Arrow, compressed arrays) are decoded once, when they are opened, into memory or a temporary file.

mod arrays;
mod batches;
mod binary;
mod collect;
#[cfg(feature = "parquet")]
mod columnar;
mod concat;
mod csv;
mod dataset;
mod dtype;
mod edges;
mod file;
mod inputs;
mod npy;
mod npz;
mod open;
pub mod output;
mod partition;
mod random;
mod select;
mod shuffle;
mod source;
mod sparse;
mod spool;
mod statistics;
mod subset;
mod tensors;
mod tree;
mod vectors;
pub(crate) mod wire;

pub use arrays::Real;
pub use batches::Batches;
pub use concat::Concat;
pub use csv::CsvFile;
pub(crate) use dataset::ALL_ZERO;
pub use dataset::{Dataset, Origin, Weights};
pub use edges::{Edge, EdgeList, Edges, Nodes, read_node_weights};
pub(crate) use edges::{SortedEdges, checked_weight};
pub use inputs::{EXTENSIONS, Input, inputs};
pub use npy::{NpyElement, NpyFile, write_npy};
pub use npz::NpzFile;
pub use open::{ReadOptions, open, open_input};
pub use partition::{cut, cut_by_shares};
pub use random::Philox;
pub use select::Select;
pub(crate) use shuffle::Shuffle;
pub use source::RowSource;
pub use sparse::{Entry, PACK_WORDS, Pack, SparseRows};
pub use statistics::{Statistics, Survey};
pub use subset::{RowSet, Subset};
pub use tensors::TensorFile;
pub(crate) use tree::{BLOCK, Tree, blocks_of, rows_of_block};
pub use vectors::VectorFile;
