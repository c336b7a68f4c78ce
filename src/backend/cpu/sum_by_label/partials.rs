//! The sums themselves: adding rows, merging, reading the result.

use super::add::{AddChanges, AddRows, AddSquaredLengths};
use super::fixed_point::{FixedPoint, power_of_two};
use super::mean::nearest_quotient;
use crate::backend::cpu::Isa;
use crate::backend::cpu::apart::taken_apart;
use crate::{Error, Result};

/// Where the sums of `k` clusters lie in an array of i64, the same on every device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialsLayout {
    /// Clusters.
    pub k: usize,
    /// Columns.
    pub d: usize,
    /// Words per sum of a column: 1 or 2.
    pub words: usize,
}

impl PartialsLayout {
    /// How many i64 there are: `k·d·words + k + 3`; none where that is beyond the address space.
    #[expect(clippy::len_without_is_empty, reason = "a layout is never empty")]
    pub fn len(&self) -> Option<usize> {
        self.k.checked_mul(self.d)?.checked_mul(self.words)?.checked_add(self.k)?.checked_add(3)
    }

    /// Where a word of the sum of a cluster's column is.
    pub fn sum(&self, word: usize, cluster: usize, column: usize) -> usize {
        (word * self.k + cluster) * self.d + column
    }

    /// Where a cluster's mass is: its rows, or the sum of their weights.
    pub fn mass(&self, cluster: usize) -> usize {
        self.k * self.d * self.words + cluster
    }

    /// Where a word (0 or 1) of the inertia is.
    pub fn inertia(&self, word: usize) -> usize {
        self.mass(self.k) + word
    }

    /// Where the number of rows is whose label changed.
    pub fn moved(&self) -> usize {
        self.mass(self.k) + 2
    }
}

/// A block of rows with what the assignment found for them; `n` is the length of `labels`.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The values, `n × d` row-major.
    pub values: &'a [f32],
    /// A weight per row, where there are any.
    pub weights: Option<&'a [f32]>,
    /// The cluster of each row.
    pub labels: &'a [u32],
    /// The clusters of the round before; what is no cluster counts as different.
    pub previous: &'a [u32],
    /// The distance of each row to its centroid, not weighted; or none at all, and then they add nothing.
    pub distances: &'a [f32],
}

impl Rows<'_> {
    /// A row's factor: 1, which changes no bit, where there are no weights.
    #[inline(always)]
    pub(super) fn weight(&self, row: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[row])
    }
}

/// Sums over some of the rows: per cluster and column, masses, the inertia, and how many labels changed.
///
/// Integers, so that blocks may be added and merged in any order and give the same bits. No sum leaves an i64, whatever
/// the order: a value is at most `2^B` units, and `n · 2^B ≤ 2^62` (see [`FixedPoint`]).
///
/// ```
/// use superstep::backend::cpu::sum_by_label::{FixedPoint, Partials, Rows};
///
/// let fixed = FixedPoint::plan(3, &[4.0], None, 1.0)?;
/// let mut sums = Partials::new(&fixed, 2)?;
/// sums.add_rows(&Rows {
///     values: &[1.0, 2.0, 4.0],
///     weights: None,
///     labels: &[0, 0, 1],
///     previous: &[0, 1, 1],
///     distances: &[0.25, 0.25, 0.0],
/// })?;
/// assert_eq!((sums.mean(0, 0), sums.mean(1, 0)), (Some(1.5), Some(4.0)));
/// assert_eq!((sums.mass(0), sums.inertia(), sums.moved()), (2.0, 0.5, 1));
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Partials {
    fixed: FixedPoint,
    layout: PartialsLayout,
    isa: Isa,
    values: Vec<i64>,
}

