//! Sessions to run on, rows with targets, and what must be equal of two fits.

use ndarray::Array2;
use std::sync::{Mutex, MutexGuard, PoisonError};
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{LinearModel, LogisticModel, Result, Session};

/// Runs a test on the CPU and on every adapter. Where there is none it says so, or fails if a GPU is required.
pub(crate) fn on_every_device(test: impl Fn(&Session, &str) -> Result<()>) {
    let run = |device: OneDevice, name: &str| {
        if let Err(error) = test(&session(device, 2, 1), name) {
            panic!("{name}: {error}");
        }
    };
    run(OneDevice::Cpu, "the CPU");
    let found = adapters();
    if found.is_empty() {
        let required = std::env::var("SUPERSTEP_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!(required && cfg!(feature = "gpu")), "SUPERSTEP_REQUIRE_GPU=1, and there is no adapter");
        eprintln!("skipped: no adapter");
    }
    for number in 0..found.len() {
        let _alone = alone();
        run(OneDevice::Adapter(number), &format!("gpu:{number}"));
    }
}

/// Keeps the adapters to one test: a software adapter serves one faster than two.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ADAPTERS: Mutex<()> = Mutex::new(());
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session on a device.
pub(crate) fn session(device: OneDevice, threads: usize, partitions: usize) -> Session {
    let builder = Session::builder().device(DeviceChoice::These(vec![device]));
    builder.threads(threads).partitions(partitions).build().expect("the device opens")
}

pub(crate) fn cpu() -> Session {
    session(OneDevice::Cpu, 2, 1)
}

/// Numbers that look random and are the same everywhere (the mixing function of SplitMix64), in [−1, 1).
pub(crate) fn number(at: u64) -> f64 {
    let mut bits = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// n rows of d columns, a number that follows from them but for noise, and one of `classes` that does.
pub(crate) fn table(n: usize, d: usize, classes: usize) -> (Array2<f32>, Vec<f32>, Vec<f32>) {
    let rows = Array2::from_shape_fn((n, d), |(row, column)| number((row * d + column) as u64) as f32);
    let value = |row: usize, of: usize| {
        let terms =
            rows.row(row).into_iter().enumerate().map(|(at, x)| f64::from(*x) * number(((of + 1) << 40 | at) as u64));
        terms.sum::<f64>() + 0.3 * number(((of + 1) << 50 | row) as u64)
    };
    let targets = (0..n).map(|row| value(row, 0) as f32 + 4.0).collect();
    let best = |row: usize| (0..classes).max_by(|a, b| value(row, *a).total_cmp(&value(row, *b))).expect("classes");
    let of = (0..n).map(|row| best(row) as f32).collect();
    (rows, targets, of)
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Everything a fit says must be equal, to the bit.
pub(crate) fn assert_same(found: &LogisticModel, expected: &LogisticModel, case: &str) {
    let coefficients = |model: &LogisticModel| bits(model.coefficients().as_slice().expect("row-major"));
    assert_eq!(coefficients(found), coefficients(expected), "{case}: coefficients");
    assert_eq!(bits(found.intercepts()), bits(expected.intercepts()), "{case}: intercepts");
    assert_eq!((found.classes(), found.trace()), (expected.classes(), expected.trace()), "{case}");
    assert_eq!((found.converged(), found.evaluations()), (expected.converged(), expected.evaluations()), "{case}");
}

/// The same of a regression.
pub(crate) fn assert_same_line(found: &LinearModel, expected: &LinearModel, case: &str) {
    assert_eq!(bits(found.coefficients()), bits(expected.coefficients()), "{case}: coefficients");
    assert_eq!(found.intercept().to_bits(), expected.intercept().to_bits(), "{case}: intercept");
    assert_eq!((found.trace(), found.converged()), (expected.trace(), expected.converged()), "{case}");
}
