//! The arguments of the program: flags that scripts depend on, and the words of `--help`.

mod clusters;
mod linear;
mod pagerank;

use super::values::{at_least_one, delimiter, setting, size, tolerance};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub(super) use clusters::{
    BisectArgs, CheckpointArgs, ClusterFiles, EmptyPolicy, KMeansArgs, MiniBatchArgs, OnlineArgs, SweepArgs, TimeUnit,
};
pub(super) use linear::{LinearArgs, LinearShared, LogisticArgs, Schedule, SolverName};
pub(super) use pagerank::PageRankArgs;
use std::path::PathBuf;
use superstep::CovarianceType;
use superstep::data::ReadOptions;
use superstep::data::output::Element;
use superstep::queue::DeviceChoice;

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
    /// Rank the nodes of a graph by the edges that lead to them
    Pagerank(Box<PageRankArgs>),
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
pub(super) struct GmmArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Number of components
    #[arg(long, value_name = "K", value_parser = at_least_one::<usize>)]
    pub(super) components: usize,
    /// Shape of the covariances: full, or diag (along the axes)
    #[arg(long, value_name = "SHAPE", default_value = "full", value_parser = setting::<CovarianceType>)]
    pub(super) covariance: CovarianceType,
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
