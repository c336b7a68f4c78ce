//! Temporary files, for what does not fit the memory allowed.

use super::file::{fetch_ahead, read_exact_at};
use crate::{Error, Result};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;

/// A temporary file without a name in the file system, which the system frees when it is closed, however that comes.
#[derive(Debug)]
pub(super) struct Spool {
    /// What it holds, for messages.
    what: &'static str,
    file: File,
    folder: PathBuf,
    length: u64,
}

impl Spool {
    /// An empty one, for `what`, in the system's folder for such.
    ///
    /// # Errors
    /// [`Error::Io`] with the folder when it cannot be made.
    fn new(what: &'static str) -> Result<Self> {
        let folder = std::env::temp_dir();
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(Self { what, file, folder, length: 0 }),
            Err(error) => Err(refuse(what, folder, 0, &error)),
        }
    }

    /// The one that is there, or a new one.
    ///
    /// # Errors
    /// [`Error::Io`] with the folder when it cannot be made.
    pub(super) fn in_place<'s>(spool: &'s mut Option<Self>, what: &'static str) -> Result<&'s mut Self> {
        match spool {
            Some(spool) => Ok(spool),
            none => Ok(none.insert(Self::new(what)?)),
        }
    }

    /// Adds bytes at the end, and says where they begin.
    ///
    /// # Errors
    /// [`Error::Io`] with the folder when they cannot be written, such as on a full disk.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let written = (&self.file).write_all(bytes);
        written.map_err(|error| refuse(self.what, self.folder.clone(), self.length, &error))?;
        let at = self.length;
        self.length += bytes.len() as u64;
        Ok(at)
    }

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`Error::Io`] when they cannot be read.
    pub(super) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        read_exact_at(&self.file, offset, out).map_err(|error| Error::io(&self.folder, error))
    }

    /// Asks the system to fetch these bytes into its cache meanwhile.
    pub(super) fn will_need(&self, bytes: Range<u64>) {
        fetch_ahead(&self.file, bytes);
    }

    /// What a person should be told of it: whose it is, how much it holds, and where.
    pub(super) fn note(&self, name: &str) -> String {
        format!(
            "{name}: {} of {} do not fit the memory allowed and are kept in a temporary file in {}",
            in_words(self.length),
            self.what,
            self.folder.display()
        )
    }
}

/// The error for a temporary file that cannot be written.
fn refuse(what: &str, folder: PathBuf, written: u64, error: &io::Error) -> Error {
    let message = format!(
        "the temporary file of {what}, of which {} are there, cannot be written ({error}); free space, name a larger disk in \
         the environment variable TMPDIR, or allow more memory",
        in_words(written)
    );
    Error::io(folder, io::Error::new(error.kind(), message))
}

/// Bytes as a person says them: `3.1 GB`.
fn in_words(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match UNITS.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bytes as f64 / size as f64),
        None => format!("{bytes} bytes"),
    }
}
