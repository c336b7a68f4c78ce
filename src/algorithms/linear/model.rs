//! What all fitted linear models have.

use super::optimise::Round;
use crate::Result;
use crate::algorithms::kmeans::Timings;
use crate::algorithms::project::project;
use crate::data::RowSource;
use crate::queue::{ItemTime, Streamed};
use ndarray::Array2;

/// Coefficients in the data's own space, and how they were found.
#[derive(Debug, Clone)]
pub(super) struct Fitted {
    /// m × d.
    pub(super) coefficients: Array2<f64>,
    pub(super) intercepts: Vec<f64>,
    pub(super) rows: u64,
    pub(super) iterations: u32,
    pub(super) evaluations: u32,
    pub(super) converged: bool,
    pub(super) interrupted: bool,
    pub(super) trace: Vec<Round>,
    pub(super) items: Vec<ItemTime>,
    pub(super) timings: Timings,
    pub(super) streamed: Option<Streamed>,
    pub(super) warnings: Vec<String>,
}

impl Fitted {
    /// The outputs of rows: n × m.
    pub(super) fn outputs(&self, rows: &(impl RowSource + ?Sized)) -> Result<Array2<f64>> {
        let mut outputs = project(rows, &[], &self.coefficients)?;
        for mut row in outputs.outer_iter_mut() {
            row.iter_mut().zip(&self.intercepts).for_each(|(z, intercept)| *z += intercept);
        }
        Ok(outputs)
    }
}

/// The methods of a model that tell how it was fitted.
macro_rules! shared_getters {
    () => {
        /// How many columns a row must have.
        pub fn columns(&self) -> usize {
            self.fitted.coefficients.ncols()
        }

        /// How many rows it was fitted to.
        pub fn rows(&self) -> u64 {
            self.fitted.rows
        }

        /// How many steps were taken; of [`Solver::Sgd`](super::Solver::Sgd) how many epochs.
        pub fn iterations(&self) -> u32 {
            self.fitted.iterations
        }

        /// How many passes over the rows they took.
        pub fn evaluations(&self) -> u32 {
            self.fitted.evaluations
        }

        /// Whether it ended because the gradient was small (of [`Solver::Sgd`](super::Solver::Sgd): the loss fell no more), rather than at the maximum of steps or where f32 tells no more.
        pub fn converged(&self) -> bool {
            self.fitted.converged
        }

        /// Whether it was interrupted after some round.
        pub fn interrupted(&self) -> bool {
            self.fitted.interrupted
        }

        /// What each step came to, the start first; empty for a model that was loaded.
        pub fn trace(&self) -> &[Round] {
            &self.fitted.trace
        }

        /// How long the items of all rounds took together, kernels by their device's own clock, where `profile` asked for it.
        pub fn items(&self) -> &[ItemTime] {
            &self.fitted.items
        }

        /// How long it took to bring the rows to the devices (`pin`), to choose how to begin (`init`), and all rounds
        /// (`iterate`); zero for a model that was loaded.
        pub fn timings(&self) -> Timings {
            self.fitted.timings
        }

        /// What of the rows was streamed in every round; `None` where the memory held all of them.
        pub fn streamed(&self) -> Option<Streamed> {
            self.fitted.streamed
        }

        /// What a user should know of the fit.
        pub fn warnings(&self) -> &[String] {
            &self.fitted.warnings
        }
    };
}

pub(super) use shared_getters;
