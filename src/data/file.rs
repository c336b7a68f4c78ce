//! A file that is read by position and must stay what it was when it was opened.
//!
//! Inputs are not mapped into memory: a map of a file that another process cuts short ends the program with a signal,
//! and its pages count as the program's own. Positioned reads fail with an error instead, and leave the pages to the
//! system's cache.
//!
//! A data set may have more files than a process may have open. At most [`MOST_OPEN`] are; of the others the name and the
//! identity are kept, and they are opened again, and must be the same, when they are read.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::SystemTime;

use crate::{Error, Place, Result};

/// Input files that are kept open: systems allow at least 256 a process, and there are others than these.
const MOST_OPEN: usize = 128;

/// A file's handle while it is open. Who reads holds a clone, so that it is not closed under them.
type Handle = RwLock<Option<Arc<File>>>;

/// The handles that are open, the one opened first in front.
static OPEN: Mutex<VecDeque<Weak<Handle>>> = Mutex::new(VecDeque::new());

/// An input file. It may be read from several threads at once.
pub(super) struct InputFile {
    path: PathBuf,
    handle: Arc<Handle>,
    identity: Identity,
}

/// What tells whether the file of a name is still the one that was opened, unchanged.
#[derive(Debug, Clone, PartialEq)]
struct Identity {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and number of the file, where the system has such.
    number: Option<(u64, u64)>,
}

impl Identity {
    fn of(about: &Metadata) -> Self {
        #[cfg(unix)]
        let number = {
            use std::os::unix::fs::MetadataExt;
            Some((about.dev(), about.ino()))
        };
        #[cfg(not(unix))]
        let number = None;
        Self { length: about.len(), modified: about.modified().ok(), number }
    }
}

impl InputFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be opened.
    pub(super) fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let open = || {
            let file = File::open(path)?;
            let identity = Identity::of(&file.metadata()?);
            Ok((file, identity))
        };
        let (file, identity) = open().map_err(|error| Error::io(path, error))?;
        let this = Self { path: path.to_owned(), handle: Arc::default(), identity };
        this.keep(Arc::new(file));
        Ok(this)
    }

    /// The open file; opened again where it was closed for others.
    fn file(&self) -> io::Result<Arc<File>> {
        let open = self.handle.read().unwrap_or_else(PoisonError::into_inner).clone();
        open.map_or_else(
            || {
                let file = Arc::new(File::open(&self.path)?);
                self.keep(file.clone());
                Ok(file)
            },
            Ok,
        )
    }

    /// Keeps a handle open, and closes the one that has been open for longest if there are too many.
    fn keep(&self, file: Arc<File>) {
        *self.handle.write().unwrap_or_else(PoisonError::into_inner) = Some(file);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_back(Arc::downgrade(&self.handle));
        if open.len() <= MOST_OPEN {
            return;
        }
        open.retain(|handle| handle.strong_count() > 0);
        while open.len() > MOST_OPEN {
            if let Some(oldest) = open.pop_front().and_then(|handle| handle.upgrade()) {
                *oldest.write().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
    }

    /// Its length in bytes when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.identity.length
    }

    /// Its name, for messages.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`Error::Data`] when the file was changed, cut short or replaced since it was opened, [`Error::Io`] when it
    /// cannot be read.
    pub(super) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let read = self.file().and_then(|file| read_exact_at(&file, offset, out));
        // Looked at after the read, so that what was read is of the file as it was opened.
        self.check()?;
        read.map_err(|error| Error::io(&self.path, error))
    }

    /// Checks that the file of this name is still the one that was opened, and unchanged.
    ///
    /// # Errors
    /// [`Error::Data`] that says how it changed.
    pub(super) fn check(&self) -> Result<()> {
        let now = std::fs::metadata(&self.path).map(|about| Identity::of(&about));
        let what = match now {
            Ok(now) if now == self.identity => return Ok(()),
            Ok(now) if now.number != self.identity.number => "it was replaced by another file".to_owned(),
            Ok(now) if now.length != self.identity.length => {
                format!("it had {} bytes when it was opened and has {} now", self.identity.length, now.length)
            }
            Ok(_) => "it was written to".to_owned(),
            Err(error) => format!("it is gone ({error})"),
        };
        let message = format!("the file changed while it was read: {what}; start again once it is complete");
        Err(Error::data(Place::of(self.name()), message))
    }

    /// The same bytes from front to back. An error of ours comes as the inside of the [`io::Error`].
    pub(super) fn into_reader(self) -> InOrder {
        InOrder { file: Arc::new(self), at: 0 }
    }

    /// Asks the system to fetch these bytes into its cache meanwhile.
    pub(super) fn will_need(&self, bytes: Range<u64>) {
        // A hint: where the file cannot be opened again, reading it will say so.
        if let Ok(file) = self.file() {
            fetch_ahead(&file, bytes);
        }
    }
}

/// An input file that is read from front to back.
pub(super) struct InOrder {
    file: Arc<InputFile>,
    at: u64,
}

#[cfg(feature = "parquet")]
impl InOrder {
    /// The bytes from `at` on.
    pub(super) fn from(file: Arc<InputFile>, at: u64) -> Self {
        Self { file, at }
    }
}

impl io::Read for InOrder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let (out, _) = out.split_at_mut(left.min(out.len()));
        if !out.is_empty() {
            self.file.read_at(self.at, out).map_err(io::Error::other)?;
            self.at += out.len() as u64;
        }
        Ok(out.len())
    }
}

/// Asks the system to fetch these bytes of a file into its cache meanwhile.
pub(super) fn fetch_ahead(file: &File, bytes: Range<u64>) {
    #[cfg(target_os = "linux")]
    {
        let length = std::num::NonZeroU64::new(bytes.end.saturating_sub(bytes.start));
        // A hint: where it is refused, reading waits for the disk as it would have anyway.
        let _ = rustix::fs::fadvise(file, bytes.start, length, rustix::fs::Advice::WillNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, bytes);
}

/// Fills `out` with the bytes of a file from `offset` on.
#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

/// Fills `out` with the bytes of a file from `offset` on.
#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, mut offset: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                out = &mut out[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
