//! Saving and loading a model, as a safetensors file.
//!
//! | tensor | type | shape | what |
//! | --- | --- | --- | --- |
//! | `centroids` | F64 | k × d | of the clusters, in the data's own space |
//! | `origin` | F64 | d, or 0 | what was taken off each column |
//! | `cluster_sizes` | U64 | k | rows of each cluster |
//! | `cluster_inertias` | F64 | k | each cluster's share of the inertia |
//! | `branches` | I64 | s × 2 | what each side of a split became: s, the number of a later split, or −1 − c, cluster c |
//! | `split_centroids` | F64 | 2s × d | of the two sides of each of the s splits |
//! | `split_prepared` | F32 | 2s × d' | the same in the space of the kernels |
//! | `split_origins` | F64 | s × d | what was taken off each column there |
//! | `split_sizes` | U64 | 2s | rows of each side |
//! | `split_inertias` | F64 | 2s | inertia of each side |
//! | `split_iterations` | U64 | s | updates of the two centroids |
//! | `split_converged` | U64 | s | 1, or 0 where the rounds ran out |
//!
//! The metadata are text: `format` (`superstep-bisecting-kmeans`), `version` (`1`), `metric`, `strategy`, `iterations`,
//! `converged`, `seed`, `rows`.

use super::model::{BisectingKMeansModel, leaves};
use super::params::Strategy;
use super::tree::{Branch, Split, is_tree};
use crate::Result;
use crate::algorithms::kmeans::{Kept, Metric, Timings};
use crate::algorithms::model_file::{Found, ModelKind, ModelReader, ModelWriter, load};
use ndarray::s;
use std::path::Path;
use std::str::FromStr;

const VERSION: u32 = 1;

impl BisectingKMeansModel {
    /// Writes the model to a file: to a temporary one beside it first, which then takes its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (splits, k, d) = (self.splits.len(), self.k(), self.columns());
        let (prepared, origin) = self.leaves.prepared();
        let branches: Vec<i64> = self.splits.iter().flat_map(|split| split.branches.map(number_of)).collect();
        let centroids: Vec<f64> = self.splits.iter().flat_map(|split| split.centroids().iter().copied()).collect();
        let parts = || self.splits.iter().map(|split| split.model.prepared());
        let split_prepared: Vec<f32> = parts().flat_map(|(prepared, _)| prepared.iter().copied()).collect();
        // No origin is one of zeros.
        let split_origins: Vec<f64> =
            parts().flat_map(|(_, origin)| (0..d).map(|at| origin.get(at).copied().unwrap_or(0.0))).collect();
        let sizes: Vec<u64> = self.splits.iter().flat_map(Split::sizes).collect();
        let inertias: Vec<f64> = self.splits.iter().flat_map(Split::inertias).collect();
        let iterations: Vec<u64> = self.splits.iter().map(|split| split.iterations().into()).collect();
        let converged: Vec<u64> = self.splits.iter().map(|split| split.converged().into()).collect();
        ModelWriter::new(ModelKind::BisectingKMeans, VERSION)
            .matrix("centroids", self.centroids())
            .tensor("origin", &[origin.len()], origin)
            .tensor("cluster_sizes", &[k], self.cluster_sizes())
            .tensor("cluster_inertias", &[k], self.cluster_inertias())
            .tensor("branches", &[splits, 2], &branches)
            .tensor("split_centroids", &[2 * splits, d], &centroids)
            .tensor("split_prepared", &[2 * splits, prepared.ncols()], &split_prepared)
            .tensor("split_origins", &[splits, d], &split_origins)
            .tensor("split_sizes", &[2 * splits], &sizes)
            .tensor("split_inertias", &[2 * splits], &inertias)
            .tensor("split_iterations", &[splits], &iterations)
            .tensor("split_converged", &[splits], &converged)
            .text("metric", self.metric())
            .text("strategy", self.strategy)
            .text("iterations", self.iterations)
            .text("converged", self.converged)
            .text("seed", self.seed())
            .text("rows", self.rows())
            .save(path.as_ref())
    }

    /// Reads a model from a file; it has no labels and no traces.
    ///
    /// # Errors
    /// When the file cannot be read, is no model of this kind, or is a damaged one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let written_by = "`bisect --model` or `BisectingKMeansModel::save`";
        load(path.as_ref(), (ModelKind::BisectingKMeans, VERSION), written_by, parse)
    }
}

