//! One file of labels that several processes write, each its own rows.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::pending::PendingFile;
use super::refuse;
use crate::data::npy::write_header;
use crate::data::open::extension;
use crate::{Error, Result};

/// A file of labels while several processes write it: one of them holds this, the others know the name of its temporary
/// file. Dropped before [`finish`](Self::finish) it is gone.
pub struct SharedFile(PendingFile);

impl SharedFile {
    /// Begins a file of this name.
    ///
    /// # Errors
    /// When its folder is not there or takes no new files.
    pub fn create(path: &Path) -> Result<Self> {
        PendingFile::create(path).map(Self)
    }

    /// Where it is while it is written.
    pub fn temporary(&self) -> &Path {
        self.0.temporary()
    }

    /// Flushes it to the disk and gives it its name, once all have written their parts.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn finish(self) -> Result<()> {
        self.0.persist()
    }
}

/// Writes a part of a shared file, from byte `offset` on.
///
/// # Errors
/// What the operating system said; where `temporary` is not there, the processes share no folder.
pub fn write_part(temporary: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::options().write(true).open(temporary)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| Error::io(temporary, error))
}

/// Checks, before the work starts, that labels can be written to `path` in parts.
///
/// # Errors
/// When its name ends in neither `.npy` nor `.csv`.
pub fn check_parts(path: &Path) -> Result<()> {
    labels_head(path, 0).map(drop)
}

/// The bytes that a file of `rows` labels begins with, before those of [`labels_part`].
///
/// # Errors
/// When the file's name ends in neither `.npy` nor `.csv`: other formats cannot be written in parts.
pub fn labels_head(path: &Path, rows: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match extension(path).as_str() {
        "npy" => write_header(&mut bytes, "<i4", &[rows]).map_err(|error| Error::io(path, error))?,
        "csv" => {}
        _ => return Err(refuse(path, "several processes write labels as .npy or .csv; give one of these extensions")),
    }
    Ok(bytes)
}

/// The bytes of some labels, as [`write_labels`](super::write_labels) writes them.
///
/// # Errors
/// When a label is 2³¹ or more, or as [`labels_head`].
pub fn labels_part(path: &Path, labels: &[u32]) -> Result<Vec<u8>> {
    if labels.iter().any(|label| i32::try_from(*label).is_err()) {
        return Err(refuse(path, "labels of 2³¹ or more do not fit the int32 they are written as"));
    }
    Ok(match extension(path).as_str() {
        "npy" => labels.iter().flat_map(|label| label.to_le_bytes()).collect(),
        _ => labels.iter().flat_map(|label| format!("{label}\n").into_bytes()).collect(),
    })
}
