//! Groups of centroids that lie near each other, all about equally large.

use std::ops::Range;

/// Which centroids belong together: a row has one lower bound for each group.
///
/// Found by halving: the centroids are ordered along the line between two that lie far apart, and cut in two; so again
/// with each half. Groups stay as they are while the centroids move, which costs some tightness and no exactness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Groups {
    /// Clusters, group after group.
    members: Vec<u32>,
    /// Where each group begins in `members`, and where the last ends.
    starts: Vec<usize>,
    /// The group of each cluster.
    of: Vec<u32>,
    size: usize,
}

impl Groups {
    /// Makes groups of at most `size` of the `k × d` centroids.
    pub(super) fn new(centroids: &[f32], d: usize, size: usize) -> Self {
        let k = centroids.len() / d.max(1);
        let (size, count) = (size.max(1), k.div_ceil(size.max(1)).max(1));
        let mut members: Vec<u32> = (0..k as u32).collect();
        let mut starts = vec![0];
        if size == 1 {
            starts.extend(1..=k);
        } else {
            let mut order = Halving { centroids, d, starts: &mut starts, keys: Vec::new() };
            order.halve(&mut members, 0, count);
        }
        let mut of = vec![0; k];
        for (group, bounds) in starts.windows(2).enumerate() {
            members[bounds[0]..bounds[1]].iter().for_each(|&cluster| of[cluster as usize] = group as u32);
        }
        let size = starts.windows(2).map(|bounds| bounds[1] - bounds[0]).max().unwrap_or(1);
        Self { members, starts, of, size }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many clusters the largest has.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The clusters of a group.
    pub(super) fn members(&self, group: usize) -> &[u32] {
        &self.members[self.range(group)]
    }

    /// The group of a cluster.
    pub(super) fn of(&self, cluster: u32) -> usize {
        self.of[cluster as usize] as usize
    }

    fn range(&self, group: usize) -> Range<usize> {
        self.starts[group]..self.starts[group + 1]
    }
}

struct Halving<'a> {
    centroids: &'a [f32],
    d: usize,
    starts: &'a mut Vec<usize>,
    /// Where each member lies along the line.
    keys: Vec<(f32, u32)>,
}

impl Halving<'_> {
    /// Cuts the members, of which the first is number `first`, into `groups` groups.
    fn halve(&mut self, members: &mut [u32], first: usize, groups: usize) {
        if groups <= 1 {
            self.starts.push(first + members.len());
            return;
        }
        let left = groups / 2;
        let cut = members.len() * left / groups;
        self.order(members);
        let (low, high) = members.split_at_mut(cut);
        self.halve(low, first, left);
        self.halve(high, first + cut, groups - left);
    }

    /// Orders the members along the line between two of them that lie far apart.
    fn order(&mut self, members: &mut [u32]) {
        let Some(&start) = members.first() else { return };
        let from = self.farthest(members, start);
        let to = self.farthest(members, from);
        let (from, to) = (self.centroid(from).to_vec(), self.centroid(to).to_vec());
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        keys.extend(members.iter().map(|&member| {
            let along = self.centroid(member).iter().zip(from.iter().zip(&to)).map(|(c, (from, to))| c * (to - from));
            (along.sum::<f32>(), member)
        }));
        keys.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        members.iter_mut().zip(&keys).for_each(|(member, key)| *member = key.1);
        self.keys = keys;
    }

    /// The member that is farthest from another.
    fn farthest(&self, members: &[u32], from: u32) -> u32 {
        let from = self.centroid(from);
        let distance =
            |member: u32| self.centroid(member).iter().zip(from).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let far = members.iter().map(|&member| (distance(member), member)).max_by(|a, b| a.0.total_cmp(&b.0));
        far.map_or(0, |(_, member)| member)
    }

    fn centroid(&self, cluster: u32) -> &[f32] {
        &self.centroids[cluster as usize * self.d..][..self.d]
    }
}