impl Partials {
    /// Sums of nothing, for `k` clusters.
    ///
    /// # Errors
    /// When the sums would not fit into the address space.
    pub fn new(fixed: &FixedPoint, k: usize) -> Result<Self> {
        let layout = PartialsLayout { k, d: fixed.columns(), words: fixed.words() };
        let length = layout.len().ok_or_else(|| {
            Error::parameter("n_clusters", format!("the sums of {k} clusters of {} columns fit no memory", layout.d))
        })?;
        Ok(Self { fixed: fixed.clone(), layout, isa: Isa::detect(), values: vec![0; length] })
    }

    /// Sums that another device, process or an all-reduce produced.
    ///
    /// # Errors
    /// When `values` has not the length of the layout.
    pub fn from_values(fixed: &FixedPoint, k: usize, values: Vec<i64>) -> Result<Self> {
        let layout = PartialsLayout { k, d: fixed.columns(), words: fixed.words() };
        if layout.len() != Some(values.len()) {
            let message = format!("{} integers do not fit {layout:?}", values.len());
            return Err(Error::parameter("partial sums", message));
        }
        Ok(Self { fixed: fixed.clone(), layout, isa: Isa::detect(), values })
    }

    /// The same sums, added to with another instruction set than [`Isa::detect`]'s; the bits are the same.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// Where what lies.
    pub fn layout(&self) -> PartialsLayout {
        self.layout
    }

    /// The units.
    pub fn fixed_point(&self) -> &FixedPoint {
        &self.fixed
    }

    /// All sums, as [`PartialsLayout`] orders them.
    pub fn values(&self) -> &[i64] {
        &self.values
    }

    /// All sums, without the rest.
    pub fn into_values(self) -> Vec<i64> {
        self.values
    }

    /// Back to sums of nothing, keeping the memory.
    pub fn clear(&mut self) {
        self.values.fill(0);
    }

    /// Adds a block of rows.
    ///
    /// # Errors
    /// When the lengths disagree, a label is no cluster, or weights are given or missing against the plan. Nothing is
    /// added then.
    pub fn add_rows(&mut self, rows: &Rows) -> Result<()> {
        self.check(rows)?;
        self.isa.run(AddRows { partials: self, rows });
        Ok(())
    }

    /// Adds what a block of rows changes: each row that moved leaves the sums of its earlier cluster, unless it had none,
    /// and joins those of its new one. Added to the sums of the round before, all blocks' changes give those of
    /// [`add_rows`](Self::add_rows) to the bit; a row that stays is not even read. The inertia is that of the block.
    ///
    /// # Errors
    /// As [`add_rows`](Self::add_rows).
    pub fn add_changes(&mut self, rows: &Rows) -> Result<()> {
        self.check(rows)?;
        self.isa.run(AddChanges { partials: self, rows });
        Ok(())
    }

    /// Adds the squared length of each row to the inertia: what [`inertia_around`](Self::inertia_around) starts from. Each
    /// is summed in f64, in eight fixed lanes.
    ///
    /// # Errors
    /// When the values are no whole rows.
    pub fn add_squared_lengths(&mut self, values: &[f32]) -> Result<()> {
        if !values.len().is_multiple_of(self.layout.d) {
            let message = format!("{} values are no rows of {} columns", values.len(), self.layout.d);
            return Err(Error::parameter("rows", message));
        }
        self.isa.run(AddSquaredLengths { partials: self, values });
        Ok(())
    }

    /// What a cluster adds to the inertia around `centroid`, beyond the squared lengths of its rows: `m·|c|² − 2·c·S` with
    /// its mass `m` and its sum `S`. Since `Σ|x − c|² = Σ|x|² − 2·c·Σx + m·|c|²`, the inertia of all rows follows from the
    /// sums alone.
    ///
    /// It is in units of `2^−(e_I + B)`, of integers: a term is cut off below a unit, and `m·c` below a unit of `S`, as
    /// `inertia_around.wgsl` does it, so that all devices come to the same. For sums of one word, of rows without weights.
    pub fn inertia_around(&self, cluster: usize, centroid: &[f32]) -> i128 {
        let mass = self.mass_units(cluster).unsigned_abs().into();
        let unit = self.fixed.distance_exponent() + self.fixed.bits().cast_signed();
        let terms = centroid.iter().zip(self.fixed.exponents()).enumerate().map(|(column, (&c, &exponent))| {
            let (mantissa, power) = taken_apart(c);
            let mantissa = u128::from(mantissa);
            let product = signed(scaled(mantissa.wrapping_mul(mass), power + exponent), c.is_sign_negative());
            let difference = product.wrapping_sub(2 * self.sum_exact(cluster, column));
            let value = scaled(difference.unsigned_abs().wrapping_mul(mantissa), power - exponent + unit);
            signed(value, c.is_sign_negative() != (difference < 0))
        });
        terms.fold(0, i128::wrapping_add)
    }

