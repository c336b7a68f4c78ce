//! Merging the parts of an object. Twin of `shaders/reduce.wgsl`, and the merge of parts that lie on the host.
//!
//! The two differ on purpose. [`fold`] does what a device does, in the element's own type. [`merge_host`] joins what
//! devices and threads have made: floats in `f64`, rounded once, and integers with every overflow noticed.

use crate::backend::ReduceOp;
use crate::{Error, Result};

/// An element that can be merged.
///
/// Sealed by its private supertrait: the elements are those of [`Element`](crate::backend::Element).
pub trait Mergeable: wide::Merge {}

impl<T: wide::Merge> Mergeable for T {}

/// Merges `part` into `total`, element by element, in the element's type, as `shaders/reduce.wgsl` does: `f32` rounds,
/// integers wrap around, and where a float is not a number the largest and smallest keep the total.
///
/// # Errors
/// [`Error::Wiring`] if the two differ in length.
pub fn fold<T: Mergeable>(op: ReduceOp, total: &mut [T], part: &[T]) -> Result<()> {
    check_length(total.len(), part.len())?;
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

/// Merges parts of equal length, element by element, in their order: floats in `f64` and rounded once at the end,
/// integers exactly. No parts give an empty result.
///
/// # Errors
/// [`Error::Wiring`] if the parts differ in length or a sum of integers does not fit its type.
pub fn merge_host<T: Mergeable>(op: ReduceOp, parts: &[&[T]]) -> Result<Vec<T>> {
    let Some((first, rest)) = parts.split_first() else { return Ok(Vec::new()) };
    for part in rest {
        check_length(first.len(), part.len())?;
    }
    let merge = |(index, &start): (usize, &T)| {
        let elements = rest.iter().filter_map(|part| part.get(index)).map(|element| element.widen());
        let merged = elements.fold(start.widen(), |total, element| match op {
            ReduceOp::Sum => total + element,
            ReduceOp::Max if element > total => element,
            ReduceOp::Min if element < total => element,
            ReduceOp::Max | ReduceOp::Min => total,
        });
        T::narrow(merged).ok_or_else(|| overflow::<T>(index))
    };
    first.iter().enumerate().map(merge).collect()
}

fn check_length(wanted: usize, got: usize) -> Result<()> {
    if wanted == got {
        return Ok(());
    }
    let message = format!("a part has {got} elements, the first has {wanted}: all must agree");
    Err(Error::wiring("reduce", "part", message))
}

fn overflow<T>(index: usize) -> Error {
    let of = std::any::type_name::<T>();
    Error::wiring("reduce", "sum", format!("element {index} does not fit {of}: take a wider type or smaller values"))
}

mod wide {
    use std::ops::Add;

    /// An element and the wider type that parts are merged in.
    pub trait Merge: Copy + PartialOrd {
        /// `f64` for floats; for integers `i128`, which no number of parts can fill.
        type Wide: Copy + PartialOrd + Add<Output = Self::Wide>;

        fn widen(self) -> Self::Wide;
        fn narrow(wide: Self::Wide) -> Option<Self>;
        fn wrapping_plus(self, other: Self) -> Self;
    }

    macro_rules! integers {
        ($($integer:ty),*) => {$(
            impl Merge for $integer {
                type Wide = i128;

                fn widen(self) -> i128 {
                    i128::from(self)
                }

                fn narrow(wide: i128) -> Option<Self> {
                    Self::try_from(wide).ok()
                }

                fn wrapping_plus(self, other: Self) -> Self {
                    self.wrapping_add(other)
                }
            }
        )*};
    }

    integers!(i32, u32, i64, u64);

    impl Merge for f32 {
        type Wide = f64;

        fn widen(self) -> f64 {
            f64::from(self)
        }

        fn narrow(wide: f64) -> Option<Self> {
            Some(wide as Self)
        }

        fn wrapping_plus(self, other: Self) -> Self {
            self + other
        }
    }

    impl Merge for f64 {
        type Wide = Self;

        fn widen(self) -> Self {
            self
        }

        fn narrow(wide: Self) -> Option<Self> {
            Some(wide)
        }

        fn wrapping_plus(self, other: Self) -> Self {
            self + other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_sums_of_floats_are_rounded_once() {
        // In f32 the small ones vanish one by one beside 2²⁴.
        let (large, small) = ([16_777_216.0_f32], [1.0_f32]);
        let parts: Vec<&[f32]> = vec![&large, &small, &small, &small, &small];
        assert_eq!(merge_host(ReduceOp::Sum, &parts).unwrap(), [16_777_220.0]);
        let mut folded = large;
        fold(ReduceOp::Sum, &mut folded, &small).unwrap();
        assert_eq!(folded, [16_777_216.0]);
    }

    #[test]
    fn host_sums_that_overflow_are_errors_and_fit_in_between() {
        let (most, one, back) = ([i64::MAX], [1_i64], [-1_i64]);
        let error = merge_host(ReduceOp::Sum, &[&most, &one]).unwrap_err();
        assert!(error.to_string().contains("element 0 does not fit i64"), "{error}");
        assert_eq!(merge_host(ReduceOp::Sum, &[&most, &one, &back]).unwrap(), [i64::MAX]);
        assert!(merge_host(ReduceOp::Sum, &[&[u32::MAX][..], &[1]]).is_err());
        let mut wrapped = [u64::MAX];
        fold(ReduceOp::Sum, &mut wrapped, &[2]).unwrap();
        assert_eq!(wrapped, [1]);
    }

    #[test]
    fn parts_must_agree_in_length() {
        assert!(merge_host(ReduceOp::Max, &[&[1.0_f32][..], &[1.0, 2.0]]).is_err());
        assert!(fold(ReduceOp::Max, &mut [1_i32], &[]).is_err());
        assert!(merge_host::<i32>(ReduceOp::Max, &[]).unwrap().is_empty());
    }

    #[test]
    fn the_largest_and_smallest_of_each_element_are_found() {
        let parts: [&[i64]; 3] = [&[-5, 3, 0], &[-7, 9, 0], &[2, 4, 0]];
        assert_eq!(merge_host(ReduceOp::Max, &parts).unwrap(), [2, 9, 0]);
        assert_eq!(merge_host(ReduceOp::Min, &parts).unwrap(), [-7, 3, 0]);
    }
}
