//! What is minimised: the mean loss of the rows and a penalty, as a function of a vector.

use super::gradient::Gradient;
use super::memory::dot;
use crate::Result;
use crate::algorithms::centred::{Centred, power_of_two_near};
use crate::algorithms::products::Products;
use crate::backend::cpu::{ProductUnits, RowLoss};
use crate::data::Dataset;
use ndarray::{Array2, ArrayView1};

/// The largest output that a trial may reach: f32 holds it and the sums it goes into.
const MOST_OUTPUT: f64 = 1e30;

/// Rounds of the power method.
const POWERS: u32 = 16;

/// What the rows' targets and weights come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighing {
    /// The sum of the weights.
    pub(super) total: f64,
    pub(super) largest: f64,
    /// The largest magnitude of a target, as the kernels see it.
    pub(super) largest_target: f64,
}

/// The mean loss of the rows, plus `Σ l1·|w| + ½ Σ l2·w²`, in the space of the kernels: columns less their means and scaled.
///
/// A point is d × m coefficients, row-major, and then m intercepts where there are any.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) loss: RowLoss,
    pub(super) outputs: usize,
    pub(super) intercept: bool,
    columns: usize,
    /// The columns' means, scaled; what a row without an intercept has been relieved of.
    mean: Vec<f64>,
    /// The largest magnitude in each column, scaled.
    largest: Vec<f64>,
    weighing: Weighing,
    units: ProductUnits,
    /// What each column's coefficients are penalised by.
    l1: Vec<f64>,
    l2: Vec<f64>,
}

/// The objective at a point but for the part of l1, and its gradient.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
}

impl Problem {
    /// `l1` and `l2` are the penalties of coefficients in the data's own space, in which a column's coefficient is the scaled one
    /// times the column's scale.
    pub(super) fn new(
        dataset: &Dataset,
        centred: &Centred,
        (loss, outputs): (RowLoss, usize),
        intercept: bool,
        (l1, l2): (f64, f64),
        weighing: Weighing,
    ) -> Result<Self> {
        let rows = dataset.rows();
        let (root, scales) = ((rows as f64).sqrt(), centred.scales());
        // Cauchy and Schwarz: no sum is larger than the length of a column times that of the values, which are scaled to be 1 at most.
        let variances = dataset.statistics().variance.iter().zip(scales).zip(centred.largest());
        let length = |((variance, scale), largest): ((&f64, &f64), f64)| {
            if largest > 0.0 { root * (variance.sqrt() * scale).max(largest / root) } else { 0.0 }
        };
        let lengths: Vec<f64> = variances.map(length).chain([root]).collect();
        Ok(Self {
            loss,
            outputs,
            intercept,
            columns: dataset.columns(),
            mean: centred.mean().iter().zip(scales).map(|(mean, scale)| mean * scale).collect(),
            largest: centred.largest(),
            weighing,
            units: ProductUnits::plan(&lengths, &vec![root; outputs + 1])?,
            l1: scales.iter().map(|scale| l1 * scale).collect(),
            l2: scales.iter().map(|scale| l2 * scale * scale).collect(),
        })
    }

    pub(super) fn units(&self) -> &ProductUnits {
        &self.units
    }

    /// The item that computes value and gradient of so many rows at a time.
    pub(super) fn gradient(&self, rows: u64) -> Result<Gradient> {
        let products = Products::new(rows, self.units.clone())?;
        Ok(Gradient { products, loss: self.loss, outputs: self.outputs })
    }

    /// The sum of the weights of all rows.
    pub(super) fn total_weight(&self) -> f64 {
        self.weighing.total
    }

