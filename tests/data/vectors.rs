use superstep::data::{RowSource, VectorFile};

use crate::{Folder, assert_reads};

/// A 3 × 2 table that every type holds: of negative numbers where the type has them.
fn values(extension: &str) -> [f64; 6] {
    match extension {
        "bvecs" | "u8bin" => [0.0, 1.0, 2.0, 100.0, 200.0, 255.0],
        "i8bin" => [0.0, -1.0, 2.0, 100.0, -128.0, 127.0],
        "ivecs" => [0.0, -1.0, 2.0, 70_000.0, -16_777_217.0, 5.0],
        _ => [0.0, -1.5, 2.0, f64::from(1e30_f32), f64::from(-0.1_f32), 5.0],
    }
}

fn element(extension: &str, value: f64) -> Vec<u8> {
    match extension {
        "bvecs" | "u8bin" => vec![value as u8],
        "i8bin" => (value as i8).to_le_bytes().to_vec(),
        "ivecs" => (value as i32).to_le_bytes().to_vec(),
        _ => (value as f32).to_le_bytes().to_vec(),
    }
}

/// The bytes of a file of these values.
pub(crate) fn encode(extension: &str, columns: usize, values: &[f64]) -> Vec<u8> {
    let rows = values.len() / columns;
    let mut bytes = Vec::new();
    if extension.ends_with("bin") {
        bytes.extend((rows as u32).to_le_bytes());
        bytes.extend((columns as u32).to_le_bytes());
    }
    for row in values.chunks(columns) {
        if extension.ends_with("vecs") {
            bytes.extend((columns as i32).to_le_bytes());
        }
        row.iter().for_each(|value| bytes.extend(element(extension, *value)));
    }
    bytes
}

pub(crate) const EXTENSIONS: [&str; 6] = ["fvecs", "bvecs", "ivecs", "fbin", "u8bin", "i8bin"];

#[test]
fn every_format_reads_what_was_encoded() {
    let folder = Folder::new();
    for extension in EXTENSIONS {
        println!("{extension}");
        let values = values(extension);
        let file = VectorFile::open(folder.file(&format!("a.{extension}"), encode(extension, 2, &values))).unwrap();
        assert_reads(&file, 2, &values);
        assert_eq!(file.is_wide(), extension == "ivecs");
    }
}

#[test]
fn rows_longer_than_the_buffer_and_many_short_ones_read_alike() {
    let folder = Folder::new();
    for (rows, columns) in [(3, 70_001), (50_000, 3), (7, 4096)] {
        let values: Vec<f64> = (0..rows * columns).map(|at| (at % 251) as f64).collect();
        let origin: Vec<f64> = (0..columns).map(|column| column as f64 + 0.25).collect();
        for extension in EXTENSIONS {
            let values: Vec<f64> =
                values.iter().map(|value| if extension == "i8bin" { value / 2.0 } else { *value }.floor()).collect();
            let file = VectorFile::open(folder.file(&format!("a.{extension}"), encode(extension, columns, &values)));
            let file = file.unwrap();
            let mut found = vec![f32::NAN; values.len()];
            file.read_f32(0, &[], &mut found).unwrap();
            assert!(found.iter().zip(&values).all(|(found, value)| f64::from(*found) == *value), "{extension}");
            file.read_f32(0, &origin, &mut found).unwrap();
            let less = values.iter().enumerate().map(|(at, value)| (value - origin[at % columns]) as f32);
            assert!(found.iter().copied().eq(less), "{extension} less the origin");
            let last = &values[values.len() - columns..];
            let mut row = vec![f64::NAN; columns];
            file.read_f64(rows as u64 - 1, &mut row).unwrap();
            assert_eq!(row, last, "{extension}");
        }
    }
}

#[test]
fn files_that_are_not_what_they_say_are_refused() {
    let folder = Folder::new();
    for extension in EXTENSIONS {
        let good = encode(extension, 2, &values(extension));
        let negative = [(-2_i32).to_le_bytes().as_slice(), &good[4..]].concat();
        let mut cases = vec![
            (good[..good.len() - 1].to_vec(), "cut short"),
            ([good.as_slice(), &[0]].concat(), "cut short"),
            (good[..3].to_vec(), "holds 3 bytes"),
            (Vec::new(), "holds 0 bytes"),
        ];
        if extension.ends_with("vecs") {
            cases.push((negative, "first row has -2 columns"));
            cases.push((0_i32.to_le_bytes().to_vec(), "first row has 0 columns"));
        } else {
            cases.push((negative, "cut short"));
            cases.push(([0_u32, 7].map(u32::to_le_bytes).concat(), "is empty"));
            cases.push(([u32::MAX; 2].map(u32::to_le_bytes).concat(), "cut short"));
        }
        for (bytes, expected) in cases {
            let shown = format!("{extension}: {bytes:?}");
            let path = folder.file(&format!("bad.{extension}"), bytes);
            let error = VectorFile::open(path).err().unwrap_or_else(|| panic!("{shown} was read")).to_string();
            assert!(error.contains(&format!("bad.{extension}")) && error.contains(expected), "{shown}: {error}");
        }
    }
    assert!(VectorFile::open(folder.file("a.xyz", [0; 8])).is_err());
}

#[test]
fn a_row_of_another_width_is_refused_by_its_number() {
    let folder = Folder::new();
    for columns in [2, 140_000] {
        for extension in ["fvecs", "bvecs", "ivecs"] {
            let mut bytes = encode(extension, columns, &vec![1.0; columns * 3]);
            let row = bytes.len() / 3;
            bytes[row * 2] += 1;
            let file = VectorFile::open(folder.file(&format!("bad.{extension}"), bytes)).unwrap();
            let mut good = vec![0.0; columns * 2];
            file.read_f32(0, &[], &mut good).unwrap();
            let error = file.read_f64(1, &mut vec![0.0; columns * 2]).unwrap_err().to_string();
            assert!(error.contains(&format!("bad.{extension}, row 2: the row says it has")), "{error}");
        }
    }
}
