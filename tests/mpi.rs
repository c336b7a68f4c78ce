//! The program under `mpirun`: one answer for any number of ranks, one message where one of them fails.
//!
//! Run with `cargo test --features mpi --test mpi`. What several ranks compute is tested in more ways with threads for
//! ranks, in `queue` and `kmeans`; here it goes through MPI, files and processes.

use ndarray::Array2;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use superstep::data::write_npy;

/// Five blocks of 4096 rows, the last one short.
const ROWS: usize = 5 * 4096 - 1000;

/// A folder with three files of rows, which are one data set, and one of weights.
struct Data {
    folder: tempfile::TempDir,
}

impl Data {
    fn new() -> Self {
        let data = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let table = Array2::from_shape_fn((ROWS, 4), value);
        for (number, (first, end)) in [(0, 7000), (7000, 7001), (7001, ROWS)].into_iter().enumerate() {
            data.write(&format!("points-{number}.npy"), &table.slice(ndarray::s![first..end, ..]).to_owned());
        }
        data.write("weights.npy", &Array2::from_shape_fn((ROWS, 1), |(row, _)| (row % 4) as f32 * 0.3));
        data
    }

    fn write(&self, name: &str, table: &Array2<f32>) {
        let mut file = std::fs::File::create(self.path(name)).expect("the folder is writable");
        write_npy(&mut file, table).expect("it is written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn inputs(&self) -> Vec<PathBuf> {
        (0..3).map(|number| self.path(&format!("points-{number}.npy"))).collect()
    }
}

/// Four loose heaps without any order of the rows; no direction is zero.
fn value((row, column): (usize, usize)) -> f32 {
    let noise = ((row * 7919 + column * 104_729) % 1009) as f32 / 1009.0;
    let heap = (row * 31 % 7 % 4) as f32;
    1.0 + heap * (3.0 + column as f32) + noise
}

fn mpirun(size: usize) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--allow-run-as-root", "--oversubscribe", "-n", &size.to_string()]);
    // Threads that wait give way to those that work: there are more ranks than processors.
    command.env("OMPI_MCA_mpi_yield_when_idle", "1").env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
    command
}

