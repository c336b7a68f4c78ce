//! Rows in doubt: a few of them see the centroids in chunks.

use crate::assign_exact::assign_exact;
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise};
use crate::search::{Product, Search};

/// The labels of the exact kernel for the rows of the list, ties included, in parts or not; the others are left alone.
#[test]
fn labels_listed_rows_as_the_exact_kernel_does_be_they_few_or_not() {
    on_every_adapter(|device| {
        for (n, d, k) in [(1, 33, 1), (90, 40, 300), (170, 130, 1000), (64, 48, 5)] {
            let mut noise = Noise((n + k) as u64);
            let (points, mut centroids) = (noise.values(n * d), noise.values(k * d));
            centroids.copy_within(..d, (k - 1) * d);
            let exact = assign_exact(device, Metric::SquaredEuclidean, (&points, &centroids, d)).0;
            let listed: Vec<u32> = (0..n as u32).filter(|row| row % 4 != 1).collect();
            for few in [listed.len(), listed.len() - 1] {
                let mut list = listed.clone();
                list.resize(3 * n, 0);
                let given = (&points[..], &centroids[..], d);
                let search = Search::new(given, Product::Tiles(8, 8));
                let launch = search.begin(device, given);
                let launch = launch
                    .bind("undecided", &list)
                    .bind("counts", &[0, listed.len() as u32, 0])
                    .bind("nearest", &vec![u32::MAX; n]);
                let launch = search.doubts(launch, few);
                for (row, label) in launch.read::<u32>("nearest").into_iter().enumerate() {
                    let expected = if row % 4 != 1 { exact[row] } else { u32::MAX };
                    assert_eq!(label, expected, "{n} × {d}, k = {k}, {few} are few: row {row}");
                }
            }
        }
    });
}
