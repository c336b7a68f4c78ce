//! Bounds on distances to own centroids, by halves.

use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise, distance};
use crate::search::{Product, Search};

/// Never below the distance in f64, and little above it; rows that are not listed are left alone.
#[test]
fn bounds_the_distance_to_the_own_centroid_from_above() {
    on_every_adapter(|device| {
        for (n, d, k, offset, size) in [
            (1, 33, 1, 0.0, 1.0),
            (63, 40, 3, 0.0, 1e-7),
            (300, 128, 65, 0.0, 1.0),
            (200, 131, 7, 20.0, 1.0),
            (200, 768, 7, 0.0, 1e8),
        ] {
            let mut noise = Noise((n + d) as u64);
            let mut values = |count: usize| -> Vec<f32> {
                noise.values(count * d).into_iter().map(|value| offset + size * value).collect()
            };
            let (points, centroids) = (values(n), values(k));
            let mut nearest = noise.labels(n, k);
            nearest[n / 2] = u32::MAX;
            let mut list: Vec<u32> = (0..n as u32).rev().filter(|row| row % 3 != 1).collect();
            let count = list.len() as u32;
            list.resize(3 * n, 0);
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::HalvesByTiles);
            let launch = search
                .begin(device, given)
                .bind("nearest", &nearest)
                .bind("distances", &vec![-1.0_f32; n])
                .bind("undecided", &list)
                .bind("counts", &[9, 5, 6, 7, 8, count]);
            let launch = search.own(launch);
            let found = launch.read::<f32>("distances");
            for row in 0..n {
                let case = format!("{n} × {d} around {offset} by {size}: row {row} is {}", found[row]);
                if row % 3 == 1 {
                    assert_eq!(found[row], -1.0, "{case}");
                    continue;
                }
                if nearest[row] == u32::MAX {
                    assert_eq!(found[row], 0.0, "{case}");
                    continue;
                }
                let point = &points[row * d..][..d];
                let truth = distance(Metric::SquaredEuclidean, point, &centroids[nearest[row] as usize * d..][..d]);
                let square: f64 = point.iter().map(|&x| f64::from(x).powi(2)).sum();
                let bound = f64::from(found[row]);
                assert!(bound >= truth, "{case} for {truth}");
                // Halves leave out 2⁻¹² of a value at most, of both rows and centroids.
                assert!(bound <= truth + 6.0 * 2f64.powi(-11) * square, "{case} for {truth}");
            }
        }
    });
}
