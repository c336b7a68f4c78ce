//! `superstep logistic` and `superstep linear`: their flags, their object, their files, and what they refuse.

use super::{Folder, parse_npy};
use serde_json::{Value, json};

/// y = 3 − 2·a + b/2, exactly; the last column says whether a is above 2.
const HOUSES: &str = "a,b,price,large\n0,2,4,0\n1,0,1,0\n2,4,1,0\n3,2,-2,1\n4,8,-1,1\n5,6,-4,1\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("houses.csv", HOUSES);
    folder.write("rows.csv", "0,2\n1,0\n2,4\n3,2\n4,8\n5,6\n").write("large.csv", "0\n0\n0\n1\n1\n1\n");
    folder
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

#[test]
fn a_regression_finds_the_line_and_writes_it() {
    let folder = folder();
    let line =
        "linear houses.csv --columns a,b --target price --tol 1e-7 --device cpu --coefficients w.npy --model m.bin";
    let object = folder.json(line);
    let found = numbers(&object["coefficients"][0]);
    for (found, known) in found.iter().chain(&numbers(&object["intercepts"])).zip([-2.0, 0.5, 3.0]) {
        assert!((found - known).abs() < 1e-5, "{object}");
    }
    let (header, bytes) = parse_npy(&folder.path("w.npy"));
    assert!(header.contains("'<f8'") && header.contains("(1, 3)") && bytes.len() == 24, "{header}");
    folder.done("predict m.bin rows.csv --labels found.csv");
    let found: Vec<f64> = folder.read("found.csv").lines().map(|line| line.parse().expect("a number")).collect();
    for (found, known) in found.iter().zip([4.0, 1.0, 1.0, -2.0, -1.0, -4.0]) {
        assert!((found - known).abs() < 1e-4, "{found} is not {known}");
    }
    let refused = folder.run("predict m.bin rows.csv --labels l.csv --distances d.csv");
    assert!(refused.status == Some(2) && refused.stderr.contains("has no distances"), "{}", refused.stderr);
    let summary = folder.done("linear houses.csv --columns a,b --target price --device cpu").stdout;
    for words in ["houses.csv: 6 rows × 2 columns", "alpha 0", "2 coefficients by ", "converged", "intercept"] {
        assert!(summary.contains(words), "{words} is not in\n{summary}");
    }
    assert_eq!(folder.files(), ["found.csv", "houses.csv", "large.csv", "m.bin", "rows.csv", "w.npy"]);
}

