//! `superstep convert`.

use super::{Folder, npy_f32, parse_npy, uniform};

/// The values of a `.csv` without a header.
fn cells(text: &str) -> Vec<f64> {
    text.split([',', '\n']).filter(|cell| !cell.is_empty()).map(|cell| cell.parse().expect("a number")).collect()
}

#[test]
fn every_format_holds_the_same_values_and_reads_back() {
    let folder = Folder::new();
    // Of few binary digits, so that those of the text are the numbers themselves.
    let values: Vec<f32> = uniform(21).map(|value| (value * 64.0).floor() / 64.0 - 0.5).collect();
    folder.write("rows.npy", npy_f32(7, 3, values.iter().copied()));
    let parquet = cfg!(feature = "parquet").then_some("a.parquet");
    for output in ["a.npy", "a.csv", "a.fvecs", "a.fbin", "a.CSV"].into_iter().chain(parquet) {
        let ran = folder.done(&format!("convert rows.npy {output}"));
        assert!(ran.stdout.starts_with(&format!("{output}: 7 rows × 3 columns, ")), "{}", ran.stdout);
        folder.done(&format!("convert {output} back.npy"));
        let (header, bytes) = parse_npy(&folder.path("back.npy"));
        assert!(header.contains("'<f4'") && header.contains("(7, 3)"), "{output}: {header}");
        assert_eq!(bytes, values.iter().copied().flat_map(f32::to_le_bytes).collect::<Vec<u8>>(), "{output}");
    }
    // Each byte as the formats have it.
    let fvecs = std::fs::read(folder.path("a.fvecs")).expect("it was written");
    let expected = values.chunks(3).flat_map(|row| {
        3_i32.to_le_bytes().into_iter().chain(row.iter().copied().flat_map(f32::to_le_bytes)).collect::<Vec<u8>>()
    });
    assert!(fvecs.into_iter().eq(expected));
    let fbin = std::fs::read(folder.path("a.fbin")).expect("it was written");
    let head = [7_u32, 3].into_iter().flat_map(u32::to_le_bytes);
    assert!(fbin.into_iter().eq(head.chain(values.iter().copied().flat_map(f32::to_le_bytes))));
    let read: Vec<f32> = cells(&folder.read("a.csv")).into_iter().map(|value| value as f32).collect();
    assert_eq!(read, values);
}

#[test]
fn several_blocks_and_files_become_one_table() {
    let folder = Folder::new();
    // More than one block of 2²⁰ values, and a border of files within one.
    let values: Vec<f32> = uniform(2_400_000).collect();
    std::fs::create_dir(folder.path("shards")).expect("a folder");
    folder.write("shards/b.npy", npy_f32(100_000, 4, values[2_000_000..].iter().copied()));
    folder.write("shards/a.npy", npy_f32(500_000, 4, values[..2_000_000].iter().copied()));
    for input in ["shards", "shards/*.npy", "shards/a.npy shards/b.npy"] {
        folder.done(&format!("convert {input} all.npy --quiet"));
        let (header, bytes) = parse_npy(&folder.path("all.npy"));
        assert!(header.contains("(600000, 4)"), "{header}");
        assert!(bytes.chunks(4).zip(&values).all(|(bytes, value)| bytes == value.to_le_bytes()), "{input}");
    }
}

#[test]
fn the_type_is_that_of_the_input_unless_another_is_asked_for() {
    let folder = Folder::new();
    folder.write("wide.csv", "0.1,-2\n65504,1e-8\n");
    let typed = |flags: &str| {
        folder.done(&format!("convert wide.csv out.npy {flags}"));
        parse_npy(&folder.path("out.npy"))
    };
    let (header, bytes) = typed("");
    assert!(header.contains("'<f8'"), "{header}");
    assert_eq!(bytes, [0.1_f64, -2.0, 65504.0, 1e-8].map(f64::to_le_bytes).concat());
    let (header, bytes) = typed("--dtype f32");
    assert!(header.contains("'<f4'"), "{header}");
    assert_eq!(bytes, [0.1_f32, -2.0, 65504.0, 1e-8].map(f32::to_le_bytes).concat());
    let (header, bytes) = typed("--dtype f16");
    assert!(header.contains("'<f2'"), "{header}");
    // 0.1, -2, 65504 and the zero that 1e-8 is nearest to, by their bits.
    assert_eq!(bytes, [0x2e66_u16, 0xc000, 0x7bff, 0].map(u16::to_le_bytes).concat());
    folder.done("convert out.npy halves.csv");
    assert_eq!(cells(&folder.read("halves.csv")), [0.099_975_586, -2.0, 65504.0, 0.0]);
}

#[test]
fn names_of_columns_are_kept_in_text() {
    let folder = Folder::new();
    folder.write("named.csv", "x,\"y, z\"\n1,2\n");
    folder.done("convert named.csv out.csv");
    assert_eq!(folder.read("out.csv"), "x,\"y, z\"\n1,2\n");
}

#[test]
fn what_cannot_be_written_is_refused_with_its_place_and_leaves_nothing() {
    let folder = Folder::new();
    folder.write("big.csv", "1,2\n3,70000\n").write("huge.csv", "1,1e300\n").write("wide.csv", "0.1\n");
    folder.write("nan.csv", "1,nan\n2,inf\n");
    let before = folder.files();
    let cases = [
        ("big.csv out.npy --dtype f16", 1, "big.csv, row 2, column 2: the value 70000 does not fit f16"),
        ("huge.csv out.fbin --dtype f32", 1, "huge.csv, row 1, column 2: the value 1"),
        ("wide.csv out.fvecs", 2, "out.fvecs: the format holds f32 alone, not f64"),
        ("wide.csv out.fbin --dtype f16", 2, "out.fbin: the format holds f32 alone, not f16"),
        ("missing.csv out.npy", 1, "missing.csv: "),
        ("big.csv wide.csv out.npy", 1, "wide.csv: has 1 columns where big.csv has 2"),
    ];
    for (arguments, status, words) in cases {
        let ran = folder.run(&format!("convert {arguments} --quiet"));
        assert_eq!(ran.status, Some(status), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("superstep: ") && ran.stderr.contains(words), "{arguments}: {}", ran.stderr);
        assert_eq!(folder.files(), before, "{arguments}");
    }
    // What is not finite is kept: converting is not computing.
    folder.done("convert nan.csv out.csv");
    assert_eq!(folder.read("out.csv"), "1,NaN\n2,inf\n");
}
