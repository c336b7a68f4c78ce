//! `--checkpoint` and `--resume`: a job that is killed loses nothing.

use super::{Folder, npy_f32, uniform};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const JOB: &str = "kmeans rows.npy --k 12 --init random --n-init 2 --tol 0 --max-iter 25 --seed 5 --device cpu --json \
                   --labels labels.npy --centroids centroids.npy";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("rows.npy", npy_f32(30_000, 4, uniform(120_000)));
    folder
}

/// What must be equal: all but the times, and the memory.
fn result(folder: &Folder, json: &str) -> (Value, Vec<u8>, Vec<u8>) {
    let mut value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let object = value.as_object_mut().expect("an object");
    for key in ["seconds", "seconds_per_iteration", "peak_rss_mb"] {
        object.remove(key);
    }
    for round in object["trace"].as_array_mut().expect("a trace") {
        let round = round.as_object_mut().expect("a round");
        round.remove("seconds");
        round.remove("communicate_seconds");
    }
    let file = |name: &str| std::fs::read(folder.path(name)).expect("it was written");
    (value, file("labels.npy"), file("centroids.npy"))
}

/// Kills the job at moments all over its time, again and again, until it comes to its end.
#[test]
#[cfg(unix)]
fn a_job_killed_fifty_times_ends_as_if_it_had_not_been() {
    let folder = folder();
    let begun = Instant::now();
    let whole = folder.done(JOB);
    let time = begun.elapsed();
    let expected = result(&folder, &whole.stdout);
    let (mut kills, mut jobs, mut moment) = (0, 0, 0_u64);
    while kills < 50 {
        jobs += 1;
        assert!(jobs < 400, "{kills} kills in {jobs} jobs");
        let name = format!("kept-{jobs}");
        let line = format!("{JOB} --quiet --checkpoint {name} --checkpoint-every 1 --resume");
        loop {
            let arguments: Vec<&str> = line.split_whitespace().collect();
            let mut child = folder.command(&arguments);
            let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
            // Moments that are spread evenly over a bit more than the job takes.
            moment = (moment + 0x9e37_79b9) % (1 << 32);
            std::thread::sleep(time.mul_f64(1.1 * moment as f64 / f64::from(u32::MAX)));
            let killed = child.try_wait().expect("the child is ours").is_none();
            drop(child.kill());
            let ran = super::Ran::from(child.wait_with_output().expect("it ends"));
            if ran.status.is_none() {
                assert!(killed);
                kills += 1;
                continue;
            }
            assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "after {kills} kills");
            assert_eq!(result(&folder, &ran.stdout), expected, "after {kills} kills, in {jobs} jobs");
            break;
        }
    }
}

#[test]
fn an_empty_folder_begins_afresh_and_a_finished_job_is_told_again() {
    let folder = folder();
    let expected = result(&folder, &folder.done(JOB).stdout);
    let resumed = format!("{JOB} --checkpoint kept --resume");
    std::fs::create_dir(folder.path("kept")).expect("a folder");
    for _ in 0..2 {
        assert_eq!(result(&folder, &folder.done(&resumed).stdout), expected);
    }
    // Without --resume it begins anew, since nothing unfinished would be lost.
    assert_eq!(result(&folder, &folder.done(&format!("{JOB} --checkpoint kept")).stdout), expected);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let folder = folder();
    folder.done(&format!("{JOB} --checkpoint kept"));
    let ran = folder.run(&format!("{JOB} --checkpoint kept --resume").replace("--k 12", "--k 13"));
    assert_eq!(ran.status, Some(1));
    assert!(ran.stderr.contains("`k` is 13 here and 12 in the checkpoint"), "{}", ran.stderr);
    folder.write("rows.npy", npy_f32(30_000, 4, uniform(120_001).skip(1)));
    let ran = folder.run(&format!("{JOB} --checkpoint kept --resume"));
    assert!(ran.status == Some(1) && ran.stderr.contains("`data` is "), "{}", ran.stderr);
    for (line, words) in [
        ("--resume", "--checkpoint <DIR>"),
        ("--checkpoint-every 3", "--checkpoint <DIR>"),
        ("--checkpoint kept --checkpoint-every 3x", "30s"),
        ("--checkpoint kept --checkpoint-every 0", "30s"),
    ] {
        let ran = folder.run(&format!("{JOB} {line}"));
        assert_eq!(ran.status, Some(2), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
    }
    folder.write("file", "");
    let ran = folder.run(&format!("{JOB} --checkpoint file"));
    assert!(ran.status == Some(1) && ran.stderr.contains("file"), "{}", ran.stderr);
}

/// Ctrl-C writes what there is, and the job goes on from there.
#[test]
#[cfg(unix)]
fn an_interrupted_job_goes_on_where_it_stopped() {
    let folder = folder();
    folder.write("rows.npy", npy_f32(200_000, 8, uniform(1_600_000)));
    let job = JOB.replace("--n-init 2", "--n-init 1").replace("--k 12", "--k 64");
    let expected = result(&folder, &folder.done(&job).stdout);
    let line = format!("{job} --checkpoint kept --checkpoint-every 1h --resume");
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let child = folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(400));
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(signal.success());
    let ran = super::Ran::from(child.wait_with_output().expect("it ends"));
    assert!(matches!(ran.status, Some(0 | 130)), "{:?}: {}", ran.status, ran.stderr);
    assert_eq!(result(&folder, &folder.done(&line).stdout), expected);
}
