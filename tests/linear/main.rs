//! Linear models, held to scikit-learn's and to their own promises.
//!
//! What a fit comes to is asked of the CPU and of each adapter that wgpu lists.

#[path = "../support/adapters.rs"]
mod adapters;
mod agreement;
mod definitions;
mod errors;
mod files;
#[path = "../support/numbers.rs"]
mod numbers;
mod reproducible;
#[path = "../support/sessions.rs"]
mod sessions;
mod sgd;
mod support;
#[path = "../support/threads.rs"]
mod threads;
