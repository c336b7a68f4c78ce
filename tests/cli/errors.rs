//! What the program says when it cannot do what it was asked for, and its exit status.

use super::{Folder, npy_f32};

#[test]
fn wrong_usage_is_status_2() {
    let folder = Folder::with_points();
    let cases = [
        ("", "Usage"),
        ("frobnicate", "frobnicate"),
        ("kmeans points.csv", "--k <K>"),
        ("kmeans --k 2", "<INPUT>"),
        ("kmeans points.csv --k 0", "1 or more"),
        ("kmeans points.csv --k two", "1 or more"),
        ("kmeans points.csv --k -1", "--k"),
        ("kmeans points.csv --k 2 --max-iter 0", "1 or more"),
        ("kmeans points.csv --k 2 --n-init 0", "1 or more"),
        ("kmeans points.csv --k 2 --threads 0", "1 or more"),
        ("kmeans points.csv --k 2 --tol -1", "0 or more"),
        ("kmeans points.csv --k 2 --tol nan", "0 or more"),
        ("kmeans points.csv --k 2 --seed x", "--seed"),
        ("kmeans points.csv --k 2 --init nonsense", "k-means++, k-means||, random"),
        ("kmeans points.csv --k 2 --metric manhattan", "cityblock"),
        ("kmeans points.csv --k 2 --algorithm elkan", "bounded"),
        ("kmeans points.csv --k 2 --empty explode", "relocate"),
        ("kmeans points.csv --k 2 --device tpu", "`tpu` names no device"),
        ("kmeans points.csv --k 2 --device gpu:x", "gpu:0"),
        ("kmeans points.csv --k 2 --memory lots", "512M"),
        ("kmeans points.csv --k 2 --delimiter ab", "one ASCII character"),
        ("kmeans points.csv --k 2 --header maybe", "auto"),
        ("kmeans points.csv --k 2 --frobnicate", "--frobnicate"),
        ("predict model.safetensors points.csv", "--labels"),
        ("predict model.safetensors --labels l.csv", "<INPUT>"),
        ("predict points.csv start.csv --labels labels.xyz", "results are written as .npy"),
        ("info", "<INPUT>"),
        ("convert points.csv", "<OUTPUT>"),
        ("convert points.csv points.xyz", "points.xyz: tables are written as .npy, .csv"),
        ("convert points.csv points.csv", "points.csv is also a file that is read"),
        ("convert . ./points.csv", "points.csv is also a file that is read"),
        ("convert *.csv points.csv", "points.csv is also a file that is read"),
        ("convert points.csv no/points.npy", "the folder no does not exist"),
        ("convert points.csv points.npy --dtype f8", "f16"),
        ("bench points.csv --n 5", "--n"),
        ("bench --runs 0", "1 or more"),
        ("devices --frobnicate", "--frobnicate"),
    ];
    for (line, words) in cases {
        let ran = folder.run(line);
        assert_eq!(ran.status, Some(2), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{line}");
    }
}

#[test]
fn broken_input_is_status_1_and_its_place_is_named() {
    let folder = Folder::with_points();
    let npy = npy_f32(3, 2, [0.0, 1.0, 2.0, f32::NAN, 4.0, 5.0]);
    folder.write("nan.npy", &npy).write("cut.npy", &npy[..npy.len() - 3]).write("noise.npy", b"not an array");
    folder.write("word.csv", "1,2\n3,4\n5,six\n").write("ragged.csv", "1,2\n3\n").write("empty.csv", "");
    folder.write("header.csv", "x,y\n").write("inf.csv", "1,2\ninf,4\n").write("three.csv", "1,2,3\n4,5,6\n");
    folder.write("table.xlsx", "1,2\n").write("zero.csv", "0\n0\n0\n0\n").write("nan_start.csv", "0,0\n1,nan\n");
    std::fs::create_dir(folder.path("none")).expect("a folder");
    let cases = [
        ("missing.csv --k 1", "missing.csv: "),
        ("none --k 1", "none: the folder has no file that is read"),
        ("*.arrow --k 1", "*.arrow: no file matches the pattern"),
        ("table.xlsx --k 1", "table.xlsx: the extension"),
        ("empty.csv --k 1", "empty.csv: is empty"),
        ("header.csv --k 1", "header.csv: "),
        ("word.csv --k 1", "word.csv, row 3, column 2: `six` is not a number"),
        ("ragged.csv --k 1", "ragged.csv, row 2: "),
        ("inf.csv --k 1", "inf.csv, row 2, column 1: "),
        ("nan.npy --k 1", "nan.npy, row 1, column 1: "),
        ("cut.npy --k 1", "cut.npy: "),
        ("noise.npy --k 1", "noise.npy: "),
        ("points.csv three.csv --k 1", "three.csv: has 3 columns where points.csv has 2"),
        ("points.csv --k 5", "n_samples=4 should be >= n_clusters=5"),
        ("points.csv --k 3 --init start.csv", "start.csv: holds 2 × 2 centroids"),
        ("three.csv --k 2 --init start.csv", "start.csv: holds 2 × 2 centroids"),
        ("points.csv --k 2 --init missing.npy", "missing.npy: "),
        ("points.csv --k 2 --init nan_start.csv", "nan_start.csv, row 2, column 2: "),
        ("points.csv --k 2 --weights start.csv", "start.csv: the weights are 2 × 2"),
        ("points.csv --k 2 --weights zero.csv", "zero.csv: all weights are zero"),
        ("three.csv --k 2 --metric haversine", "haversine needs 2 columns"),
    ];
    for (arguments, words) in cases {
        let ran = folder.run(&format!("kmeans {arguments} --device cpu --quiet"));
        assert_eq!(ran.status, Some(1), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("superstep: ") && ran.stderr.contains(words), "{arguments}: {}", ran.stderr);
        assert_eq!((ran.stderr.lines().count(), ran.stdout.as_str()), (1, ""), "{arguments}: {}", ran.stderr);
    }
}

#[test]
fn a_device_that_is_not_there_is_status_1_with_what_there_is() {
    let folder = Folder::with_points();
    let ran = folder.run("kmeans points.csv --k 2 --device gpu:99 --quiet");
    assert_eq!(ran.status, Some(1));
    // A driver may have lines of its own to say.
    let ours = ran.stderr.lines().find(|line| line.starts_with("superstep: --device gpu:99: "));
    assert!(ours.is_some_and(|line| line.contains("cpu")), "{}", ran.stderr);
}

#[test]
fn help_and_version_are_results() {
    let folder = Folder::new();
    for line in [
        "--help",
        "kmeans --help",
        "bisect --help",
        "predict --help",
        "info --help",
        "convert --help",
        "devices --help",
        "bench --help",
        "--version",
    ] {
        let ran = folder.done(line);
        assert!(ran.stdout.contains("superstep") && ran.stderr.is_empty(), "{line}");
    }
    let help = folder.done("kmeans --help").stdout;
    let flags = "k init n-init init-sample max-iter tol metric algorithm weights seed device threads memory device-memory labels centroids model \
                 json quiet empty delimiter header";
    for flag in flags.split_whitespace() {
        assert!(help.contains(&format!("--{flag}")), "--{flag}");
    }
    for extension in superstep::data::EXTENSIONS.iter().filter(|extension| !extension.ends_with(".gz")) {
        assert!(help.contains(&format!(".{extension}")), ".{extension} is named");
    }
}
