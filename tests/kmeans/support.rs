//! Sessions to run on, data to cluster, and comparisons that several tests make.

use crate::adapters::at_hand;
use crate::oracle;
use ndarray::Array2;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{Error, Init, Metric, Result, Session};

pub(crate) const METRICS: [Metric; 4] = [Metric::Euclidean, Metric::Cosine, Metric::CityBlock, Metric::Haversine];

/// Runs a test on the CPU and on every adapter, each opened once for the whole program.
pub(crate) fn on_every_device(test: impl Fn(&Session, &str) -> Result<()>) {
    run(&test, cpu(), "the CPU");
    on_every_adapter(test);
}

/// The same without OpenGL adapters made of software, for tests of many shapes: on two busy cores all tests took more
/// than seven minutes with one, and half a minute without. One test of each subject still runs there.
pub(crate) fn on_quick_devices(test: impl Fn(&Session, &str) -> Result<()>) {
    on_every_device(|session, name| {
        let info = session.devices()[0].info();
        let is_slow = info.interface == "gl" && !info.kind.is_hardware_gpu();
        if is_slow { Ok(()) } else { test(session, name) }
    });
}

/// Runs a test on every adapter.
pub(crate) fn on_every_adapter(test: impl Fn(&Session, &str) -> Result<()>) {
    for (number, session) in gpus().iter().enumerate() {
        let _alone = alone();
        run(&test, session, &format!("gpu:{number}"));
    }
}

/// Keeps the adapters to one test. wgpu gives up an OpenGL device if one thread waits a second for another's work, and a
/// software adapter serves one test faster than two.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ADAPTERS: Mutex<()> = Mutex::new(());
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(test: &impl Fn(&Session, &str) -> Result<()>, session: &Session, name: &str) {
    if let Err(error) = test(session, name) {
        panic!("{name}: {error}");
    }
}

/// The CPU, with two threads.
pub(crate) fn cpu() -> &'static Session {
    static CPU: OnceLock<Session> = OnceLock::new();
    CPU.get_or_init(|| session(&[OneDevice::Cpu]))
}

/// A session for each adapter at hand.
pub(crate) fn gpus() -> &'static [Session] {
    static GPUS: OnceLock<Vec<Session>> = OnceLock::new();
    GPUS.get_or_init(|| (0..at_hand()).map(|at| session(&[OneDevice::Adapter(at)])).collect())
}

/// Whether a session computes on the processor.
pub(crate) fn is_cpu(session: &Session) -> bool {
    session.devices()[0].info().interface == "native"
}

/// A session on these devices.
pub(crate) fn session(devices: &[OneDevice]) -> Session {
    let builder = Session::builder().device(DeviceChoice::These(devices.to_vec()));
    builder.threads(2).build().expect("the devices open")
}

/// Numbers that look random and are the same everywhere (the mixing function of SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next one, in [−1, 1).
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// n rows of d columns around as many centres, spread over ±10, each row within ±1 of its centre in every column.
pub(crate) fn blobs(n: usize, d: usize, centres: usize, seed: u64) -> Array2<f32> {
    let mut numbers = Numbers(seed);
    let centres = Array2::from_shape_simple_fn((centres, d), || 10.0 * numbers.next());
    Array2::from_shape_fn((n, d), |(row, column)| (centres[(row % centres.nrows(), column)] + numbers.next()) as f32)
}

/// n rows of d columns without any order: every value in [−1, 1).
pub(crate) fn noise(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut numbers = Numbers(seed);
    Array2::from_shape_simple_fn((n, d), || numbers.next() as f32)
}

/// Rows that a metric has values for: places on Earth for the haversine (whatever d says), else [`noise`].
pub(crate) fn rows_for(metric: Metric, n: usize, d: usize, seed: u64) -> Array2<f32> {
    if metric != Metric::Haversine {
        return noise(n, d, seed);
    }
    let mut places = noise(n, 2, seed);
    places.column_mut(0).mapv_inplace(|value| value * 85.0);
    places.column_mut(1).mapv_inplace(|value| value * 180.0);
    places
}

/// The same values in f64.
pub(crate) fn wide(points: &Array2<f32>) -> Array2<f64> {
    points.mapv(f64::from)
}

/// The first k rows as a start.
pub(crate) fn first_rows(points: &Array2<f32>, k: usize) -> Init {
    Init::Centroids(wide(points).slice_move(ndarray::s![..k, ..]))
}

/// Checks that values are equal to within a part of the largest of them.
pub(crate) fn assert_close(found: &Array2<f64>, expected: &Array2<f64>, relative: f64, case: &str) {
    assert_eq!(found.dim(), expected.dim(), "{case}: shapes");
    let scale = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    for ((at, found), expected) in found.indexed_iter().zip(expected) {
        assert!((found - expected).abs() <= relative * scale, "{case}: {found} instead of {expected} at {at:?}");
    }
}

/// Checks that two numbers are equal to within a part of the second.
pub(crate) fn assert_near(found: f64, expected: f64, relative: f64, case: &str) {
    let allowed = relative * expected.abs() + f64::from(f32::MIN_POSITIVE);
    assert!((found - expected).abs() <= allowed, "{case}: {found} instead of {expected}");
}

/// Checks that labels are those expected, but for rows whose two centroids are equally far to within 1e-5.
pub(crate) fn assert_same_labels(
    found: &[u32],
    expected: &[u32],
    points: &Array2<f64>,
    centroids: &Array2<f64>,
    metric: Metric,
    case: &str,
) {
    assert_eq!(found.len(), expected.len(), "{case}: rows");
    for (row, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let to = |label: u32| oracle::distance(metric, points.row(row), centroids.row(label as usize));
        let (found_at, expected_at) = (to(found), to(expected));
        let tied = (found_at - expected_at).abs() <= 1e-5 * found_at.max(expected_at);
        assert!(
            found == expected || tied,
            "{case}: row {row} is in {found} ({found_at}), not {expected} ({expected_at})"
        );
    }
}

/// The error of what was to fail.
pub(crate) fn error_of<T>(result: Result<T>, case: &str) -> Error {
    match result {
        Ok(_) => panic!("{case}: no error"),
        Err(error) => error,
    }
}
