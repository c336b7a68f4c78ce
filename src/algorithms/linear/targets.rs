//! Targets as the kernels see them: a table of the target and the weight of each row.

use crate::algorithms::measured::other_program;
use crate::collective::Collective;
use crate::data::wire::{read_list, write_list};
use crate::data::{Dataset, RowSource, Weights};
use crate::{Error, Place, Result};
use std::ops::Range;

/// Rows that are read at a time.
const PIECE: usize = 4096;

/// Classes beyond which numbers are taken for measurements.
const MOST_CLASSES: usize = 4096;

/// What a target becomes.
#[derive(Debug, Clone)]
pub(super) enum Coding {
    /// The number of its class among these, which are sorted.
    Classes(Vec<f64>),
    /// Less the mean, times the scale.
    Scaled { mean: f64, scale: f64 },
}

/// n × 2: the coded target, and the weight, 1 where rows have none.
pub(super) struct Targets<'a> {
    pub(super) source: &'a Dataset<'a>,
    pub(super) coding: Coding,
    pub(super) weights: Option<&'a Weights>,
}

impl<'a> Targets<'a> {
    /// The same with other weights, where there are any.
    pub(super) fn weighted<'b>(&self, weights: Option<&'b Weights>) -> Targets<'b>
    where
        'a: 'b,
    {
        Targets { source: self.source, coding: self.coding.clone(), weights: weights.or(self.weights) }
    }

    fn code(&self, target: f64) -> Option<f64> {
        match &self.coding {
            Coding::Classes(classes) => {
                classes.binary_search_by(|class| class.total_cmp(&(target + 0.0))).ok().map(|class| class as f64)
            }
            Coding::Scaled { mean, scale } => Some((target - mean) * scale),
        }
    }
}

impl RowSource for Targets<'_> {
    fn rows(&self) -> u64 {
        self.source.rows()
    }

    fn columns(&self) -> usize {
        2
    }

    fn will_need(&self, rows: Range<u64>) {
        self.source.source().will_need(rows);
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        let rows = out.len() / 2;
        let mut targets = vec![0.0; rows];
        self.source.source().read_f64(first, &mut targets)?;
        let not_held = || Error::parameter("weights", "those rows are not of this process's share");
        let weights = self.weights.map(|weights| weights.of(first..first + rows as u64).ok_or_else(not_held));
        let weights = weights.transpose()?;
        for (at, (out, target)) in out.chunks_exact_mut(2).zip(targets).enumerate() {
            out[0] = self.code(target).ok_or_else(|| {
                let message = format!("{target} was not there when the classes were counted: does the file change?");
                Error::data(self.place(first + at as u64, 0), message)
            })?;
            out[1] = weights.map_or(1.0, |weights| f64::from(weights[at]));
        }
        Ok(())
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        let mut wide = vec![0.0; out.len()];
        self.read_f64(first, &mut wide)?;
        let origin = |at: usize| origin.get(at % 2).copied().unwrap_or(0.0);
        out.iter_mut().zip(wide).enumerate().for_each(|(at, (out, value))| *out = (value - origin(at)) as f32);
        Ok(())
    }

    fn place(&self, row: u64, column: usize) -> Place {
        if column == 1 { Place::of("weights").row(row) } else { self.source.source().place(row, 0) }
    }
}

/// The distinct targets, sorted; all ranks call this together, each for its share.
pub(super) fn classes(targets: &Dataset, collective: &dyn Collective) -> Result<Vec<f64>> {
    let own = distinct(targets).map(|classes| {
        let mut bytes = Vec::new();
        write_list(&classes, &mut bytes);
        bytes
    });
    let mut all = Vec::new();
    for bytes in collective.exchange(own)? {
        all.extend(read_list::<f64>(&mut bytes.as_slice()).ok_or_else(other_program)?);
    }
    all.sort_unstable_by(f64::total_cmp);
    all.dedup();
    if all.len() > MOST_CLASSES {
        return Err(too_many());
    }
    if all.len() < 2 {
        let class = all.first().copied().unwrap_or(0.0);
        return Err(Error::parameter("targets", format!("all rows are of one class, {class}: give rows of 2 or more")));
    }
    Ok(all)
}

fn distinct(targets: &Dataset) -> Result<Vec<f64>> {
    let share = targets.share();
    let mut classes: Vec<f64> = Vec::new();
    let mut piece = vec![0.0; PIECE];
    for first in share.clone().step_by(PIECE) {
        let piece = &mut piece[..PIECE.min((share.end - first) as usize)];
        targets.source().read_f64(first, piece)?;
        for target in piece {
            // −0 is the class 0.
            let target = *target + 0.0;
            if let Err(at) = classes.binary_search_by(|class| class.total_cmp(&target)) {
                classes.insert(at, target);
            }
        }
        if classes.len() > MOST_CLASSES {
            return Err(too_many());
        }
    }
    Ok(classes)
}

fn too_many() -> Error {
    let message = format!(
        "there are more than {MOST_CLASSES} distinct ones: classes are few; for measurements take a regression"
    );
    Error::parameter("targets", message)
}
