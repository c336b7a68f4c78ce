//! The arguments of the program: flags that scripts depend on, and the words of `--help`.

mod linear;

use super::init::InitChoice;
use super::values::{Ks, at_least_one, delimiter, ks, setting, size, tolerance};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub(super) use linear::{LinearArgs, LinearShared, LogisticArgs};
use std::path::PathBuf;
use superstep::algorithms::bisecting::Strategy;
use superstep::data::ReadOptions;
use superstep::data::output::Element;
use superstep::queue::{DeviceChoice, Every};
use superstep::{Algorithm, Covariance, EmptyClusters, Init, Metric};

/// K-means and other iterative algorithms on large tables, on a GPU or on the CPU.
#[derive(Debug, Parser)]
#[command(name = "superstep", version, propagate_version = true)]
#[command(after_help = "Exit status: 0 done, 1 the job failed, 2 bad usage, 130 interrupted (results are written).")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Group the rows of a table into k clusters
    Kmeans(Box<KMeansArgs>),
    /// Split the rows of a table in two, then one cluster after the other, until there are k
    Bisect(Box<BisectArgs>),
    /// Group the rows of a table into k clusters by small batches of them: less work, and clusters a little worse
    Minibatch(Box<MiniBatchArgs>),
    /// Fit a mixture of Gaussian distributions to the rows of a table
    Gmm(Box<GmmArgs>),
    /// Follow rows as they come, batch by batch, with k centroids that move towards them
    Online(Box<OnlineArgs>),
    /// Group the rows of a table into each of several numbers of clusters, to choose one by
    Sweep(Box<SweepArgs>),
    /// Find the directions in which the rows of a table vary most
    Pca(Box<PcaArgs>),
    /// Fit a logistic regression: which class a row is of
    Logistic(Box<LogisticArgs>),
    /// Fit a linear regression: least squares, ridge, lasso or elastic net
    Linear(Box<LinearArgs>),
    /// Find the cluster, class or number of each row with a model that another command wrote
    Predict(PredictArgs),
    /// Say what tables are: rows, columns, types, ranges, values that are not finite
    Info(InfoArgs),
    /// Write tables as one, in another format or type
    Convert(ConvertArgs),
    /// List the devices that --device can name
    Devices(DevicesArgs),
    /// Run the same work on every device and compare
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the round that runs and writes the results; a second one ends at once.")]
pub(super) struct KMeansArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(super) k: usize,
    /// First centroids: k-means++, k-means||, random, or a table (.npy, .csv, …) of k rows
    #[arg(long, value_name = "NAME|FILE", default_value = "k-means++")]
    pub(super) init: InitChoice,
    /// Starts to try, of which the best is kept [default: 1, for random 10]
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>)]
    pub(super) n_init: Option<usize>,
    /// Rows at random that k-means++ chooses among, reading the table once instead of k times [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub(super) init_sample: Option<u64>,
    /// Most updates of the centroids
    #[arg(long, value_name = "N", default_value = "300", value_parser = at_least_one::<u32>)]
    pub(super) max_iter: u32,
    /// Stop when the squared shifts of the centroids sum to this much of the columns' mean variance; with 0, when no row
    /// changes its cluster
    #[arg(long, value_name = "T", default_value = "1e-4", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) tol: f64,
    /// Distance: euclidean, cosine, cityblock, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(super) metric: Metric,
    /// How the nearest centroids are found; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(super) algorithm: AlgorithmName,
    /// What becomes of a cluster without rows
    #[arg(long, value_name = "POLICY", default_value = "relocate")]
    pub(super) empty: EmptyPolicy,
    /// Weight of each row: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(super) compute: ComputeArgs,
    #[command(flatten)]
    pub(super) checkpoint: CheckpointArgs,
    #[command(flatten)]
    pub(super) files: ClusterFiles,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops after the round that runs and writes the clusters there are; a second one ends at once."
)]
pub(super) struct BisectArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(super) k: usize,
    /// Which cluster is split next: that of the biggest_inertia, or the largest_cluster
    #[arg(long, value_name = "NAME", default_value = "biggest_inertia", value_parser = setting::<Strategy>)]
    pub(super) strategy: Strategy,
    /// First two centroids of each split: random, k-means++ or k-means||
    #[arg(long, value_name = "NAME", default_value = "random", value_parser = setting::<Init>)]
    pub(super) init: Init,
    /// Starts to try for each split, of which the best is kept
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one::<usize>)]
    pub(super) n_init: usize,
    /// Most updates of the two centroids of a split
    #[arg(long, value_name = "N", default_value = "300", value_parser = at_least_one::<u32>)]
    pub(super) max_iter: u32,
    /// End a split when the squared shifts of its centroids sum to this much of the mean variance of its rows' columns; with 0,
    /// when no row changes its side
    #[arg(long, value_name = "T", default_value = "1e-4", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) tol: f64,
    /// Distance: euclidean, cosine, cityblock, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(super) metric: Metric,
    /// Weight of each row: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(super) compute: ComputeArgs,
    #[command(flatten)]
    pub(super) files: ClusterFiles,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the round that runs and writes the results; a second one ends at once.")]
