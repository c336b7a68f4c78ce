//! The algorithms, each written as a queue of items. They know the queue, the kernels' twins on the processor and
//! sources of data; none of them names a device's interface.

pub mod bisecting;
pub mod kmeans;
mod model_file;

pub use model_file::ModelKind;
