//! Kernels on the processor, block by block: each takes a block of rows and what it needs of the state, and writes its
//! part of the result. Knows neither threads (the items of the algorithms run these blocks in parallel) nor files.
//!
//! A kernel file has the stem of its WGSL twin. [`Nearest`] is the front of the two assignment kernels. The instruction
//! set is chosen at run time ([`Isa`]); every one gives the same bits.

mod assign_small;
mod assign_tiled;
mod exact;
mod isa;
mod nearest;
mod screen;
mod simd;

pub use exact::nearest_row;
pub use isa::Isa;
pub use nearest::{Distance, Nearest, Scratch};
