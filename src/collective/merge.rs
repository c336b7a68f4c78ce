//! Merging on the host: floats in f64, in the order of the parts, so that the result does not depend on who came first;
//! integers exactly, with an error where they overflow.

use crate::backend::ReduceOp;

/// A number that partial results are made of.
pub trait Number: bytemuck::Pod + PartialOrd + Send + Sync {
    /// What several of them are merged in: f64, or an integer that no sum of them leaves.
    type Total: Copy + Send + Sync + 'static;

    /// The merge of one.
    fn total(self) -> Self::Total;

    /// Merges one more into a total.
    fn join(op: ReduceOp, total: Self::Total, more: Self) -> Self::Total;

    /// What a total comes to; `None` where it does not fit.
    fn of_total(total: Self::Total) -> Option<Self>;

    /// Merges the same element of several partial results; `None` where there is none or the result does not fit.
    fn merge(op: ReduceOp, mut values: impl Iterator<Item = Self>) -> Option<Self> {
        let first = values.next()?.total();
        Self::of_total(values.fold(first, |total, more| Self::join(op, total, more)))
    }
}

macro_rules! floats {
    ($($float:ty),+) => {$(
        impl Number for $float {
            type Total = f64;

            fn total(self) -> f64 {
                self.into()
            }

            fn join(op: ReduceOp, total: f64, more: Self) -> f64 {
                let more = f64::from(more);
                // Not a number wins in every operation: f64::max and f64::min would pass it over.
                match op {
                    ReduceOp::Sum => total + more,
                    ReduceOp::Max => if total.is_nan() || total >= more { total } else { more },
                    ReduceOp::Min => if total.is_nan() || total <= more { total } else { more },
                }
            }

            fn of_total(total: f64) -> Option<Self> {
                Some(total as Self)
            }
        }
    )+};
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl Number for $integer {
            type Total = i128;

            fn total(self) -> i128 {
                self.into()
            }

            fn join(op: ReduceOp, total: i128, more: Self) -> i128 {
                match op {
                    ReduceOp::Sum => total + i128::from(more),
                    ReduceOp::Max => total.max(more.into()),
                    ReduceOp::Min => total.min(more.into()),
                }
            }

            fn of_total(total: i128) -> Option<Self> {
                total.try_into().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_floats_are_rounded_once() {
        // In f32 the small ones vanish one by one beside 2²⁴.
        let parts: [&[f32]; 5] = [&[16_777_216.0], &[1.0], &[1.0], &[1.0], &[1.0]];
        assert_eq!(merge(ReduceOp::Sum, &parts), Ok(vec![16_777_220.0]));
    }

    #[test]
    fn sums_that_overflow_name_their_element_and_fit_in_between() {
        assert_eq!(merge(ReduceOp::Sum, &[&[0, i64::MAX], &[0, 1]]), Err(1));
        assert_eq!(merge(ReduceOp::Sum, &[&[i64::MAX], &[1], &[-1]]), Ok(vec![i64::MAX]));
        assert_eq!(merge(ReduceOp::Sum, &[&[u32::MAX], &[1]]), Err(0));
    }

    #[test]
    fn the_largest_and_smallest_of_each_element_are_found() {
        let parts: [&[i64]; 3] = [&[-5, 3, 0], &[-7, 9, 0], &[2, 4, 0]];
        assert_eq!(merge(ReduceOp::Max, &parts), Ok(vec![2, 9, 0]));
        assert_eq!(merge(ReduceOp::Min, &parts), Ok(vec![-7, 3, 0]));
        assert!(merge::<i32>(ReduceOp::Max, &[]).is_ok_and(|merged| merged.is_empty()));
    }
}
