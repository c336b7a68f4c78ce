//! What the processor can do at most: its twin in WGSL measures a device.

use super::Isa;
use super::simd::{Kernel, Simd};
use crate::backend::Ceilings;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A measurement takes at least so long.
const ENOUGH: Duration = Duration::from_millis(50);

/// What each thread copies: far beyond any cache.
const COPIED: usize = 32 << 20;

/// Sums in registers, as many as hide the latency of an addition, and rounds of the loop between looks at the clock.
const CHAINS: usize = 12;
const ROUNDS: usize = 1 << 16;

/// Measures the threads of the pool that this is called in.
pub fn ceilings() -> Ceilings {
    let copied: f64 = together(copy);
    let operations = together(|| Isa::detect().run(Multiply));
    Ceilings { copied_bytes_per_second: copied, operations_per_second: operations }
}

/// The rates of all threads at once, summed.
fn together(rate: impl Fn() -> f64 + Sync) -> f64 {
    rayon::broadcast(|_| rate()).into_iter().sum()
}

/// Bytes read and written in a second.
fn copy() -> f64 {
    let (from, mut to) = (vec![1.0_f32; COPIED / 4], vec![0.0_f32; COPIED / 4]);
    let (clock, mut bytes) = (Instant::now(), 0);
    while clock.elapsed() < ENOUGH {
        to.copy_from_slice(black_box(&from));
        black_box(&to);
        bytes += 2 * COPIED;
    }
    bytes as f64 / clock.elapsed().as_secs_f64()
}

/// Operations a second of a loop of multiplications with additions.
struct Multiply;

impl Kernel for Multiply {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let factor = simd.splat(black_box(0.999));
        let term = simd.splat(black_box(0.001));
        let mut sums = [simd.splat(1.0); CHAINS];
        let (clock, mut count) = (Instant::now(), 0_u64);
        while clock.elapsed() < ENOUGH {
            for _ in 0..ROUNDS {
                for sum in &mut sums {
                    *sum = simd.mul_add(*sum, factor, term);
                }
            }
            count += (ROUNDS * CHAINS * S::LANES * 2) as u64;
        }
        let time = clock.elapsed().as_secs_f64();
        let total = sums.into_iter().fold(simd.splat(0.0), |a, b| simd.add(a, b));
        black_box(simd.reduce_add(total));
        count as f64 / time
    }
}