fn superstep(size: usize, inputs: &[PathBuf], arguments: &[&str]) -> Command {
    let program = env!("CARGO_BIN_EXE_superstep");
    let mut command = if size == 1 {
        Command::new(program)
    } else {
        let mut command = mpirun(size);
        command.arg(program);
        command
    };
    command.arg("kmeans").args(inputs).args(arguments).args(["--json", "--quiet"]);
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("mpirun is installed: openmpi-bin")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a job came to: the JSON object, less what may differ, and the bytes of its files.
fn answer(size: usize, data: &Data, arguments: &[&str]) -> (serde_json::Value, Vec<Vec<u8>>) {
    let names = ["labels.npy", "centroids.npy"].map(|name| format!("{size}-{name}"));
    let paths = names.map(|name| data.path(&name).display().to_string());
    let mut all: Vec<&str> = arguments.to_vec();
    all.extend(["--k", "4", "--max-iter", "4", "--labels", &paths[0], "--centroids", &paths[1]]);
    let done = output(superstep(size, &data.inputs(), &all));
    assert!(done.status.success(), "{size} ranks, {arguments:?}: {}", text(&done.stderr));
    let mut json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one object, of one rank");
    assert_eq!(json["ranks"], size);
    let object = json.as_object_mut().expect("an object");
    for key in ["seconds", "seconds_per_iteration", "peak_rss_mb", "ranks"] {
        object.remove(key);
    }
    for round in object["trace"].as_array_mut().expect("a trace") {
        let round = round.as_object_mut().expect("an object");
        let waited = round["communicate_seconds"].as_f64().expect("a number");
        assert_eq!(waited > 0.0, size > 1, "{size} ranks");
        round.remove("seconds");
        round.remove("communicate_seconds");
    }
    let files = [&paths[0], &paths[1]].map(|path| std::fs::read(path).expect("it was written"));
    (json, files.to_vec())
}

#[test]
fn two_and_three_ranks_give_the_answer_of_one() {
    let data = Data::new();
    let weights = data.path("weights.npy").display().to_string();
    let cases: [&[&str]; 5] = [
        &["--device", "cpu"],
        &["--device", "cpu", "--metric", "cosine", "--init", "k-means||", "--seed", "3"],
        &["--device", "cpu", "--metric", "cityblock", "--init", "random", "--n-init", "2", "--weights", &weights],
        &["--device", "cpu", "--weights", &weights, "--seed", "9"],
        // On whatever adapter there is: software, where there is no other.
        &["--device", "gpu", "--init", "random", "--n-init", "1"],
    ];
    for arguments in cases {
        if arguments[1] == "gpu" && superstep::queue::adapters().is_empty() {
            assert!(
                std::env::var_os("SUPERSTEP_REQUIRE_GPU").is_none(),
                "no adapter, and SUPERSTEP_REQUIRE_GPU is set"
            );
            println!("skipped: no adapter");
            continue;
        }
        let one = answer(1, &data, arguments);
        for size in [2, 3] {
            assert!(answer(size, &data, arguments) == one, "{arguments:?} on {size} ranks");
        }
    }
}

/// Splits, too: each shares the rows of its cluster out anew.
#[test]
fn bisecting_on_two_and_three_ranks_gives_the_answer_of_one() {
    let data = Data::new();
    let weights = data.path("weights.npy").display().to_string();
    let run = |size: usize, arguments: &[&str]| {
        let labels = data.path(&format!("bisect-{size}.npy")).display().to_string();
        let fixed = ["--k", "5", "--device", "cpu", "--json", "--quiet", "--labels", &labels];
        let mut command = mpirun(size);
        command.arg(env!("CARGO_BIN_EXE_superstep")).arg("bisect").args(data.inputs()).args(fixed).args(arguments);
        let done = output(command);
        assert!(done.status.success(), "{size} ranks, {arguments:?}: {}", text(&done.stderr));
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one object, of one rank");
        assert_eq!(json["ranks"], size);
        let same = ["k", "iterations", "inertia", "cluster_sizes", "cluster_inertias"].map(|key| json[key].clone());
        (same, std::fs::read(labels).expect("it was written"))
    };
    let cases: [&[&str]; 2] =
        [&["--seed", "3"], &["--strategy", "largest_cluster", "--init", "k-means++", "--weights", &weights]];
    for arguments in cases {
        let one = run(1, arguments);
        for size in [2, 3] {
            assert!(run(size, arguments) == one, "{arguments:?} on {size} ranks");
        }
    }
}

#[test]
fn mixtures_on_two_and_three_ranks_are_those_of_one() {
    let data = Data::new();
    let run = |size: usize, arguments: &[&str]| {
        let names = ["labels", "probabilities", "means"].map(|name| data.path(&format!("{name}-{size}.npy")));
        let [labels, probabilities, means] = names.each_ref().map(|path| path.display().to_string());
        let fixed = ["--components", "4", "--json", "--quiet", "--max-iter", "5"];
        let files = ["--labels", &labels, "--probabilities", &probabilities, "--means", &means];
        let mut command = mpirun(size);
        command.arg(env!("CARGO_BIN_EXE_superstep")).arg("gmm").args(data.inputs()).args(fixed).args(files);
        command.args(arguments);
        let done = output(command);
        assert!(done.status.success(), "{size} ranks, {arguments:?}: {}", text(&done.stderr));
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one object, of one rank");
        assert_eq!(json["ranks"], size);
        let same = ["components", "iterations", "lower_bound", "weights", "trace"].map(|key| json[key].clone());
        (same, names.map(|path| std::fs::read(path).expect("it was written")))
    };
    let cases: [&[&str]; 2] =
        [&["--device", "cpu", "--seed", "3"], &["--device", "cpu", "--covariance", "diag", "--n-init", "2"]];
    for arguments in cases {
        let one = run(1, arguments);
        for size in [2, 3] {
            assert!(run(size, arguments) == one, "{arguments:?} on {size} ranks");
        }
    }
}

/// To the last bit of the f64 that are written.
#[test]
fn linear_models_on_two_and_three_ranks_are_those_of_one() {
    let data = Data::new();
    data.write("classes.npy", &Array2::from_shape_fn((ROWS, 1), |(row, _)| (row * 31 % 7 % 4) as f32));
    let [weights, targets] = ["weights.npy", "classes.npy"].map(|name| data.path(name).display().to_string());
    let run = |size: usize, command: &str, arguments: &[&str]| {
        let written = ["w.npy", "model.safetensors"].map(|name| data.path(&format!("{size}-{name}")));
        let [table, model] = written.each_ref().map(|path| path.display().to_string());
        let fixed = ["--targets", &targets, "--device", "cpu", "--json", "--quiet"];
        let mut program = if size == 1 { Command::new(env!("CARGO_BIN_EXE_superstep")) } else { mpirun(size) };
        if size > 1 {
            program.arg(env!("CARGO_BIN_EXE_superstep"));
        }
        program.arg(command).args(data.inputs()).args(fixed).args(arguments);
        program.args(["--coefficients", &table, "--model", &model]);
        let done = output(program);
        assert!(done.status.success(), "{size} ranks, {arguments:?}: {}", text(&done.stderr));
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one object, of one rank");
        assert_eq!(json["ranks"], size);
        let same = ["iterations", "evaluations", "coefficients", "intercepts", "trace"].map(|key| json[key].clone());
        (same, written.map(|path| std::fs::read(path).expect("it was written")))
    };
    let cases: [(&str, &[&str]); 4] = [
        ("logistic", &["--c", "0.5", "--max-iter", "6", "--weights", &weights]),
        ("linear", &["--alpha", "0.1", "--l1-ratio", "0.5", "--max-iter", "6"]),
        ("logistic", &["--solver", "sgd", "--batch-size", "3000", "--max-iter", "2", "--weights", &weights]),
        ("linear", &["--solver", "sgd", "--batch-size", "9000", "--max-iter", "2", "--seed", "3"]),
    ];
    for (command, arguments) in cases {
        let one = run(1, command, arguments);
        for size in [2, 3] {
            assert!(run(size, command, arguments) == one, "{command} {arguments:?} on {size} ranks");
        }
    }
}

#[test]
fn labels_of_text_go_to_one_file_in_the_order_of_the_rows() {
    let data = Data::new();
    let write = |size: usize| {
        let path = data.path(&format!("{size}.csv"));
        let path = path.display().to_string();
        // More than nine clusters: lines differ in length.
        let arguments = ["--device", "cpu", "--k", "12", "--max-iter", "1", "--labels", &path];
        let done = output(superstep(size, &data.inputs(), &arguments));
        assert!(done.status.success(), "{}", text(&done.stderr));
        std::fs::read_to_string(path).expect("it was written")
    };
    let one = write(1);
    assert_eq!(one.lines().count(), ROWS);
    assert_eq!(write(3), one);
    let leftover = std::fs::read_dir(data.folder.path()).expect("the folder is there");
    let names: Vec<_> = leftover.filter_map(|entry| entry.ok()).map(|entry| entry.file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with(".superstep")), "{names:?}");
}

