//! The distance of each row to the centroid it belongs to.

use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise, distance};
use crate::search::{Product, Search};

#[test]
fn measures_all_rows_or_those_of_the_list_to_the_same_bits() {
    on_every_adapter(|device| {
        for (n, d, k) in [(1, 33, 1), (63, 40, 3), (64, 128, 65), (1000, 131, 7)] {
            let mut noise = Noise((n + d) as u64);
            let (points, centroids) = (noise.values(n * d), noise.values(k * d));
            let before = noise.labels(n, k);
            let truth = |row: usize, label: u32| {
                distance(Metric::SquaredEuclidean, &points[row * d..][..d], &centroids[label as usize * d..][..d])
            };
            let near = |found: f32, truth: f64| (f64::from(found) - truth).abs() <= 1e-5 * truth;
            let mut none = before.clone();
            none[n / 2] = u32::MAX;
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::Tiles(8, 8));
            let launch = search.begin(device, given).bind("nearest", &none);
            let launch = search.kernel(launch, "own_distance", &["CLUSTERS", "DIMENSIONS", "GROUPS"]);
            launch.run(n.div_ceil(64));
            let all = launch.read::<f32>("distances");
            for row in (0..n).filter(|&row| none[row] != u32::MAX) {
                assert!(near(all[row], truth(row, before[row])), "{n} × {d}: row {row}");
            }
            assert_eq!(all[n / 2], 0.0, "a row without a cluster");

            // A third of the rows is listed, from the last to the first.
            let mut list: Vec<u32> = (0..n as u32).rev().filter(|row| row % 3 == 0).collect();
            let count = list.len() as u32;
            list.resize(3 * n, 0);
            let launch = launch
                .bind("nearest", &before)
                .bind("distances", &vec![-1.0_f32; n])
                .bind("undecided", &list)
                .bind("counts", &[9, 5, 6, 7, 8, count]);
            let launch =
                search.kernel(launch, "own_distance", &["CLUSTERS", "DIMENSIONS", "GROUPS"]).constant("LISTED", 1);
            launch.run(n.div_ceil(64));
            let found = launch.read::<f32>("distances");
            for row in 0..n {
                let expected =
                    if row % 3 == 0 { near(found[row], truth(row, before[row])) } else { found[row] == -1.0 };
                assert!(expected, "{n} × {d}: row {row} is {}", found[row]);
                let is_same = row % 3 != 0 || row == n / 2 || found[row].to_bits() == all[row].to_bits();
                assert!(is_same, "{n} × {d}: row {row} has other bits in a list");
            }
        }
    });
}
