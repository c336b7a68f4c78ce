//! Every example runs, and prints what it shows.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The folder of built examples: cargo builds them beside the tests.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("tests lie in target/PROFILE/deps");
    profile.join("examples").join(name)
}

fn run(name: &str, arguments: &[&str]) -> Output {
    let output = Command::new(built(name)).args(arguments).output().expect("the example was built");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {message}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("examples print text")
}

#[test]
fn flink_kmeans_writes_a_cluster_for_each_point() {
    let lines = text(&run("flink_kmeans", &[]).stdout);
    assert_eq!(lines.lines().count(), 24);
    let clusters: Vec<&str> = lines.lines().filter_map(|line| line.split(' ').next()).collect();
    for heap in 0..3 {
        let expected = (heap + 1).to_string();
        assert_eq!(clusters[8 * heap..8 * (heap + 1)], [expected.as_str(); 8], "heap {heap}");
    }
}

#[test]
fn flink_kmeans_reads_and_writes_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("points"), "0 0\n0 1\n10 10\n").expect("the folder is writable");
    std::fs::write(path("centroids"), "7 0 0\n8 9 9\n").expect("the folder is writable");
    let (points, centroids, output) = (path("points"), path("centroids"), path("output"));
    run("flink_kmeans", &["--points", &points, "--centroids", &centroids, "--iterations", "3", "--output", &output]);
    assert_eq!(std::fs::read_to_string(output).expect("it was written"), "7 0 0\n7 0 1\n8 10 10\n");
}

#[test]
fn quantize_paints_in_as_many_colours_as_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (from, to) =
        (concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/photograph.png"), folder.path().join("out.png"));
    run("quantize", &[from, &to.display().to_string(), "5"]);
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&to).expect("it was written")));
    let mut reader = decoder.read_info().expect("it is a PNG file");
    let mut pixels = vec![0; reader.output_buffer_size().expect("it is small")];
    reader.next_frame(&mut pixels).expect("it is whole");
    let colours: std::collections::BTreeSet<&[u8]> = pixels.chunks_exact(3).collect();
    assert_eq!(colours.len(), 5);
}

#[test]
fn map_reduce_by_processes_and_files_has_the_bits_of_one_process() {
    let shown = text(&run("map_reduce", &[]).stdout);
    assert_eq!(shown.matches("round ").count(), 6, "{shown}");
    assert!(shown.ends_with("the centroids are bit for bit those of one process\n"), "{shown}");
}

#[test]
fn custom_iteration_finds_the_eigenvalue_on_the_cpu() {
    let shown = text(&run("custom_iteration", &["cpu"]).stdout);
    assert!(shown.contains("eigenvalue"), "{shown}");
}

#[cfg(feature = "gpu")]
#[test]
fn examples_run_on_an_adapter() {
    if superstep::queue::adapters().is_empty() {
        assert!(std::env::var_os("SUPERSTEP_REQUIRE_GPU").is_none(), "no adapter, and SUPERSTEP_REQUIRE_GPU is set");
        println!("skipped: no adapter");
        return;
    }
    let shown = text(&run("custom_iteration", &["gpu"]).stdout);
    assert!(shown.contains("eigenvalue"), "{shown}");
    let shown = text(&run("bring_your_own_device", &[]).stdout);
    assert!(shown.contains("and the device still works"), "{shown}");
}

#[test]
fn flip_176_feeds_its_model_back_for_five_rounds() {
    let text = text(&run("flip_176", &[]).stdout);
    let losses: Vec<f64> = text.lines().filter_map(|line| line.split_once("loss ")?.1.parse().ok()).collect();
    assert_eq!(losses.len(), 5, "{text}");
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{text}");
    assert!(text.ends_with("after 5 rounds\n"), "{text}");
}

#[test]
fn flinks_two_kinds_of_iteration_come_to_the_same_centroids() {
    let text = text(&run("flink_iterations", &[]).stdout);
    let (bulk, delta) = text.split_once("delta: ").expect("both are told");
    assert!(bulk.starts_with("bulk: 10 rounds, ended by MaxIter"), "{text}");
    assert!(delta.contains("ended by NoFeedback"), "{text}");
    let centroids = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((centroids(bulk).len(), centroids(bulk)), (4, centroids(delta)), "{text}");
}

#[test]
fn alinks_queue_finds_its_three_heaps() {
    let text = text(&run("alink_kmeans", &[]).stdout);
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["2.50 4.50", "22.50 -5.50", "42.50 -15.50"], "{text}");
}
