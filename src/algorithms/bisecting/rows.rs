//! Which rows are in which cluster while the tree grows.
//!
//! A rank knows the clusters of its own rows, 4 bytes each. For a split all ranks put together which rows are in the cluster,
//! a bit for each row, and share those rows out anew in whole blocks: so each has its part of the work, however the rows of
//! the cluster lie, and the split has the bits that one process finds.

use crate::backend::ReduceOp;
use crate::collective::Collective;
use crate::data::{BLOCK, RowSet, Weights};
use crate::queue::{Memory, Reservation};
use crate::{Error, Result};
use rayon::prelude::*;
use std::ops::Range;

/// The rows of all ranks, and the tree's node of each of this rank's.
pub(super) struct Members<'a> {
    collective: &'a dyn Collective,
    rows: u64,
    share: Range<u64>,
    nodes: Vec<u32>,
    _room: Reservation,
}

impl<'a> Members<'a> {
    /// All rows in node 0.
    ///
    /// # Errors
    /// When there is no memory for them, on any rank.
    pub(super) fn new(collective: &'a dyn Collective, memory: &Memory, rows: u64, share: Range<u64>) -> Result<Self> {
        let own = share.end - share.start;
        // A node for each own row, and four sets of all rows at a time.
        let bytes = own.saturating_mul(size_of::<u32>() as u64).saturating_add(rows.div_ceil(8).saturating_mul(4));
        let room = collective.agree(memory.reserve("the clusters of the rows", bytes))?;
        Ok(Self { collective, rows, share, nodes: vec![0; own as usize], _room: room })
    }

    /// The rows of a node, on all ranks.
    ///
    /// # Errors
    /// When the ranks do not understand each other.
    pub(super) fn of(&self, node: u32) -> Result<RowSet> {
        self.gathered(self.rows, &self.nodes, node)
    }

    /// Moves the rows of a set to the nodes of the two sides; `labels` are the sides of the rows of this rank's share of the
    /// set.
    ///
    /// # Errors
    /// When the ranks do not understand each other.
    pub(super) fn part(&mut self, set: Option<&RowSet>, labels: &[u32], nodes: [u32; 2]) -> Result<()> {
        let Some(set) = set else {
            // All rows: the shares are the same.
            self.nodes.iter_mut().zip(labels).for_each(|(node, label)| *node = nodes[usize::from(*label == 1)]);
            return Ok(());
        };
        let right = self.gathered(set.len(), labels, 1)?;
        let first = self.share.start;
        self.nodes.par_chunks_mut(BLOCK as usize).enumerate().for_each(|(block, of_block)| {
            let start = first + block as u64 * BLOCK;
            let (position, end) = (set.position(start), start + of_block.len() as u64);
            let rows = set.rows_from(position).take_while(|row| *row < end);
            for (row, position) in rows.zip(position..) {
                of_block[(row - start) as usize] = nodes[usize::from(right.contains(position))];
            }
        });
        Ok(())
    }

    /// The weights of the rows of a set, in their order: from the ranks that hold them to all.
    ///
    /// # Errors
    /// When the ranks do not understand each other.
    pub(super) fn weights(&self, set: &RowSet, weights: &Weights) -> Result<Vec<f32>> {
        let own = set.rows_from(set.position(self.share.start)).take_while(|row| *row < self.share.end);
        let own = own.filter_map(|row| weights.of(row..row + 1)?.first().copied());
        let own = own.flat_map(f32::to_ne_bytes).collect();
        let mut all = Vec::with_capacity(set.len() as usize);
        for bytes in self.collective.exchange(Ok(own))? {
            all.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)));
        }
        Ok(all)
    }

    /// How many rows of all weigh something.
    ///
    /// # Errors
    /// When the ranks do not understand each other.
    pub(super) fn weighty(&self, weights: &Weights) -> Result<u64> {
        let mut count = [weights.held().iter().filter(|weight| **weight > 0.0).count() as u64];
        self.collective.all_reduce_u64(ReduceOp::Sum, &mut count)?;
        Ok(count[0])
    }

    /// The cluster of each row of this rank, by the clusters of the nodes.
    pub(super) fn into_labels(mut self, clusters: &[u32]) -> Vec<u32> {
        self.nodes.par_iter_mut().for_each(|node| *node = clusters[*node as usize]);
        self.nodes
    }

    /// Those of `rows` rows that have a number, where each rank has the numbers of its share of them.
    fn gathered(&self, rows: u64, own: &[u32], number: u32) -> Result<RowSet> {
        let word =
            |numbers: &[u32]| numbers.iter().rev().fold(0, |bits, other| bits << 1 | u64::from(*other == number));
        let words: Vec<u64> = own.par_chunks(u64::BITS as usize).map(word).collect();
        let all = self.collective.exchange(Ok(bytemuck::cast_slice(&words).to_vec()))?;
        if all.iter().any(|bytes| !bytes.len().is_multiple_of(size_of::<u64>())) {
            return Err(Error::parameter("ranks", "a set of rows came in pieces: do all ranks run one program?"));
        }
        // Shares are whole blocks, so whole words, but for the last.
        let words = all.iter().flat_map(|bytes| bytemuck::allocation::pod_collect_to_vec(bytes)).collect();
        RowSet::from_words(rows, words)
    }
}
