//! More rows in one cluster than an f32 can count.

use crate::support::{assert_near, cpu};
use ndarray::{Array2, array};
use superstep::{Init, KMeans, Result};

#[test]
fn more_than_two_to_the_24_rows_of_a_cluster_are_counted_exactly() -> Result<()> {
    const ROWS: usize = (1 << 24) + 1000;
    // All zeros and ones but for the last 500: the means show whether the rows past 2²⁴ were counted.
    let points = Array2::from_shape_fn((ROWS, 1), |(row, _)| if row >= ROWS - 500 { 9.0 } else { (row % 2) as f32 });
    let ones = (ROWS - 500) / 2;
    let model = KMeans::new(2).init(Init::Centroids(array![[0.5], [9.0]])).session(cpu()).fit(&points)?;
    assert_eq!(model.cluster_sizes(), [ROWS as u64 - 500, 500]);
    assert_near(model.centroids()[(0, 0)], ones as f64 / (ROWS - 500) as f64, 1e-7, "the mean of zeros and ones");
    assert_eq!(model.centroids()[(1, 0)], 9.0);

    let model = KMeans::new(1).init(Init::Centroids(array![[0.0]])).session(cpu()).fit(&points)?;
    assert_eq!(model.cluster_sizes(), [ROWS as u64]);
    assert_near(model.centroids()[(0, 0)], (ones as f64 + 4500.0) / ROWS as f64, 1e-7, "the mean of all");
    Ok(())
}
