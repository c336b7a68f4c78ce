//! `superstep info`.

use super::{Folder, npy_f32, uniform};

#[test]
fn shape_type_ranges_and_sizes_are_told() {
    let folder = Folder::new();
    folder.write("a.npy", npy_f32(3, 2, [0.5, -1.0, 2.0, 4.0, -8.0, 1500.0]));
    let json = folder.json("info a.npy");
    let bytes = std::fs::metadata(folder.path("a.npy")).expect("it is there").len();
    assert_eq!((&json["rows"], &json["columns"], &json["type"]), (&3.into(), &2.into(), &"f32".into()));
    assert_eq!((&json["bytes"], &json["memory_bytes"]), (&bytes.into(), &24.into()));
    assert_eq!((&json["min"], &json["max"]), (&(-8.0).into(), &1500.0.into()));
    let ranges: Vec<_> =
        json["ranges"].as_array().expect("a list").iter().map(|r| (r["min"].clone(), r["max"].clone())).collect();
    assert_eq!(ranges, [((-8.0).into(), 2.0.into()), ((-1.0).into(), 1500.0.into())]);
    assert_eq!((&json["nan"]["count"], &json["nan"]["first"]), (&0.into(), &serde_json::Value::Null));

    let text = folder.done("info a.npy").stdout;
    let expected = "\
data      a.npy: 3 rows × 2 columns
type      f32
on disk   152 B
in memory 24.0 B as f32
values    -8 to 1,500
NaN       none
infinite  none

column  min    max  NaN  infinite
     0   -8      2    0         0
     1   -1  1,500    0         0
";
    assert_eq!(text, expected);
}

#[test]
fn values_that_are_not_finite_are_counted_and_the_first_is_named() {
    let folder = Folder::new();
    // In the second of the chunks that threads read.
    let mut values: Vec<f32> = uniform(150_000).collect();
    values[100_001] = f32::NAN;
    values[140_000] = f32::NAN;
    values[70_001] = f32::NEG_INFINITY;
    folder.write("rows.npy", npy_f32(75_000, 2, values.iter().copied()));
    folder.write("text.csv", "x,y\n1,2\nnan,3\ninf,-inf\n");
    let json = folder.json("info rows.npy text.csv");
    assert_eq!(json["nan"]["count"], 3);
    assert_eq!(json["nan"]["first"], serde_json::json!({"file": "rows.npy", "row": 50_000, "column": 1}));
    assert_eq!(json["infinite"]["count"], 3);
    assert_eq!(json["infinite"]["first"], serde_json::json!({"file": "rows.npy", "row": 35_000, "column": 1}));
    let text = &json["files"][1];
    assert_eq!(text["nan"], serde_json::json!({"count": 1, "first": {"file": "text.csv", "row": 3, "column": 1}}));
    assert_eq!((&text["min"], &text["max"], &text["rows"]), (&1.0.into(), &3.0.into(), &3.into()));
    let finite = values.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
    assert_eq!(json["files"][0]["max"], finite.clone().fold(0.0, f64::max));
    assert_eq!(json["files"][0]["min"], finite.fold(1.0, f64::min));
    assert_eq!(json["ranges"][0]["nan"].as_u64().zip(json["ranges"][1]["nan"].as_u64()), Some((2, 1)));
}

#[test]
fn files_are_told_one_by_one_even_if_they_are_no_one_table() {
    let folder = Folder::new();
    folder.write("a.csv", "1,2\n").write("b.csv", "1,2,3\n0.1,5,6\n");
    let json = folder.json("info a.csv b.csv");
    assert_eq!((&json["columns"], &json["rows"]), (&serde_json::Value::Null, &3.into()));
    let text = folder.done("info a.csv b.csv").stdout;
    assert!(text.starts_with("data      a.csv and 1 more file: 3 rows × files of different widths"), "{text}");
    assert!(text.contains("\nb.csv     2        3  f64"), "{text}");
}

#[test]
fn named_columns_and_wide_tables() {
    let folder = Folder::new();
    folder.write("named.csv", "height,width\n1,2\n3,5\n").write("wide.npy", npy_f32(2, 65, uniform(130)));
    let text = folder.done("info named.csv").stdout;
    assert!(text.contains("column  name    min  max  NaN  infinite\n     0  height    1    3"), "{text}");
    let text = folder.done("info wide.npy").stdout;
    assert!(text.contains("65 columns") && !text.contains("column  min"), "{text}");
    assert!(folder.json("info wide.npy")["ranges"].is_null());
}

#[test]
fn broken_files_are_refused_with_their_place() {
    let folder = Folder::new();
    folder.write("word.csv", "1,2\n3,four\n").write("cut.fvecs", [2, 0, 0, 0, 1]).write("noise.npz", b"nothing");
    let cases = [
        ("word.csv", "word.csv, row 2, column 2: `four` is not a number"),
        ("cut.fvecs", "cut.fvecs: is 5 bytes long"),
        ("noise.npz", "noise.npz: is no .npz file"),
        ("missing.npy", "missing.npy: "),
        ("*.npy", "*.npy: no file matches"),
    ];
    for (input, words) in cases {
        let ran = folder.run(&format!("info {input} --quiet"));
        assert_eq!(ran.status, Some(1), "{input}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("superstep: ") && ran.stderr.contains(words), "{input}: {}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_status_130() {
    use std::process::{Command, Stdio};
    let folder = Folder::new();
    // A sparse file of 400 GB, which takes minutes to look at.
    let file = std::fs::File::create(folder.path("huge.u8bin")).expect("a file");
    std::os::unix::fs::FileExt::write_all_at(&file, &[4_000_000_000_u32, 100].map(u32::to_le_bytes).concat(), 0)
        .expect("a head");
    file.set_len(8 + 400_000_000_000).expect("a sparse file");
    for line in ["info huge.u8bin", "convert huge.u8bin out.npy"] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let mut child =
            folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut stderr = std::io::BufReader::new(child.stderr.take().expect("it is a pipe"));
        let mut said = String::new();
        while !said.contains("rows/s") {
            said.clear();
            assert_ne!(std::io::BufRead::read_line(&mut stderr, &mut said).expect("it is text"), 0, "{line} ended");
        }
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0), "{line}");
        assert_eq!(folder.files(), ["huge.u8bin"], "{line} leaves nothing behind");
    }
}
