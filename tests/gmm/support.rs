//! Sessions to run on, and rows in heaps.

use ndarray::{Array2, Array3};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use superstep::algorithms::gmm::Matrices;
use superstep::data::RowSource;
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{GaussianMixture, GaussianMixtureModel, MixtureInit, Place, Result, Session};

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

/// n rows of d columns in k heaps that touch, `at` from zero: a row is one of k centres and a sum of four numbers.
pub(crate) fn heaps(n: usize, d: usize, k: usize, at: f64) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(row, column)| {
        let heap = (number((1 << 50) + row as u64).abs() * k as f64) as u64;
        let centre = 4.0 * number((1 << 40) + heap * d as u64 + column as u64);
        let spread = 0.3 + 0.2 * heap as f64;
        let at_row = ((row * d + column) * 4) as u64;
        at + centre + spread * (0..4).map(|part| number(at_row + part)).sum::<f64>()
    })
}

/// The same in f32.
pub(crate) fn narrow(rows: &Array2<f64>) -> Array2<f32> {
    rows.mapv(|value| value as f32)
}

/// A mixture that begins with k of the rows as means.
pub(crate) fn from_rows(rows: &Array2<f32>, k: usize, full: bool) -> GaussianMixture {
    let d = rows.ncols();
    let means = Array2::from_shape_fn((k, d), |(component, column)| f64::from(rows[(component * 7, column)]));
    let covariances = if full {
        Matrices::Full(Array3::from_shape_fn((k, d, d), |(_, i, j)| if i == j { 2.0 } else { 0.1 }))
    } else {
        Matrices::Diagonal(Array2::from_elem((k, d), 2.0))
    };
    let covariance = covariances.covariance();
    let init = MixtureInit::Given { weights: vec![1.0 / k as f64; k], means, covariances };
    GaussianMixture::new(k).covariance(covariance).init(init)
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

/// The values of matrices in their order.
pub(crate) fn values(matrices: &Matrices) -> Vec<f64> {
    match matrices {
        Matrices::Full(matrices) => matrices.iter().copied().collect(),
        Matrices::Diagonal(diagonals) => diagonals.iter().copied().collect(),
    }
}

/// Everything a fit says must be equal, to the bit.
pub(crate) fn assert_same(found: &GaussianMixtureModel, expected: &GaussianMixtureModel, case: &str) {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let means = |model: &GaussianMixtureModel| bits(&model.means().iter().copied().collect::<Vec<_>>());
    assert_eq!(bits(found.weights()), bits(expected.weights()), "{case}: weights");
    assert_eq!(means(found), means(expected), "{case}: means");
    let covariances = |model: &GaussianMixtureModel| bits(&values(model.covariances()));
    assert_eq!(covariances(found), covariances(expected), "{case}: covariances");
    assert_eq!(
        bits(&values(found.precisions_cholesky())),
        bits(&values(expected.precisions_cholesky())),
        "{case}: roots"
    );
    assert_eq!(found.lower_bound().to_bits(), expected.lower_bound().to_bits(), "{case}: lower bound");
    assert_eq!(found.trace(), expected.trace(), "{case}: trace");
    assert_eq!((found.converged(), found.iterations()), (expected.converged(), expected.iterations()), "{case}");
    assert_eq!((found.rows(), found.seed()), (expected.rows(), expected.seed()), "{case}");
}
