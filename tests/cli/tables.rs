//! Tables in files of every kind, as the program takes and gives them.

use super::{Folder, uniform_csv};

#[test]
fn columns_are_chosen_by_name_and_by_number() {
    let folder = Folder::new();
    folder.write("named.csv", "id,x,y\na,0,5\nb,1,6\nc,9,7\n").write("bare.csv", "7,0,5\n8,1,6\n9,9,7\n");
    let whole = folder.write("x.csv", "0\n1\n9\n").json("kmeans x.csv --k 2 --device cpu");
    for line in
        ["kmeans named.csv --columns x", "kmeans bare.csv --columns 2", "kmeans named.csv --header yes --columns=x"]
    {
        let report = folder.json(&format!("{line} --k 2 --device cpu"));
        assert_eq!((&report["d"], &report["inertia"]), (&whole["d"], &whole["inertia"]), "{line}");
    }
    assert_eq!(folder.json("kmeans named.csv --columns y,x --k 2 --device cpu")["d"], 2);
    let ran = folder.run("kmeans named.csv --columns x,z --k 2");
    assert_eq!(ran.status, Some(1));
    assert!(ran.stderr.contains("named.csv: has no column `z`; it has `id`, `x`, `y`"), "{}", ran.stderr);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_goes_through_the_program_and_back() {
    let folder = Folder::new();
    folder.write("points.csv", format!("a,b,c\n{}", uniform_csv(500)));
    folder.done("convert points.csv points.parquet");
    let line = "--k 3 --device cpu --columns c,a";
    let (text, parquet) = (
        folder.json(&format!("kmeans points.csv {line} --labels text.csv")),
        folder.json(&format!("kmeans points.parquet {line} --labels labels.parquet --model m.safetensors")),
    );
    assert_eq!(text["inertia"], parquet["inertia"]);
    folder.done("convert labels.parquet labels.csv");
    assert_eq!(folder.read("text.csv").lines().count(), 500);
    let labels = |name: &str| folder.read(name).lines().filter_map(|line| line.parse::<u32>().ok()).collect::<Vec<_>>();
    assert_eq!(labels("labels.csv"), labels("text.csv"));
    folder.done("predict m.safetensors points.parquet --columns c,a --labels again.parquet --distances d.parquet");
    folder.done("convert again.parquet again.csv");
    assert_eq!(labels("again.csv"), labels("text.csv"));
}

#[test]
fn rows_past_the_memory_are_in_a_temporary_file_and_that_is_said() {
    let folder = Folder::new();
    folder.write("points.csv", uniform_csv(100_000));
    let line = "kmeans points.csv --k 3 --init random --n-init 1 --device cpu --json";
    let whole = folder.done(line);
    assert!(!whole.stderr.contains("temporary file"), "{}", whole.stderr);
    let part = folder.done(&format!("{line} --memory 2M"));
    assert!(part.stderr.contains("points.csv: "), "{}", part.stderr);
    assert!(part.stderr.contains("of parsed rows do not fit the memory allowed and are kept in a temporary file in"));
    let inertia = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON")["inertia"].clone();
    assert_eq!(inertia(&whole.stdout), inertia(&part.stdout));
}

#[cfg(unix)]
#[test]
fn a_temporary_file_that_cannot_be_written_is_an_error_with_its_folder() {
    let folder = Folder::new();
    folder.write("points.csv", uniform_csv(100_000));
    let arguments = ["kmeans", "points.csv", "--k", "3", "--device", "cpu", "--memory", "200k"];
    let ran = folder.command(&arguments).env("TMPDIR", "/no/such/folder").output().expect("the program starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("/no/such/folder: ") && said.contains("TMPDIR"), "{said}");
    // A limit on the length of files stands for a full disk.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    let program = env!("CARGO_BIN_EXE_superstep");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, program]).args(arguments).current_dir(folder.path(".")).env("TMPDIR", folder.path("."));
    let ran = shell.output().expect("a shell");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("the temporary file of parsed rows") && said.contains("free space"), "{said}");
    assert_eq!(folder.files(), ["points.csv"]);
}
