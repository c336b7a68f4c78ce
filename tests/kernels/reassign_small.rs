//! Labels and sums in one pass: what the two kernels that it stands for give, bit for bit; with bounds and without.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Metric, Noise, check_nearest, distance};
use crate::search::{Product, Search, sized};

fn sums(launch: Launch<'_>, weighted: bool, (words, bits): (u32, u32)) -> Launch<'_> {
    launch.constant("WEIGHTED", u8::from(weighted)).constant("WORDS", words).constant("BITS", bits)
}

#[test]
fn gives_the_labels_and_sums_of_the_two_kernels_it_stands_for() {
    on_every_adapter(|device| {
        for (n, d, k) in
            [(1_usize, 1_usize, 1_usize), (511, 3, 8), (513, 16, 64), (2000, 32, 20), (1537, 5, 200), (700, 2, 400)]
        {
            for metric in [Metric::SquaredEuclidean, Metric::CityBlock] {
                for (weighted, words) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
                    let cells = k * d * words + k + 3;
                    if 8 * cells + 16 * k * d.div_ceil(4) + 2112 > 16384 {
                        continue;
                    }
                    let case = format!("{n} × {d}, k = {k}, {metric:?}, weights {weighted}, {words} words");
                    let mut noise = Noise((n + 3 * d + k) as u64);
                    let (points, centroids) = (noise.values(n * d), noise.values(k * d));
                    let weights: Vec<f32> = noise.values(n).into_iter().map(|weight| 1.5 + weight).collect();
                    let mut before = noise.labels(n, k);
                    before.iter_mut().step_by(3).for_each(|label| *label = u32::MAX);
                    let is_cityblock = u8::from(metric == Metric::CityBlock);
                    let mut exponents = vec![38_i32; d + 2];
                    exponents[d + 1] = 34;
                    let begin = Launch::new(device, "assign_small")
                        .bind("points", &points)
                        .shape("points_shape", n, d)
                        .bind("centroids", &centroids)
                        .bind("nearest", &vec![u32::MAX; n])
                        .bind("distances", &vec![f32::NAN; n])
                        .bind("weights", if weighted { &weights } else { &weights[..1] })
                        .bind("exponents", &exponents);
                    let two = begin.clone().bind("labels", &before).bind("changes", &vec![0_i64; cells]);
                    let two = sized(two, "assign_small", (k, d)).constant("CITYBLOCK", is_cityblock);
                    two.run(n.div_ceil(512));
                    let two = sums(sized(two, "sum_by_label", (k, d)), weighted, (words as u32, 40))
                        .constant("PRIVATE_FROM", 0);
                    two.run(3);
                    let expected = (two.read::<u32>("labels"), two.read::<i64>("changes"));
                    let found = (&expected.0[..], &two.read::<f32>("distances")[..]);
                    check_nearest(&case, metric, &points, &centroids, d, found);
                    for workgroups in [1, 2, n.div_ceil(512)] {
                        let one = begin.clone().bind("labels", &before).bind("changes", &vec![0_i64; cells]);
                        let one = sized(one, "reassign_small", (k, d)).constant("CITYBLOCK", is_cityblock);
                        let one = sums(one, weighted, (words as u32, 40));
                        one.run(workgroups);
                        assert_eq!(one.read::<u32>("labels"), expected.0, "{case}: labels");
                        assert_eq!(one.read::<i64>("changes"), expected.1, "{case}: changes by {workgroups}");
                    }
                }
            }
        }
    });
}

