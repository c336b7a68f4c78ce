//! Fitting: the queue of subspace iteration, written as the loop of the paper.

use super::model::PcaModel;
use super::params::Pca;
use super::ritz::{RayleighRitz, SOLUTION, Solution};
use crate::algorithms::centred::Centred;
use crate::algorithms::dense::{DMatrix, array, orthonormal};
use crate::algorithms::measured::measured;
use crate::algorithms::products::{
    BIAS, COLUMN_EXPONENTS, MATRIX, MultiplyBack, POINTS, Products, SUMS, VALUE_EXPONENTS,
};
use crate::algorithms::working::{opened, reserve};
use crate::backend::cpu::{PRODUCT_BLOCK, ProductUnits};
use crate::data::{Dataset, Origin, Philox, RowSource};
use crate::queue::{AllReduce, IterativeComQueue, Session, Stop};
use crate::{Error, Result};
use ndarray::{Array2, s};

/// The stream of draws that the start is made of.
const START: u32 = 0x5043_4100;

impl Pca {
    /// Fits the rows of an n × d table: an `ndarray` array or view of f32 or f64 in any layout, or any other source of rows.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, a value is not a finite number (with its row and column), there are fewer rows or
    /// columns than components, or a device fails.
    pub fn fit(&self, rows: &(impl RowSource + ?Sized)) -> Result<PcaModel> {
        let session = opened(self.session.as_ref())?;
        let dataset = session.install(|| measured(rows, Some(&session), Origin::Zero))?;
        self.fit_measured(&session, &dataset)
    }

    /// Fits a data set that was measured beforehand. Where its origin lies does not matter: rows are centred on their means.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); when its rows have weights.
    pub fn fit_dataset(&self, dataset: &Dataset) -> Result<PcaModel> {
        self.fit_measured(&opened(self.session.as_ref())?, dataset)
    }

