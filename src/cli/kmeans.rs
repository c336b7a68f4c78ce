//! `superstep kmeans`: reads a table, fits it, writes what was asked for.

use super::args::{EmptyPolicy, KMeansArgs, ResourceArgs};
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::outputs::Outputs;
use super::progress::Reporter;
use super::{Ended, device, print, ranks};
use crate::report::{DeviceLine, FitReport, Seconds, number, peak_rss_mb, summary};
use std::sync::Arc;
use std::time::Instant;
use superstep::collective::{Collective, Local};
use superstep::data::{self, Dataset, ReadOptions, RowSource, output};
use superstep::queue::DeviceChoice;
use superstep::{KMeans, KMeansModel, Result, Session};

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &KMeansArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let total = Instant::now();
    let inputs = args.input.files.iter().chain(&args.weights);
    let in_parts = args.labels.as_ref().filter(|_| ranks.size() > 1).map_or(Ok(()), |path| output::check_parts(path));
    let checked = in_parts.map_err(Failure::Usage).and_then(|()| outputs(args).check(inputs));
    ranks::agree(&**ranks, if ranks.rank() == 0 { checked } else { Ok(()) })?;
    let reporter = Arc::new(Reporter::new(args.verbosity.quiet || ranks::is_silent()));
    let reply = "the round that runs is the last, its results are written";
    let interrupt = Interrupt::catch(args.verbosity.quiet, reply)?;
    let session = open_session_of(ranks, &args.device, &args.resources, &interrupt)?;

    let load = Instant::now();
    reporter.show("load", None, args.input.names());
    let source = session.install(|| data::open(&args.input.files, &args.input.options(session.memory().limit())));
    let source = ranks.agree(source)?;
    source.notes().iter().for_each(|note| reporter.warn(note));
    let init = ranks.agree(args.init.load(args.k, source.columns()))?;
    let kmeans = settings(args, &session, &reporter).init(init);
    let dataset = session.install(|| kmeans.dataset(&*source))?;
    let dataset = ranks.agree(weighted(args, dataset))?;
    let load = load.elapsed();
    if ranks::any(&**ranks, interrupt.is_set())? {
        reporter.warn("interrupted before the first round: there are no results to write");
        return Ok(Ended::Interrupted);
    }

    let model = kmeans.fit_dataset(&dataset)?;
    reporter.finish();
    model.warnings().iter().for_each(|warning| reporter.warn(warning));
    let write = Instant::now();
    write_results(args, &model, dataset.is_wide(), &**ranks)?;

    let fit = model.timings();
    let seconds = Seconds {
        load: load.as_secs_f64(),
        pin: fit.pin.as_secs_f64(),
        init: fit.init.as_secs_f64(),
        iterate: fit.iterate.as_secs_f64(),
        write: write.elapsed().as_secs_f64(),
        total: total.elapsed().as_secs_f64(),
    };
    let report = report(&model, device::of_session(&session, &args.device), seconds);
    let report = FitReport { init_sample: sampled(args, &model), ranks: ranks.size(), ..report };
    let text = if args.json {
        format!("{}\n", report.json())
    } else {
        summary(&report, &args.input.names(), &settings_in_words(args, &session, report.init_sample))
    };
    print(&text)?;
    Ok(if model.interrupted() { Ended::Interrupted } else { Ended::Done })
}

/// Opens the devices of a choice, within the resources given, for a job that Ctrl-C can end.
pub(super) fn open_session(choice: &DeviceChoice, resources: &ResourceArgs, interrupt: &Interrupt) -> Result<Session> {
    open_session_of(&(Arc::new(Local) as Arc<dyn Collective>), choice, resources, interrupt)
}

/// The same, for a job of several processes.
fn open_session_of(
    ranks: &Arc<dyn Collective>,
    choice: &DeviceChoice,
    resources: &ResourceArgs,
    interrupt: &Interrupt,
) -> Result<Session> {
    let builder = Session::builder().device(choice.clone()).interrupt_flag(interrupt.flag());
    let mut builder = builder.collective(ranks.clone());
    if let Some(threads) = resources.threads {
        builder = builder.threads(threads);
    }
    builder = builder.tune(!resources.no_tune);
    if let Some(bytes) = resources.memory {
        builder = builder.memory(bytes);
    }
    if let Some(bytes) = resources.device_memory {
        builder = builder.device_memory(bytes);
    }
    builder.build()
}

