//! `superstep predict`.

use super::{Folder, uniform_csv};

#[test]
fn the_training_rows_get_the_labels_of_the_fit() {
    let folder = Folder::new();
    folder.write("rows.csv", uniform_csv(1000));
    for metric in ["euclidean", "cosine", "cityblock"] {
        let fit = "kmeans rows.csv --k 7 --device cpu --labels fitted.csv --model model.safetensors";
        folder.done(&format!("{fit} --metric {metric}"));
        folder.done("predict model.safetensors rows.csv --labels predicted.csv");
        assert_eq!(folder.read("predicted.csv"), folder.read("fitted.csv"), "{metric}");
    }
}

#[test]
fn distances_are_those_to_the_rows_own_centroids() {
    let folder = Folder::with_points();
    folder.done("kmeans points.csv --k 2 --init start.csv --weights weights.csv --device cpu --model model.bin");
    folder.write("new.csv", "0.125,3\n0.875,1\n-2.875,-4\n");
    let ran = folder.done("predict model.bin new.csv --labels l.csv --distances d.csv --threads 1");
    assert_eq!(folder.read("l.csv"), "1\n1\n0\n");
    let expected = [(0.75_f64.powi(2) + 4.0).sqrt(), 0.0, 5.0];
    let found: Vec<f64> = folder.read("d.csv").lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(found.len(), 3);
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    assert!(ran.stdout.starts_with("l.csv: 3 rows labelled with 2 clusters in "), "{}", ran.stdout);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let folder = Folder::with_points();
    folder.done("kmeans points.csv --k 2 --device cpu --model model.bin");
    folder.write("wide.csv", "1,2,3\n").write("nan.csv", "1,2\n3,nan\n").write("noise.bin", [7; 100]);
    let model = std::fs::read(folder.path("model.bin")).expect("a model");
    folder.write("cut.bin", &model[..model.len() / 2]);
    let before = folder.files();
    let cases = [
        ("model.bin wide.csv", "it has 3 columns, but the model is expecting 2"),
        ("model.bin nan.csv", "nan.csv, row 2, column 2"),
        ("noise.bin points.csv", "noise.bin: "),
        ("cut.bin points.csv", "cut.bin: "),
        ("missing.bin points.csv", "missing.bin: "),
        ("model.bin missing.csv", "missing.csv: "),
    ];
    for (arguments, words) in cases {
        let ran = folder.run(&format!("predict {arguments} --labels l.csv --distances d.npy --quiet"));
        assert_eq!(ran.status, Some(1), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments}: {}", ran.stderr);
        assert_eq!(folder.files(), before, "{arguments}");
    }
    let ran = folder.run("predict model.bin points.csv --labels model.bin");
    assert_eq!(ran.status, Some(2), "the model is not overwritten: {}", ran.stderr);
}
