//! Kernels on the processor, block by block: each takes a block of rows and what it needs of the state, and writes its
//! part of the result. Knows neither threads (the items of the algorithms run these blocks in parallel) nor files.
//!
//! A kernel file has the stem of its WGSL twin. [`Nearest`] is the front of the two assignment kernels, [`Partials`]
//! are the sums of clusters, [`median_digit`] and [`median_pick`] find their medians. [`Multiplier`] and [`ProductSums`] are the products of rows with a small
//! matrix, and of their columns with what rows have become; [`scale_rows`], [`responsibilities`] and [`MomentSums`] the steps of mixtures; [`residuals`] is what a linear model makes of rows in
//! between. [`multiply_sparse`] is the product of a sparse matrix and a vector, [`damp_ranks`] what
//! PageRank makes of it. The instruction set is chosen at
//! run time ([`Isa`]); every one gives the same bits.

mod apart;
mod assign_exact;
mod assign_small;
mod assign_tiled;
mod bounded;
mod ceilings;
mod closer;
mod column_lanes;
mod damp_ranks;
mod distances_to_all;
mod groups;
mod host;
mod isa;
mod median_digit;
mod median_pick;
mod multiply_rows;
mod multiply_sparse;
mod nearest;
mod panels;
mod products;
pub mod reduce;
mod residuals;
mod responsibilities;
mod row_lanes;
mod scale_rows;
mod screen;
mod simd;
mod square_norms;
pub mod sum_by_label;
mod sum_moments;
mod sum_products;

pub use assign_exact::nearest_row;
pub use bounded::{BlockBounds, BoundScratch, Bounds, Guide};
pub use ceilings::ceilings;
pub use closer::Closer;
pub use damp_ranks::{Damping, RANK_UNITS, damp_ranks, rank_product};
pub use distances_to_all::distances_to_all;
pub use host::{free_memory, info};
pub use isa::Isa;
pub use median_digit::{DIGITS, VALUES, median_digit};
pub use median_pick::{MedianState, median_pick};
pub use multiply_rows::Multiplier;
pub use multiply_sparse::multiply_sparse;
pub use nearest::{Distance, Nearest, Scratch};
pub use residuals::{RowLoss, residuals};
pub use responsibilities::{MixtureShape, responsibilities};
pub use scale_rows::scale_rows;
pub use sum_by_label::{FixedPoint, Partials, PartialsLayout, Rows, WideColumns};
pub use sum_moments::MomentSums;
pub use sum_products::{PRODUCT_BLOCK, ProductSums, ProductUnits};
