//! Which rows a bound leaves out, and that none of them could have another centroid.

use crate::assign_exact::assign_exact;
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise, distance};
use crate::search::{decided, sized, surveyed, surveyed_anew};

/// Rounds of a search whose centroids wander: what is left out has the label that all distances would give it, the bound holds,
/// and much is left out where centroids hardly move.
#[test]
fn what_is_left_out_keeps_its_nearest_centroid() {
    on_every_adapter(|device| {
        for (n, d, k, step, least) in [(700, 40, 9, 0.002, 300), (300, 33, 70, 0.02, 0), (260, 64, 1, 0.5, 250)] {
            let mut noise = Noise((n + k) as u64);
            let (points, mut centroids) = (noise.values(n * d), noise.values(k * d));
            // Half of the rows lie near a centroid.
            let mut points = points;
            for row in (0..n).step_by(2) {
                let near = (row / 2 % k) * d;
                (0..d).for_each(|i| points[row * d + i] = centroids[near + i] + 0.2 * points[row * d + i]);
            }
            let mut launch = surveyed(device, (&points, &centroids, d));
            let mut skipped = 0;
            for round in 0..6 {
                let labels = if round == 0 { vec![u32::MAX; n] } else { launch.read::<u32>("nearest") };
                launch.set("labels", &labels);
                launch.set("centroids", &centroids);
                launch = surveyed_anew(launch, (k, d));
                launch = sized(launch, "own_distance", (k, d));
                launch.run(n.div_ceil(64));
                launch = sized(launch, "skip_settled", (k, d));
                launch.run(n.div_ceil(256));
                let open = launch.read::<u32>("counts")[0] as usize;
                let listed: std::collections::BTreeSet<u32> =
                    launch.read::<u32>("open")[..open].iter().copied().collect();
                assert_eq!(listed.len(), open, "each row once");
                assert!(round > 0 || open == n, "nothing is known before the first search");
                skipped += n - open;
                launch = sized(launch, "assign_tiled", (k, d)).constant("ACROSS", 8).constant("DOWN", 8);
                launch.run(n.div_ceil(64));
                let lower = launch.read::<f32>("lower");
                let exact = assign_exact(device, Metric::SquaredEuclidean, (&points, &centroids, d));
                let found = decided_in_place(&launch, (n, k, d));
                assert_eq!(found, exact.0, "{n} × {d}, k = {k}, round {round}");
                for row in 0..n {
                    let others = (0..k).filter(|&j| j != found[row] as usize);
                    let nearest = others
                        .map(|j| distance(Metric::SquaredEuclidean, &points[row * d..][..d], &centroids[j * d..][..d]));
                    let truth = nearest.fold(f64::INFINITY, f64::min).sqrt();
                    assert!(f64::from(lower[row]) <= truth, "row {row}, round {round}: {} for {truth}", lower[row]);
                }
                centroids.iter_mut().for_each(|value| *value += step * noise.value());
                // One of them runs to a row: who keeps another centroid must hear of it.
                if round % 2 == 1 {
                    let (row, runner) = (37 * round % n, round % k);
                    centroids[runner * d..][..d].copy_from_slice(&points[row * d..][..d]);
                }
            }
            assert!(skipped >= least, "{n} × {d}, k = {k}: {skipped} left out");
        }
    });
}

fn decided_in_place(launch: &crate::launch::Launch, shape: (usize, usize, usize)) -> Vec<u32> {
    decided(launch.clone(), shape).0
}

/// Without bounds, and without a distance that is a number, every row is listed.
#[test]
fn lists_all_rows_where_nothing_is_known() {
    on_every_adapter(|device| {
        let (n, d, k) = (300, 40, 5);
        let mut noise = Noise(3);
        let (points, centroids) = (noise.values(n * d), noise.values(k * d));
        let launch = surveyed(device, (&points, &centroids, d))
            .bind("labels", &noise.labels(n, k))
            .bind("lower", &vec![1e6_f32; n])
            .bind("distances", &vec![1.0_f32; n]);
        for (bounded, distance, expected) in [(1, 1.0, 0), (0, 1.0, n as u32), (1, f32::INFINITY, n as u32)] {
            let launch = launch.clone().bind("counts", &[0_u32, 0, 0]).bind("distances", &vec![distance; n]);
            let launch = sized(launch, "skip_settled", (k, d)).constant("BOUNDED", bounded);
            launch.run(n.div_ceil(256));
            assert_eq!(launch.read::<u32>("counts")[0], expected, "{bounded} {distance}");
        }
    });
}
