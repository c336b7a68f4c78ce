//! The nearest centroid of each row: the front of the assignment kernels.

use ndarray::ArrayView2;

use super::Isa;
use super::assign_small::{Absolutes, Squares};
use super::assign_tiled::Dot;
use super::column_lanes::{self, ColumnLanes, FewCentroids};
use super::panels::{self, Packing, Panels};
use super::row_lanes::{DotLanes, Doubled, FEW_COLUMNS, RowLanes, SOME_COLUMNS};
use super::screen::LaneState;
use super::simd::{Kernel, Simd};
use super::square_norms::square_norms;
use crate::{Error, Place, Result};

/// What is measured between a row and a centroid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distance {
    /// `Σ (x_i − c_i)²`: squared, no root is taken.
    SquaredEuclidean,
    /// `Σ |x_i − c_i|`.
    CityBlock,
}

/// Centroids packed for the search of the nearest; built once per superstep, shared by all threads.
///
/// Labels are *canonical*: the lowest index `j` that minimises the f64 distance of [`Distance`], summed in the order of
/// the columns. They depend neither on the instruction set nor on how rows are cut into blocks: an f32 pass screens the
/// centroids, and whatever it cannot tell apart by a proven bound is measured in f64.
///
/// ```
/// use ndarray::array;
/// use superstep::backend::cpu::{Distance, Isa, Nearest, Scratch};
///
/// let centroids = array![[0.0f32, 0.0], [1.0, 1.0]];
/// let nearest = Nearest::new(centroids.view(), Distance::SquaredEuclidean, Isa::detect())?;
/// let (mut scratch, mut labels) = (Scratch::default(), [0; 2]);
/// nearest.assign(&[0.9, 0.8, 0.1, 0.3], &mut scratch, &mut labels)?;
/// assert_eq!(labels, [1, 0]);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug)]
pub struct Nearest {
    panels: Panels,
    form: AnyForm,
    /// The centroids once more, where another way than panels is faster.
    ready: Ready,
}

/// Centroids made ready for what is faster than panels.
#[derive(Debug)]
enum Ready {
    /// Nothing is, or it takes them as they are.
    AsTheyAre,
    /// For rows of some columns, and the form of sums that begin with the bias.
    Doubled(Dot, Doubled),
    /// For a few centroids of long rows.
    Few(FewCentroids),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum AnyForm {
    Dot(Dot),
    Squares(Squares),
    Absolutes(Absolutes),
}

/// What one thread needs while it labels; any number of blocks, of any [`Nearest`], may use it in turn.
#[derive(Debug, Default)]
pub struct Scratch {
    lanes: LaneState,
    rescued: u64,
}

impl Scratch {
    /// How many rows were decided in f64, since the start.
    pub fn rescued(&self) -> u64 {
        self.rescued
    }
}

impl Nearest {
    /// Packs the centroids, `k × d`; an instruction set that the machine lacks is replaced by [`Isa::Portable`].
    ///
    /// # Errors
    /// When there are no centroids, 2³² − 1 or more, none of their columns, or a value that is not finite.
    #[expect(clippy::needless_pass_by_value, reason = "views are handed over by value, as ndarray does")]
    pub fn new(centroids: ArrayView2<f32>, distance: Distance, isa: Isa) -> Result<Self> {
        let d = centroids.ncols();
        let is_dot = distance == Distance::SquaredEuclidean && d > FEW_COLUMNS;
        let in_lanes = if is_dot {
            let isa = if isa.is_available() { isa } else { Isa::Portable };
            d <= SOME_COLUMNS || column_lanes::serves(centroids.nrows(), d, panels::lanes(isa))
        } else {
            d <= FEW_COLUMNS
        };
        let packing = if in_lanes { Packing::Alone } else { Packing::InOrder };
        Self::packed(centroids, distance, isa, packing)
    }

