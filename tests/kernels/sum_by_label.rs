//! Fixed-point sums: every bit of every word, whatever the workgroups and wherever they gather.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Noise, exponent, word_bits, words};
use superstep::backend::cpu::{FixedPoint, Partials, Rows};
use superstep::backend::gpu::GpuDevice;

/// Every third row comes from no cluster, as all do in a first round.
fn nowhere(row: usize, from: u32) -> u32 {
    if row % 3 == 1 { u32::MAX } else { from }
}

/// One pass over rows that have labels.
struct Case {
    name: &'static str,
    clusters: usize,
    words: usize,
    points: Vec<f32>,
    d: usize,
    weights: Option<Vec<f32>>,
    previous: Vec<u32>,
    labels: Vec<u32>,
    distances: Vec<f32>,
    /// Whether squared lengths come in place of distances.
    from_sums: bool,
    /// The largest (weighted) distance that the plan foresees, where it is not the largest there is.
    planned: Option<f32>,
}

impl Case {
    fn new(name: &'static str, (n, d, k): (usize, usize, usize), seed: u64) -> Self {
        let mut noise = Noise(seed);
        let distances = noise.values(n).into_iter().map(f32::abs).collect();
        Self {
            name,
            clusters: k,
            words: 1,
            points: noise.values(n * d),
            d,
            weights: None,
            previous: noise.labels(n, k).into_iter().enumerate().map(|(row, from)| nowhere(row, from)).collect(),
            labels: noise.labels(n, k),
            distances,
            from_sums: false,
            planned: None,
        }
    }

    fn words(mut self, words: usize) -> Self {
        self.words = words;
        self
    }

    fn weights(mut self, weight: impl FnMut(usize) -> f32) -> Self {
        self.weights = Some((0..self.rows()).map(weight).collect());
        self
    }

    /// The inertia follows from the sums; squared lengths are planned for as distances are.
    fn with_lengths(mut self) -> Self {
        self.from_sums = true;
        let length = |row: &[f32]| row.iter().map(|value| value * value).sum::<f32>();
        self.planned = Some(2.0 * self.points.chunks(self.d).map(length).fold(0.0, f32::max));
        self
    }

    /// The square of a value in units of the last word of the inertia, by integers: below a unit it is cut off.
    fn square(&self, value: f32) -> i128 {
        let unit = self.exponents()[self.d + 1] + word_bits(self.rows());
        // An f32's square is exact in f64, and has 53 bits.
        let (square, mut bits) = (f64::from(value).powi(2), 0);
        let mut whole = square;
        while whole.fract() != 0.0 {
            (whole, bits) = (2.0 * whole, bits + 1);
        }
        let shift = unit - bits;
        if shift >= 0 { (whole as i128) << shift } else { (whole as i128) >> (-shift).min(127) }
    }

    fn points(mut self, mut change: impl FnMut(usize, f32) -> f32) -> Self {
        self.points = self.points.iter().enumerate().map(|(at, &value)| change(at, value)).collect();
        self
    }

    fn rows(&self) -> usize {
        self.labels.len()
    }

    fn weight(&self, row: usize) -> f32 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    fn value(&self, row: usize, column: usize) -> f32 {
        self.weight(row) * self.points[row * self.d + column]
    }

