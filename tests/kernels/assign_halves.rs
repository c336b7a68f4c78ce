//! Rows in half precision, and their labels by matrix units where a device has some.

use crate::assign_exact::{SHAPES, assign_exact};
use crate::assign_small::{Found, Given, check_hostile, check_shapes};
use crate::launch::on_every_adapter;
use crate::oracle::{Metric, Noise, distance};
use crate::search::{Product, Search, WIDTH, bounds, check_bounds, groups, padded};
use crate::survey_centroids::{check_above, half_at, unseen};
use superstep::backend::gpu::GpuDevice;

const METRICS: &[Metric] = &[Metric::SquaredEuclidean];

/// As k-means does it; by the distances themselves where there are no matrix units.
fn assign_halves(device: &GpuDevice, given: Given) -> Found {
    if !device.info().matrix_units {
        println!("skipped: {} offers no matrix units", device.info().name);
        return assign_exact(device, Metric::SquaredEuclidean, given);
    }
    Search::new(given, Product::Halves).all(device, given)
}

#[test]
fn halve_rows_tells_lengths_and_what_it_leaves_out() {
    on_every_adapter(|device| {
        for (n, d, size, offset) in
            [(1, 33, 1.0, 0.0), (63, 40, 1e-7, 0.0), (200, 128, 1.0, 1000.0), (65, 130, 1e8, 0.0)]
        {
            let mut noise = Noise((n + d) as u64);
            let points: Vec<f32> = noise.values(n * d).into_iter().map(|value| offset + size * value).collect();
            let given = (&points[..], &points[..d], d);
            let search = Search::new(given, Product::Halves);
            let launch = search.begin(device, given);
            let (found, lengths) = (launch.read::<u32>("row_halves"), launch.read::<f32>("lengths"));
            for place in 0..n {
                let row = &points[place * d..][..d];
                let half = |i: usize| half_at(&found, place * padded(d) + i) / search.scale;
                let rest = row.iter().enumerate().map(|(i, &x)| (f64::from(x) - half(i)).powi(2)).sum::<f64>().sqrt();
                let square = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
                assert!((f64::from(lengths[2 * place]) - square).abs() <= 1e-5 * square, "square of {place}");
                check_above("rest", lengths[2 * place + 1], rest, unseen(d, search.scale));
                assert!(rest <= 1e-3 * square.sqrt(), "row {place} is {rest} off");
                assert!((d..padded(d)).all(|i| half(i) == 0.0), "columns past the end of {place}");
            }
        }
    });
}

#[test]
fn assign_halves_finds_the_nearest_centroid_for_shapes_on_and_off_its_tiles() {
    let more: Vec<_> =
        SHAPES.iter().copied().filter(|&(_, d, _)| d > 32).chain([(257, 128, 300), (300, 96, 31)]).collect();
    check_shapes(|device, _, given| assign_halves(device, given), METRICS, &more);
}

#[test]
fn assign_halves_breaks_ties_downwards_and_keeps_offsets_apart() {
    check_hostile(|device, _, given| assign_halves(device, given), METRICS, 40);
    check_hostile(|device, _, given| assign_halves(device, given), METRICS, 200);
}

