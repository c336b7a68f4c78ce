//! The arguments of the commands that group rows into clusters.

use super::super::init::InitChoice;
use super::super::values::{Ks, at_least_one, ks, setting, tolerance};
use super::{ComputeArgs, InputArgs, ReportArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use superstep::algorithms::bisecting::Strategy;
use superstep::queue::Every;
use superstep::{Algorithm, EmptyClusters, Init, Metric};

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the round that runs and writes the results; a second one ends at once.")]
pub(in crate::cli) struct KMeansArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) k: usize,
    /// First centroids: k-means++, k-means||, random, or a table (.npy, .csv, …) of k rows
    #[arg(long, value_name = "NAME|FILE", default_value = "k-means++")]
    pub(in crate::cli) init: InitChoice,
    /// Starts to try, of which the best is kept [default: 1, for random 10]
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) n_init: Option<usize>,
    /// Rows at random that k-means++ chooses among, reading the table once instead of k times [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub(in crate::cli) init_sample: Option<u64>,
    /// Most updates of the centroids
    #[arg(long, value_name = "N", default_value = "300", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) max_iter: u32,
    /// Stop when the squared shifts of the centroids sum to this much of the columns' mean variance; with 0, when no row
    /// changes its cluster
    #[arg(long, value_name = "T", default_value = "1e-4", value_parser = tolerance, allow_negative_numbers = true)]
    pub(in crate::cli) tol: f64,
    /// Distance: euclidean, cosine, cityblock, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(in crate::cli) metric: Metric,
    /// How the nearest centroids are found; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(in crate::cli) algorithm: AlgorithmName,
    /// What becomes of a cluster without rows
    #[arg(long, value_name = "POLICY", default_value = "relocate")]
    pub(in crate::cli) empty: EmptyPolicy,
    /// Weight of each row: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) compute: ComputeArgs,
    #[command(flatten)]
    pub(in crate::cli) checkpoint: CheckpointArgs,
    #[command(flatten)]
    pub(in crate::cli) files: ClusterFiles,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops after the round that runs and writes the clusters there are; a second one ends at once."
)]
pub(in crate::cli) struct BisectArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) k: usize,
    /// Which cluster is split next: that of the biggest_inertia, or the largest_cluster
    #[arg(long, value_name = "NAME", default_value = "biggest_inertia", value_parser = setting::<Strategy>)]
    pub(in crate::cli) strategy: Strategy,
    /// First two centroids of each split: random, k-means++ or k-means||
    #[arg(long, value_name = "NAME", default_value = "random", value_parser = setting::<Init>)]
    pub(in crate::cli) init: Init,
    /// Starts to try for each split, of which the best is kept
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) n_init: usize,
    /// Most updates of the two centroids of a split
    #[arg(long, value_name = "N", default_value = "300", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) max_iter: u32,
    /// End a split when the squared shifts of its centroids sum to this much of the mean variance of its rows' columns; with 0,
    /// when no row changes its side
    #[arg(long, value_name = "T", default_value = "1e-4", value_parser = tolerance, allow_negative_numbers = true)]
    pub(in crate::cli) tol: f64,
    /// Distance: euclidean, cosine, cityblock, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(in crate::cli) metric: Metric,
    /// Weight of each row: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) compute: ComputeArgs,
    #[command(flatten)]
    pub(in crate::cli) files: ClusterFiles,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops after the batch that is computed on and writes the results; a second one ends at once."
)]
pub(in crate::cli) struct OnlineArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) k: usize,
    /// Rows of a batch, each of which gives a new version of the model
    #[arg(long, value_name = "N", default_value = "1024", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) batch_size: usize,
    /// First centroids: chosen from the first batch by k-means++, k-means|| or random, or a table (.npy, .csv, …) of k rows
    #[arg(long, value_name = "NAME|FILE", default_value = "k-means++")]
    pub(in crate::cli) init: InitChoice,
    /// Rows that each centroid of such a table stands for
    #[arg(long, value_name = "N", default_value = "0", value_parser = tolerance)]
    pub(in crate::cli) initial_weight: f64,
    /// How much less what came before counts after each batch: 1 keeps all alike, 0 forgets
    #[arg(long, value_name = "F", default_value = "1", value_parser = tolerance)]
    pub(in crate::cli) decay: f64,
    /// Time after which what came counts half as much, in place of --decay
    #[arg(long, value_name = "N", value_parser = tolerance, conflicts_with = "decay")]
    pub(in crate::cli) half_life: Option<f64>,
    /// What --decay and --half-life count
    #[arg(long, value_name = "UNIT", default_value = "batches")]
    pub(in crate::cli) time_unit: TimeUnit,
    /// Give a cluster that fades away half of the largest one
    #[arg(long)]
    pub(in crate::cli) split_dying: bool,
    /// Wait for more rows at the end of a text file, as they are added; standard input (INPUT -) is always followed
    #[arg(long)]
    pub(in crate::cli) follow: bool,
    /// With --follow: end once nothing was added for so many seconds [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = tolerance, requires = "follow")]
    pub(in crate::cli) idle: Option<f64>,
    /// Distance: euclidean, cosine, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(in crate::cli) metric: Metric,
    #[command(flatten)]
    pub(in crate::cli) compute: ComputeArgs,
    /// Write each version of the model as it comes, a line of JSON each; - is standard output
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) versions: Option<PathBuf>,
    /// Write the last centroids, k rows (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) centroids: Option<PathBuf>,
    /// Write the last model for `superstep predict` (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) model: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the batch that runs and writes the results; a second one ends at once.")]
