//! Merging the parts of an object as a device does, in the element's own type. Twin of `shaders/reduce.wgsl`.
//!
//! What devices and threads have made is merged on the host by `collective`, which differs on purpose: floats in f64,
//! integers with every overflow noticed.

use crate::backend::ReduceOp;
use crate::{Error, Result};

/// An element that a device merges.
///
/// Sealed by its private supertrait: the elements are those of [`Element`](crate::backend::Element).
pub trait Mergeable: sealed::Merge {}

impl<T: sealed::Merge> Mergeable for T {}

/// Merges `part` into `total`, element by element, in the element's type, as `shaders/reduce.wgsl` does: `f32` rounds,
/// integers wrap around, and where a float is not a number the largest and smallest keep the total.
///
/// # Errors
/// [`Error::Wiring`] if the two differ in length.
pub fn fold<T: Mergeable>(op: ReduceOp, total: &mut [T], part: &[T]) -> Result<()> {
    if total.len() != part.len() {
        let message = format!("a part has {} elements, the first has {}: all must agree", part.len(), total.len());
        return Err(Error::wiring("reduce", "part", message));
    }
    for (total, &part) in total.iter_mut().zip(part) {
        *total = match op {
            ReduceOp::Sum => total.wrapping_plus(part),
            ReduceOp::Max if part > *total => part,
            ReduceOp::Min if part < *total => part,
            ReduceOp::Max | ReduceOp::Min => *total,
        };
    }
    Ok(())
}

mod sealed {
    /// An element with a device's addition.
    pub trait Merge: Copy + PartialOrd {
        fn wrapping_plus(self, other: Self) -> Self;
    }

    macro_rules! elements {
        ($($element:ty => $plus:expr),*) => {$(
            impl Merge for $element {
                fn wrapping_plus(self, other: Self) -> Self {
                    $plus(self, other)
                }
            }
        )*};
    }

    elements!(
        i32 => i32::wrapping_add,
        u32 => u32::wrapping_add,
        i64 => i64::wrapping_add,
        u64 => u64::wrapping_add,
        f32 => std::ops::Add::add,
        f64 => std::ops::Add::add
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_rounds_floats_at_every_step_and_wraps_integers() {
        let mut folded = [16_777_216.0_f32];
        fold(ReduceOp::Sum, &mut folded, &[1.0]).unwrap();
        assert_eq!(folded, [16_777_216.0]);
        let mut wrapped = [u64::MAX];
        fold(ReduceOp::Sum, &mut wrapped, &[2]).unwrap();
        assert_eq!(wrapped, [1]);
    }

    #[test]
    fn parts_must_agree_in_length() {
        assert!(fold(ReduceOp::Max, &mut [1_i32], &[]).is_err());
    }
}
