//! `superstep bisect`: its flags, its object, its files, and what it refuses.

use super::{Folder, npy_f32, parse_npy, uniform, uniform_csv};
use serde_json::{Value, json};

/// Two heaps on the left, two on the right: the first split is between the sides.
const HEAPS: &str = "0,0\n0,1\n0,10\n0,11\n100,0\n100,1\n100,14\n100,15\n";

/// Labels renamed in the order of their first rows: which side is the left one is drawn.
fn canonical(labels: &str) -> Vec<usize> {
    let mut names: Vec<&str> = Vec::new();
    let name = |label| {
        names.iter().position(|name| *name == label).unwrap_or_else(|| {
            names.push(label);
            names.len() - 1
        })
    };
    labels.lines().map(name).collect()
}

#[test]
fn splits_the_heaps_and_writes_labels_centroids_and_a_model() {
    let folder = Folder::new();
    folder.write("heaps.csv", HEAPS);
    let line = "bisect heaps.csv --k 4 --n-init 5 --device cpu --labels labels.csv --centroids c.npy --model model.bin";
    let ran = folder.done(line);
    assert_eq!(canonical(&folder.read("labels.csv")), [0, 0, 1, 1, 2, 2, 3, 3]);
    let (header, bytes) = parse_npy(&folder.path("c.npy"));
    // Whole numbers are f32: the type of the input.
    assert!(header.contains("'<f4'") && header.contains("(4, 2)") && bytes.len() == 32, "{header}");
    for words in ["heaps.csv: 8 rows × 2 columns", "biggest_inertia", "4 clusters by 3 splits, converged", "25.0 %"] {
        assert!(ran.stdout.contains(words), "{words} is not in\n{}", ran.stdout);
    }
    assert!(ran.stderr.contains("superstep: split 3/3: 4 rows, round "), "the last line is told: {}", ran.stderr);
    folder.done("predict model.bin heaps.csv --labels again.csv --distances d.csv");
    assert_eq!(folder.read("again.csv"), folder.read("labels.csv"));
    assert!(folder.read("d.csv").lines().all(|line| line == "0.5"), "{}", folder.read("d.csv"));
}