/// Rounds whose centroids wander, once a little and once far: labels and sums are those without bounds, and bounds hold.
#[test]
fn reassign_bounded_gives_the_same_and_its_bounds_hold() {
    on_every_adapter(|device| {
        for (n, d, k, step) in [(1, 1, 1, 0.1), (700, 3, 40, 0.002), (1537, 16, 64, 0.01), (900, 32, 20, 0.3)] {
            let mut noise = Noise((n + k) as u64);
            let (mut points, mut centroids) = (noise.values(n * d), noise.values(k * d));
            for row in (0..n).step_by(2) {
                let near = (row / 2 % k) * d;
                (0..d).for_each(|i| points[row * d + i] = centroids[near + i] + 0.1 * points[row * d + i]);
            }
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::Tiles(8, 8));
            let mut exponents = vec![38_i32; d + 2];
            exponents[d + 1] = 34;
            let mut launch = search
                .begin(device, given)
                .bind("weights", &[1.0_f32])
                .bind("exponents", &exponents)
                .bind("labels", &vec![u32::MAX; n])
                .bind("lower", &vec![0.0_f32; n]);
            for round in 0..5 {
                let case = format!("{n} × {d}, k = {k}, round {round}");
                launch.set("centroids", &centroids);
                launch.set("changes", &vec![0_i64; k * d + k + 3]);
                launch = search.survey(launch);
                let plain = launch.clone().bind("labels", &launch.read::<u32>("labels"));
                let plain = plain.bind("changes", &vec![0_i64; k * d + k + 3]);
                let plain = sums(sized(plain, "reassign_small", (k, d)), false, (1, 40));
                plain.run(2);
                launch = sums(sized(launch, "reassign_bounded", (k, d)), false, (1, 40));
                launch.run(2);
                let labels = launch.read::<u32>("labels");
                assert_eq!(labels, plain.read::<u32>("labels"), "{case}: labels");
                assert_eq!(launch.read::<i64>("changes"), plain.read::<i64>("changes"), "{case}: changes");
                let lower = launch.read::<f32>("lower");
                for (row, &label) in labels.iter().enumerate() {
                    let others = (0..k).filter(|&j| j != label as usize);
                    let to = |j| distance(Metric::SquaredEuclidean, &points[row * d..][..d], &centroids[j * d..][..d]);
                    let truth = others.map(to).fold(f64::INFINITY, f64::min).sqrt();
                    assert!(f64::from(lower[row]) <= truth, "{case}: row {row}: {} for {truth}", lower[row]);
                }
                centroids.iter_mut().for_each(|value| *value += step * noise.value());
                // One of them runs to a row: who keeps another centroid must hear of it.
                centroids[round % k * d..][..d].copy_from_slice(&points[37 * round % n * d..][..d]);
            }
        }
    });
}

/// A row whose bound is large keeps its cluster unseen, whatever is nearer; without a cluster it is searched.
#[test]
fn reassign_bounded_leaves_out_what_bounds_settle() {
    on_every_adapter(|device| {
        let (n, d, k) = (600, 5, 40);
        let mut noise = Noise(3);
        let (points, centroids) = (noise.values(n * d), noise.values(k * d));
        let given = (&points[..], &centroids[..], d);
        let search = Search::new(given, Product::Tiles(8, 8));
        let mut before = noise.labels(n, k);
        before.iter_mut().step_by(5).for_each(|label| *label = u32::MAX);
        let launch = search
            .begin(device, given)
            .bind("weights", &[1.0_f32])
            .bind("exponents", &vec![30_i32; d + 2])
            .bind("changes", &vec![0_i64; k * d + k + 3])
            .bind("labels", &before)
            .bind("lower", &vec![1e6_f32; n]);
        let nearest = sums(sized(launch.clone().bind("labels", &before), "reassign_small", (k, d)), false, (1, 40));
        nearest.run(2);
        let nearest = nearest.read::<u32>("labels");
        let launch = sums(sized(launch.bind("labels", &before), "reassign_bounded", (k, d)), false, (1, 40));
        launch.run(2);
        for (row, label) in launch.read::<u32>("labels").into_iter().enumerate() {
            let expected = if row % 5 == 0 { nearest[row] } else { before[row] };
            assert_eq!(label, expected, "row {row}");
        }
    });
}
