//! Any number of dimensions by the distance itself: tiles of 64 rows against 64 centroids, of all rows or of a list.

use crate::assign_small::{BOTH, Found, Given, assign_small, check_hostile, check_shapes, launch};
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise};
use superstep::backend::gpu::GpuDevice;

const ROWS: usize = 64;

pub(crate) fn assign_exact(device: &GpuDevice, metric: Metric, given: Given) -> Found {
    let (none, zero): (&[u32], _) = (&[0], [0_u32, 0]);
    let launch = launch(device, "assign_exact", metric, given).bind("undecided", none).bind("counts", &zero);
    let launch = launch.bind("parts", none);
    launch.run((given.0.len() / given.2).div_ceil(ROWS));
    (launch.read("nearest"), launch.read("distances"))
}

/// Shapes on and off the tiles of all kernels for many dimensions.
pub(crate) const SHAPES: &[(usize, usize, usize)] = &[
    (1, 1, 1),
    (2, 15, 3),
    (63, 16, 64),
    (64, 17, 63),
    (65, 33, 65),
    (129, 64, 130),
    (200, 100, 10),
    (70, 512, 129),
    (33, 784, 5),
];

#[test]
fn finds_the_nearest_centroid_for_shapes_on_and_off_its_tiles() {
    check_shapes(assign_exact, BOTH, SHAPES);
}

#[test]
fn breaks_ties_downwards_and_keeps_offsets_apart() {
    check_hostile(assign_exact, BOTH, 5);
    check_hostile(assign_exact, BOTH, 40);
}

#[test]
fn agrees_with_the_kernel_for_few_dimensions() {
    on_every_adapter(|device| {
        let (n, d, k) = (600, 24, 70);
        let mut noise = Noise(9);
        let (points, centroids) = (noise.values(n * d), noise.values(k * d));
        for &metric in BOTH {
            let exact = assign_exact(device, metric, (&points, &centroids, d));
            let small = assign_small(device, metric, (&points, &centroids, d));
            assert_eq!(exact.0, small.0, "{metric:?}");
        }
    });
}

#[test]
fn takes_the_rows_of_its_list_and_leaves_the_others() {
    on_every_adapter(|device| {
        let (n, d, k) = (300, 40, 70);
        let mut noise = Noise(4);
        let (points, centroids) = (noise.values(n * d), noise.values(k * d));
        let all = assign_exact(device, Metric::SquaredEuclidean, (&points, &centroids, d));
        for count in [1, 64, 77, 0] {
            let listed: Vec<u32> = (0..n as u32).rev().step_by(3).take(count).collect();
            let mut list = listed.clone();
            list.resize(n, 0);
            let launch = launch(device, "assign_exact", Metric::SquaredEuclidean, (&points, &centroids, d))
                .constant("LISTED", 1)
                .bind("undecided", &list)
                .bind("parts", &[0_u32])
                .bind("counts", &[7, count as u32]);
            launch.run(n.div_ceil(ROWS));
            let (labels, distances) = (launch.read::<u32>("nearest"), launch.read::<f32>("distances"));
            for row in 0..n {
                let is_listed = listed.contains(&(row as u32));
                let expected =
                    if is_listed { (all.0[row], all.1[row].to_bits()) } else { (u32::MAX, f32::NAN.to_bits()) };
                assert_eq!((labels[row], distances[row].to_bits()), expected, "row {row} of a list of {count}");
            }
        }
    });
}