#[test]
fn fewer_blocks_than_ranks_leave_some_without_rows() {
    let data = Data::new();
    let inputs = &data.inputs()[..2];
    let run = |size| {
        let done = output(superstep(size, inputs, &["--device", "cpu", "--k", "3", "--seed", "1"]));
        assert!(done.status.success(), "{}", text(&done.stderr));
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one object");
        (json["inertia"].clone(), json["cluster_sizes"].clone(), json["iterations"].clone())
    };
    assert_eq!(run(3), run(1));
}

/// Runs a job that must fail within five seconds, and returns what it said; rank 0 alone speaks.
fn failure(command: Command) -> String {
    let clock = Instant::now();
    let done = output(command);
    assert!(clock.elapsed() < Duration::from_secs(5), "it took {:?}", clock.elapsed());
    let said = text(&done.stderr);
    assert!(!done.status.success() && done.stdout.is_empty(), "{said}");
    assert_eq!(said.matches("superstep: ").count(), 1, "{said}");
    said
}

#[test]
fn a_fault_on_one_rank_ends_all_with_its_message() {
    let data = Data::new();
    let mut table = Array2::from_shape_fn((ROWS - 7001, 4), value);
    table[[9000, 2]] = f32::NAN;
    data.write("points-2.npy", &table);
    let said = failure(superstep(2, &data.inputs(), &["--device", "cpu", "--k", "4"]));
    assert!(said.contains("rank 1: ") && said.contains("points-2.npy, row 9000, column 2"), "{said}");
}

#[test]
fn a_file_that_one_rank_does_not_see_ends_all_with_its_name() {
    let data = Data::new();
    let missing = data.path("not-here.npy");
    // Two programs in one job, which are given different files.
    let program = env!("CARGO_BIN_EXE_superstep");
    let mut command = mpirun(1);
    let of = |command: &mut Command, input: &Path| {
        command.arg(program).arg("kmeans").arg(input).args(["--k", "3", "--device", "cpu", "--json", "--quiet"]);
    };
    of(&mut command, &data.inputs()[0]);
    command.args([":", "-n", "1"]);
    of(&mut command, &missing);
    let said = failure(command);
    assert!(said.contains("rank 1: ") && said.contains("not-here.npy"), "{said}");
}