pub(super) struct GmmArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Number of components
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(super) components: usize,
    /// Shape of the covariances: full, or diag (along the axes)
    #[arg(long, value_name = "SHAPE", default_value = "full", value_parser = setting::<Covariance>)]
    pub(super) covariance: Covariance,
    /// What is added to each variance, so that no component collapses
    #[arg(long, value_name = "V", default_value = "1e-6", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) reg_covar: f64,
    /// Stop when the mean log-likelihood of a row changes by less; with 0, after --max-iter rounds
    #[arg(long, value_name = "T", default_value = "1e-3", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) tol: f64,
    /// Most rounds, each a pass over the rows
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<u32>)]
    pub(super) max_iter: u32,
    /// Starts to try, each from a k-means of its own, of which the best is kept
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one::<usize>)]
    pub(super) n_init: usize,
    #[command(flatten)]
    pub(super) compute: ComputeArgs,
    /// Write the likeliest component of each row (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) labels: Option<PathBuf>,
    /// Write the probability of each component for each row, n rows (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) probabilities: Option<PathBuf>,
    /// Write the means of the components, K rows (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) means: Option<PathBuf>,
    /// Write the model for `superstep predict` (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) model: Option<PathBuf>,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops after the batch that is computed on and writes the results; a second one ends at once."
)]
pub(super) struct OnlineArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(super) k: usize,
    /// Rows of a batch, each of which gives a new version of the model
    #[arg(long, value_name = "N", default_value = "1024", value_parser = at_least_one::<usize>)]
    pub(super) batch_size: usize,
    /// First centroids: chosen from the first batch by k-means++, k-means|| or random, or a table (.npy, .csv, …) of k rows
    #[arg(long, value_name = "NAME|FILE", default_value = "k-means++")]
    pub(super) init: InitChoice,
    /// Rows that each centroid of such a table stands for
    #[arg(long, value_name = "N", default_value = "0", value_parser = tolerance)]
    pub(super) initial_weight: f64,
    /// How much less what came before counts after each batch: 1 keeps all alike, 0 forgets
    #[arg(long, value_name = "F", default_value = "1", value_parser = tolerance)]
    pub(super) decay: f64,
    /// Time after which what came counts half as much, in place of --decay
    #[arg(long, value_name = "N", value_parser = tolerance, conflicts_with = "decay")]
    pub(super) half_life: Option<f64>,
    /// What --decay and --half-life count
    #[arg(long, value_name = "UNIT", default_value = "batches")]
    pub(super) time_unit: TimeUnit,
    /// Give a cluster that fades away half of the largest one
    #[arg(long)]
    pub(super) split_dying: bool,
    /// Wait for more rows at the end of a text file, as they are added; standard input (INPUT -) is always followed
    #[arg(long)]
    pub(super) follow: bool,
    /// With --follow: end once nothing was added for so many seconds [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = tolerance, requires = "follow")]
    pub(super) idle: Option<f64>,
    /// Distance: euclidean, cosine, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(super) metric: Metric,
    #[command(flatten)]
    pub(super) compute: ComputeArgs,
    /// Write each version of the model as it comes, a line of JSON each; - is standard output
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) versions: Option<PathBuf>,
    /// Write the last centroids, k rows (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) centroids: Option<PathBuf>,
    /// Write the last model for `superstep predict` (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) model: Option<PathBuf>,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the batch that runs and writes the results; a second one ends at once.")]
