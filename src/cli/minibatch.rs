//! `superstep minibatch`: k-means by small batches drawn from a table.

use super::Ended;
use super::args::MiniBatchArgs;
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use crate::report::number::counted;
use crate::report::{FitReport, Head, Seconds};
use std::sync::Arc;
use std::time::Instant;
use superstep::MiniBatchKMeans;
use superstep::collective::Collective;

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &MiniBatchArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let MiniBatchArgs { input, compute, files, report, .. } = args;
    let asked = Asked { input, beside: &[None, None], compute, report };
    let mut job = Job::start(asked, &files.outputs(), ranks)?;
    let source = job.load()?;
    let init = ranks.agree(args.init.load(args.k, source.columns()))?;
    let settings = MiniBatchKMeans::new(args.k)
        .init(init)
        .batch_size(args.batch_size)
        .max_iter(args.max_iter)
        .tol(args.tol)
        .max_no_improvement((args.max_no_improvement > 0).then_some(args.max_no_improvement))
        .reassignment_ratio(args.reassignment_ratio)
        .metric(args.metric)
        .seed(compute.seed)
        .session(job.session());
    let settings = args.n_init.map_or(settings.clone(), |starts| settings.n_init(starts));
    let settings = args.init_size.map_or(settings.clone(), |rows| settings.init_size(rows));
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let clock = Instant::now();
    job.reporter().show("batches", None, input.names());
    let model = settings.fit(&*source)?;
    let iterate = clock.elapsed().as_secs_f64();
    job.write(model.warnings(), |ranks| {
        files.write(ranks, model.labels(), (model.centroids(), source.is_wide()), |path| model.save(path))
    })?;
    let head = job.head();
    let seconds = Seconds { iterate, ..head.seconds };
    let report = FitReport {
        head: Head {
            n: model.rows(),
            d: model.columns(),
            iterations: model.iterations(),
            converged: model.converged(),
            interrupted: model.interrupted(),
            seconds,
            seconds_per_iteration: seconds.each_of(model.iterations()),
            ..head
        },
        k: model.k(),
        metric: model.metric().to_string(),
        algorithm: "minibatch".into(),
        inertia: model.inertia(),
        init_sample: None,
        cluster_sizes: model.cluster_sizes().to_vec(),
        trace: Vec::new(),
    };
    let words = [
        format!("k {}", args.k),
        format!("start {}", args.init.name()),
        args.metric.to_string(),
        format!("batches of {}", counted(args.batch_size as u64, "row")),
        format!("at most {}", counted(u64::from(args.max_iter), "pass").replace("passs", "passes")),
    ];
    let settings = job.settings_in_words(&words, &[]);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(model.interrupted()))
}
