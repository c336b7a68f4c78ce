//! Keeping what a queue has come to, so that a run that was cut off goes on from there.
//!
//! `files` knows how a checkpoint lies on the disk, `state` how objects get into one and out of one; here is when.

mod files;
mod state;

use super::context::ComContext;
use super::key::{Declared, Keys, Kind};
use super::listener::Stop;
use super::ranks::Ranks;
use super::rounds::ReadyBody;
use super::session::Session;
use crate::collective::Collective;
use crate::{Error, Result};
use files::{Manifest, Part};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a checkpoint is written, besides at the end.
///
/// Its text form is that of the command line: `12` rounds, `90s`, `5min`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// After every so many rounds.
    Rounds(u32),
    /// At the end of the round in which so much time has passed since the last one.
    Time(Duration),
}

impl Default for Every {
    fn default() -> Self {
        Self::Time(Duration::from_secs(10))
    }
}

impl std::str::FromStr for Every {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = |scale: f64| {
            let time = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()?;
            Some(Self::Time(time))
        };
        let every = match unit.trim() {
            "" => number.parse().ok().filter(|rounds| *rounds > 0).map(Self::Rounds),
            "s" => seconds(1.0),
            "min" => seconds(60.0),
            "h" => seconds(3600.0),
            _ => None,
        };
        every.ok_or_else(|| Error::parameter("every", "take a number of rounds, or a time such as 30s, 5min or 2h"))
    }
}

type Write<'a> = Box<dyn Fn() -> Vec<u8> + Send + Sync + 'a>;

/// When a queue writes down where it stands, and what.
///
/// ```
/// use superstep::queue::{Checkpoint, Compute, Every, IterativeComQueue, Key, Objects, Session};
///
/// const TOTAL: Key<u64> = Key::new("total");
///
/// let folder = tempfile::tempdir().unwrap();
/// let session = Session::cpu()?;
/// let run = |rounds: u32, add: u64| {
///     let checkpoint = Checkpoint::new(folder.path()).keeps(TOTAL).every(Every::Rounds(2)).fingerprint("add", add);
///     let found = checkpoint.find(&session)?;
///     IterativeComQueue::new(&session)
///         .init_with_broadcast_data(TOTAL, 0)
///         .add(Compute::new("add", Objects::reads(TOTAL).writes(TOTAL), move |cx| {
///             let total = cx.get(TOTAL)? + add;
///             cx.put(TOTAL, total)
///         }))
///         .set_max_iter(rounds)
///         .checkpoint(checkpoint.resume(found))
///         .close_with(|cx| Ok((cx.step_no(), cx.take(TOTAL)?)))
///         .exec()
/// };
/// assert_eq!(run(5, 3)?, (5, 15));
/// assert_eq!(run(7, 3)?, (7, 21)); // two rounds more
/// let message = run(7, 4).unwrap_err().to_string();
/// assert!(message.contains("`add` is 4 here and 3 in the checkpoint"), "{message}");
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// A checkpoint holds the objects that it [`keeps`](Self::keeps), the round, notes, and a fingerprint of the data and the
/// settings. It is written at the end of a round when that is due, when the session is interrupted, and when the queue ends. At
/// every moment the folder holds a whole checkpoint, the new one or the one before: files are written under a name of their
/// own, brought to the disk, and then named by `checkpoint.json`, which is replaced in one step.
///
/// Where there are several ranks, all must see the folder. Any number of them, and any devices, may go on with it.
pub struct Checkpoint<'a> {
    folder: PathBuf,
    every: Every,
    keeps: Vec<Declared>,
    fingerprint: Vec<(String, String)>,
    notes: Vec<(String, Write<'a>)>,
    from: Option<Saved>,
}

