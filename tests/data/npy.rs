use superstep::data::{NpyFile, RowSource};

use crate::{Folder, assert_reads, npy_bytes};

/// A 3 × 2 table of small whole numbers (negative ones where the type has them), in row-major order.
const SIGNED: [i8; 6] = [0, -1, 2, 100, -128, 5];
const UNSIGNED: [u8; 6] = [0, 1, 2, 100, 200, 255];

/// The bytes of `values` in a NumPy type.
fn encode(kind: &str, big_endian: bool, values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        let mut element = match kind {
            "f2" => half::f16::from_f64(*value).to_le_bytes().to_vec(),
            "f4" => (*value as f32).to_le_bytes().to_vec(),
            "f8" => value.to_le_bytes().to_vec(),
            "i1" => (*value as i8).to_le_bytes().to_vec(),
            "i2" => (*value as i16).to_le_bytes().to_vec(),
            "i4" => (*value as i32).to_le_bytes().to_vec(),
            "i8" => (*value as i64).to_le_bytes().to_vec(),
            "u1" | "b1" => (*value as u8).to_le_bytes().to_vec(),
            "u2" => (*value as u16).to_le_bytes().to_vec(),
            "u4" => (*value as u32).to_le_bytes().to_vec(),
            _ => (*value as u64).to_le_bytes().to_vec(),
        };
        if big_endian {
            element.reverse();
        }
        bytes.extend(element);
    }
    bytes
}

#[test]
fn every_type_byte_order_and_layout_reads_alike() {
    let folder = Folder::new();
    for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"] {
        let values: Vec<f64> = match kind {
            "b1" => vec![0.0, 1.0, 1.0, 0.0, 1.0, 0.0],
            _ if kind.starts_with('u') => UNSIGNED.map(f64::from).to_vec(),
            _ => SIGNED.map(f64::from).to_vec(),
        };
        let by_columns: Vec<f64> = [0, 2, 4, 1, 3, 5].map(|index| values[index]).to_vec();
        for big_endian in [false, true] {
            let order = if big_endian { '>' } else { '<' };
            for (fortran, stored) in [("False", &values), ("True", &by_columns)] {
                println!("{order}{kind}, fortran_order {fortran}");
                let dict = format!("{{'descr': '{order}{kind}', 'fortran_order': {fortran}, 'shape': (3, 2), }}\n");
                let path = folder.file("a.npy", npy_bytes(&dict, &encode(kind, big_endian, stored)));
                let file = NpyFile::open(&path).unwrap();
                assert_reads(&file, 2, &values);
                assert_eq!(file.is_wide(), matches!(kind, "f8" | "i4" | "i8" | "u4" | "u8"));
            }
        }
    }
}

#[test]
fn headers_are_read_as_numpy_writes_them() {
    let folder = Folder::new();
    let values = encode("f4", false, &[1.0, 2.0]);
    let cases = [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }   \n", 2, 1),
        ("{'shape': (1, 2), 'fortran_order': False, 'descr': '<f4'}", 1, 2),
        ("{\"descr\": \"=f4\", 'fortran_order':True,'shape':(2L, 1L,)}\n", 2, 1),
    ];
    for (dict, rows, columns) in cases {
        let file = NpyFile::open(folder.file("a.npy", npy_bytes(dict, &values))).unwrap();
        assert_eq!((file.rows(), file.columns()), (rows, columns), "{dict}");
    }
    for version in [2, 3] {
        let dict = cases[0].0;
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        bytes.extend((dict.len() as u32).to_le_bytes());
        bytes.extend(dict.as_bytes());
        bytes.extend(&values);
        assert_reads(&NpyFile::open(folder.file("a.npy", bytes)).unwrap(), 1, &[1.0, 2.0]);
    }
}

#[test]
fn hostile_files_are_refused_by_name() {
    let folder = Folder::new();
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n";
    let with = |from: &str, to: &str| npy_bytes(&good.replace(from, to), &[0; 16]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "empty"),
        (b"1,2\n3,4\n".to_vec(), "no .npy file"),
        (b"\x93NUM".to_vec(), "no .npy file"),
        (b"\x93NUMPY".to_vec(), "cut short"),
        (b"\x93NUMPY\x01\x00\x40".to_vec(), "cut short"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec(), "cut short"),
        (b"\x93NUMPY\x09\x00\x00\x00\x00\x00".to_vec(), "version 9"),
        (npy_bytes(good, &[0; 15]), "cut short"),
        (npy_bytes(good, &[0; 20]), "16"),
        (npy_bytes(good, &[]), "cut short"),
        (npy_bytes("{\n", &[0; 16]), "damaged"),
        (npy_bytes("", &[0; 16]), "damaged"),
        (npy_bytes("{'descr': '<f4', 'shape': (2, 2), }", &[0; 16]), "missing"),
        (npy_bytes("\u{e9}\n", &[0; 16]), "damaged"),
        ([b"\x93NUMPY\x01\x00\x02\x00\xff\xff".as_slice(), &[0; 16]].concat(), "not text"),
        (with(" }", " 'descr': '<f4'}"), "twice"),
        (with(" }", " 'more': (1,)}"), "unknown key"),
        (with("}", "} and more"), "follows"),
        (with("False", "0"), "fortran_order"),
        (with("(2, 2)", "(2, -2)"), "shape"),
        (with("(2, 2)", "(2, 99999999999999999999999)"), "64 bits"),
        (with("(2, 2)", "(4611686018427387904, 4)"), "more than a file can hold"),
        (with("(2, 2)", "(9223372036854775808, 2)"), "more than a file can hold"),
        (with("(2, 2)", "(2, 2, 1)"), "3 dimensions"),
        (with("(2, 2)", "()"), "0 dimensions"),
        (with("(2, 2)", "(0, 2)"), "empty"),
        (with("(2, 2)", "(2, 0)"), "empty"),
        (with("(2, 2)", "(0,)"), "empty"),
        (with("<f4", "|O"), "Python objects"),
        (with("<f4", "<f16"), "wider than 64"),
        (with("<f4", "<c8"), "complex"),
        (with("<f4", "<U4"), "text"),
        (with("<f4", "<M8[ns]"), "dates"),
        (with("<f4", ""), "unknown"),
        (with("<f4", "\u{e9}f4"), "unknown"),
        (with("'<f4'", "[('x', '<f4')]"), "several fields"),
    ];
    for (bytes, expected) in cases {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let path = folder.file("hostile.npy", bytes);
        let error = NpyFile::open(&path).err().unwrap_or_else(|| panic!("{shown:?} was read")).to_string();
        assert!(error.contains("hostile.npy") && error.contains(expected), "{shown:?}: {error}");
    }
}

#[test]
fn headers_of_noise_never_panic() {
    let folder = Folder::new();
    let whole = npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", &[0; 16]);
    for index in 0..whole.len() - 16 {
        for byte in [0, b'\'', b'(', b'9', 0xff] {
            let mut bytes = whole.clone();
            bytes[index] = byte;
            // Some changes are harmless (a blank); none may stop the program.
            let _ = NpyFile::open(folder.file("noise.npy", bytes));
        }
        assert!(NpyFile::open(folder.file("noise.npy", &whole[..index])).is_err(), "cut at {index}");
    }
}
