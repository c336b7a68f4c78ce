//! What the kernels of one search take from each other.

use crate::assign_small::{Found, Given, launch};
use crate::launch::Launch;
use crate::oracle::Metric;
use superstep::backend::gpu::GpuDevice;

/// Centroids there is room for, and columns in half precision.
pub(crate) fn room(k: usize) -> usize {
    k.next_multiple_of(128)
}

pub(crate) fn padded(d: usize) -> usize {
    d.next_multiple_of(if d <= 128 { 16 } else { 64 })
}

/// The power of two that brings the largest value near 2¹⁴.
pub(crate) fn scale(points: &[f32]) -> f64 {
    let largest = points.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest > 0.0 { 2f64.powi((13 - largest.log2().floor() as i32).clamp(-40, 40)) } else { 1.0 }
}

/// The constants that all kernels of a search know, and those of half precision.
pub(crate) fn sized<'d>(launch: Launch<'d>, stem: &'static str, (k, d): (usize, usize)) -> Launch<'d> {
    launch.kernel(stem).constant("CLUSTERS", k as u32).constant("DIMENSIONS", d as u32)
}

pub(crate) fn halved<'d>(launch: Launch<'d>, (k, d): (usize, usize), scale: f64) -> Launch<'d> {
    launch.constant("PADDED", padded(d) as u32).constant("ROOM", room(k) as u32).constant("SCALE", scale)
}

/// What is known of the centroids, and a list of all rows, the last first.
pub(crate) fn surveyed<'d>(device: &'d GpuDevice, given: Given) -> Launch<'d> {
    let (points, centroids, d) = given;
    let (n, k) = (points.len() / d, centroids.len() / d);
    let launch = launch(device, "survey_centroids", Metric::SquaredEuclidean, given)
        .bind("before", &vec![0.0_f32; k * d])
        .bind("norms", &vec![f32::NAN; 2 * room(k) + 2])
        .bind("drifts", &vec![f32::NAN; k + 3])
        .bind("open", &(0..n as u32).rev().collect::<Vec<_>>())
        .bind("counts", &[n as u32, 0, 0])
        .bind("doubtful", &vec![u32::MAX; n])
        .bind("lower", &vec![f32::NAN; n])
        .bind("labels", &vec![u32::MAX; n]);
    surveyed_anew(launch, (k, d))
}

/// What is known of other centroids that have been bound, as against those before.
pub(crate) fn surveyed_anew<'d>(launch: Launch<'d>, (k, d): (usize, usize)) -> Launch<'d> {
    let launch = sized(launch, "survey_centroids", (k, d)).constant("ROOM", room(k) as u32);
    launch.run(room(k));
    with_extremes(launch, (k, d))
}

pub(crate) fn with_extremes<'d>(launch: Launch<'d>, (k, d): (usize, usize)) -> Launch<'d> {
    let launch = sized(launch, "survey_extremes", (k, d)).constant("ROOM", room(k) as u32);
    launch.run(1);
    launch
}

/// The centroids in half precision too.
pub(crate) fn with_halves<'d>(launch: Launch<'d>, (k, d): (usize, usize), scale: f64) -> Launch<'d> {
    let launch = launch.bind("centroid_halves", &vec![u32::MAX; room(k) * padded(d) / 2]);
    let launch = halved(sized(launch, "halve_centroids", (k, d)), (k, d), scale);
    launch.run(room(k));
    with_extremes(launch, (k, d))
}

/// What k-means does after a product: the rows in doubt by their distances, then all distances.
pub(crate) fn decided(launch: Launch, (n, k, d): (usize, usize, usize)) -> Found {
    // A few rows by the one kernel, more by the other: here a third is few.
    let few = (n / 3).max(1);
    let launch = sized(launch, "decide_rows", (k, d)).constant("FEW", few as u32);
    launch.run(few);
    let launch = sized(launch, "assign_exact", (k, d)).constant("LISTED", 1).constant("FEW", few as u32);
    launch.run(n.div_ceil(64));
    let launch = sized(launch, "own_distance", (k, d)).constant("LISTED", 1);
    launch.run(n.div_ceil(64));
    (launch.read("nearest"), launch.read("distances"))
}
