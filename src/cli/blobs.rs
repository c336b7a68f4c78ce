//! Rows to measure with: seeded Gaussian blobs.

use ndarray::Array2;
use rayon::prelude::*;
use std::f64::consts::TAU;
use superstep::data::Philox;
use superstep::{Error, Result};

/// The centres lie in a cube from −SPREAD to SPREAD; every blob has standard deviation 1.
const SPREAD: f64 = 10.0;

/// The streams of the generator: a row's blob, its noise, and the centres.
const BLOBS: u32 = 0;
const NOISE: u32 = 1;
const CENTRES: u32 = 2;

/// n rows of d columns in k blobs of about equal size. The same seed gives the same rows on every machine, for any
/// number of threads.
///
/// # Errors
/// When the table has more values than memory can count.
pub(super) fn generate(n: usize, d: usize, k: usize, seed: u64) -> Result<Array2<f32>> {
    let too_many = || Error::parameter("n", format!("{n} × {d} values do not fit in memory; take fewer"));
    let mut values = Vec::new();
    let length = n.checked_mul(d).ok_or_else(too_many)?;
    values.try_reserve_exact(length).map_err(|_| too_many())?;
    values.resize(length, 0.0_f32);
    let philox = Philox::new(seed);
    values.par_chunks_mut(d.max(1)).enumerate().for_each(|(row, values)| {
        let row = row as u64;
        let blob = philox.below(BLOBS, row, 0, k as u64);
        for (column, value) in values.iter_mut().enumerate() {
            let centre = SPREAD * (2.0 * philox.uniform(CENTRES, blob, column as u32) - 1.0);
            *value = (centre + normal(philox, row, column as u32)) as f32;
        }
    });
    Array2::from_shape_vec((n, d), values).map_err(|_| too_many())
}

/// A draw of the standard normal distribution (Box and Muller, Ann. Math. Statist. 29, 1958).
fn normal(philox: Philox, row: u64, column: u32) -> f64 {
    let [radius, angle] = [0, 1].map(|half| philox.uniform(NOISE, row, column.wrapping_mul(2).wrapping_add(half)));
    // 1 − u lies in (0, 1]: its logarithm is finite.
    (-2.0 * (1.0 - radius).ln()).sqrt() * (TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_every_value() {
        let [first, again, other] = [7, 7, 8].map(|seed| generate(50, 3, 4, seed).expect("it is small"));
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(first.dim(), (50, 3));
    }

    #[test]
    fn one_blob_has_unit_variance() {
        let rows = generate(20_000, 1, 1, 3).expect("it is small").mapv(f64::from);
        let mean = rows.sum() / 20_000.0;
        let variance = rows.mapv(|value| (value - mean).powi(2)).sum() / 20_000.0;
        assert!(mean.abs() <= SPREAD && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
    }

    #[test]
    fn a_table_beyond_memory_is_refused() {
        assert!(generate(usize::MAX, 2, 1, 0).is_err());
        assert!(generate(usize::MAX / 16, 2, 1, 0).is_err());
    }
}
