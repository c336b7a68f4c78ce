//! What a product settles, and what it leaves to the distances themselves.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Metric, Noise, distance};
use crate::search::{Product, Search, check_bounds};
use std::collections::BTreeSet;

/// The rows that are in doubt, or one of a pair.
fn undecided(launch: &Launch, n: usize) -> BTreeSet<u32> {
    let (counts, listed) = (launch.read::<u32>("counts"), launch.read::<u32>("undecided"));
    let pairs = listed[n..].chunks(2).take(counts[2] as usize).map(|pair| pair[0]);
    listed[..counts[1] as usize].iter().copied().chain(pairs).collect()
}

/// What it does not list is the f64 minimum; what it lists is little on spread data, and all where all are equal.
#[test]
fn lists_what_it_cannot_tell_apart_and_nothing_else_is_wrong() {
    on_every_adapter(|device| {
        let (n, d, k) = (500, 48, 300);
        for (offset, scale, most) in [(0.0, 1.0, n / 50), (300.0, 1.0, n), (0.0, 1e-20, n), (0.0, 3e17, n / 50)] {
            let mut noise = Noise(21);
            let mut values = |count: usize| -> Vec<f32> {
                noise.values(count * d).into_iter().map(|value| offset + scale * value).collect()
            };
            let (points, centroids) = (values(n), values(k));
            let given = (&points[..], &centroids[..], d);
            let launch = Search::new(given, Product::Tiles(8, 8)).settled(device, given);
            let (labels, listed) = (launch.read::<u32>("nearest"), undecided(&launch, n));
            assert!(listed.len() <= most, "{} rows in doubt at {offset} and {scale}", listed.len());
            for row in (0..n).filter(|row| !listed.contains(&(*row as u32))) {
                let point = &points[row * d..][..d];
                let all: Vec<f64> = centroids.chunks(d).map(|c| distance(Metric::SquaredEuclidean, point, c)).collect();
                let best = (0..k).fold(0, |best, j| if all[j] < all[best] { j } else { best });
                assert_eq!(labels[row] as usize, best, "row {row} at {offset} and {scale}");
            }
        }
        let same = vec![0.5; 64 * d];
        let given = (&same[..], &same[..3 * d], d);
        let launch = Search::new(given, Product::Tiles(8, 8)).settled(device, given);
        assert_eq!(launch.read::<u32>("counts"), [64, 64, 0, 64, 0, 0], "three that are equal are no pair");
    });
}

/// A centroid that stands twice, the second time in the hands of another thread or in another group, is never settled on.
#[test]
fn a_centroid_that_stands_twice_is_never_settled_on() {
    on_every_adapter(|device| {
        let (n, d, k) = (500, 48, 300);
        let mut noise = Noise(22);
        let (points, mut centroids) = (noise.values(n * d), noise.values(k * d));
        for again in [1, 5, 33, 70, 99, 128, 299] {
            centroids.copy_within(..d, again * d);
            for (across, down) in [(8, 8), (16, 16), (8, 16), (16, 8)] {
                let given = (&points[..], &centroids[..], d);
                let launch = Search::new(given, Product::Tiles(across, down)).settled(device, given);
                let (labels, listed) = (launch.read::<u32>("nearest"), undecided(&launch, n));
                let twice: Vec<u32> = (0..n as u32).filter(|row| labels[*row as usize] == 0).collect();
                let missing: Vec<&u32> = twice.iter().filter(|row| !listed.contains(row)).collect();
                assert!(
                    missing.is_empty() && !twice.is_empty(),
                    "0 is also {again}, {across} × {down}: {missing:?} are not in doubt"
                );
            }
            let spare = noise.values(d);
            centroids[again * d..][..d].copy_from_slice(&spare);
        }
    });
}

