//! What becomes of clusters that no row belongs to.

use super::keys::{CENTROIDS, LABELS, PARTIALS, POINTS, SUMMARY, Summary, WEIGHTS};
use super::metric::Metric;
use super::plan::{Plan, rows_a_block};
use crate::backend::cpu::Partials;
use crate::data::wire::{Word, read_list, write_list};
use crate::queue::{ComContext, ComputeFunction, Key, Object, Objects};
use crate::{Error, Result};
use rayon::prelude::*;

/// The rows that empty clusters move to; only in rounds that have such clusters.
pub(super) const FARTHEST: Key<Farthest> = Key::new("farthest").per_round();

/// The rows farthest from their centroids, the farthest first; of two equally far, the one of the lower number.
#[derive(Clone, Debug, Default)]
pub(super) struct Farthest {
    limit: usize,
    rows: Vec<FarRow>,
}

impl Object for Farthest {
    const TRAVELS: bool = true;

    fn encode(&self) -> Option<Vec<u8>> {
        let mut to = Vec::new();
        (self.limit as u64).write(&mut to);
        for FarRow { distance, row, label, weight, values } in &self.rows {
            distance.write(&mut to);
            row.write(&mut to);
            label.write(&mut to);
            weight.write(&mut to);
            write_list(values, &mut to);
        }
        Some(to)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        let limit = usize::try_from(u64::read(from)?).ok()?;
        let mut rows = Vec::new();
        while !from.is_empty() {
            rows.push(FarRow {
                distance: f64::read(from)?,
                row: u64::read(from)?,
                label: u32::read(from)?,
                weight: f32::read(from)?,
                values: read_list(from)?,
            });
        }
        Some(Self { limit, rows })
    }
}

#[derive(Clone, Debug)]
struct FarRow {
    distance: f64,
    row: u64,
    label: u32,
    weight: f32,
    values: Vec<f32>,
}

impl Farthest {
    /// Adds the rows of another list and keeps the farthest of all.
    pub(super) fn merge(&mut self, other: &Self) {
        self.limit = self.limit.max(other.limit);
        self.rows.extend_from_slice(&other.rows);
        self.rows.sort_by(|a, b| b.distance.total_cmp(&a.distance).then(a.row.cmp(&b.row)));
        self.rows.truncate(self.limit);
    }

    /// Whether a row would stay on the list.
    fn takes(&self, distance: f64) -> bool {
        self.rows.len() < self.limit || self.rows.last().is_some_and(|last| distance > last.distance)
    }
}

/// Finds the rows that empty clusters will move to; puts nothing where no cluster is empty.
pub(super) struct FindFarthest(pub(super) Plan);

impl ComputeFunction for FindFarthest {
    fn objects(&self) -> Objects {
        let objects = Objects::reads((POINTS, LABELS, CENTROIDS, SUMMARY)).writes(FARTHEST).only_when_seen();
        if self.0.weighted { objects.and(Objects::reads(WEIGHTS)) } else { objects }
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.step_no() == 1 {
            return Ok(());
        }
        let empty = Summary::of_words(cx.get(SUMMARY)?)?.empty as usize;
        if empty == 0 {
            return Ok(());
        }
        let farthest = self.find(cx, empty)?;
        cx.put(FARTHEST, farthest)
    }
}

impl FindFarthest {
    fn find(&self, cx: &ComContext, limit: usize) -> Result<Farthest> {
        let length = rows_a_block(self.0.d);
        let rows = cx.rows(POINTS)?;
        let weights = if self.0.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let (labels, centroids) = (cx.get(LABELS)?, cx.get(CENTROIDS)?);
        let centroids = centroids.as_standard_layout();
        let values = centroids.as_slice().unwrap_or(&[]);
        let distance_to = |row: &[f32], label: u32| {
            let centroid = values.get(label as usize * self.0.d..).unwrap_or(&[]);
            row.iter().zip(centroid).map(|(x, c)| self.term(*x, *c)).sum::<f64>()
        };
        let blocks = labels.par_chunks(length).enumerate().map(|(block, labels)| {
            let (first, mut scratch, mut weight_scratch) = (block * length, Vec::new(), Vec::new());
            let range = first..first + labels.len();
            let values = rows.read(range.clone(), &mut scratch)?;
            let weights = weights.as_ref().map(|w| w.read(range, &mut weight_scratch)).transpose()?;
            let mut farthest = Farthest { limit, rows: Vec::new() };
            for (at, (values, &label)) in values.chunks_exact(self.0.d).zip(labels).enumerate() {
                let weight = weights.map_or(1.0, |weights| weights[at]);
                // A row without weight would leave the cluster it moves to as empty as before.
                if weight == 0.0 {
                    continue;
                }
                let distance = distance_to(values, label);
                if farthest.takes(distance) {
                    let row = rows.first_row() + (first + at) as u64;
                    let row = FarRow { distance, row, label, weight, values: values.to_vec() };
                    farthest.merge(&Farthest { limit, rows: vec![row] });
                }
            }
            Ok(farthest)
        });
        let blocks = blocks.collect::<Result<Vec<Farthest>>>()?;
        let mut farthest = Farthest { limit, rows: Vec::new() };
        blocks.iter().for_each(|block| farthest.merge(block));
        Ok(farthest)
    }

