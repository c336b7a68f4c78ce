//! `superstep gmm`: its flags, its object, its files, and what it refuses.

use super::{Folder, npy_f32, parse_npy, uniform};
use serde_json::Value;

/// Two heaps: one near zero, a wider one near ten.
const HEAPS: &str = "0,0\n0,1\n1,0\n1,1\n0.5,0.5\n9,8\n11,12\n8,11\n12,9\n10,10\n10,12\n";

fn heaps() -> Folder {
    let folder = Folder::new();
    folder.write("heaps.csv", HEAPS);
    folder
}

fn numbers(text: &str) -> Vec<Vec<f64>> {
    text.lines().map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect()).collect()
}

#[test]
fn components_are_found_and_written() {
    let folder = heaps();
    for covariance in ["full", "diag"] {
        let files = "--labels l.csv --probabilities p.csv --means m.csv --model m.safetensors";
        let line = format!("gmm heaps.csv --components 2 --covariance {covariance} --device cpu {files}");
        let ran = folder.done(&line);
        assert!(ran.stdout.contains("result    2 components, converged after "), "{}", ran.stdout);
        assert!(ran.stdout.contains(&format!("settings  2 components, {covariance} covariance, ")), "{}", ran.stdout);
        let labels = folder.read("l.csv");
        let labels: Vec<usize> = labels.lines().map(|line| line.parse().unwrap()).collect();
        assert!(labels[..5] == [labels[0]; 5] && labels[5..] == [1 - labels[0]; 6], "{labels:?}");
        let means = numbers(&folder.read("m.csv"));
        let (near, far) = (&means[labels[0]], &means[1 - labels[0]]);
        assert!(near.iter().all(|mean| (mean - 0.5).abs() < 1e-3), "{means:?}");
        assert!((far[0] - 10.0).abs() < 1e-3 && (far[1] - 62.0 / 6.0).abs() < 1e-3, "{means:?}");
        let probabilities = numbers(&folder.read("p.csv"));
        assert_eq!(probabilities.len(), 11);
        for (row, label) in probabilities.iter().zip(&labels) {
            assert!((row[0] + row[1] - 1.0).abs() < 1e-6 && row[*label] > 0.99, "{row:?}");
        }
        folder.done("predict m.safetensors heaps.csv --labels again.csv");
        assert_eq!(folder.read("again.csv"), folder.read("l.csv"));
        let refused = folder.run("predict m.safetensors heaps.csv --labels again.csv --distances d.csv");
        assert!(refused.status == Some(2) && refused.stderr.contains("has no distances"), "{}", refused.stderr);
    }
}

#[test]
fn the_object_says_what_there_was_and_what_came_of_it() {
    let folder = heaps();
    let json = folder.json("gmm heaps.csv --components 2 --seed 5 --tol 1e-5 --device cpu --threads 1");
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    let expected = "n d components covariance device devices seed iterations converged lower_bound aic bic seconds \
                    seconds_per_iteration peak_rss_mb weights trace streamed ranks";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&json["n"], &json["d"], &json["components"]), (&11.into(), &2.into(), &2.into()));
    assert_eq!((&json["covariance"], &json["seed"], &json["converged"]), (&"full".into(), &5.into(), &true.into()));
    let trace = json["trace"].as_array().unwrap();
    assert_eq!(trace.len() as u64, json["iterations"].as_u64().unwrap());
    assert_eq!(trace[0]["change"], Value::Null);
    // Eleven parameters, and the likelihood of the last round but for what one more step gains.
    let likelihood = 2.0 * 11.0 * json["lower_bound"].as_f64().unwrap();
    for (key, penalty) in [("aic", 2.0 * 11.0), ("bic", 11.0 * 11.0_f64.ln())] {
        let found = json[key].as_f64().unwrap();
        assert!((found + likelihood - penalty).abs() < 0.01, "{key} {found}, {likelihood}");
    }
    assert_eq!(trace[trace.len() - 1]["lower_bound"], json["lower_bound"]);
    assert!(trace[trace.len() - 1]["change"].as_f64().unwrap().abs() < 1e-5);
    let weights: f64 = json["weights"].as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).sum();
    assert!((weights - 1.0).abs() < 1e-12);
    assert!(json["seconds_per_iteration"].as_f64().is_some_and(|seconds| seconds > 0.0));
    let profiled = folder.json("gmm heaps.csv --components 2 --device cpu --profile");
    let items = profiled["items"].as_array().expect("items");
    assert!(items.iter().any(|item| item["name"] == "ExpectFull"), "{items:?}");
}

