//! Sessions to run on, and rows that vary more in some directions than in others.

use ndarray::Array2;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use superstep::data::RowSource;
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{PcaModel, Place, Result, Session};

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
fn number(at: u64) -> f64 {
    let mut bits = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// n rows of d columns that lie `at` from zero: every column mixes d numbers, of which each counts `decay` times the one before.
pub(crate) fn spread(n: usize, d: usize, decay: f64, at: f64) -> Array2<f64> {
    let numbers = Array2::from_shape_fn((n, d), |(row, column)| {
        number((row * d + column) as u64) * decay.powi(i32::try_from(column).expect("few columns"))
    });
    let mix = Array2::from_shape_fn((d, d), |(row, column)| number((1 << 40) + (row * d + column) as u64));
    numbers.dot(&mix) + at
}

/// The same in f32.
pub(crate) fn narrow(rows: &Array2<f64>) -> Array2<f32> {
    rows.mapv(|value| value as f32)
}

/// A table that must be read, as a file must.
pub(crate) struct Stored(pub(crate) Array2<f32>);

impl RowSource for Stored {
    fn rows(&self) -> u64 {
        self.0.nrows() as u64
    }

    fn columns(&self) -> usize {
        self.0.ncols()
    }

    fn in_memory(&self, _: Range<u64>) -> Option<&[f32]> {
        None
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.0.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.0.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.0.place(row, column)
    }
}

/// Everything a fit says must be equal, to the bit.
pub(crate) fn assert_same(found: &PcaModel, expected: &PcaModel, case: &str) {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let components = |model: &PcaModel| bits(model.components().as_slice().expect("row-major"));
    assert_eq!(components(found), components(expected), "{case}: components");
    assert_eq!(bits(found.explained_variance()), bits(expected.explained_variance()), "{case}: variances");
    assert_eq!(bits(found.mean()), bits(expected.mean()), "{case}: mean");
    assert_eq!(found.noise_variance().to_bits(), expected.noise_variance().to_bits(), "{case}: noise");
    assert_eq!(found.trace(), expected.trace(), "{case}: trace");
    assert_eq!((found.converged(), found.rows()), (expected.converged(), expected.rows()), "{case}");
}