/// Labels are those of the distances themselves, bounds hold, and little is in doubt.
#[test]
fn assign_halves_labels_as_the_exact_kernel_does() {
    on_every_adapter(|device| {
        if !device.info().matrix_units {
            println!("skipped: {} offers no matrix units", device.info().name);
            return;
        }
        for (n, d, k, offset, size) in [
            (7000, 40, 90, 0.0, 1.0),
            (4000, 130, 270, 20.0, 1.0),
            (4000, 128, 1000, 0.0, 1.0),
            (3000, 64, 65, 0.0, 1e-12),
            (2000, 768, 200, 0.0, 1e8),
            (15, 64, 20, 0.0, 1.0),
            (2000, 48, 100, 0.0, 1e-30),
        ] {
            let mut noise = Noise((n + d) as u64);
            let mut values = |count: usize| -> Vec<f32> {
                noise.values(count * d).into_iter().map(|value| offset + size * value).collect()
            };
            let (points, mut centroids) = (values(n), values(k));
            // One centroid stands twice.
            centroids.copy_within(..d, (k - 1) * d);
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::Halves);
            let launch = search.settled(device, given);
            let counts = launch.read::<u32>("counts");
            let (doubtful, pairs) = (counts[1] as usize, counts[2]);
            let launch = search.decide(launch, n / 3);
            let (labels, lower) = (launch.read::<u32>("nearest"), launch.read::<f32>("lower"));
            let case = format!("{n} × {d}, k = {k}, around {offset}, {size}");
            println!("{case}: {doubtful} in doubt, {pairs} pairs");
            assert_eq!(labels, assign_exact(device, Metric::SquaredEuclidean, given).0, "{case}");
            assert!(doubtful <= n, "{case}");
            assert!(offset > 0.0 || size < 1e-20 || doubtful < n / 3 || n < 100, "{case}: {doubtful} in doubt");
            check_bounds(&case, given, &labels, &lower, 17);
        }
    });
}

/// The nearer of two, the lower on ties, and a bound on the distance to the farther.
#[test]
fn decide_pairs_takes_the_nearer_of_two() {
    on_every_adapter(|device| {
        for (n, d, k) in [(1, 33, 2), (127, 40, 3), (300, 130, 9), (100, 40, 300), (20, 1100, 4)] {
            let mut noise = Noise((n + d) as u64);
            let (points, mut centroids) = (noise.values(n * d), noise.values(k * d));
            centroids.copy_within(..d, (k - 1) * d);
            let (labels, rivals) = (noise.labels(n, k), noise.labels(n, k));
            let listed: Vec<usize> = (0..n).filter(|row| row % 3 != 1).collect();
            let mut list = vec![7; n];
            list.extend(listed.iter().flat_map(|&row| [row as u32, rivals[row]]));
            list.resize(3 * n, 0);
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::Tiles(8, 8));
            let mut counts = vec![0; 4 + groups(k)];
            counts[2] = listed.len() as u32;
            let launch = search
                .begin(device, given)
                .bind("nearest", &labels)
                .bind("lower", &vec![f32::MAX; n * bounds(k)])
                .bind("undecided", &list)
                .bind("counts", &counts);
            let launch = search.kernel(launch, "decide_pairs", &["DIMENSIONS", "GROUPS", "WIDTH"]);
            launch.run(n.div_ceil(16));
            let (found, lower) = (launch.read::<u32>("nearest"), launch.read::<f32>("lower"));
            for row in 0..n {
                let lower = &lower[row * bounds(k)..][..groups(k)];
                let is_kept = lower.iter().all(|&bound| bound == f32::MAX);
                if !listed.contains(&row) {
                    assert!(found[row] == labels[row] && is_kept, "row {row} is not listed");
                    continue;
                }
                let to = |label: u32| {
                    let centroid = &centroids[label as usize * d..][..d];
                    distance(Metric::SquaredEuclidean, &points[row * d..][..d], centroid)
                };
                let (a, b) = (labels[row], rivals[row]);
                let nearer = if to(a) == to(b) {
                    a.min(b)
                } else if to(a) < to(b) {
                    a
                } else {
                    b
                };
                assert_eq!(found[row], nearer, "{n} × {d}: row {row}");
                let (loser, farther) = (if nearer == a { b } else { a }, to(a).max(to(b)).sqrt());
                for (group, &bound) in lower.iter().enumerate() {
                    let is_right = if group == loser as usize / WIDTH {
                        f64::from(bound) <= farther && f64::from(bound) >= 0.99999 * farther
                    } else {
                        bound == f32::MAX
                    };
                    assert!(is_right, "row {row}, group {group}: {bound} for {farther}");
                }
            }
        }
    });
}