pub(super) struct MiniBatchArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Number of clusters
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(super) k: usize,
    /// Rows of a batch, drawn at random
    #[arg(long, value_name = "N", default_value = "1024", value_parser = at_least_one::<usize>)]
    pub(super) batch_size: usize,
    /// First centroids: k-means++, k-means||, random, or a table (.npy, .csv, …) of k rows
    #[arg(long, value_name = "NAME|FILE", default_value = "k-means++")]
    pub(super) init: InitChoice,
    /// Starts to try on a sample, of which the best is taken [default: 1, for random 3]
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>)]
    pub(super) n_init: Option<usize>,
    /// Rows at random that first centroids are chosen among [default: 3 batches]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub(super) init_size: Option<u64>,
    /// Most batches, as passes over all rows
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<u32>)]
    pub(super) max_iter: u32,
    /// Stop when the squared shifts of the centroids in a batch sum to this much of the columns' mean variance; 0 for never
    #[arg(long, value_name = "T", default_value = "0", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) tol: f64,
    /// Stop when the smoothed inertia has not improved for so many batches; 0 for never
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) max_no_improvement: u32,
    /// Give clusters new seats that get fewer rows than this part of the largest one's; 0 for never
    #[arg(long, value_name = "F", default_value = "0.01", value_parser = tolerance)]
    pub(super) reassignment_ratio: f64,
    /// Distance: euclidean, cosine, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(super) metric: Metric,
    #[command(flatten)]
    pub(super) compute: ComputeArgs,
    #[command(flatten)]
    pub(super) files: ClusterFiles,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

/// What time is counted in where rows fade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TimeUnit {
    /// Batches, however many rows they have
    Batches,
    /// Rows
    Rows,
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the start that runs and tells what there is; a second one ends at once.")]
pub(super) struct SweepArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Numbers of clusters: 2..20 (both are tried), 10..100:10 (every tenth), or 2,4,8
    #[arg(long, value_name = "KS", value_parser = ks)]
    pub(super) k: Ks,
    /// Starts for each k, of which the best is kept
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one::<u32>)]
    pub(super) restarts: u32,
    /// First centroids: k-means++, k-means|| or random
    #[arg(long, value_name = "NAME", default_value = "k-means++", value_parser = setting::<Init>)]
    pub(super) init: Init,
    /// Most updates of the centroids in each fit
    #[arg(long, value_name = "N", default_value = "300", value_parser = at_least_one::<u32>)]
    pub(super) max_iter: u32,
    /// End a fit when the squared shifts of the centroids sum to this much of the columns' mean variance
    #[arg(long, value_name = "T", default_value = "1e-4", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) tol: f64,
    /// Distance: euclidean, cosine, cityblock, or haversine (latitude and longitude in degrees)
    #[arg(long, value_name = "NAME", default_value = "euclidean", value_parser = setting::<Metric>)]
    pub(super) metric: Metric,
    /// Rows at random that silhouettes are measured of
    #[arg(long, value_name = "N", default_value = "2000", value_parser = at_least_one::<usize>)]
    pub(super) silhouette_rows: usize,
    /// Weight of each row: a table (.npy, .csv, …) of one column
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(super) compute: ComputeArgs,
    /// Write a page with charts: one HTML file that needs no other
    #[arg(long = "report", value_name = "FILE", help_heading = "Results")]
    pub(super) page: Option<PathBuf>,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C stops after the round that runs and writes the results; a second one ends at once.")]
pub(super) struct PcaArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Number of components
    #[arg(long, value_name = "M", value_parser = at_least_one::<usize>)]
    pub(super) components: usize,
    /// Scale transformed rows so that each component has the variance 1
    #[arg(long)]
    pub(super) whiten: bool,
    /// Stop when what a component lacks of being one is this much of the largest variance
    #[arg(long, value_name = "T", default_value = "1e-5", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) tol: f64,
    /// Most rounds, each a pass over the rows
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<u32>)]
    pub(super) max_iter: u32,
    /// Directions beyond the components that rounds carry along, so that fewer rounds do
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) oversample: usize,
    #[command(flatten)]
    pub(super) compute: ComputeArgs,
    /// Write the components, a row each (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) components_out: Option<PathBuf>,
    /// Write the rows in the directions of the components (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) transformed: Option<PathBuf>,
    /// Write the model (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) model: Option<PathBuf>,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

