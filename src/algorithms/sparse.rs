//! A sparse matrix times a vector, as an item: what algorithms on graphs stand on.
//!
//! With a sparse matrix A (n × m, [`SparseRows`](crate::data::SparseRows)) and a vector x (m), [`MultiplySparse`] puts
//! `y = A·x`, n 64-bit integers in units of 2^-`exponent`: those of the rows whose entries a task has, and 0 elsewhere.
//! An [`AllReduce::sum`](crate::queue::AllReduce::sum) over [`PRODUCT`] makes it whole. Every product of an entry is rounded to
//! a unit before it is added, so the result has the same bits for any number of threads, partitions, devices and ranks.
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
//!     .init_with_broadcast_data(VECTOR, vec![1.0, 3.0])
//!     .add(MultiplySparse::new(&matrix, 8)?)
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
/// The vector, m values.
pub const VECTOR: Key<Vec<f32>> = Key::new("vector");
/// The product, n integers in units of 2^-`exponent`.
pub const PRODUCT: Key<Vec<i64>> = Key::new("product");

/// Packs that a thread of the processor takes at a time: 256 KiB.
const PACKS_A_THREAD: usize = 256;

/// Puts [`PRODUCT`]: the matrix of [`ENTRIES`] times [`VECTOR`].
#[derive(Debug, Clone)]
pub struct MultiplySparse {
    rows: usize,
    columns: usize,
    exponent: i32,
}

impl MultiplySparse {
    /// The product with a matrix of this shape, in units of 2^-`exponent`. No sum of a row's products may reach
    /// 2^(63 − `exponent`) in magnitude; one that does wraps around.
    ///
    /// # Errors
    /// When the matrix has no rows or no columns, or the exponent is not from −500 to 500.
    pub fn new(matrix: &SparseRows, exponent: i32) -> Result<Self> {
        let (rows, columns) = matrix.shape();
        if rows == 0 || columns == 0 {
            return Err(Error::parameter("matrix", format!("{rows} × {columns}: give 1 or more rows and columns")));
        }
        if !(-500..=500).contains(&exponent) {
            return Err(Error::parameter("exponent", format!("{exponent}: take one from -500 to 500")));
        }
        Ok(Self { rows: rows as usize, columns: columns as usize, exponent })
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
            multiply_sparse(packs.read(range, scratch)?, vector, self.exponent, &product)
        })?;
        cx.put(PRODUCT, product.into_par_iter().map(AtomicI64::into_inner).collect())
    }

    fn shader(&self) -> Option<Shader> {
        let kernel = include_str!("../../shaders/multiply_sparse.wgsl");
        let source = [kernel, include_str!("../../shaders/parts/fixed_point.wgsl")].concat();
        let shader = Shader::wgsl(source).named("multiply_sparse").constant("EXPONENT", f64::from(self.exponent));
        Some(shader.rows_per_workgroup(ENTRIES, 1).in_slices(ENTRIES))
    }
}
