//! A GPU-accelerated compute backend for iterative algorithms.

pub mod backend;
pub mod data;
mod error;

pub use error::{Error, Place, Result};
