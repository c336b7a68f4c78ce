//! Checks of the files to be written, before any work.

use super::failure::Failure;
use std::path::{Path, PathBuf};
use superstep::data::{self, output, output::TableWriter};
use superstep::{Error, Result};

/// The files a job is to write, each with its flag.
#[derive(Default)]
pub(super) struct Outputs<'a> {
    /// Labels and whatever else has a line for each row, and is written by all processes together.
    pub(super) of_rows: Vec<(&'static str, &'a Path)>,
    /// Centroids, distances: `.npy` or `.csv` by their names.
    pub(super) tables: Vec<(&'static str, &'a Path)>,
    /// A model, whose name may end in anything.
    pub(super) model: Option<&'a Path>,
    /// A page of a report, whose name may end in anything.
    pub(super) page: Option<&'a Path>,
    /// A table that has no flag, in any format that is written.
    pub(super) table: Option<&'a Path>,
}

impl Outputs<'_> {
    /// Checks that each can be written, that no two are the same, and that none is one of the files that are read.
    pub(super) fn check<'p>(&self, inputs: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), Failure> {
        self.writable().and_then(|()| self.distinct(inputs)).map_err(Failure::Usage)
    }

    /// The same, for a job of so many processes.
    pub(super) fn check_for<'p>(
        &self,
        ranks: usize,
        inputs: impl IntoIterator<Item = &'p PathBuf>,
    ) -> Result<(), Failure> {
        let mut together = self.of_rows.iter().filter(|_| ranks > 1);
        together.try_for_each(|(_, path)| output::check_parts(path)).map_err(Failure::Usage)?;
        self.check(inputs)
    }

    /// All tables, each with its flag.
    fn flagged(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.of_rows.iter().chain(&self.tables).copied()
    }

    fn writable(&self) -> Result<()> {
        for (flag, path) in self.flagged() {
            check_folder(path).and_then(|()| output::check_output(path)).map_err(|error| under(flag, error))?;
        }
        if let Some(path) = self.table {
            check_folder(path).and_then(|()| TableWriter::check(path))?;
        }
        for (flag, path) in [("--model", self.model), ("--report", self.page)] {
            let whole = |path| check_folder(path).and_then(|()| check_whole(path));
            path.map_or(Ok(()), |path| whole(path).map_err(|error| under(flag, error)))?;
        }
        Ok(())
    }

    fn distinct<'p>(&self, inputs: impl IntoIterator<Item = &'p PathBuf>) -> Result<()> {
        let mut taken: Vec<(String, PathBuf)> = Vec::new();
        for name in inputs {
            // A name that means no file is told of when it is opened.
            let files = data::inputs(std::slice::from_ref(name)).unwrap_or_default();
            taken.extend(files.iter().map(|file| ("a file that is read".to_owned(), whole(&file.path))));
        }
        let model = self.model.map(|path| ("--model", path));
        let table = self.table.map(|path| ("OUTPUT", path));
        for (flag, path) in self.flagged().chain(model).chain(table) {
            let path = whole(path);
            if let Some((other, _)) = taken.iter().find(|(_, other)| *other == path) {
                let message = format!("{} is also {other}; give another name", path.display());
                return Err(Error::parameter(flag, message));
            }
            taken.push((format!("that of {flag}"), path));
        }
        Ok(())
    }
}

/// The error of a path, under the flag that named it.
fn under(flag: &str, error: Error) -> Error {
    match error {
        Error::Parameter { parameter, message } => Error::parameter(flag, format!("{parameter}: {message}")),
        error => Error::parameter(flag, error.to_string()),
    }
}

/// Checks that the folder of a file is there.
fn check_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    let message = format!("the folder {} does not exist; make it first", folder.display());
    Err(Error::parameter(path.display().to_string(), message))
}

/// Checks that a file that is written in one piece can be, and leaves nothing behind.
fn check_whole(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::parameter(path.display().to_string(), "is a folder; name a file"));
    }
    tempfile::tempfile_in(folder_of(path)).map(drop).map_err(|error| Error::io(path, error))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path from the root, with links of its folder resolved, so that two names of one file are seen to be the same.
fn whole(path: &Path) -> PathBuf {
    let folder = folder_of(path);
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
}
