//! What each flag of `kmeans` does.

use super::{Folder, POINTS, npy_f32, uniform, uniform_csv};
use serde_json::Value;

fn inertia(json: &Value) -> f64 {
    json["inertia"].as_f64().expect("an inertia")
}

#[test]
fn every_flag_is_taken_at_once() {
    let folder = Folder::with_points();
    folder.done(
        "kmeans points.csv --k 2 --init k-means++ --n-init 2 --max-iter 50 --tol 1e-3 --metric euclidean \
         --algorithm lloyd --weights weights.csv --seed 9 --device cpu --threads 1 --memory 1GiB --labels labels.npy \
         --centroids centroids.npy --model model.safetensors --empty keep --delimiter , --header no --json --quiet",
    );
}

#[test]
fn several_files_are_one_table() {
    let folder = Folder::with_points();
    folder.write("head.csv", "0,0\n0.5,0\n").write("tail.npy", npy_f32(2, 2, [0.5, 1.0, 1.0, 1.0]));
    let whole = folder.json("kmeans points.csv --k 2 --init start.csv --device cpu");
    let parts = folder.json("kmeans head.csv tail.npy --k 2 --init start.csv --device cpu");
    assert_eq!((&parts["n"], &parts["inertia"]), (&whole["n"], &whole["inertia"]));
}

#[test]
fn every_start_and_metric_has_its_name() {
    let folder = Folder::new();
    folder.write("rows.csv", uniform_csv(200));
    for init in ["k-means++", "k-means||", "random"] {
        let json = folder.json(&format!("kmeans rows.csv --k 3 --init {init} --device cpu"));
        assert!(inertia(&json) > 0.0, "{init}");
    }
    for metric in ["euclidean", "cosine", "cityblock"] {
        let json = folder.json(&format!("kmeans rows.csv --k 3 --metric {metric} --device cpu"));
        assert_eq!(json["metric"], metric);
    }
    folder.write("places.csv", "52.5,13.4\n48.9,2.4\n-33.9,151.2\n-36.8,174.8\n");
    let json = folder.json("kmeans places.csv --k 2 --metric haversine --device cpu");
    assert_eq!((&json["metric"], &json["cluster_sizes"]), (&"haversine".into(), &serde_json::json!([2, 2])));
}

#[test]
fn a_file_of_centroids_may_be_npy_or_csv() {
    let folder = Folder::with_points();
    folder.write("start.npy", npy_f32(2, 2, [0.0, 0.0, 1.0, 1.0]));
    for file in ["start.csv", "start.npy"] {
        let json = folder.json(&format!("kmeans points.csv --k 2 --init {file} --device cpu"));
        assert_eq!(json["trace"][0]["inertia"], 0.5, "{file}");
    }
}

#[test]
fn the_seed_decides_the_result() {
    let folder = Folder::new();
    folder.write("rows.npy", npy_f32(500, 3, uniform(1500)));
    let run = |seed: u32, threads: u32| {
        let line = format!(
            "kmeans rows.npy --k 9 --init random --n-init 1 --max-iter 3 --seed {seed} --threads {threads} --device cpu"
        );
        inertia(&folder.json(&line)).to_bits()
    };
    assert_eq!(run(1, 1), run(1, 2));
    assert!((2..6).any(|seed| run(seed, 1) != run(1, 1)));
}

#[test]
fn more_starts_are_never_worse() {
    let folder = Folder::new();
    folder.write("rows.csv", uniform_csv(300));
    let best_of = |starts: u32| {
        inertia(&folder.json(&format!("kmeans rows.csv --k 8 --init random --n-init {starts} --device cpu")))
    };
    assert!(best_of(8) <= best_of(1));
}

#[test]
fn zero_tolerance_does_the_rounds_it_was_given() {
    let folder = Folder::new();
    folder.write("rows.csv", uniform_csv(2000));
    for rounds in [1, 5] {
        let json = folder.json(&format!("kmeans rows.csv --k 20 --max-iter {rounds} --tol 0 --device cpu"));
        assert_eq!((&json["iterations"], &json["converged"]), (&rounds.into(), &false.into()));
    }
    let loose = folder.json("kmeans rows.csv --k 20 --tol 10 --device cpu");
    assert_eq!((&loose["iterations"], &loose["converged"]), (&1.into(), &true.into()));
}