    fn exponents(&self) -> Vec<i32> {
        let bits = word_bits(self.rows());
        let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, |a, b| f64::max(a, f64::from(b.abs())));
        let rows = || 0..self.rows();
        let mut all: Vec<i32> =
            (0..self.d).map(|i| exponent(bits, largest(&mut rows().map(|row| self.value(row, i))))).collect();
        all.push(if self.weights.is_some() { exponent(bits, largest(&mut rows().map(|r| self.weight(r)))) } else { 0 });
        let farthest = largest(&mut rows().map(|row| self.weight(row) * self.distances[row]));
        all.push(exponent(bits, self.planned.map_or(farthest, f64::from)));
        all
    }

    fn changes(&self) -> Vec<i64> {
        let (k, d, w) = (self.clusters, self.d, self.words);
        let (exponents, bits) = (self.exponents(), word_bits(self.rows()));
        let mut all = vec![0i128; k * d * w + k + 3];
        for row in 0..self.rows() {
            let (label, before) = (self.labels[row] as usize, self.previous[row] as usize);
            let moves = if label == before { vec![] } else { vec![(label, 1), (before, -1)] };
            for (cluster, sign) in moves.into_iter().filter(|(cluster, _)| *cluster < k) {
                for column in 0..d {
                    let value = words(self.value(row, column), exponents[column], bits);
                    for word in 0..w {
                        all[(word * k + cluster) * d + column] += sign * i128::from(value[word]);
                    }
                }
                let mass = if self.weights.is_some() { words(self.weight(row), exponents[d], bits)[0] } else { 1 };
                all[k * d * w + cluster] += sign * i128::from(mass);
            }
            if !self.from_sums {
                let inertia = words(self.weight(row) * self.distances[row], exponents[d + 1], bits);
                all[k * d * w + k] += i128::from(inertia[0]);
                all[k * d * w + k + 1] += i128::from(inertia[1]);
            }
            all[k * d * w + k + 2] += i128::from(self.previous[row] != self.labels[row]);
        }
        all.into_iter().map(|sum| i64::try_from(sum).expect("the plan leaves room")).collect()
    }

    /// What the twin on the processor gives.
    fn twin(&self) -> Vec<i64> {
        let bits = word_bits(self.rows()) as u32;
        let weighted = self.weights.is_some();
        let fixed = FixedPoint::from_exponents(bits, self.words, weighted, self.exponents()).unwrap();
        let mut partials = Partials::new(&fixed, self.clusters).unwrap();
        let rows = Rows {
            values: &self.points,
            weights: self.weights.as_deref(),
            labels: &self.labels,
            previous: &self.previous,
            distances: &self.distances,
        };
        partials.add_changes(&rows).unwrap();
        partials.into_values()
    }

    /// Runs the kernel over changes that begin with `start`.
    fn run(&self, device: &GpuDevice, private_from: usize, groups: usize, start: &[i64]) -> (Vec<i64>, Vec<u32>) {
        let launch = Launch::new(device, "sum_by_label")
            .constant("DIMENSIONS", self.d as u32)
            .constant("CLUSTERS", self.clusters as u32)
            .constant("WORDS", self.words as u32)
            .constant("WEIGHTED", u8::from(self.weights.is_some()))
            .constant("BITS", word_bits(self.rows()))
            .constant("FROM_SUMS", u8::from(self.from_sums))
            .constant("PRIVATE_FROM", private_from as u32)
            .bind("points", &self.points)
            .shape("points_shape", self.rows(), self.d)
            .bind("weights", self.weights.as_deref().unwrap_or(&[1.0]))
            .bind("nearest", &self.labels)
            .bind("distances", &self.distances)
            .bind("labels", &self.previous)
            .bind("exponents", &self.exponents())
            .bind("changes", start);
        launch.run(groups);
        (launch.read("changes"), launch.read("labels"))
    }
}

fn cases() -> Vec<Case> {
    let mut noise = Noise(77);
    let weights: Vec<f32> = noise.values(2000).into_iter().map(|w| (w * 3.0).abs()).collect();
    let weight = |row: usize| if row.is_multiple_of(7) { 0.0 } else { weights[row] };
    let ranges = |at: usize, value: f32| value * 2f32.powi((at * 37 % 140) as i32 - 90);
    let mut same = Case::new("all points equal", (777, 3, 4), 6).points(|_, _| -0.1);
    same.labels.fill(2);
    vec![
        Case::new("one row", (1, 1, 1), 1),
        Case::new("few", (300, 2, 3), 2),
        Case::new("off the workgroup", (1025, 16, 17), 3),
        Case::new("many columns", (70, 512, 2), 4),
        Case::new("two words", (500, 5, 6), 5).words(2),
        same,
        Case::new("weights", (2000, 4, 5), 7).weights(weight),
        Case::new("weights, two words", (1500, 3, 9), 8).weights(weight).words(2),
        Case::new("a wide range", (900, 7, 3), 9).points(ranges),
        Case::new("a wide range, two words", (900, 7, 3), 10).points(ranges).words(2),
        Case::new("subnormal values", (400, 2, 3), 11).points(|_, value| value * 1e-40).words(2),
        Case::new("huge values", (400, 2, 3), 12).points(|_, value| value * 3e38).words(2),
        Case::new("ties of the rounding", (4000, 1, 2), 13)
            .points(|at, value| if at == 0 { 2f32.powi(39) } else { (value * 64.0).round() * 2f32.powi(-12) }),
        Case::new("a column of zeros", (100, 2, 2), 14)
            .points(|at, value| if at.is_multiple_of(2) { 0.0 } else { value }),
    ]
}

