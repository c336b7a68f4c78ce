//! `superstep sweep`: k-means for several numbers of clusters, to choose one by.

use super::Ended;
use super::args::SweepArgs;
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use super::outputs::Outputs;
use crate::report::number::{counted, value};
use crate::report::{Head, Seconds, SweepLine, SweepReport};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use superstep::algorithms::kmeans::{Sweep, SweepProgress};
use superstep::collective::Collective;
use superstep::data::output;
use superstep::{KMeans, KMeansSweep};

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &SweepArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let SweepArgs { input, compute, report, .. } = args;
    let asked = Asked { input, beside: &[args.weights.as_ref(), None], compute, report };
    let outputs = Outputs { page: args.page.as_deref(), ..Outputs::default() };
    let mut job = Job::start(asked, &outputs, ranks)?;
    let source = job.load()?;
    let kmeans = KMeans::new(1)
        .init(args.init.clone())
        .max_iter(args.max_iter)
        .tol(args.tol)
        .metric(args.metric)
        .seed(compute.seed)
        .session(job.session());
    let dataset = job.session().install(|| kmeans.dataset(&*source))?;
    let dataset = job.weighted(dataset, args.weights.as_ref())?;
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let reporter = job.reporter().clone();
    let (fits, done) = (args.k.0.len() as u64 * u64::from(args.restarts), AtomicU64::new(0));
    let tell = move |SweepProgress { restart, restarts, k, inertia, .. }: SweepProgress| {
        let detail = format!("k {k}, start {restart} of {restarts}, inertia {}", value(inertia));
        reporter.show("fit", Some((done.fetch_add(1, Ordering::Relaxed) + 1, fits)), detail);
    };
    let sweep = KMeansSweep::new(args.k.0.iter().copied())
        .restarts(args.restarts)
        .silhouette_sample(args.silhouette_rows)
        .template(kmeans)
        .progress(tell);
    let clock = Instant::now();
    let found = sweep.fit_dataset(&dataset)?;
    let iterate = clock.elapsed().as_secs_f64();
    let mut warnings: Vec<String> = found.models().iter().flat_map(|model| model.warnings().to_vec()).collect();
    warnings.dedup();
    let told = |head: Head| told(args, &found, head, iterate);
    let report = told(job.head());
    job.write(&warnings, |ranks| {
        let write = |path: &std::path::PathBuf| {
            output::write_whole(path, |to| to.write_all(report.page(&input.names()).as_bytes()))
        };
        super::ranks::once(ranks, || args.page.as_ref().map_or(Ok(()), write))
    })?;
    let report = told(job.head());
    let settings = settings_in_words(args, &job);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(found.interrupted()))
}

fn told(args: &SweepArgs, sweep: &Sweep, head: Head, iterate: f64) -> SweepReport {
    let fits = sweep.models().iter().zip(sweep.silhouettes());
    let lines = fits.map(|(model, silhouette)| SweepLine {
        k: model.k(),
        inertia: model.inertia(),
        silhouette: *silhouette,
        iterations: model.iterations(),
        converged: model.converged(),
        sizes: (
            model.cluster_sizes().iter().copied().min().unwrap_or(0),
            model.cluster_sizes().iter().copied().max().unwrap_or(0),
        ),
    });
    let lines: Vec<SweepLine> = lines.collect();
    let first = sweep.models().first();
    let rows = first.map_or(0, |model| model.rows());
    SweepReport {
        head: Head {
            n: rows,
            d: first.map_or(0, |model| model.columns()),
            iterations: lines.iter().map(|line| line.iterations).sum(),
            converged: lines.iter().all(|line| line.converged),
            interrupted: sweep.interrupted(),
            seconds: Seconds { iterate, ..head.seconds },
            ..head
        },
        metric: args.metric.to_string(),
        restarts: args.restarts,
        elbow: sweep.elbow(),
        best_by_silhouette: sweep.best_by_silhouette(),
        silhouette_rows: rows.min(args.silhouette_rows as u64),
        lines,
    }
}

/// What the run was asked for.
fn settings_in_words(args: &SweepArgs, job: &Job) -> String {
    let (first, last) = (args.k.0.iter().min().unwrap_or(&0), args.k.0.iter().max().unwrap_or(&0));
    let words = [
        format!("{} of k from {first} to {last}", counted(args.k.0.len() as u64, "value")),
        counted(u64::from(args.restarts), "start"),
        format!("start {}", args.init),
        args.metric.to_string(),
        format!("tol {}", args.tol),
    ];
    let weights = args.weights.as_ref().map(|path| format!("weights {}", path.display()));
    job.settings_in_words(&words, weights.as_slice())
}
