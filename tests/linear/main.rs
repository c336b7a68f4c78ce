//! Linear models, held to scikit-learn's and to their own promises.
//!
//! What a fit comes to is asked of the CPU and of each adapter that wgpu lists.

mod agreement;
mod definitions;
mod errors;
mod files;
mod reproducible;
mod support;
#[path = "../support/threads.rs"]
mod threads;
