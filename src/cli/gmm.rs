//! `superstep gmm`: reads a table, fits a mixture to it, writes what was asked for.

use super::Ended;
use super::args::GmmArgs;
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use super::kmeans;
use super::outputs::{Outputs, given, write_by_blocks, write_points};
use super::progress::Reporter;
use super::ranks;
use super::window::Window;
use crate::report::number::{counted, value};
use crate::report::{GmmReport, Head};
use std::sync::Arc;
use superstep::algorithms::gmm::Progress;
use superstep::algorithms::kmeans::Progress as KMeansProgress;
use superstep::collective::Collective;
use superstep::data::Dataset;
use superstep::{GaussianMixture, GaussianMixtureModel, Result};

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &GmmArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let GmmArgs { input, compute, report, .. } = args;
    let asked = Asked { input, beside: &[None, None], compute, report };
    let mut job = Job::start(asked, &outputs(args), ranks)?;
    let source = job.load()?;
    let mixture = settings(args, &job);
    let dataset = job.session().install(|| mixture.dataset(&*source))?;
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let model = mixture.fit_dataset(&dataset)?;
    let session = job.session().clone();
    job.write(model.warnings(), |ranks| session.install(|| write(args, ranks, &model, &dataset)))?;
    let criteria = if report.json { job.session().install(|| criteria(&model, &dataset, job.ranks()))? } else { None };
    let report = GmmReport { criteria, ..told(&model, job.head()) };
    let settings = settings_in_words(args, &job);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(model.interrupted()))
}

fn settings(args: &GmmArgs, job: &Job) -> GaussianMixture {
    let reporter = job.reporter().clone();
    GaussianMixture::new(args.components)
        .covariance_type(args.covariance)
        .reg_covar(args.reg_covar)
        .tol(args.tol)
        .max_iter(args.max_iter)
        .n_init(args.n_init)
        .seed(args.compute.seed)
        .session(job.session())
        .profile(args.report.profile)
        .progress(move |progress| tell(&reporter, &progress))
}

fn outputs(args: &GmmArgs) -> Outputs<'_> {
    Outputs {
        of_rows: given([("--labels", &args.labels)]),
        tables: given([("--probabilities", &args.probabilities), ("--means", &args.means)]),
        model: args.model.as_deref(),
        ..Outputs::default()
    }
}

/// Writes the files asked for. Each rank finds the labels of its own rows; probabilities and what does not depend on rows are written
/// by the first.
fn write(args: &GmmArgs, ranks: &dyn Collective, model: &GaussianMixtureModel, dataset: &Dataset) -> Result<()> {
    let source = dataset.source();
    if let Some(path) = &args.labels {
        let labels = ranks.agree(model.predict(&Window::new(source, dataset.share())))?;
        ranks::write_labels(ranks, path, &labels)?;
    }
    ranks::once(ranks, || {
        if let Some(path) = &args.probabilities {
            write_by_blocks(path, source, model.components(), |rows| model.predict_proba(rows))?;
        }
        args.means.as_ref().map_or(Ok(()), |path| write_points(path, model.means(), dataset.is_wide()))?;
        args.model.as_ref().map_or(Ok(()), |path| model.save(path))
    })
}

/// Shows what a fit tells of itself: `round 7/100: log-likelihood -3.25, gained 0.0012`.
fn tell(reporter: &Reporter, progress: &Progress) {
    let of = |start: &usize, starts: &usize| {
        if *starts > 1 { format!("start {} of {starts}, ", start + 1) } else { String::new() }
    };
    match progress {
        Progress::Init { step: KMeansProgress::Pin, .. } => reporter.pin(),
        Progress::Init { start, starts, step: KMeansProgress::Round { round, .. } } => {
            let detail =
                format!("{}k-means round {}, {}", of(start, starts), round.iteration, kmeans::in_words((0, 1), round));
            reporter.show("init", None, detail);
        }
        Progress::Round { start, starts, round, max_iter } => {
            let gained =
                if round.change.is_finite() { format!(", gained {}", value(round.change)) } else { String::new() };
            let detail = format!("{}log-likelihood {}{gained}", of(start, starts), value(round.lower_bound));
            reporter.show("round", Some((u64::from(round.iteration), u64::from(*max_iter))), detail);
        }
        // The first centroids of k-means, which are few; a phase of a later version of the library.
        _ => {}
    }
}

/// The information criteria of all rows, on the first rank, which tells them: one pass over the rows, on the processor in f64.
fn criteria(model: &GaussianMixtureModel, dataset: &Dataset, ranks: &dyn Collective) -> Result<Option<(f64, f64)>> {
    let mut found = None;
    ranks::once(ranks, || {
        let score = model.score(dataset.source())?;
        found = Some(model.criteria(score, dataset.rows()));
        Ok(())
    })?;
    Ok(found)
}

fn told(model: &GaussianMixtureModel, head: Head) -> GmmReport {
    let seconds = head.seconds.with(&model.timings());
    GmmReport {
        head: Head {
            n: model.rows(),
            d: model.columns(),
            iterations: model.iterations(),
            converged: model.converged(),
            interrupted: model.interrupted(),
            seconds,
            seconds_per_iteration: seconds.each_of(model.passes()),
            streamed: model.streamed(),
            ..head
        },
        components: model.components(),
        covariance: model.covariance_type().to_string(),
        lower_bound: model.lower_bound(),
        criteria: None,
        weights: model.weights().to_vec(),
        trace: model.trace().to_vec(),
        items: model.items().to_vec(),
    }
}

/// What the run was asked for: what matters always, the rest where it is not the default.
fn settings_in_words(args: &GmmArgs, job: &Job) -> String {
    let words = [
        counted(args.components as u64, "component"),
        format!("{} covariance", args.covariance),
        format!("regularisation {}", args.reg_covar),
        format!("tol {}", args.tol),
        format!("at most {}", counted(u64::from(args.max_iter), "iteration")),
    ];
    let starts = (args.n_init > 1).then(|| format!("best of {}", counted(args.n_init as u64, "start")));
    job.settings_in_words(&words, &starts.into_iter().collect::<Vec<_>>())
}
