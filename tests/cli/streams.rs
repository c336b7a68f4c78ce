//! Standard output and standard error, closed pipes, and Ctrl-C.

use super::{Folder, npy_f32, uniform};
use std::process::Stdio;

const FIT: [&str; 6] = ["kmeans", "points.csv", "--k", "2", "--device", "cpu"];

#[test]
fn progress_goes_to_standard_error_and_results_to_standard_output() {
    let folder = Folder::with_points();
    let ran = folder.done("kmeans points.csv --k 2 --init start.csv --device cpu --json");
    assert_eq!(ran.stdout.lines().count(), 1, "one object and nothing else: {}", ran.stdout);
    assert!(ran.stderr.contains("superstep: load: points.csv"), "{}", ran.stderr);
    assert!(ran.stderr.contains("superstep: round 1/300: inertia "), "the last line is told: {}", ran.stderr);
    assert!(!ran.stderr.contains('\r'), "no bar where there is no terminal");
}

#[test]
fn quiet_is_quiet() {
    let folder = Folder::with_points();
    folder.write("equal.csv", "1,1\n1,1\n1,1\n");
    let warned = folder.done("kmeans equal.csv --k 2 --device cpu");
    assert!(warned.stderr.contains("superstep: warning: number of distinct clusters (1)"), "{}", warned.stderr);
    for line in [
        "kmeans equal.csv --k 2 --device cpu --quiet --algorithm bounded --model model.bin",
        "predict model.bin equal.csv --labels labels.csv --quiet",
        "bench --n 100 --d 2 --k 2 --runs 1 --device cpu --quiet",
    ] {
        let ran = folder.done(line);
        assert_eq!(ran.stderr, "", "{line}");
        assert!(!ran.stdout.is_empty(), "{line}: the result is told nevertheless");
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let folder = Folder::with_points();
    for arguments in [&FIT[..], &["devices"], &["--help"]] {
        let mut child = folder
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let ran = super::Ran::from(child.wait_with_output().expect("the program ends"));
        assert_eq!(ran.status, Some(0), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_closed_standard_error_is_no_failure() {
    let folder = Folder::with_points();
    let mut child =
        folder.command(&FIT).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stderr.take());
    let ran = super::Ran::from(child.wait_with_output().expect("the program ends"));
    assert_eq!(ran.status, Some(0));
    assert!(ran.stdout.contains("2 clusters"), "{}", ran.stdout);
}

#[cfg(unix)]
mod interrupt {
    use super::*;
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, ChildStderr, Command};

    /// Fits of far more rounds than a test may take.
    const LONG: [&str; 2] = [
        "kmeans rows.npy --k 700 --init random --n-init 1 --max-iter 1000000 --tol 0",
        "bisect rows.npy --k 9000 --max-iter 1000000 --tol 0",
    ];

    /// A long fit in its first rounds, and its standard error, read up to there.
    fn long_run(folder: &Folder, line: &str) -> (Child, BufReader<ChildStderr>) {
        folder.write("rows.npy", npy_f32(100_000, 2, uniform(200_000)));
        let files = "--device cpu --json --labels labels.npy --centroids centroids.npy --model model.bin";
        let line = format!("{line} {files}");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let mut child = folder
            .command(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
        let mut line = String::new();
        while !line.contains("round") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).expect("it is text"), 0, "it ended before its first round");
        }
        (child, stderr)
    }

    fn press_ctrl_c(child: &Child) {
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is a `kill`");
        assert!(sent.success());
    }

    #[test]
    fn ctrl_c_ends_after_the_round_and_writes_the_results() {
        for line in LONG {
            let folder = Folder::new();
            let (child, mut stderr) = long_run(&folder, line);
            press_ctrl_c(&child);
            let output = child.wait_with_output().expect("the program ends");
            let mut rest = String::new();
            stderr.read_to_string(&mut rest).expect("it is text");
            assert_eq!(output.status.code(), Some(130), "{line}: {rest}");
            assert!(rest.contains("a second Ctrl-C ends at once"), "{line}: {rest}");
            let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the object is printed");
            assert_eq!(json["converged"], false, "{line}");
            assert_eq!(folder.files(), ["centroids.npy", "labels.npy", "model.bin", "rows.npy"], "{line}");
            let (header, bytes) = super::super::parse_npy(&folder.path("labels.npy"));
            assert!(header.contains("(100000,)") && bytes.len() == 400_000, "{line}: {header}");
            folder.done("predict model.bin rows.npy --labels again.npy");
            let again = super::super::parse_npy(&folder.path("again.npy")).1;
            assert!(again == bytes, "{line}: labels belong to the centroids");
        }
    }
}
