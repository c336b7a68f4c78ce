//! The algorithms, each written as a queue of items. They know the queue, the kernels' twins on the processor and
//! sources of data; none of them names a device's interface.

pub mod kmeans;
