//! `superstep predict`: the cluster, class or number of each row under a saved model, block by block, on the CPU.

use super::args::PredictArgs;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::job::open_session;
use super::outputs::Outputs;
use super::progress::Reporter;
use super::window::Window;
use super::{Ended, print};
use crate::report::number::{counted, scaled, seconds};
use std::path::Path;
use std::time::Instant;
use superstep::algorithms::ModelKind;
use superstep::data::output::{Block, Element, TableSpec, TableWriter};
use superstep::data::{self, RowSource};
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{
    BisectingKMeansModel, Error, GaussianMixtureModel, KMeansModel, LinearRegressionModel, LogisticRegressionModel,
    Result,
};

/// Values of a block: enough rows to keep every thread busy, few enough to show progress and heed Ctrl-C.
const BLOCK_VALUES: u64 = 1 << 22;

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &PredictArgs) -> Result<Ended, Failure> {
    let begun = Instant::now();
    outputs(args).check(args.input.files.iter().chain([&args.model]))?;
    let reporter = Reporter::new(args.verbosity.quiet);
    let interrupt = Interrupt::catch(args.verbosity.quiet, "labels of some rows alone are not written")?;
    let cpu = DeviceChoice::These(vec![OneDevice::Cpu]);
    let session = open_session(&cpu, &args.resources, &interrupt)?;
    let model = Model::load(&args.model)?;
    if args.distances.is_some() && !model.has_distances() {
        return Err(Failure::Usage(no_distances()));
    }
    reporter.show("load", None, args.input.names());
    let source = session.install(|| data::open(&args.input.files, &args.input.options(session.memory().limit())))?;
    source.notes().iter().for_each(|note| reporter.warn(note));
    let results = Results::create(args, &model, source.rows())?;
    let done = session.install(|| predict(&model, &*source, results, &reporter, &interrupt))?;
    reporter.finish();
    if !done {
        return Ok(Ended::Interrupted);
    }
    let time = begun.elapsed().as_secs_f64();
    let rows = counted(source.rows(), "row");
    let done = model.done();
    print(&format!("{}: {rows} {done} in {}\n", args.labels.display(), seconds(time)))?;
    Ok(Ended::Done)
}

/// A model of any algorithm that says something of rows.
enum Model {
    KMeans(KMeansModel),
    BisectingKMeans(BisectingKMeansModel),
    GaussianMixture(GaussianMixtureModel),
    Logistic(LogisticRegressionModel),
    Linear(LinearRegressionModel),
}

/// What a model says of rows.
enum Said {
    /// Their clusters.
    Labels(Vec<u32>),
    /// Their classes, or numbers.
    Values(Vec<f64>),
}

impl Model {
    /// Reads a model, of the kind that its file says.
    fn load(path: &Path) -> Result<Self> {
        match ModelKind::of(path)? {
            ModelKind::KMeans => KMeansModel::load(path).map(Self::KMeans),
            ModelKind::BisectingKMeans => BisectingKMeansModel::load(path).map(Self::BisectingKMeans),
            ModelKind::GaussianMixture => GaussianMixtureModel::load(path).map(Self::GaussianMixture),
            ModelKind::Logistic => LogisticRegressionModel::load(path).map(Self::Logistic),
            ModelKind::Linear => LinearRegressionModel::load(path).map(Self::Linear),
            kind => Err(Error::parameter("MODEL", format!("{}: a model of {kind:?} labels no rows", path.display()))),
        }
    }

    fn has_distances(&self) -> bool {
        matches!(self, Self::KMeans(_) | Self::BisectingKMeans(_))
    }

    /// What was done with the rows, in words.
    fn done(&self) -> String {
        match self {
            Self::KMeans(model) => format!("labelled with {}", counted(model.k() as u64, "cluster")),
            Self::BisectingKMeans(model) => format!("labelled with {}", counted(model.k() as u64, "cluster")),
            Self::GaussianMixture(model) => {
                format!("labelled with {}", counted(model.components() as u64, "component"))
            }
            Self::Logistic(model) => format!("put into {} classes", model.classes().len()),
            Self::Linear(_) => "predicted".to_owned(),
        }
    }

