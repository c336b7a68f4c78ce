//! Labels and sums in one pass: what the two kernels that it stands for give, bit for bit.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Metric, Noise, check_nearest};
use crate::search::sized;

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
                for (weighted, words, from_sums) in
                    [(false, 1, false), (false, 1, true), (true, 1, false), (false, 2, false), (true, 2, false)]
                {
                    let cells = k * d * words + k + 3;
                    if 8 * cells + 16 * k * d.div_ceil(4) + 4 * k + 2112 > 16384 {
                        continue;
                    }
                    let case =
                        format!("{n} × {d}, k = {k}, {metric:?}, weights {weighted}, {words} words, {from_sums}");
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
                    let two = two.constant("FROM_SUMS", u8::from(from_sums));
                    two.run(3);
                    let expected = (two.read::<u32>("labels"), two.read::<i64>("changes"));
                    let found = (&expected.0[..], &two.read::<f32>("distances")[..]);
                    check_nearest(&case, metric, &points, &centroids, d, found);
                    let ways = [(1, 0), (2, 1), (n.div_ceil(512), 1)];
                    for (workgroups, product) in ways.into_iter().filter(|(_, product)| product + is_cityblock < 2) {
                        let one = begin.clone().bind("labels", &before).bind("changes", &vec![0_i64; cells]);
                        let one = sized(one, "reassign_small", (k, d)).constant("CITYBLOCK", is_cityblock);
                        let one = one.constant("PRODUCT", product);
                        let one = sums(one, weighted, (words as u32, 40)).constant("FROM_SUMS", u8::from(from_sums));
                        one.run(workgroups);
                        assert_eq!(one.read::<u32>("labels"), expected.0, "{case}: labels");
                        let (mut found, mut expected) = (one.read::<i64>("changes"), expected.1.clone());
                        if from_sums {
                            // Each thread cuts what it has gathered into two words.
                            let whole = |words: &[i64]| (i128::from(words[0]) << 40) + i128::from(words[1]);
                            let inertia = cells - 3;
                            assert_eq!(whole(&found[inertia..]), whole(&expected[inertia..]), "{case}: lengths");
                            found[inertia..inertia + 2].fill(0);
                            expected[inertia..inertia + 2].fill(0);
                        }
                        assert_eq!(found, expected, "{case}: changes by {workgroups}");
                    }
                }
            }
        }
    });
}

/// Rows whose products cannot tell centroids apart have the labels of their distances: far from the origin, tiny, huge, on centroids that
/// stand twice.
#[test]
fn a_screen_of_products_changes_no_label() {
    on_every_adapter(|device| {
        for (d, k) in [(8, 8), (16, 30), (30, 12), (3, 20)] {
            for (offset, scale) in [(0.0, 1.0), (1000.0, 1.0), (1.0, 1e-30), (0.0, 1e-24), (1.0, 1e17)] {
                let n = 1000;
                let mut noise = Noise((d + k) as u64);
                let mut values = |count: usize| -> Vec<f32> {
                    noise.values(count * d).into_iter().map(|value| scale * (offset + value)).collect()
                };
                let (points, mut centroids) = (values(n), values(k));
                centroids.copy_within(..d, (k - 1) * d);
                let mut exponents = vec![0_i32; d + 2];
                exponents[d + 1] = -100;
                let launch = Launch::new(device, "assign_small")
                    .bind("points", &points)
                    .shape("points_shape", n, d)
                    .bind("centroids", &centroids)
                    .bind("nearest", &vec![u32::MAX; n])
                    .bind("distances", &vec![f32::NAN; n])
                    .bind("weights", &[1.0_f32])
                    .bind("exponents", &exponents)
                    .bind("labels", &vec![u32::MAX; n])
                    .bind("changes", &vec![0_i64; k * d + k + 3]);
                let exact = sized(launch, "assign_small", (k, d));
                exact.run(n.div_ceil(512));
                let screened = sums(sized(exact.clone(), "reassign_small", (k, d)), false, (1, 40));
                let screened = screened.constant("PRODUCT", 1);
                screened.run(2);
                let (labels, expected) = (screened.read::<u32>("labels"), exact.read::<u32>("nearest"));
                assert_eq!(labels, expected, "{d} columns, k = {k}, {offset}, {scale:e}");
                assert!(expected.contains(&0) && !expected.contains(&(k as u32 - 1)), "the lowest of two");
            }
        }
    });
}
