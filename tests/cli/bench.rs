//! `superstep bench`.

use super::{Folder, uniform_csv};

#[test]
fn runs_every_device_side_by_side_by_default() {
    let folder = Folder::new();
    let json = folder.json("bench --n 500 --d 3 --k 4 --iterations 2 --runs 2");
    let listed: serde_json::Value = serde_json::from_str(&folder.done("devices --json").stdout).expect("a list");
    let [measured, listed] = [&json, &listed].map(|json| json["devices"].as_array().expect("devices"));
    let names = |list: &[serde_json::Value]| list.iter().map(|device| device["device"].clone()).collect::<Vec<_>>();
    assert_eq!(names(measured), names(listed));
    let first = measured[0]["inertia"].as_f64().expect("an inertia");
    for device in measured {
        let inertia = device["inertia"].as_f64().unwrap_or_else(|| panic!("{device}"));
        assert!((inertia - first).abs() <= 1e-4 * first, "every device does the same work: {device}");
    }
}

#[test]
fn the_speeds_follow_from_the_time() {
    let json = Folder::new().json("bench --n 1000 --d 5 --k 6 --iterations 2 --runs 1 --device cpu --device cpu");
    assert_eq!((&json["n"], &json["d"], &json["k"]), (&1000.into(), &5.into(), &6.into()));
    let devices = json["devices"].as_array().expect("devices");
    assert_eq!(devices.len(), 2);
    for device in devices {
        let number = |key: &str| device[key].as_f64().unwrap_or_else(|| panic!("{key} of {device}"));
        let time = number("seconds_per_iteration");
        assert!((number("gflops") * time * 1e9 / (2.0 * 1000.0 * 5.0 * 6.0) - 1.0).abs() < 1e-9);
        assert!((number("gb_per_s") * time * 1e9 / (4.0 * 1000.0 * 5.0) - 1.0).abs() < 1e-9);
        assert!(number("pin") >= 0.0 && number("init") >= 0.0 && number("ratio") > 0.0);
    }
    assert_eq!(devices[0]["ratio"], 1.0);
    assert_eq!(devices[0]["inertia"], devices[1]["inertia"]);
}

#[test]
fn tells_items_and_ceilings_and_writes_a_page() {
    let folder = Folder::new();
    let json = folder.json("bench --n 600 --d 5 --k 6 --iterations 2 --runs 1 --no-tune --report page.html");
    for device in json["devices"].as_array().expect("devices") {
        let items = device["items"].as_array().expect("items");
        let names: Vec<&str> = items.iter().filter_map(|item| item["name"].as_str()).collect();
        let expected = if device["device"] == "cpu" { "Reassign" } else { "reassign_small" };
        assert!(names.contains(&expected), "{device}");
        assert!(items.iter().all(|item| item["seconds"].as_f64().is_some_and(|time| time >= 0.0)), "{device}");
        for ceiling in ["gflops", "copy_gb_per_s"] {
            assert!(device["ceilings"][ceiling].as_f64().is_some_and(|rate| rate > 0.0), "{device}");
        }
    }
    let page = folder.read("page.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(page.contains("Reassign") && page.contains("600 rows"), "{page}");
    let ran = folder.run("bench --n 60 --d 5 --k 6 --device cpu --report no/such/folder/page.html");
    assert_eq!(ran.status, Some(2), "before any work: {}", ran.stderr);
    assert!(ran.stderr.contains("--report") && ran.stderr.contains("does not exist"), "{}", ran.stderr);
}

#[test]
fn takes_a_file_and_prints_a_table() {
    let folder = Folder::new();
    folder.write("rows.csv", uniform_csv(300));
    let table = folder.done("bench rows.csv --k 5 --iterations 2 --runs 1 --device cpu").stdout;
    for words in ["rows.csv: 300 rows × 3 columns", "5 clusters", "GFLOP/s", "GB/s", "inertia", "ratio", "1.00×"] {
        assert!(table.contains(words), "{words} is not in\n{table}");
    }
}

#[test]
fn a_device_that_fails_does_not_stop_the_others() {
    let folder = Folder::new();
    let ran = folder.run("bench --n 100 --d 2 --k 2 --runs 1 --device gpu:99 --device cpu");
    assert_eq!(ran.status, Some(1));
    assert!(ran.stdout.contains("gpu:99") && ran.stdout.contains("1.00×"), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 of 2 devices failed"), "{}", ran.stderr);
    assert_eq!(folder.run("bench --n 3 --k 5 --device cpu").status, Some(1));
}
