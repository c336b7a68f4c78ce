use superstep::backend::cpu::{FixedPoint, Isa, Partials, Rows, WideColumns};

use crate::oracle::{Maker, Numbers, is_nearest, round_to_unit};

/// Rows with everything that the sums take.
struct Sample {
    k: usize,
    d: usize,
    values: Vec<f32>,
    weights: Option<Vec<f32>>,
    labels: Vec<u32>,
    previous: Vec<u32>,
    distances: Vec<f32>,
}

impl Sample {
    fn new(seed: u64, (n, d, k): (usize, usize, usize), weighted: bool, value: Maker) -> Self {
        let mut numbers = Numbers::new(seed);
        let values = (0..n * d).map(|_| value(&mut numbers)).collect();
        let weights = weighted.then(|| (0..n).map(|_| numbers.unit().abs()).collect());
        let mut labels = || (0..n).map(|_| numbers.below(k) as u32).collect();
        let (labels, previous) = (labels(), labels());
        let distances = (0..n).map(|_| numbers.unit().abs() * 100.0).collect();
        Self { k, d, values, weights, labels, previous, distances }
    }

    fn n(&self) -> usize {
        self.labels.len()
    }

    /// A value as it is summed.
    fn value(&self, row: usize, column: usize) -> f32 {
        self.weight(row) * self.values[row * self.d + column]
    }

    fn weight(&self, row: usize) -> f32 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    fn plan(&self, words: usize) -> FixedPoint {
        let largest = |values: &mut dyn Iterator<Item = f32>| f64::from(values.fold(0f32, |a, v| a.max(v.abs())));
        let columns: Vec<f64> = (0..self.d).map(|j| largest(&mut (0..self.n()).map(|i| self.value(i, j)))).collect();
        let weight = self.weights.as_ref().map(|weights| largest(&mut weights.iter().copied()));
        FixedPoint::plan(self.n() as u64, &columns, weight, 100.0).unwrap().with_words(words).unwrap()
    }

    fn rows(&self, block: std::ops::Range<usize>) -> Rows<'_> {
        Rows {
            values: &self.values[block.start * self.d..block.end * self.d],
            weights: self.weights.as_ref().map(|weights| &weights[block.clone()]),
            labels: &self.labels[block.clone()],
            previous: &self.previous[block.clone()],
            distances: &self.distances[block],
        }
    }

    fn sum(&self, words: usize, isa: Isa) -> Partials {
        let mut partials = Partials::new(&self.plan(words), self.k).unwrap().with_isa(isa);
        partials.add_rows(&self.rows(0..self.n())).unwrap();
        partials
    }
}

const VALUES: [(&str, Maker); 6] = [
    ("uniform", |r| r.unit()),
    ("zero", |_| 0.0),
    ("offset", |r| 1e6 + r.unit()),
    ("denormal", |r| f32::from_bits((r.next() % 50) | (r.next() << 31))),
    ("huge", |r| f32::MAX * r.unit()),
    ("all magnitudes", |r| r.unit() * 2f32.powi(r.below(200) as i32 - 100)),
];

fn samples() -> impl Iterator<Item = (String, Sample)> {
    let shapes = [(1, 1, 1), (3, 1, 2), (50, 7, 3), (50, 8, 3), (64, 16, 5), (40, 33, 4)];
    shapes.into_iter().flat_map(|shape| {
        VALUES.into_iter().flat_map(move |(name, value)| {
            [false, true].map(|weighted| {
                (format!("{name}, {shape:?}, weighted: {weighted}"), Sample::new(11, shape, weighted, value))
            })
        })
    })
}

#[test]
fn sums_are_those_of_big_integers_on_every_instruction_set() {
    for (name, sample) in samples() {
        for words in [1, 2] {
            let fixed = sample.plan(words);
            let bits = fixed.bits() as i32;
            for isa in Isa::available() {
                let partials = sample.sum(words, isa);
                for cluster in 0..sample.k {
                    let own: Vec<usize> = (0..sample.n()).filter(|i| sample.labels[*i] as usize == cluster).collect();
                    for column in 0..sample.d {
                        let unit = -fixed.exponents()[column];
                        let expected: i128 = own
                            .iter()
                            .map(|i| {
                                let value = sample.value(*i, column);
                                let first = round_to_unit(value, unit);
                                assert!(first.abs() <= 1 << bits, "{name}: {first} takes more than {bits} bits");
                                if words == 1 { first } else { (first << bits) + residual(value, first, unit, bits) }
                            })
                            .sum();
                        assert_eq!(partials.sum_exact(cluster, column), expected, "{isa}, {name}, {words} words");
                    }
                    let unit = -fixed.mass_exponent();
                    let mass: i128 = own.iter().map(|i| round_to_unit(sample.weight(*i), unit)).sum();
                    assert_eq!(i128::from(partials.mass_units(cluster)), mass, "{isa}, {name}");
                }
                let moved = sample.labels.iter().zip(&sample.previous).filter(|(a, b)| a != b).count();
                assert_eq!(partials.moved(), moved as i64, "{isa}, {name}");
                let inertia: f64 = (0..sample.n()).map(|i| f64::from(sample.distances[i] * sample.weight(i))).sum();
                assert!((partials.inertia() - inertia).abs() <= 1e-14 * inertia, "{isa}, {name}");
            }
        }
    }
}