    /// A bound on what the objective of some rows is bent by in any direction: the rows as the kernels have them, n × (d + 1), and
    /// their weights, of which the mean over all rows is 1. The largest eigenvalue comes of the power method, and so a
    /// little too small.
    pub(super) fn curvature(&self, points: &Array2<f32>, weights: &[f64]) -> f64 {
        let row = |row: ArrayView1<f32>| -> Vec<f64> {
            let moved = self.mean.iter().map(|mean| if self.intercept { 0.0 } else { *mean });
            let ones = std::iter::once(if self.intercept { 0.0 } else { -1.0 });
            row.iter().zip(moved.chain(ones)).map(|(x, moved)| f64::from(*x) + moved).collect()
        };
        let rows: Vec<Vec<f64>> = points.outer_iter().map(row).collect();
        let lengths = rows.iter().map(|row| dot(row, row).sqrt());
        let longest = lengths.zip(&rows).max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, mut direction)) = longest.map(|(length, row)| (length, row.clone())) else { return 0.0 };
        let mut eigenvalue = 0.0;
        for _ in 0..POWERS {
            let length = dot(&direction, &direction).sqrt();
            if length == 0.0 {
                break;
            }
            direction.iter_mut().for_each(|x| *x /= length);
            let mut product = vec![0.0; direction.len()];
            for (row, weight) in rows.iter().zip(weights) {
                let along = dot(row, &direction) * weight / rows.len() as f64;
                product.iter_mut().zip(row).for_each(|(sum, x)| *sum += along * x);
            }
            eigenvalue = dot(&product, &product).sqrt();
            direction = product;
        }
        self.loss.curvature() * eigenvalue + self.l2.iter().copied().fold(0.0, f64::max)
    }

    /// How many numbers a point has.
    pub(super) fn size(&self) -> usize {
        (self.columns + usize::from(self.intercept)) * self.outputs
    }

    /// What a number of a point is penalised by, times its magnitude.
    pub(super) fn l1(&self, at: usize) -> f64 {
        self.l1.get(at / self.outputs).copied().unwrap_or(0.0)
    }

    fn l2(&self, at: usize) -> f64 {
        self.l2.get(at / self.outputs).copied().unwrap_or(0.0)
    }

    /// The part of the objective that has no derivative at 0.
    pub(super) fn l1_of(&self, point: &[f64]) -> f64 {
        point.iter().enumerate().map(|(at, x)| self.l1(at) * x.abs()).sum()
    }

    /// What is added to an output of all rows.
    fn offset(&self, point: &[f64], output: usize) -> f64 {
        if self.intercept {
            return point[self.columns * self.outputs + output];
        }
        self.mean.iter().enumerate().map(|(column, mean)| mean * point[column * self.outputs + output]).sum()
    }

    /// A bound on the magnitude of the outputs of any row.
    fn reach(&self, point: &[f64]) -> f64 {
        let of = |output: usize| {
            let columns = self.largest.iter().enumerate();
            let terms = columns.map(|(column, largest)| largest * point[column * self.outputs + output].abs());
            terms.sum::<f64>() + self.offset(point, output).abs()
        };
        (0..self.outputs).map(of).fold(0.0, f64::max)
    }

    /// Whether the kernels can compute at a point.
    pub(super) fn is_in_reach(&self, point: &[f64]) -> bool {
        self.reach(point) <= MOST_OUTPUT
    }

    /// A point as the kernels take it: (d + 1) × (m + 1), of which the last column is 0, where the loss will stand.
    pub(super) fn matrix(&self, point: &[f64]) -> Array2<f32> {
        Array2::from_shape_fn((self.columns + 1, self.outputs + 1), |(column, output)| {
            if output == self.outputs {
                0.0
            } else if column < self.columns {
                point[column * self.outputs + output] as f32
            } else {
                self.offset(point, output) as f32
            }
        })
    }

    /// Powers of two that bring derivatives and losses of all rows to 1 at most at a point.
    pub(super) fn scales(&self, point: &[f64]) -> Vec<f32> {
        let reach = self.reach(point);
        let (derivative, loss) = match self.loss {
            RowLoss::Squared => {
                let off = reach + self.weighing.largest_target;
                (off, 0.5 * off * off)
            }
            RowLoss::Logistic => (1.0, reach + 1.0),
            RowLoss::Softmax => (1.0, 2.0 * reach + (self.outputs as f64).ln() + 1.0),
        };
        let scale = |bound: f64| {
            let bound = (bound * self.weighing.largest).clamp(1e-30, 1e30);
            power_of_two_near(bound, f64::ceil) as f32
        };
        vec![scale(derivative), scale(loss)]
    }

    /// What the sums over rows of so much weight in all say of the point that they were computed at, with these scales.
    pub(super) fn value(&self, point: &[f64], sums: &Array2<i64>, scales: &[f32], weight: f64) -> Result<Value> {
        let sums = self.units.values(sums)?;
        let [derivative, loss] = [0, 1].map(|at| (f64::from(scales.get(at).copied().unwrap_or(1.0)) * weight).recip());
        let (d, m) = (self.columns, self.outputs);
        let gradient = (0..self.size()).map(|at| {
            let (column, output) = (at / m, at % m);
            let moved = if self.intercept { 0.0 } else { self.mean[column] * sums[(d, output)] };
            (sums[(column, output)] + moved) * derivative + self.l2(at) * point[at]
        });
        let penalty: f64 = point.iter().enumerate().map(|(at, x)| 0.5 * self.l2(at) * x * x).sum();
        Ok(Value { loss: sums[(d, m)] * loss + penalty, gradient: gradient.collect() })
    }
}