    fn term(&self, x: f32, c: f32) -> f64 {
        let difference = f64::from(x) - f64::from(c);
        if self.0.metric == Metric::CityBlock { difference.abs() } else { difference * difference }
    }
}

/// Moves one far row into each empty cluster, out of the sums of the cluster it was in: scikit-learn's
/// `_relocate_empty_clusters`. Where all rows coincide with their centroids there is nowhere to move to.
pub(super) struct Relocate(pub(super) Plan);

impl ComputeFunction for Relocate {
    fn objects(&self) -> Objects {
        Objects::reads(FARTHEST).updates(PARTIALS).once_per_device().only_when_seen()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if !cx.contains(FARTHEST) {
            return Ok(());
        }
        let mut partials = Partials::from_values(&self.0.fixed, self.0.k, cx.get(PARTIALS)?.clone())?;
        let empty: Vec<u32> =
            (0..self.0.k as u32).filter(|&cluster| partials.mass_units(cluster as usize) == 0).collect();
        let farthest = &cx.get(FARTHEST)?.rows;
        if farthest.first().is_none_or(|row| row.distance == 0.0) {
            return Ok(());
        }
        for (cluster, row) in empty.into_iter().zip(farthest) {
            partials.move_row(&row.values, self.0.weighted.then_some(row.weight), row.label, cluster)?;
        }
        cx.put(PARTIALS, partials.into_values())
    }
}

/// The same for medians, which have no sums: the empty cluster's centroid becomes the far row.
pub(super) struct Reseat(pub(super) Plan);

impl ComputeFunction for Reseat {
    fn objects(&self) -> Objects {
        Objects::reads((FARTHEST, PARTIALS)).updates(CENTROIDS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if !cx.contains(FARTHEST) {
            return Ok(());
        }
        let partials = Partials::from_values(&self.0.fixed, self.0.k, cx.get(PARTIALS)?.clone())?;
        let empty = (0..self.0.k as u32).filter(|&cluster| partials.mass_units(cluster as usize) == 0);
        let farthest = cx.get(FARTHEST)?.rows.iter().filter(|row| row.distance > 0.0);
        let seats: Vec<(u32, Vec<f32>)> = empty.zip(farthest.map(|row| row.values.clone())).collect();
        let mut centroids = cx.get(CENTROIDS)?.clone();
        for (cluster, values) in seats {
            centroids.row_mut(cluster as usize).iter_mut().zip(values).for_each(|(to, from)| *to = from);
        }
        cx.put(CENTROIDS, centroids)
    }
}

/// Takes empty clusters out of the running: each becomes a twin of the first cluster that has rows. A tie goes to the
/// lower index, so of two twins only one keeps rows, and the rest are cut off when the fit is complete.
pub(super) struct DropEmpty(pub(super) Plan);

impl ComputeFunction for DropEmpty {
    fn objects(&self) -> Objects {
        Objects::reads((PARTIALS, SUMMARY)).updates(CENTROIDS).once_per_device().only_when_seen()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.step_no() == 1 || Summary::of_words(cx.get(SUMMARY)?)?.empty == 0 {
            return Ok(());
        }
        let partials = Partials::from_values(&self.0.fixed, self.0.k, cx.get(PARTIALS)?.clone())?;
        let (empty, alive): (Vec<u32>, Vec<u32>) =
            (0..self.0.k as u32).partition(|&cluster| partials.mass_units(cluster as usize) == 0);
        let nothing = || Error::wiring("DropEmpty", PARTIALS.name(), "no cluster has rows");
        let twin = *alive.first().ok_or_else(nothing)? as usize;
        let mut centroids = cx.get(CENTROIDS)?.clone();
        let values = centroids.row(twin).to_owned();
        for cluster in empty {
            centroids.row_mut(cluster as usize).assign(&values);
        }
        cx.put(CENTROIDS, centroids)
    }
}
