//! The item that does the work: each row to its nearest centroid, and the sums of each cluster.

use super::keys::{
    CENTROIDS, DISTANCES, EXPONENTS, LABELS, NEAREST, NO_LABEL, PARTIALS, POINTS, SUMMARY, Summary, WEIGHTS,
};
use super::plan::Plan;
use super::workers::{self, Workers};
use crate::Result;
use crate::backend::cpu::{Isa, Nearest, Partials, Rows, Scratch};
use crate::queue::{ComContext, ComputeFunction, Objects, Shader, ShapeRule, TaskRows};
use rayon::prelude::*;

/// Gives every device sums of nothing before the first round.
pub(super) struct NoSums(pub(super) Plan);

impl ComputeFunction for NoSums {
    fn objects(&self) -> Objects {
        Objects::none().updates((PARTIALS, SUMMARY)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.step_no() > 1 {
            return Ok(());
        }
        cx.put(SUMMARY, vec![0; Summary::WORDS])?;
        cx.put(PARTIALS, self.0.partials()?.into_values())
    }
}

/// Gives every task labels that no row has before the first round.
pub(super) struct NoLabels;

impl ComputeFunction for NoLabels {
    fn objects(&self) -> Objects {
        Objects::reads(POINTS).updates(LABELS)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.step_no() > 1 {
            return Ok(());
        }
        let rows = cx.rows(POINTS)?.len();
        cx.put(LABELS, vec![NO_LABEL; rows])
    }
}

/// Labels each row with its nearest centroid and sums the rows of each cluster, their weights, the inertia and the
/// number of rows that moved.
///
/// Sums are fixed-point integers, so it does not matter in which order blocks of rows are added.
pub(super) struct AssignAndSum(pub(super) Plan);

impl ComputeFunction for AssignAndSum {
    fn objects(&self) -> Objects {
        let Plan { k, d, .. } = self.0;
        let objects = Objects::reads((POINTS, CENTROIDS, EXPONENTS))
            .updates(LABELS)
            .writes(PARTIALS)
            .shape(CENTROIDS, ShapeRule::fixed([k, d]))
            .shape(LABELS, ShapeRule::rows_of(POINTS))
            .shape(PARTIALS, ShapeRule::fixed([self.0.layout().moved() + 1]))
            .scratch(NEAREST, ShapeRule::rows_of(POINTS))
            .scratch(DISTANCES, ShapeRule::rows_of(POINTS));
        self.0.with_weights(objects)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut labels = cx.take(LABELS)?;
        let partials = self.assign_and_sum(cx, &mut labels)?;
        cx.put(LABELS, labels)?;
        cx.put(PARTIALS, partials.into_values())
    }

    fn shader(&self) -> Option<Shader> {
        Some(self.assign().then(self.sum()))
    }
}

impl AssignAndSum {
    fn assign_and_sum(&self, cx: &ComContext, labels: &mut [u32]) -> Result<Partials> {
        let rows = cx.rows(POINTS)?;
        let weights = if self.0.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let nearest = Nearest::new(cx.get(CENTROIDS)?.view(), self.0.distance(), Isa::detect())?;
        let workers = Workers::none();
        let rows_a_block = self.0.block();
        labels.par_chunks_mut(rows_a_block).enumerate().try_for_each(|(block, labels)| {
            let first = block * rows_a_block;
            workers
                .work(|| Worker::new(&self.0), |worker| worker.block(&nearest, &rows, weights.as_ref(), first, labels))
        })?;
        workers::total(&self.0, workers.into_all().into_iter().map(|worker| worker.partials))
    }

    fn assign(&self) -> Shader {
        let names = ["CLUSTERS", "DIMENSIONS", "CITYBLOCK"];
        if self.0.d <= SMALL {
            let source = include_str!("../../../shaders/assign_small.wgsl");
            let shader = Shader::wgsl(source).named("assign_small").rows_per_workgroup(POINTS, RUN);
            self.0.constants(shader, &names)
        } else {
            let source = include_str!("../../../shaders/assign_tiled.wgsl");
            let shader = Shader::wgsl(source).named("assign_tiled").rows_per_workgroup(POINTS, TILE);
            self.0.constants(shader, &names)
        }
    }

    fn sum(&self) -> Shader {
        let source = include_str!("../../../shaders/sum_by_label.wgsl");
        let names = ["CLUSTERS", "DIMENSIONS", "WORDS", "BITS", "WEIGHTED"];
        let shader = Shader::wgsl(source).named("sum_by_label").constant("PRIVATE_FROM", self.private_from());
        // One workgroup for so many values repays the emptying of its private cells.
        let shader = shader.rows_per_workgroup(POINTS, (VALUES_PER_WORKGROUP / self.0.d).max(1));
        self.0.constants(shader, &names)
    }

    /// The first of the partials that a workgroup gathers in its own memory: all where they fit, else the masses, else
    /// only what there is one of.
    fn private_from(&self) -> f64 {
        let layout = self.0.layout();
        let fits = |from: &usize| (layout.moved() + 1 - from) * size_of::<i64>() <= PRIVATE_BYTES;
        let from = [0, layout.mass(0)].into_iter().find(fits).unwrap_or(layout.inertia(0));
        from as f64
    }
}

/// The most columns a row may have to be kept in registers by `assign_small.wgsl`.
const SMALL: usize = 32;

/// The rows a workgroup of `assign_small.wgsl` takes: two a thread.
const RUN: usize = 512;

/// The rows a workgroup of `assign_tiled.wgsl` takes.
const TILE: usize = 64;

/// The values a workgroup of `sum_by_label.wgsl` takes, and what it may keep of the 16 KiB every device has.
const VALUES_PER_WORKGROUP: usize = 4096;
const PRIVATE_BYTES: usize = 12 << 10;

/// What a thread needs for its blocks of rows.
struct Worker {
    partials: Partials,
    scratch: Scratch,
    rows: Vec<f32>,
    weights: Vec<f32>,
    before: Vec<u32>,
    distances: Vec<f32>,
}

impl Worker {
    fn new(plan: &Plan) -> Result<Self> {
        let partials = plan.partials()?;
        let (scratch, rows, weights) = (Scratch::default(), Vec::new(), Vec::new());
        Ok(Self { partials, scratch, rows, weights, before: Vec::new(), distances: Vec::new() })
    }

    /// Assigns and sums the rows from `first` on, one for each label.
    fn block(
        &mut self,
        nearest: &Nearest,
        rows: &TaskRows,
        weights: Option<&TaskRows>,
        first: usize,
        labels: &mut [u32],
    ) -> Result<()> {
        let range = first..first + labels.len();
        let values = rows.read(range.clone(), &mut self.rows)?;
        let weights = weights.map(|weights| weights.read(range, &mut self.weights)).transpose()?;
        self.before.clear();
        self.before.extend_from_slice(labels);
        self.distances.resize(labels.len(), 0.0);
        nearest.assign(values, &mut self.scratch, labels)?;
        nearest.distances(values, labels, &mut self.distances)?;
        let (previous, distances) = (&self.before, &self.distances);
        self.partials.add_rows(&Rows { values, weights, labels, previous, distances })
    }
}
