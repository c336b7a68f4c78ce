//! Kernels on the processor: one file a kernel, of the same stem as its WGSL.

mod host;
pub mod reduce;

pub use host::info;
