//! Which of a few points may be nearer to a row than what is nearest so far.
//!
//! The question of k-means++, for every row in every round, and mostly the answer is none. So the points are screened as
//! in [`assign_tiled`](super::assign_tiled), by one multiplication and addition a column, and only what its error bound
//! leaves is measured as [`distances_to_all`](super::distances_to_all) does, to the same bits.

use super::assign_tiled::Dot;
use super::distances_to_all::{self, LANES};
use super::panels::{Packing, Panels, VECTORS};
use super::screen::{Block, Form, ROUNDING, gamma};
use super::simd::{Kernel, Simd};
use super::square_norms::{SquaredLengths, square_norms};
use super::{Distance, Isa};
use crate::{Error, Result};

/// How many rows before they are needed they are asked of the memory.
const AHEAD: usize = 48;

/// The most points: as many as a `u32` has bits.
const MOST: usize = 32;

/// A few points, packed; made once a round, shared by all threads.
///
/// ```
/// use superstep::backend::cpu::{Closer, Isa};
///
/// let closer = Closer::new(&[0.0, 0.0, 3.0, 4.0], 2, Isa::detect())?;
/// let (rows, mut squares, mut masks) = ([0.0f32, 1.0, 3.0, 3.0], [0.0; 2], [0; 2]);
/// closer.squared_lengths(&rows, &mut squares)?;
/// // The nearest so far are 2 away from the first row, and 0.5 from the second: squared, 4 and 0.25.
/// closer.screen(&rows, &squares, &[4.0, 0.25], &mut masks)?;
/// assert_eq!(masks, [0b01, 0b00]);
/// assert_eq!(closer.distance(&rows[..2], 0), 1.0);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug)]
pub struct Closer {
    panels: Panels,
    form: Dot,
    /// What a distance measured in f32 may be above the true one, as a factor.
    factor: f32,
}

impl Closer {
    /// Packs at most 32 points of `d` columns.
    ///
    /// # Errors
    /// When there are none or more, or they are no whole points.
    pub fn new(points: &[f32], d: usize, isa: Isa) -> Result<Self> {
        if d == 0 || points.is_empty() || !points.len().is_multiple_of(d) || points.len() / d > MOST {
            let message = format!("{} values are not 1 to {MOST} points of {d} columns", points.len());
            return Err(Error::parameter("points", message));
        }
        let isa = if isa.is_available() { isa } else { Isa::Portable };
        let biases = square_norms(points, d);
        let form = Dot::in_one_sum(points, d);
        let chain = gamma(d.min(LANES) + d.div_ceil(LANES) + 4);
        let factor = if chain < 0.5 { ((1.0 + chain) as f32).next_up() } else { f32::INFINITY };
        Ok(Self { panels: Panels::new(isa, points.to_vec(), d, biases, Packing::InOrder), form, factor })
    }

    /// The squared length of each row, as [`screen`](Self::screen) needs it.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn squared_lengths(&self, rows: &[f32], out: &mut [f32]) -> Result<()> {
        self.check(rows, [out.len(); 2], out.len())?;
        self.panels.isa().run(SquaredLengths { rows, d: self.panels.columns(), out });
        Ok(())
    }

    /// Which points may be nearer to each row than `closest`, a squared distance as [`distance`](Self::distance) measures
    /// it: a bit a point, the first in the lowest.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn screen(&self, rows: &[f32], squares: &[f32], closest: &[f32], masks: &mut [u32]) -> Result<()> {
        self.check(rows, [squares.len(), closest.len()], masks.len())?;
        self.panels.isa().run(Screen { closer: self, rows, squares, closest, masks });
        Ok(())
    }

    /// The squared distance of a row to a point, with the bits of [`distances_to_all`](super::distances_to_all()); infinite
    /// where there is no such point.
    pub fn distance(&self, row: &[f32], point: usize) -> f32 {
        if point >= self.panels.count() || row.len() != self.panels.columns() {
            return f32::INFINITY;
        }
        distances_to_all::one(row, self.panels.centroid(point as u32), Distance::SquaredEuclidean)
    }

    fn check(&self, rows: &[f32], lengths: [usize; 2], count: usize) -> Result<()> {
        if count.checked_mul(self.panels.columns()) == Some(rows.len()) && lengths == [count; 2] {
            return Ok(());
        }
        let d = self.panels.columns();
        Err(Error::parameter("rows", format!("{} values and {lengths:?} are not of {count} rows of {d}", rows.len())))
    }
}

struct Screen<'a> {
    closer: &'a Closer,
    rows: &'a [f32],
    squares: &'a [f32],
    closest: &'a [f32],
    masks: &'a mut [u32],
}

impl Kernel for Screen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let panels = &self.closer.panels;
        self.masks.fill(0);
        for panel in panels.panels(0..panels.slots()) {
            let first = panel.first_id as usize * S::LANES;
            if panel.biases.len() == VECTORS * S::LANES {
                match S::ROWS {
                    12 => self.pass::<S, 12, VECTORS>(simd, panel.values, panel.biases, first),
                    6 => self.pass::<S, 6, VECTORS>(simd, panel.values, panel.biases, first),
                    _ => self.pass::<S, 2, VECTORS>(simd, panel.values, panel.biases, first),
                }
            } else {
                match S::ROWS {
                    2 => self.pass::<S, 4, 1>(simd, panel.values, panel.biases, first),
                    _ => self.pass::<S, 8, 1>(simd, panel.values, panel.biases, first),
                }
            }
        }
    }
}

impl Screen<'_> {
    #[inline(always)]
    fn pass<S: Simd, const ROWS: usize, const V: usize>(
        &mut self,
        simd: S,
        values: &[f32],
        biases: &[f32],
        first: usize,
    ) {
        let Closer { panels, form, factor } = self.closer;
        let d = panels.columns();
        let block = Block { simd, form: *form, panels, rows: self.rows, d, picked: None };
        for begin in (0..self.masks.len()).step_by(ROWS) {
            // Hardware does not foresee a tile that reads many rows at once.
            let ahead = (begin + AHEAD) * d..(begin + AHEAD + ROWS) * d;
            if first == 0 {
                simd.prefetch(self.rows.get(ahead).unwrap_or(&[]));
            }
            let sums = block.tile_sums::<ROWS, V>(begin, 0, values);
            let end = self.masks.len().min(begin + ROWS);
            for (row, sums) in (begin..end).zip(&sums) {
                let (square, closest) = (self.squares[row], self.closest[row]);
                // Above it, the true distance times the error of the measured one is not below the closest.
                let limit = (closest * factor * (1.0 + ROUNDING) - square) + form.margin(square) * (1.0 + ROUNDING);
                let is_known = limit < f32::INFINITY;
                let limit = simd.splat(limit);
                for v in 0..V {
                    let value = form.finish(simd, sums[v], simd.load(&biases[v * S::LANES..]));
                    let bits = if is_known { simd.at_most(value, limit) } else { u32::MAX >> (32 - S::LANES) };
                    self.masks[row] |= bits << (first + v * S::LANES);
                }
            }
        }
        let count = panels.count();
        // What lies behind the last point is none.
        self.masks.iter_mut().for_each(|mask| *mask &= u32::MAX >> (MOST - count));
    }
}
