//! Kernels on the processor: one file a kernel, of the same stem as its WGSL.

pub mod reduce;
