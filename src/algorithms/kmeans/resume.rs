//! Checkpoints of a fit: each start has a folder of its own.

use super::keys::STATE;
use super::params::KMeans;
use super::prepare::Prepared;
use super::progress::Round;
use super::watch::Watch;
use crate::data::wire::{Word, read_list, write_list};
use crate::queue::{Checkpoint, Saved, Session};
use crate::{Error, Result};
use ndarray::Array2;
use std::sync::Arc;

/// The first centroids, from which the units of the sums follow.
const START: &str = "first centroids";
const TRACE: &str = "trace";

/// The first centroids, and the updates and rounds since then of a start that was cut off.
pub(super) type Begin = (Array2<f32>, u32, Vec<Round>);

/// Where a start's checkpoints go, and what one was found to hold.
pub(super) struct Resumed {
    checkpoint: Checkpoint<'static>,
    found: Option<Saved>,
}

impl KMeans {
    /// Looks for a checkpoint of each start, or makes sure that there is room for new ones. `None` where none are written.
    pub(super) fn resumed(&self, session: &Session, prepared: &Prepared) -> Result<Vec<Option<Resumed>>> {
        let Some((folder, every)) = &self.checkpoint else {
            return Ok((0..self.starts()).map(|_| None).collect());
        };
        let data = prepared.fingerprint()?;
        let of_start = |start: usize| {
            let mut checkpoint = Checkpoint::new(folder.join(format!("start-{}", start + 1))).every(*every);
            for (name, value) in self.settings(prepared.dataset()) {
                checkpoint = checkpoint.fingerprint(name, value);
            }
            let checkpoint = checkpoint.fingerprint("data", &data).keeps(STATE);
            let found = if self.resume { checkpoint.find(session)? } else { None };
            if !self.resume {
                checkpoint.is_free(session)?;
            }
            Ok(Some(Resumed { checkpoint, found }))
        };
        (0..self.starts()).map(of_start).collect()
    }
}

impl Resumed {
    /// The first centroids of the start that was cut off, and its rounds so far.
    pub(super) fn begun(&self) -> Result<Option<Begin>> {
        let Some(found) = &self.found else { return Ok(None) };
        let lacks =
            || Error::parameter("checkpoint", "it lacks the first centroids or the trace: was it one of k-means?");
        let centroids = found.note(START).and_then(read_centroids).ok_or_else(lacks)?;
        let (iterations, trace) = found.note(TRACE).and_then(Watch::decode).ok_or_else(lacks)?;
        Ok(Some((centroids, iterations, trace)))
    }

    /// Keeps what the fit needs to go on besides its objects.
    pub(super) fn checkpoint(self, init: &Array2<f32>, watch: &Arc<Watch>) -> Checkpoint<'static> {
        let (init, watch) = (init.clone(), watch.clone());
        let checkpoint = self.checkpoint.resume(self.found).note(START, move || write_centroids(&init));
        checkpoint.note(TRACE, move || watch.encode())
    }
}

fn write_centroids(centroids: &Array2<f32>) -> Vec<u8> {
    let mut to = Vec::new();
    (centroids.ncols() as u64).write(&mut to);
    write_list(&centroids.iter().copied().collect::<Vec<f32>>(), &mut to);
    to
}

fn read_centroids(mut from: &[u8]) -> Option<Array2<f32>> {
    let columns = usize::try_from(u64::read(&mut from)?).ok()?;
    let values = read_list::<f32>(&mut from)?;
    Array2::from_shape_vec((values.len().checked_div(columns)?, columns), values).ok()
}
