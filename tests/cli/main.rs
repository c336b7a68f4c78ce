//! The command-line program, run as a user runs it: its flags, its results, its words and its exit status.

#![cfg(feature = "cli")]

mod bench;
mod bisect;
mod checkpoints;
mod convert;
mod devices;
mod errors;
mod flags;
mod gmm;
mod info;
mod json;
mod linear;
mod memory;
mod online;
mod outputs;
mod pagerank;
mod pca;
mod predict;
mod streams;
mod sweep;
mod tables;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The hand-computed case of scikit-learn's tests.
const POINTS: &str = "0,0\n0.5,0\n0.5,1\n1,1\n";
const WEIGHTS: &str = "3\n1\n1\n3\n";
const START: &str = "0,0\n1,1\n";

/// A folder of its own, in which the program runs.
struct Folder(TempDir);

/// What a run of the program left.
struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Folder {
    /// An empty folder.
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    /// A folder with the files of the hand-computed case.
    fn with_points() -> Self {
        let folder = Self::new();
        folder.write("points.csv", POINTS).write("weights.csv", WEIGHTS).write("start.csv", START);
        folder
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).expect("the test writes its files");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The files there are, by name.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the folder is there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The program, ready to run in this folder.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_superstep"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    /// Runs the program with arguments that have no blanks in them.
    fn run(&self, line: &str) -> Ran {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        Ran::from(self.command(&arguments).output().expect("the program starts"))
    }

    /// Runs a job that must succeed.
    fn done(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.status, Some(0), "{line}: {}", ran.stderr);
        ran
    }

    /// Runs a job that must succeed and print one JSON object.
    fn json(&self, line: &str) -> Value {
        let ran = self.done(&format!("{line} --json"));
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {}", ran.stdout))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// A `.npy` file of little-endian f32, written byte by byte.
fn npy_f32(rows: usize, columns: usize, values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(118_u16.to_le_bytes());
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(values.into_iter().flat_map(f32::to_le_bytes));
    bytes
}

/// The header and the values' bytes of a `.npy` file.
fn parse_npy(path: &Path) -> (String, Vec<u8>) {
    let bytes = std::fs::read(path).expect("the file was written");
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    (String::from_utf8_lossy(&bytes[10..10 + length]).into_owned(), bytes[10 + length..].to_vec())
}

/// Rows of a plain linear congruential generator, uniform in 0..1.
fn uniform(count: usize) -> impl Iterator<Item = f32> {
    let mut state = 1_u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    })
}

/// A table of `rows` × 3 uniform values, as text.
fn uniform_csv(rows: usize) -> String {
    let values: Vec<f32> = uniform(rows * 3).collect();
    values.chunks(3).map(|row| format!("{},{},{}\n", row[0], row[1], row[2])).collect()
}
