//! The tree of splits while it grows, and as it is kept.

use super::params::Strategy;
use crate::algorithms::kmeans::{KMeansModel, Round, Timings};
use ndarray::Array2;

/// What one side of a split became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// It was split again: the number of that split, a higher one.
    Split(usize),
    /// It stayed: the number of the cluster.
    Cluster(u32),
}

/// A cluster that was split in two, the left side and the right.
#[derive(Debug, Clone)]
pub struct Split {
    /// The 2-means that parted it, without labels.
    pub(super) model: KMeansModel,
    pub(super) branches: [Branch; 2],
}

impl Split {
    /// The rows that were parted.
    pub fn rows(&self) -> u64 {
        self.model.rows()
    }

    /// The two centroids, 2 × d, in the data's own space: a row goes to the side of the nearer one, to the left on a tie.
    pub fn centroids(&self) -> &Array2<f64> {
        self.model.centroids()
    }

    /// The rows of each side.
    pub fn sizes(&self) -> [u64; 2] {
        pair(self.model.cluster_sizes())
    }

    /// Each side's inertia.
    pub fn inertias(&self) -> [f64; 2] {
        pair(self.model.cluster_inertias())
    }

    /// What became of each side.
    pub fn branches(&self) -> [Branch; 2] {
        self.branches
    }

    /// How many times the two centroids were updated.
    pub fn iterations(&self) -> u32 {
        self.model.iterations()
    }

    /// Whether the split ended because its labels or centroids no longer changed.
    pub fn converged(&self) -> bool {
        self.model.converged()
    }

    /// What each round did; empty for a model that was loaded.
    pub fn trace(&self) -> &[Round] {
        self.model.trace()
    }

    /// How long its phases took.
    pub fn timings(&self) -> Timings {
        self.model.timings()
    }
}

fn pair<T: Copy + Default>(values: &[T]) -> [T; 2] {
    [0, 1].map(|side| values.get(side).copied().unwrap_or_default())
}

/// A cluster as it stands now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// The number that its rows carry while the tree grows: 0 for all rows, then two new ones for each split.
    pub(super) node: u32,
    pub(super) rows: u64,
    /// Its inertia; unknown for all rows before the first split.
    pub(super) inertia: Option<f64>,
    /// The split that made it, and on which side.
    parent: Option<(usize, usize)>,
    /// Whether a split was tried that left one side empty.
    is_whole: bool,
}

impl Leaf {
    fn can_be_split(&self) -> bool {
        !self.is_whole && self.rows > 1 && self.inertia != Some(0.0)
    }

    fn score(&self, strategy: Strategy) -> f64 {
        match strategy {
            // All rows are the only leaf that has none yet.
            Strategy::BiggestInertia => self.inertia.unwrap_or(f64::INFINITY),
            Strategy::LargestCluster => self.rows as f64,
        }
    }
}

/// The splits so far, and the clusters from left to right.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) splits: Vec<Split>,
    pub(super) leaves: Vec<Leaf>,
}

impl Tree {
    /// One cluster of all rows.
    pub(super) fn new(rows: u64) -> Self {
        Self { splits: Vec::new(), leaves: vec![Leaf { node: 0, rows, inertia: None, parent: None, is_whole: false }] }
    }