/// Where a job keeps what it has come to, so that it can be cut off at any moment.
#[derive(Debug, Args)]
pub(super) struct CheckpointArgs {
    /// Keep in this folder what the job has come to, so that it can go on after a crash
    #[arg(long, value_name = "DIR", help_heading = "Checkpoints")]
    pub(super) checkpoint: Option<PathBuf>,
    /// How often: after so many rounds, or after a time such as 30s, 5min or 2h
    #[arg(long, value_name = "N|TIME", default_value = "10s", value_parser = setting::<Every>, requires = "checkpoint",
          help_heading = "Checkpoints")]
    pub(super) checkpoint_every: Every,
    /// Go on with what the folder holds; begin where it holds nothing
    #[arg(long, requires = "checkpoint", help_heading = "Checkpoints")]
    pub(super) resume: bool,
}

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    /// A model that --model of `kmeans`, `bisect`, `gmm`, `logistic` or `linear` wrote
    #[arg(value_name = "MODEL")]
    pub(super) model: PathBuf,
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Write the cluster of each row, of a linear model its class or number (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE")]
    pub(super) labels: PathBuf,
    /// Write the distance of each row to its centroid, where there are some (.npy, .csv or .parquet), in the model's metric; haversine in kilometres
    #[arg(long, value_name = "FILE")]
    pub(super) distances: Option<PathBuf>,
    #[command(flatten)]
    pub(super) resources: ResourceArgs,
    #[command(flatten)]
    pub(super) verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Print one JSON object instead of a summary
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// The file to write, in the format of its extension: .npy, .csv, .parquet, .fvecs or .fbin
    #[arg(value_name = "OUTPUT", required = true)]
    pub(super) output: PathBuf,
    /// Type of the values written [default: f64 if the input has more than f32 holds, else f32]
    #[arg(long, value_name = "TYPE")]
    pub(super) dtype: Option<ElementName>,
    #[command(flatten)]
    pub(super) verbosity: VerbosityArgs,
}

#[derive(Debug, Args)]
pub(super) struct DevicesArgs {
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// A table (.npy, .csv, …) to use instead of generated rows
    #[arg(value_name = "INPUT", conflicts_with_all = ["n", "d"])]
    pub(super) input: Option<PathBuf>,
    /// Rows to generate: k Gaussian blobs
    #[arg(long, value_name = "N", default_value = "200000", value_parser = at_least_one::<usize>)]
    pub(super) n: usize,
    /// Columns to generate
    #[arg(long, value_name = "D", default_value = "32", value_parser = at_least_one::<usize>)]
    pub(super) d: usize,
    /// Number of clusters
    #[arg(long, value_name = "K", default_value = "64", value_parser = at_least_one::<usize>)]
    pub(super) k: usize,
    /// A device to measure, as in `kmeans`; may be given several times [default: cpu and every adapter]
    #[arg(long, value_name = "DEVICE", value_parser = setting::<DeviceChoice>)]
    pub(super) device: Vec<DeviceChoice>,
    /// Updates of the centroids in each run
    #[arg(long, value_name = "N", default_value = "10", value_parser = at_least_one::<u32>)]
    pub(super) iterations: u32,
    /// Runs on each device, of which the median is told
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one::<usize>)]
    pub(super) runs: usize,
    /// Seed of the generated rows and of the first centroids
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Write a page with charts: one HTML file that needs no other
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    #[command(flatten)]
    pub(super) resources: ResourceArgs,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) verbosity: VerbosityArgs,
}

/// The files that rows are read from.
#[derive(Debug, Args)]
pub(super) struct InputArgs {
    /// Tables of numbers, several are read as one: files, folders, patterns such as 'shards/*.npy', arrays of a file as
    /// sets.npz:train. Extensions: .npy, .npz, .csv, .tsv, .txt (these three also with .gz behind), .parquet, .arrow,
    /// .arrows, .feather, .ipc, .fvecs, .bvecs, .ivecs, .fbin, .u8bin, .i8bin, .safetensors
    #[arg(value_name = "INPUT", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Character between the cells of text files, or the word tab [default: found out]
    #[arg(long, value_name = "C", value_parser = delimiter)]
    pub(super) delimiter: Option<u8>,
    /// Whether the first row of text files names the columns
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) header: Header,
    /// Columns to read, in this order: by name where the file names them, else by number, from 1 in text files and from 0
    /// in arrays [default: all]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,
}

