//! What the kernels must compute, written as naively as possible, and the inputs they are tried on.

use ndarray::Array2;
use superstep::backend::cpu::Distance;

/// A linear congruential generator: the tests need variety, not quality.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    /// In [-1, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        self.next() as f32 / 2f32.powi(31) - 1.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }
}

pub(crate) fn distance(kind: Distance, row: &[f32], centroid: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (&x, &c) in row.iter().zip(centroid) {
        let difference = f64::from(x) - f64::from(c);
        sum += match kind {
            Distance::SquaredEuclidean => difference * difference,
            Distance::CityBlock => difference.abs(),
        };
    }
    sum
}

/// The lowest index among the nearest.
pub(crate) fn nearest(kind: Distance, row: &[f32], centroids: &Array2<f32>) -> u32 {
    let mut best = (f64::INFINITY, 0);
    for (j, centroid) in centroids.outer_iter().enumerate() {
        let distance = distance(kind, row, &centroid.to_vec());
        if distance < best.0 {
            best = (distance, j as u32);
        }
    }
    best.1
}

/// Rows and centroids to try: a name, `n × d`, `k × d`.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) rows: Array2<f32>,
    pub(crate) centroids: Array2<f32>,
}

/// How the values of a case are made.
type Maker = fn(&mut Numbers) -> f32;

const MAKERS: [(&str, Maker); 9] = [
    ("uniform", |r| r.unit()),
    ("small integers, full of ties", |r| (r.below(3) as f32) - 1.0),
    ("all equal", |_| 0.1),
    ("offset 1e4", |r| 1e4 + r.unit()),
    ("offset 1e6", |r| 1e6 + r.unit()),
    ("denormal", |r| f32::from_bits(r.next() % 50)),
    ("huge", |r| 1e18 * r.unit()),
    ("largest", |r| f32::MAX * r.unit()),
    ("all magnitudes", |r| r.unit() * 2f32.powi(r.below(200) as i32 - 100)),
];

/// Hostile shapes and values.
pub(crate) fn cases() -> Vec<Case> {
    let shapes = [
        (1, 1, 1),
        (5, 1, 3),
        (97, 2, 5),
        (96, 3, 16),
        (13, 7, 17),
        (50, 8, 15),
        (50, 9, 15),
        (97, 15, 33),
        (200, 16, 64),
        (61, 17, 65),
        (40, 31, 63),
        (40, 32, 2),
        (12, 127, 32),
        (12, 128, 31),
        (14, 129, 34),
        (9, 300, 16),
        (7, 512, 17),
        (5, 513, 1),
        (11, 16, 1000),
        (300, 2, 130),
    ];
    let mut cases = Vec::new();
    for (seed, (n, d, k)) in shapes.into_iter().enumerate() {
        for (name, maker) in MAKERS {
            let mut numbers = Numbers::new(seed as u64);
            let rows = Array2::from_shape_fn((n, d), |_| maker(&mut numbers));
            let mut centroids = Array2::from_shape_fn((k, d), |_| maker(&mut numbers));
            // Some centroids are rows, some are copies of others.
            for j in (0..k).step_by(5) {
                let row = rows.row(numbers.below(n)).to_owned();
                centroids.row_mut(j).assign(&row);
                let copy = numbers.below(k);
                centroids.row_mut(copy).assign(&row);
            }
            cases.push(Case { name: format!("{name}, n {n}, d {d}, k {k}"), rows, centroids });
        }
    }
    cases
}
