//! Means as correctly rounded quotients of integers.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;
use superstep::backend::cpu::{FixedPoint, Partials};
use superstep::backend::gpu::GpuDevice;

/// Sums (k × d) and masses (k) as they come out of an all-reduce.
struct Case {
    name: &'static str,
    d: usize,
    sums: Vec<i64>,
    masses: Vec<i64>,
    exponents: Vec<i32>,
    weight_exponent: Option<i32>,
    old: Vec<f32>,
}

/// What the kernel leaves: centroids, shifts, clusters without mass.
type Updated = (Vec<f32>, Vec<f32>, u32);

impl Case {
    fn clusters(&self) -> usize {
        self.masses.len()
    }

    /// Everything a reduction leaves; what is not read is noise.
    fn partials(&self) -> Vec<i64> {
        self.sums.iter().chain(&self.masses).chain(&[7, 7, 7]).copied().collect()
    }

    /// The means by the twin on the processor; `None` without mass.
    fn twin(&self) -> Vec<Option<f32>> {
        let exponents = self.exponents.iter().copied().chain([self.weight_exponent.unwrap_or(0), 3]).collect();
        let fixed = FixedPoint::from_exponents(50, 1, self.weight_exponent.is_some(), exponents).unwrap();
        let partials = Partials::from_values(&fixed, self.clusters(), self.partials()).unwrap();
        (0..self.sums.len()).map(|at| partials.mean(at / self.d, at % self.d)).collect()
    }

    fn run(&self, device: &GpuDevice) -> Updated {
        self.run_after(device, &[0; 8], 0)
    }

    /// Of a round that was begun seen or unseen, after one with this summary.
    fn run_after(&self, device: &GpuDevice, summary: &[u32; 8], unseen: u32) -> Updated {
        let partials = self.partials();
        let mut exponents = self.exponents.clone();
        exponents.extend([self.weight_exponent.unwrap_or(99), 3]);
        let launch = Launch::new(device, "update_mean")
            .constant("DIMENSIONS", self.d as u32)
            .constant("CLUSTERS", self.clusters() as u32)
            .constant("WEIGHTED", u8::from(self.weight_exponent.is_some()))
            .constant("TOLERANCE", 0.25)
            .constant("HOLDS_EMPTY", 1)
            .bind("summary", summary)
            .bind("unseen", &[unseen])
            .bind("partials", &partials)
            .bind("exponents", &exponents)
            .bind("centroids", &self.old)
            .bind("shifts", &vec![f32::NAN; self.clusters()])
            .bind("empty", &[0u32]);
        launch.run(self.clusters());
        (launch.read("centroids"), launch.read("shifts"), launch.read("empty")[0])
    }

    fn check(&self, (centroids, shifts, empty): &Updated) {
        assert_eq!(*empty as usize, self.masses.iter().filter(|&&mass| mass == 0).count(), "{}", self.name);
        for (j, &mass) in self.masses.iter().enumerate() {
            let span = j * self.d..(j + 1) * self.d;
            for at in span.clone() {
                if mass == 0 {
                    assert_eq!(centroids[at].to_bits(), self.old[at].to_bits(), "{}: empty {at}", self.name);
                } else {
                    let exponent = self.weight_exponent.unwrap_or(0) - self.exponents[at % self.d];
                    check_nearest(self.name, self.sums[at], mass, exponent, centroids[at]);
                }
            }
            let pairs = centroids[span.clone()].iter().zip(&self.old[span]);
            let shift: f64 = pairs.map(|(&new, &old)| (f64::from(new) - f64::from(old)).powi(2)).sum();
            // Squares beyond the range of f32 are zero or infinite.
            let error = (f64::from(shifts[j].min(f32::MAX)) - shift.min(f64::from(f32::MAX))).abs();
            assert!(error <= 1e-5 * shift + 1e-37, "{}: cluster {j} moved {shift}, not {}", self.name, shifts[j]);
        }
    }
}

/// Checks that `found` is the f32 nearest to sum / mass · 2^exponent by comparing with the middles to its neighbours:
/// with found = m·2^q and a ulp of 2^q, the ratio lies between (m - 1/2)·2^q and (m + 1/2)·2^q, ends only for even m.
fn check_nearest(case: &str, sum: i64, mass: i64, exponent: i32, found: f32) {
    let what = format!("{case}: {sum} / {mass} · 2^{exponent} is not {found:e}");
    if sum == 0 {
        return assert_eq!(found.to_bits(), 0, "{what}");
    }
    let bits = found.abs().to_bits();
    let (biased, fraction) = (bits >> 23, i128::from(bits & 0x7f_ffff));
    let (m, q) = if biased == 0 { (fraction, -149) } else { (fraction + (1 << 23), biased as i32 - 150) };
    // Below a power of two the neighbour is half as far. Everything is counted in quarters of a ulp.
    let below = if fraction == 0 && biased > 1 { 4 * m - 1 } else { 4 * m - 2 };
    let above = 4 * m + 2;
    // |sum|·2^up against (quarters)·mass·2^down, at most 2^126 where the answer is right.
    let shift = exponent - q + 2;
    let (up, down) = (shift.max(0) as u32, (-shift).max(0) as u32);
    let left = i128::from(sum.unsigned_abs());
    if left.leading_zeros() <= up {
        panic!("{what}: far too small");
    }
    let left = left << up;
    let right = |quarters: i128| {
        let product = quarters * i128::from(mass);
        if product.leading_zeros() > down { product << down } else { i128::MAX }
    };
    let even = m % 2 == 0;
    assert!(left > right(below) || (left == right(below) && even), "{what}: too large");
    assert!(left < right(above) || (left == right(above) && even), "{what}: too small");
    assert!((sum < 0) == found.is_sign_negative(), "{what}: the sign");
}