    /// Measures and checks a table. Where the session has several ranks, each reads its share of the rows, and all call this
    /// together.
    ///
    /// # Errors
    /// When a value is not a finite number or there is none.
    pub fn dataset<'a>(&self, rows: &'a (impl RowSource + ?Sized)) -> Result<Dataset<'a>> {
        measured(rows, self.session.as_ref(), Origin::Zero)
    }

    fn fit_measured(&self, session: &Session, dataset: &Dataset) -> Result<PcaModel> {
        let collective = session.collective();
        collective.agree(self.check(dataset))?;
        collective.same("the settings and the data's shape", &self.fingerprint(dataset))?;
        session.install(|| {
            let held = dataset.source().held();
            let _working = reserve(session, held, "sums", self.working(session, dataset))?;
            self.iterate(session, dataset)
        })
    }

    /// The bytes of the sums of each thread, and of what the host makes of them.
    fn working(&self, session: &Session, dataset: &Dataset) -> u64 {
        let block = (dataset.columns() as u64).saturating_mul(self.width(dataset) as u64);
        (session.threads() as u64 + 8).saturating_mul(block.saturating_mul(size_of::<f64>() as u64))
    }

    /// Supersteps until the residual is small. Each multiplies the block by the covariance matrix, in one pass over the rows.
    fn iterate(&self, session: &Session, dataset: &Dataset) -> Result<PcaModel> {
        let centred = Centred::together(dataset);
        let (n, width) = (dataset.rows(), self.width(dataset));
        let units = units(&centred, width)?;
        let factor = centred.scales()[0].powi(2).recip() / (n - 1) as f64;
        let run = IterativeComQueue::new(session)
            .in_whole_blocks(PRODUCT_BLOCK as u64)
            .goes_on_from((MATRIX, SOLUTION))
            .init_with_partitioned_data(POINTS, &centred)
            .init_with_broadcast_data(MATRIX, self.start(dataset.columns(), width))
            .init_with_broadcast_data(BIAS, vec![0.0; width])
            .init_with_broadcast_data(COLUMN_EXPONENTS, units.columns().to_vec())
            .init_with_broadcast_data(VALUE_EXPONENTS, units.outputs().to_vec())
            .add(MultiplyBack(Products::new(n, units.clone())?))
            .add(AllReduce::sum(SUMS))
            .add(RayleighRitz { units, wanted: self.components, factor })
            .set_compare_criterion(|cx| {
                let solution = cx.get(SOLUTION)?;
                if let (Some(tell), Some(round)) = (&self.progress, solution.rounds.last()) {
                    tell(*round);
                }
                Ok(self.tol > 0.0 && solution.residual() <= self.tol)
            })
            .set_max_iter(self.max_iter)
            .close_with(|cx| if cx.is_first_here() { cx.take(SOLUTION).map(Some) } else { Ok(None) })
            .run()?;
        let nothing = || Error::wiring("Pca", SOLUTION.name(), "no task ran");
        let solution = run.results.into_iter().flatten().next().ok_or_else(nothing)?;
        let (mean, streamed) = (centred.mean().to_vec(), run.streamed);
        let model = self.model(dataset, solution, run.stop);
        let warnings = run.warnings.into_iter().chain(model.warnings).collect();
        Ok(PcaModel { mean, streamed, warnings, ..model })
    }

    /// Random directions at right angles: d × l. Each coordinate is a draw from [−1, 1) of its own.
    fn start(&self, columns: usize, width: usize) -> Array2<f32> {
        let philox = Philox::new(self.seed);
        let draw = |row: usize, column: usize| 2.0 * philox.uniform(START, row as u64, column as u32) - 1.0;
        array(&orthonormal(DMatrix::from_fn(columns, width, draw))).mapv(|value| value as f32)
    }

    fn model(&self, dataset: &Dataset, solution: Solution, stop: Stop) -> PcaModel {
        let (n, m) = (dataset.rows(), self.components);
        let statistics = dataset.statistics();
        // Statistics have the population's variance.
        let total = statistics.variance.iter().sum::<f64>() * (n as f64 / (n - 1) as f64);
        let variances: Vec<f64> = solution.variances.iter().take(m).map(|variance| variance.max(0.0)).collect();
        let mut components = solution.directions.slice(s![.., ..m]).t().as_standard_layout().into_owned();
        components.outer_iter_mut().for_each(|mut component| {
            let largest = component.iter().fold(0.0_f64, |most, x| if x.abs() > most.abs() { *x } else { most });
            if largest < 0.0 {
                component.mapv_inplace(|value| -value);
            }
        });
        let rest = n.min(dataset.columns() as u64) as usize - m;
        let left = (total - variances.iter().sum::<f64>()).max(0.0);
        let residual = solution.residual();
        let mut warnings = Vec::new();
        if stop == Stop::MaxIter && self.tol > 0.0 {
            warnings.push(format!(
                "the components have not converged in {} rounds: the largest residual is {residual:.1e} of the largest variance, \
                 and {:.1e} was asked for: allow more rounds, or follow more directions (oversample)",
                self.max_iter, self.tol
            ));
        }
        PcaModel {
            components,
            ratio: variances.iter().map(|variance| if total > 0.0 { variance / total } else { 0.0 }).collect(),
            variances,
            mean: Vec::new(),
            noise_variance: if rest > 0 { left / rest as f64 } else { 0.0 },
            whiten: self.whiten,
            rows: n,
            iterations: solution.rounds.len() as u32,
            converged: stop == Stop::Criterion,
            interrupted: stop == Stop::Interrupted,
            seed: self.seed,
            trace: solution.rounds,
            streamed: None,
            warnings,
        }
    }
}

/// Units for the sums of a block of directions of length 1. A column's length is at most √n times its largest value, and
/// that of the rows' products with a direction at most the length of all columns together: by Cauchy and Schwarz no sum is
/// larger than the two multiplied.
fn units(centred: &Centred, width: usize) -> Result<ProductUnits> {
    let root = (centred.rows() as f64).sqrt();
    let columns: Vec<f64> = centred.largest().into_iter().map(|largest| root * largest).collect();
    let all = columns.iter().map(|length| length * length).sum::<f64>().sqrt();
    ProductUnits::plan(&columns, &vec![all; width])
}