/// Groups that were shown, and the own centroid that was not: entries are given, and what becomes of them is known.
#[test]
fn weighs_what_it_was_shown_against_the_own_centroid() {
    on_every_adapter(|device| {
        let (d, k) = (64, 384);
        let mut noise = Noise(5);
        // Centroid 7 of group 0 stands near the row, 200 of group 1 and 300 of group 2 at distances that a case gives.
        let mut centroids: Vec<f32> = noise.values(k * d).into_iter().map(|value| value + 9.0).collect();
        let points = vec![0.25; d];
        let at = |distance: f32| -> Vec<f32> { (0..d).map(|i| if i == 3 { 0.25 + distance } else { 0.25 }).collect() };
        for (own, other, third, expected) in [
            // The own centroid is the nearest: the row stays, and its group keeps its bound.
            (1.0, 2.0, 3.0, (7, 0, 0)),
            // Another is: the old one bounds its group.
            (2.0, 1.0, 3.0, (200, 0, 0)),
            // Two are as near: a pair.
            (1.0, 1.0, 3.0, (7, 0, 1)),
            (3.0, 1.0, 1.0, (200, 0, 1)),
            // Three are.
            (1.0, 1.0, 1.0, (7, 1, 0)),
        ] {
            for (centroid, distance) in [(7, own), (200, other), (300, third)] {
                centroids[centroid * d..][..d].copy_from_slice(&at(distance));
            }
            let given = (&points[..], &centroids[..], d);
            let search = Search::new(given, Product::Tiles(8, 8));
            // The row belongs to 7, and group 0 was left out by a bound.
            let bound = 4.0;
            let launch = search.begin(device, given).bind("lower", &[bound, 0.0, 0.0, own]).bind("nearest", &[7_u32]);
            let launch = search.survey(launch.bind("labels", &[7_u32]).bind("distances", &[own * own]));
            let launch = search.list(launch);
            let counts = launch.read::<u32>("counts");
            assert_eq!(counts, [1, 0, 0, 1, 0, 0, 0, 1], "two of three groups are more than half: all are shown");
            let bound = launch.read::<f32>("lower")[0];
            assert!(bound > 3.99 && bound <= 4.0, "{case}: centroids have not moved: {bound}", case = bound);
            // So that group 0 is not: the lists and the mask are given.
            let launch = launch
                .bind("open", &[0, 0b110, 7, (own * own).to_bits()])
                .bind("lists", &[9, 9, 0, 0])
                .bind("counts", &[1, 0, 0, 0, 0, 1, 1, 1]);
            let launch = search.settle(search.multiply(launch));
            let case = format!("{own}, {other}, {third}");
            let (labels, counts) = (launch.read::<u32>("nearest"), launch.read::<u32>("counts"));
            assert_eq!((labels[0], counts[1], counts[2]), expected, "{case}");
            let launch = search.decide(launch, 1);
            let (labels, lower) = (launch.read::<u32>("nearest"), launch.read::<f32>("lower"));
            let nearest =
                [(own, 7), (other, 200), (third, 300)].into_iter().reduce(|a, b| if b.0 < a.0 { b } else { a });
            assert_eq!(labels[0], nearest.unwrap().1, "{case}: the lowest label of the nearest");
            check_bounds(&case, given, &labels, &lower, 1);
            let is_kept = labels[0] == 7 && expected.1 == 0;
            assert_eq!(lower[0] == bound, is_kept, "{case}: {lower:?}");
        }
    });
}

/// Far from the origin the product orders three near centroids by chance: whichever it takes for the nearest, bounds hold for those that
/// turn out not to be.
#[test]
fn bounds_hold_whatever_becomes_of_rows_in_doubt() {
    on_every_adapter(|device| {
        let (n, d, k) = (300, 64, 384);
        let mut noise = Noise(8);
        let points: Vec<f32> = noise.values(n * d).into_iter().map(|value| 50.0 + 0.02 * value).collect();
        let mut centroids: Vec<f32> = noise.values(k * d).into_iter().map(|value| 60.0 + value).collect();
        for (centroid, axis) in [(7, 3), (200, 4), (300, 5)] {
            (0..d).for_each(|i| centroids[centroid * d + i] = if i == axis { 51.0 } else { 50.0 });
        }
        let given = (&points[..], &centroids[..], d);
        let search = Search::new(given, Product::Tiles(8, 8));
        let launch = search.settled(device, given);
        let (taken, counts) = (launch.read::<u32>("nearest"), launch.read::<u32>("counts"));
        assert!(counts[1] as usize > n / 2, "{} rows in doubt", counts[1]);
        let launch = search.decide(launch, n);
        let labels = launch.read::<u32>("nearest");
        let changed = labels.iter().zip(&taken).filter(|(label, taken)| label != taken).count();
        assert!(changed > n / 20, "{changed} rows have another label in the end");
        check_bounds("in doubt", given, &labels, &launch.read::<f32>("lower"), 1);
    });
}
