use superstep::Error;
use superstep::data::{CsvFile, Dataset, ReadOptions, RowSource, open};

use crate::{Folder, all_f64, assert_reads};

#[test]
fn tables_of_every_dialect_read_alike() {
    let folder = Folder::new();
    let cases: [(&str, &str); 20] = [
        ("comma", "1,2.5\n-3,4e2\n"),
        ("comma and blank", "1, 2.5\n-3, 4e2\n"),
        ("semicolon", "1;2.5\n-3;4e2\n"),
        ("tab", "1\t2.5\n-3\t4e2\n"),
        ("pipe", "1|2.5\n-3|4e2\n"),
        ("space", "1 2.5\n-3 4e2\n"),
        ("aligned with spaces", "   1   2.5\n  -3   4e2\n\n"),
        ("no newline at the end", "1,2.5\n-3,4e2"),
        ("carriage returns", "1,2.5\r\n-3,4e2\r\n"),
        ("carriage returns alone", "1,2.5\r-3,4e2\r"),
        ("blank lines", "\n1,2.5\n\n-3,4e2\n\n\n"),
        ("byte-order mark", "\u{feff}1,2.5\n-3,4e2\n"),
        ("byte-order mark and header", "\u{feff}a,b\n1,2.5\n-3,4e2\n"),
        ("header", "height,width\n1,2.5\n-3,4e2\n"),
        ("quoted header", "\"height, cm\",\"width\"\n1,2.5\n-3,4e2\n"),
        ("header with a line break", "\"height\ncm\",width\n1,2.5\n-3,4e2\n"),
        ("quoted numbers", "\"1\",\"2.5\"\n\"-3\",\"4e2\"\n"),
        ("plus and points", "+1.,2.5\n-3.0,+400\n"),
        ("header between tabs", "a b\tc d\n1\t2.5\n-3\t4e2\n"),
        ("header between spaces", "a b\n1 2.5\n-3 4e2\n"),
    ];
    for (name, text) in cases {
        println!("{name}");
        let file = CsvFile::open(folder.file("a.csv", text), &ReadOptions::default()).unwrap();
        assert_reads(&file, 2, &[1.0, 2.5, -3.0, 400.0]);
        assert!(!file.is_wide() && file.in_memory(0..1).is_some());
    }
}

#[test]
fn one_column_needs_no_delimiter() {
    let folder = Folder::new();
    let file = CsvFile::open(folder.file("w.txt", "weight\n1\n2\n"), &ReadOptions::default()).unwrap();
    assert_reads(&file, 1, &[1.0, 2.0]);
}

#[test]
fn options_overrule_what_would_be_found() {
    let folder = Folder::new();
    let path = folder.file("a.csv", "1;2\n3;4\n");
    let options = ReadOptions { header: Some(true), ..ReadOptions::default() };
    assert_reads(&CsvFile::open(&path, &options).unwrap(), 2, &[3.0, 4.0]);
    let options = ReadOptions { delimiter: Some(b','), header: Some(false), ..ReadOptions::default() };
    assert!(CsvFile::open(&path, &options).is_err());
    let options = ReadOptions { header: Some(false), ..ReadOptions::default() };
    assert!(CsvFile::open(folder.file("b.csv", "a,b\n1,2\n"), &options).is_err());
}

#[test]
fn numbers_that_no_f32_holds_make_the_table_f64() {
    let folder = Folder::new();
    let file = CsvFile::open(folder.file("a.csv", "1,2\n3,0.1\n5,16777217\n"), &ReadOptions::default()).unwrap();
    assert_reads(&file, 2, &[1.0, 2.0, 3.0, 0.1, 5.0, 16_777_217.0]);
    assert!(file.is_wide());
}

