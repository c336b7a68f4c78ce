//! Saving and loading linear models, as safetensors files.
//!
//! | tensor | type | shape | what |
//! | --- | --- | --- | --- |
//! | `coefficients` | F64 | m × d | those of the columns, in the data's own space |
//! | `intercepts` | F64 | m | what is added to each output |
//! | `classes` | F64 | K | the classes, sorted; only of a logistic model, whose m is 1 for K = 2 and else K |
//!
//! The metadata are text: `format` (`superstep-logistic` or `superstep-linear`), `version` (`1`), `iterations`, `evaluations`,
//! `converged`, `rows`. Python reads it with `safetensors.numpy.load_file`.

use super::logistic::LogisticRegressionModel;
use super::model::Fitted;
use super::regression::LinearRegressionModel;
use crate::Result;
use crate::algorithms::kmeans::Timings;
use crate::algorithms::model_file::{Found, ModelKind, ModelReader, ModelWriter, load};
use std::path::Path;

const VERSION: u32 = 1;

impl LogisticRegressionModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let writer = self.fitted.write(ModelKind::Logistic);
        writer.tensor("classes", &[self.classes.len()], &self.classes).save(path.as_ref())
    }

    /// Reads a model from a file; it has no trace.
    ///
    /// # Errors
    /// When the file cannot be read, is no such model, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        load(path.as_ref(), (ModelKind::Logistic, VERSION), "`LogisticRegressionModel::save`", |stored| {
            let classes = stored.values::<f64>("classes")?;
            let sorted = classes.windows(2).all(|pair| pair[0] < pair[1]);
            if classes.len() < 2 || !sorted || !classes.iter().all(|class| class.is_finite()) {
                return Err("its classes are not two or more numbers in order".to_owned());
            }
            let outputs = if classes.len() == 2 { 1 } else { classes.len() };
            Ok(Self { fitted: Fitted::read(stored, outputs)?, classes })
        })
    }
}

impl LinearRegressionModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.fitted.write(ModelKind::Linear).save(path.as_ref())
    }

    /// Reads a model from a file; it has no trace.
    ///
    /// # Errors
    /// When the file cannot be read, is no such model, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        load(path.as_ref(), (ModelKind::Linear, VERSION), "`LinearRegressionModel::save`", |stored| {
            Ok(Self { fitted: Fitted::read(stored, 1)? })
        })
    }
}

impl Fitted {
    fn write(&self, kind: ModelKind) -> ModelWriter<'_> {
        ModelWriter::new(kind, VERSION)
            .matrix("coefficients", &self.coefficients)
            .tensor("intercepts", &[self.intercepts.len()], &self.intercepts)
            .text("iterations", self.iterations)
            .text("evaluations", self.evaluations)
            .text("converged", self.converged)
            .text("rows", self.rows)
    }

    fn read(stored: &ModelReader, outputs: usize) -> Found<Self> {
        let coefficients = stored.matrix::<f64>("coefficients")?;
        let intercepts = stored.values::<f64>("intercepts")?;
        if coefficients.nrows() != outputs || coefficients.ncols() == 0 || intercepts.len() != outputs {
            return Err("the shapes of its tensors do not fit each other".to_owned());
        }
        if !coefficients.iter().chain(&intercepts).all(|value| value.is_finite()) {
            return Err("it holds values that are not finite numbers".to_owned());
        }
        Ok(Self {
            coefficients,
            intercepts,
            rows: stored.parsed("rows")?,
            iterations: stored.parsed("iterations")?,
            evaluations: stored.parsed("evaluations")?,
            converged: stored.parsed("converged")?,
            interrupted: false,
            trace: Vec::new(),
            items: Vec::new(),
            timings: Timings::default(),
            streamed: None,
            warnings: Vec::new(),
        })
    }
}
