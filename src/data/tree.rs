//! Reductions of one shape: blocks of rows by their number in the whole, combined in a tree that depends on how many blocks
//! there are and on nothing else.
//!
//! The tree over n blocks has at its left the greatest power of two of them that leaves one for the right. So it is made
//! of whole subtrees, which begin at a multiple of their size, and any run of blocks is O(log n) of these: that much is
//! all that a process which holds the run has to tell. Whoever has them all ends with the same bits as a process that
//! holds every block.

use super::wire::Word;
use crate::Result;
use std::collections::BTreeMap;
use std::ops::Range;

/// Rows of a block: the unit of what ranks share out. Reductions of wide rows take blocks of a power of two of it, which
/// begin where these do.
pub(crate) const BLOCK: u64 = 4096;

/// The rows of a block of `length` rows, of so many in all.
pub(crate) fn rows_of_block(block: u64, length: u64, rows: u64) -> Range<u64> {
    block.saturating_mul(length).min(rows)..block.saturating_add(1).saturating_mul(length).min(rows)
}

/// The blocks of a run of rows that begins with one.
pub(crate) fn blocks_of(rows: &Range<u64>, length: u64) -> Range<u64> {
    if rows.is_empty() { 0..0 } else { rows.start / length..rows.end.div_ceil(length) }
}

/// Combines the values of two neighbours, the left one first.
pub(crate) type Combine<T> = fn(&mut T, &T);

/// The values of whole subtrees, by their first block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree<T> {
    /// First block → number of blocks (a power of two that divides the first), value.
    nodes: BTreeMap<u64, (u64, T)>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { nodes: BTreeMap::new() }
    }
}

impl<T: Send> Tree<T> {
    /// Computes the values of a run of blocks, in the current rayon pool.
    ///
    /// # Errors
    /// The error of the first block that has one.
    pub(crate) fn of(
        blocks: Range<u64>,
        leaf: &(impl Fn(u64) -> Result<T> + Sync),
        combine: Combine<T>,
    ) -> Result<Self> {
        let nodes = subtrees(blocks, leaf, combine)?;
        Ok(Self { nodes: nodes.into_iter().map(|(first, count, value)| (first, (count, value))).collect() })
    }

    /// Adds the subtrees of other blocks.
    pub(crate) fn merge(&mut self, other: Self, combine: Combine<T>) {
        other.nodes.into_iter().for_each(|(first, (count, value))| self.insert(first, count, value, combine));
    }

    /// The value of blocks 0 to n; `None` where some are missing or there are none.
    pub(crate) fn finish(self, blocks: u64, combine: Combine<T>) -> Option<T> {
        let mut end = 0;
        for (&first, (count, _)) in &self.nodes {
            if first != end {
                return None;
            }
            end += count;
        }
        if end != blocks {
            return None;
        }
        let mut from_the_right = self.nodes.into_values().rev().map(|(_, value)| value);
        let last = from_the_right.next()?;
        Some(from_the_right.fold(last, |right, mut left| {
            combine(&mut left, &right);
            left
        }))
    }

    /// Adds a subtree, and combines it with its neighbour for as long as the two are halves of a whole one.
    fn insert(&mut self, mut first: u64, mut count: u64, mut value: T, combine: Combine<T>) {
        loop {
            let is_left = (first / count).is_multiple_of(2);
            let neighbour = if is_left { first.checked_add(count) } else { Some(first - count) };
            let fits = |at: &u64| self.nodes.get(at).is_some_and(|(of, _)| *of == count);
            let Some((neighbour, (_, other))) = neighbour.filter(fits).and_then(|at| self.nodes.remove_entry(&at))
            else {
                break;
            };
            if is_left {
                combine(&mut value, &other);
            } else {
                let right = std::mem::replace(&mut value, other);
                combine(&mut value, &right);
                first = neighbour;
            }
            count *= 2;
        }
        self.nodes.insert(first, (count, value));
    }

    /// Adds the subtrees' bytes; `write` adds those of a value.
    pub(crate) fn write(&self, to: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
        (self.nodes.len() as u64).write(to);
        for (first, (count, value)) in &self.nodes {
            first.write(to);
            count.write(to);
            write(value, to);
        }
    }