fn random(name: &'static str, (d, k): (usize, usize), seed: u64, sum_bits: u32, mass_bits: u32) -> Case {
    let mut noise = Noise(seed);
    let sums = (0..k * d).map(|_| (noise.bits() >> (64 - sum_bits)) as i64 * [1, -1][noise.below(2)]).collect();
    let masses = (0..k).map(|_| (noise.bits() >> (64 - mass_bits)) as i64).collect();
    let exponents = (0..d).map(|_| noise.below(200) as i32 - 50).collect();
    Case { name, d, sums, masses, exponents, weight_exponent: None, old: vec![0.0; k * d] }
}

fn cases() -> Vec<Case> {
    let mut weighted = random("weighted", (9, 5), 4, 62, 62);
    weighted.weight_exponent = Some(45);
    let mut small = random("small numbers", (300, 4), 5, 6, 4);
    small.exponents.fill(0);
    small.old = Noise(6).values(4 * 300);
    small.masses[2] = 0;
    // Quotients of 2²⁴ + 1 and 2²⁴ + 3 halves are ties: one goes down, one up.
    let ties = Case {
        name: "ties go to even",
        d: 4,
        sums: vec![(1 << 25) + 2, (1 << 25) + 6, -((1 << 25) + 2), (1 << 62) - 1, 1, 3, 5, 0],
        masses: vec![2, 1 << 1],
        exponents: vec![0; 4],
        weight_exponent: None,
        old: vec![0.0; 8],
    };
    let subnormal = Case {
        name: "subnormal means",
        d: 4,
        sums: vec![3, 5, -0x123_4567, 0x1fff_ffff],
        masses: vec![4],
        exponents: vec![148, 149, 150, 155],
        weight_exponent: None,
        old: vec![1.0; 4],
    };
    let limits = Case {
        name: "limits of the words",
        d: 3,
        sums: vec![1 << 62, -(1 << 62), 1],
        masses: vec![1 << 62],
        exponents: vec![50, -60, 20],
        weight_exponent: None,
        old: vec![0.0; 3],
    };
    vec![
        random("sums of 50 bits", (40, 6), 1, 50, 20),
        random("full words", (17, 3), 2, 62, 61),
        random("large masses", (5, 2), 3, 20, 40),
        weighted,
        small,
        ties,
        subnormal,
        limits,
    ]
}

#[test]
fn means_are_rounded_once_and_to_nearest() {
    on_every_adapter(|device| {
        for case in cases() {
            let found = case.run(device);
            case.check(&found);
            for (at, twin) in case.twin().into_iter().enumerate() {
                let same = twin.is_none_or(|twin| twin.to_bits() == found.0[at].to_bits());
                assert!(same, "{}: value {at} is {:e}, the twin's {twin:?}", case.name, found.0[at]);
            }
        }
    });
}

#[test]
fn clusters_without_mass_keep_their_centroid_and_are_counted() {
    on_every_adapter(|device| {
        let case = Case {
            name: "empty",
            d: 2,
            sums: vec![0, 0, 6, -3, 0, 0],
            masses: vec![0, 3, 0],
            exponents: vec![0, 1],
            weight_exponent: None,
            old: vec![1.5, -2.5, 0.0, 0.0, 0.0, 8.0],
        };
        assert_eq!(case.run(device), (vec![1.5, -2.5, 2.0, -0.5, 0.0, 8.0], vec![0.0, 4.25, 0.0], 2));
    });
}

/// A round begun unseen moves nothing where the one before it was the last or must be seen; a shift of 0.25 ends this iteration.
#[test]
fn centroids_are_held_in_a_round_that_was_begun_in_vain() {
    on_every_adapter(|device| {
        let case = random("held", (5, 3), 9, 40, 10);
        let moved = case.run(device).0;
        let summary = |moves: u64, empty: u32, shift: f32| {
            [1, 2, 3, 4, moves as u32, (moves >> 32) as u32, empty, shift.to_bits()]
        };
        for (given, is_held) in [
            (summary(7, 0, 0.5), false),
            (summary(1 << 32, 0, 0.5), false),
            (summary(7, 0, 0.25_f32.next_up()), false),
            (summary(7, 0, 0.25), true),
            (summary(0, 0, 0.5), true),
            (summary(7, 1, 0.5), true),
        ] {
            assert_eq!(case.run_after(device, &given, 0).0, moved, "{given:?}, seen");
            let (centroids, shifts, _) = case.run_after(device, &given, 1);
            assert_eq!(centroids, if is_held { case.old.clone() } else { moved.clone() }, "{given:?}, unseen");
            assert!(!is_held || shifts == [0.0; 3], "{given:?}: {shifts:?}");
        }
    });
}
