//! The loops over rows behind [`Partials`].
//!
//! Plain code: multiplications by powers of two and roundings that no compiler reorders, in loops that it vectorises for
//! the instruction set at hand.

use super::fixed_point::{FixedPoint, power_of_two, rounded, rounding_rest};
use super::partials::{Partials, PartialsLayout, Rows};
use crate::backend::cpu::simd::{Kernel, Simd};
use crate::backend::cpu::square_norms::squared_length;

/// Adds checked rows.
pub(super) struct AddRows<'a> {
    pub(super) partials: &'a mut Partials,
    pub(super) rows: &'a Rows<'a>,
}

impl Kernel for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (fixed, layout, values) = self.partials.parts();
        let (sums, rest) = values.split_at_mut(layout.k * layout.d * layout.words);
        let (masses, totals) = rest.split_at_mut(layout.k);
        add_values(self.rows, fixed, layout, sums);
        for (i, &label) in self.rows.labels.iter().enumerate() {
            let mass = &mut masses[label as usize];
            *mass = mass.wrapping_add(fixed.mass_units(self.rows.weights.map(|weights| weights[i])));
        }
        for (total, more) in totals.iter_mut().zip(row_totals(self.rows, fixed)) {
            *total = total.wrapping_add(more);
        }
    }
}

/// Rows whose labels are compared with the earlier ones at once.
const RUN: usize = 32;

/// Moves checked rows from cluster to cluster.
pub(super) struct AddChanges<'a> {
    pub(super) partials: &'a mut Partials,
    pub(super) rows: &'a Rows<'a>,
}

impl Kernel for AddChanges<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (fixed, layout, values) = self.partials.parts();
        let PartialsLayout { k, d, words } = layout;
        let (sums, rest) = values.split_at_mut(k * d * words);
        let (masses, totals) = rest.split_at_mut(k);
        let mut units = vec![0_i64; d * words];
        // Most rows stay: runs of them are passed over by a comparison of memory.
        let runs = self.rows.labels.chunks(RUN).zip(self.rows.previous.chunks(RUN)).enumerate();
        for (run, (labels, previous)) in runs.filter(|(_, (labels, previous))| labels != previous) {
            let moved = labels.iter().zip(previous).enumerate().filter(|(_, (to, from))| to != from);
            for (i, (&to, &from)) in moved.map(|(at, pair)| (run * RUN + at, pair)) {
                let row = &self.rows.values[i * d..][..d];
                units_of(row, self.rows.weight(i), fixed, &mut units);
                let mass = fixed.mass_units(self.rows.weights.map(|weights| weights[i]));
                let at = |cluster: u32, word: usize| (word * k + cluster as usize) * d;
                for (word, units) in units.chunks_exact(d).enumerate() {
                    let to = &mut sums[at(to, word)..][..d];
                    to.iter_mut().zip(units).for_each(|(sum, unit)| *sum = sum.wrapping_add(*unit));
                    if (from as usize) < k {
                        let from = &mut sums[at(from, word)..][..d];
                        from.iter_mut().zip(units).for_each(|(sum, unit)| *sum = sum.wrapping_sub(*unit));
                    }
                }
                masses[to as usize] = masses[to as usize].wrapping_add(mass);
                if let Some(left) = masses.get_mut(from as usize) {
                    *left = left.wrapping_sub(mass);
                }
            }
        }
        for (total, more) in totals.iter_mut().zip(row_totals(self.rows, fixed)) {
            *total = total.wrapping_add(more);
        }
    }
}

/// Adds the squared lengths of whole rows to the inertia.
pub(super) struct AddSquaredLengths<'a> {
    pub(super) partials: &'a mut Partials,
    pub(super) values: &'a [f32],
}

impl Kernel for AddSquaredLengths<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (fixed, layout, values) = self.partials.parts();
        let scale = fixed.scales()[layout.d + 1];
        let further = power_of_two(fixed.bits().cast_signed());
        let mut totals = [0i64; 2];
        for row in self.values.chunks_exact(layout.d) {
            let scaled = (squared_length(row) * scale).min(further);
            totals[0] = totals[0].wrapping_add(rounded(scaled));
            totals[1] = totals[1].wrapping_add(rounded(rounding_rest(scaled) * further));
        }
        for (word, more) in totals.into_iter().enumerate() {
            let total = &mut values[layout.inertia(word)];
            *total = total.wrapping_add(more);
        }
    }
}

/// Adds the values of the rows to the sums of their clusters.
#[inline(always)]
fn add_values(rows: &Rows, fixed: &FixedPoint, layout: PartialsLayout, sums: &mut [i64]) {
    let PartialsLayout { k, d, words } = layout;
    let (first, second) = sums.split_at_mut(k * d);
    let scales = &fixed.scales()[..d];
    let further = power_of_two(fixed.bits().cast_signed());
    for (i, (row, &label)) in rows.values.chunks_exact(d).zip(rows.labels).enumerate() {
        let at = label as usize * d;
        if words == 1 {
            add_one_word(row, rows.weight(i), scales, &mut first[at..][..d]);
        } else {
            add_two_words(row, rows.weight(i), scales, further, &mut first[at..][..d], &mut second[at..][..d]);
        }
    }
}

/// What the rows add to both words of the inertia and to the number of moved rows. A distance beyond what was planned
/// counts as `2^B` units, the most there is room for.
#[inline(always)]
fn row_totals(rows: &Rows, fixed: &FixedPoint) -> [i64; 3] {
    let scale = fixed.scales()[fixed.columns() + 1];
    let further = power_of_two(fixed.bits().cast_signed());
    let mut totals = [0i64; 3];
    for (i, &distance) in rows.distances.iter().enumerate() {
        let scaled = (f64::from(distance * rows.weight(i)) * scale).min(further);
        totals[0] = totals[0].wrapping_add(rounded(scaled));
        totals[1] = totals[1].wrapping_add(rounded(rounding_rest(scaled) * further));
    }
    totals[2] = rows.labels.iter().zip(rows.previous).map(|(label, previous)| i64::from(label != previous)).sum();
    totals
}

/// What a row is in units, word after word.
#[inline(always)]
fn units_of(row: &[f32], factor: f32, fixed: &FixedPoint, units: &mut [i64]) {
    let (first, second) = units.split_at_mut(row.len());
    let scales = &fixed.scales()[..row.len()];
    first.fill(0);
    second.fill(0);
    if second.is_empty() {
        add_one_word(row, factor, scales, first);
    } else {
        add_two_words(row, factor, scales, power_of_two(fixed.bits().cast_signed()), first, second);
    }
}

#[inline(always)]
fn add_one_word(row: &[f32], factor: f32, scales: &[f64], sums: &mut [i64]) {
    for ((&x, &scale), sum) in row.iter().zip(scales).zip(sums) {
        *sum = sum.wrapping_add(rounded(f64::from(x * factor) * scale));
    }
}

#[inline(always)]
fn add_two_words(row: &[f32], factor: f32, scales: &[f64], further: f64, first: &mut [i64], second: &mut [i64]) {
    for (((&x, &scale), first), second) in row.iter().zip(scales).zip(first).zip(second) {
        let scaled = f64::from(x * factor) * scale;
        *first = first.wrapping_add(rounded(scaled));
        *second = second.wrapping_add(rounded(rounding_rest(scaled) * further));
    }
}