#[test]
fn equals_exact_integer_sums_wherever_it_gathers() {
    on_every_adapter(|device| {
        for case in cases() {
            let (k, d, w) = (case.clusters, case.d, case.words);
            let expected = case.changes();
            assert_eq!(case.twin(), expected, "{}, the twin", case.name);
            let zeros = vec![0; expected.len()];
            for private_from in [0, k * d * w, k * d * w + k] {
                for groups in [1, 5] {
                    if private_from == 0 && expected.len() * 8 > 12 * 1024 {
                        continue;
                    }
                    let (changes, labels) = case.run(device, private_from, groups, &zeros);
                    assert_eq!(changes, expected, "{}, private from {private_from}, {groups} groups", case.name);
                    assert_eq!(labels, case.labels, "{}", case.name);
                }
            }
        }
    });
}

/// Rows from nowhere bring their squared lengths, to the last unit, cut into two words wherever they are added; distances count nothing.
#[test]
fn gathers_squared_lengths_where_the_inertia_follows_from_the_sums() {
    on_every_adapter(|device| {
        for case in [
            Case::new("one row", (1, 1, 1), 41).with_lengths(),
            Case::new("few", (300, 2, 3), 42).with_lengths(),
            Case::new("off the workgroup", (1025, 16, 17), 43).with_lengths(),
            Case::new("many columns", (70, 512, 2), 44).with_lengths(),
            Case::new("a wide range", (900, 7, 3), 45)
                .points(|at, value| value * 2f32.powi((at * 37 % 100) as i32 - 60))
                .with_lengths(),
        ] {
            let (k, d) = (case.clusters, case.d);
            let expected = case.changes();
            let from_nowhere = (0..case.rows()).filter(|&row| case.previous[row] == u32::MAX);
            let squares = from_nowhere.flat_map(|row| (0..d).map(move |column| (row, column)));
            let length: i128 = squares.map(|(row, column)| case.square(case.value(row, column))).sum();
            let inertia = k * d + k;
            for private_from in [0, k * d, inertia] {
                let (changes, labels) = case.run(device, private_from, 3, &vec![0; expected.len()]);
                let words = (i128::from(changes[inertia]) << word_bits(case.rows())) + i128::from(changes[inertia + 1]);
                assert_eq!(words, length, "{}, private from {private_from}", case.name);
                assert_eq!(changes[..inertia], expected[..inertia], "{}", case.name);
                assert_eq!(changes[inertia + 2], expected[inertia + 2], "{}", case.name);
                assert_eq!(labels, case.labels, "{}", case.name);
            }
        }
    });
}

#[test]
fn adds_to_what_is_there_with_carries_and_borrows() {
    on_every_adapter(|device| {
        let case = Case::new("carries", (600, 3, 2), 20);
        let expected = case.changes();
        let start: Vec<i64> =
            (0..expected.len() as i64).map(|at| [0xffff_ffff, -1, -0x1_0000_0000, 1 << 60][at as usize % 4]).collect();
        let expected: Vec<i64> = expected.iter().zip(&start).map(|(a, b)| a + b).collect();
        for private_from in [0, 6] {
            assert_eq!(case.run(device, private_from, 3, &start).0, expected, "private from {private_from}");
        }
    });
}

#[test]
fn distances_beyond_the_plan_count_as_the_largest_that_fits() {
    on_every_adapter(|device| {
        let mut case = Case::new("beyond the plan", (50, 2, 2), 30);
        case.distances[7] = 1e30;
        case.distances[9] = 0.26;
        case.planned = Some(0.25);
        let mut capped = Case::new("beyond the plan", (50, 2, 2), 30);
        capped.distances = case.distances.iter().map(|distance| distance.min(0.25)).collect();
        let expected = capped.changes();
        assert_eq!(case.twin(), expected, "the twin");
        assert_eq!(case.run(device, 0, 2, &vec![0; expected.len()]).0, expected);
    });
}

#[test]
fn counts_more_rows_than_f32_counts() {
    on_every_adapter(|device| {
        let n = (1 << 24) + 1000;
        let mut case = Case::new("one cluster", (1, 1, 1), 21);
        case.points = vec![1.0; n];
        case.previous = vec![u32::MAX; n];
        case.labels = vec![0; n];
        case.distances = vec![0.0; n];
        let (changes, _) = case.run(device, 0, 64, &[0; 5]);
        assert_eq!(changes, [(n as i64) << word_bits(n), n as i64, 0, 0, n as i64]);
    });
}
