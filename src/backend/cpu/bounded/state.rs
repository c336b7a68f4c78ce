//! The bounds of a task's rows.

use super::Guide;

/// The bounds of some rows, block by block; nothing is known of them before [`Guide::seed`](super::Guide::seed).
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    block: usize,
    groups: usize,
    upper: Vec<f32>,
    squares: Vec<f32>,
    lower: Vec<f32>,
    width: usize,
    reduced: Vec<f32>,
}

/// The bounds of one block of rows.
#[derive(Debug)]
pub struct BlockBounds<'a> {
    /// One a row: a bound on the distance to its own centroid, less that centroid's drift.
    pub(super) upper: &'a mut [f32],
    /// The squared length of each row.
    pub(super) squares: &'a mut [f32],
    /// Group after group, one a row: a bound on the distance to the nearest of the group's centroids but its own, and the
    /// group's drift.
    pub(super) lower: &'a mut [f32],
    /// Each row in fewer columns, where they are used.
    pub(super) reduced: &'a mut [f32],
}

impl Bounds {
    /// Room for the bounds of `rows` rows, in blocks of `block`, as a guide makes them.
    pub fn new(rows: usize, block: usize, guide: &Guide) -> Self {
        let (groups, width) = (guide.groups(), guide.width());
        let (lower, reduced) = (vec![0.0; rows * groups], vec![0.0; rows * width]);
        let (upper, squares) = (vec![f32::INFINITY; rows], vec![0.0; rows]);
        Self { block: block.max(1), groups, upper, squares, lower, width, reduced }
    }

    /// The bytes they take.
    pub fn bytes(&self) -> usize {
        (self.upper.len() + self.squares.len() + self.lower.len() + self.reduced.len()) * size_of::<f32>()
    }

    /// The blocks, in the order of their rows; the last may be shorter.
    pub fn blocks(&mut self) -> Vec<BlockBounds<'_>> {
        let Self { block, groups, upper, squares, lower, width, reduced } = self;
        let mut lower = lower.chunks_mut((*block * *groups).max(1));
        let mut reduced = reduced.chunks_mut((*block * *width).max(1));
        let rows = upper.chunks_mut(*block).zip(squares.chunks_mut(*block));
        let blocks = rows.map(|(upper, squares)| BlockBounds {
            upper,
            squares,
            lower: lower.next().unwrap_or_default(),
            reduced: reduced.next().unwrap_or_default(),
        });
        blocks.collect()
    }
}

impl BlockBounds<'_> {
    /// Whether they are those of so many rows, groups and reduced columns.
    pub(super) fn fits(&self, rows: usize, groups: usize, width: usize) -> bool {
        let per_row = [(self.upper.len(), 1), (self.squares.len(), 1), (self.lower.len(), groups)];
        per_row.iter().chain([&(self.reduced.len(), width)]).all(|&(length, each)| length == rows * each)
    }
}