    /// Which leaf is split next: the one of the highest score, the leftmost of several, as in scikit-learn. `None` where no
    /// split would part anything.
    pub(super) fn next(&self, strategy: Strategy) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (at, leaf) in self.leaves.iter().enumerate().filter(|(_, leaf)| leaf.can_be_split()) {
            let score = leaf.score(strategy);
            if best.is_none_or(|(_, highest)| score > highest) {
                best = Some((at, score));
            }
        }
        best.map(|(at, _)| at)
    }

    /// The nodes that the sides of the next split become.
    pub(super) fn next_nodes(&self) -> [u32; 2] {
        let before = 2 * self.splits.len() as u32;
        [before + 1, before + 2]
    }

    /// Replaces a leaf by the two sides of its split.
    pub(super) fn split(&mut self, leaf: usize, model: KMeansModel) {
        let (split, nodes) = (self.splits.len(), self.next_nodes());
        if let Some((parent, side)) = self.leaves[leaf].parent {
            self.splits[parent].branches[side] = Branch::Split(split);
        }
        let made = Split { model, branches: [Branch::Cluster(0); 2] };
        let (sizes, inertias) = (made.sizes(), made.inertias());
        let sides = [0, 1].map(|side| Leaf {
            node: nodes[side],
            rows: sizes[side],
            inertia: Some(inertias[side]),
            parent: Some((split, side)),
            is_whole: false,
        });
        self.splits.push(made);
        self.leaves.splice(leaf..=leaf, sides);
        self.number();
    }

    /// Leaves a leaf as it is: it cannot be parted.
    pub(super) fn leave(&mut self, leaf: usize) {
        self.leaves[leaf].is_whole = true;
    }

    /// Gives the leaves their numbers, from left to right.
    fn number(&mut self) {
        for (cluster, leaf) in self.leaves.iter().enumerate() {
            if let Some((parent, side)) = leaf.parent {
                self.splits[parent].branches[side] = Branch::Cluster(cluster as u32);
            }
        }
    }

    /// The cluster that rows of each node are in; 0 for nodes that were split, which have none.
    pub(super) fn clusters_of_nodes(&self) -> Vec<u32> {
        let mut clusters = vec![0; 2 * self.splits.len() + 1];
        self.leaves.iter().enumerate().for_each(|(cluster, leaf)| clusters[leaf.node as usize] = cluster as u32);
        clusters
    }

    /// The centroids of the leaves, k × d; empty before the first split.
    pub(super) fn centroids(&self) -> Array2<f64> {
        let columns = self.splits.first().map_or(0, |split| split.model.columns());
        let made: Vec<(usize, usize)> = self.leaves.iter().filter_map(|leaf| leaf.parent).collect();
        let row = |&(split, side): &(usize, usize)| self.splits[split].centroids().row(side).to_vec();
        let values = made.iter().flat_map(row).collect();
        Array2::from_shape_vec((made.len(), columns), values).unwrap_or_default()
    }
}

/// Whether splits and branches are one tree whose leaves are the clusters 0 to k − 1 from left to right.
pub(super) fn is_tree(branches: &[[Branch; 2]], k: usize) -> bool {
    let (mut open, mut clusters, mut splits) = (vec![Branch::Split(0)], 0_u64, 0);
    while let Some(branch) = open.pop() {
        match branch {
            Branch::Cluster(cluster) if u64::from(cluster) == clusters => clusters += 1,
            Branch::Split(split) if split < branches.len() && splits < branches.len() => {
                splits += 1;
                let later = |branch: Branch| !matches!(branch, Branch::Split(next) if next <= split);
                if !branches[split].into_iter().all(later) {
                    return false;
                }
                open.extend(branches[split].into_iter().rev());
            }
            _ => return false,
        }
    }
    splits == branches.len() && clusters == k as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use Branch::{Cluster, Split};

    #[test]
    fn what_is_no_tree_is_told_from_one() {
        assert!(is_tree(&[[Cluster(0), Cluster(1)]], 2));
        assert!(is_tree(&[[Split(2), Split(1)], [Cluster(2), Cluster(3)], [Cluster(0), Cluster(1)]], 4));
        let cases: [(&[[Branch; 2]], usize); 8] = [
            (&[], 2),
            (&[[Cluster(1), Cluster(0)]], 2),
            (&[[Cluster(0), Cluster(1)]], 3),
            (&[[Cluster(0), Cluster(0)]], 2),
            (&[[Split(0), Cluster(0)]], 1),
            (&[[Split(1), Split(1)], [Cluster(0), Cluster(1)]], 4),
            (&[[Cluster(0), Cluster(1)], [Cluster(2), Cluster(3)]], 4),
            (&[[Split(7), Cluster(1)]], 2),
        ];
        for (branches, k) in cases {
            assert!(!is_tree(branches, k), "{branches:?}");
        }
    }
}
