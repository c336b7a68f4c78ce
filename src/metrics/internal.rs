//! Scores that need the rows and their clusters alone, in one or two passes over the rows.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::blocks::sum_rows;
use super::clusters::{Clusters, check_shapes};
use crate::data::RowSource;
use crate::{Error, Result};

/// What counts as zero in the Davies–Bouldin index: the absolute tolerance of numpy's `isclose`, as scikit-learn uses it.
const CLOSE_TO_ZERO: f64 = 1e-8;

/// The sum of squared distances of all rows to the centroids of their labels: Σᵢ |xᵢ − c(labelᵢ)|², in squared units of
/// the data, from 0 (best).
///
/// `rows` are `n × d`, `centroids` `k × d` in the same coordinates; `labels[i]` is the index of row i's centroid. It is
/// what k-means minimises: MacQueen, "Some methods for classification and analysis of multivariate observations" (1967).
///
/// ```
/// use ndarray::array;
/// use superstep::metrics::inertia;
///
/// let rows = array![[0.0, 0.0], [0.0, 2.0], [5.0, 5.0]];
/// let centroids = array![[0.0, 1.0], [5.0, 5.0]];
/// assert_eq!(inertia(&rows, &[0, 0, 1], centroids.view())?, 2.0);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When there are no rows, not one label a row, a label without a centroid, centroids of another width or not finite; when
/// the rows cannot be read or hold a value that is no finite f32.
#[expect(clippy::needless_pass_by_value, reason = "views are handed over by value, as ndarray does")]
pub fn inertia(rows: &(impl RowSource + ?Sized), labels: &[u32], centroids: ArrayView2<f64>) -> Result<f64> {
    check_shapes(&rows, labels)?;
    let (k, d) = centroids.dim();
    if d != rows.columns() {
        let message = format!("they have {d} columns, the rows have {}", rows.columns());
        return Err(Error::parameter("centroids", message));
    }
    if let Some(value) = centroids.iter().find(|value| !value.is_finite()) {
        return Err(Error::parameter("centroids", format!("the value {value} is not finite")));
    }
    if let Some(row) = labels.iter().position(|label| *label as usize >= k) {
        let message = format!("row {row} has label {}; there are {k} centroids", labels[row]);
        return Err(Error::parameter("labels", message));
    }
    let centroids = centroids.as_standard_layout();
    let sums = sum_rows(&rows, 1, |sums, row, values| {
        let centroid = centroids.row(labels[row] as usize);
        sums[0] += squared_distance(values, centroid.iter());
    })?;
    Ok(sums[0])
}

/// The Caliński–Harabasz index, or variance ratio: how far clusters lie apart, against how far they spread.
///
/// With `k` clusters of nⱼ of the n rows, their means cⱼ and the mean c of all rows, it is
/// (Σⱼ nⱼ|cⱼ − c|² / (k − 1)) / (Σᵢ |xᵢ − c(labelᵢ)|² / (n − k)): from 0, without unit, the higher the better; 1 where no
/// cluster spreads at all. Source: Caliński and Harabasz, "A dendrite method for cluster analysis", Communications in
/// Statistics 3 (1974).
///
/// ```
/// use ndarray::array;
/// use superstep::metrics::calinski_harabasz_score;
///
/// let rows = array![[0.0], [2.0], [10.0], [12.0]];
/// // Between: 2·5² + 2·5² over 1; within: four times 1² over 2.
/// assert_eq!(calinski_harabasz_score(&rows, &[0, 0, 1, 1])?, 50.0);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When there are no rows, not one label a row, or not 2 to n − 1 different labels; when the rows cannot be read or hold a
/// value that is no finite f32.
pub fn calinski_harabasz_score(rows: &(impl RowSource + ?Sized), labels: &[u32]) -> Result<f64> {
    let (clusters, centroids) = comparable(&rows, labels)?;
    let within: f64 = clusters.sums_of(&rows, &centroids, |squared| squared)?.iter().sum();
    if within == 0.0 {
        return Ok(1.0);
    }
    let n = labels.len() as f64;
    let d = rows.columns();
    let mut mean = vec![0.0; d];
    for (centroid, size) in centroids.chunks_exact(d).zip(&clusters.sizes) {
        for (mean, value) in mean.iter_mut().zip(centroid) {
            *mean += value * (*size as f64 / n);
        }
    }
    let between = centroids.chunks_exact(d).zip(&clusters.sizes);
    let between: f64 = between.map(|(centroid, size)| *size as f64 * squared_distance(centroid, mean.iter())).sum();
    let k = clusters.count() as f64;
    Ok(between * (n - k) / (within * (k - 1.0)))
}

/// The Davies–Bouldin index: how alike each cluster and the one most like it are, on average.
///
/// With sⱼ the mean distance of cluster j's rows to their mean cⱼ, it is 1/k Σᵢ maxⱼ≠ᵢ (sᵢ + sⱼ) / |cᵢ − cⱼ|: from 0
/// (best), without unit. As in scikit-learn, pairs whose means coincide are left out, and the index is 0 where all sⱼ, or
/// all distances between means, are at most 10⁻⁸. Source: Davies and Bouldin, "A cluster separation measure", IEEE
/// Transactions on Pattern Analysis and Machine Intelligence 1 (1979).
///
/// ```
/// use ndarray::array;
/// use superstep::metrics::davies_bouldin_score;
///
/// let rows = array![[0.0], [2.0], [10.0], [12.0]];
/// assert_eq!(davies_bouldin_score(&rows, &[0, 0, 1, 1])?, 0.2);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// As for [`calinski_harabasz_score`].
pub fn davies_bouldin_score(rows: &(impl RowSource + ?Sized), labels: &[u32]) -> Result<f64> {
    let (clusters, centroids) = comparable(&rows, labels)?;
    let spreads = clusters.mean_distances(&rows, &centroids)?;
    let d = rows.columns();
    let each = centroids.par_chunks_exact(d).zip(&spreads).map(|(centroid, spread)| {
        let (mut worst, mut farthest) = (0.0_f64, 0.0_f64);
        for (other, spread_of_other) in centroids.chunks_exact(d).zip(&spreads) {
            let apart = squared_distance(centroid, other.iter()).sqrt();
            farthest = farthest.max(apart);
            if apart > 0.0 {
                worst = worst.max((spread + spread_of_other) / apart);
            }
        }
        (worst, farthest)
    });
    let each: Vec<(f64, f64)> = each.collect();
    let all_coincide = each.iter().all(|(_, farthest)| *farthest <= CLOSE_TO_ZERO);
    if all_coincide || spreads.iter().all(|spread| *spread <= CLOSE_TO_ZERO) {
        return Ok(0.0);
    }
    Ok(each.iter().map(|(worst, _)| worst).sum::<f64>() / clusters.count() as f64)
}

