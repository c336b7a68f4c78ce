//! PageRank, held to NetworkX and to its own promises.
//!
//! What the ranks come to is asked of the CPU and of each adapter that wgpu lists.

#[path = "../support/adapters.rs"]
mod adapters;
mod agreement;
mod errors;
#[path = "../support/numbers.rs"]
mod numbers;
mod reproducible;
#[path = "../support/sessions.rs"]
mod sessions;
mod support;
#[path = "../support/threads.rs"]
mod threads;