/// `round((value − first · 2^unit) / 2^(unit − bits))`, half to even.
fn residual(value: f32, first: i128, unit: i32, bits: i32) -> i128 {
    // Every step is exact in f64 but the last: at most 24 bits of the value are left.
    let whole = f64::from(value) * 2f64.powi(-unit);
    let rest = whole - first as f64;
    (rest * 2f64.powi(bits)).round_ties_even() as i128
}

#[test]
fn blocks_and_merges_in_any_order_give_the_same_bits() {
    for (name, sample) in samples() {
        let whole = sample.sum(2, Isa::Portable);
        let mut merged = Partials::new(&sample.plan(2), sample.k).unwrap();
        let cuts: Vec<usize> = (0..sample.n()).step_by(7).collect();
        for &first in cuts.iter().rev() {
            let mut part = Partials::new(&sample.plan(2), sample.k).unwrap();
            part.add_rows(&sample.rows(first..(first + 7).min(sample.n()))).unwrap();
            merged.merge(&part).unwrap();
        }
        assert_eq!(merged.values(), whole.values(), "{name}");
    }
}

#[test]
fn a_mean_is_the_f32_nearest_to_the_exact_quotient() {
    for (name, sample) in samples() {
        for words in [1, 2] {
            let fixed = sample.plan(words);
            let partials = sample.sum(words, Isa::detect());
            for cluster in 0..sample.k {
                for column in 0..sample.d {
                    let Some(mean) = partials.mean(cluster, column) else {
                        assert_eq!(partials.mass_units(cluster), 0, "{name}");
                        continue;
                    };
                    let finer = if words == 1 { 0 } else { fixed.bits() as i32 };
                    let exponent = fixed.mass_exponent() - fixed.exponents()[column] - finer;
                    let (sum, mass) = (partials.sum_exact(cluster, column), partials.mass_units(cluster) as u64);
                    assert!(is_nearest(mean, sum, mass, exponent), "{name}: {mean:e} = {sum} / {mass} · 2^{exponent}");
                }
            }
        }
    }
}

#[test]
fn means_of_chosen_sums_are_rounded_to_even_and_below_the_normal_range() {
    // One column with the unit 2^-149: sums are whole numbers of the smallest f32.
    for (sum, mass, expected) in [
        (1, 2, 0),
        (3, 2, 2),
        (5, 2, 2),
        (7, 2, 4),
        (5, 3, 2),
        (4, 3, 1),
        (1, 3, 0),
        (2, 3, 1),
        ((1 << 25) + 1, 2, 1 << 24),
        ((1 << 25) + 3, 2, (1 << 24) + 1),
    ] {
        let fixed = FixedPoint::from_exponents(50, 1, false, vec![149, 0, 0]).unwrap();
        for sign in [1, -1] {
            let partials = Partials::from_values(&fixed, 1, vec![sign * sum, mass, 0, 0, 0]).unwrap();
            let expected = sign as f32 * f32::from_bits(expected);
            assert_eq!(partials.mean(0, 0), Some(expected), "{} / {mass}", sign * sum);
        }
    }
}

#[test]
fn a_mean_just_above_the_middle_is_rounded_up_however_little_it_is() {
    // 2^61 rows; the sum, in units of the smallest f32, is 2^61 · (2^23 + 1/2), or one more.
    let fixed = FixedPoint::from_exponents(50, 2, false, vec![99, 0, 0]).unwrap();
    for (more, expected) in [(-1, 1 << 23), (0, 1 << 23), (1, (1 << 23) + 1)] {
        let sums = vec![((1 << 24) + 1) << 10, more, 1 << 61, 0, 0, 0];
        let partials = Partials::from_values(&fixed, 1, sums).unwrap();
        assert_eq!(partials.mean(0, 0), Some(f32::from_bits(expected)), "{more} more");
    }
}

#[test]
fn an_empty_cluster_has_no_mean() {
    let partials = Partials::new(&FixedPoint::plan(1, &[1.0], None, 1.0).unwrap(), 2).unwrap();
    assert_eq!((partials.mean(1, 0), partials.mean(2, 0), partials.mean(0, 1)), (None, None, None));
    assert_eq!((partials.mass(1), partials.mass(2), partials.sum_exact(2, 0)), (0.0, 0.0, 0));
}

#[test]
fn a_distance_beyond_the_plan_counts_as_the_largest() {
    let fixed = FixedPoint::plan(2, &[1.0], None, 4.0).unwrap();
    for distance in [f32::MAX, f32::INFINITY] {
        let mut partials = Partials::new(&fixed, 1).unwrap();
        let distances = &[distance, 1.0];
        partials
            .add_rows(&Rows { values: &[1.0; 2], weights: None, labels: &[0; 2], previous: &[0; 2], distances })
            .unwrap();
        assert_eq!(partials.inertia(), 5.0, "{distance}");
    }
}