#[test]
fn settings_that_differ_between_ranks_are_refused() {
    let data = Data::new();
    let program = env!("CARGO_BIN_EXE_superstep");
    let mut command = mpirun(1);
    let of = |command: &mut Command, seed: &str| {
        command.arg(program).arg("kmeans").arg(&data.inputs()[0]);
        command.args(["--k", "3", "--device", "cpu", "--json", "--quiet", "--seed", seed]);
    };
    of(&mut command, "1");
    command.args([":", "-n", "1"]);
    of(&mut command, "2");
    let said = failure(command);
    assert!(said.contains("seed 1") && said.contains("seed 2"), "{said}");
}

#[test]
fn a_command_that_runs_as_one_process_says_so() {
    let mut command = mpirun(2);
    command.arg(env!("CARGO_BIN_EXE_superstep")).arg("devices");
    assert!(failure(command).contains("start it without mpirun"));
}

#[test]
fn labels_in_a_format_of_one_writer_are_refused_before_the_work() {
    let data = Data::new();
    let path = data.path("labels.parquet").display().to_string();
    let said = failure(superstep(2, &data.inputs(), &["--k", "3", "--labels", &path]));
    assert!(said.contains("labels.parquet") && said.contains(".npy or .csv"), "{said}");
}

/// The processes whose command line has a word, other than launchers.
fn processes(word: &str) -> Vec<u32> {
    let listed = std::fs::read_dir("/proc").expect("this is Linux").filter_map(|entry| entry.ok());
    let ids = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let ours = ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = text(&line);
        line.contains(word) && !line.starts_with("mpirun")
    });
    ours.collect()
}

