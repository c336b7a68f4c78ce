//! `superstep predict`: the cluster of each row under a saved model, block by block, on the CPU.

use super::args::PredictArgs;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::kmeans::open_session;
use super::outputs::Outputs;
use super::progress::Reporter;
use super::window::Window;
use super::{Ended, print};
use crate::report::number::{counted, scaled, seconds};
use std::time::Instant;
use superstep::data::{self, RowSource, output};
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{KMeansModel, Result};

/// Values of a block: enough rows to keep every thread busy, few enough to show progress and heed Ctrl-C.
const BLOCK_VALUES: u64 = 1 << 24;

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &PredictArgs) -> Result<Ended, Failure> {
    let begun = Instant::now();
    outputs(args).check(args.input.files.iter().chain([&args.model]))?;
    let reporter = Reporter::new(args.verbosity.quiet);
    let interrupt = Interrupt::catch(args.verbosity.quiet, "labels of some rows alone are not written")?;
    let cpu = DeviceChoice::These(vec![OneDevice::Cpu]);
    let session = open_session(&cpu, &args.resources, &interrupt)?;
    let model = KMeansModel::load(&args.model)?;
    reporter.show("load", None, args.input.names());
    let source = session.install(|| data::open(&args.input.files, &args.input.options(args.resources.memory)))?;
    source.notes().iter().for_each(|note| reporter.warn(note));
    let predicted = session.install(|| predict(&model, &*source, args.distances.is_some(), &reporter, &interrupt))?;
    reporter.finish();
    let Some((labels, distances)) = predicted else { return Ok(Ended::Interrupted) };
    output::write_labels(&args.labels, &labels)?;
    if let Some(path) = &args.distances {
        output::write_vector(path, &distances)?;
    }
    let time = begun.elapsed().as_secs_f64();
    let rows = counted(source.rows(), "row");
    let clusters = counted(model.k() as u64, "cluster");
    print(&format!("{}: {rows} labelled with {clusters} in {}\n", args.labels.display(), seconds(time)))?;
    Ok(Ended::Done)
}

fn outputs(args: &PredictArgs) -> Outputs<'_> {
    let distances = args.distances.as_deref().map(|path| ("--distances", path));
    Outputs { tables: [("--labels", args.labels.as_path())].into_iter().chain(distances).collect(), model: None }
}

/// The label of each row and, where they are asked for, its distance to that centroid; `None` when interrupted.
fn predict(
    model: &KMeansModel,
    source: &dyn RowSource,
    with_distances: bool,
    reporter: &Reporter,
    interrupt: &Interrupt,
) -> Result<Option<(Vec<u32>, Vec<f64>)>> {
    let rows = source.rows();
    let block = (BLOCK_VALUES / (source.columns() as u64).max(1)).max(1);
    let (mut labels, mut distances) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    let mut first = 0;
    while first < rows {
        if interrupt.is_set() {
            return Ok(None);
        }
        let window = Window::new(source, first..first.saturating_add(block));
        let found = model.predict(&window)?;
        if with_distances {
            distances.extend(model.distances(&window, &found)?);
        }
        labels.extend(found);
        first += window.rows();
        let speed = scaled(first as f64 / begun.elapsed().as_secs_f64(), "rows/s");
        reporter.show("label", Some((first, rows)), speed);
    }
    Ok(Some((labels, distances)))
}
