//! `superstep sweep`.

use super::Folder;

/// Three groups of rows.
fn folder() -> Folder {
    let folder = Folder::new();
    let row = |row: usize| format!("{},{}\n", (row % 3) * 50 + row % 7, (row % 3) * 20 + row % 5);
    folder.write("rows.csv", (0..300).map(row).collect::<String>());
    folder
}

#[test]
fn the_groups_there_are_are_found_and_told() {
    let folder = folder();
    let json = folder.json("sweep rows.csv --k 2..6 --restarts 4 --device cpu --report page.html");
    assert_eq!((json["best_by_silhouette"].as_u64(), json["elbow"].as_u64()), (Some(3), Some(3)));
    let ks: Vec<u64> = json["fits"].as_array().unwrap().iter().map(|fit| fit["k"].as_u64().unwrap()).collect();
    assert_eq!(ks, [2, 3, 4, 5, 6]);
    // Each is what k-means finds alone.
    let alone = folder.json("kmeans rows.csv --k 4 --n-init 4 --device cpu");
    assert_eq!(json["fits"][2]["inertia"], alone["inertia"]);
    let page = folder.read("page.html");
    assert!(page.contains("superstep sweep") && page.matches("<svg").count() == 2 && page.ends_with("</html>\n"));
    let told = folder.done("sweep rows.csv --k 2,3 --device cpu");
    for text in ["elbow     none to be seen", "k 3 has the largest", "2 values of k from 2 to 3", "inertia"] {
        assert!(told.stdout.contains(text), "{text}: {}", told.stdout);
    }
    assert!(told.stderr.contains("superstep: fit 6/6: k 3, start 3 of 3"), "{}", told.stderr);
}

#[test]
fn mistakes_are_told() {
    let folder = folder();
    for (line, status, words) in [
        ("sweep rows.csv --k 5..2", 2, "2..20"),
        ("sweep rows.csv", 2, "--k"),
        ("sweep rows.csv --k 2,2 --device cpu", 1, "--k: 2 is given twice"),
        ("sweep rows.csv --k 2,301 --device cpu", 1, "n_clusters=301"),
        ("sweep rows.csv --k 2 --report no/such/page.html --device cpu", 2, "no/such"),
    ] {
        let ran = folder.run(line);
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
    }
}