    /// Adds to the inertia, in units of its second word, and lets nothing be left where that would make it negative. Sets how
    /// many rows moved.
    pub fn set_totals(&mut self, more: i128, moved: i64) {
        let words = [0, 1].map(|word| i128::from(self.values[self.layout.inertia(word)]));
        let bits = self.fixed.bits();
        let inertia = (words[0] << bits).wrapping_add(words[1]).wrapping_add(more).max(0);
        self.values[self.layout.inertia(0)] = (inertia >> bits) as i64;
        self.values[self.layout.inertia(1)] = (inertia & ((1 << bits) - 1)) as i64;
        self.values[self.layout.moved()] = moved;
    }

    /// Adds the sums of other rows.
    ///
    /// # Errors
    /// When they have another layout or other units.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.layout != other.layout || self.fixed != other.fixed {
            return Err(Error::parameter("partial sums", "they were made for different clusters, columns or units"));
        }
        for (sum, more) in self.values.iter_mut().zip(&other.values) {
            *sum = sum.wrapping_add(*more);
        }
        Ok(())
    }

    /// The sum of a cluster's column in units of `2^−(e_j + (words − 1)·B)`; 0 outside of the table.
    pub fn sum_exact(&self, cluster: usize, column: usize) -> i128 {
        if cluster >= self.layout.k || column >= self.layout.d {
            return 0;
        }
        let word = |word| i128::from(self.values[self.layout.sum(word, cluster, column)]);
        if self.layout.words == 1 { word(0) } else { (word(0) << self.fixed.bits()) + word(1) }
    }

    /// The sum of a cluster's column; 0 outside of the table.
    pub fn sum(&self, cluster: usize, column: usize) -> f64 {
        let further = if self.layout.words == 1 { 0 } else { self.fixed.bits().cast_signed() };
        let exponent = self.fixed.exponents().get(column).copied().unwrap_or(0);
        self.sum_exact(cluster, column) as f64 * power_of_two(-exponent) * power_of_two(-further)
    }

    /// The mean of a cluster's column: the f32 nearest to the exact quotient of sum and mass, ties to even. None where
    /// the cluster has no mass or is not there.
    pub fn mean(&self, cluster: usize, column: usize) -> Option<f32> {
        if column >= self.layout.d {
            return None;
        }
        let mass = u64::try_from(self.mass_units(cluster)).ok().filter(|&mass| mass > 0)?;
        let further = if self.layout.words == 1 { 0 } else { self.fixed.bits().cast_signed() };
        let exponent = self.fixed.mass_exponent() - self.fixed.exponents()[column] - further;
        Some(nearest_quotient(self.sum_exact(cluster, column), mass, exponent))
    }

    /// The direction of a cluster's sum, of length 1. None where the sum is zero or the cluster is not there.
    pub fn direction(&self, cluster: usize) -> Option<Vec<f32>> {
        let sums: Vec<f64> = (0..self.layout.d).map(|column| self.sum(cluster, column)).collect();
        let norm = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        (norm > 0.0).then(|| sums.into_iter().map(|sum| (sum / norm) as f32).collect())
    }

    /// Takes a row out of the sums of one cluster and adds it to those of another.
    ///
    /// # Errors
    /// When the row has another width, a cluster is not there, or a weight is given or missing against the plan.
    pub fn move_row(&mut self, values: &[f32], weight: Option<f32>, from: u32, to: u32) -> Result<()> {
        let weights = weight.map(|weight| [weight]);
        let weights = weights.as_ref().map(<[f32; 1]>::as_slice);
        let mut alone = Self::new(&self.fixed, 1)?;
        alone.add_rows(&Rows { values, weights, labels: &[0], previous: &[0], distances: &[0.0] })?;
        let (from, to) = (from as usize, to as usize);
        if from.max(to) >= self.layout.k {
            return Err(Error::parameter(
                "labels",
                format!("{from} or {to}, but there are {} clusters", self.layout.k),
            ));
        }
        for word in 0..self.layout.words {
            for column in 0..self.layout.d {
                let units = alone.values[alone.layout.sum(word, 0, column)];
                let (less, more) = (self.layout.sum(word, from, column), self.layout.sum(word, to, column));
                self.values[less] = self.values[less].wrapping_sub(units);
                self.values[more] = self.values[more].wrapping_add(units);
            }
        }
        let mass = alone.values[alone.layout.mass(0)];
        let (less, more) = (self.layout.mass(from), self.layout.mass(to));
        self.values[less] = self.values[less].wrapping_sub(mass);
        self.values[more] = self.values[more].wrapping_add(mass);
        Ok(())
    }

    /// A cluster's mass in its units: its rows, or their weights in fixed point; 0 where there is no such cluster.
    pub fn mass_units(&self, cluster: usize) -> i64 {
        if cluster < self.layout.k { self.values[self.layout.mass(cluster)] } else { 0 }
    }

    /// A cluster's mass: how many rows it has, or the sum of their weights.
    pub fn mass(&self, cluster: usize) -> f64 {
        self.mass_units(cluster) as f64 * power_of_two(-self.fixed.mass_exponent())
    }

    /// The sum of all (weighted) distances.
    pub fn inertia(&self) -> f64 {
        self.fixed.inertia([0, 1].map(|word| self.values[self.layout.inertia(word)]))
    }

    /// How many rows changed their label.
    pub fn moved(&self) -> i64 {
        self.values[self.layout.moved()]
    }

    /// What the loops work on: the units, where what lies, and the sums.
    pub(super) fn parts(&mut self) -> (&FixedPoint, PartialsLayout, &mut [i64]) {
        (&self.fixed, self.layout, &mut self.values)
    }

    fn check(&self, rows: &Rows) -> Result<()> {
        let (n, d) = (rows.labels.len(), self.layout.d);
        let weights = rows.weights.map_or(n, <[_]>::len);
        let distances = if rows.distances.is_empty() { n } else { rows.distances.len() };
        if n.checked_mul(d) != Some(rows.values.len()) || [rows.previous.len(), distances, weights] != [n; 3] {
            let message = format!(
                "{n} labels, but {} values of {d} columns, {} earlier labels, {} distances, {weights} weights",
                rows.values.len(),
                rows.previous.len(),
                rows.distances.len()
            );
            return Err(Error::parameter("rows", message));
        }
        if rows.weights.is_some() != self.fixed.is_weighted() {
            let message = "weights must be given if, and only if, the fixed-point units were planned for them";
            return Err(Error::parameter("weights", message));
        }
        // No early end: then the compiler looks at a vector of them at once.
        let k = self.layout.k;
        if rows.labels.iter().fold(false, |is_wrong, &label| is_wrong | (label as usize >= k)) {
            let message = format!("a label is no cluster: there are {k}");
            return Err(Error::parameter("labels", message));
        }
        Ok(())
    }
}

/// value·2^shift: what falls below the point is cut off, what leaves 128 bits is lost.
fn scaled(value: u128, shift: i32) -> u128 {
    match shift.unsigned_abs() {
        128.. => 0,
        by if shift >= 0 => value << by,
        by => value >> by,
    }
}

fn signed(magnitude: u128, negative: bool) -> i128 {
    if negative { magnitude.cast_signed().wrapping_neg() } else { magnitude.cast_signed() }
}