impl<'a> Checkpoint<'a> {
    /// Checkpoints in this folder, which is made where it is not there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            every: Every::default(),
            keeps: Vec::new(),
            fingerprint: Vec::new(),
            notes: Vec::new(),
            from: None,
        }
    }

    /// The objects that a round goes on from. One whose shape is declared as [`ShapeRule::rows_of`](super::ShapeRule::rows_of)
    /// is kept row by row; all others must be the same on every task at the end of a round. Objects of the host say how they are
    /// written, as those that [travel](super::Object::TRAVELS).
    #[must_use]
    pub fn keeps(mut self, keys: impl Keys) -> Self {
        keys.declare(&mut self.keeps);
        self
    }

    /// How often one is written; by default every 10 seconds.
    #[must_use]
    pub fn every(mut self, every: Every) -> Self {
        self.every = every;
        self
    }

    /// Adds a setting, or a hash of data, that a run must have the same of to go on with a checkpoint. The shapes of partitioned
    /// rows and the crate's version are always part of it.
    #[must_use]
    pub fn fingerprint(mut self, name: impl Into<String>, value: impl std::fmt::Display) -> Self {
        self.fingerprint.push((name.into(), value.to_string()));
        self
    }

    /// Keeps some bytes that are no object of the queue, such as what a listener has gathered: `write` makes them when a checkpoint is
    /// written, on the rank of task 0. [`Saved::note`] gives them back.
    #[must_use]
    pub fn note(mut self, name: impl Into<String>, write: impl Fn() -> Vec<u8> + Send + Sync + 'a) -> Self {
        self.notes.push((name.into(), Box::new(write)));
        self
    }

    /// The checkpoint that the folder holds, if it holds one. All ranks of the session call this together.
    ///
    /// # Errors
    /// When it is one of other data or settings, which are named; when it cannot be read, or is damaged.
    pub fn find(&self, session: &Session) -> Result<Option<Saved>> {
        session.collective().agree(Saved::read(&self.folder).and_then(|found| {
            found.as_ref().map_or(Ok(()), |found| found.check(&self.fingerprint))?;
            Ok(found)
        }))
    }

    /// Whether the folder can take the checkpoints of a run that begins anew: one of a run that was cut off is not written over.
    /// All ranks of the session call this together.
    ///
    /// # Errors
    /// When it holds such a one, or cannot be read.
    pub fn is_free(&self, session: &Session) -> Result<()> {
        session.collective().agree(free(&self.folder).map(drop))
    }

    /// Goes on from what was [found](Self::find); where that is nothing, from the beginning.
    #[must_use]
    pub fn resume(mut self, found: Option<Saved>) -> Self {
        self.from = found;
        self
    }

    /// What it goes on from.
    pub(super) fn from(&self) -> Option<&Saved> {
        self.from.as_ref()
    }

    /// How many rounds were done before.
    pub(super) fn begins(&self) -> u32 {
        self.from.as_ref().map_or(0, Saved::rounds)
    }
}

/// A checkpoint that was found.
pub struct Saved {
    folder: PathBuf,
    manifest: Manifest,
    /// The file of the first rank, which has the notes and what is the same on all tasks.
    first: Part,
}

impl Saved {
    fn read(folder: &Path) -> Result<Option<Self>> {
        let Some(manifest) = Manifest::read(folder)? else { return Ok(None) };
        let first = manifest.part(folder, 0)?;
        Ok(Some(Self { folder: folder.to_owned(), manifest, first }))
    }

    /// How many rounds were done.
    pub fn rounds(&self) -> u32 {
        self.manifest.round
    }

    /// Why the queue had ended; `None` where it was cut off or interrupted.
    pub fn ended(&self) -> Option<Stop> {
        self.manifest.ended
    }

    /// What was [noted](Checkpoint::note) under this name.
    pub fn note(&self, name: &str) -> Option<&[u8]> {
        self.first.note(name)
    }

    /// What the tasks of a job of one rank have come to, in memory: `keeps` are the objects that a round goes on from.
    pub(super) fn of_tasks(round: u32, keeps: &[Declared], ready: &ReadyBody, tasks: &[ComContext]) -> Result<Self> {
        let first = state::gather_in_memory(keeps, ready, tasks)?;
        let parts = vec![first.unwritten()];
        let manifest = Manifest { generation: 0, round, ended: None, fingerprint: Vec::new(), parts };
        Ok(Self { folder: PathBuf::new(), manifest, first })
    }

    /// The bytes of memory that its arrays take, where it is in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.first.bytes()
    }

    /// Brings tasks, of whatever rows, to where others have left off.
    pub(super) fn give(&self, keeps: &[Declared], ready: &ReadyBody, tasks: &mut [ComContext]) -> Result<()> {
        state::restore(self, keeps, ready, tasks)
    }

    fn check(&self, fingerprint: &[(String, String)]) -> Result<()> {
        for (name, here) in fingerprint {
            let there = self.manifest.fingerprint.iter().find(|(other, _)| other == name).map(|(_, value)| value);
            if there != Some(here) {
                let there = there.map_or("not there", String::as_str);
                let message = format!(
                    "it is one of other data or settings: `{name}` is {here} here and {there} in the checkpoint; give what it \
                     was made with, or another folder"
                );
                return Err(Error::parameter(self.folder.display().to_string(), message));
            }
        }
        Ok(())
    }
}