    /// How many rows' results are kept, and as what.
    fn spec(&self, rows: u64) -> TableSpec {
        match self {
            Self::KMeans(_) | Self::BisectingKMeans(_) | Self::GaussianMixture(_) => TableSpec::labels(rows),
            Self::Logistic(_) => TableSpec::vector(rows, Element::F64, "class"),
            Self::Linear(_) => TableSpec::vector(rows, Element::F64, "prediction"),
        }
    }

    fn of(&self, rows: &dyn RowSource) -> Result<Said> {
        match self {
            Self::KMeans(model) => model.predict(rows).map(Said::Labels),
            Self::BisectingKMeans(model) => model.predict(rows).map(Said::Labels),
            Self::GaussianMixture(model) => model.predict(rows).map(Said::Labels),
            Self::Logistic(model) => model.predict(rows).map(Said::Values),
            Self::Linear(model) => model.predict(rows).map(Said::Values),
        }
    }

    fn distances(&self, rows: &dyn RowSource, said: &Said) -> Result<Vec<f64>> {
        match (self, said) {
            (Self::KMeans(model), Said::Labels(labels)) => model.distances(rows, labels),
            (Self::BisectingKMeans(model), Said::Labels(labels)) => model.distances(rows, labels),
            _ => Err(no_distances()),
        }
    }
}

fn no_distances() -> Error {
    Error::parameter("--distances", "a model of this kind has no distances: ask for labels alone")
}

fn outputs(args: &PredictArgs) -> Outputs<'_> {
    let distances = args.distances.as_deref().map(|path| ("--distances", path));
    let tables = [("--labels", args.labels.as_path())].into_iter().chain(distances).collect();
    Outputs { tables, ..Outputs::default() }
}

/// The files that take the rows' results as they come; gone, if they are not finished.
struct Results {
    labels: TableWriter,
    distances: Option<TableWriter>,
}

impl Results {
    fn create(args: &PredictArgs, model: &Model, rows: u64) -> Result<Self> {
        let spec = TableSpec::vector(rows, Element::F64, "distance");
        let distances = args.distances.as_ref().map(|path| TableWriter::create(path, spec));
        Ok(Self { labels: TableWriter::create(&args.labels, model.spec(rows))?, distances: distances.transpose()? })
    }

    fn finish(self) -> Result<()> {
        self.labels.finish()?;
        self.distances.map_or(Ok(()), TableWriter::finish)
    }
}

/// Writes what the model says of each row and, where they are asked for, its distance to that centroid; false when interrupted, and
/// then nothing is written.
fn predict(
    model: &Model,
    source: &dyn RowSource,
    mut results: Results,
    reporter: &Reporter,
    interrupt: &Interrupt,
) -> Result<bool> {
    let rows = source.rows();
    let block = (BLOCK_VALUES / (source.columns() as u64).max(1)).max(1);
    let begun = Instant::now();
    let mut first = 0;
    while first < rows {
        if interrupt.is_set() {
            return Ok(false);
        }
        let window = Window::new(source, first..first.saturating_add(block));
        let next = first + window.rows();
        source.will_need(next..next.saturating_add(block).min(rows));
        let said = model.of(&window)?;
        if let Some(file) = &mut results.distances {
            file.push(Block::F64(&model.distances(&window, &said)?))?;
        }
        match &said {
            Said::Labels(labels) => results.labels.push_labels(labels)?,
            Said::Values(values) => results.labels.push(Block::F64(values))?,
        }
        first = next;
        let speed = scaled(first as f64 / begun.elapsed().as_secs_f64(), "rows/s");
        reporter.show("label", Some((first, rows)), speed);
    }
    results.finish()?;
    Ok(true)
}
