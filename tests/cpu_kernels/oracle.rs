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
pub(crate) type Maker = fn(&mut Numbers) -> f32;

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
        (70, 64, 3),
        (33, 70, 5),
        (35, 784, 10),
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

/// `round(value / 2^unit)`, half to even, in integers.
pub(crate) fn round_to_unit(value: f32, unit: i32) -> i128 {
    let bits = value.to_bits();
    let biased = (bits >> 23 & 0xff) as i32;
    let fraction = i128::from(bits & 0x7f_ffff);
    let (significand, exponent) = if biased == 0 { (fraction, -149) } else { (fraction | 1 << 23, biased - 150) };
    let shift = exponent - unit;
    let magnitude = if shift >= 0 {
        significand << shift
    } else if shift < -30 {
        0
    } else {
        let (kept, rest, half) = (significand >> -shift, significand & ((1 << -shift) - 1), 1 << (-shift - 1));
        kept + i128::from(rest > half || (rest == half && kept % 2 == 1))
    };
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// Whether a value is `sum / mass · 2^exponent` rounded to the nearest f32, ties to even: whether the quotient lies
/// between the midpoints to the neighbours, all compared as big integers.
pub(crate) fn is_nearest(value: f32, sum: i128, mass: u64, exponent: i32) -> bool {
    if sum == 0 {
        return value == 0.0;
    }
    if value != 0.0 && (value < 0.0) != (sum < 0) {
        return false;
    }
    let value = value.abs();
    let quotient = Big::from(sum.unsigned_abs());
    // Twice a midpoint is the sum of two neighbours; everything in units of 2^-150 and cleared of the mass.
    let midpoint = |a: f32, b: f32| (units(a).plus(&units(b))).times(mass);
    let (mut left, mut scale) = (quotient, exponent + 150);
    let mut midpoint_shift = 0;
    if scale < 0 {
        midpoint_shift = -scale;
        scale = 0;
    }
    left = left.shifted(scale as usize);
    let above = midpoint(value, value.next_up()).shifted(midpoint_shift as usize);
    let even = value.to_bits().is_multiple_of(2);
    let below_above = if even { left <= above } else { left < above };
    if value == 0.0 {
        return below_above;
    }
    let below = midpoint(value.next_down(), value).shifted(midpoint_shift as usize);
    below_above && if even { below <= left } else { below < left }
}

/// A value ≥ 0 in units of 2^-149, so that the sum of two is their midpoint in units of 2^-150.
fn units(value: f32) -> Big {
    let bits = value.to_bits();
    let (biased, fraction) = (bits >> 23, u128::from(bits & 0x7f_ffff));
    if biased == 0 { Big::from(fraction) } else { Big::from(fraction | 1 << 23).shifted(biased as usize - 1) }
}

/// A natural number: 32-bit digits, the lowest first, no zeros at the end.
#[derive(PartialEq, Eq)]
struct Big(Vec<u32>);

impl From<u128> for Big {
    fn from(value: u128) -> Self {
        Self((0..4).map(|i| (value >> (32 * i)) as u32).collect()).trimmed()
    }
}

impl Big {
    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn shifted(&self, by: usize) -> Self {
        let mut digits = vec![0; by / 32];
        let mut carry = 0;
        for &digit in self.0.iter().chain([&0]) {
            let wide = u64::from(digit) << (by % 32) | carry;
            digits.push(wide as u32);
            carry = wide >> 32;
        }
        Self(digits).trimmed()
    }

    fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let digit = |big: &Self, i: usize| u64::from(big.0.get(i).copied().unwrap_or(0));
        let length = self.0.len().max(other.0.len()) + 1;
        let digits = (0..length).map(|i| {
            let sum = digit(self, i) + digit(other, i) + carry;
            carry = sum >> 32;
            sum as u32
        });
        Self(digits.collect()).trimmed()
    }

    fn times(&self, factor: u64) -> Self {
        let mut carry = 0;
        let mut digits = Vec::new();
        for &digit in self.0.iter().chain(&[0, 0, 0]) {
            let product = u128::from(digit) * u128::from(factor) + carry;
            digits.push(product as u32);
            carry = product >> 32;
        }
        Self(digits).trimmed()
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())))
    }
}