fn wait(mut child: Child, limit: Duration) -> (bool, String) {
    let clock = Instant::now();
    while clock.elapsed() < limit {
        if child.try_wait().expect("it can be waited for").is_some() {
            let done = child.wait_with_output().expect("it ended");
            return (done.status.success(), text(&done.stderr));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("it can be killed");
    panic!("it did not end within {limit:?}");
}

#[test]
fn a_rank_that_is_killed_ends_the_job_with_a_message() {
    let data = Data::new();
    // Noise in many clusters takes thousands of rounds, far longer than the test.
    let noise = Array2::from_shape_fn((40_000, 8), |(row, column)| {
        let mixed = (row as u64 * 8 + column as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32
    });
    data.write("noise.npy", &noise);
    let input = data.path("noise.npy");
    let arguments = ["--device", "cpu", "--k", "500", "--max-iter", "100000", "--tol", "0", "--init", "random"];
    let mut command = superstep(2, std::slice::from_ref(&input), &[&arguments[..], &["--n-init", "50"]].concat());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("mpirun is installed");
    let word = input.display().to_string();
    let clock = Instant::now();
    let ranks = loop {
        let found = processes(&word);
        if found.len() >= 2 {
            break found;
        }
        assert!(clock.elapsed() < Duration::from_secs(20), "the ranks did not start");
        std::thread::sleep(Duration::from_millis(50));
    };
    // Into the rounds.
    std::thread::sleep(Duration::from_secs(2));
    let killed = Command::new("kill").args(["-9", &ranks[1].to_string()]).status().expect("kill is there");
    assert!(killed.success(), "the rank was running");
    let (success, said) = wait(child, Duration::from_secs(10));
    assert!(!success && said.contains("signal 9"), "{said}");
    assert!(processes(&word).is_empty(), "no rank is left");
}

/// What some ranks have written down, others go on with.
#[test]
fn another_number_of_ranks_goes_on_with_a_checkpoint() {
    let data = Data::new();
    let kept = data.path("kept").display().to_string();
    let labels = |name: &str| data.path(name).display().to_string();
    let run = |ranks: usize, rounds: &str, out: &str, more: &[&str]| {
        let settings =
            ["--k", "5", "--init", "random", "--n-init", "1", "--seed", "3", "--tol", "0", "--device", "cpu"];
        let out = labels(out);
        let own = ["--max-iter", rounds, "--labels", &out];
        let arguments: Vec<&str> = settings.iter().chain(&own).chain(more).copied().collect();
        let ran = output(superstep(ranks, &data.inputs(), &arguments));
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice::<serde_json::Value>(&ran.stdout).expect("one object")
    };
    let whole = run(1, "9", "whole.npy", &[]);
    let resume = ["--checkpoint", kept.as_str(), "--checkpoint-every", "1", "--resume"];
    run(2, "2", "cut.npy", &resume);
    run(1, "4", "cut.npy", &resume);
    let last = run(3, "9", "last.npy", &resume);
    for key in ["inertia", "iterations", "converged", "cluster_sizes"] {
        assert_eq!(last[key], whole[key], "{key}");
    }
    assert_eq!(last["trace"].as_array().map(Vec::len), whole["trace"].as_array().map(Vec::len));
    let bytes = |name: &str| std::fs::read(data.path(name)).expect("it was written");
    assert_eq!(bytes("last.npy"), bytes("whole.npy"));
}

/// Sweeps and streams run under MPI as k-means does; of several ranks the first one has standard input.
#[test]
fn sweeps_and_streams_have_the_bits_of_one_process() {
    let data = Data::new();
    let run = |ranks: usize, command: &str, arguments: &[&str]| {
        let mut program = if ranks == 1 { Command::new(env!("CARGO_BIN_EXE_superstep")) } else { mpirun(ranks) };
        if ranks > 1 {
            program.arg(env!("CARGO_BIN_EXE_superstep"));
        }
        program.arg(command).args(data.inputs()).args(arguments).args(["--device", "cpu", "--json", "--quiet"]);
        let ran = output(program);
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice::<serde_json::Value>(&ran.stdout).expect("one object")
    };
    let sweep = |ranks| run(ranks, "sweep", &["--k", "2..4", "--restarts", "2", "--init", "random", "--seed", "5"]);
    assert_eq!(sweep(2)["fits"], sweep(1)["fits"]);
    let online = |ranks| run(ranks, "online", &["--k", "4", "--batch-size", "5000", "--seed", "5"]);
    assert_eq!(online(3)["weights"], online(1)["weights"]);
    let minibatch = |ranks| run(ranks, "minibatch", &["--k", "4", "--batch-size", "500", "--seed", "5"]);
    assert_eq!(minibatch(2)["inertia"], minibatch(1)["inertia"]);
    let pca = |ranks| run(ranks, "pca", &["--components", "2", "--seed", "5"]);
    assert_eq!(pca(2)["explained_variance"], pca(1)["explained_variance"]);
}

#[test]
fn a_graph_has_the_same_ranks_for_any_number_of_processes_and_its_faults_end_all() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    // Processes share out blocks of 4096 packs: these edges are more than one.
    let edges: String = (0_u64..600_000).map(|at| format!("{} {}\n", at * at % 7919, at * 31 % 9973)).collect();
    std::fs::write(folder.path().join("edges.txt"), edges).expect("the test writes its files");
    std::fs::write(folder.path().join("broken.txt"), "a b\nc\n").expect("the test writes its files");
    let run = |ranks: usize, file: &str, ranked: &str| {
        let mut program = if ranks == 1 { Command::new(env!("CARGO_BIN_EXE_superstep")) } else { mpirun(ranks) };
        if ranks > 1 {
            program.arg(env!("CARGO_BIN_EXE_superstep"));
        }
        program.current_dir(folder.path()).args(["pagerank", file, "--device", "cpu", "--json", "--quiet"]);
        output({
            program.args(["--max-iter", "4", "--tol", "0", "--output", ranked]);
            program
        })
    };
    let one = run(1, "edges.txt", "1.csv");
    assert!(one.status.success(), "{}", String::from_utf8_lossy(&one.stderr));
    for (ranks, ranked) in [(2, "2.csv"), (3, "3.csv")] {
        let several = run(ranks, "edges.txt", ranked);
        assert!(several.status.success(), "{}", String::from_utf8_lossy(&several.stderr));
        let json: serde_json::Value = serde_json::from_slice(&several.stdout).expect("one object");
        assert_eq!(json["ranks"], ranks);
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("the ranks");
        assert!(read(ranked) == read("1.csv"), "{ranks} ranks");
    }
    let broken = run(2, "broken.txt", "b.csv");
    assert_eq!(broken.status.code(), Some(1));
    let message = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert_eq!(message.matches("broken.txt, row 2: has 1 cell").count(), 1, "{message}");
}
