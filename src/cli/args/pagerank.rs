//! The arguments of `pagerank`.

use super::super::values::{at_least_one, delimiter, probability, tolerance};
use super::{ComputeArgs, Header, InputArgs, ReportArgs};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C stops after the round that runs and writes the ranks there are; a second one ends at once."
)]
pub(in crate::cli) struct PageRankArgs {
    /// Lists of edges, several are read as one: text with a source, a target and maybe a weight a line (also with .gz behind), or
    /// tables of two or three columns of numbers (.npy, .npz, .parquet, .arrow, …), or Matrix Market files (.mtx)
    #[arg(value_name = "EDGES", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Character between the cells of text files, or the word tab [default: found out]
    #[arg(long, value_name = "C", value_parser = delimiter)]
    pub(in crate::cli) delimiter: Option<u8>,
    /// Whether the first line of text files names the columns
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(in crate::cli) header: Header,
    /// Columns of source, target and maybe weight: by name where the file names them, else by number, from 1 in text files and
    /// from 0 in arrays [default: all]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(in crate::cli) columns: Option<Vec<String>>,
    /// Take every edge in both directions
    #[arg(long)]
    pub(in crate::cli) undirected: bool,
    /// Probability that the surfer follows an edge and does not start again
    #[arg(long, value_name = "P", default_value = "0.85", value_parser = probability, allow_negative_numbers = true)]
    pub(in crate::cli) damping: f64,
    /// Stop when a round changes the ranks of the n nodes by less than n times this in all; with 0, after --max-iter rounds
    #[arg(long, value_name = "T", default_value = "1e-6", value_parser = tolerance, allow_negative_numbers = true)]
    pub(in crate::cli) tol: f64,
    /// Most rounds, each a pass over the edges
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<u32>)]
    pub(in crate::cli) max_iter: u32,
    /// Where the surfer starts again: text with a node and its weight a line, 0 for all others [default: everywhere alike]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) personalization: Option<PathBuf>,
    /// Where the surfer goes from a node without edges: text as of --personalization [default: as that]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) dangling: Option<PathBuf>,
    /// The ranks to begin with: text as of --personalization, such as --output wrote [default: all alike]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) start: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) compute: ComputeArgs,
    /// Write the rank of each node, in the order in which nodes come: to .csv with their names, to .npy and .parquet the ranks alone
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Write a page with a chart: one HTML file that needs no other
    #[arg(long = "report", value_name = "FILE", help_heading = "Results")]
    pub(in crate::cli) page: Option<PathBuf>,
    /// How many of the nodes with the highest ranks are told
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Results")]
    pub(in crate::cli) top: usize,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

impl PageRankArgs {
    /// The files as any command names and opens its input.
    pub(in crate::cli) fn input(&self) -> InputArgs {
        let Self { files, delimiter, header, columns, .. } = self;
        InputArgs { files: files.clone(), delimiter: *delimiter, header: *header, columns: columns.clone() }
    }
}
