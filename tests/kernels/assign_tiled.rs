//! Any number of dimensions: tiles of 64 rows against 64 centroids.

use crate::assign_small::{assign, check_hostile, check_shapes};
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise};

const KERNEL: (&str, usize) = ("assign_tiled", 64);

#[test]
fn finds_the_nearest_centroid_for_shapes_on_and_off_its_tiles() {
    check_shapes(
        KERNEL,
        &[
            (1, 1, 1),
            (2, 15, 3),
            (63, 16, 64),
            (64, 17, 63),
            (65, 33, 65),
            (129, 64, 130),
            (200, 100, 10),
            (70, 512, 129),
            (33, 784, 5),
        ],
    );
}

#[test]
fn breaks_ties_downwards_and_keeps_offsets_apart() {
    check_hostile(KERNEL, 5);
    check_hostile(KERNEL, 40);
}

#[test]
fn agrees_with_the_kernel_for_few_dimensions() {
    on_every_adapter(|device| {
        let (n, d, k) = (600, 24, 70);
        let mut noise = Noise(9);
        let (points, centroids) = (noise.values(n * d), noise.values(k * d));
        let given = (points.as_slice(), centroids.as_slice(), d);
        for metric in [Metric::SquaredEuclidean, Metric::CityBlock] {
            let tiled = assign(device, KERNEL, metric, given);
            let small = assign(device, ("assign_small", 512), metric, given);
            assert_eq!(tiled.0, small.0, "{metric:?}");
        }
    });
}
