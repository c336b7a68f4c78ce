//! What a person names as input, as the files to read: folders, patterns, members of files.

use std::path::{Path, PathBuf};

use super::open::extension;
use crate::{Error, Place, Result};

/// The extensions of text among the [`EXTENSIONS`].
pub(super) const TEXT: [&str; 6] = ["csv", "tsv", "txt", "csv.gz", "tsv.gz", "txt.gz"];

/// The extensions of files that are read, in small letters; in names, capitals count as these. Text may be compressed:
/// `.csv.gz`.
pub const EXTENSIONS: [&str; 20] = [
    "npy",
    "npz",
    "csv",
    "tsv",
    "txt",
    "csv.gz",
    "tsv.gz",
    "txt.gz",
    "parquet",
    "arrow",
    "arrows",
    "feather",
    "ipc",
    "fvecs",
    "bvecs",
    "ivecs",
    "fbin",
    "u8bin",
    "i8bin",
    "safetensors",
];

/// A file to read, and which of its tables where it may have several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// The array of an `.npz` file or the tensor of a `.safetensors` file; `None`: the only one.
    pub member: Option<String>,
}

/// The files that these names mean, in the order given. A name is
///
/// - a file, or a file and one of its arrays or tensors, as in `sets.npz:train`;
/// - a folder: all files in it with one of the [`EXTENSIONS`], by name; hidden files and folders in it are left out;
/// - a pattern with `*`, `?` or `[…]`, as in `shards/*.npy`: all files that match, by name.
///
/// A file that has such a name as it stands is that file, whatever the characters in it.
///
/// # Errors
/// When a name is no file, a folder has no such file, or nothing matches a pattern.
pub fn inputs(names: &[PathBuf]) -> Result<Vec<Input>> {
    let mut all = Vec::new();
    for name in names {
        if name.is_file() {
            all.push(Input { path: name.clone(), member: None });
            continue;
        }
        let (path, member) = split_member(name);
        let files = files_of(&path)?;
        all.extend(files.into_iter().map(|path| Input { path, member: member.clone() }));
    }
    Ok(all)
}

/// The file and the member of `sets.npz:train`; a name that is something as it stands has no member.
fn split_member(name: &Path) -> (PathBuf, Option<String>) {
    let whole = || (name.to_owned(), None);
    let Some(text) = name.to_str().filter(|_| !name.exists()) else { return whole() };
    let parts = text.match_indices(':').map(|(at, _)| (&text[..at], &text[at + 1..]));
    parts
        .filter(|(file, member)| !member.is_empty() && has_members(Path::new(file)))
        .map(|(file, member)| (PathBuf::from(file), Some(member.to_owned())))
        .next()
        .unwrap_or_else(whole)
}

fn has_members(path: &Path) -> bool {
    matches!(extension(path).as_str(), "npz" | "safetensors")
}

fn files_of(name: &Path) -> Result<Vec<PathBuf>> {
    if name.is_dir() {
        return files_in(name);
    }
    match name.to_str().filter(|text| text.contains(['*', '?', '[']) && !name.exists()) {
        Some(pattern) => matches_of(pattern),
        None => Ok(vec![name.to_owned()]),
    }
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |error| Error::io(folder, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && is_known(&path) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        let message = format!("the folder has no file that is read; those end in {}", in_words());
        return Err(Error::data(Place::of(folder.display().to_string()), message));
    }
    files.sort_unstable();
    Ok(files)
}

fn matches_of(pattern: &str) -> Result<Vec<PathBuf>> {
    let refuse = |message: String| Error::data(Place::of(pattern), message);
    let how = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
    let found = glob::glob_with(pattern, how).map_err(|error| refuse(format!("is no pattern: {error}")))?;
    let mut files = Vec::new();
    for path in found {
        let path = path.map_err(|error| Error::io(error.path().to_owned(), std::io::Error::from(error)))?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(refuse("no file matches the pattern; correct it, or put the files there first".to_owned()));
    }
    Ok(files)
}

/// Whether the name of a file ends in one of the [`EXTENSIONS`].
fn is_known(path: &Path) -> bool {
    EXTENSIONS.contains(&full_extension(path).as_str())
}

/// A path's extension in small letters, with the one before it where it is `gz`: `csv.gz`.
pub(super) fn full_extension(path: &Path) -> String {
    match extension(path).as_str() {
        "gz" => {
            let inner = path.file_stem().map(|stem| extension(Path::new(stem))).unwrap_or_default();
            if inner.is_empty() { "gz".to_owned() } else { format!("{inner}.gz") }
        }
        extension => extension.to_owned(),
    }
}

/// The extensions for messages: `.npy, .npz … or .safetensors`.
pub(super) fn in_words() -> String {
    let dotted: Vec<String> = EXTENSIONS.iter().map(|extension| format!(".{extension}")).collect();
    match dotted.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The member that is asked for; without a name the only one, or the only one of two dimensions. `members` are their
/// names and numbers of dimensions, sorted; `noun` is what one is called.
///
/// # Errors
/// When there is none, or no such, or several to choose from: all are listed.
pub(super) fn choose<'a>(
    file: &str,
    noun: &str,
    wanted: Option<&str>,
    members: &[(&'a str, usize)],
) -> Result<&'a str> {
    let refuse = |message: String| Err(Error::data(Place::of(file), message));
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let listed = || names.join(", ");
    if let Some(wanted) = wanted {
        return match names.iter().find(|name| **name == wanted) {
            Some(name) => Ok(name),
            None => refuse(format!("has no {noun} `{wanted}`; it has {}", listed())),
        };
    }
    let tables: Vec<&str> = members.iter().filter(|(_, dimensions)| *dimensions == 2).map(|(name, _)| *name).collect();
    match (names.as_slice(), tables.as_slice()) {
        ([], _) => refuse(format!("holds no {noun}; there is nothing to compute on")),
        ([name], _) | (_, [name]) => Ok(name),
        _ => refuse(format!("holds several {noun}s: {}; name one, as in `{file}:{}`", listed(), names[0])),
    }
}
