//! `superstep bench`: the same k-means on every device, side by side.

use super::args::{BenchArgs, ResourceArgs};
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::job::open_session;
use super::outputs::Outputs;
use super::progress::Reporter;
use super::{Ended, blobs, device, print};
use crate::report::{BenchReport, DeviceRun, ItemShare, Measured, median, seconds_per_iteration};
use std::time::Instant;
use superstep::backend::Ceilings;
use superstep::data::{self, Dataset, ReadOptions, RowSource, output};
use superstep::queue::{DeviceChoice, ItemTime, OneDevice};
use superstep::{Error, Init, KMeans, KMeansModel, Result, Session};

/// Runs the job from its arguments to its table.
pub(super) fn run(args: &BenchArgs) -> Result<Ended, Failure> {
    let reporter = Reporter::new(args.verbosity.quiet);
    if let Some(path) = &args.report {
        let outputs = Outputs { page: Some(path), ..Outputs::default() };
        outputs.check(&args.input)?;
    }
    let interrupt = Interrupt::catch(args.verbosity.quiet, "runs that have ended are told")?;
    let host = open_session(&DeviceChoice::These(vec![OneDevice::Cpu]), &args.resources, &interrupt)?;

    let load = Instant::now();
    let data = described(args);
    reporter.show("load", None, data.clone());
    let rows = host.install(|| rows(args))?;
    if args.k as u64 > rows.rows() {
        let message = format!("{} clusters are more than the {} rows there are", args.k, rows.rows());
        return Err(Error::parameter("k", message).into());
    }
    // The same seed draws the same rows as first centroids on every device.
    let kmeans = KMeans::new(args.k).init(Init::Random).n_init(1).seed(args.seed).max_iter(args.iterations).tol(0.0);
    let dataset = host.install(|| kmeans.dataset(&*rows))?;
    let load = load.elapsed().as_secs_f64();

    let choices = if args.device.is_empty() { device::all() } else { args.device.clone() };
    let mut devices = Vec::new();
    for choice in &choices {
        if interrupt.is_set() {
            break;
        }
        let bench = Bench { kmeans: &kmeans, dataset: &dataset, runs: args.runs, reporter: &reporter };
        devices.push(bench.device(choice, &args.resources, &interrupt));
    }
    reporter.finish();

    let failed = devices.iter().filter(|device| device.outcome.is_err()).count();
    let (n, d, k, iterations, runs) = (dataset.rows(), dataset.columns(), args.k, args.iterations, args.runs);
    let report = BenchReport { data, n, d, k, iterations, runs, load, devices };
    if let Some(path) = &args.report {
        output::write_whole(path, |to| to.write_all(report.page().as_bytes()))?;
    }
    print(&if args.json { format!("{}\n", report.json()) } else { report.table() })?;
    match failed {
        _ if interrupt.is_set() => Ok(Ended::Interrupted),
        0 => Ok(Ended::Done),
        _ => Err(Failure::Partly(format!("{failed} of {} devices failed; see the table", choices.len()))),
    }
}

fn described(args: &BenchArgs) -> String {
    match &args.input {
        Some(path) => path.display().to_string(),
        None => format!("{} Gaussian blobs, seed {}", args.k, args.seed),
    }
}

fn rows(args: &BenchArgs) -> Result<Box<dyn RowSource>> {
    match &args.input {
        Some(path) => data::open(std::slice::from_ref(path), &ReadOptions::default()),
        None => Ok(Box::new(blobs::generate(args.n, args.d, args.k, args.seed)?)),
    }
}

/// The work, without the device it runs on.
struct Bench<'a> {
    kmeans: &'a KMeans,
    dataset: &'a Dataset<'a>,
    runs: usize,
    reporter: &'a Reporter,
}

impl Bench<'_> {
    fn device(&self, choice: &DeviceChoice, resources: &ResourceArgs, interrupt: &Interrupt) -> DeviceRun {
        match open_session(choice, resources, interrupt) {
            Ok(session) => {
                let devices = device::of_session(&session, choice);
                let choice = device::joined(&devices);
                let outcome = self.measure(&session, &choice).map_err(|error| error.to_string());
                DeviceRun { choice, devices, outcome }
            }
            Err(error) => {
                DeviceRun { choice: choice.to_string(), devices: Vec::new(), outcome: Err(error.to_string()) }
            }
        }
    }

    /// The medians of the runs that were not interrupted.
    fn measure(&self, session: &Session, choice: &str) -> Result<Measured> {
        let mut models: Vec<KMeansModel> = Vec::new();
        for run in 1..=self.runs {
            self.reporter.show("run", Some((run as u64, self.runs as u64)), choice.to_owned());
            let model = self.kmeans.clone().session(session).fit_dataset(self.dataset)?;
            if model.interrupted() || session.is_interrupted() {
                break;
            }
            models.push(model);
        }
        let of = |time: fn(&KMeansModel) -> Option<f64>| median(models.iter().filter_map(time).collect());
        let interrupted = || Error::device(choice, "interrupted before a run had ended");
        Ok(Measured {
            pin: of(|model| Some(model.timings().pin.as_secs_f64())).ok_or_else(interrupted)?,
            init: of(|model| Some(model.timings().init.as_secs_f64())).ok_or_else(interrupted)?,
            iteration: of(|model| seconds_per_iteration(model.trace())).ok_or_else(interrupted)?,
            inertia: models.last().map(KMeansModel::inertia).ok_or_else(interrupted)?,
            items: self.items(session)?,
            ceilings: together(&session.ceilings()?),
        })
    }

    /// What the items of a round take, in a run of its own: to time them takes time.
    fn items(&self, session: &Session) -> Result<Vec<ItemShare>> {
        let kmeans = self.kmeans.clone().session(session);
        let (model, times) = session.profiled(|| kmeans.fit_dataset(self.dataset))?;
        let rounds = model.trace().len().max(1);
        let share = |item: ItemTime| ItemShare {
            device: item.device,
            name: item.name,
            time: item.time.as_secs_f64() / rounds as f64,
        };
        // Those of the start have run once.
        Ok(times.into_iter().filter(|item| item.runs >= rounds as u64).map(share).collect())
    }
}

/// What devices that share the work can do together.
fn together(devices: &[Ceilings]) -> Ceilings {
    Ceilings {
        operations_per_second: devices.iter().map(|device| device.operations_per_second).sum(),
        copied_bytes_per_second: devices.iter().map(|device| device.copied_bytes_per_second).sum(),
    }
}
