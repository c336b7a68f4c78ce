//! `--memory` and `--device-memory`: how much is kept, and that the answer does not depend on it.

use super::{Folder, npy_f32, uniform};
use serde_json::Value;
use std::io::Write;

/// What a job may take beside what `--memory` says: the program itself, and what the system's libraries keep.
const BESIDE: f64 = 150.0;

impl Folder {
    /// A `.npy` file of uniform values, written piece by piece; returns its size in MB.
    fn uniform_npy(&self, name: &str, rows: usize, columns: usize) -> f64 {
        let mut file =
            std::io::BufWriter::new(std::fs::File::create(self.path(name)).expect("the test writes its files"));
        file.write_all(&npy_f32(rows, columns, [])).expect("there is room");
        let piece: Vec<u8> = uniform(65_536 * columns).flat_map(f32::to_le_bytes).collect();
        let mut left = rows * columns * 4;
        while left > 0 {
            let some = left.min(piece.len());
            file.write_all(&piece[..some]).expect("there is room");
            left -= some;
        }
        (rows * columns * 4) as f64 / 1e6
    }

    /// The labels that a job writes, and its JSON object.
    fn labelled(&self, line: &str) -> (Vec<u8>, Value) {
        let json = self.json(&format!("{line} --labels labels.npy"));
        (std::fs::read(self.path("labels.npy")).expect("labels were written"), json)
    }
}

fn peak(json: &Value) -> f64 {
    json["peak_rss_mb"].as_f64().unwrap_or(0.0)
}

#[test]
fn a_job_keeps_to_its_memory_and_answers_as_if_it_had_all() {
    let folder = Folder::new();
    let size = folder.uniform_npy("rows.npy", 4_000_000, 16);
    let job = "kmeans rows.npy --k 8 --init random --n-init 1 --max-iter 1 --device cpu";
    let (pinned_labels, pinned) = folder.labelled(job);
    assert!(pinned["streamed"].is_null() && peak(&pinned) > size, "{pinned}");
    let (labels, streamed) = folder.labelled(&format!("{job} --memory 60M"));
    assert!(peak(&streamed) < 60.0 + BESIDE && peak(&streamed) < peak(&pinned), "{streamed}");
    let rows = streamed["streamed"]["rows"].as_u64().expect("rows were streamed");
    assert!(rows > 2_000_000 && rows <= 4_000_000, "{streamed}");
    assert!(labels == pinned_labels, "the labels differ");
    for key in ["inertia", "cluster_sizes", "iterations"] {
        assert_eq!(streamed[key], pinned[key], "{key}");
    }
}

#[test]
fn what_was_streamed_and_what_it_was_started_from_is_said() {
    let folder = Folder::new();
    folder.uniform_npy("rows.npy", 200_000, 8);
    let job = "kmeans rows.npy --k 4 --max-iter 2 --device cpu --threads 1 --memory 3M --init-sample 1000";
    let said = folder.done(job).stdout;
    assert!(said.contains("start k-means++ among a sample of 1,000 rows"), "{said}");
    assert!(said.contains("of 200,000 rows, read anew in each round"), "{said}");
    let small = folder.run("kmeans rows.npy --k 4 --device cpu --memory 100k");
    assert_eq!(small.status, Some(1));
    assert!(small.stderr.contains("--memory: labels and sums take"), "{}", small.stderr);
}

#[test]
fn k_means_parallel_takes_little_beside_the_rows() {
    let folder = Folder::new();
    let size = folder.uniform_npy("rows.npy", 500_000, 16);
    let json = folder.json("kmeans rows.npy --k 300 --init k-means|| --max-iter 1 --device cpu");
    assert!(peak(&json) < size + 200.0, "{json}");
}
