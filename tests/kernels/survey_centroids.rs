//! Squared lengths, drifts and halves of centroids, and their extremes.

use crate::launch::on_every_adapter;
use crate::oracle::Noise;
use crate::search::{Product, Search, WIDTH, groups, padded, room};

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// The value of half precision's bits (IEEE 754 binary16).
pub(crate) fn of_half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 => f64::INFINITY,
        _ => (1024.0 + mantissa) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// A value of a table of halves, two to a word.
pub(crate) fn half_at(halves: &[u32], at: usize) -> f64 {
    of_half((halves[at / 2] >> (16 * (at % 2))) as u16)
}

/// What halves may lose by being small: see `parts/half_rest.wgsl`.
pub(crate) fn unseen(d: usize, scale: f64) -> f64 {
    3.0 * (d as f64).sqrt() * 2f64.powi(-14) / scale
}

/// Bounds are above the truth, and by no more than a few millionths.
pub(crate) fn check_above(what: &str, bound: f32, truth: f64, slack: f64) {
    let bound = f64::from(bound);
    assert!(bound >= truth && bound <= truth * (1.0 + 1e-4) + slack, "{what}: {bound} for {truth}");
}

#[test]
fn survey_centroids_bounds_lengths_drifts_and_what_halves_leave_out() {
    on_every_adapter(|device| {
        for (k, d, size) in [(1, 33, 1.0), (63, 40, 1e-6), (128, 128, 300.0), (129, 130, 1.0), (300, 257, 1e9)] {
            let mut noise = Noise((k + d) as u64);
            let mut values = |count: usize| -> Vec<f32> { noise.values(count).into_iter().map(|v| v * size).collect() };
            let (points, centroids, later) = (values(64 * d), values(k * d), values(k * d));
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::Halves);
            let mut launch = search.begin(device, given);
            launch.set("centroids", &later);
            let launch = search.survey(launch);
            let (norms, drifts) = (launch.read::<f32>("norms"), launch.read::<f32>("drifts"));
            let extremes = launch.read::<f32>("extremes");
            let halves = launch.read::<u32>("centroid_halves");
            assert_eq!(launch.read::<f32>("before"), later);
            let mut of_groups = vec![(0.0_f64, 0.0_f32, Vec::new()); groups(k)];
            for (j, centroid) in later.chunks(d).enumerate() {
                let true_length = length(centroid.iter().map(|&c| f64::from(c)));
                assert!((f64::from(norms[j]) - true_length.powi(2)).abs() <= 1e-5 * true_length.powi(2), "norm of {j}");
                let half = |i: usize| half_at(&halves, j * padded(d) + i) / search.scale;
                let left_out = length(centroid.iter().enumerate().map(|(i, &c)| f64::from(c) - half(i)));
                check_above("rest", norms[room(k) + j], left_out, unseen(d, search.scale));
                assert!(left_out <= 1e-3 * true_length, "halves of {j} are {left_out} off");
                assert!((d..padded(d)).all(|i| half(i) == 0.0), "columns past the end of {j}");
                let drift =
                    length(centroid.iter().zip(&centroids[j * d..]).map(|(a, b)| f64::from(*a) - f64::from(*b)));
                check_above("drift", drifts[j], drift, 1e-17);
                let (longest, rest, moved) = &mut of_groups[j / WIDTH];
                (*longest, *rest) = (longest.max(true_length), rest.max(norms[room(k) + j]));
                moved.push((drifts[j], j));
            }
            assert!(norms[k..room(k)].iter().all(|&norm| norm == f32::MAX), "norms past the end");
            for ((longest, rest, mut moved), found) in of_groups.into_iter().zip(extremes.chunks(5)) {
                check_above("longest", found[0], longest, 1e-17);
                assert_eq!(found[1], rest);
                moved.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                let second = moved.get(1).map_or(0.0, |second| second.0);
                assert_eq!(found[2..], [moved[0].0, moved[0].1 as f32, second], "the largest drifts");
            }
        }
    });
}

/// A centroid far beyond the rows outgrows half precision: what is left out is told as if it were everything.
#[test]
fn a_centroid_that_outgrows_half_precision_is_told() {
    on_every_adapter(|device| {
        let (k, d) = (3, 40);
        let (points, mut centroids) = (Noise(1).values(64 * d), Noise(2).values(k * d));
        centroids[d + 7] = 50.0;
        let given = (&points[..], &centroids[..], d);
        let launch = Search::new(given, Product::Halves).begin(device, given);
        let (norms, extremes) = (launch.read::<f32>("norms"), launch.read::<f32>("extremes"));
        assert!(norms[room(k)] < 0.01 && norms[room(k) + 1] == f32::MAX && extremes[1] == f32::MAX);
    });
}
