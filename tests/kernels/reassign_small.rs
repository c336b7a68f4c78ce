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
