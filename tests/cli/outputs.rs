//! The files `kmeans` writes, and when it writes none.

use super::{Folder, npy_f32, parse_npy};
use safetensors::SafeTensors;

const HAND: &str = "kmeans points.csv --k 2 --init start.csv --weights weights.csv --device cpu";

#[test]
fn labels_and_centroids_go_to_csv() {
    let folder = Folder::with_points();
    folder.done(&format!("{HAND} --labels labels.csv --centroids centroids.csv"));
    assert_eq!(folder.read("labels.csv"), "0\n0\n1\n1\n");
    assert_eq!(folder.read("centroids.csv"), "0.125,0\n0.875,1\n");
}

#[test]
fn labels_and_centroids_go_to_npy() {
    let folder = Folder::with_points();
    folder.done(&format!("{HAND} --labels labels.npy --centroids centroids.npy"));
    let (header, bytes) = parse_npy(&folder.path("labels.npy"));
    assert!(header.contains("'<i4'") && header.contains("(4,)"), "{header}");
    assert_eq!(bytes, [0_i32, 0, 1, 1].map(i32::to_le_bytes).concat());
    let (header, bytes) = parse_npy(&folder.path("centroids.npy"));
    assert!(header.contains("'<f4'") && header.contains("(2, 2)"), "{header}");
    assert_eq!(bytes, [0.125_f32, 0.0, 0.875, 1.0].map(f32::to_le_bytes).concat());
}

#[test]
fn centroids_have_the_type_of_the_input() {
    let folder = Folder::new();
    folder.write("wide.csv", "0.1,0.2\n0.3,0.4\n").write("narrow.npy", npy_f32(2, 2, [0.1, 0.2, 0.3, 0.4]));
    for (input, dtype) in [("wide.csv", "<f8"), ("narrow.npy", "<f4")] {
        folder.done(&format!("kmeans {input} --k 1 --device cpu --centroids c.npy"));
        assert!(parse_npy(&folder.path("c.npy")).0.contains(dtype), "{input}");
    }
}

#[test]
fn the_model_is_a_safetensors_file() {
    let folder = Folder::with_points();
    folder.done(&format!("{HAND} --model model.safetensors"));
    let bytes = std::fs::read(folder.path("model.safetensors")).expect("the model was written");
    let tensors = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
    let centroids = tensors.tensor("centroids").expect("it has centroids");
    assert_eq!(centroids.shape(), [2, 2]);
    assert_eq!(centroids.data(), [0.125_f64, 0.0, 0.875, 1.0].map(f64::to_le_bytes).concat());
}

#[test]
fn a_failed_job_leaves_nothing_behind_and_old_files_alone() {
    let folder = Folder::with_points();
    folder.write("bad.csv", "1,2\n3,nan\n").write("labels.csv", "old");
    let before = folder.files();
    for input in ["bad.csv", "points.csv --k 9"] {
        let k = if input.contains("--k") { "" } else { "--k 1" };
        let line = format!("kmeans {input} {k} --device cpu --labels labels.csv --centroids c.npy --model m");
        assert_eq!(folder.run(&line).status, Some(1), "{line}");
        assert_eq!(folder.files(), before);
        assert_eq!(folder.read("labels.csv"), "old");
    }
}

#[test]
fn outputs_are_checked_before_the_work() {
    let folder = Folder::with_points();
    std::fs::create_dir(folder.path("folder.npy")).expect("a folder");
    let cases = [
        ("--labels labels.txt", "--labels: labels.txt: results are written as .npy"),
        ("--centroids c", "--centroids: c: results are written as .npy"),
        ("--labels no/such/labels.npy", "the folder no/such does not exist"),
        ("--model no/model", "--model: no/model: the folder no does not exist"),
        ("--labels folder.npy", "is a folder"),
        ("--model folder.npy", "is a folder"),
        ("--labels a.npy --centroids ./a.npy", "is also that of --labels"),
        ("--labels points.csv", "is also a file that is read"),
        ("--labels weights.csv --weights weights.csv", "is also a file that is read"),
    ];
    let before = folder.files();
    for (flags, words) in cases {
        // The input does not exist: it must not even be looked for.
        let input = if flags.contains("points.csv") { "points.csv" } else { "missing.csv" };
        let ran = folder.run(&format!("kmeans {input} --k 2 {flags}"));
        assert_eq!(ran.status, Some(2), "{flags}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("superstep: ") && ran.stderr.contains(words), "{flags}: {}", ran.stderr);
        assert_eq!(folder.files(), before, "{flags}");
    }
}
