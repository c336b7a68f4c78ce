//! Linear models, fitted by gradient methods written as a queue of items.
//!
//! `logistic` and `regression` are the builders and what comes out, `settings` and `model` what both have, `file` models as files.
//! `fit` is the queue: a superstep is one trial of the optimiser. `gradient` is its item of the devices (outputs of the rows, the
//! derivatives and values of the loss, the products of columns and derivatives), whose sums are all-reduced; `optimise` that of the
//! host (L-BFGS, OWL-QN, gradient descent), `memory` what it remembers. `problem` says what a point, its value and its gradient
//! are, `targets` what the kernels see of targets and weights. Stochastic gradient descent has a queue of its own, `descend`, with the same
//! item of the devices, batches of shuffled rows (`batches`) and another item of the host (`sgd`).

mod batches;
mod descend;
mod file;
mod fit;
mod gradient;
mod logistic;
mod memory;
mod model;
mod optimise;
mod problem;
mod regression;
mod settings;
mod sgd;
mod targets;

pub use logistic::{LogisticRegression, LogisticRegressionModel};
pub use optimise::Round;
pub use regression::{LinearRegression, LinearRegressionModel};
pub use settings::{LearningRate, Solver};

use crate::data::RowSource;
use crate::{Error, Result};

/// The targets of as many rows, one at least.
fn target_values(targets: &(impl RowSource + ?Sized), rows: usize) -> Result<Vec<f64>> {
    if targets.columns() != 1 || targets.rows() != rows as u64 || rows == 0 {
        let (found, columns) = (targets.rows(), targets.columns());
        let message = format!("they are {found} × {columns}: give one for each of the {rows} rows, 1 or more");
        return Err(Error::parameter("targets", message));
    }
    let mut values = vec![0.0; rows];
    targets.read_f64(0, &mut values)?;
    Ok(values)
}
