//! PageRank: how much of a random surfer's time each node of a graph gets, and of one who starts again at nodes of choice.
//!
//! `params` are the settings, `graph` the graph as the sparse matrix of its edges, `fit` the queue of the power iteration, `damp`
//! the items that end a round, `ranks` the result.

mod damp;
mod fit;
mod graph;
mod params;
mod ranks;

pub use damp::Round;
pub use graph::Graph;
pub use params::PageRank;
pub use ranks::PageRanks;
