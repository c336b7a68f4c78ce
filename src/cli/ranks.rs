//! The processes of a job under `mpirun`: joining them, speaking for them, and writing one file together.

use super::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use superstep::collective::{Collective, Local};
use superstep::data::output::{self, SharedFile};
use superstep::{Error, Result};

/// How launchers say how many processes they have started, and which of them this is: Open MPI, then MPICH and its kin
/// (and `srun --mpi=pmi2`), then Slurm.
const LAUNCHERS: [(&str, &str); 3] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
];

/// Set in every process but the one that speaks for all.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Whether another process speaks for this one.
pub(super) fn is_silent() -> bool {
    SILENT.load(Ordering::Relaxed)
}

/// Joins the processes that a launcher has started with this one; this process alone where there is no launcher.
///
/// # Errors
/// Where there are several and this program cannot talk to them, or MPI does not start.
pub(super) fn join() -> Result<Arc<dyn Collective>, Failure> {
    let Some((size, rank)) = launched(|name| std::env::var(name).ok()) else { return Ok(Arc::new(Local)) };
    SILENT.store(rank > 0, Ordering::Relaxed);
    connect(size)
}

/// Refuses to run as one of several processes.
///
/// # Errors
/// Where a launcher has started several.
pub(super) fn alone(command: &str) -> Result<(), Failure> {
    let Some((size, rank)) = launched(|name| std::env::var(name).ok()) else { return Ok(()) };
    SILENT.store(rank > 0, Ordering::Relaxed);
    let message = format!("{size} processes were started, and this runs as one: start it without mpirun or srun");
    Err(Failure::Usage(Error::parameter(command, message)))
}

/// How many processes a launcher has started and which this is, where they are several.
fn launched(variable: impl Fn(&str) -> Option<String>) -> Option<(usize, usize)> {
    let number = |name: &str| variable(name)?.parse::<usize>().ok();
    let found = LAUNCHERS.iter().find_map(|(size, rank)| Some((number(size)?, number(rank).unwrap_or(0))));
    found.filter(|(size, _)| *size > 1)
}

#[cfg(feature = "mpi")]
fn connect(_: usize) -> Result<Arc<dyn Collective>, Failure> {
    let mpi = superstep::collective::Mpi::init()?;
    SILENT.store(mpi.rank() > 0, Ordering::Relaxed);
    // A process that panics agrees on nothing with the others, and they would wait for it.
    let (held, usual) = (Arc::downgrade(&mpi), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        if let Some(mpi) = held.upgrade() {
            mpi.abort(101);
        }
    }));
    Ok(mpi)
}

#[cfg(not(feature = "mpi"))]
fn connect(size: usize) -> Result<Arc<dyn Collective>, Failure> {
    let message = format!(
        "{size} processes were started, but this program was built without MPI: each would do the whole job. Build it \
         with `--features mpi`, or start it once"
    );
    Err(Failure::Usage(Error::parameter("mpirun", message)))
}

/// Agrees on a check of the arguments.
pub(super) fn agree(ranks: &dyn Collective, checked: Result<(), Failure>) -> Result<(), Failure> {
    let checked = checked.map_err(|failure| match failure {
        Failure::Usage(error) | Failure::Job(error) => error,
        Failure::Partly(sentence) => Error::parameter("job", sentence),
    });
    ranks.agree(checked).map_err(Failure::Usage)
}

/// Whether any rank says so.
pub(super) fn any(ranks: &dyn Collective, own: bool) -> Result<bool> {
    Ok(ranks.exchange(Ok(vec![u8::from(own)]))?.iter().any(|said| said.first() == Some(&1)))
}

/// Lets rank 0 do what is to be done once, and all know how it ended.
pub(super) fn once(ranks: &dyn Collective, run: impl FnOnce() -> Result<()>) -> Result<()> {
    ranks.agree(if ranks.rank() == 0 { run() } else { Ok(()) })
}

/// Writes the labels of all ranks' rows into one file, each rank its own at its offset.
///
/// # Errors
/// As [`output::write_labels`], of any rank.
pub(super) fn write_labels(ranks: &dyn Collective, path: &Path, labels: &[u32]) -> Result<()> {
    if ranks.size() == 1 {
        return output::write_labels(path, labels);
    }
    let head = |rows| output::labels_head(path, rows);
    write_parts(ranks, path, labels.len(), head, || output::labels_part(path, labels))
}

/// Writes one file of what each rank has of its own `rows`: `head` makes what it begins with from the number of all rows,
/// `part` the bytes of a rank's own.
///
/// # Errors
/// Those of `head` and `part`, and what the operating system said, of any rank.
fn write_parts(
    ranks: &dyn Collective,
    path: &Path,
    rows: usize,
    head: impl FnOnce(u64) -> Result<Vec<u8>>,
    part: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<()> {
    let mut file = None;
    let begun = if ranks.rank() == 0 { SharedFile::create(path).map(Some) } else { Ok(None) };
    let name = begun.map(|begun| {
        let name = begun.as_ref().map(|begun| begun.temporary().display().to_string().into_bytes());
        file = begun;
        name.unwrap_or_default()
    });
    let names = ranks.exchange(name)?;
    let temporary = PathBuf::from(String::from_utf8_lossy(names.first().map_or(&[], Vec::as_slice)).into_owned());
    let rows = total(ranks, rows)?.1;
    let head = if ranks.rank() == 0 { head(rows) } else { Ok(Vec::new()) };
    let part = head.and_then(|head| Ok([head, part()?].concat()));
    let part = ranks.agree(part)?;
    let (offset, _) = total(ranks, part.len())?;
    ranks.agree(output::write_part(&temporary, offset, &part))?;
    ranks.agree(file.map_or(Ok(()), SharedFile::finish))
}

/// The sum of a number over the ranks before this one, and over all.
fn total(ranks: &dyn Collective, own: usize) -> Result<(u64, u64)> {
    let all = ranks.exchange(Ok((own as u64).to_le_bytes().to_vec()))?;
    let mut sums = (0, 0);
    for (rank, bytes) in all.iter().enumerate() {
        let number = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        sums.0 += if rank < ranks.rank() { number } else { 0 };
        sums.1 += number;
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_told_by_their_variables() {
        let with = |pairs: &'static [(&str, &str)]| {
            launched(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(with(&[("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "2")]), Some((4, 2)));
        assert_eq!(with(&[("PMI_SIZE", "3"), ("PMI_RANK", "0")]), Some((3, 0)));
        assert_eq!(with(&[("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_PROCID", "1")]), Some((2, 1)));
        assert_eq!(with(&[("OMPI_COMM_WORLD_SIZE", "1")]), None);
        assert_eq!(with(&[("SLURM_NTASKS", "8")]), None);
    }
}