#[test]
fn weights_repeat_rows() {
    let folder = Folder::with_points();
    folder.write("repeated.csv", "0,0\n0,0\n0,0\n0.5,0\n0.5,1\n1,1\n1,1\n1,1\n");
    let weighted = folder.json("kmeans points.csv --k 2 --init start.csv --weights weights.csv --device cpu");
    let repeated = folder.json("kmeans repeated.csv --k 2 --init start.csv --device cpu");
    assert_eq!(inertia(&weighted), inertia(&repeated));
    assert_eq!(repeated["cluster_sizes"], serde_json::json!([4, 4]));
}

#[test]
fn empty_clusters_are_relocated_dropped_or_kept() {
    let folder = Folder::new();
    folder.write("rows.csv", "-10\n-9\n9\n10\n").write("far.csv", "-10\n10\n1000\n");
    for (policy, k, empty) in [("relocate", 3, 0), ("drop", 2, 0), ("keep", 3, 1)] {
        let json = folder.json(&format!("kmeans rows.csv --k 3 --init far.csv --empty {policy} --device cpu"));
        let sizes = json["cluster_sizes"].as_array().expect("sizes");
        let without_rows = sizes.iter().filter(|size| **size == 0).count();
        assert_eq!((&json["k"], sizes.len(), without_rows), (&k.into(), k, empty), "{policy}: {json}");
    }
}

#[test]
fn text_is_read_as_it_is_said_to_be() {
    let folder = Folder::new();
    folder.write("semicolons.csv", POINTS.replace(',', ";")).write("tabs.tsv", POINTS.replace(',', "\t"));
    folder.write("named.csv", format!("x,y\n{POINTS}")).write("numbered.csv", format!("1,2\n{POINTS}"));
    for (arguments, rows) in [
        ("semicolons.csv", 4),
        ("semicolons.csv --delimiter ;", 4),
        ("tabs.tsv --delimiter tab", 4),
        ("named.csv", 4),
        ("named.csv --header yes", 4),
        ("numbered.csv", 5),
        ("numbered.csv --header yes", 4),
        ("numbered.csv --header no", 5),
    ] {
        let json = folder.json(&format!("kmeans {arguments} --k 2 --device cpu"));
        assert_eq!((&json["n"], &json["d"]), (&rows.into(), &2.into()), "{arguments}");
    }
    assert_eq!(folder.run("kmeans named.csv --header no --k 2").status, Some(1));
}

#[test]
fn the_algorithm_is_told_as_it_ran() {
    let folder = Folder::with_points();
    // So few values that bounds would not pay: auto takes lloyd.
    for (asked, told) in [("bounded", "bounded"), ("lloyd", "lloyd"), ("auto", "lloyd")] {
        let json = folder.json(&format!("kmeans points.csv --k 2 --algorithm {asked} --device cpu"));
        assert_eq!(json["algorithm"], told, "{asked}");
    }
}

#[test]
fn the_device_is_told_as_it_ran() {
    let folder = Folder::with_points();
    for (choice, told) in [("cpu", "cpu"), ("cpu,cpu", "cpu,cpu")] {
        let json = folder.json(&format!("kmeans points.csv --k 2 --device {choice}"));
        assert_eq!(json["device"], told);
        assert_eq!(json["devices"].as_array().map(Vec::len), Some(told.split(',').count()));
    }
    for choice in ["auto", "all"] {
        let json = folder.json(&format!("kmeans points.csv --k 2 --device {choice}"));
        let software =
            json["devices"].as_array().is_some_and(|all| all.iter().any(|one| one["kind"] == "software-adapter"));
        assert!(!software, "{choice} never takes a software adapter: {json}");
        assert_ne!(json["device"], choice, "the choice as run");
    }
}

#[test]
fn the_summary_is_for_a_person() {
    let folder = Folder::with_points();
    let ran = folder.done("kmeans points.csv --k 2 --init start.csv --weights weights.csv --device cpu");
    for words in [
        "points.csv: 4 rows × 2 columns",
        "start start.csv",
        "weights weights.csv",
        "2 clusters, converged after 2 iterations",
        "0.375",
        "50.0 %",
    ] {
        assert!(ran.stdout.contains(words), "{words} is not in\n{}", ran.stdout);
    }
    folder.write("rows.csv", uniform_csv(500));
    let many = folder.done("kmeans rows.csv --k 40 --device cpu").stdout;
    assert!(many.contains("min ") && many.contains("median ") && many.lines().count() < 15, "{many}");
}
