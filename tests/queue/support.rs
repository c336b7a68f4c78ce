//! Sessions to run on, sources to read from, and items that several tests use.

use crate::adapters::at_hand;
use ndarray::{Array1, Array2};
use superstep::queue::{ComContext, Compute, ComputeFunction, DeviceChoice, Objects, OneDevice, Session};
use superstep::{Error, Result};

/// A session with the words that name it in a failure.
pub(crate) struct On {
    pub(crate) name: String,
    pub(crate) session: Session,
    pub(crate) partitions: usize,
}

/// A CPU session and one for each adapter, each with one partition and with three.
pub(crate) fn everywhere() -> Vec<On> {
    let gpus = gpus().into_iter().map(OneDevice::Adapter);
    let devices = [OneDevice::Cpu].into_iter().chain(gpus);
    let pairs = devices.flat_map(|device| [1, 3].map(|partitions| (device, partitions)));
    pairs
        .map(|(device, partitions)| On {
            name: format!("{device:?} with {partitions} partitions"),
            session: session(&[device], partitions),
            partitions,
        })
        .collect()
}

/// The adapters at hand.
pub(crate) fn gpus() -> Vec<usize> {
    (0..at_hand()).collect()
}

/// A session on these devices, each with this many partitions.
pub(crate) fn session(devices: &[OneDevice], partitions: usize) -> Session {
    let builder = Session::builder().device(DeviceChoice::These(devices.to_vec()));
    builder.threads(2).partitions(partitions).build().expect("the devices open")
}

/// A CPU session of this many partitions.
pub(crate) fn cpu(partitions: usize) -> Session {
    session(&[OneDevice::Cpu], partitions)
}

/// An item made of a closure.
pub(crate) fn item(
    name: &'static str,
    objects: Objects,
    calc: impl Fn(&mut ComContext) -> Result<()> + Send + Sync,
) -> impl ComputeFunction {
    Compute::new(name, objects, calc)
}

/// A table of small integers, every row different: sums of it are exact in f32.
pub(crate) fn table(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(row, column)| ((row * 7 + column * 3) % 23) as f32 - 5.0)
}

/// The sum of each column, by plain loops in f64.
pub(crate) fn column_sums(table: &Array2<f32>) -> Array1<f64> {
    let mut sums = Array1::zeros(table.ncols());
    for row in table.rows() {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    sums
}

/// Checks that an error says each of these words.
pub(crate) fn assert_says(error: &Error, words: &[&str]) {
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
}

/// The error of what was to fail.
pub(crate) fn error_of<T>(result: Result<T>, case: &str) -> Error {
    match result {
        Ok(_) => panic!("{case}: no error"),
        Err(error) => error,
    }
}