pub(in crate::cli) struct MiniBatchArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) k: usize,
    /// Rows of a batch, drawn at random
    #[arg(long, value_name = "N", default_value = "1024", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) batch_size: usize,
    /// First centroids: k-means++, k-means||, random, or a table (.npy, .csv, …) of k rows
    #[arg(long, value_name = "NAME|FILE", default_value = "k-means++")]
    pub(in crate::cli) init: InitChoice,
    /// Starts to try on a sample, of which the best is taken [default: 1, for random 3]
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) n_init: Option<usize>,
    /// Rows at random that first centroids are chosen among [default: 3 batches]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub(in crate::cli) init_size: Option<u64>,
    /// Most batches, as passes over all rows
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) max_iter: u32,
    /// Stop when the squared shifts of the centroids in a batch sum to this much of the columns' mean variance; 0 for never
    #[arg(long, value_name = "T", default_value = "0", value_parser = tolerance, allow_negative_numbers = true)]
    pub(in crate::cli) tol: f64,
    /// Stop when the smoothed inertia has not improved for so many batches; 0 for never
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(in crate::cli) max_no_improvement: u32,
    /// Give clusters new seats that get fewer rows than this part of the largest one's; 0 for never
    #[arg(long, value_name = "F", default_value = "0.01", value_parser = tolerance)]
    pub(in crate::cli) reassignment_ratio: f64,
    /// Distance: euclidean, cosine, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(in crate::cli) metric: Metric,
    #[command(flatten)]
    pub(in crate::cli) compute: ComputeArgs,
    #[command(flatten)]
    pub(in crate::cli) files: ClusterFiles,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

/// What time is counted in where rows fade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TimeUnit {
    /// Batches, however many rows they have
    Batches,
    /// Rows
    Rows,
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the start that runs and tells what there is; a second one ends at once.")]
pub(in crate::cli) struct SweepArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    /// Numbers of clusters: 2..20 (both are tried), 10..100:10 (every tenth), or 2,4,8
    #[arg(long, value_name = "KS", value_parser = ks)]
    pub(in crate::cli) k: Ks,
    /// Starts for each k, of which the best is kept
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) restarts: u32,
    /// First centroids: k-means++, k-means|| or random
    #[arg(long, value_name = "NAME", default_value = "k-means++", value_parser = setting::<Init>)]
    pub(in crate::cli) init: Init,
    /// Most updates of the centroids in each fit
    #[arg(long, value_name = "N", default_value = "300", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) max_iter: u32,
    /// End a fit when the squared shifts of the centroids sum to this much of the columns' mean variance
    #[arg(long, value_name = "T", default_value = "1e-4", value_parser = tolerance, allow_negative_numbers = true)]
    pub(in crate::cli) tol: f64,
    /// Distance: euclidean, cosine, cityblock, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(in crate::cli) metric: Metric,
    /// Rows at random that silhouettes are measured of
    #[arg(long, value_name = "N", default_value = "2000", value_parser = at_least_one::<usize>)]
    pub(in crate::cli) silhouette_rows: usize,
    /// Weight of each row: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) compute: ComputeArgs,
    /// Write a page with charts: one HTML file that needs no other
    #[arg(long = "report", value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) page: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

/// Where a job keeps what it has come to, so that it can be cut off at any moment.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckpointArgs {
    /// Keep in this folder what the job has come to, so that it can go on after a crash
    #[arg(long, value_name = "DIR", help_heading = "Checkpoints")]
    pub(in crate::cli) checkpoint: Option<PathBuf>,
    /// How often: after so many rounds, or after a time such as 30s, 5min or 2h
    #[arg(long, value_name = "N|TIME", default_value = "10s", value_parser = setting::<Every>, requires = "checkpoint",
          help_heading = "Checkpoints")]
    pub(in crate::cli) checkpoint_every: Every,
    /// Go on with what the folder holds; begin where it holds nothing
    #[arg(long, requires = "checkpoint", help_heading = "Checkpoints")]
    pub(in crate::cli) resume: bool,
}

/// The files that a clustering writes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ClusterFiles {
    /// Write the cluster of each row (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) labels: Option<PathBuf>,
    /// Write the centroids, k rows (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) centroids: Option<PathBuf>,
    /// Write the model for `superstep predict` (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) model: Option<PathBuf>,
}

/// The algorithms by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AlgorithmName {
    /// What is expected to be fastest
    Auto,
    /// Every distance in every round
    Lloyd,
    /// Bounds that rule out most distances, on processors; the result is the same
    Bounded,
}

impl AlgorithmName {
    /// The library's word for what runs.
    pub(in crate::cli) fn runs(self) -> Algorithm {
        match self {
            Self::Auto => Algorithm::Auto,
            Self::Lloyd => Algorithm::Lloyd,
            Self::Bounded => Algorithm::Bounded,
        }
    }
}

/// The policies for empty clusters by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EmptyPolicy {
    /// It moves to the row farthest from its centroid, as in scikit-learn
    Relocate,
    /// It goes, and k shrinks, as in Alink
    Drop,
    /// It keeps its centroid, as in Spark
    Keep,
}

impl From<EmptyPolicy> for EmptyClusters {
    fn from(policy: EmptyPolicy) -> Self {
        match policy {
            EmptyPolicy::Relocate => Self::Relocate,
            EmptyPolicy::Drop => Self::Drop,
            EmptyPolicy::Keep => Self::Keep,
        }
    }
}
