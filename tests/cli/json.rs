//! `kmeans --json`: the object that scripts read.

use super::{Folder, uniform_csv};
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn has_the_keys_of_the_contract_in_their_order() {
    let folder = Folder::with_points();
    // The raw text is searched, since a parser may sort the keys.
    let text = folder.done("kmeans points.csv --k 2 --device cpu --json").stdout;
    let order = "n d k metric algorithm device devices seed iterations converged inertia seconds \
                 seconds_per_iteration peak_rss_mb cluster_sizes trace init_sample streamed ranks";
    let value: Value = serde_json::from_str(&text).expect("one JSON object");
    let mut expected: Vec<&str> = order.split_whitespace().collect();
    let found: Vec<usize> = expected.iter().map(|key| text.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(found.is_sorted(), "{text}");
    let mut present = keys(&value);
    expected.sort_unstable();
    present.sort_unstable();
    assert_eq!(present, expected);
    for (part, names) in [
        (&value["seconds"], vec!["load", "pin", "init", "iterate", "write", "total"]),
        (&value["devices"][0], vec!["name", "kind", "interface", "driver"]),
        (&value["trace"][0], vec!["iteration", "inertia", "shift", "moved", "seconds", "communicate_seconds"]),
    ] {
        assert!(names.iter().all(|name| part.get(name).is_some()), "{part} lacks one of {names:?}");
        assert_eq!(keys(part).len(), names.len(), "{part}");
    }
}

#[test]
fn tells_the_hand_computed_case() {
    let folder = Folder::with_points();
    let line = "kmeans points.csv --k 2 --init start.csv --weights weights.csv --device cpu --seed 5";
    let json = folder.json(line);
    let expected = [
        ("n", json!(4)),
        ("d", json!(2)),
        ("k", json!(2)),
        ("metric", json!("euclidean")),
        ("algorithm", json!("lloyd")),
        ("device", json!("cpu")),
        ("seed", json!(5)),
        ("iterations", json!(2)),
        ("converged", json!(true)),
        ("inertia", json!(0.375)),
        ("cluster_sizes", json!([2, 2])),
    ];
    for (key, value) in expected {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!(json["devices"][0]["kind"], "cpu");
    assert_eq!(json["devices"][0]["interface"], "native");
}

#[test]
fn its_numbers_fit_each_other() {
    let folder = Folder::new();
    folder.write("rows.csv", uniform_csv(2000));
    let json = folder.json("kmeans rows.csv --k 12 --init random --max-iter 4 --tol 0 --device cpu");
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    let trace = json["trace"].as_array().expect("a trace");
    let sizes = json["cluster_sizes"].as_array().expect("sizes");

    assert_eq!((sizes.len(), sizes.iter().map(number).sum::<f64>()), (12, 2000.0));
    assert_eq!((&json["iterations"], &json["converged"]), (&json!(4), &json!(false)));
    let updates: Vec<f64> = trace
        .iter()
        .filter(|round| number(&round["iteration"]) >= 1.0)
        .map(|round| number(&round["seconds"]))
        .collect();
    assert_eq!(updates.len(), 4);
    let mean = updates.iter().sum::<f64>() / 4.0;
    assert!((number(&json["seconds_per_iteration"]) - mean).abs() <= 1e-12 + 1e-9 * mean);
    let last = number(&trace[trace.len() - 1]["inertia"]);
    assert!((number(&json["inertia"]) - last).abs() <= 1e-4 * last, "{} and {last}", json["inertia"]);
    let seconds = &json["seconds"];
    let phases = ["load", "pin", "init", "iterate", "write"].map(|phase| number(&seconds[phase]));
    assert!(phases.iter().all(|time| *time >= 0.0) && number(&seconds["total"]) >= phases.iter().sum::<f64>() - 1e-6);
    if cfg!(target_os = "linux") {
        assert!(number(&json["peak_rss_mb"]) > 1.0);
    }
}

#[test]
fn a_profile_adds_items_to_the_trace_and_wants_json() {
    let folder = Folder::with_points();
    let json = folder.json("kmeans points.csv --k 2 --device cpu --profile");
    for round in json["trace"].as_array().expect("a trace") {
        let items = round["items"].as_array().expect("items");
        let reassign = items.iter().find(|item| item["name"] == "Reassign").expect("the main item");
        assert!(reassign["runs"].as_u64() >= Some(1) && reassign["seconds"].as_f64() >= Some(0.0), "{reassign}");
    }
    let refused = folder.run("kmeans points.csv --k 2 --device cpu --profile");
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("--json"), "{}", refused.stderr);
}
