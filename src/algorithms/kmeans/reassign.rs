//! The items that do the work: each row to its nearest centroid, and what the rows that moved change in the sums.
//!
//! Sums are exact integers, so a row can be taken out of one and added to another, and rows that stay need not be summed
//! again: the bits are those of sums begun anew. In the first round all rows come from nowhere.

use super::keys::{
    AROUND, BOUNDS, CENTROIDS, CHANGES, EXPONENTS, LABELS, NO_LABEL, PARTIALS, POINTS, SEARCH, SUMS, WEIGHTS,
};
use super::plan::Plan;
use super::search::Search;
use super::workers::{self, Workers};
use crate::Result;
use crate::backend::cpu::{BlockBounds, BoundScratch, Bounds, Isa, Nearest, Partials, Rows, Scratch};
use crate::queue::{ComContext, ComputeFunction, Objects, Shader, ShapeRule, TaskRows};
use rayon::prelude::*;
use std::sync::Arc;

/// Labels each row with its nearest centroid, and finds what the rows that moved change in the sums.
///
/// What `Steer` has decided guides the search, where it is there; else every centroid is looked at.
pub(super) struct Reassign(pub(super) Plan);

impl ComputeFunction for Reassign {
    fn objects(&self) -> Objects {
        let Plan { k, d, steered, weighted, .. } = self.0;
        let objects = Objects::reads(POINTS)
            .updates(LABELS)
            .writes(CHANGES)
            .shape(LABELS, ShapeRule::rows_of(POINTS))
            .shape(CHANGES, ShapeRule::fixed([self.0.layout().moved() + 1]));
        if steered {
            let objects = objects.and(Objects::reads(SEARCH).updates(BOUNDS));
            return if weighted { objects.and(Objects::reads(WEIGHTS)) } else { objects };
        }
        let objects = objects
            .and(Objects::reads((CENTROIDS, EXPONENTS)))
            .shape(CENTROIDS, ShapeRule::fixed([k, d]))
            .and(self.0.device_memory());
        self.0.with_weights(objects)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut labels = cx.take(LABELS)?;
        let search = self.search(cx)?;
        let mut bounds = if cx.contains(BOUNDS) { cx.take(BOUNDS)? } else { Bounds::default() };
        match &search {
            Search::Everything(_) => bounds = Bounds::default(),
            Search::Seed(guide) => bounds = Bounds::new(labels.len(), self.0.block(), guide),
            Search::Bounded(_) => {}
        }
        let changes = self.reassign(cx, &search, &mut labels, &mut bounds)?;
        if self.0.steered {
            cx.put(BOUNDS, bounds)?;
        }
        cx.put(LABELS, labels)?;
        cx.put(CHANGES, changes.into_values())
    }

    fn shader(&self) -> Option<Shader> {
        (!self.0.steered).then(|| self.0.label_and_sum())
    }
}

impl Reassign {
    /// What guides the search.
    fn search(&self, cx: &ComContext) -> Result<Search> {
        if self.0.steered {
            return cx.get(SEARCH).cloned();
        }
        let nearest = Nearest::new(cx.get(CENTROIDS)?.view(), self.0.distance(), Isa::detect())?;
        Ok(Search::Everything(Arc::new(nearest)))
    }

    fn reassign(&self, cx: &ComContext, search: &Search, labels: &mut [u32], bounds: &mut Bounds) -> Result<Partials> {
        let rows = cx.rows(POINTS)?;
        let weights = if self.0.weighted { Some(cx.rows(WEIGHTS)?) } else { None };
        let task = Task { search, rows: &rows, weights: weights.as_ref() };
        let (workers, length) = (Workers::none(), self.0.block());
        let run = |block: usize, labels: &mut [u32], bounds: Option<&mut BlockBounds>| {
            workers.work(|| Worker::new(&self.0), |worker| worker.block(&task, block * length, labels, bounds))
        };
        let blocks = labels.par_chunks_mut(length).enumerate();
        if let Search::Everything(_) = task.search {
            blocks.try_for_each(|(block, labels)| run(block, labels, None))?;
        } else {
            let bounds = bounds.blocks();
            blocks.zip(bounds).try_for_each(|((block, labels), mut bounds)| run(block, labels, Some(&mut bounds)))?;
        }
        let workers = workers.into_all();
        task.search.note(workers.iter().map(|worker| worker.bounded.counts().0).sum());
        workers::total(&self.0, workers.into_iter().map(|worker| worker.changes))
    }
}