fn outputs(args: &KMeansArgs) -> Outputs<'_> {
    let tables = [("--labels", &args.labels), ("--centroids", &args.centroids)];
    Outputs {
        tables: tables.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?))).collect(),
        model: args.model.as_deref(),
        ..Outputs::default()
    }
}

fn settings(args: &KMeansArgs, session: &Session, reporter: &Arc<Reporter>) -> KMeans {
    let reporter = reporter.clone();
    let kmeans = KMeans::new(args.k)
        .max_iter(args.max_iter)
        .tol(args.tol)
        .metric(args.metric)
        .algorithm(args.algorithm.runs())
        .empty_clusters(args.empty.into())
        .seed(args.seed)
        .session(session)
        .profile(args.profile)
        .progress(move |progress| reporter.fit(&progress));
    let kmeans = args.n_init.map_or(kmeans.clone(), |starts| kmeans.n_init(starts));
    args.init_sample.map_or(kmeans.clone(), |rows| kmeans.init_sample(rows))
}

fn weighted<'a>(args: &KMeansArgs, dataset: Dataset<'a>) -> Result<Dataset<'a>> {
    match &args.weights {
        Some(path) => dataset.with_weights(data::open(std::slice::from_ref(path), &ReadOptions::default())?),
        None => Ok(dataset),
    }
}

/// Writes the files asked for; centroids in the type of the input, f64 or f32.
fn write_results(args: &KMeansArgs, model: &KMeansModel, is_wide: bool, ranks: &dyn Collective) -> Result<()> {
    if let Some(path) = &args.labels {
        ranks::write_labels(ranks, path, model.labels())?;
    }
    ranks::once(ranks, || write_model(args, model, is_wide))
}

fn write_model(args: &KMeansArgs, model: &KMeansModel, is_wide: bool) -> Result<()> {
    if let Some(path) = &args.centroids {
        if is_wide {
            output::write_matrix(path, model.centroids())?;
        } else {
            output::write_matrix(path, &model.centroids().mapv(|value| value as f32))?;
        }
    }
    args.model.as_ref().map_or(Ok(()), |path| model.save(path))
}

fn report(model: &KMeansModel, devices: Vec<DeviceLine>, seconds: Seconds) -> FitReport {
    FitReport {
        n: model.rows(),
        d: model.columns(),
        k: model.k(),
        metric: model.metric().to_string(),
        algorithm: model.algorithm().to_string(),
        device: device::joined(&devices),
        devices,
        seed: model.seed(),
        iterations: model.iterations(),
        converged: model.converged(),
        interrupted: model.interrupted(),
        inertia: model.inertia(),
        seconds,
        peak_rss_mb: peak_rss_mb(),
        streamed: model.streamed(),
        init_sample: None,
        ranks: 1,
        cluster_sizes: model.cluster_sizes().to_vec(),
        trace: model.trace().to_vec(),
    }
}

/// The rows that k-means++ chose among, where these were not all.
fn sampled(args: &KMeansArgs, model: &KMeansModel) -> Option<u64> {
    args.init_sample.filter(|&rows| rows < model.rows() && args.init.name() == "k-means++")
}

/// What the run was asked for: what matters always, the rest where it is not the default.
fn settings_in_words(args: &KMeansArgs, session: &Session, sample: Option<u64>) -> String {
    let among = sample.map(|rows| format!(" among a sample of {}", number::counted(rows, "row")));
    let mut words = vec![
        format!("k {}", args.k),
        format!("start {}{}", args.init.name(), among.unwrap_or_default()),
        args.metric.to_string(),
        "lloyd".to_owned(),
        format!("tol {}", args.tol),
        format!("at most {}", number::counted(u64::from(args.max_iter), "iteration")),
        format!("seed {}", args.seed),
        number::counted(session.threads() as u64, "thread"),
    ];
    words.extend((session.collective().size() > 1).then(|| format!("{} ranks", session.collective().size())));
    words.extend(args.n_init.map(|starts| format!("best of {}", number::counted(starts as u64, "start"))));
    words.extend(args.weights.as_ref().map(|path| format!("weights {}", path.display())));
    match args.empty {
        EmptyPolicy::Relocate => {}
        EmptyPolicy::Drop => words.push("empty clusters dropped".into()),
        EmptyPolicy::Keep => words.push("empty clusters kept".into()),
    }
    words.join(", ")
}
