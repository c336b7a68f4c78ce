//! Rows in doubt, a workgroup each.

use crate::assign_exact::assign_exact;
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise};
use crate::search::{sized, surveyed};

/// The labels of the exact kernel for the rows of the list, ties included; the others, and longer lists, are left alone.
#[test]
fn labels_listed_rows_as_the_exact_kernel_does_where_they_are_few() {
    on_every_adapter(|device| {
        for (n, d, k) in [(1, 33, 1), (90, 40, 300), (70, 130, 1000), (64, 48, 5)] {
            let mut noise = Noise((n + k) as u64);
            let (points, mut centroids) = (noise.values(n * d), noise.values(k * d));
            centroids.copy_within(..d, (k - 1) * d);
            let exact = assign_exact(device, Metric::SquaredEuclidean, (&points, &centroids, d)).0;
            let listed: Vec<u32> = (0..n as u32).filter(|row| row % 4 != 1).collect();
            for few in [listed.len(), listed.len() - 1] {
                let mut list = listed.clone();
                list.resize(n, 0);
                let launch = surveyed(device, (&points, &centroids, d))
                    .bind("doubtful", &list)
                    .bind("counts", &[0, listed.len() as u32, 0])
                    .bind("nearest", &vec![u32::MAX; n]);
                let launch = sized(launch, "decide_rows", (k, d)).constant("FEW", few as u32);
                launch.run(few.max(1));
                for (row, label) in launch.read::<u32>("nearest").into_iter().enumerate() {
                    let is_taken = few == listed.len() && row % 4 != 1;
                    let expected = if is_taken { exact[row] } else { u32::MAX };
                    assert_eq!(label, expected, "{n} × {d}, k = {k}, {few} are few: row {row}");
                }
            }
        }
    });
}
