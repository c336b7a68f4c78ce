//! Which groups of centroids bounds leave out, and that none of them could hold a row's nearest.

use crate::assign_exact::assign_exact;
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise};
use crate::search::{Product, Search, bounds, check_bounds, groups};
use std::collections::BTreeSet;

/// The rows of each list, the first being that of rows shown all groups.
fn lists(launch: &crate::launch::Launch, n: usize, counts: &[u32]) -> Vec<BTreeSet<u32>> {
    let lists = launch.read::<u32>("lists");
    let of = |(list, &count): (usize, &u32)| lists[list * n..][..count as usize].iter().copied().collect();
    counts[3..counts.len() - 1].iter().enumerate().map(of).collect()
}

/// Rounds of a search whose centroids wander: what is left out has the label that all distances would give it, bounds hold, each
/// open row is shown the groups of its mask, and much is left out where centroids hardly move.
#[test]
fn what_is_left_out_keeps_its_nearest_centroid() {
    on_every_adapter(|device| {
        for ((n, d, k, step, least, unread), product) in [
            (700, 40, 9, 0.002, 300, 250),
            (300, 33, 70, 0.02, 0, 0),
            (260, 64, 1, 0.5, 250, 0),
            (500, 36, 600, 0.002, 500, 300),
        ]
        .into_iter()
        .flat_map(|case| [Product::Tiles(8, 8), Product::HalvesByTiles].map(|product| (case, product)))
        {
            let mut noise = Noise((n + k) as u64);
            let (points, mut centroids) = (noise.values(n * d), noise.values(k * d));
            // Half of the rows lie near a centroid.
            let mut points = points;
            for row in (0..n).step_by(2) {
                let near = (row / 2 % k) * d;
                (0..d).for_each(|i| points[row * d + i] = centroids[near + i] + 0.2 * points[row * d + i]);
            }
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, product);
            let mut launch = search.begin(device, given);
            let (mut skipped, mut shown_some, mut unmeasured) = (0, 0, 0);
            for round in 0..6 {
                let case = format!("{n} × {d}, k = {k}, {product:?}, round {round}");
                let labels = if round == 0 { vec![u32::MAX; n] } else { launch.read::<u32>("nearest") };
                launch.set("labels", &labels);
                launch.set("centroids", &centroids);
                launch = search.list(search.survey(launch));
                let (counts, all) = (launch.read::<u32>("counts"), (1_u32 << groups(k)) - 1);
                let looked_at = *counts.last().unwrap() as usize;
                assert!(looked_at <= n && counts[0] as usize <= looked_at, "{case}: {looked_at} are looked at");
                unmeasured += n - looked_at;
                let open = launch.read::<u32>("open");
                let open: Vec<&[u32]> = open.chunks(4).take(counts[0] as usize).collect();
                let rows: BTreeSet<u32> = open.iter().map(|one| one[0]).collect();
                assert_eq!(rows.len(), open.len(), "{case}: each row once");
                assert!(round > 0 || open.len() == n, "{case}: nothing is known before the first search");
                let lists = lists(&launch, n, &counts);
                let distances = launch.read::<f32>("distances");
                for &one in &open {
                    let (row, mask) = (one[0], one[1]);
                    assert_eq!((one[2], one[3]), (labels[row as usize], distances[row as usize].to_bits()), "{case}");
                    assert_eq!(lists[0].contains(&row), mask == all, "{case}: row {row} has {mask:b}");
                    for group in 0..groups(k) {
                        let is_shown = mask != all && mask >> group & 1 == 1;
                        assert_eq!(lists[1 + group].contains(&row), is_shown, "{case}: row {row}, group {group}");
                    }
                    shown_some += usize::from(mask != all);
                }
                skipped += n - open.len();
                launch = search.settle(search.multiply(launch));
                launch = search.decide(launch, n / 3);
                let (found, lower) = (launch.read::<u32>("nearest"), launch.read::<f32>("lower"));
                let exact = assign_exact(device, Metric::SquaredEuclidean, (&points, &centroids, d));
                assert_eq!(found, exact.0, "{case}");
                check_bounds(&case, (&points, &centroids, d), &found, &lower, 1);
                centroids.iter_mut().for_each(|value| *value += step * noise.value());
                // One of them runs to a row: who keeps another centroid must hear of it.
                if round % 2 == 1 {
                    let (row, runner) = (37 * round % n, round % k);
                    centroids[runner * d..][..d].copy_from_slice(&points[row * d..][..d]);
                }
            }
            assert!(skipped >= least, "{n} × {d}, k = {k}: {skipped} left out");
            assert!(unmeasured >= unread, "{n} × {d}, k = {k}: {unmeasured} not even measured");
            assert!(groups(k) < 3 || shown_some >= 100, "{n} × {d}, k = {k}: {shown_some} were shown some groups");
        }
    });
}

/// Without bounds, and without a distance that is a number, every row is shown every group; where bounds hold, none is.
#[test]
fn lists_all_rows_where_nothing_is_known() {
    on_every_adapter(|device| {
        let (n, d, k) = (300, 40, 200);
        let mut noise = Noise(3);
        let (points, centroids) = (noise.values(n * d), noise.values(k * d));
        let given = (&points[..], &centroids[..], d);
        let search = Search::new(given, Product::Tiles(8, 8));
        let labels = noise.labels(n, k);
        let launch = search.begin(device, given).bind("labels", &labels).bind("nearest", &labels);
        let rows: Vec<u32> = (0..3 * n as u32).collect();
        for (bounded, distance, expected) in [(1, 1.0, 0), (0, 1.0, n as u32), (1, f32::INFINITY, n as u32)] {
            let launch = launch.clone().bind("counts", &[0_u32, 0, 0, 0, 0, 0, n as u32]);
            let launch = launch.bind("lower", &vec![1e6_f32; bounds(k) * n]).bind("undecided", &rows);
            let launch = launch.bind("distances", &vec![distance; n]);
            let launch = search.kernel(launch, "skip_settled", &["CLUSTERS", "DIMENSIONS", "GROUPS", "ALL_FROM"]);
            let launch = launch.constant("BOUNDED", bounded);
            launch.run(n.div_ceil(256));
            let counts = launch.read::<u32>("counts");
            assert_eq!(counts, [expected, 0, 0, expected, 0, 0, n as u32], "{bounded} {distance}");
        }
    });
}
