//! What the program prints as its result: JSON objects for scripts, summaries and tables for people.
//!
//! Pure functions of what was measured; nothing here opens a file, runs anything or writes to a stream, but that
//! [`peak_rss_mb`] asks the operating system.

mod bench;
mod bench_page;
mod bisect;
mod clusters;
mod device;
mod fit;
mod gmm;
mod head;
mod info;
pub(crate) mod linear;
mod memory;
pub(crate) mod number;
mod online;
mod page;
mod pagerank;
mod pca;
mod sweep;
mod table;

pub(crate) use bench::{BenchReport, DeviceRun, ItemShare, Measured, median};
pub(crate) use bisect::BisectReport;
pub(crate) use device::{DeviceLine, devices_json, devices_table};
pub(crate) use fit::{FitReport, seconds_per_iteration};
pub(crate) use gmm::GmmReport;
pub(crate) use head::{Head, Seconds};
pub(crate) use info::{ColumnInfo, FileInfo, Found, info_json, info_text};
pub(crate) use linear::LinearReport;
pub(crate) use memory::peak_rss_mb;
pub(crate) use online::{OnlineReport, version_json};
pub(crate) use pagerank::PageRankReport;
pub(crate) use pca::PcaReport;
pub(crate) use sweep::{SweepLine, SweepReport};
