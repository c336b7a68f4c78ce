//! The definition of the nearest centroid: the f64 difference form that all faster paths must agree with. Its twin in WGSL
//! takes the same difference form in f32.

use ndarray::ArrayView2;

use super::Distance;
use crate::{Error, Result};

/// How many centroids are measured side by side: the additions of one sum wait for each other, those of four overlap.
const TOGETHER: usize = 4;

/// The label of one row, without a device, a session or any preparation: for serving.
///
/// `centroids` is `k × d`, `row` has `d` values. The label is the canonical one: the lowest index `j` that minimises
/// `Σ (x_i − c_ji)²` (city block: `Σ |x_i − c_ji|`), summed in f64 in the order of `i`.
///
/// # Errors
/// When there is no centroid or the row has another length than they.
#[expect(clippy::needless_pass_by_value, reason = "views are handed over by value, as ndarray does")]
pub fn nearest_row(centroids: ArrayView2<f32>, row: &[f32], distance: Distance) -> Result<u32> {
    let (k, d) = centroids.dim();
    if k == 0 || u32::try_from(k).is_err() {
        return Err(Error::parameter("centroids", format!("{k} of them; between 1 and {} are accepted", u32::MAX)));
    }
    if row.len() != d {
        return Err(Error::parameter("row", format!("has {} values, the centroids have {d} columns", row.len())));
    }
    let mut nearest = Best::NONE;
    for (centroid, index) in centroids.outer_iter().zip(0..) {
        let distances = match centroid.as_slice() {
            Some(centroid) => between(distance, row, [centroid]),
            None => between(distance, row, [&centroid.to_vec()]),
        };
        nearest.offer(distances[0], index);
    }
    Ok(nearest.label())
}

/// The canonical label among candidate clusters, in any order; `centroids` is `k × d`, row-major.
pub(super) fn nearest_of(distance: Distance, row: &[f32], centroids: &[f32], candidates: &[u32]) -> u32 {
    let d = row.len();
    let mut nearest = Best::NONE;
    for group in candidates.chunks(TOGETHER) {
        // A group that is not full measures its first candidate again.
        let indices: [u32; TOGETHER] = std::array::from_fn(|i| group.get(i).copied().unwrap_or(group[0]));
        let distances = between(distance, row, indices.map(|j| &centroids[j as usize * d..][..d]));
        for (distance, index) in distances.into_iter().zip(indices) {
            nearest.offer(distance, index);
        }
    }
    nearest.label()
}

/// The nearest so far.
struct Best {
    distance: f64,
    index: u32,
}

impl Best {
    const NONE: Self = Self { distance: f64::INFINITY, index: u32::MAX };

    fn offer(&mut self, distance: f64, index: u32) {
        if distance < self.distance || (distance == self.distance && index < self.index) {
            *self = Self { distance, index };
        }
    }

    /// The index; 0 where nothing was nearer than infinity (a row that is not a number).
    fn label(&self) -> u32 {
        if self.index == u32::MAX { 0 } else { self.index }
    }
}

/// The canonical distances of a row to some centroids, each summed in the order of the columns.
fn between<const N: usize>(distance: Distance, row: &[f32], centroids: [&[f32]; N]) -> [f64; N] {
    match distance {
        Distance::SquaredEuclidean => sums(row, centroids, |difference| difference * difference),
        Distance::CityBlock => sums(row, centroids, f64::abs),
    }
}

fn sums<const N: usize>(row: &[f32], centroids: [&[f32]; N], term: impl Fn(f64) -> f64) -> [f64; N] {
    let centroids = centroids.map(|centroid| &centroid[..row.len()]);
    let mut sums = [0.0; N];
    for (i, &x) in row.iter().enumerate() {
        for (sum, centroid) in sums.iter_mut().zip(&centroids) {
            *sum += term(f64::from(x) - f64::from(centroid[i]));
        }
    }
    sums
}