#[test]
fn bad_tables_are_refused_with_file_line_and_column() {
    let folder = Folder::new();
    let cases: [(&str, Option<u64>, Option<u64>, &str); 23] = [
        ("", None, None, "empty"),
        ("\n\n", None, None, "empty"),
        ("\u{feff}", None, None, "empty"),
        ("a,b\n", None, None, "header and no rows"),
        ("1,2\n3,x\n", Some(2), Some(2), "`x`"),
        ("a,b\n1,2\n3,x\n", Some(3), Some(2), "column `b`"),
        ("a,b\r\n1,2\r\n3,x\r\n", Some(3), Some(2), "column `b`"),
        ("a,b\r1,2\r3,x\r", Some(3), Some(2), "column `b`"),
        ("a,b\n\n\n1,2\n\n3,x\n", Some(6), Some(2), "`x`"),
        ("\"a\nb\",c\n1,2\n3,x\n", Some(4), Some(2), "`x`"),
        ("1,2\n3,\n", Some(2), Some(2), "empty"),
        ("1\t2\n3\t\t4\n", Some(2), None, "3 cells"),
        ("1\t2\t3\n4\t\t5\n", Some(2), Some(2), "empty"),
        ("1,2\n3,4 5\n", Some(2), Some(2), "`4 5`"),
        ("1,2\n3,4e\n", Some(2), Some(2), "`4e`"),
        ("1,2\n3,4_0\n", Some(2), Some(2), "`4_0`"),
        ("1,x\n3,4\n", Some(1), Some(2), "header"),
        ("1;2\n3;4,5\n", Some(2), Some(2), "point"),
        ("1,2\n3\n", Some(2), None, "1 cells where the first row has 2"),
        ("1,2\n3,4,5\n6,7\n", Some(2), None, "3 cells"),
        ("a,b\n1,2,3\n", Some(2), None, "3 cells"),
        ("1,2\n\"3,4\n5,6\n", Some(2), None, "cells"),
        ("1,2\n3,0x10\n", Some(2), Some(2), "`0x10`"),
    ];
    for (text, row, column, expected) in cases {
        let error = CsvFile::open(folder.file("bad.csv", text), &ReadOptions::default()).err().unwrap();
        let shown = error.to_string();
        assert!(shown.contains("bad.csv") && shown.contains(expected), "{text:?}: {shown}");
        let Error::Data { place, .. } = error else { panic!("{text:?}: {shown}") };
        assert_eq!((place.row, place.column), (row, column), "{text:?}: {shown}");
    }
    let noise = folder.file("noise.csv", [0xff, 0xfe, b'1', 0, b'\n', 0]);
    assert!(CsvFile::open(noise, &ReadOptions::default()).err().unwrap().to_string().contains("UTF-16"));
    let noise = folder.file("noise.csv", [b'1', b'\n', 0xc3, 0x28, 0, b'\n']);
    assert!(CsvFile::open(noise, &ReadOptions::default()).is_err());
}

#[test]
fn not_a_number_is_found_by_line_and_column() {
    let folder = Folder::new();
    for (text, row, column) in [
        ("a,b\n\n1,2\n3,nan\n-inf,1\n", 4, 2),
        ("1,2\r\n\r\nInf,2\r\n", 3, 1),
        ("1,2\n3,1e39\n", 2, 2),
        ("1 2\n3 1e999\n", 2, 2),
    ] {
        let file = CsvFile::open(folder.file("a.csv", text), &ReadOptions::default()).unwrap();
        let Err(Error::Data { place, .. }) = Dataset::new(file) else { panic!("{text:?}") };
        assert!(place.source.ends_with("a.csv"));
        assert_eq!((place.row, place.column), (Some(row), Some(column)), "{text:?}");
    }
}

#[test]
fn files_open_by_extension_and_join_in_order() {
    let folder = Folder::new();
    let options = ReadOptions::default();
    let a = folder.file("a.csv", "x,y\n1,2\n");
    let b = folder.file("b.TSV", "3\t4\n5\t6\n");
    let values: Vec<u8> = [7.0f32, 8.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
    let c = folder.file("c.npy", crate::npy_bytes(dict, &values));
    let all = open(&[a.clone(), b, c], &options).unwrap();
    assert_eq!(all_f64(&all), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!(all.place(0, 0).row, Some(2));
    assert!(all.place(2, 0).to_string().ends_with("b.TSV, row 2, column 1"));

    let narrow = folder.file("narrow.csv", "1\n");
    let error = open(&[a, narrow], &options).err().unwrap().to_string();
    assert!(error.contains("a.csv") && error.contains("narrow.csv"), "{error}");
}

#[test]
fn paths_that_are_no_tables_are_refused() {
    let folder = Folder::new();
    let options = ReadOptions::default();
    std::fs::create_dir(folder.path().join("none")).unwrap();
    let cases = [
        (folder.path().join("missing.npy"), "missing.npy"),
        (folder.path().join("none"), "folder"),
        (folder.file("a.xlsx", "1,2\n"), "extension"),
        (folder.file("plain", "1,2\n"), "extension"),
    ];
    for (path, expected) in cases {
        let error = open(std::slice::from_ref(&path), &options).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(open(&[], &options).is_err());
}

#[test]
fn rows_past_the_memory_allowed_read_the_same_from_a_temporary_file() {
    let folder = Folder::new();
    let values: Vec<f64> = (0..30).map(|i| if i < 20 { f64::from(i) } else { f64::from(i) * 0.1 }).collect();
    let text: String = values.chunks(3).map(|row| format!("{},{},{}\n", row[0], row[1], row[2])).collect();
    let options = ReadOptions { memory: Some(0), ..ReadOptions::default() };
    let file = CsvFile::open(folder.file("a.csv", text), &options).unwrap();
    assert_reads(&file, 3, &values);
    assert!(file.is_wide() && file.in_memory(0..1).is_none());
    let notes = file.notes();
    assert!(notes.len() == 1 && notes[0].contains("a.csv: 240 bytes of parsed rows"), "{notes:?}");
}
