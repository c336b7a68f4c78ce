//! Moving centroids towards the rows of a batch.

use super::super::keys::{CENTROIDS, CHANGES};
use super::super::plan::Plan;
use super::{BATCH, CENTRES, Decay, MASSES, SINCE, UNSEATED};
use crate::Result;
use crate::backend::cpu::Partials;
use crate::queue::{ComContext, ComputeFunction, Objects, ShapeRule};

/// Clusters of less than this part of the largest one's mass are dying.
const DYING: f64 = 1e-8;

/// Moves each centroid towards the mean of its rows: with the mass m it has, faded by the decay, and n rows of sum S that come,
///
/// ```text
/// c ← (m·c + S) / (m + n),   m ← m + n
/// ```
///
/// the update of Flink ML's `OnlineKMeans`, of Spark's `StreamingKMeans` and, where nothing fades, of scikit-learn's
/// `MiniBatchKMeans` (Sculley, "Web-scale k-means clustering", WWW 2010).
pub(super) struct Follow {
    pub(super) plan: Plan,
    pub(super) decay: Decay,
    /// Whether a dying cluster takes half of the largest one: Spark's way.
    pub(super) splits: bool,
    /// Clusters below this part of the largest mass are given new seats now and then: scikit-learn's way; 0 for never.
    pub(super) reassignment_ratio: f64,
}

impl ComputeFunction for Follow {
    fn objects(&self) -> Objects {
        let Plan { k, d, .. } = self.plan;
        Objects::reads((CHANGES, CENTRES, MASSES, SINCE))
            .writes((CENTRES, MASSES, SINCE, CENTROIDS, BATCH, UNSEATED))
            .shape(CENTROIDS, ShapeRule::fixed([k, d]))
            .once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let partials = Partials::from_values(&self.plan.fixed, self.plan.k, cx.get(CHANGES)?.clone())?;
        let (before, mut masses) = (cx.get(CENTRES)?.clone(), cx.get(MASSES)?.clone());
        let rows: f64 = (0..self.plan.k).map(|cluster| partials.mass(cluster)).sum();
        let (since, unseats) = self.unseats(*cx.get(SINCE)?, rows, &masses);
        let faded = self.decay.of_batch(rows);
        masses.iter_mut().for_each(|mass| *mass *= faded);
        let mut centres = before.clone();
        for (cluster, mut centre) in centres.outer_iter_mut().enumerate() {
            let count = partials.mass(cluster);
            if count == 0.0 {
                continue;
            }
            let mass = masses[cluster] + count;
            for (column, value) in centre.iter_mut().enumerate() {
                *value = (*value * masses[cluster] + partials.sum(cluster, column)) / mass;
            }
            masses[cluster] = mass;
            if self.plan.metric.is_spherical() {
                let length = centre.iter().map(|value| value * value).sum::<f64>().sqrt();
                centre.iter_mut().for_each(|value| *value /= if length > 0.0 { length } else { 1.0 });
            }
        }
        if self.splits {
            split_dying(&mut centres, &mut masses);
        }
        let shift = (&centres - &before).mapv(|value| value * value).sum();
        let inertia = self.plan.metric.inertia_of_kernel(partials.inertia());
        let unseated = if unseats { self.unseated(&masses, rows) } else { Vec::new() };
        cx.put(BATCH, vec![rows, inertia, shift])?;
        cx.put(CENTROIDS, centres.mapv(|value| value as f32))?;
        cx.put(CENTRES, centres)?;
        cx.put(MASSES, masses)?;
        cx.put(SINCE, since)?;
        cx.put(UNSEATED, unseated)
    }
}

impl Follow {
    /// Whether clusters may get new seats in this round: where one has no rows yet, or after 10 rows for each cluster.
    fn unseats(&self, since: u64, rows: f64, masses: &[f64]) -> (u64, bool) {
        let since = since + rows as u64;
        let is_time = masses.contains(&0.0) || since >= 10 * self.plan.k as u64;
        if self.reassignment_ratio > 0.0 && is_time { (0, true) } else { (since, false) }
    }

    /// The clusters of too little mass, at most half as many as the batch has rows: of more, the lightest.
    fn unseated(&self, masses: &[f64], rows: f64) -> Vec<u32> {
        let largest = masses.iter().copied().fold(0.0, f64::max);
        let is_light = |cluster: &u32| masses[*cluster as usize] < self.reassignment_ratio * largest;
        let mut light: Vec<u32> = (0..self.plan.k as u32).filter(is_light).collect();
        light.sort_by(|a, b| masses[*a as usize].total_cmp(&masses[*b as usize]).then(a.cmp(b)));
        light.truncate((0.5 * rows) as usize);
        light.sort_unstable();
        light
    }
}

/// Halves the largest cluster where the smallest is dying. The halves lie a little apart, by enough that an f32 tells them apart: Spark's
/// 1e-14 would be lost.
fn split_dying(centres: &mut ndarray::Array2<f64>, masses: &mut [f64]) {
    let by_mass = |a: &usize, b: &usize| masses[*a].total_cmp(&masses[*b]);
    let (Some(smallest), Some(largest)) = ((0..masses.len()).min_by(by_mass), (0..masses.len()).rev().max_by(by_mass))
    else {
        return;
    };
    if masses[smallest] >= DYING * masses[largest] || smallest == largest {
        return;
    }
    let mass = (masses[smallest] + masses[largest]) / 2.0;
    (masses[smallest], masses[largest]) = (mass, mass);
    for column in 0..centres.ncols() {
        let value = centres[[largest, column]];
        let apart = 1e-6 * value.abs().max(1.0);
        centres[[largest, column]] = value + apart;
        centres[[smallest, column]] = value - apart;
    }
}