#[test]
fn a_classifier_tells_classes_and_steps() {
    let folder = folder();
    let object = folder.json("logistic rows.csv --targets large.csv --c 10 --device cpu");
    assert_eq!((&object["n"], &object["d"], &object["classes"]), (&json!(6), &json!(2), &json!([0.0, 1.0])));
    assert_eq!(object["converged"], json!(true));
    let trace = object["trace"].as_array().expect("steps");
    assert_eq!(trace.len() as u64 - 1, object["iterations"].as_u64().expect("a number"), "the start is told too");
    assert!((trace[0]["loss"].as_f64().expect("a number") - 2.0_f64.ln()).abs() < 1e-6);
    folder.done("logistic rows.csv --targets large.csv --c 10 --device cpu --model m.bin --quiet");
    folder.done("predict m.bin rows.csv --labels found.csv");
    let found: Vec<f64> = folder.read("found.csv").lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(found, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let same = folder.json("logistic houses.csv --columns a,b --target large --c 10 --device cpu");
    assert_eq!(same["coefficients"], object["coefficients"]);
    let few = folder.done("logistic rows.csv --targets large.csv --c 0.22 --l1-ratio 1 --device cpu");
    assert!(few.stdout.contains("2 classes, 2 coefficients (1 not 0)"), "{}", few.stdout);
    assert!(few.stderr.contains("superstep: step "), "{}", few.stderr);
    let weighted = folder
        .write("w.csv", "1\n2\n1\n1\n0\n1\n")
        .json("logistic rows.csv --targets large.csv --weights w.csv --device cpu");
    assert_ne!(weighted["coefficients"], object["coefficients"]);
}

#[test]
fn stochastic_gradient_descent_goes_by_epochs_and_its_own_flags() {
    let folder = folder();
    let line = "linear houses.csv --columns a,b --target price --solver sgd --batch-size 2 --alpha 0.01 --device cpu";
    let best = folder.json(&line.replace("--solver sgd --batch-size 2", "--tol 1e-7"));
    let object = folder.json(&format!("{line} --seed 3 --max-iter 400 --tol 0"));
    for (found, known) in numbers(&object["coefficients"][0]).iter().zip(numbers(&best["coefficients"][0])) {
        assert!((found - known).abs() < 0.02, "{found} is not {known}");
    }
    assert_eq!((&object["iterations"], &object["evaluations"]), (&json!(400), &json!(401)));
    let others = ["--learning-rate constant", "--power-t 1", "--eta0 0.01", "--seed 4"];
    let of = |more: &str| folder.json(&format!("{line} --max-iter 5 {more}"))["coefficients"].clone();
    let expected = of("");
    for more in others {
        assert_ne!(of(more), expected, "{more}");
    }
    assert_eq!(of("--learning-rate invscaling --power-t 0.25 --seed 0"), expected);
    let ran = folder.done(&format!("{line} --max-iter 5"));
    for words in ["5 epochs", "stochastic gradient descent by 2 rows", "by 6 passes over the rows"] {
        assert!(ran.stdout.contains(words), "{words} is not in\n{}", ran.stdout);
    }
    assert!(ran.stderr.contains("superstep: epoch 5/5: loss ") && ran.stderr.contains("5 epochs"), "{}", ran.stderr);
}

#[test]
fn a_profile_lists_items_and_pinning_takes_time() {
    let folder = folder();
    for solver in ["lbfgs", "sgd"] {
        let line = format!("logistic rows.csv --targets large.csv --device cpu --solver {solver}");
        let object = folder.json(&format!("{line} --profile"));
        let names: Vec<&str> =
            object["items"].as_array().expect("items").iter().filter_map(|item| item["name"].as_str()).collect();
        assert!(names.iter().any(|name| name.contains("Gradient")), "{names:?}");
        assert!(object["items"][0]["runs"].as_u64() >= Some(2), "{object}");
        assert!(object["seconds"]["pin"].as_f64() > Some(0.0), "{object}");
        assert_eq!(folder.json(&line).get("items"), None);
    }
}

#[test]
fn the_object_has_the_keys_of_the_contract_in_their_order() {
    let text = folder().done("logistic rows.csv --targets large.csv --device cpu --json").stdout;
    let order = "n d classes device devices seed iterations converged loss gradient seconds seconds_per_iteration \
                 peak_rss_mb evaluations coefficients intercepts trace streamed ranks";
    let value: Value = serde_json::from_str(&text).expect("one JSON object");
    let expected: Vec<&str> = order.split_whitespace().collect();
    let found: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(found.len(), expected.len(), "{text}");
    let mut at = 0;
    for key in expected {
        let next = text[at..].find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} comes later in {text}"));
        at += next;
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = folder();
    for (line, status, words) in [
        ("logistic rows.csv", 2, "--targets"),
        ("logistic houses.csv --target large", 2, "--columns"),
        ("logistic rows.csv --targets large.csv --target a --columns a", 2, "cannot be used with"),
        ("logistic rows.csv --targets large.csv --c 0", 2, "above 0"),
        ("linear rows.csv --targets large.csv --coefficients large.csv", 2, "a file that is read"),
        ("linear rows.csv --targets large.csv --batch-size 4", 2, "--batch-size: it is of `--solver sgd`"),
        ("logistic rows.csv --targets large.csv --solver owl-qn --eta0 0.1", 2, "--eta0: it is of `--solver sgd`"),
        ("linear rows.csv --targets large.csv --solver sgd --eta0 0", 2, "above 0"),
        ("linear rows.csv --targets large.csv --solver sgd --learning-rate constant --power-t 1", 2, "--power-t"),
        (
            "linear rows.csv --targets large.csv --solver sgd --eta0 1e9 --device cpu",
            1,
            "--eta0: steps that begin with",
        ),
        ("linear rows.csv --targets large.csv --profile", 2, "--json"),
        ("linear rows.csv --targets houses.csv --device cpu", 1, "give one for each of the 6 rows"),
        ("linear rows.csv --targets large.csv --alpha 1 --l1-ratio 0.5 --solver lbfgs --device cpu", 1, "OwlQn"),
    ] {
        let ran = folder.run(line);
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {words} is not in {}", ran.stderr);
    }
}
