//! A file that is there as a whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// A file while it is written: a temporary one in the folder of the name it will have. Dropped before
/// [`persist`](Self::persist) it is gone, and a file that had the name before is untouched.
pub(in crate::data) struct PendingFile {
    path: PathBuf,
    to: BufWriter<NamedTempFile>,
}

impl PendingFile {
    /// Begins a file of this name.
    ///
    /// # Errors
    /// [`Error::Io`] when its folder is not there or takes no new files.
    pub(in crate::data) fn create(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), to: BufWriter::with_capacity(1 << 20, new_file_beside(path)?) })
    }

    /// The name it will have.
    pub(in crate::data) fn path(&self) -> &Path {
        &self.path
    }

    /// The name it has while it is written.
    pub(in crate::data) fn temporary(&self) -> &Path {
        self.to.get_ref().path()
    }

    /// Flushes it to the disk and gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`] with what the operating system said.
    pub(in crate::data) fn persist(self) -> Result<()> {
        let Self { path, to } = self;
        let settle = || {
            let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        };
        settle().map(drop).map_err(|error| Error::io(&path, error))
    }

    /// The error of a write that failed.
    pub(in crate::data) fn failed(&self, error: io::Error) -> Error {
        Error::io(&self.path, error)
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A temporary file in the folder of `path`, with the permissions that a new file there gets.
fn new_file_beside(path: &Path) -> Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".superstep-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|e| Error::io(path, e))
}