fn number_of(branch: Branch) -> i64 {
    match branch {
        Branch::Split(split) => split as i64,
        Branch::Cluster(cluster) => -1 - i64::from(cluster),
    }
}

fn branch_of(number: i64) -> Found<Branch> {
    let beyond = |_| format!("`branches` holds {number}, which is neither a split nor a cluster");
    match number {
        0.. => usize::try_from(number).map(Branch::Split).map_err(beyond),
        _ => u32::try_from(-1 - number).map(Branch::Cluster).map_err(beyond),
    }
}

fn parse(file: &ModelReader) -> Found<BisectingKMeansModel> {
    let metric = Metric::from_str(file.text("metric")?).map_err(|error| error.to_string())?;
    let strategy = Strategy::from_str(file.text("strategy")?).map_err(|error| error.to_string())?;
    let facts = (metric, file.parsed("seed")?, file.parsed("rows")?);
    let centroids = file.matrix::<f64>("centroids")?;
    let (k, d) = centroids.dim();
    let splits = splits(file, facts, d)?;
    let branches: Vec<[Branch; 2]> = splits.iter().map(|split| split.branches).collect();
    if !(is_tree(&branches, k) || (splits.is_empty() && k == 1)) {
        return Err("its splits are not one tree of its clusters".to_owned());
    }
    let origin: Vec<f64> = file.values("origin")?;
    let inertias: Vec<f64> = file.values("cluster_inertias")?;
    let finite = centroids.iter().chain(&origin).chain(&inertias).all(|value| value.is_finite());
    if d == 0 || ![0, d].contains(&origin.len()) || inertias.len() != k || !finite {
        return Err("its clusters are not whole: shapes do not fit, or values are not finite".to_owned());
    }
    let sizes = file.values("cluster_sizes")?;
    let leaves = leaves(facts, centroids, &origin, sizes, inertias).map_err(|error| error.to_string())?;
    Ok(BisectingKMeansModel {
        strategy,
        leaves,
        labels: Vec::new(),
        splits,
        iterations: file.parsed("iterations")?,
        converged: file.parsed("converged")?,
        interrupted: false,
        timings: Timings::default(),
        streamed: None,
        warnings: Vec::new(),
    })
}

fn splits(file: &ModelReader, (metric, seed, _): (Metric, u64, u64), d: usize) -> Found<Vec<Split>> {
    let branches = file.matrix::<i64>("branches")?;
    let centroids = file.matrix::<f64>("split_centroids")?;
    let prepared = file.matrix::<f32>("split_prepared")?;
    let origins = file.matrix::<f64>("split_origins")?;
    let (sizes, inertias) = (file.values::<u64>("split_sizes")?, file.values::<f64>("split_inertias")?);
    let (iterations, converged) = (file.values::<u64>("split_iterations")?, file.values::<u64>("split_converged")?);
    let count = branches.nrows();
    let pairs = [centroids.nrows(), prepared.nrows(), sizes.len(), inertias.len()];
    let ones = [origins.nrows(), iterations.len(), converged.len()];
    let widths = [branches.ncols() == 2, centroids.ncols() == d, origins.ncols() == d];
    if pairs != [2 * count; 4] || ones != [count; 3] || widths.contains(&false) {
        return Err("the shapes of its tensors do not fit each other".to_owned());
    }
    let two = |at: usize| s![2 * at..2 * at + 2, ..];
    let split = |at: usize| {
        let origin = origins.row(at).to_vec();
        let kept = Kept {
            metric,
            centroids: centroids.slice(two(at)).to_owned(),
            prepared: prepared.slice(two(at)).to_owned(),
            origin: if origin.iter().all(|value| *value == 0.0) { Vec::new() } else { origin },
            sizes: sizes[2 * at..2 * at + 2].to_vec(),
            inertia: inertias[2 * at] + inertias[2 * at + 1],
            inertias: inertias[2 * at..2 * at + 2].to_vec(),
            iterations: u32::try_from(iterations[at]).map_err(|error| format!("`split_iterations`: {error}"))?,
            converged: converged[at] == 1,
            seed,
            rows: sizes[2 * at].saturating_add(sizes[2 * at + 1]),
        };
        let branches = [branch_of(branches[[at, 0]])?, branch_of(branches[[at, 1]])?];
        Ok(Split { model: kept.model()?, branches })
    };
    (0..count).map(split).collect()
}
