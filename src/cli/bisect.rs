//! `superstep bisect`: reads a table, splits it cluster by cluster, writes what was asked for.

use super::Ended;
use super::args::BisectArgs;
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use super::kmeans::in_words;
use super::progress::Reporter;
use crate::report::number::{counted, scaled};
use crate::report::{BisectReport, Head, seconds_per_iteration};
use std::sync::Arc;
use superstep::algorithms::bisecting::{Progress, Split};
use superstep::algorithms::kmeans;
use superstep::collective::Collective;
use superstep::{BisectingKMeans, BisectingKMeansModel};

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &BisectArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let BisectArgs { input, compute, files, report, .. } = args;
    let asked = Asked { input, beside: &[args.weights.as_ref(), None], compute, report };
    let mut job = Job::start(asked, &files.outputs(), ranks)?;
    let source = job.load()?;
    let bisecting = settings(args, &job);
    let dataset = job.session().install(|| bisecting.dataset(&*source))?;
    let dataset = job.weighted(dataset, args.weights.as_ref())?;
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let model = bisecting.fit_dataset(&dataset)?;
    job.write(model.warnings(), |ranks| {
        files.write(ranks, model.labels(), (model.centroids(), dataset.is_wide()), |path| model.save(path))
    })?;
    let report = told(&model, job.head());
    let settings = settings_in_words(args, &job);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(model.interrupted()))
}

fn settings(args: &BisectArgs, job: &Job) -> BisectingKMeans {
    let reporter = job.reporter().clone();
    BisectingKMeans::new(args.k)
        .strategy(args.strategy)
        .init(args.init.clone())
        .n_init(args.n_init)
        .max_iter(args.max_iter)
        .tol(args.tol)
        .metric(args.metric)
        .seed(args.compute.seed)
        .session(job.session())
        .profile(args.report.profile)
        .progress(move |progress| tell(&reporter, &progress))
}

/// Shows what a fit tells of itself: `split 3/7: 1,200 rows, round 4, inertia 5.25, 12.5 M rows/s`.
fn tell(reporter: &Reporter, Progress { split, splits, rows, step }: &Progress) {
    let rows = counted(*rows, "row");
    let detail = match step {
        kmeans::Progress::Pin => format!("{rows} to the devices"),
        kmeans::Progress::Init { done, of } => format!("{rows}, init {done}/{of}"),
        kmeans::Progress::Round { start, starts, round, rows_per_second, .. } => {
            let (what, speed) = (in_words((*start, *starts), round), scaled(*rows_per_second, "rows/s"));
            format!("{rows}, round {}, {what}, {speed}", round.iteration)
        }
        // A phase of a later version of the library: nothing is known of it.
        _ => return,
    };
    reporter.show("split", Some((*split as u64, *splits as u64)), detail);
}

fn told(model: &BisectingKMeansModel, head: Head) -> BisectReport {
    BisectReport {
        head: Head {
            n: model.rows(),
            d: model.columns(),
            iterations: model.iterations(),
            converged: model.converged(),
            interrupted: model.interrupted(),
            seconds: head.seconds.with(&model.timings()),
            seconds_per_iteration: seconds_per_iteration(model.splits().iter().flat_map(Split::trace)),
            streamed: model.streamed(),
            ..head
        },
        k: model.k(),
        metric: model.metric().to_string(),
        strategy: model.strategy().to_string(),
        inertia: model.inertia(),
        cluster_sizes: model.cluster_sizes().to_vec(),
        cluster_inertias: model.cluster_inertias().to_vec(),
        splits: model.splits().to_vec(),
    }
}

/// What the run was asked for: what matters always, the rest where it is not the default.
fn settings_in_words(args: &BisectArgs, job: &Job) -> String {
    let words = [
        format!("k {}", args.k),
        args.strategy.to_string(),
        format!("start {}", args.init),
        args.metric.to_string(),
        format!("tol {}", args.tol),
        format!("at most {} a split", counted(u64::from(args.max_iter), "iteration")),
    ];
    let starts = (args.n_init > 1).then(|| format!("best of {}", counted(args.n_init as u64, "start")));
    let weights = args.weights.as_ref().map(|path| format!("weights {}", path.display()));
    let after: Vec<String> = [starts, weights].into_iter().flatten().collect();
    job.settings_in_words(&words, &after)
}