#[test]
fn the_object_has_the_keys_of_the_contract_in_their_order() {
    let folder = Folder::new();
    folder.write("heaps.csv", HEAPS);
    let text = folder.done("bisect heaps.csv --k 3 --n-init 5 --seed 4 --device cpu --json").stdout;
    let order = "n d k metric strategy device devices seed iterations converged inertia seconds \
                 seconds_per_iteration peak_rss_mb cluster_sizes cluster_inertias splits streamed ranks";
    let value: Value = serde_json::from_str(&text).expect("one JSON object");
    let expected: Vec<&str> = order.split_whitespace().collect();
    let found: Vec<usize> = expected.iter().map(|key| text.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(found.is_sorted(), "{text}");
    assert_eq!(value.as_object().map(|object| object.len()), Some(expected.len()), "{text}");
    for (key, expected) in [
        ("n", json!(8)),
        ("d", json!(2)),
        ("k", json!(3)),
        ("metric", json!("euclidean")),
        ("strategy", json!("biggest_inertia")),
        ("device", json!("cpu")),
        ("seed", json!(4)),
        ("converged", json!(true)),
        // The side with the wider gap is split: 4 · 0.25 there, and 101 for the other.
        ("inertia", json!(102.0)),
        ("ranks", json!(1)),
    ] {
        assert_eq!(value[key], expected, "{key}");
    }
    let splits = value["splits"].as_array().expect("splits");
    assert_eq!(splits.len(), 2);
    for split in splits {
        let keys = ["rows", "sizes", "inertias", "branches", "iterations", "converged", "seconds"];
        assert!(keys.iter().all(|key| split.get(key).is_some()), "{split}");
        assert_eq!(split.as_object().map(|split| split.len()), Some(keys.len()), "{split}");
    }
    assert_eq!((&splits[0]["rows"], &splits[1]["rows"]), (&json!(8), &json!(4)));
    let branches = splits[0]["branches"].as_array().expect("branches");
    assert_eq!(branches.iter().filter(|branch| **branch == json!({ "split": 1 })).count(), 1, "{branches:?}");
    let total: u64 = splits.iter().filter_map(|split| split["iterations"].as_u64()).sum();
    assert_eq!(value["iterations"], total);
    let sizes: Vec<u64> = value["cluster_sizes"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    assert!(sizes == [4, 2, 2] || sizes == [2, 2, 4], "{sizes:?}");
}

#[test]
fn every_flag_is_taken_and_does_what_it_says() {
    let folder = Folder::new();
    folder.write("rows.csv", uniform_csv(400)).write("weights.csv", "1\n2\n".repeat(200));
    folder.done(
        "bisect rows.csv --k 5 --strategy largest_cluster --init k-means++ --n-init 2 --max-iter 50 --tol 1e-3 \
         --metric euclidean --weights weights.csv --seed 9 --device cpu --threads 1 --memory 1GiB --no-tune --labels l.npy \
         --centroids c.npy --model m --delimiter , --header no --columns 1,3 --json --quiet",
    );
    let run = |flags: &str| folder.json(&format!("bisect rows.csv --k 6 --device cpu {flags}"));
    // Twenty rows close together and six far apart: the one is the largest cluster, the other the widest.
    let values = (0..20).map(|row| f64::from(row) / 10.0).chain((0..6).map(|row| 100.0 + 10.0 * f64::from(row)));
    folder.write("uneven.csv", values.map(|value| format!("{value}\n")).collect::<String>());
    for (strategy, sizes) in [("biggest_inertia", [3, 3, 20]), ("largest_cluster", [6, 10, 10])] {
        let json = folder.json(&format!("bisect uneven.csv --k 3 --n-init 9 --strategy {strategy} --device cpu"));
        let listed = json["cluster_sizes"].as_array().expect("sizes").iter();
        let mut found: Vec<u64> = listed.filter_map(Value::as_u64).collect();
        found.sort_unstable();
        assert_eq!((json["strategy"].as_str(), &found[..]), (Some(strategy), &sizes[..]));
    }
    assert_ne!(run("")["inertia"], run("--seed 1")["inertia"]);
    assert_ne!(run("")["inertia"], run("--weights weights.csv")["inertia"]);
    assert_eq!(run("--threads 1")["inertia"], run("--threads 2")["inertia"]);
    let best_of = |starts| folder.json(&format!("bisect rows.csv --k 2 --device cpu --n-init {starts}"));
    let inertia = |json: &Value| json["inertia"].as_f64().expect("a number");
    assert!(inertia(&best_of(9)) <= inertia(&best_of(1)));
    let short = run("--max-iter 1 --tol 0");
    assert_eq!((&short["converged"], &short["iterations"]), (&json!(false), &json!(5)));
    for metric in ["cosine", "cityblock"] {
        assert_eq!(run(&format!("--metric {metric}"))["metric"], metric);
    }
    for init in ["random", "k-means++", "k-means||"] {
        assert_eq!(run(&format!("--init {init}"))["k"], 6, "{init}");
    }
    for split in run("--profile")["splits"].as_array().expect("splits") {
        let items = split["items"].as_array().expect("items");
        let reassign = items.iter().find(|item| item["name"] == "Reassign").expect("the main item");
        assert!(reassign["runs"].as_u64() >= split["iterations"].as_u64(), "{reassign}");
    }
}

#[test]
fn the_labels_of_a_fit_are_those_that_its_model_predicts() {
    let folder = Folder::new();
    folder.write("rows.npy", npy_f32(3000, 3, uniform(9000)));
    for metric in ["euclidean", "cosine", "cityblock"] {
        folder.done(&format!("bisect rows.npy --k 9 --metric {metric} --device cpu --labels l.csv --model m"));
        folder.done("predict m rows.npy --labels p.csv");
        assert_eq!(folder.read("p.csv"), folder.read("l.csv"), "{metric}");
    }
}

#[test]
fn equal_rows_are_warned_of() {
    let folder = Folder::new();
    folder.write("equal.csv", "1,1\n1,1\n2,2\n2,2\n");
    let ran = folder.done("bisect equal.csv --k 3 --device cpu");
    assert!(ran.stderr.contains("superstep: warning: number of distinct clusters (2)"), "{}", ran.stderr);
    assert!(ran.stdout.contains("2 clusters by 1 split, "), "{}", ran.stdout);
    assert_eq!(folder.done("bisect equal.csv --k 3 --device cpu --quiet").stderr, "");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = Folder::with_points();
    folder.write("nan.csv", "1,2\n3,nan\n").write("zero.csv", "0\n0\n0\n0\n");
    for (line, status, words) in [
        ("bisect points.csv", 2, "--k <K>"),
        ("bisect --k 2", 2, "<INPUT>"),
        ("bisect points.csv --k 0", 2, "1 or more"),
        ("bisect points.csv --k 2 --strategy smallest", 2, "biggest_inertia and largest_cluster"),
        ("bisect points.csv --k 2 --init start.csv", 2, "k-means++, k-means|| and random are"),
        ("bisect points.csv --k 2 --profile", 2, "--json"),
        ("bisect points.csv --k 2 --labels points.csv", 2, "is also a file that is read"),
        ("bisect points.csv --k 2 --model no/model", 2, "the folder no does not exist"),
        ("bisect points.csv --k 5 --device cpu", 1, "--k: n_samples=4 should be >= n_clusters=5"),
        ("bisect nan.csv --k 1 --device cpu", 1, "nan.csv, row 2, column 2"),
        ("bisect missing.csv --k 1 --device cpu", 1, "missing.csv: "),
        ("bisect points.csv --k 2 --weights zero.csv --device cpu", 1, "zero.csv: all weights are zero"),
        ("bisect points.csv --k 2 --weights start.csv --device cpu", 1, "start.csv: the weights are 2 × 2"),
    ] {
        let before = folder.files();
        let ran = folder.run(&format!("{line} --quiet"));
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words) && ran.stdout.is_empty(), "{line}: {}", ran.stderr);
        assert_eq!(folder.files(), before, "{line}");
    }
}
