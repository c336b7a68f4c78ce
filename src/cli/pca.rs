//! `superstep pca`: the directions in which the rows of a table vary most.

use super::Ended;
use super::args::PcaArgs;
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use super::outputs::{Outputs, given, write_by_blocks, write_points};
use crate::report::number::counted;
use crate::report::{Head, PcaReport, Seconds};
use std::sync::Arc;
use std::time::Instant;
use superstep::collective::Collective;
use superstep::data::RowSource;
use superstep::{Pca, PcaModel, Result};

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &PcaArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let PcaArgs { input, compute, report, .. } = args;
    let asked = Asked { input, beside: &[None, None], compute, report };
    let mut job = Job::start(asked, &outputs(args), ranks)?;
    let source = job.load()?;
    let (reporter, clock) = (job.reporter().clone(), Instant::now());
    let rows = source.rows();
    let max_iter = args.max_iter;
    let pca = Pca::new(args.components)
        .whiten(args.whiten)
        .tol(args.tol)
        .max_iter(max_iter)
        .oversample(args.oversample)
        .seed(compute.seed)
        .session(job.session())
        .progress(move |round| {
            let speed = rows as f64 * f64::from(round.iteration) / clock.elapsed().as_secs_f64().max(1e-9);
            reporter.round((round.iteration, max_iter), &format!("residual {:.1e}", round.residual), speed);
        });
    let dataset = job.session().install(|| pca.dataset(&*source))?;
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let clock = Instant::now();
    let model = pca.fit_dataset(&dataset)?;
    let iterate = clock.elapsed().as_secs_f64();
    job.write(model.warnings(), |ranks| super::ranks::once(ranks, || write_results(args, &model, &*source)))?;
    let report = told(args, &model, job.head(), iterate);
    let settings = settings_in_words(args, &job);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(model.interrupted()))
}

fn outputs(args: &PcaArgs) -> Outputs<'_> {
    Outputs {
        tables: given([("--components-out", &args.components_out), ("--transformed", &args.transformed)]),
        model: args.model.as_deref(),
        ..Outputs::default()
    }
}

/// Writes the files asked for, in the type of the input: f64 or f32.
fn write_results(args: &PcaArgs, model: &PcaModel, source: &dyn RowSource) -> Result<()> {
    args.components_out.as_ref().map_or(Ok(()), |path| write_points(path, model.components(), source.is_wide()))?;
    if let Some(path) = &args.transformed {
        write_by_blocks(path, source, model.components().nrows(), |rows| model.transform(rows))?;
    }
    args.model.as_ref().map_or(Ok(()), |path| model.save(path))
}

fn told(args: &PcaArgs, model: &PcaModel, head: Head, iterate: f64) -> PcaReport {
    let seconds = Seconds { iterate, ..head.seconds };
    PcaReport {
        head: Head {
            n: model.rows(),
            d: model.columns(),
            iterations: model.iterations(),
            converged: model.converged(),
            interrupted: model.interrupted(),
            seconds,
            seconds_per_iteration: seconds.each_of(model.iterations()),
            streamed: model.streamed(),
            ..head
        },
        whiten: args.whiten,
        oversample: args.oversample,
        explained_variance: model.explained_variance().to_vec(),
        explained_variance_ratio: model.explained_variance_ratio().to_vec(),
        singular_values: model.singular_values(),
        noise_variance: model.noise_variance(),
        trace: model.trace().to_vec(),
    }
}

/// What the run was asked for: what matters always, the rest where it is not the default.
fn settings_in_words(args: &PcaArgs, job: &Job) -> String {
    let words = [
        counted(args.components as u64, "component"),
        format!("{} more directions", args.oversample),
        format!("tol {}", args.tol),
        format!("at most {}", counted(u64::from(args.max_iter), "iteration")),
    ];
    let whiten = args.whiten.then(|| "whitened".to_owned());
    job.settings_in_words(&words, whiten.as_slice())
}