#[test]
fn settings_reach_the_fit() {
    let folder = Folder::new();
    folder.write("rows.npy", npy_f32(600, 2, uniform(1200)));
    let run = |flags: &str| folder.json(&format!("gmm rows.npy --components 4 --device cpu {flags}"));
    assert_eq!(run("--max-iter 3 --tol 0")["iterations"], 3);
    assert_eq!(run("--max-iter 3 --tol 0")["converged"], false);
    let loose = run("--reg-covar 10");
    let tight = run("--reg-covar 1e-6");
    assert!(loose["lower_bound"].as_f64() < tight["lower_bound"].as_f64(), "regularisation widens");
    let one = run("--seed 2 --covariance diag")["lower_bound"].as_f64().unwrap();
    let best = run("--seed 2 --covariance diag --n-init 6")["lower_bound"].as_f64().unwrap();
    assert!(best >= one, "{best} of six starts, {one} of one");
    let warned = folder.done("gmm rows.npy --components 4 --device cpu --max-iter 1");
    assert!(
        warned.stderr.contains("superstep: warning: the mixture has not converged in 1 rounds"),
        "{}",
        warned.stderr
    );
    assert_eq!(folder.done("gmm rows.npy --components 4 --device cpu --max-iter 1 --quiet").stderr, "");
}

#[test]
fn results_have_the_type_of_the_input() {
    let folder = Folder::new();
    folder.write("rows.npy", npy_f32(300, 2, uniform(600)));
    folder.done("gmm rows.npy --components 3 --device cpu --means m.npy --probabilities p.npy --labels l.npy");
    let (header, bytes) = parse_npy(&folder.path("m.npy"));
    assert!(header.contains("'<f4'") && header.contains("(3, 2)") && bytes.len() == 24, "{header}");
    let (header, bytes) = parse_npy(&folder.path("p.npy"));
    assert!(header.contains("'<f4'") && header.contains("(300, 3)") && bytes.len() == 3600, "{header}");
    let (header, _) = parse_npy(&folder.path("l.npy"));
    assert!(header.contains("'<i4'") && header.contains("(300,)"), "{header}");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = Folder::with_points();
    folder.write("nan.csv", "1,2\n3,nan\n").write("twins.csv", "0,0\n0,0\n9,9\n9,9\n");
    for (line, status, words) in [
        ("gmm points.csv", 2, "--components <K>"),
        ("gmm --components 2", 2, "<INPUT>"),
        ("gmm points.csv --components 0", 2, "1 or more"),
        ("gmm points.csv --components 2 --covariance tied", 2, "full and diag are"),
        ("gmm points.csv --components 2 --reg-covar -1", 2, "--reg-covar"),
        ("gmm points.csv --components 2 --profile", 2, "--json"),
        ("gmm points.csv --components 2 --labels points.csv", 2, "is also a file that is read"),
        ("gmm points.csv --components 2 --means a.npy --probabilities a.npy", 2, "is also that of --"),
        ("gmm points.csv --components 2 --model no/model", 2, "the folder no does not exist"),
        ("gmm points.csv --components 5 --device cpu", 1, "--components: n_samples=4 should be >= n_components=5"),
        ("gmm nan.csv --components 1 --device cpu", 1, "nan.csv, row 2, column 2"),
        ("gmm missing.csv --components 1 --device cpu", 1, "missing.csv: "),
        ("gmm twins.csv --components 2 --reg-covar 0 --device cpu", 1, "increase reg_covar"),
    ] {
        let before = folder.files();
        let ran = folder.run(&format!("{line} --quiet"));
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words) && ran.stdout.is_empty(), "{line}: {}", ran.stderr);
        assert_eq!(folder.files(), before, "{line}");
    }
}
