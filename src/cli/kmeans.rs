//! `superstep kmeans`: reads a table, fits it, writes what was asked for.

use super::Ended;
use super::args::{CheckpointArgs, EmptyPolicy, KMeansArgs};
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use super::progress::Reporter;
use crate::report::number::{counted, value};
use crate::report::{FitReport, Head, seconds_per_iteration};
use std::sync::Arc;
use superstep::algorithms::kmeans::{Progress, Round};
use superstep::collective::Collective;
use superstep::{KMeans, KMeansModel, Result};

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &KMeansArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let KMeansArgs { input, compute, files, report, .. } = args;
    let asked = Asked { input, beside: &[args.weights.as_ref(), None], compute, report };
    let mut job = Job::start(asked, &files.outputs(), ranks)?;
    let source = job.load()?;
    let init = ranks.agree(args.init.load(args.k, source.columns()))?;
    let kmeans = settings(args, &job).init(init);
    let dataset = job.session().install(|| kmeans.dataset(&*source))?;
    let dataset = job.weighted(dataset, args.weights.as_ref())?;
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let model = kmeans.fit_dataset(&dataset)?;
    job.write(model.warnings(), |ranks| {
        files.write(ranks, model.labels(), (model.centroids(), dataset.is_wide()), |path| model.save(path))
    })?;
    let report = told(args, &model, job.head());
    let settings = settings_in_words(args, &job, report.init_sample);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(model.interrupted()))
}

fn settings(args: &KMeansArgs, job: &Job) -> KMeans {
    let reporter = job.reporter().clone();
    let kmeans = KMeans::new(args.k)
        .max_iter(args.max_iter)
        .tol(args.tol)
        .metric(args.metric)
        .algorithm(args.algorithm.runs())
        .empty_clusters(args.empty.into())
        .seed(args.compute.seed)
        .session(job.session())
        .profile(args.report.profile)
        .progress(move |progress| tell(&reporter, &progress));
    let kmeans = args.n_init.map_or(kmeans.clone(), |starts| kmeans.n_init(starts));
    let CheckpointArgs { checkpoint, checkpoint_every, resume } = &args.checkpoint;
    let kmeans = match checkpoint {
        Some(folder) => kmeans.checkpoint(folder, *checkpoint_every).resume(*resume),
        None => kmeans,
    };
    args.init_sample.map_or(kmeans.clone(), |rows| kmeans.init_sample(rows))
}

/// Shows what a fit tells of itself.
fn tell(reporter: &Reporter, progress: &Progress) {
    match progress {
        Progress::Pin => reporter.pin(),
        Progress::Init { done, of } => reporter.show("init", Some((*done as u64, *of as u64)), String::new()),
        Progress::Round { start, starts, round, max_iter, rows_per_second } => {
            reporter.round((round.iteration, *max_iter), &in_words((*start, *starts), round), *rows_per_second);
        }
        // A phase of a later version of the library: nothing is known of it.
        _ => {}
    }
}

/// What a round of a start came to.
pub(super) fn in_words((start, starts): (usize, usize), round: &Round) -> String {
    let start = if starts > 1 { format!("start {} of {starts}, ", start + 1) } else { String::new() };
    format!("{start}inertia {}", value(round.inertia))
}

fn told(args: &KMeansArgs, model: &KMeansModel, head: Head) -> FitReport {
    FitReport {
        head: Head {
            n: model.rows(),
            d: model.columns(),
            iterations: model.iterations(),
            converged: model.converged(),
            interrupted: model.interrupted(),
            seconds: head.seconds.with(&model.timings()),
            seconds_per_iteration: seconds_per_iteration(model.trace()),
            streamed: model.streamed(),
            moves: model.moves(),
            ..head
        },
        k: model.k(),
        metric: model.metric().to_string(),
        algorithm: model.algorithm().to_string(),
        inertia: model.inertia(),
        init_sample: sampled(args, model),
        cluster_sizes: model.cluster_sizes().to_vec(),
        trace: model.trace().to_vec(),
    }
}

/// The rows that k-means++ chose among, where these were not all.
fn sampled(args: &KMeansArgs, model: &KMeansModel) -> Option<u64> {
    args.init_sample.filter(|&rows| rows < model.rows() && args.init.name() == "k-means++")
}

/// What the run was asked for: what matters always, the rest where it is not the default.
fn settings_in_words(args: &KMeansArgs, job: &Job, sample: Option<u64>) -> String {
    let among = sample.map(|rows| format!(" among a sample of {}", counted(rows, "row")));
    let words = [
        format!("k {}", args.k),
        format!("start {}{}", args.init.name(), among.unwrap_or_default()),
        args.metric.to_string(),
        "lloyd".to_owned(),
        format!("tol {}", args.tol),
        format!("at most {}", counted(u64::from(args.max_iter), "iteration")),
    ];
    let starts = args.n_init.map(|starts| format!("best of {}", counted(starts as u64, "start")));
    let weights = args.weights.as_ref().map(|path| format!("weights {}", path.display()));
    let empty = match args.empty {
        EmptyPolicy::Relocate => None,
        EmptyPolicy::Drop => Some("empty clusters dropped".to_owned()),
        EmptyPolicy::Keep => Some("empty clusters kept".to_owned()),
    };
    let after: Vec<String> = [starts, weights, empty].into_iter().flatten().collect();
    job.settings_in_words(&words, &after)
}
