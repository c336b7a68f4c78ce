use std::io;
use std::path::Path;

use ndarray::{Array2, ArrayView1, array};
use superstep::data::output::{
    Block, Element, TableSpec, TableWriter, check_output, write_labels, write_matrix, write_vector, write_whole,
};
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
        ("labels.fbin", "results are written as .npy"),
        ("labels", "results are written as .npy"),
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

#[test]
fn a_table_comes_block_by_block_and_is_there_once_it_is_finished() {
    let folder = Folder::new();
    for name in ["t.npy", "t.csv", "t.fvecs", "t.fbin"] {
        let path = folder.path().join(name);
        let mut table = TableWriter::create(&path, TableSpec::matrix(4, 2, Element::F32)).unwrap();
        table.push(Block::F32(&[1.5, -2.0])).unwrap();
        table.push(Block::F64(&[3.0, 0.1, 1e-50, 5.0])).unwrap();
        table.push(Block::F32(&[])).unwrap();
        assert!(!path.exists(), "{name} is not there yet");
        table.push(Block::I32(&[7, 8])).unwrap();
        assert!(table.push(Block::F32(&[0.0; 2])).is_err(), "{name}: more rows than told");
        table.finish().unwrap();
        let found: Vec<f32> = all_f64(&read(&path)).into_iter().map(|value| value as f32).collect();
        assert_eq!(found, [1.5, -2.0, 3.0, 0.1, 0.0, 5.0, 7.0, 8.0], "{name}");
    }
    assert_eq!(folder.names(), ["t.csv", "t.fbin", "t.fvecs", "t.npy"]);
}

#[test]
fn a_table_that_is_not_finished_leaves_what_was_there() {
    let folder = Folder::new();
    let path = folder.file("t.csv", "before\n");
    let spec = TableSpec::matrix(2, 1, Element::F32);
    let mut dropped = TableWriter::create(&path, spec.clone()).unwrap();
    dropped.push(Block::F32(&[1.0])).unwrap();
    drop(dropped);
    let mut short = TableWriter::create(&path, spec.clone()).unwrap();
    short.push(Block::F32(&[1.0])).unwrap();
    assert!(short.finish().unwrap_err().to_string().contains("1 rows were written where 2 were told"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\n");
    assert_eq!(folder.names(), ["t.csv"]);
    let ragged = TableSpec::matrix(2, 2, Element::F32);
    assert!(TableWriter::create(&path, ragged).unwrap().push(Block::F32(&[1.0])).is_err(), "half a row");
}

#[test]
fn values_that_do_not_fit_the_type_are_refused_by_their_place() {
    let folder = Folder::new();
    let path = folder.path().join("t.npy");
    let push = |element: Element, block: Block<'_>| {
        let mut table = TableWriter::create(&path, TableSpec::matrix(3, 2, element)).unwrap();
        table.push(Block::F32(&[0.0, 0.0])).unwrap();
        table.push(block).map_err(|error| error.to_string())
    };
    let cases = [
        (Element::F16, Block::F32(&[0.0, 0.0, 0.0, 65_520.0])),
        (Element::F16, Block::I32(&[0, 0, 0, -70_000])),
        (Element::F32, Block::F64(&[0.0, 0.0, 0.0, 3.5e38])),
        (Element::I32, Block::F32(&[0.0, 0.0, 0.0, 0.5])),
        (Element::I32, Block::F64(&[0.0, 0.0, 0.0, 2_147_483_648.0])),
        (Element::I32, Block::F64(&[0.0, 0.0, 0.0, f64::NAN])),
    ];
    for (element, block) in cases {
        let error = push(element, block).unwrap_err();
        assert!(error.contains("t.npy, row 2, column 1: the value ") && error.contains("does not fit"), "{error}");
    }
    assert!(push(Element::F16, Block::F32(&[65_519.0, f32::NAN, f32::INFINITY, 0.0])).is_ok());
    assert!(push(Element::F32, Block::F64(&[f64::from(f32::MAX), f64::NAN, f64::NEG_INFINITY, 0.0])).is_ok());
    assert!(push(Element::I32, Block::F64(&[-2_147_483_648.0, 2_147_483_647.0, 0.0, 1.0])).is_ok());
}

#[test]
fn formats_of_f32_take_no_other_type() {
    let folder = Folder::new();
    for name in ["t.fvecs", "t.fbin"] {
        for element in [Element::F64, Element::F16, Element::I32] {
            let error = TableWriter::create(&folder.path().join(name), TableSpec::matrix(1, 1, element)).err().unwrap();
            assert!(error.to_string().contains("holds f32 alone"), "{error}");
        }
        assert!(check_output(&folder.path().join(name)).is_err(), "results may be f64 or i32");
    }
    assert_eq!(folder.names(), [""; 0]);
}