/// What the blocks of a task have in common.
struct Task<'a> {
    search: &'a Search,
    rows: &'a TaskRows<'a>,
    weights: Option<&'a TaskRows<'a>>,
}

/// What a thread needs for its blocks of rows.
struct Worker {
    inertia_from_sums: bool,
    changes: Partials,
    scratch: Scratch,
    bounded: BoundScratch,
    rows: Vec<f32>,
    weights: Vec<f32>,
    before: Vec<u32>,
    distances: Vec<f32>,
}

impl Worker {
    fn new(plan: &Plan) -> Result<Self> {
        Ok(Self {
            inertia_from_sums: plan.inertia_from_sums,
            changes: plan.partials()?,
            scratch: Scratch::default(),
            bounded: BoundScratch::default(),
            rows: Vec::new(),
            weights: Vec::new(),
            before: Vec::new(),
            distances: Vec::new(),
        })
    }

    /// Labels the rows from `first` on, one for each label. Where bounds leave nothing open, the rows are not even read.
    fn block(&mut self, task: &Task, first: usize, labels: &mut [u32], bounds: Option<&mut BlockBounds>) -> Result<()> {
        let mut bounds = bounds;
        if let (Search::Bounded(guide), Some(bounds)) = (task.search, &mut bounds)
            && !guide.doubts(bounds, &mut self.bounded, labels)?
            && self.inertia_from_sums
        {
            return Ok(());
        }
        let range = first..first + labels.len();
        let values = task.rows.read(range.clone(), &mut self.rows)?;
        self.before.clear();
        self.before.extend_from_slice(labels);
        match (task.search, bounds) {
            (Search::Bounded(guide), Some(bounds)) => guide.reassign(values, bounds, &mut self.bounded, labels)?,
            (Search::Seed(guide), Some(bounds)) => guide.seed(values, bounds, &mut self.bounded, labels)?,
            (search, _) => search.nearest().assign(values, &mut self.scratch, labels)?,
        }
        if !self.inertia_from_sums {
            self.distances.resize(labels.len(), 0.0);
            task.search.nearest().distances(values, labels, &mut self.distances)?;
        } else if self.before.first() == Some(&NO_LABEL) {
            self.changes.add_squared_lengths(values)?;
        } else if self.before == labels {
            return Ok(());
        }
        let weights = task.weights.map(|weights| weights.read(range, &mut self.weights)).transpose()?;
        let (previous, distances) = (&self.before, &self.distances);
        self.changes.add_changes(&Rows { values, weights, labels, previous, distances })
    }
}

/// Brings the sums up to date with what all tasks have found.
pub(super) struct Tally(pub(super) Plan);

impl ComputeFunction for Tally {
    fn objects(&self) -> Objects {
        let shape = || ShapeRule::fixed([self.0.layout().moved() + 1]);
        let objects = Objects::reads(CHANGES)
            .updates(SUMS)
            .writes(PARTIALS)
            .shape(SUMS, shape())
            .shape(PARTIALS, shape())
            .once_per_device();
        if !self.0.inertia_from_sums {
            return objects;
        }
        let around = ShapeRule::fixed([4 * self.0.k]);
        objects.and(Objects::reads((CENTROIDS, EXPONENTS))).scratch(AROUND, around)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let before = if cx.contains(SUMS) { cx.take(SUMS)? } else { self.0.partials()?.into_values() };
        let mut sums = Partials::from_values(&self.0.fixed, self.0.k, before)?;
        let changes = Partials::from_values(&self.0.fixed, self.0.k, cx.get(CHANGES)?.clone())?;
        sums.merge(&changes)?;
        cx.put(SUMS, sums.values().to_vec())?;
        if self.0.inertia_from_sums {
            // What the sums have gathered is the squared length of all rows.
            let centroids = cx.get(CENTROIDS)?.as_standard_layout();
            let clusters = centroids.as_slice().unwrap_or(&[]).par_chunks(self.0.d).enumerate();
            let around = clusters.map(|(cluster, c)| sums.inertia_around(cluster, c)).reduce(|| 0, i128::wrapping_add);
            sums.set_totals(around, changes.moved());
            return cx.put(PARTIALS, sums.into_values());
        }
        // The rows were all measured in this round: their totals are its own.
        let mut partials = sums.into_values();
        let totals = self.0.layout().inertia(0);
        partials[totals..].copy_from_slice(&changes.values()[totals..]);
        cx.put(PARTIALS, partials)
    }

    fn shader(&self) -> Option<Shader> {
        (!self.0.steered).then(|| self.0.tally())
    }
}
