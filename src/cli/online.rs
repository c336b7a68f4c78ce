//! `superstep online`: follows rows as they come, and tells each version of the model.

use super::Ended;
use super::args::{OnlineArgs, TimeUnit};
use super::failure::Failure;
use super::init::InitChoice;
use super::job::{Asked, Job, ended};
use super::outputs::{Outputs, given};
use crate::report::number::{counted, scaled, value};
use crate::report::{Head, OnlineReport, Seconds, version_json};
use ndarray::Array2;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use superstep::algorithms::kmeans::OnlineVersion;
use superstep::collective::Collective;
use superstep::data::{self, Batches, ReadOptions, RowSource};
use superstep::{Decay, Error, Init, OnlineKMeans, Result};

/// The name that means standard input or output.
const STANDARD: &str = "-";

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &OnlineArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let OnlineArgs { input, compute, report, .. } = args;
    check(args).map_err(Failure::Usage)?;
    let asked = Asked { input, beside: &[None, None], compute, report };
    let outputs = Outputs {
        model: args.model.as_deref(),
        lines: args.versions.as_deref().filter(|path| *path != Path::new(STANDARD)),
        tables: given([("--centroids", &args.centroids)]),
        ..Outputs::default()
    };
    let mut job = Job::start(asked, &outputs, ranks)?;
    let options = input.options(job.session().memory().limit());
    let is_stream = input.files.first().is_some_and(|file| file == Path::new(STANDARD));
    let source: Option<Box<dyn RowSource>> = if is_stream || args.follow { None } else { Some(job.load()?) };
    let batches = match (&source, input.files.first()) {
        (Some(source), _) => Batches::of_rows(&**source, args.batch_size as u64),
        (None, Some(file)) if !is_stream => Batches::of_growing_file(file, args.batch_size, idle(args), &options)?,
        _ => Batches::of_text(std::io::stdin(), "standard input", args.batch_size, &options),
    };
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let online = OnlineKMeans::new(args.k)
        .decay(decay(args))
        .split_dying(args.split_dying)
        .metric(args.metric)
        .seed(compute.seed)
        .session(job.session());
    let online = match &args.init {
        InitChoice::Named(_, init) => online.init(init.clone()),
        InitChoice::File(path) => {
            let centroids = ranks.agree(centroids(path, args.k))?;
            online.initial(centroids, vec![args.initial_weight; args.k])
        }
    };
    let mut versions = Versions::open(args.versions.as_deref())?;
    let (reporter, clock) = (job.reporter().clone(), Instant::now());
    let (mut rows, mut weights, mut inertia) = (0, Vec::new(), None);
    let model = online.fit(batches, |version| {
        rows += version.rows;
        weights.clone_from(&version.weights);
        inertia = Some(version.inertia);
        let speed = scaled(rows as f64 / clock.elapsed().as_secs_f64().max(1e-9), "rows/s");
        let detail = format!("{}, inertia {}, {speed}", counted(rows, "row"), value(version.inertia));
        reporter.show("batch", None, format!("{}: {detail}", version.batch));
        versions.write(version)
    })?;
    let iterate = clock.elapsed().as_secs_f64();
    job.write(model.warnings(), |ranks| {
        super::ranks::once(ranks, || {
            if let Some(path) = &args.centroids {
                superstep::data::output::write_matrix(path, model.centroids())?;
            }
            args.model.as_ref().map_or(Ok(()), |path| model.save(path))
        })
    })?;
    let head = job.head();
    let seconds = Seconds { iterate, ..head.seconds };
    let report = OnlineReport {
        head: Head {
            n: rows,
            d: model.columns(),
            iterations: model.iterations(),
            interrupted: model.interrupted(),
            seconds,
            seconds_per_iteration: seconds.each_of(model.iterations()),
            ..head
        },
        k: model.k(),
        metric: model.metric().to_string(),
        inertia,
        weights,
    };
    let settings = settings_in_words(args, &job);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(model.interrupted()))
}

/// Checks what clap cannot: what the input is.
fn check(args: &OnlineArgs) -> Result<()> {
    let files = &args.input.files;
    let has_standard = files.iter().any(|file| file == Path::new(STANDARD));
    if files.len() > 1 && (has_standard || args.follow) {
        return Err(Error::parameter("INPUT", "standard input, or a file that is followed, is read alone: name one"));
    }
    if has_standard && args.follow {
        return Err(Error::parameter("--follow", "standard input is followed anyway: leave it out"));
    }
    Ok(())
}

/// How long the input may pause; a time that no clock can count is for ever.
fn idle(args: &OnlineArgs) -> Option<Duration> {
    args.idle.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

fn decay(args: &OnlineArgs) -> Decay {
    match (args.half_life, args.time_unit) {
        (Some(time), TimeUnit::Batches) => Decay::half_life_of_batches(time),
        (Some(time), TimeUnit::Rows) => Decay::half_life_of_rows(time),
        (None, TimeUnit::Batches) => Decay::Batches(args.decay),
        (None, TimeUnit::Rows) => Decay::Rows(args.decay),
    }
}

/// The first centroids from a file of k rows.
fn centroids(path: &Path, k: usize) -> Result<Array2<f64>> {
    let columns = data::open(std::slice::from_ref(&path.to_owned()), &ReadOptions::default())?.columns();
    match InitChoice::File(path.to_owned()).load(k, columns)? {
        Init::Centroids(centroids) => Ok(centroids),
        _ => Err(Error::parameter("init", "a file of centroids was expected")),
    }
}

/// Where versions go, a line each, as they come.
struct Versions {
    to: Option<(PathBuf, Box<dyn Write + Send>)>,
}

impl Versions {
    fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|_| !super::ranks::is_silent()) else { return Ok(Self { to: None }) };
        let to: Box<dyn Write + Send> = if path == Path::new(STANDARD) {
            Box::new(std::io::stdout())
        } else {
            Box::new(BufWriter::new(File::create(path).map_err(|error| Error::io(path, error))?))
        };
        Ok(Self { to: Some((path.to_owned(), to)) })
    }

    /// Writes a line and hands it over at once. A reader of standard output that has gone away ends the job.
    fn write(&mut self, version: &OnlineVersion) -> Result<()> {
        let Some((path, to)) = &mut self.to else { return Ok(()) };
        let written = writeln!(to, "{}", version_json(version)).and_then(|()| to.flush());
        written.map_err(|error| Error::io(&*path, error))
    }
}

/// What the run was asked for.
fn settings_in_words(args: &OnlineArgs, job: &Job) -> String {
    let unit = match args.time_unit {
        TimeUnit::Batches => "batches",
        TimeUnit::Rows => "rows",
    };
    let fades = match args.half_life {
        Some(time) => format!("half-life {time} {unit}"),
        None if args.decay == 1.0 => "all rows count alike".to_owned(),
        None => format!("decay {} by {unit}", args.decay),
    };
    let words = [
        format!("k {}", args.k),
        format!("start {}", args.init.name()),
        args.metric.to_string(),
        format!("batches of {}", counted(args.batch_size as u64, "row")),
        fades,
    ];
    job.settings_in_words(&words, &[])
}
