//! The iteration engine, held to the behaviours of Alink's queue, of FLIP-176's iterations, and to its own promises.
//!
//! Every behaviour runs on the CPU and on each adapter that wgpu lists, with one partition and with three. Oracles are
//! computed here, in plain f64 loops.

#[path = "../support/adapters.rs"]
mod adapters;
mod alink;
mod balance;
mod checkpoints;
mod communication;
mod feedback;
mod lifetimes;
mod nested;
mod partitions;
mod profile;
mod ranks;
mod rounds;
mod streaming;
mod support;
#[path = "../support/threads.rs"]
mod threads;
mod unbounded;
mod vocabulary;
mod wiring;

#[cfg(feature = "gpu")]
#[path = "../support/caller.rs"]
mod caller;
#[cfg(feature = "gpu")]
mod devices;
#[cfg(feature = "gpu")]
mod kernels;
#[cfg(feature = "gpu")]
mod look_ahead;
#[cfg(feature = "gpu")]
mod loss;
#[cfg(feature = "gpu")]
mod shaders;
#[cfg(feature = "gpu")]
mod slices;
#[cfg(feature = "gpu")]
mod wgsl_wiring;
