//! The sizes of clusters, for a person.

use super::number::count;
use super::table::{Align, Table};

/// Up to this many clusters, each is listed.
const LISTED_CLUSTERS: usize = 16;

/// The sizes of the clusters: each, where they are few, else the smallest, the middle and the largest.
pub(super) fn clusters(sizes: &[u64]) -> String {
    if sizes.len() > LISTED_CLUSTERS {
        return size_range(sizes);
    }
    let total = sizes.iter().sum::<u64>().max(1);
    let mut table = Table::new(&[("cluster", Align::Right), ("rows", Align::Right), ("share", Align::Right)]);
    for (cluster, size) in sizes.iter().enumerate() {
        let share = 100.0 * *size as f64 / total as f64;
        table.row(vec![cluster.to_string(), count(*size), format!("{share:.1} %")]);
    }
    table.render("")
}

fn size_range(sizes: &[u64]) -> String {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let at = |place: usize| sorted.get(place).copied().unwrap_or(0);
    let (smallest, middle, largest) = (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)));
    let empty = match sorted.partition_point(|size| *size == 0) {
        0 => String::new(),
        empty => format!("; {empty} empty"),
    };
    let listed = format!("min {}, median {}, max {}", count(smallest), count(middle), count(largest));
    format!("{:<10}{listed} rows{empty}\n", "clusters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_clusters_are_shown_by_their_range() {
        let mut sizes = vec![10; 20];
        (sizes[3], sizes[5]) = (0, 2500);
        assert_eq!(clusters(&sizes), "clusters  min 0, median 10, max 2,500 rows; 1 empty\n");
        assert_eq!(clusters(&[]), "cluster  rows  share\n");
    }
}
