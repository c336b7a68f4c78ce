//! The one error type of the crate: every message names the place and what to do.

use std::fmt;
use std::path::PathBuf;

/// What every fallible function of the crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong.
///
/// Nothing in the library panics on input, on a device or on a file; it returns one of these. Each prints as a
/// sentence for a person: what, where, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot be obeyed: `n_clusters = 0`, a negative tolerance, an unknown device name.
    #[error("{parameter}: {message}")]
    Parameter {
        /// The setting, as the caller spells it.
        parameter: String,
        /// What is wrong with it and what is accepted.
        message: String,
    },
    /// Input data that cannot be used: not a number, ragged, empty, too few rows.
    #[error("{place}: {message}")]
    Data {
        /// Where: file, row and column as far as they are known.
        place: Place,
        /// What is wrong and what to do.
        message: String,
    },
    /// A file that cannot be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A mistake in the wiring of a queue, found before round 1.
    #[error("item `{item}`, object `{object}`: {message}")]
    Wiring {
        /// The item of the queue.
        item: String,
        /// The object (or WGSL variable) concerned.
        object: String,
        /// What does not fit.
        message: String,
    },
    /// WGSL that does not compile or does not fit its item.
    #[error("item `{item}`, shader `{shader}`: {message}")]
    Shader {
        /// The item of the queue.
        item: String,
        /// The name of the shader.
        shader: String,
        /// What the compiler said.
        message: String,
    },
    /// A device was asked for and none fits.
    #[error("no device for `{asked}`: {found}")]
    NoDevice {
        /// What was asked for.
        asked: String,
        /// What was found instead, and what to do.
        found: String,
    },
    /// A device failed while it was used.
    #[error("device {device}: {message}")]
    Device {
        /// The device's name.
        device: String,
        /// What happened.
        message: String,
    },
    /// A device has not enough memory left.
    #[error("device {device} is out of memory: {message}")]
    OutOfMemory {
        /// The device's name.
        device: String,
        /// How much was wanted, for what.
        message: String,
    },
    /// A rank of a job of several failed, and all ended with it.
    #[error("rank {rank}: {message}")]
    Rank {
        /// The lowest rank that failed.
        rank: usize,
        /// What it said.
        message: String,
    },
    /// An item, criterion or listener failed in a round; the source says why.
    #[error("round {round}, item `{item}`: {source}")]
    Item {
        /// The round, counted from 1.
        round: u32,
        /// The item.
        item: String,
        /// What it returned.
        source: Box<Error>,
    },
}

/// Where in the input something was found; prints as `points.csv, row 17, column 3`.
///
/// Rows and columns count from 0 as arrays do, except that those of a text file count from 1, as editors do: the
/// reader of a format decides and fills in what it knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, or the name of the array.
    pub source: String,
    /// The row.
    pub row: Option<u64>,
    /// The column.
    pub column: Option<u64>,
    /// The column's name, where the format tells it.
    pub column_name: Option<String>,
}

impl Place {
    /// A place known by its source alone.
    pub fn of(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// The same place, narrowed to a row.
    #[must_use]
    pub fn row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// The same place, narrowed to a column.
    #[must_use]
    pub fn column(mut self, column: u64) -> Self {
        self.column = Some(column);
        self
    }

    /// The same place, with the name of its column.
    #[must_use]
    pub fn named(mut self, column_name: impl Into<String>) -> Self {
        self.column_name = Some(column_name.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.source.is_empty() { "the data" } else { &self.source })?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(name) = &self.column_name {
            write!(f, " (`{name}`)")?;
        }
        Ok(())
    }
}

impl Error {
    /// A setting that cannot be obeyed.
    pub fn parameter(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Parameter { parameter: parameter.into(), message: message.into() }
    }

    /// Input data that cannot be used.
    pub fn data(place: Place, message: impl Into<String>) -> Self {
        Self::Data { place, message: message.into() }
    }

    /// A failure of the operating system on a file.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// A mistake in the wiring of a queue.
    pub fn wiring(item: impl Into<String>, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Wiring { item: item.into(), object: object.into(), message: message.into() }
    }

    /// A failure of a device.
    pub fn device(device: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Device { device: device.into(), message: message.into() }
    }
}
