use std::io;
use std::path::Path;

use ndarray::{Array2, ArrayView1, array};
use superstep::data::output::{check_output, write_labels, write_matrix, write_vector, write_whole};
use superstep::data::{NpyFile, ReadOptions, RowSource, open, write_npy};

use crate::{Folder, all_f64};

fn read(path: &Path) -> Box<dyn RowSource> {
    open(&[path.to_path_buf()], &ReadOptions::default()).unwrap()
}

#[test]
fn matrices_and_vectors_come_back_bit_for_bit() {
    let folder = Folder::new();
    let wide = array![[0.1, -0.0, 1e-310], [f64::MAX, 1.0 / 3.0, -123_456_789.123], [5e-324, 1e16, 1e-5]];
    let narrow = array![[0.1f32, 1.0e-45], [f32::MAX, 16_777_216.0]];
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let exact = |source: &dyn RowSource| bits(&all_f64(source));
    for extension in ["npy", "csv", "CSV"] {
        let path = folder.path().join(format!("a.{extension}"));
        write_matrix(&path, &wide).unwrap();
        assert_eq!(exact(&read(&path)), bits(wide.as_slice().unwrap()), "{extension}");
        write_matrix(&path, &wide.t()).unwrap();
        let transposed: Vec<f64> = wide.t().iter().copied().collect();
        assert_eq!(exact(&read(&path)), bits(&transposed), "{extension}, by columns");
        write_matrix(&path, &narrow).unwrap();
        let read_back: Vec<f32> = all_f64(&read(&path)).into_iter().map(|value| value as f32).collect();
        assert_eq!(read_back, narrow.as_slice().unwrap(), "{extension}");
        write_vector(&path, &[0.1, 2.0]).unwrap();
        assert_eq!(all_f64(&read(&path)), [0.1, 2.0], "{extension}");
    }
    assert_eq!(folder.names(), ["a.CSV", "a.csv", "a.npy"]);
}

#[test]
fn labels_are_int32_or_one_a_line() {
    let folder = Folder::new();
    let (npy, csv) = (folder.path().join("l.npy"), folder.path().join("l.csv"));
    for path in [&npy, &csv] {
        write_labels(path, &[0, 7, 2_147_483_647]).unwrap();
        assert_eq!(all_f64(&read(path)), [0.0, 7.0, 2_147_483_647.0]);
        assert!(write_labels(path, &[0, 1 << 31]).is_err());
    }
    let bytes = std::fs::read(&npy).unwrap();
    let dict = b"{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }";
    assert!(bytes.windows(dict.len()).any(|window| window == dict));
    assert_eq!(bytes.len() % 64, 12, "the values begin at a multiple of 64 bytes");
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "0\n7\n2147483647\n");
}

#[test]
fn csv_numbers_are_as_short_as_can_be() {
    let folder = Folder::new();
    let path = folder.path().join("a.csv");
    write_matrix(&path, &array![[0.1f32, 3.0, 1e30], [1e-20, -2.5, 0.3]]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "0.1,3,1e30\n1e-20,-2.5,0.3\n");
}

#[test]
fn every_element_type_is_written() {
    let folder = Folder::new();
    let mut bytes = Vec::new();
    write_npy(&mut bytes, &ArrayView1::from(&[1u32, u32::MAX])).unwrap();
    assert_eq!(all_f64(&NpyFile::open(folder.file("u.npy", &bytes)).unwrap()), [1.0, 4_294_967_295.0]);
    bytes.clear();
    write_npy(&mut bytes, &ArrayView1::from(&[-1i64, 1 << 40])).unwrap();
    assert_eq!(all_f64(&NpyFile::open(folder.file("i.npy", &bytes)).unwrap()), [-1.0, 1_099_511_627_776.0]);
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let folder = Folder::new();
    let path = folder.file("a.csv", "before\n");
    let error = write_whole(&path, |to| {
        writeln!(to, "half")?;
        Err(io::Error::other("no space"))
    });
    assert!(error.unwrap_err().to_string().contains("no space"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\n");
    assert_eq!(folder.names(), ["a.csv"]);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_work() {
    let folder = Folder::new();
    let inside = |name: &str| folder.path().join(name);
    std::fs::create_dir(inside("folder.npy")).unwrap();
    for (name, expected) in [
        ("labels.fbin", ".npy"),
        ("labels", ".npy, .csv"),
        ("folder.npy", "folder"),
        ("missing/labels.npy", "labels.npy"),
    ] {
        let error = check_output(&inside(name)).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        let written = write_matrix(&inside(name), &Array2::<f32>::zeros((1, 1)));
        assert!(written.is_err(), "{name}");
    }
    check_output(&inside("labels.npy")).unwrap();
    assert_eq!(folder.names(), ["folder.npy"]);
}

#[cfg(unix)]
#[test]
fn new_files_have_the_permissions_of_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    let plain = folder.file("plain.csv", "");
    let path = folder.path().join("a.csv");
    write_labels(&path, &[1]).unwrap();
    assert_eq!(mode(&path), mode(&plain));
}
