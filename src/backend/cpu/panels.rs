//! Centroids packed for the kernels: panel after panel, column by column.

use super::Isa;
use super::groups::Groups;
use super::simd::{Kernel, Simd};
use std::ops::Range;

/// Vectors in a panel: two, so that a row's value once loaded serves two multiplications. Only the last panel may have
/// one, where no more centroids are left: ten clusters in 32 lanes would waste twice the time that they take in 16.
pub(super) const VECTORS: usize = 2;

/// What stands in a lane that has no centroid.
const NOBODY: u32 = u32::MAX;

/// The centroids, cut into panels of `width` centroids (the last perhaps of one vector), each panel column by column. A
/// *slot* is a lane of a panel.
#[derive(Debug)]
pub(super) struct Panels {
    isa: Isa,
    lanes: usize,
    k: usize,
    d: usize,
    /// Slots of a panel.
    width: usize,
    /// `slots × d`; the lanes without a centroid hold zeros.
    values: Vec<f32>,
    /// What the form adds to the sum of each slot, +∞ where there is no centroid.
    slot_biases: Vec<f32>,
    /// The cluster of each slot.
    clusters: Vec<u32>,
    /// `k × d`, as given, and what the form adds to each.
    centroids: Vec<f32>,
    biases: Vec<f32>,
}

/// How centroids are packed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packing<'a> {
    /// One after the other.
    InOrder,
    /// Group by group: a group fills whole vectors, and panels do not cross from one to the next.
    InGroups(&'a Groups),
    /// Not at all: each is measured by itself.
    Alone,
}

impl Panels {
    /// Packs `k × d` centroids (`d ≥ 1`) for an instruction set that the machine has; `biases`, one each, are what the form
    /// adds to their sums.
    pub(super) fn new(isa: Isa, centroids: Vec<f32>, d: usize, biases: Vec<f32>, packing: Packing) -> Self {
        let (lanes, k) = (lanes(isa), centroids.len() / d);
        let mut clusters: Vec<u32> = Vec::new();
        let mut width = VECTORS * lanes;
        match packing {
            Packing::InOrder => {
                clusters.extend(0..k as u32);
                clusters.resize(k.div_ceil(lanes) * lanes, NOBODY);
            }
            Packing::InGroups(groups) => {
                let room = groups.size().next_multiple_of(lanes);
                for group in 0..groups.len() {
                    clusters.extend_from_slice(groups.members(group));
                    clusters.resize((group + 1) * room, NOBODY);
                }
                width = if room.is_multiple_of(width) { width } else { lanes };
            }
            Packing::Alone => {}
        }
        let mut values = vec![0.0; clusters.len() * d];
        let mut slot_biases = vec![f32::INFINITY; clusters.len()];
        let slots = clusters.chunks(width).zip(values.chunks_mut(width * d)).zip(slot_biases.chunks_mut(width));
        for ((clusters, values), slot_biases) in slots {
            for (lane, &cluster) in clusters.iter().enumerate().filter(|(_, cluster)| **cluster != NOBODY) {
                let centroid = &centroids[cluster as usize * d..][..d];
                slot_biases[lane] = biases[cluster as usize];
                for (value, &coordinate) in values[lane..].iter_mut().step_by(clusters.len()).zip(centroid) {
                    *value = coordinate;
                }
            }
        }
        Self { isa, lanes, k, d, width, values, slot_biases, clusters, centroids, biases }
    }

    /// How many centroids there are.
    pub(super) fn count(&self) -> usize {
        self.k
    }

    /// How many columns a centroid has.
    pub(super) fn columns(&self) -> usize {
        self.d
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.clusters.len()
    }

    /// The centroids, `k × d` row-major.
    pub(super) fn centroids(&self) -> &[f32] {
        &self.centroids
    }

    /// One centroid.
    pub(super) fn centroid(&self, cluster: u32) -> &[f32] {
        &self.centroids[cluster as usize * self.d..][..self.d]
    }

    /// What the form adds to the sums of all clusters.
    pub(super) fn biases(&self) -> &[f32] {
        &self.biases
    }

    /// What the form adds to the sum of a cluster.
    pub(super) fn bias(&self, cluster: u32) -> f32 {
        self.biases[cluster as usize]
    }

    /// The cluster whose centroid stands in a slot.
    pub(super) fn cluster(&self, slot: usize) -> u32 {
        self.clusters[slot]
    }

    /// The clusters that one lane of the vectors of some slots stands for.
    pub(super) fn clusters_in(&self, slots: Range<usize>, lane: usize) -> impl Iterator<Item = u32> {
        self.clusters[slots].iter().copied().skip(lane).step_by(self.lanes).filter(|&cluster| cluster != NOBODY)
    }

    /// The panels of some slots, which begin and end where panels do.
    pub(super) fn panels(&self, slots: Range<usize>) -> impl Iterator<Item = Panel<'_>> {
        let values = self.values[slots.start * self.d..slots.end * self.d].chunks(self.width * self.d);
        let biases = self.slot_biases[slots.clone()].chunks(self.width);
        let first = (slots.start / self.lanes) as u32;
        let ids = (first..).step_by(self.width / self.lanes);
        values.zip(biases).zip(ids).map(move |((values, biases), first_id)| Panel {
            values,
            biases,
            first_id,
            is_first: first_id == first,
        })
    }

    /// The instruction set they are packed for.
    pub(super) fn isa(&self) -> Isa {
        self.isa
    }
}

/// `2 × LANES` centroids, or `LANES`.
pub(super) struct Panel<'a> {
    /// Column by column.
    pub(super) values: &'a [f32],
    /// One a centroid.
    pub(super) biases: &'a [f32],
    /// The number of its first vector: slot = vector · lanes + lane.
    pub(super) first_id: u32,
    /// Whether nothing has been watched before it.
    pub(super) is_first: bool,
}

/// The lanes of an instruction set that the machine has.
pub(super) fn lanes(isa: Isa) -> usize {
    isa.run(LaneCount)
}

/// Asks an instruction set for its lanes.
struct LaneCount;

impl Kernel for LaneCount {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::LANES
    }
}
