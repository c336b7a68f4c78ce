//! Gaussian mixtures, held to scikit-learn and to their own promises.
//!
//! What a fit comes to is asked of the CPU and of each adapter that wgpu lists.

mod agreement;
mod degenerate;
mod errors;
mod files;
mod reproducible;
mod support;
#[path = "../support/threads.rs"]
mod threads;