impl InputArgs {
    /// How the files are read, where `memory` is what the job may take of the host's.
    pub(super) fn options(&self, memory: u64) -> ReadOptions {
        let header = match self.header {
            Header::Auto => None,
            Header::Yes => Some(true),
            Header::No => Some(false),
        };
        // Parsed rows get half: what is computed on them needs room as well.
        let memory = Some(memory / 2);
        ReadOptions { delimiter: self.delimiter, header, columns: self.columns.clone(), memory }
    }

    /// The files as a person names them: `a.npy and 2 more files`.
    pub(super) fn names(&self) -> String {
        let first = self.files.first().map_or_else(String::new, |file| file.display().to_string());
        match self.files.len() {
            0 | 1 => first,
            2 => format!("{first} and 1 more file"),
            files => format!("{first} and {} more files", files - 1),
        }
    }
}

/// What an algorithm draws with and computes on.
#[derive(Debug, Args)]
pub(super) struct ComputeArgs {
    /// Seed of all random draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Where to compute: auto, cpu, gpu, gpu:I[,gpu:J…] or all
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = setting::<DeviceChoice>)]
    pub(super) device: DeviceChoice,
    #[command(flatten)]
    pub(super) resources: ResourceArgs,
}

/// The files that a clustering writes.
#[derive(Debug, Args)]
pub(super) struct ClusterFiles {
    /// Write the cluster of each row (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) labels: Option<PathBuf>,
    /// Write the centroids, k rows (.npy, .csv or .parquet)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) centroids: Option<PathBuf>,
    /// Write the model for `superstep predict` (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) model: Option<PathBuf>,
}

/// How an algorithm tells what it did.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Print one JSON object instead of a summary
    #[arg(long, help_heading = "Results")]
    pub(super) json: bool,
    /// With --json: what each kernel took, as `items` of each round of the trace, or of what the algorithm lists; the rounds
    /// take longer then
    #[arg(long, requires = "json", help_heading = "Results")]
    pub(super) profile: bool,
    #[command(flatten)]
    pub(super) verbosity: VerbosityArgs,
}

/// What a job may use of the machine.
#[derive(Debug, Args)]
pub(super) struct ResourceArgs {
    /// Threads on the CPU [default: all processors]
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>)]
    pub(super) threads: Option<usize>,
    /// Most memory on the host: 512M, 2G (powers of 1000), 1GiB (of 1024); rows beyond it are read anew in every round
    /// [default: four fifths of what is free]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) memory: Option<u64>,
    /// Most memory on each device; rows beyond it are brought there in every round [default: what the device gives]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) device_memory: Option<u64>,
    /// Do not try which kernels are the fastest on a GPU (the choice is kept in the user's cache folder)
    #[arg(long)]
    pub(super) no_tune: bool,
}

/// How much is said on standard error.
#[derive(Debug, Args)]
pub(super) struct VerbosityArgs {
    /// No progress and no warnings on standard error
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Whether text files have a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Header {
    Auto,
    Yes,
    No,
}

/// The types of written values by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ElementName {
    /// Single precision
    F32,
    /// Double precision
    F64,
    /// Half precision
    F16,
}

impl From<ElementName> for Element {
    fn from(name: ElementName) -> Self {
        match name {
            ElementName::F16 => Self::F16,
            ElementName::F32 => Self::F32,
            ElementName::F64 => Self::F64,
        }
    }
}

/// The algorithms by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AlgorithmName {
    /// What is expected to be fastest
    Auto,
    /// Every distance in every round
    Lloyd,
    /// Bounds that rule out most distances, on processors; the result is the same
    Bounded,
}

impl AlgorithmName {
    /// The library's word for what runs.
    pub(super) fn runs(self) -> Algorithm {
        match self {
            Self::Auto => Algorithm::Auto,
            Self::Lloyd => Algorithm::Lloyd,
            Self::Bounded => Algorithm::Bounded,
        }
    }
}

/// The policies for empty clusters by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EmptyPolicy {
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
