//! Sources, data sets, partitions and outputs, against independent oracles and hostile files.

mod batches;
mod changed;
#[cfg(feature = "parquet")]
mod columnar;
mod csv;
mod dataset;
mod edges;
mod far;
mod inputs;
mod npy;
mod npz;
mod output;
mod partition;
mod same_inertia;
mod sources;
mod subset;
mod tensors;
mod text;
mod vectors;

use std::path::{Path, PathBuf};

use superstep::data::RowSource;

/// A folder of one test's files, gone at its end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The names of all files in the folder, sorted.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The bytes of a `.npy` file of version 1 with this dictionary.
fn npy_bytes(dict: &str, values: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((dict.len() as u16).to_le_bytes());
    bytes.extend(dict.as_bytes());
    bytes.extend(values);
    bytes
}

fn all_f64(source: &dyn RowSource) -> Vec<f64> {
    let mut out = vec![f64::NAN; source.rows() as usize * source.columns()];
    source.read_f64(0, &mut out).unwrap();
    out
}

/// Checks that every block of every length reads as `expected` does there, as f64, as f32, and less an origin.
fn assert_reads(source: &dyn RowSource, columns: usize, expected: &[f64]) {
    let rows = expected.len() / columns;
    assert_eq!((source.rows(), source.columns()), (rows as u64, columns));
    let origin: Vec<f64> = (0..columns).map(|column| 0.3 + column as f64).collect();
    for first in 0..=rows {
        for count in 0..=rows - first {
            let slice = &expected[first * columns..(first + count) * columns];
            let mut wide = vec![f64::NAN; slice.len()];
            source.read_f64(first as u64, &mut wide).unwrap();
            assert_eq!(wide, slice, "rows {first} + {count}");
            let mut narrow = vec![f32::NAN; slice.len()];
            source.read_f32(first as u64, &[], &mut narrow).unwrap();
            let rounded: Vec<f32> = slice.iter().map(|value| *value as f32).collect();
            assert_eq!(narrow, rounded, "rows {first} + {count}");
            source.read_f32(first as u64, &origin, &mut narrow).unwrap();
            let less: Vec<f32> = slice.iter().enumerate().map(|(i, v)| (v - origin[i % columns]) as f32).collect();
            assert_eq!(narrow, less, "rows {first} + {count} less the origin");
        }
    }
    if let Some(values) = source.in_memory(0..source.rows()) {
        let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        assert_eq!(values, expected);
    }
}