/// How tight the clusters are: the mean, over the clusters, of the mean distance of a cluster's rows to their mean.
///
/// 1/k Σⱼ 1/nⱼ Σ(i in j) |xᵢ − cⱼ|, in units of the data, from 0 (best); each cluster counts the same, whatever its size.
/// It is the `Compactness` of Alink's `EvalClusterBatchOp`.
///
/// ```
/// use ndarray::array;
/// use superstep::metrics::compactness;
///
/// let rows = array![[0.0], [2.0], [10.0]];
/// assert_eq!(compactness(&rows, &[0, 0, 1])?, 0.5);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When there are no rows or not one label a row; when the rows cannot be read or hold a value that is no finite f32.
pub fn compactness(rows: &(impl RowSource + ?Sized), labels: &[u32]) -> Result<f64> {
    check_shapes(&rows, labels)?;
    let clusters = Clusters::new(labels);
    let centroids = clusters.means(&rows)?;
    let distances = clusters.mean_distances(&rows, &centroids)?;
    Ok(distances.iter().sum::<f64>() / clusters.count() as f64)
}

/// How far the clusters lie apart: the mean distance between two clusters' means, over all pairs.
///
/// 2/(k(k − 1)) Σ(i < j) |cᵢ − cⱼ|, in units of the data, from 0; the higher the better. It is the `Seperation` (sic) of
/// Alink's `EvalClusterBatchOp`.
///
/// ```
/// use ndarray::array;
/// use superstep::metrics::separation;
///
/// let rows = array![[0.0], [2.0], [10.0]];
/// assert_eq!(separation(&rows, &[0, 0, 1])?, 9.0);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// # Errors
/// When there are no rows, not one label a row, or fewer than two different labels; when the rows cannot be read or hold a
/// value that is no finite f32.
pub fn separation(rows: &(impl RowSource + ?Sized), labels: &[u32]) -> Result<f64> {
    check_shapes(&rows, labels)?;
    let clusters = Clusters::new(labels);
    if clusters.count() < 2 {
        return Err(Error::parameter("labels", "all rows have the same label; two clusters at least lie apart"));
    }
    let centroids = clusters.means(&rows)?;
    let d = rows.columns();
    let each = centroids.par_chunks_exact(d).enumerate().map(|(index, centroid)| {
        let before = centroids.chunks_exact(d).take(index);
        before.map(|other| squared_distance(centroid, other.iter()).sqrt()).sum()
    });
    let each: Vec<f64> = each.collect();
    let k = clusters.count() as f64;
    Ok(each.iter().sum::<f64>() * 2.0 / (k * (k - 1.0)))
}

/// Checks what scores of several clusters need; gives the clusters and their means.
fn comparable(rows: &dyn RowSource, labels: &[u32]) -> Result<(Clusters, Vec<f64>)> {
    check_shapes(rows, labels)?;
    let clusters = Clusters::new(labels);
    clusters.check_count()?;
    let centroids = clusters.means(rows)?;
    Ok((clusters, centroids))
}

impl Clusters {
    /// The mean row of each cluster: `k × d`, row-major.
    fn means(&self, rows: &dyn RowSource) -> Result<Vec<f64>> {
        let d = rows.columns();
        let mut means = sum_rows(rows, self.count() * d, |sums, row, values| {
            let cluster = self.of_row[row] as usize;
            for (sum, value) in sums[cluster * d..][..d].iter_mut().zip(values) {
                *sum += value;
            }
        })?;
        for (mean, size) in means.chunks_exact_mut(d).zip(&self.sizes) {
            mean.iter_mut().for_each(|value| *value /= *size as f64);
        }
        Ok(means)
    }

    /// For each cluster the sum of `of(squared distance to the cluster's centroid)` over its rows.
    fn sums_of(&self, rows: &dyn RowSource, centroids: &[f64], of: fn(f64) -> f64) -> Result<Vec<f64>> {
        let d = rows.columns();
        sum_rows(rows, self.count(), |sums, row, values| {
            let cluster = self.of_row[row] as usize;
            sums[cluster] += of(squared_distance(values, centroids[cluster * d..][..d].iter()));
        })
    }

    /// For each cluster the mean distance of its rows to its centroid.
    fn mean_distances(&self, rows: &dyn RowSource, centroids: &[f64]) -> Result<Vec<f64>> {
        let mut distances = self.sums_of(rows, centroids, f64::sqrt)?;
        for (distance, size) in distances.iter_mut().zip(&self.sizes) {
            *distance /= *size as f64;
        }
        Ok(distances)
    }
}

fn squared_distance<'a>(row: &[f64], other: impl Iterator<Item = &'a f64>) -> f64 {
    row.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}
