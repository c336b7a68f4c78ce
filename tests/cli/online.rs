//! `superstep online`: standard input, growing files, versions as they come; and `superstep minibatch`.

use super::{Folder, Ran};
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

/// Two groups of rows that wander.
fn rows(count: usize) -> String {
    let value = |row: usize| if row.is_multiple_of(2) { row as f32 * 0.01 } else { 100.0 + row as f32 * 0.01 };
    (0..count).map(|row| format!("{},{}\n", value(row), row % 3)).collect()
}

fn versions(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Runs the program with a text on its standard input.
fn piped(folder: &Folder, line: &str, text: &str) -> Ran {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let mut command = folder.command(&arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    // A program that ends early closes its end.
    drop(input.write_all(text.as_bytes()));
    drop(input);
    Ran::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn files_standard_input_and_a_file_that_is_followed_give_the_same_versions() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(1000));
    let settings = "--k 2 --batch-size 300 --seed 4 --decay 0.5 --device cpu --quiet --json";
    let whole = folder.done(&format!("online rows.csv {settings} --versions a.jsonl --centroids a.csv --model a.bin"));
    let json: Value = serde_json::from_str(&whole.stdout).expect("one object");
    assert_eq!((json["n"].as_u64(), json["d"].as_u64(), json["iterations"].as_u64()), (Some(1000), Some(2), Some(4)));
    let lines = versions(&folder.read("a.jsonl"));
    let rows_of: Vec<u64> = lines.iter().map(|version| version["rows"].as_u64().expect("a number")).collect();
    assert_eq!(rows_of, [300, 300, 300, 100]);
    let first: f64 = folder.read("a.csv").lines().next().and_then(|l| l.split(',').next()).unwrap().parse().unwrap();
    assert!((first - lines[3]["centroids"][0][0].as_f64().unwrap()).abs() < 1e-9);
    let piped = piped(&folder, &format!("online - {settings} --versions b.jsonl"), &rows(1000));
    assert_eq!((piped.status, piped.stderr.as_str()), (Some(0), ""));
    assert_eq!(folder.read("b.jsonl"), folder.read("a.jsonl"));
    folder.done(&format!("online rows.csv {settings} --follow --idle 0.2 --versions c.jsonl"));
    assert_eq!(folder.read("c.jsonl"), folder.read("a.jsonl"));
    folder.done("predict a.bin rows.csv --labels labels.csv --quiet");
    assert_eq!(folder.read("labels.csv").lines().count(), 1000);
}

/// Versions come while the input is still open.
#[test]
fn a_version_is_told_as_soon_as_its_batch_is_there() {
    use std::io::{BufRead, BufReader};
    let folder = Folder::new();
    let arguments = "online - --k 2 --batch-size 4 --device cpu --quiet --versions - --json";
    let mut child = folder
        .command(&arguments.split_whitespace().collect::<Vec<_>>())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    for batch in 1..=3 {
        input.write_all(rows(4).as_bytes()).expect("it is read");
        input.flush().expect("it is read");
        let version: Value = serde_json::from_str(&next()).expect("a version");
        assert_eq!((version["batch"].as_u64(), version["rows"].as_u64()), (Some(batch), Some(4)));
    }
    drop(input);
    let last: Value = serde_json::from_str(&next()).expect("the object at the end");
    assert_eq!((last["iterations"].as_u64(), last["weights"][0].as_f64()), (Some(3), Some(6.0)));
    assert!(child.wait().expect("it ends").success());
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_stream_and_writes_the_model() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(100));
    let line = "online rows.csv --follow --k 2 --batch-size 50 --device cpu --centroids c.csv --versions v.jsonl";
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let mut child =
        folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(25));
        if std::fs::read_to_string(folder.path("v.jsonl")).is_ok_and(|text| text.lines().count() == 2) {
            break;
        }
    }
    assert!(child.try_wait().expect("the child is ours").is_none(), "it waits for more");
    let signal = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signal.expect("kill is there").success());
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.status, Some(130), "{}", ran.stderr);
    assert_eq!(folder.read("c.csv").lines().count(), 2);
    assert!(ran.stdout.contains("interrupted after 2 batches"), "{}", ran.stdout);
}

#[test]
fn mistakes_are_told_with_their_line() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(20)).write("start.csv", "0,0\n100,0\n");
    let broken = piped(&folder, "online - --k 2 --batch-size 5 --device cpu", &(rows(7) + "1,x\n"));
    assert_eq!(broken.status, Some(1));
    assert!(
        broken.stderr.contains("standard input, row 8, column 2") && broken.stderr.contains("`x`"),
        "{}",
        broken.stderr
    );
    let none = piped(&folder, "online - --k 2 --device cpu", "");
    assert!(none.status == Some(1) && none.stderr.contains("none came"), "{}", none.stderr);
    for (line, status, words) in [
        ("online - rows.csv --k 2", 2, "read alone"),
        ("online rows.csv rows.csv --follow --k 2", 2, "read alone"),
        ("online - --follow --k 2", 2, "followed anyway"),
        ("online rows.csv --k 2 --decay 1.5 --device cpu", 1, "decay"),
        ("online rows.csv --k 2 --half-life 3 --decay 0.5", 2, "--decay"),
        ("online rows.csv --k 2 --idle 3", 2, "--follow"),
        ("online none.csv --follow --k 2 --device cpu", 1, "none.csv"),
        ("online rows.csv --k 3 --init start.csv --device cpu", 1, "start.csv"),
        ("online rows.csv --k 2 --model rows.csv --device cpu", 2, "rows.csv"),
    ] {
        let ran = folder.run(line);
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
    }
    folder.done(
        "online rows.csv --k 2 --init start.csv --initial-weight 10 --half-life 40 --time-unit rows --device cpu",
    );
}

#[test]
fn small_batches_cluster_a_table() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(3000));
    let line =
        "minibatch rows.csv --k 2 --batch-size 64 --seed 3 --device cpu --labels l.csv --centroids c.csv --model m.bin";
    let json = folder.json(line);
    assert_eq!(
        (json["algorithm"].as_str(), json["n"].as_u64(), json["k"].as_u64()),
        (Some("minibatch"), Some(3000), Some(2))
    );
    let sizes: Vec<u64> = json["cluster_sizes"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
    assert_eq!(sizes, [1500, 1500]);
    folder.done("predict m.bin rows.csv --labels p.csv --quiet");
    assert_eq!(folder.read("p.csv"), folder.read("l.csv"));
    let told = folder.done("minibatch rows.csv --k 2 --batch-size 64 --device cpu");
    assert!(told.stdout.contains("batches of 64 rows") && told.stdout.contains("2 clusters"), "{}", told.stdout);
    for (line, status, words) in [
        ("minibatch rows.csv --k 2 --batch-size 0", 2, "1 or more"),
        ("minibatch rows.csv --k 2 --metric cityblock --device cpu", 1, "--metric: city block"),
        ("minibatch rows.csv --k 3001 --device cpu", 1, "n_clusters=3001"),
    ] {
        let ran = folder.run(line);
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
    }
}
