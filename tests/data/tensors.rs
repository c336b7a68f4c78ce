use superstep::data::{RowSource, TensorFile};

use crate::{Folder, assert_reads};

/// The bytes of a file with this header, written out.
pub(crate) fn encode(header: &str, values: &[u8]) -> Vec<u8> {
    [(header.len() as u64).to_le_bytes().as_slice(), header.as_bytes(), values].concat()
}

#[test]
fn every_type_reads_alike() {
    let folder = Folder::new();
    let cases: [(&str, Vec<u8>); 9] = [
        ("F64", [1.0_f64, 2.0, 3.0, 4.0].map(f64::to_le_bytes).concat()),
        ("F32", [1.0_f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat()),
        // 1, 2, 3 and 4 by the bits of their formats.
        ("F16", [0x3c00_u16, 0x4000, 0x4200, 0x4400].map(u16::to_le_bytes).concat()),
        ("BF16", [0x3f80_u16, 0x4000, 0x4040, 0x4080].map(u16::to_le_bytes).concat()),
        ("I8", vec![1, 2, 3, 4]),
        ("U8", vec![1, 2, 3, 4]),
        ("I16", [1_i16, 2, 3, 4].map(i16::to_le_bytes).concat()),
        ("U32", [1_u32, 2, 3, 4].map(u32::to_le_bytes).concat()),
        ("I64", [1_i64, 2, 3, 4].map(i64::to_le_bytes).concat()),
    ];
    for (dtype, bytes) in cases {
        println!("{dtype}");
        for (shape, columns) in [("[2,2]", 2), ("[4]", 1)] {
            let header = format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{}]}}}}"#, bytes.len());
            let file = TensorFile::open(folder.file("a.safetensors", encode(&header, &bytes)), None).unwrap();
            assert_reads(&file, columns, &[1.0, 2.0, 3.0, 4.0]);
            assert_eq!(file.element_type(), dtype.to_lowercase());
        }
    }
}

/// A list, two tables, and a tensor of three dimensions.
const SEVERAL: &str = r#"{"__metadata__":{"format":"x"},"b":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]},
    "a":{"dtype":"U8","shape":[1,2],"data_offsets":[2,4]},"list":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},
    "cube":{"dtype":"U8","shape":[1,2,1],"data_offsets":[6,8]}}"#;

#[test]
fn a_tensor_is_chosen_by_name_or_because_it_is_the_only_table() {
    let folder = Folder::new();
    let path = folder.file("s.safetensors", encode(SEVERAL, &[1, 2, 3, 4, 5, 6, 7, 8]));
    let open = |name| TensorFile::open(&path, name);
    assert_reads(&open(Some("a")).unwrap(), 2, &[3.0, 4.0]);
    assert_reads(&open(Some("b")).unwrap(), 1, &[1.0, 2.0]);
    assert_reads(&open(Some("list")).unwrap(), 1, &[5.0, 6.0]);
    assert!(open(Some("a")).unwrap().place(0, 1).to_string().ends_with("s.safetensors:a, row 0, column 1"));
    let message = |name| open(name).err().unwrap().to_string();
    assert!(message(None).contains("holds several tensors: a, b, cube, list; name one"), "{}", message(None));
    assert!(message(Some("c")).contains("has no tensor `c`; it has a, b, cube, list"), "{}", message(Some("c")));
    assert!(message(Some("cube")).contains("s.safetensors:cube: has 3 dimensions"), "{}", message(Some("cube")));
    let one = SEVERAL.replace(r#""shape":[2,1]"#, r#""shape":[2]"#);
    let path = folder.file("one.safetensors", encode(&one, &[1, 2, 3, 4, 5, 6, 7, 8]));
    assert_reads(&TensorFile::open(&path, None).unwrap(), 2, &[3.0, 4.0]);
}

#[test]
fn files_that_are_not_what_they_say_are_refused() {
    let folder = Folder::new();
    let header = r#"{"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let good = encode(header, &[0; 16]);
    let with = |from: &str, to: &str| encode(&header.replace(from, to), &[0; 16]);
    let cases = [
        (Vec::new(), "cut short"),
        (good[..7].to_vec(), "cut short"),
        (good[..30].to_vec(), "says that its header has"),
        (good[..good.len() - 1].to_vec(), "holds 15 bytes of tensors where its header needs 16"),
        ([good.as_slice(), &[0]].concat(), "holds 17 bytes"),
        (u64::MAX.to_le_bytes().to_vec(), "says that its header has"),
        (encode("{", &[]), "header is not what it should be"),
        (encode("\u{ff}", &[]), "header is not what it should be"),
        (encode("{}", &[]), "holds no tensor"),
        (with("[0,16]", "[1,16]"), "header is not what it should be"),
        (with("[2,2]", "[2,3]"), "header is not what it should be"),
        (with("[2,2]", "[18446744073709551615,2]"), "header is not what it should be"),
        (with("F32", "C64").clone(), "header is not what it should be"),
        (with("\"F32\",\"shape\":[2,2]", "\"C64\",\"shape\":[2,1]"), "holds C64"),
        (encode(r#"{"x":{"dtype":"F32","shape":[0,2],"data_offsets":[0,0]}}"#, &[]), "is empty"),
    ];
    for (bytes, expected) in cases {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let path = folder.file("bad.safetensors", bytes);
        let error = TensorFile::open(path, None).err().unwrap_or_else(|| panic!("{shown:?} was read")).to_string();
        assert!(error.contains("bad.safetensors") && error.contains(expected), "{shown:?}: {error}");
    }
}