    /// Takes subtrees off the front of bytes; `None` where they are none.
    pub(crate) fn read(from: &mut &[u8], read: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Self> {
        let mut nodes = BTreeMap::new();
        for _ in 0..u64::read(from)? {
            let (first, count) = (u64::read(from)?, u64::read(from)?);
            let whole = count.is_power_of_two() && first.is_multiple_of(count) && first.checked_add(count).is_some();
            if !whole || nodes.insert(first, (count, read(from)?)).is_some() {
                return None;
            }
        }
        Some(Self { nodes })
    }
}

/// The whole subtrees of a run of blocks, from left to right: each its first block, its size and its value.
fn subtrees<T: Send>(
    blocks: Range<u64>,
    leaf: &(impl Fn(u64) -> Result<T> + Sync),
    combine: Combine<T>,
) -> Result<Vec<(u64, u64, T)>> {
    let Range { start, end } = blocks;
    if start >= end {
        return Ok(Vec::new());
    }
    let count = end - start;
    // The largest subtree that begins here and does not reach past the end.
    let aligned = if start == 0 { u64::MAX } else { 1 << start.trailing_zeros() };
    let largest = (1_u64 << count.ilog2()).min(aligned);
    if largest == count {
        return whole(start, count, leaf, combine).map(|value| vec![(start, count, value)]);
    }
    // Cut where the largest subtrees of the run meet, so that both sides are worth a thread.
    let middle = cut(start, end);
    let (left, right) = rayon::join(|| subtrees(start..middle, leaf, combine), || subtrees(middle..end, leaf, combine));
    // Both may have failed; the left one's rows come first.
    let mut all = left?;
    all.extend(right?);
    Ok(all)
}

/// The number inside a run of two or more that the highest power of two divides.
fn cut(start: u64, end: u64) -> u64 {
    let bit = 63 - (start ^ (end - 1)).leading_zeros();
    ((end - 1) >> bit) << bit
}

fn whole<T: Send>(first: u64, count: u64, leaf: &(impl Fn(u64) -> Result<T> + Sync), combine: Combine<T>) -> Result<T> {
    if count == 1 {
        return leaf(first);
    }
    let half = count / 2;
    let (left, right) = rayon::join(|| whole(first, half, leaf, combine), || whole(first + half, half, leaf, combine));
    let mut value = left?;
    combine(&mut value, &right?);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// The tree as its definition says it.
    fn definition(blocks: Range<u64>) -> String {
        let count = blocks.end - blocks.start;
        if count == 1 {
            return blocks.start.to_string();
        }
        let middle = blocks.start + count.next_power_of_two() / 2;
        format!("({}{})", definition(blocks.start..middle), definition(middle..blocks.end))
    }

    fn join(left: &mut String, right: &String) {
        *left = format!("({left}{right})");
    }

    fn leaf(block: u64) -> Result<String> {
        Ok(block.to_string())
    }

    #[test]
    fn the_shape_is_that_of_the_definition_however_the_blocks_are_shared_out() {
        for blocks in 1..40 {
            let expected = definition(0..blocks);
            for cuts in [vec![], vec![blocks / 2], vec![blocks / 3, blocks / 3, 2 * blocks / 3], vec![1, blocks - 1]] {
                let edges: Vec<u64> = [vec![0], cuts, vec![blocks]].concat();
                let mut parts: Vec<Tree<String>> = edges
                    .windows(2)
                    .map(|edge| Tree::of(edge[0]..edge[1], &leaf, join).expect("no leaf fails"))
                    .collect();
                // In any order.
                parts.rotate_left(1);
                let mut all = Tree::default();
                parts.into_iter().for_each(|part| all.merge(part, join));
                assert_eq!(all.finish(blocks, join), Some(expected.clone()), "{edges:?}");
            }
        }
    }

    #[test]
    fn a_run_of_many_blocks_is_few_subtrees() {
        let tree = Tree::of(1000..3001, &|_| Ok(1_u64), |left, right| *left += right).expect("no leaf fails");
        assert!(tree.nodes.len() < 24, "{}", tree.nodes.len());
        assert_eq!(tree.nodes.values().map(|(_, value)| value).sum::<u64>(), 2001);
    }

    #[test]
    fn missing_blocks_are_noticed_and_the_first_error_is_told() {
        let tree = |blocks| Tree::of(blocks, &leaf, join).expect("no leaf fails");
        assert_eq!(tree(0..3).finish(4, join), None);
        assert_eq!(tree(1..4).finish(4, join), None);
        assert_eq!(Tree::<String>::default().finish(0, join), None);
        let fails = |block: u64| {
            if block >= 5 { Err(Error::parameter("block", block.to_string())) } else { Ok(0_u64) }
        };
        let error = Tree::of(0..64, &fails, |left, right| *left += right).expect_err("blocks from 5 on fail");
        assert_eq!(error.to_string(), "block: 5");
    }

    #[test]
    fn bytes_bring_back_the_tree() {
        let tree = Tree::of(3..9, &|block| Ok(block as f64), |left, right| *left += right).expect("no leaf fails");
        let mut bytes = Vec::new();
        tree.write(&mut bytes, |value, to| value.write(to));
        assert_eq!(Tree::read(&mut bytes.as_slice(), f64::read), Some(tree));
        assert_eq!(Tree::read(&mut &bytes[..bytes.len() - 1], f64::read), None);
    }
}