    #[expect(clippy::needless_pass_by_value, reason = "views are handed over by value, as ndarray does")]
    pub(super) fn packed(centroids: ArrayView2<f32>, distance: Distance, isa: Isa, packing: Packing) -> Result<Self> {
        let (k, d) = centroids.dim();
        if k == 0 || d == 0 || k >= u32::MAX as usize {
            let message = format!("{k} × {d}; at least 1 × 1 and fewer than 2³² − 1 rows are accepted");
            return Err(Error::parameter("centroids", message));
        }
        let isa = if isa.is_available() { isa } else { Isa::Portable };
        let centroids: Vec<f32> = centroids.iter().copied().collect();
        if let Some(at) = centroids.iter().position(|c| !c.is_finite()) {
            let place = Place::of("centroids").row((at / d) as u64).column((at % d) as u64);
            return Err(Error::data(place, format!("{} is not a finite number", centroids[at])));
        }
        let form = match distance {
            Distance::SquaredEuclidean if d > FEW_COLUMNS => AnyForm::Dot(Dot::new(&centroids, d)),
            Distance::SquaredEuclidean => AnyForm::Squares(Squares::new(d)),
            Distance::CityBlock => AnyForm::Absolutes(Absolutes::new(d)),
        };
        let biases = match form {
            AnyForm::Dot(_) => square_norms(&centroids, d),
            AnyForm::Squares(_) | AnyForm::Absolutes(_) => vec![0.0; k],
        };
        let ready = match (&form, packing) {
            (AnyForm::Dot(_), Packing::Alone) if d <= SOME_COLUMNS => {
                Ready::Doubled(Dot::from_bias(&centroids, d), Doubled::new(&centroids, &biases))
            }
            (AnyForm::Dot(_), Packing::Alone) => Ready::Few(FewCentroids::new(&centroids, k, panels::lanes(isa))),
            _ => Ready::AsTheyAre,
        };
        let panels = Panels::new(isa, centroids, d, biases, packing);
        Ok(Self { panels, form, ready })
    }

    /// Labels a block of rows, `labels.len() × d` row-major.
    ///
    /// # Errors
    /// When `rows` has another length.
    pub fn assign(&self, rows: &[f32], scratch: &mut Scratch, labels: &mut [u32]) -> Result<()> {
        self.check(rows, labels)?;
        scratch.rescued += self.assign_checked(rows, &mut scratch.lanes, labels);
        Ok(())
    }

    /// Labels rows whose number is right; how many were decided in f64.
    pub(super) fn assign_checked(&self, rows: &[f32], lanes: &mut LaneState, labels: &mut [u32]) -> u64 {
        let (isa, centroids, d) = (self.isa(), self.centroids(), self.columns());
        let candidates = &mut lanes.candidates;
        match (self.form, &self.ready) {
            (_, &Ready::Doubled(form, ref doubled)) => {
                isa.run(DotLanes { form, doubled, centroids, d, rows, labels, candidates })
            }
            (AnyForm::Dot(form), Ready::Few(few)) => {
                let biases = self.panels.biases();
                isa.run(ColumnLanes { form, few, centroids, biases, d, rows, labels, candidates })
            }
            (AnyForm::Dot(form), _) => self.panels.assign(form, rows, lanes, labels),
            (AnyForm::Squares(form), _) => isa.run(RowLanes { form, centroids, d, rows, labels, candidates }),
            (AnyForm::Absolutes(form), _) if d <= FEW_COLUMNS => {
                isa.run(RowLanes { form, centroids, d, rows, labels, candidates })
            }
            (AnyForm::Absolutes(form), _) => self.panels.assign(form, rows, lanes, labels),
        }
    }

