//! Sums of the rows of each cluster, in fixed-point integers: associative, so that any threads, blocks, devices and
//! ranks give the same bits.
//!
//! [`FixedPoint`] says what a unit is worth, [`Partials`] holds the sums of some rows and turns merged ones into means,
//! [`WideColumns`] finds out whether one word per sum is exact enough.

mod add;
mod fixed_point;
mod mean;
mod partials;
mod wide;

pub use fixed_point::FixedPoint;
pub(super) use fixed_point::power_of_two;
pub use partials::{Partials, PartialsLayout, Rows};
pub use wide::WideColumns;
