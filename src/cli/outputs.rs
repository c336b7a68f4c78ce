//! The files to be written: checked before any work, and written after it.

use super::args::ClusterFiles;
use super::failure::Failure;
use super::ranks;
use super::window::Window;
use ndarray::Array2;
use std::path::{Path, PathBuf};
use superstep::collective::Collective;
use superstep::data::output::{self, Block, Element, TableSpec, TableWriter};
use superstep::data::{self, RowSource};
use superstep::{Error, Result};

/// Values that are made at a time on their way into a file.
const BLOCK_VALUES: u64 = 1 << 22;

/// The files a job is to write, each with its flag.
#[derive(Default)]
pub(super) struct Outputs<'a> {
    /// Labels and whatever else has a line for each row, and is written by all processes together.
    pub(super) of_rows: Vec<(&'static str, &'a Path)>,
    /// Centroids, distances: `.npy` or `.csv` by their names.
    pub(super) tables: Vec<(&'static str, &'a Path)>,
    /// A model, whose name may end in anything.
    pub(super) model: Option<&'a Path>,
    /// Lines that are written as they come, whose file's name may end in anything.
    pub(super) lines: Option<&'a Path>,
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
        for (flag, path) in [("--model", self.model), ("--versions", self.lines), ("--report", self.page)] {
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
        let lines = self.lines.map(|path| ("--versions", path));
        let table = self.table.map(|path| ("OUTPUT", path));
        for (flag, path) in self.flagged().chain(model).chain(lines).chain(table) {
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

/// The files of flags that were given.
pub(super) fn given<'a>(
    flags: impl IntoIterator<Item = (&'static str, &'a Option<PathBuf>)>,
) -> Vec<(&'static str, &'a Path)> {
    flags.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?))).collect()
}

impl ClusterFiles {
    /// What is to be written, for its check.
    pub(super) fn outputs(&self) -> Outputs<'_> {
        Outputs {
            of_rows: given([("--labels", &self.labels)]),
            tables: given([("--centroids", &self.centroids)]),
            model: self.model.as_deref(),
            ..Outputs::default()
        }
    }

    /// Writes the files asked for: the labels of all ranks, centroids in the type of the input, and the model with `save`.
    ///
    /// # Errors
    /// When one cannot be written, on any rank.
    pub(super) fn write(
        &self,
        ranks: &dyn Collective,
        labels: &[u32],
        (centroids, is_wide): (&Array2<f64>, bool),
        save: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        if let Some(path) = &self.labels {
            ranks::write_labels(ranks, path, labels)?;
        }
        ranks::once(ranks, || {
            self.centroids.as_ref().map_or(Ok(()), |path| write_points(path, centroids, is_wide))?;
            self.model.as_ref().map_or(Ok(()), |path| save(path))
        })
    }
}

/// Writes points of the data's space, one a row, in the type of the input: f64 or f32.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_points(path: &Path, points: &Array2<f64>, is_wide: bool) -> Result<()> {
    if is_wide {
        return output::write_matrix(path, points);
    }
    output::write_matrix(path, &points.mapv(|value| value as f32))
}

/// Writes `m` values for each row of a source, in the type of the input: of each block of rows what `of` makes of it.
///
/// # Errors
/// Those of `of`, and when the file cannot be written.
pub(super) fn write_by_blocks(
    path: &Path,
    source: &dyn RowSource,
    m: usize,
    of: impl Fn(&Window) -> Result<Array2<f64>>,
) -> Result<()> {
    let rows = source.rows();
    let element = if source.is_wide() { Element::F64 } else { Element::F32 };
    let mut file = TableWriter::create(path, TableSpec::matrix(rows, m, element))?;
    let block = (BLOCK_VALUES / m.max(source.columns()).max(1) as u64).max(1);
    let mut first = 0;
    while first < rows {
        let window = Window::new(source, first..first.saturating_add(block));
        let values = of(&window)?;
        match element {
            Element::F64 => file.push(Block::F64(&values.into_iter().collect::<Vec<_>>()))?,
            _ => file.push(Block::F32(&values.into_iter().map(|value| value as f32).collect::<Vec<_>>()))?,
        }
        first += window.rows();
    }
    file.finish()
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