    /// The distance of each row to the centroid of its label: `rows` is `n × d`, `labels` and `out` have `n` values.
    ///
    /// Each distance is summed in f64 in eight fixed lanes (column `i` in lane `i mod 8`), these in a fixed tree, and
    /// rounded to f32 once: the bits are equal on every instruction set.
    ///
    /// # Errors
    /// When the lengths disagree or a label is no cluster.
    pub fn distances(&self, rows: &[f32], labels: &[u32], out: &mut [f32]) -> Result<()> {
        self.check(rows, labels)?;
        let d = self.panels.columns();
        let k = self.panels.count();
        if out.len() != labels.len() {
            let message = format!("room for {} distances, but {} rows", out.len(), labels.len());
            return Err(Error::parameter("out", message));
        }
        if let Some(label) = labels.iter().find(|&&label| label as usize >= k) {
            return Err(Error::parameter("labels", format!("label {label}, but there are {k} clusters")));
        }
        let pairs = Pairs { rows, labels, centroids: self.panels.centroids(), d, out };
        match self.form {
            AnyForm::Absolutes(_) => self.panels.isa().run(Measure { pairs, term: f64::abs }),
            _ => self.panels.isa().run(Measure { pairs, term: |difference: f64| difference * difference }),
        }
        Ok(())
    }

    /// How many centroids there are.
    pub(super) fn count(&self) -> usize {
        self.panels.count()
    }

    /// How many columns they have.
    pub(super) fn columns(&self) -> usize {
        self.panels.columns()
    }

    /// The centroids, `k × d` row-major.
    pub(super) fn centroids(&self) -> &[f32] {
        self.panels.centroids()
    }

    pub(super) fn centroid(&self, cluster: u32) -> &[f32] {
        self.panels.centroid(cluster)
    }

    pub(super) fn panels(&self) -> &Panels {
        &self.panels
    }

    pub(super) fn form(&self) -> &AnyForm {
        &self.form
    }

    pub(super) fn isa(&self) -> Isa {
        self.panels.isa()
    }

    /// What is measured.
    pub(super) fn distance(&self) -> Distance {
        match self.form {
            AnyForm::Absolutes(_) => Distance::CityBlock,
            AnyForm::Dot(_) | AnyForm::Squares(_) => Distance::SquaredEuclidean,
        }
    }

    pub(super) fn check(&self, rows: &[f32], labels: &[u32]) -> Result<()> {
        let d = self.panels.columns();
        if labels.len().checked_mul(d) == Some(rows.len()) {
            return Ok(());
        }
        Err(Error::parameter("rows", format!("{} values are not {} rows of {d} columns", rows.len(), labels.len())))
    }
}

/// Rows, the clusters they are measured against, and room for the distances.
struct Pairs<'a> {
    rows: &'a [f32],
    labels: &'a [u32],
    centroids: &'a [f32],
    d: usize,
    out: &'a mut [f32],
}

/// Lanes of a distance's sum, whatever the vectors of the machine.
const SUM_LANES: usize = 8;

struct Measure<'a, T> {
    pairs: Pairs<'a>,
    term: T,
}

impl<T: Fn(f64) -> f64> Kernel for Measure<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Pairs { rows, labels, centroids, d, out } = self.pairs;
        for ((row, &label), out) in rows.chunks_exact(d).zip(labels).zip(out) {
            *out = fixed_sum(row, &centroids[label as usize * d..][..d], &self.term) as f32;
        }
    }
}

/// Plain code without FMA, which the compiler vectorises without changing a bit.
#[inline(always)]
fn fixed_sum(row: &[f32], centroid: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let (xs, cs) = (row.as_chunks::<SUM_LANES>(), centroid.as_chunks::<SUM_LANES>());
    let mut sums = [0.0; SUM_LANES];
    for (x, c) in xs.0.iter().zip(cs.0) {
        for lane in 0..SUM_LANES {
            sums[lane] += term(f64::from(x[lane]) - f64::from(c[lane]));
        }
    }
    for (sum, (&x, &c)) in sums.iter_mut().zip(xs.1.iter().zip(cs.1)) {
        *sum += term(f64::from(x) - f64::from(c));
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
