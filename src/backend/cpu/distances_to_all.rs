//! The distance of every row to each of a few points.

use super::isa::Isa;
use super::nearest::Distance;
use super::simd::{Kernel, Simd};
use crate::{Error, Result};

/// Rows are taken sixteen at a time, one a lane: no sum crosses lanes, so the bits are the same on every processor.
pub(super) const LANES: usize = 16;

/// The distances of n rows to m points of d columns, in difference form: `out` is n × m.
///
/// Order and rounding are the same for every instruction set (no fused multiply-add), so the result has the same bits
/// everywhere. 3·n·m·d operations; sixteen rows are turned into columns once and stay in cache for all points.
///
/// # Errors
/// When the lengths do not fit each other.
pub fn distances_to_all(
    rows: &[f32],
    points: &[f32],
    d: usize,
    distance: Distance,
    isa: Isa,
    out: &mut [f32],
) -> Result<()> {
    let fits = d > 0 && rows.len().is_multiple_of(d) && points.len().is_multiple_of(d);
    if !fits || out.len() != rows.len() / d * (points.len() / d) {
        let (r, p, o) = (rows.len(), points.len(), out.len());
        let message = format!("{r} values of rows, {p} of points and {o} distances do not fit {d} columns");
        return Err(Error::parameter("rows", message));
    }
    match distance {
        Distance::CityBlock => isa.run(ToAll::<true> { rows, points, d, out }),
        Distance::SquaredEuclidean => isa.run(ToAll::<false> { rows, points, d, out }),
    }
    Ok(())
}

/// The computation, compiled for each instruction set.
struct ToAll<'r, const CITYBLOCK: bool> {
    rows: &'r [f32],
    points: &'r [f32],
    d: usize,
    out: &'r mut [f32],
}

impl<const CITYBLOCK: bool> Kernel for ToAll<'_, CITYBLOCK> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        all::<CITYBLOCK>(self.rows, self.points, self.d, self.out);
    }
}

#[inline(always)]
fn all<const CITYBLOCK: bool>(rows: &[f32], points: &[f32], d: usize, out: &mut [f32]) {
    let count = points.len() / d;
    let mut columns = vec![[0.0_f32; LANES]; d];
    for (rows, out) in rows.chunks(LANES * d).zip(out.chunks_mut(LANES * count.max(1))) {
        for (lane, row) in rows.chunks_exact(d).enumerate() {
            columns.iter_mut().zip(row).for_each(|(column, value)| column[lane] = *value);
        }
        for (at, point) in points.chunks_exact(d).enumerate() {
            let distances = sixteen::<CITYBLOCK>(&columns, point);
            for (out, distance) in out.chunks_exact_mut(count).zip(distances) {
                out[at] = distance;
            }
        }
    }
}

/// The distances of sixteen rows, one a lane, to a point. Sixteen columns are summed before they join the total, so the
/// rounding error grows with 16 + d/16 rather than with d.
#[inline(always)]
fn sixteen<const CITYBLOCK: bool>(columns: &[[f32; LANES]], point: &[f32]) -> [f32; LANES] {
    let mut totals = [0.0_f32; LANES];
    for (columns, point) in columns.chunks(LANES).zip(point.chunks(LANES)) {
        let mut sums = [0.0_f32; LANES];
        for (column, c) in columns.iter().zip(point) {
            for lane in 0..LANES {
                let difference = column[lane] - c;
                sums[lane] += if CITYBLOCK { difference.abs() } else { difference * difference };
            }
        }
        for lane in 0..LANES {
            totals[lane] += sums[lane];
        }
    }
    totals
}

/// The distance of one row to one point, with the same bits: the columns are added in the same order.
pub(super) fn one(row: &[f32], point: &[f32], distance: Distance) -> f32 {
    let mut total = 0.0_f32;
    for (row, point) in row.chunks(LANES).zip(point.chunks(LANES)) {
        let mut sum = 0.0_f32;
        for (x, c) in row.iter().zip(point) {
            let difference = x - c;
            sum += if distance == Distance::CityBlock { difference.abs() } else { difference * difference };
        }
        total += sum;
    }
    total
}
