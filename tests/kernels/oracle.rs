//! Naive answers in f64 and i128, and reproducible inputs to ask for them.

/// Reproducible noise: SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [-1, 1).
    pub(crate) fn value(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(crate) fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    pub(crate) fn labels(&mut self, count: usize, clusters: usize) -> Vec<u32> {
        (0..count).map(|_| self.below(clusters) as u32).collect()
    }
}

/// How two rows are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Metric {
    SquaredEuclidean,
    CityBlock,
}

pub(crate) fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let differences = a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b));
    match metric {
        Metric::SquaredEuclidean => differences.map(|d| d * d).sum(),
        Metric::CityBlock => differences.map(f64::abs).sum(),
    }
}

/// Checks labels and distances: the label of the nearest centroid, the lowest on ties, except where two centroids are
/// within 1e-5 of each other.
pub(crate) fn check_nearest(
    case: &str,
    metric: Metric,
    points: &[f32],
    centroids: &[f32],
    d: usize,
    found: (&[u32], &[f32]),
) {
    for (row, point) in points.chunks(d).enumerate() {
        let all: Vec<f64> = centroids.chunks(d).map(|centroid| distance(metric, point, centroid)).collect();
        let best = (0..all.len()).fold(0, |best, j| if all[j] < all[best] { j } else { best });
        let (label, given) = (found.0[row] as usize, f64::from(found.1[row]));
        assert!(label < all.len(), "{case}: row {row} has label {label}");
        let gap = all[label] - all[best];
        let close = gap > 0.0 && gap <= 1e-5 * all[best];
        assert!(label == best || close, "{case}: row {row} is {label} at {}, not {best} at {}", all[label], all[best]);
        let error = (given - all[label]).abs();
        assert!(error <= 1e-5 * all[label], "{case}: row {row} is at {}, not {given}", all[label]);
    }
}

/// The exponent that fits values up to `largest` into `bits` bits: bits - p for the smallest p with largest ≤ 2^p.
pub(crate) fn exponent(bits: i32, largest: f64) -> i32 {
    if largest == 0.0 {
        return 0;
    }
    let mut p = -160;
    while largest > 2f64.powi(p) {
        p += 1;
    }
    bits - p
}

/// Bits of a word for this many rows: min(50, 62 - ceil(log2(rows))).
pub(crate) fn word_bits(rows: usize) -> i32 {
    50.min(62 - rows.max(1).next_power_of_two().ilog2() as i32)
}

/// The two words of a value, by f64 arithmetic, all of it exact but the two roundings.
pub(crate) fn words(value: f32, exponent: i32, bits: i32) -> [i64; 2] {
    let value = f64::from(value);
    let first = (value * 2f64.powi(exponent)).round_ties_even();
    let left = value - first * 2f64.powi(-exponent);
    [first as i64, (left * 2f64.powi(exponent + bits)).round_ties_even() as i64]
}
