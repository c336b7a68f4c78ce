//! A job of an algorithm, from its arguments to its result: what all their commands do around their own work.
//!
//! A command starts its [`Job`], loads its input, fits, writes and prints; between these lie only the algorithm's own
//! settings, files and report. Ranks, Ctrl-C, the session, progress and the clocks of the phases are kept here.

use super::args::{ComputeArgs, InputArgs, ReportArgs, ResourceArgs};
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::outputs::Outputs;
use super::progress::Reporter;
use super::{Ended, device, print, ranks};
use crate::report::{Head, Seconds, number, peak_rss_mb};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use superstep::collective::{Collective, Local};
use superstep::data::{self, Dataset, ReadOptions, RowSource};
use superstep::queue::DeviceChoice;
use superstep::{Result, Session};

/// The arguments that every algorithm takes.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The rows.
    pub(super) input: &'a InputArgs,
    /// The weights of the rows, and whatever else is read beside them.
    pub(super) beside: &'a [Option<&'a PathBuf>],
    /// Seed and devices.
    pub(super) compute: &'a ComputeArgs,
    /// How the result is told.
    pub(super) report: &'a ReportArgs,
}

/// A job that has begun.
pub(super) struct Job<'a> {
    asked: Asked<'a>,
    ranks: &'a Arc<dyn Collective>,
    reporter: Arc<Reporter>,
    interrupt: Interrupt,
    session: Session,
    begun: Instant,
    /// When the phase that runs began.
    phase: Instant,
    /// The phases that have ended.
    seconds: Seconds,
}

impl<'a> Job<'a> {
    /// Checks the files to be written, catches Ctrl-C and opens the devices.
    ///
    /// # Errors
    /// When a file cannot be written or there is no such device, on any rank.
    pub(super) fn start(asked: Asked<'a>, outputs: &Outputs, ranks: &'a Arc<dyn Collective>) -> Result<Self, Failure> {
        let begun = Instant::now();
        let inputs = asked.input.files.iter().chain(asked.beside.iter().copied().flatten());
        let checked = if ranks.rank() == 0 { outputs.check_for(ranks.size(), inputs) } else { Ok(()) };
        ranks::agree(&**ranks, checked)?;
        let quiet = asked.report.verbosity.quiet;
        let reporter = Arc::new(Reporter::new(quiet || ranks::is_silent()));
        let interrupt = Interrupt::catch(quiet, "the round that runs is the last, its results are written")?;
        let session = open_session_of(ranks, &asked.compute.device, &asked.compute.resources, &interrupt)?;
        Ok(Self { asked, ranks, reporter, interrupt, session, begun, phase: begun, seconds: Seconds::default() })
    }

    /// The devices.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Where progress is shown.
    pub(super) fn reporter(&self) -> &Arc<Reporter> {
        &self.reporter
    }

    /// The processes that do the job together.
    pub(super) fn ranks(&self) -> &dyn Collective {
        &**self.ranks
    }

    /// Opens the input: the phase of loading begins.
    ///
    /// # Errors
    /// When a file cannot be read, on any rank.
    pub(super) fn load(&mut self) -> Result<Box<dyn RowSource>> {
        let source = self.load_as(data::open)?;
        source.notes().iter().for_each(|note| self.reporter.warn(note));
        Ok(source)
    }

    /// The same, of input that `open` makes something else of than rows.
    ///
    /// # Errors
    /// When a file cannot be read, on any rank.
    pub(super) fn load_as<T: Send>(
        &mut self,
        open: impl FnOnce(&[PathBuf], &ReadOptions) -> Result<T> + Send,
    ) -> Result<T> {
        self.phase = Instant::now();
        let input = self.asked.input;
        self.reporter.show("load", None, input.names());
        let options = input.options(self.session.memory().limit());
        self.ranks.agree(self.session.install(|| open(&input.files, &options)))
    }

    /// Gives rows the weights of a file, where there is one.
    ///
    /// # Errors
    /// When they are no weights of these rows, on any rank.
    pub(super) fn weighted<'d>(&self, dataset: Dataset<'d>, weights: Option<&PathBuf>) -> Result<Dataset<'d>> {
        self.ranks.agree(match weights {
            Some(path) => data::open(std::slice::from_ref(path), &ReadOptions::default())
                .and_then(|weights| dataset.with_weights(weights)),
            None => Ok(dataset),
        })
    }

    /// Ends the phase of loading; false where the job was interrupted in it, and there is nothing to go on with.
    ///
    /// # Errors
    /// When the ranks cannot agree.
    pub(super) fn goes_on(&mut self) -> Result<bool> {
        self.seconds.load = self.phase.elapsed().as_secs_f64();
        let interrupted = ranks::any(self.ranks(), self.interrupt.is_set())?;
        if interrupted {
            self.reporter.warn("interrupted before the first round: there are no results to write");
        }
        Ok(!interrupted)
    }

    /// Ends progress, tells the warnings of the work, and writes its files.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn write(
        &mut self,
        warnings: &[String],
        write: impl FnOnce(&dyn Collective) -> Result<()>,
    ) -> Result<()> {
        self.reporter.finish();
        warnings.iter().for_each(|warning| self.reporter.warn(warning));
        self.phase = Instant::now();
        write(self.ranks())?;
        self.seconds.write = self.phase.elapsed().as_secs_f64();
        Ok(())
    }

    /// The head of the report, as far as the job knows it: what the algorithm did is the algorithm's to fill in.
    pub(super) fn head(&self) -> Head {
        let devices = device::of_session(&self.session, &self.asked.compute.device);
        Head {
            device: device::joined(&devices),
            devices,
            seed: self.asked.compute.seed,
            seconds: Seconds { total: self.begun.elapsed().as_secs_f64(), ..self.seconds },
            peak_rss_mb: peak_rss_mb(),
            ranks: self.ranks.size(),
            ..Head::default()
        }
    }

    /// What every summary says of the settings, after the algorithm's own words.
    pub(super) fn settings_in_words(&self, own: &[String], after: &[String]) -> String {
        let ranks = self.ranks.size();
        let mut words = own.to_vec();
        words.push(format!("seed {}", self.asked.compute.seed));
        words.push(number::counted(self.session.threads() as u64, "thread"));
        words.extend((ranks > 1).then(|| format!("{ranks} ranks")));
        words.extend(after.iter().cloned());
        words.join(", ")
    }

    /// Prints the result: the object or the summary, for which `summary` is given the names of the input.
    ///
    /// # Errors
    /// When standard output takes nothing.
    pub(super) fn print(
        &self,
        json: impl FnOnce() -> Value,
        summary: impl FnOnce(&str) -> String,
    ) -> Result<(), Failure> {
        let asked = self.asked;
        print(&if asked.report.json { format!("{}\n", json()) } else { summary(&asked.input.names()) })
    }
}

/// How a job ended whose work was interrupted, or was not.
pub(super) fn ended(interrupted: bool) -> Ended {
    if interrupted { Ended::Interrupted } else { Ended::Done }
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
