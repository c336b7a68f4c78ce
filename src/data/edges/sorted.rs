//! Edges in the order of their targets, sorted in the memory allowed: sorted runs of them in a temporary file, which are
//! merged when they are read (D. E. Knuth, *The Art of Computer Programming*, volume 3, section 5.4).

use super::Edge;
use crate::Result;
use crate::data::spool::Spool;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// An edge as it is sorted: target and source in one word, then the bits of its weight. As no weight is negative, these are in
/// the order of the weights.
type Sortable = [u64; 2];

/// The bytes of one.
const BYTES: u64 = size_of::<Sortable>() as u64;

/// Fewer are never written as a run, whatever the memory.
const FEWEST: u64 = 1024;

/// Bytes of a run that are read at a time.
const BLOCK: std::ops::RangeInclusive<u64> = 4096..=1 << 20;

/// Edges by target, then by source, then by weight; in memory, or in a temporary file.
#[derive(Debug, Default)]
pub(crate) struct SortedEdges {
    count: u64,
    /// All of them where there are no runs; while edges are added, those since the last run, in any order.
    held: Vec<Sortable>,
    /// Where the runs lie in the file, in bytes.
    runs: Vec<Range<u64>>,
    spool: Option<Spool>,
    /// Bytes of each run that are read at a time.
    block: u64,
}

impl SortedEdges {
    /// The least memory that edges are sorted in, in bytes.
    pub(super) const LEAST: u64 = FEWEST * BYTES;

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// The bytes of memory that they take, what is read of the runs at a time among them.
    pub(super) fn held(&self) -> u64 {
        self.held.capacity() as u64 * BYTES + self.runs.len() as u64 * self.block
    }

    /// Adds an edge, whose weight is not negative; edges in memory take up to so many bytes, or [`LEAST`](Self::LEAST).
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub(crate) fn push(&mut self, (source, target, weight): Edge, memory: u64) -> Result<()> {
        let most = usize::try_from((memory / BYTES).max(FEWEST)).unwrap_or(usize::MAX);
        if self.held.len() >= most {
            self.spill()?;
            // The names may have left less since.
            self.held.shrink_to(most);
        }
        if self.held.len() == self.held.capacity() {
            // Twice as many, as vectors grow, but no more than are allowed.
            let (now, least) = (self.held.len(), FEWEST as usize);
            self.held.reserve_exact(now.max(least).min(most - now));
        }
        // A weight of -0 becomes 0.
        self.held.push([u64::from(target) << 32 | u64::from(source), (weight + 0.0).to_bits()]);
        self.count += 1;
        Ok(())
    }

    /// Brings all that were added in their order. What is read of runs at a time takes up to so many bytes, or 4096 for each.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub(crate) fn finish(mut self, memory: u64) -> Result<Self> {
        if self.runs.is_empty() {
            self.held.par_sort_unstable();
        } else {
            self.spill()?;
            self.held = Vec::new();
        }
        self.block = (memory / self.runs.len().max(1) as u64).clamp(*BLOCK.start(), *BLOCK.end()) / BYTES * BYTES;
        Ok(self)
    }

    /// Writes those in memory as a run.
    fn spill(&mut self) -> Result<()> {
        self.held.par_sort_unstable();
        let bytes = bytemuck::cast_slice(&self.held);
        let at = Spool::in_place(&mut self.spool, "edges")?.append(bytes)?;
        self.runs.push(at..at + bytes.len() as u64);
        self.held.clear();
        Ok(())
    }

    /// All edges, in their order.
    ///
    /// # Errors
    /// When the temporary file cannot be read; then each edge may be an error too.
    pub(crate) fn iter(&self) -> Result<Edges<'_>> {
        let (mut runs, mut next) = (Vec::new(), BinaryHeap::new());
        if let Some(spool) = &self.spool {
            for (number, range) in self.runs.iter().enumerate() {
                let mut run = Run { spool, rest: range.clone(), block: self.block, edges: Vec::new(), at: 0 };
                next.extend(run.next()?.map(|edge| Reverse((edge, number))));
                runs.push(run);
            }
        }
        Ok(Edges { held: self.held.iter(), runs, next })
    }
}

/// The edges of an [`EdgeList`](super::EdgeList), by target, then by source, then by weight.
#[derive(Debug)]
pub struct Edges<'s> {
    held: std::slice::Iter<'s, Sortable>,
    runs: Vec<Run<'s>>,
    /// The first edge of each run that was not given yet, with the number of the run.
    next: BinaryHeap<Reverse<(Sortable, usize)>>,
}

impl Edges<'_> {
    /// The first of the runs, and what comes after it in its run.
    fn merge(&mut self) -> Result<Option<Sortable>> {
        let Some(mut first) = self.next.peek_mut() else { return Ok(None) };
        let Reverse((edge, number)) = *first;
        match self.runs.get_mut(number).map(Run::next).transpose()?.flatten() {
            Some(after) => *first = Reverse((after, number)),
            None => drop(std::collections::binary_heap::PeekMut::pop(first)),
        }
        Ok(Some(edge))
    }
}

impl Iterator for Edges<'_> {
    type Item = Result<Edge>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.held.next() {
            Some(edge) => Ok(Some(*edge)),
            None => self.merge(),
        };
        if next.is_err() {
            // Nothing comes after an error.
            self.next.clear();
        }
        let edge = |[ends, weight]: Sortable| (ends as u32, (ends >> 32) as u32, f64::from_bits(weight));
        next.map(|next| next.map(edge)).transpose()
    }
}

/// A sorted run, read block by block.
#[derive(Debug)]
struct Run<'s> {
    spool: &'s Spool,
    /// What was not read yet.
    rest: Range<u64>,
    block: u64,
    edges: Vec<Sortable>,
    /// How many of `edges` were given.
    at: usize,
}

impl Run<'_> {
    fn next(&mut self) -> Result<Option<Sortable>> {
        if self.at == self.edges.len() {
            let end = self.rest.end.min(self.rest.start + self.block);
            self.edges.resize(((end - self.rest.start) / BYTES) as usize, [0; 2]);
            self.spool.read_at(self.rest.start, bytemuck::cast_slice_mut(&mut self.edges))?;
            self.rest.start = end;
            self.at = 0;
        }
        let edge = self.edges.get(self.at).copied();
        self.at += 1;
        Ok(edge)
    }
}
