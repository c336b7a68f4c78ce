//! Files that change while they are read are errors.

use std::path::Path;

use superstep::data::{ReadOptions, RowSource, open};

use crate::{Folder, npy_bytes};

const ROWS: u64 = 1000;

/// A file of `ROWS × 2` values in each format that is read in place.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let values = vec![1_u8; 8 * ROWS as usize];
    let npy = |order: &str| {
        npy_bytes(&format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': ({ROWS}, 2), }}\n"), &values)
    };
    let header = format!(r#"{{"x":{{"dtype":"F32","shape":[{ROWS},2],"data_offsets":[0,{}]}}}}"#, 8 * ROWS);
    let mut fvecs = Vec::new();
    for row in values.chunks(8) {
        fvecs.extend(2_i32.to_le_bytes());
        fvecs.extend(row);
    }
    vec![
        ("rows.npy", npy("False")),
        ("columns.npy", npy("True")),
        ("a.fvecs", fvecs),
        ("a.fbin", [(ROWS as u32).to_le_bytes().as_slice(), &2_u32.to_le_bytes(), &values].concat()),
        ("a.u8bin", [(ROWS as u32 * 4).to_le_bytes().as_slice(), &2_u32.to_le_bytes(), &values].concat()),
        ("a.safetensors", [(header.len() as u64).to_le_bytes().as_slice(), header.as_bytes(), &values].concat()),
    ]
}

#[test]
fn a_file_that_is_cut_grown_rewritten_replaced_or_gone_is_an_error() {
    type Change = fn(&Path, &[u8]);
    let later = || std::thread::sleep(std::time::Duration::from_millis(20));
    let changes: [(&str, Change, &str); 5] = [
        ("cut", |path, bytes| std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap(), "bytes when it was opened"),
        ("grown", |path, bytes| std::fs::write(path, [bytes, b"more"].concat()).unwrap(), "bytes when it was opened"),
        ("rewritten", |path, bytes| std::fs::write(path, bytes).unwrap(), "was written to"),
        (
            "replaced",
            |path, bytes| {
                let other = path.with_extension("other");
                std::fs::write(&other, bytes).unwrap();
                std::fs::rename(other, path).unwrap();
            },
            "replaced by another file",
        ),
        ("gone", |path, _| std::fs::remove_file(path).unwrap(), "it is gone"),
    ];
    let folder = Folder::new();
    for (name, bytes) in files() {
        for (what, change, words) in changes {
            let path = folder.file(name, &bytes);
            let source = open(std::slice::from_ref(&path), &ReadOptions::default()).unwrap();
            let mut block = vec![0.0_f32; 200];
            source.read_f32(0, &[], &mut block).unwrap();
            later();
            change(&path, &bytes);
            for row in [0, ROWS - 100] {
                let error = source.read_f32(row, &[], &mut block).expect_err(what).to_string();
                assert!(error.contains(name) && error.contains(words), "{what}: {error}");
                assert!(error.contains("the file changed while it was read"), "{what}: {error}");
            }
        }
    }
}
