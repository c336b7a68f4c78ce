//! The distance of every row to each of a few points.

use super::isa::Isa;
use super::nearest::Distance;
use super::simd::{Kernel, Simd};
use crate::{Error, Result};

/// Sums run in this many lanes, which are added in a fixed tree: the bits are the same on every processor.
const LANES: usize = 16;

/// The distances of n rows to m points of d columns, in difference form: `out` is n × m.
///
/// Lanes, order and rounding are the same for every instruction set (no fused multiply-add), so the result has the same
/// bits everywhere. 3·n·m·d operations; the rows are read once for every four points.
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
    for (row, out) in rows.chunks_exact(d).zip(out.chunks_exact_mut(count.max(1))) {
        let mut point = points.chunks_exact(d);
        let mut fours = out.chunks_exact_mut(4);
        for out in fours.by_ref() {
            let four: [&[f32]; 4] = std::array::from_fn(|_| point.next().unwrap_or(&[]));
            out.copy_from_slice(&several::<CITYBLOCK, 4>(row, four));
        }
        for out in fours.into_remainder() {
            *out = several::<CITYBLOCK, 1>(row, [point.next().unwrap_or(&[])])[0];
        }
    }
}

#[inline(always)]
fn several<const CITYBLOCK: bool, const COUNT: usize>(row: &[f32], points: [&[f32]; COUNT]) -> [f32; COUNT] {
    let term = |x: f32, c: f32| {
        let difference = x - c;
        if CITYBLOCK { difference.abs() } else { difference * difference }
    };
    let whole = row.len() - row.len() % LANES;
    let mut sums = [[0.0_f32; LANES]; COUNT];
    for at in (0..whole).step_by(LANES) {
        let x = &row[at..at + LANES];
        for (sums, point) in sums.iter_mut().zip(points) {
            let c = &point[at..at + LANES];
            for lane in 0..LANES {
                sums[lane] += term(x[lane], c[lane]);
            }
        }
    }
    for (sums, point) in sums.iter_mut().zip(points) {
        for (lane, (x, c)) in row[whole..].iter().zip(&point[whole..]).enumerate() {
            sums[lane] += term(*x, *c);
        }
    }
    sums.map(|sums| {
        let eight: [f32; 8] = std::array::from_fn(|at| sums[at] + sums[at + 8]);
        let four: [f32; 4] = std::array::from_fn(|at| eight[at] + eight[at + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    })
}
