//! How far centroids have moved.

use super::Distance;

/// Sums of shifts since the bounds began, of each centroid or the largest of each group.
#[derive(Debug, Clone)]
pub(super) struct Drift {
    /// At least the true sums.
    totals: Vec<f64>,
    /// Those, as f32 that are not smaller, and as f32 that are not larger.
    above: Vec<f32>,
    below: Vec<f32>,
}

impl Drift {
    pub(super) fn none(count: usize) -> Self {
        Self { totals: vec![0.0; count], above: vec![0.0; count], below: vec![0.0; count] }
    }

    /// These sums, and one more shift each.
    pub(super) fn and(&self, shifts: impl Iterator<Item = f64>) -> Self {
        let totals: Vec<f64> = self.totals.iter().zip(shifts).map(|(total, shift)| larger(total + shift)).collect();
        let above = totals.iter().map(|&total| (total as f32).next_up()).collect();
        let below = totals.iter().map(|&total| (total as f32).next_down()).collect();
        Self { totals, above, below }
    }

    pub(super) fn above(&self) -> &[f32] {
        &self.above
    }

    pub(super) fn below(&self) -> &[f32] {
        &self.below
    }
}

/// At least how far a centroid has moved, from its columns before and after; 0 where it has not.
///
/// The sum of `d` terms in f64 is off by less than `(d + 2)·2⁻⁵³` of itself.
pub(super) fn shift<'a>(distance: Distance, columns: impl ExactSizeIterator<Item = (&'a f32, &'a f32)>) -> f64 {
    let d = columns.len();
    let differences = columns.map(|(from, to)| f64::from(*from) - f64::from(*to));
    let sum = match distance {
        Distance::SquaredEuclidean => differences.map(|difference| difference * difference).sum::<f64>().sqrt(),
        Distance::CityBlock => differences.map(f64::abs).sum::<f64>(),
    };
    sum * (1.0 + (d + 4) as f64 * f64::EPSILON)
}

/// Above any rounding of `sum`; 0 stays 0.
fn larger(sum: f64) -> f64 {
    sum * (1.0 + 2.0 * f64::EPSILON)
}
