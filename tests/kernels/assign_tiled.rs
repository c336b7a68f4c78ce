//! More than a few dimensions by the product: tiles of rows against tiles of centroids, and a list of doubtful rows.

use crate::assign_exact::{SHAPES, assign_exact};
use crate::assign_small::{Found, Given, check_hostile, check_shapes};
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise};
use crate::search::{Product, Search};
use superstep::backend::gpu::GpuDevice;

/// Threads along centroids and rows of all workgroups that are used.
const SIDES: [(usize, usize); 4] = [(8, 8), (16, 16), (8, 16), (16, 8)];

const METRICS: &[Metric] = &[Metric::SquaredEuclidean];

/// As k-means does it: pairs and rows in doubt are decided by their distances.
fn assign_tiled(device: &GpuDevice, given: Given, (across, down): (usize, usize)) -> Found {
    Search::new(given, Product::Tiles(across, down)).all(device, given)
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
        for (n, d, k, offset, scale) in [
            (700, 40, 90, 0.0, 1.0),
            (400, 130, 70, 20.0, 1.0),
            (400, 35, 70, 1e4, 0.5),
            (300, 64, 65, 0.0, 1e-18),
            (300, 34, 400, 0.0, 1.0),
        ] {
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
