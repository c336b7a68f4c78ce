//! Kernels on the processor: one file a kernel, of the same stem as its WGSL.

mod host;

pub use host::info;
