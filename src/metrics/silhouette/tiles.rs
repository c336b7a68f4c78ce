//! Mean distances of every row to every cluster, tile by tile.
//!
//! Each cluster's rows are laid out in tiles of 16, column by column, so that one row is measured against 16 others in
//! the processor's vector registers whatever `d` is. Differences are taken before they are squared: rows far off zero
//! lose nothing. Sums run in the order of the rows; no sum is shared between threads.

use rayon::prelude::*;

use super::super::clusters::Clusters;
use super::Distance;

/// Rows of a tile: with 16 the sums of one row fit the registers of plain SSE2; 32 spill and are 1.2 times as slow.
const LANES: usize = 16;

/// Rows that are measured while a tile is in the first-level cache (8 KiB at d = 64).
const TOGETHER: usize = 16;

/// The silhouette coefficient of each row; `values` are `n × d`, row-major, with at least one row and column.
pub(super) fn silhouettes(mut values: Vec<f64>, d: usize, clusters: &Clusters, distance: Distance) -> Vec<f64> {
    if distance == Distance::Cosine {
        values.par_chunks_exact_mut(d).for_each(normalise);
    }
    let members = members(&values, d, clusters, distance);
    let blocks = values.par_chunks(TOGETHER * d).zip(clusters.of_row.par_chunks(TOGETHER));
    let blocks = blocks.map(|(rows, own)| Block { rows, own, d }.silhouettes(&members, distance));
    blocks.flatten_iter().collect()
}

/// Scales a row to length 1; a row of zeros stays. The greatest value is divided out first: its square may be 0 in f64.
fn normalise(row: &mut [f64]) {
    let greatest = row.iter().fold(0.0, |greatest: f64, value| greatest.max(value.abs()));
    if greatest > 0.0 {
        row.iter_mut().for_each(|value| *value /= greatest);
        let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        row.iter_mut().for_each(|value| *value /= length);
    }
}

/// The rows of one cluster.
struct Members {
    size: u64,
    /// Those that have no direction, under the cosine distance; they are in no tile, and at distance 1 from all others.
    undirected: u64,
    /// Each tile is `d × LANES` values; what the last one has too many is never read.
    tiles: Vec<f64>,
}

impl Members {
    /// How many rows lie in tiles.
    fn tiled(&self) -> usize {
        (self.size - self.undirected) as usize
    }
}

fn members(values: &[f64], d: usize, clusters: &Clusters, distance: Distance) -> Vec<Members> {
    let mut rows_of: Vec<Vec<&[f64]>> = clusters.sizes.iter().map(|size| Vec::with_capacity(*size as usize)).collect();
    for (row, cluster) in values.chunks_exact(d).zip(&clusters.of_row) {
        if !is_undirected(row, distance) {
            rows_of[*cluster as usize].push(row);
        }
    }
    let each = rows_of.par_iter().zip(&clusters.sizes);
    let each = each.map(|(rows, size)| Members {
        size: *size,
        undirected: size - rows.len() as u64,
        tiles: rows.chunks(LANES).flat_map(|rows| tile(rows, d)).collect(),
    });
    each.collect()
}

fn tile(rows: &[&[f64]], d: usize) -> Vec<f64> {
    let mut tile = vec![0.0; d * LANES];
    for (lane, row) in rows.iter().enumerate() {
        for (column, value) in tile.chunks_exact_mut(LANES).zip(*row) {
            column[lane] = *value;
        }
    }
    tile
}

fn is_undirected(row: &[f64], distance: Distance) -> bool {
    distance == Distance::Cosine && row.iter().all(|value| *value == 0.0)
}

/// Up to `TOGETHER` rows that are measured together.
struct Block<'a> {
    rows: &'a [f64],
    /// The cluster of each row.
    own: &'a [u32],
    d: usize,
}

impl Block<'_> {
    fn silhouettes(&self, clusters: &[Members], distance: Distance) -> Vec<f64> {
        let mut inside = [0.0; TOGETHER];
        let mut outside = [f64::INFINITY; TOGETHER];
        for (cluster, members) in (0..).zip(clusters) {
            let sums = self.sums(members, distance);
            for (((sum, own), inside), outside) in sums.iter().zip(self.own).zip(&mut inside).zip(&mut outside) {
                if *own == cluster {
                    // The row itself is at distance 0; alone in its cluster, it gets 0 / 0, which is no coefficient.
                    *inside = sum / (members.size - 1) as f64;
                } else {
                    *outside = outside.min(sum / members.size as f64);
                }
            }
        }
        let rows = self.rows.chunks_exact(self.d).zip(inside.iter().zip(&outside));
        rows.map(|(row, (a, b))| if is_undirected(row, distance) { 0.0 } else { coefficient(*a, *b) }).collect()
    }

    /// The sums of the distances of each row to a cluster's rows.
    fn sums(&self, members: &Members, distance: Distance) -> [f64; TOGETHER] {
        let square = |difference: f64| difference * difference;
        let sums = match distance {
            Distance::Euclidean => self.sums_by(members, square, f64::sqrt),
            // Of unit vectors |x − y|² = 2(1 − x·y), and the left side does not cancel for small angles.
            Distance::Cosine => self.sums_by(members, square, |sum| sum / 2.0),
            Distance::CityBlock => self.sums_by(members, f64::abs, |sum| sum),
        };
        sums.map(|sum| sum + members.undirected as f64)
    }

    fn sums_by(
        &self,
        members: &Members,
        term: impl Fn(f64) -> f64 + Copy,
        finish: impl Fn(f64) -> f64 + Copy,
    ) -> [f64; TOGETHER] {
        let mut totals = [[0.0; LANES]; TOGETHER];
        for (number, tile) in members.tiles.chunks_exact(self.d * LANES).enumerate() {
            let filled = (members.tiled() - number * LANES).min(LANES);
            for (row, totals) in self.rows.chunks_exact(self.d).zip(&mut totals) {
                let mut sums = [0.0; LANES];
                for (value, column) in row.iter().zip(tile.as_chunks::<LANES>().0) {
                    for (sum, other) in sums.iter_mut().zip(column) {
                        *sum += term(value - other);
                    }
                }
                for (total, sum) in totals[..filled].iter_mut().zip(sums) {
                    *total += finish(sum);
                }
            }
        }
        totals.map(|lanes| lanes.iter().sum())
    }
}

/// (b − a) / max(a, b), or 0 where that is 0 / 0 or `a` is no number.
fn coefficient(a: f64, b: f64) -> f64 {
    let coefficient = (b - a) / a.max(b);
    if coefficient.is_nan() { 0.0 } else { coefficient }
}
