//! Kernels on the processor, block by block: each takes a block of rows and what it needs of the state, and writes its
//! part of the result. Knows neither threads (the items of the algorithms run these blocks in parallel) nor files.
//!
//! A kernel file has the stem of its WGSL twin. [`Nearest`] is the front of the two assignment kernels, [`Partials`]
//! are the sums of clusters, [`median_digit`] finds their medians. The instruction set is chosen at run time ([`Isa`]);
//! every one gives the same bits.

mod assign_small;
mod assign_tiled;
mod exact;
mod isa;
pub mod median_digit;
mod nearest;
pub mod reduce;
mod screen;
mod simd;
pub mod sum_by_label;

pub use exact::nearest_row;
pub use isa::Isa;
pub use nearest::{Distance, Nearest, Scratch};
pub use sum_by_label::{FixedPoint, LabelledRows, Partials, PartialsLayout, WideColumns};