/// The checkpoint of a folder, if there is one, of a run that has ended.
fn free(folder: &Path) -> Result<Option<Manifest>> {
    let found = Manifest::read(folder)?;
    if let Some(round) = found.as_ref().filter(|found| found.ended.is_none()).map(|found| found.round) {
        let message = format!(
            "it holds the checkpoint of a run that was cut off after round {round}: resume that, or take another folder"
        );
        return Err(Error::parameter(folder.display().to_string(), message));
    }
    Ok(found)
}

/// Writes the checkpoints of a run.
pub(crate) struct Keeper<'c, 'a> {
    checkpoint: &'c Checkpoint<'a>,
    fingerprint: Vec<(String, String)>,
    /// Numbers the files, so that those of the checkpoint before stay until the next one is whole.
    generation: u64,
    written: Instant,
}

impl<'c, 'a> Keeper<'c, 'a> {
    /// Makes the folder ready, and brings the tasks to where the checkpoint left off, if there is one. `rows` are the shapes of
    /// partitioned rows.
    pub(super) fn new(
        checkpoint: &'c Checkpoint<'a>,
        rows: &[(&'static str, u64, usize)],
        ready: &ReadyBody,
        tasks: &mut [ComContext],
    ) -> Result<Self> {
        let folder = &checkpoint.folder;
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let mut fingerprint = vec![("superstep".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
        fingerprint.extend(rows.iter().map(|(name, rows, d)| (format!("shape of {name}"), format!("{rows} × {d}"))));
        fingerprint.extend(checkpoint.fingerprint.iter().cloned());
        let mut generation = 0;
        if let Some(saved) = &checkpoint.from {
            saved.check(&fingerprint)?;
            state::restore(saved, &checkpoint.keeps, ready, tasks)?;
            generation = saved.manifest.generation;
        } else if let Some(other) = free(folder)? {
            generation = other.generation;
        }
        Ok(Self { checkpoint, fingerprint, generation, written: Instant::now() })
    }

    /// Where rounds go on: the last one that was done, and why it was the last.
    pub(super) fn begins(&self) -> (u32, Option<Stop>) {
        self.checkpoint.from.as_ref().map_or((0, None), |saved| (saved.rounds(), saved.ended()))
    }

    /// Whether one is to be written at the end of this round.
    pub(super) fn is_due(&self, round: u32) -> bool {
        match self.checkpoint.every {
            Every::Rounds(rounds) => round.is_multiple_of(rounds.max(1)),
            Every::Time(time) => self.written.elapsed() >= time,
        }
    }

    /// Writes one, with all ranks.
    pub(super) fn write(
        &mut self,
        round: u32,
        ended: Option<Stop>,
        ready: &ReadyBody,
        tasks: &[ComContext],
        (ranks, collective): (&Ranks, &dyn Collective),
    ) -> Result<()> {
        let Checkpoint { folder, keeps, notes, .. } = self.checkpoint;
        self.generation += 1;
        let is_first = ranks.has_first_task();
        let part = state::gather(keeps, ready, tasks, is_first).and_then(|mut part| {
            if is_first {
                notes.iter().for_each(|(name, write)| part.add_note(name, write()));
            }
            part.write(folder, self.generation, collective.rank())
        });
        let parts = collective.exchange(part)?;
        let manifest = Manifest {
            generation: self.generation,
            round,
            ended: ended.filter(|stop| *stop != Stop::Interrupted),
            fingerprint: self.fingerprint.clone(),
            parts,
        };
        let written = if is_first { manifest.write(folder) } else { Ok(()) };
        collective.agree(written)?;
        // From here on the new one counts: what is left of older ones is in nobody's way.
        if is_first {
            manifest.clear_others(folder);
        }
        self.written = Instant::now();
        Ok(())
    }
}

/// Whether an object is one of the host, which is written as its own bytes.
fn is_encoded(declared: &Declared) -> bool {
    matches!(declared.kind, Kind::Object(of) if of.element.is_none())
}
