//! The distance of each row to the centroid it belongs to.

use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise, distance};
use crate::search::{Product, Search};

#[test]
fn measures_all_rows_or_those_of_the_list_that_have_changed() {
    on_every_adapter(|device| {
        for (n, d, k) in [(1, 33, 1), (63, 40, 3), (64, 128, 65), (1000, 131, 7)] {
            let mut noise = Noise((n + d) as u64);
            let (points, centroids) = (noise.values(n * d), noise.values(k * d));
            let (before, mut labels) = (noise.labels(n, k), noise.labels(n, k));
            let truth = |row: usize, label: u32| {
                distance(Metric::SquaredEuclidean, &points[row * d..][..d], &centroids[label as usize * d..][..d])
            };
            let near = |found: f32, truth: f64| (f64::from(found) - truth).abs() <= 1e-5 * truth;
            let mut none = before.clone();
            none[n / 2] = u32::MAX;
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::Tiles(8, 8));
            let launch = search.begin(device, given).bind("labels", &none).bind("counts", &[9; 5]);
            let launch = search.kernel(launch, "own_distance", &["CLUSTERS", "DIMENSIONS", "GROUPS"]);
            launch.run(n.div_ceil(64));
            let all = launch.read::<f32>("distances");
            assert_eq!(launch.read::<u32>("counts"), [0; 5], "no list has begun");
            for row in (0..n).filter(|&row| none[row] != u32::MAX) {
                assert!(near(all[row], truth(row, before[row])), "{n} × {d}: row {row}");
            }
            assert_eq!(all[n / 2], 0.0, "a row without a cluster");

            // A third of the rows is listed, of which some keep their cluster.
            let open: Vec<u32> = (0..n as u32).filter(|row| row % 3 == 0).collect();
            labels.iter_mut().zip(&before).step_by(2).for_each(|(label, before)| *label = *before);
            let mut list: Vec<u32> = open.iter().flat_map(|&row| [row, 1, before[row as usize], 0]).collect();
            list.resize(4 * n, 0);
            let launch = launch
                .bind("labels", &before)
                .bind("nearest", &labels)
                .bind("distances", &vec![-1.0_f32; n])
                .bind("open", &list)
                .bind("counts", &[open.len() as u32, 5, 6, 7, 8]);
            let launch =
                search.kernel(launch, "own_distance", &["CLUSTERS", "DIMENSIONS", "GROUPS"]).constant("LISTED", 1);
            launch.run(n.div_ceil(64));
            let (found, counts) = (launch.read::<f32>("distances"), launch.read::<u32>("counts"));
            assert_eq!(counts, [open.len() as u32, 5, 6, 7, 8]);
            for row in 0..n {
                let is_measured = row % 3 == 0 && labels[row] != before[row];
                let is_right = if is_measured { near(found[row], truth(row, labels[row])) } else { found[row] == -1.0 };
                assert!(is_right, "{n} × {d}: row {row} is {}", found[row]);
            }
        }
    });
}
