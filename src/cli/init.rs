//! `--init`: a way to choose the first centroids, or a file of them.

use super::values::setting;
use ndarray::Array2;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use superstep::data::{self, ReadOptions};
use superstep::{Error, Init, Place, Result};

/// Where the first centroids come from.
#[derive(Debug, Clone)]
pub(super) enum InitChoice {
    /// They are chosen among the rows; the name says how.
    Named(String, Init),
    /// They are read from a file.
    File(PathBuf),
}

impl FromStr for InitChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("npy" | "csv" | "tsv" | "txt") => Ok(Self::File(path.to_owned())),
            _ => match setting(text) {
                Ok(init) => Ok(Self::Named(text.to_owned(), init)),
                Err(_) => Err("take k-means++, k-means||, random, or a .npy or .csv file of k rows".into()),
            },
        }
    }
}

impl InitChoice {
    /// The name or the file, for the summary.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Named(name, _) => name.clone(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The centroids of a file, or the way to choose them. A file must have k rows of `columns` columns.
    ///
    /// # Errors
    /// When the file cannot be read or has another shape; the message names it.
    pub(super) fn load(&self, k: usize, columns: usize) -> Result<Init> {
        let path = match self {
            Self::Named(_, init) => return Ok(init.clone()),
            Self::File(path) => path,
        };
        let source = data::open(std::slice::from_ref(path), &ReadOptions::default())?;
        let place = || Place::of(path.display().to_string());
        if source.rows() != k as u64 || source.columns() != columns {
            let (rows, found) = (source.rows(), source.columns());
            let message = format!(
                "holds {rows} × {found} centroids (rows × columns), but k = {k} clusters of {columns} columns need \
                 {k} × {columns}"
            );
            return Err(Error::data(place(), message));
        }
        let mut centroids = Array2::zeros((k, columns));
        if let Some(values) = centroids.as_slice_mut() {
            source.read_f64(0, values)?;
        }
        match centroids.indexed_iter().find(|(_, value)| !value.is_finite()) {
            Some(((row, column), value)) => {
                let message = format!("{value} is not a finite number; every centroid needs finite coordinates");
                Err(Error::data(source.place(row as u64, column), message))
            }
            None => Ok(Init::Centroids(centroids)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_are_told_apart() {
        for name in ["k-means++", "k-means||", "random"] {
            assert!(matches!(name.parse(), Ok(InitChoice::Named(text, _)) if text == name), "{name}");
        }
        for file in ["c.npy", "dir/c.CSV", "random.csv"] {
            assert!(matches!(file.parse(), Ok(InitChoice::File(_))), "{file}");
        }
        for wrong in ["", "kmeans", "c.xlsx"] {
            assert!(wrong.parse::<InitChoice>().is_err(), "{wrong:?}");
        }
    }
}
