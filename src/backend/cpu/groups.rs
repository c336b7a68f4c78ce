//! Groups of centroids that share a lower bound, all about equally large.

/// Which centroids belong together: a row has one lower bound for each group.
///
/// A group's bound gives way by the shift of its fastest member, so those that move alike are grouped: the calm ones then
/// keep their bounds, and what is measured are the few groups that move. (Groups of near centroids, as in the paper, left
/// a half more to be measured at n = 200,000, d = 128, k = 1024.) Groups stay as they are while bounds are kept.
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
    /// Makes groups of at most `size` centroids out of their last shifts, one each.
    pub(super) fn new(shifts: &[f64], size: usize) -> Self {
        let (k, size) = (shifts.len(), size.max(1));
        let count = k.div_ceil(size).max(1);
        let mut members: Vec<u32> = (0..k as u32).collect();
        if size > 1 {
            members.sort_by(|&a, &b| shifts[b as usize].total_cmp(&shifts[a as usize]));
        }
        let starts: Vec<usize> = (0..=count).map(|group| k * group / count).collect();
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
        &self.members[self.starts[group]..self.starts[group + 1]]
    }

    /// The group of a cluster.
    pub(super) fn of(&self, cluster: u32) -> usize {
        self.of[cluster as usize] as usize
    }
}