#[test]
fn planned_units_follow_the_contract() {
    for (n, bits) in [(0, 50), (1, 50), (1 << 12, 50), ((1 << 12) + 1, 49), (1 << 24, 38), (1_000_000_000, 32)] {
        assert_eq!(FixedPoint::plan(n, &[1.0], None, 1.0).unwrap().bits(), bits, "n = {n}");
    }
    let largest = [1.0, 1.0 + 1e-9, 0.5, 3.0, 0.0, f64::from(f32::MAX), f64::from(f32::from_bits(1))];
    let fixed = FixedPoint::plan(1, &largest, Some(2.0), 5.0).unwrap();
    assert_eq!(fixed.exponents(), [50, 49, 51, 48, 0, -78, 199, 49, 47]);
}

#[test]
fn plans_of_impossible_values_are_refused() {
    for largest in [f64::NAN, f64::INFINITY, -1.0, 1e39] {
        assert!(FixedPoint::plan(1, &[1.0, largest], None, 1.0).unwrap_err().to_string().contains("column 1"));
        assert!(FixedPoint::plan(1, &[1.0], Some(largest), 1.0).unwrap_err().to_string().contains("weights"));
        assert!(FixedPoint::plan(1, &[1.0], None, largest).unwrap_err().to_string().contains("distances"));
    }
    assert!(FixedPoint::plan(1, &[], None, 1.0).is_err());
    assert!(FixedPoint::from_exponents(50, 3, false, vec![0; 3]).is_err());
    assert!(FixedPoint::from_exponents(51, 1, false, vec![0; 3]).is_err());
    assert!(FixedPoint::from_exponents(50, 1, false, vec![i32::MAX; 3]).is_err());
}

#[test]
fn rows_that_do_not_fit_are_refused_and_leave_the_sums_alone() {
    let sample = Sample::new(1, (4, 2, 2), false, |r| r.unit());
    let rows = sample.rows(0..4);
    let mut partials = Partials::new(&sample.plan(1), 2).unwrap();
    for (what, wrong) in [
        ("values", Rows { values: &rows.values[1..], ..rows }),
        ("previous", Rows { previous: &rows.previous[1..], ..rows }),
        ("distances", Rows { distances: &rows.distances[1..], ..rows }),
        ("label", Rows { labels: &[0, 1, 2, 0], ..rows }),
        ("weights against the plan", Rows { weights: Some(&[1.0; 4]), ..rows }),
    ] {
        assert!(partials.add_rows(&wrong).is_err(), "{what}");
    }
    assert!(partials.values().iter().all(|&value| value == 0));
    assert!(partials.merge(&Partials::new(&sample.plan(2), 2).unwrap()).is_err());
    assert!(Partials::from_values(&sample.plan(1), 2, vec![0; 3]).is_err());
    assert!(Partials::new(&sample.plan(1), usize::MAX).is_err());
}

#[test]
fn a_column_of_tiny_and_huge_values_asks_for_two_words() {
    for (name, tiny, expected) in [("one in 64", 1, 1), ("two in 64", 2, 2)] {
        let mut values = vec![1e18; 64];
        values[..tiny].fill(1.0);
        values.extend([0.0; 100]);
        // A second column, where all is well.
        let values: Vec<f32> = values.into_iter().flat_map(|value| [0.5, value]).collect();
        let fixed = FixedPoint::plan(164, &[0.5, 1e18], None, 1.0).unwrap();
        let mut whole = WideColumns::new(&fixed);
        whole.add_rows(&values, None).unwrap();
        assert_eq!(whole.words(), expected, "{name}");
        let mut merged = WideColumns::new(&fixed);
        for block in values.rchunks(10) {
            let mut part = WideColumns::new(&fixed);
            part.add_rows(block, Some(&vec![1.0; block.len() / 2])).unwrap();
            merged.merge(&part).unwrap();
        }
        assert_eq!(merged, whole, "{name}");
    }
}

#[test]
fn more_rows_than_a_float_can_count_are_counted() {
    let fixed = FixedPoint::plan(1 << 25, &[1.0], None, 1.0).unwrap();
    let n = (1 << 24) + 1000;
    let mut partials = Partials::new(&fixed, 1).unwrap();
    let block = 1 << 12;
    let (ones, labels, zeros) = (vec![1.0; block], vec![0; block], vec![0.0; block]);
    for first in (0..n).step_by(block) {
        let m = block.min(n - first);
        let (values, labels, distances) = (&ones[..m], &labels[..m], &zeros[..m]);
        partials.add_rows(&Rows { values, weights: None, labels, previous: labels, distances }).unwrap();
    }
    assert_eq!((partials.mass(0), partials.mean(0, 0)), (n as f64, Some(1.0)));
}
