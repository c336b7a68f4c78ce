//! A sparse matrix times a vector, as an item: what algorithms on graphs stand on.
//!
//! With a sparse matrix A of f32 (n × m, [`SparseRows`]) and a vector x of m 64-bit integers, numbers in
//! a unit of the caller's choice, [`MultiplySparse`] puts `y = A·x`, n integers in the same unit: the sums over the entries that a
//! task has. An [`AllReduce::sum`](crate::queue::AllReduce::sum) over [`PRODUCT`] makes them whole. The product of each entry is
//! rounded to an integer before it is added, and all that is computed are whole numbers: the result has the same bits on every
//! device, and for any number of threads, partitions, devices and ranks.
//!
//! ```
//! use superstep::Session;
//! use superstep::algorithms::sparse::*;
//! use superstep::data::{Entry, SparseRows};
//! use superstep::queue::{AllReduce, IterativeComQueue};
//!
//! let entries = vec![Entry { row: 0, column: 1, value: 0.5 }, Entry { row: 1, column: 0, value: 2.0 }];
//! let matrix = SparseRows::new((2, 2), entries)?;
//! let product = IterativeComQueue::once(&Session::cpu()?)
//!     .init_with_partitioned_data(ENTRIES, &matrix)
//!     .init_with_broadcast_data(VECTOR, vec![256, 768]) // 1 and 3
//!     .add(MultiplySparse::new(&matrix)?)
//!     .add(AllReduce::sum(PRODUCT))
//!     .close_with(|cx| cx.take(PRODUCT))
//!     .exec()?;
//! assert_eq!(product, [384, 512]); // 1.5 and 2
//! # Ok::<(), superstep::Error>(())
//! ```

use crate::backend::cpu::multiply_sparse;
use crate::data::{PACK_WORDS, SparseRows};
use crate::queue::{ComContext, ComputeFunction, Key, Objects, Rows, Shader, ShapeRule};
use crate::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::AtomicI64;

/// The packs of the matrix.
pub const ENTRIES: Key<Rows> = Key::new("entries");
/// The vector, m integers.
pub const VECTOR: Key<Vec<i64>> = Key::new("vector");
/// The product, n integers in the unit of the vector.
pub const PRODUCT: Key<Vec<i64>> = Key::new("product");

/// Packs that a thread of the processor takes at a time: 256 KiB.
const PACKS_A_THREAD: usize = 256;

/// Puts [`PRODUCT`]: the matrix of [`ENTRIES`] times [`VECTOR`].
#[derive(Debug, Clone)]
pub struct MultiplySparse {
    rows: usize,
    columns: usize,
}

impl MultiplySparse {
    /// The product with a matrix of this shape. No product of an entry and no sum may reach 2⁶³ in magnitude: one that does has lost
    /// its high bits.
    ///
    /// # Errors
    /// When the matrix has no rows or no columns.
    pub fn new(matrix: &SparseRows) -> Result<Self> {
        let (rows, columns) = matrix.shape();
        if rows == 0 || columns == 0 {
            return Err(Error::parameter("matrix", format!("{rows} × {columns}: give 1 or more rows and columns")));
        }
        Ok(Self { rows: rows as usize, columns: columns as usize })
    }
}

impl ComputeFunction for MultiplySparse {
    fn objects(&self) -> Objects {
        Objects::reads((ENTRIES, VECTOR))
            .writes(PRODUCT)
            .shape(ENTRIES, ShapeRule::rows_of_by(ENTRIES, PACK_WORDS))
            .shape(VECTOR, ShapeRule::fixed([self.columns]))
            .shape(PRODUCT, ShapeRule::fixed([self.rows]))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (packs, vector) = (cx.rows(ENTRIES)?, cx.get(VECTOR)?);
        let product: Vec<AtomicI64> = (0..self.rows).into_par_iter().map(|_| AtomicI64::new(0)).collect();
        let pieces = (0..packs.len().div_ceil(PACKS_A_THREAD)).into_par_iter();
        pieces.try_for_each_init(Vec::new, |scratch, piece| {
            let range = piece * PACKS_A_THREAD..packs.len().min((piece + 1) * PACKS_A_THREAD);
            multiply_sparse(packs.read(range, scratch)?, vector, &product)
        })?;
        cx.put(PRODUCT, product.into_par_iter().map(AtomicI64::into_inner).collect())
    }

    fn shader(&self) -> Option<Shader> {
        let shader = Shader::wgsl(kernel!("multiply_sparse", "whole")).named("multiply_sparse");
        Some(shader.rows_per_workgroup(ENTRIES, 1).in_slices(ENTRIES))
    }
}
