//! More than a few dimensions by the product: tiles of rows against tiles of centroids, and a list of doubtful rows.

use crate::assign_exact::{SHAPES, assign_exact};
use crate::assign_small::{Found, Given, check_hostile, check_shapes};
use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Metric, Noise, distance};
use crate::search::{decided, sized, surveyed};
use superstep::backend::gpu::GpuDevice;

/// Threads along centroids and rows of all workgroups that are used.
const SIDES: [(usize, usize); 4] = [(8, 8), (16, 16), (8, 16), (16, 8)];

const METRICS: &[Metric] = &[Metric::SquaredEuclidean];

/// Norms and product, without the rows in doubt.
fn product<'d>(device: &'d GpuDevice, given: Given, (across, down): (usize, usize)) -> Launch<'d> {
    let (n, k, d) = (given.0.len() / given.2, given.1.len() / given.2, given.2);
    let launch = sized(surveyed(device, given), "assign_tiled", (k, d));
    let launch = launch.constant("ACROSS", across as u32).constant("DOWN", down as u32);
    launch.run(n.div_ceil(8 * down));
    launch
}

/// As k-means does it: the rows in doubt are decided by their distances.
fn assign_tiled(device: &GpuDevice, given: Given, sides: (usize, usize)) -> Found {
    let (n, k, d) = (given.0.len() / given.2, given.1.len() / given.2, given.2);
    decided(product(device, given, sides), (n, k, d))
}

#[test]
fn finds_the_nearest_centroid_for_shapes_on_and_off_its_tiles() {
    for sides in SIDES {
        check_shapes(|device, _, given| assign_tiled(device, given, sides), METRICS, SHAPES);
    }
}

#[test]
fn breaks_ties_downwards_and_keeps_offsets_apart() {
    for sides in SIDES {
        check_hostile(|device, _, given| assign_tiled(device, given, sides), METRICS, 5);
        check_hostile(|device, _, given| assign_tiled(device, given, sides), METRICS, 40);
    }
}

/// Whatever the tiles and whatever is in doubt, labels are those of the distances themselves: a choice among tiles changes
/// no result.
#[test]
fn labels_are_those_of_the_exact_kernel_for_all_tiles() {
    on_every_adapter(|device| {
        for (n, d, k, offset, scale) in
            [(700, 40, 90, 0.0, 1.0), (400, 130, 70, 20.0, 1.0), (400, 35, 70, 1e4, 0.5), (300, 64, 65, 0.0, 1e-18)]
        {
            let mut noise = Noise((n + d) as u64);
            let mut values = |count: usize| -> Vec<f32> {
                noise.values(count * d).into_iter().map(|value| offset + scale * value).collect()
            };
            let (points, centroids) = (values(n), values(k));
            let expected = assign_exact(device, Metric::SquaredEuclidean, (&points, &centroids, d));
            for sides in SIDES {
                let found = assign_tiled(device, (&points, &centroids, d), sides);
                assert_eq!(found.0, expected.0, "{n} × {d}, k = {k}, {sides:?}, around {offset}");
            }
        }
    });
}

/// What it does not list is the f64 minimum; what it lists is little on spread data, and all where all are equal.
#[test]
fn lists_what_it_cannot_tell_apart_and_nothing_else_is_wrong() {
    on_every_adapter(|device| {
        let (n, d, k) = (500, 48, 100);
        for (offset, scale, most) in [(0.0, 1.0, n / 50), (300.0, 1.0, n), (0.0, 1e-20, n), (0.0, 3e17, n / 50)] {
            let mut noise = Noise(21);
            let mut values = |count: usize| -> Vec<f32> {
                noise.values(count * d).into_iter().map(|value| offset + scale * value).collect()
            };
            let (points, centroids) = (values(n), values(k));
            let launch = product(device, (&points, &centroids, d), (8, 8));
            let labels = launch.read::<u32>("nearest");
            let count = launch.read::<u32>("counts")[1] as usize;
            let listed = &launch.read::<u32>("doubtful")[..count];
            assert!(count <= most, "{count} rows in doubt at {offset} and {scale}");
            for row in (0..n).filter(|row| !listed.contains(&(*row as u32))) {
                let point = &points[row * d..][..d];
                let all: Vec<f64> = centroids.chunks(d).map(|c| distance(Metric::SquaredEuclidean, point, c)).collect();
                let best = (0..k).fold(0, |best, j| if all[j] < all[best] { j } else { best });
                assert_eq!(labels[row] as usize, best, "row {row} at {offset} and {scale}");
            }
        }
        // A centroid that stands twice, the second time in the hands of another thread, is never settled on.
        let mut noise = Noise(22);
        let (points, mut centroids) = (noise.values(n * d), noise.values(k * d));
        for again in [1, 5, 33, 70, 99] {
            centroids.copy_within(..d, again * d);
            for sides in SIDES {
                let launch = product(device, (&points, &centroids, d), sides);
                let count = launch.read::<u32>("counts")[1] as usize;
                let listed = &launch.read::<u32>("doubtful")[..count];
                let labels = launch.read::<u32>("nearest");
                let twice: Vec<u32> = (0..n as u32).filter(|row| labels[*row as usize] == 0).collect();
                let missing: Vec<&u32> = twice.iter().filter(|row| !listed.contains(row)).collect();
                assert!(
                    missing.is_empty() && !twice.is_empty(),
                    "0 is also {again}, {sides:?}: {missing:?} are not in doubt"
                );
            }
            let spare = noise.values(d);
            centroids[again * d..][..d].copy_from_slice(&spare);
        }
        let same = vec![0.5; 64 * d];
        let launch = product(device, (&same, &same[..2 * d], d), (8, 8));
        assert_eq!(launch.read::<u32>("counts"), [64, 64, 0]);
    });
}
