//! The silhouette: how much nearer a row is to its own cluster than to the next one.

mod tiles;

use std::collections::BTreeSet;

use super::blocks::{read_all, read_chosen};
use super::clusters::{Clusters, check_shapes};
use crate::data::{Philox, RowSource};
use crate::{Error, Result};

/// The stream of random numbers that the sample is drawn from: "silh", far from the small numbers that k-means uses, so
/// that a sample of the same seed shares nothing with the initial centroids.
const SAMPLE: u32 = 0x7369_6c68;

/// What a silhouette measures between two rows x and y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distance {
    /// √Σ(xᵢ − yᵢ)².
    #[default]
    Euclidean,
    /// 1 − x·y / (|x||y|), from 0 to 2; 1 to and from a row of zeros, which has no direction.
    Cosine,
    /// Σ|xᵢ − yᵢ|.
    CityBlock,
}

/// The silhouette coefficient of each row: `n` values from −1 (in the wrong cluster) to 1 (best).
///
/// With a the mean distance of a row to the other rows of its cluster and b the least mean distance to the rows of another
/// cluster, it is (b − a) / max(a, b); 0 for the only row of a cluster and where a = b = 0. Source: Rousseeuw,
/// "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", Journal of Computational and
/// Applied Mathematics 20 (1987).
///
/// `rows` are `n × d`. The work is n² distances, each pair measured from both sides; the rows are held in memory twice, as
/// f64, and no matrix of distances is.
///
/// ```
/// use ndarray::array;
/// use superstep::metrics::{Distance, silhouette_samples};
///
/// let rows = array![[0.0], [1.0], [4.0]];
/// let samples = silhouette_samples(&rows, &[0, 0, 1], Distance::Euclidean)?;
/// assert_eq!(samples, [0.75, 2.0 / 3.0, 0.0]);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When there are no rows, not one label a row, or not 2 to n − 1 different labels; when the rows cannot be read or hold a
/// value that is no finite f32.
pub fn silhouette_samples(rows: &(impl RowSource + ?Sized), labels: &[u32], distance: Distance) -> Result<Vec<f64>> {
    check_shapes(&rows, labels)?;
    let clusters = Clusters::new(labels);
    clusters.check_count()?;
    Ok(tiles::silhouettes(read_all(&rows)?, rows.columns(), &clusters, distance))
}

/// The mean silhouette coefficient of all rows, from −1 to 1 (best); see [`silhouette_samples`].
///
/// ```
/// use ndarray::array;
/// use superstep::metrics::{Distance, silhouette_score};
///
/// let rows = array![[0.0], [1.0], [8.0], [9.0]];
/// assert!(silhouette_score(&rows, &[0, 0, 1, 1], Distance::Euclidean)? > 0.8);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// As for [`silhouette_samples`].
pub fn silhouette_score(rows: &(impl RowSource + ?Sized), labels: &[u32], distance: Distance) -> Result<f64> {
    Ok(mean(&silhouette_samples(rows, labels, distance)?))
}

/// The mean silhouette coefficient of `size` rows measured among themselves, from −1 to 1 (best).
///
/// An estimate of [`silhouette_score`] for size² distances: the rows are drawn without replacement, each set of them with
/// the same probability, by the seed alone (Bentley and Floyd, "A sample of brilliance", Communications of the ACM 30,
/// 1987). A `size` of n or more takes all rows and gives the exact score.
///
/// ```
/// use ndarray::Array2;
/// use superstep::metrics::{Distance, silhouette_score_sampled};
///
/// let rows = Array2::from_shape_fn((1000, 1), |(i, _)| (i % 2 * 100 + i % 7) as f64);
/// let labels: Vec<u32> = (0..1000).map(|i| i % 2).collect();
/// assert!(silhouette_score_sampled(&rows, &labels, Distance::Euclidean, 50, 7)? > 0.9);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When `size` is 0 or the rows drawn have not 2 to size − 1 different labels (draw more), and as for
/// [`silhouette_samples`], except that of the values only those drawn are read.
pub fn silhouette_score_sampled(
    rows: &(impl RowSource + ?Sized),
    labels: &[u32],
    distance: Distance,
    size: usize,
    seed: u64,
) -> Result<f64> {
    check_shapes(&rows, labels)?;
    if size == 0 {
        return Err(Error::parameter("size", "0 rows say nothing; draw 3 at least"));
    }
    if size >= labels.len() {
        return silhouette_score(rows, labels, distance);
    }
    let drawn = draw(labels.len() as u64, size as u64, seed);
    let labels: Vec<u32> = drawn.iter().map(|row| labels[*row as usize]).collect();
    let clusters = Clusters::new(&labels);
    clusters.check_count()?;
    Ok(mean(&tiles::silhouettes(read_chosen(&rows, &drawn)?, rows.columns(), &clusters, distance)))
}

/// Draws `size ≤ rows` different numbers below `rows`, in ascending order.
fn draw(rows: u64, size: u64, seed: u64) -> Vec<u64> {
    let philox = Philox::new(seed);
    let mut drawn = BTreeSet::new();
    for last in rows - size..rows {
        if !drawn.insert(philox.below(SAMPLE, last, 0, last + 1)) {
            drawn.insert(last);
        }
    }
    drawn.into_iter().collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn draws_every_row_equally_often_and_none_twice() {
        let mut times = [0; 10];
        for seed in 0..5000 {
            let drawn = draw(10, 4, seed);
            assert_eq!(drawn.len(), 4);
            assert!(drawn.is_sorted_by(|a, b| a < b));
            drawn.iter().for_each(|row| times[*row as usize] += 1);
        }
        // 2000 each, with a standard deviation of 35.
        assert!(times.iter().all(|times| (1825..2175).contains(times)), "{times:?}");
    }
}
