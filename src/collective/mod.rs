//! Merging what several tasks, devices and processes have computed. Knows the devices' element types and nothing of
//! queues.
//!
//! Within this process partial results are merged here, on the host: floats in f64, in the order of the tasks, so that
//! the result does not depend on who came first; integers exactly, with an error where they overflow.

use crate::backend::ReduceOp;

/// A number that partial results are made of.
pub trait Number: bytemuck::Pod + PartialOrd + Send + Sync {
    /// Merges the same element of several partial results; `None` where the result does not fit the type.
    fn merge(op: ReduceOp, values: impl Iterator<Item = Self>) -> Option<Self>;
}

macro_rules! floats {
    ($($float:ty),+) => {$(
        impl Number for $float {
            fn merge(op: ReduceOp, values: impl Iterator<Item = Self>) -> Option<Self> {
                // Not a number wins in every operation: f64::max and f64::min would pass it over.
                let larger = |a: Self, b: Self| if a.is_nan() || a >= b { a } else { b };
                let smaller = |a: Self, b: Self| if a.is_nan() || a <= b { a } else { b };
                match op {
                    ReduceOp::Sum => Some(values.map(f64::from).sum::<f64>() as Self),
                    ReduceOp::Max => values.reduce(larger),
                    ReduceOp::Min => values.reduce(smaller),
                }
            }
        }
    )+};
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl Number for $integer {
            fn merge(op: ReduceOp, mut values: impl Iterator<Item = Self>) -> Option<Self> {
                match op {
                    ReduceOp::Sum => Self::try_from(values.map(i128::from).sum::<i128>()).ok(),
                    ReduceOp::Max => values.next().map(|first| values.fold(first, Ord::max)),
                    ReduceOp::Min => values.next().map(|first| values.fold(first, Ord::min)),
                }
            }
        }
    )+};
}

floats!(f32, f64);
integers!(i32, u32, i64, u64);

/// Merges partial results element by element, in their order.
///
/// All parts have the length of the first. `Err` carries the index of the first element whose result does not fit.
pub(crate) fn merge<N: Number>(op: ReduceOp, parts: &[&[N]]) -> Result<Vec<N>, usize> {
    let length = parts.first().map_or(0, |part| part.len());
    (0..length).map(|at| N::merge(op, parts.iter().map(|part| part[at])).ok_or(at)).collect()
}
