//! Graphs from files: what is read, and what is refused with its place.

use std::path::{Path, PathBuf};
use superstep::data::{Edge, EdgeList, ReadOptions, read_node_weights};
use tempfile::TempDir;

/// A folder with one file, and that file.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("the test writes its files");
    (folder, path)
}

fn open(path: &Path, options: &ReadOptions) -> superstep::Result<EdgeList> {
    EdgeList::open(&[path.to_owned()], options)
}

fn read(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> EdgeList {
    let (_folder, path) = file(name, content);
    open(&path, options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn refused(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    let (folder, path) = file(name, content);
    let message = open(&path, options).expect_err("it is refused").to_string();
    message.replace(&format!("{}/", folder.path().display()), "")
}

fn names(list: &EdgeList) -> Vec<&str> {
    list.nodes().names().collect()
}

fn edges(list: &EdgeList) -> Vec<Edge> {
    list.edges().and_then(Iterator::collect).expect("they are read")
}

fn columns(names: &[&str]) -> ReadOptions {
    ReadOptions { columns: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..ReadOptions::default() }
}

#[test]
fn edges_are_read_however_they_are_written() {
    // By their targets.
    let expected: [Edge; 3] = [(2, 0, 1.0), (0, 1, 1.0), (1, 2, 1.0)];
    for (name, text) in [
        ("blanks.txt", "a b\nb c\nc a\n"),
        ("no end.edges", "a b\nb c\nc a"),
        ("aligned.txt", "  a    b \n b  c\nc\t a\n"),
        ("tabs.tsv", "a\tb\nb\tc\nc\ta\n"),
        ("commas.csv", "a,b\nb, c\n c,a\n"),
        ("titles.csv", "Source,Target\na,b\nb,c\nc,a\n"),
        ("bars.txt", "from|to\r\na|b\r\nb|c\r\nc|a\r\n"),
        ("old.txt", "a b\rb c\rc a\r"),
        ("comments.txt", "# a graph\n\n%of three\na b\n  # between\nb c\n\n\nc a\n# end"),
        ("quotes.csv", "\"a\",b\nb,\"c\"\nc,a\n"),
        ("mark.txt", "\u{feff}a b\nb c\nc a\n"),
    ] {
        let list = read(name, text, &ReadOptions::default());
        assert_eq!(names(&list), ["a", "b", "c"], "{name}");
        assert_eq!(edges(&list), expected, "{name}");
        assert!(!list.is_weighted(), "{name}");
    }
}

#[test]
fn names_are_any_words_and_weights_any_numbers() {
    let text = "\"New York, NY\",\"say \"\"hi\"\"\",2.5\nÅrhus,01,1e-3\n1,A\u{30a}rhus,0\n";
    let list = read("w.csv", text, &ReadOptions::default());
    // Names are words and no numbers, and two that look alike but are written otherwise are two.
    assert_eq!(names(&list), ["New York, NY", "say \"hi\"", "Århus", "01", "1", "A\u{30a}rhus"]);
    assert_eq!(edges(&list), [(0, 1, 2.5), (2, 3, 0.001), (4, 5, 0.0)]);
    assert!(list.is_weighted());
    assert_eq!(
        (list.nodes().number("01"), list.nodes().number("1"), list.nodes().number("2")),
        (Some(3), Some(4), None)
    );
}

#[test]
fn columns_are_chosen_by_name_and_by_number() {
    let text = "id,to,from,cost\n7,b,a,0.5\n8,c,b,2\n";
    let titles = ReadOptions { header: Some(true), ..columns(&["from", "to", "cost"]) };
    let list = read("x.csv", text, &titles);
    assert_eq!((names(&list), edges(&list)), (vec!["a", "b", "c"], vec![(0, 1, 0.5), (1, 2, 2.0)]));
    let list = read("x.csv", "7,b,a,0.5\n8,c,b,2\n", &columns(&["3", "2"]));
    assert_eq!((names(&list), edges(&list)), (vec!["a", "b", "c"], vec![(0, 1, 1.0), (1, 2, 1.0)]));
    // What would be titles is data where it is said to be.
    let data = ReadOptions { header: Some(false), ..ReadOptions::default() };
    assert_eq!(edges(&read("x.csv", "from,to\nto,from\n", &data)), [(1, 0, 1.0), (0, 1, 1.0)]);
    let dots = ReadOptions { delimiter: Some(b'.'), ..ReadOptions::default() };
    assert_eq!(names(&read("x.txt", "a b.c,d\n", &dots)), ["a b", "c,d"]);
}

#[test]
fn several_files_are_one_list_and_long_ones_keep_their_lines() {
    let (folder, first) = file("a.txt", "a b\n");
    let second = folder.path().join("b.csv");
    std::fs::write(&second, "b,c\na,c\n").expect("a file");
    let list = EdgeList::open(&[first.clone(), second.clone()], &ReadOptions::default()).expect("both are read");
    assert_eq!((names(&list), list.len()), (vec!["a", "b", "c"], 3));
    std::fs::write(&second, "b,c,2\n").expect("a file");
    let message = EdgeList::open(&[first, second], &ReadOptions::default()).expect_err("one has weights").to_string();
    assert!(message.contains("b.csv, row 1, column 1: the edge has a weight"), "{message}");

    // More than a batch of text, and more nodes than the first table of names has room for.
    let text: String = (0..200_000).map(|at| format!("{} {}\n", at, (at * 7) % 1000)).collect();
    let list = read("long.txt", &text, &ReadOptions::default());
    assert_eq!((list.len(), list.nodes().len()), (200_000, 200_000));
    let name = |number: u32| list.nodes().name(number).expect("a node").parse::<u64>().expect("a number");
    let mut named: Vec<(u64, u64)> = edges(&list).iter().map(|edge| (name(edge.0), name(edge.1))).collect();
    named.sort_unstable();
    assert!(named.into_iter().eq((0..200_000).map(|at| (at, at * 7 % 1000))));
    let message = refused("long.txt", format!("{text}1\n"), &ReadOptions::default());
    assert!(message.starts_with("long.txt, row 200001: has 1 cell, and the first line has 2"), "{message}");
}

/// Edges of which many are alike, and weights of which some are 0.
fn many_edges(count: u64) -> impl Iterator<Item = (u64, u64, f64)> {
    (0..count).map(|at| (at * 7919 % 523, at * 104_729 % 311, (at % 5) as f64 / 2.0))
}

#[test]
fn edges_beyond_the_memory_come_from_a_temporary_file_in_the_same_order() {
    let text: String = many_edges(30_000).map(|(from, to, weight)| format!("{from} {to} {weight}\n")).collect();
    let (_folder, path) = file("many.txt", &text);
    let expected = edges(&open(&path, &ReadOptions::default()).expect("it is read"));
    assert!(expected.len() == 30_000 && expected.is_sorted_by_key(|(from, to, _)| (*to, *from)));
    for memory in [100_000, 200_000, 500_000] {
        let options = ReadOptions { memory: Some(memory), ..ReadOptions::default() };
        let list = open(&path, &options).expect("it is read");
        // 16 bytes an edge are 480,000; in the least of memory there are a dozen runs.
        assert!(list.held() < memory, "{memory}: {}", list.held());
        assert_eq!(edges(&list), expected, "{memory}");
        assert_eq!(edges(&list), expected, "{memory}, again");
    }
    let both = EdgeList::open_undirected(&[path], &ReadOptions { memory: Some(150_000), ..ReadOptions::default() });
    let back = expected.iter().filter(|(from, to, _)| from != to).map(|(from, to, weight)| (*to, *from, *weight));
    let mut expected: Vec<Edge> = expected.iter().copied().chain(back).collect();
    expected.sort_unstable_by(|a, b| (a.1, a.0).cmp(&(b.1, b.0)).then(a.2.total_cmp(&b.2)));
    assert_eq!(edges(&both.expect("it is read")), expected);
}

#[test]
fn compressed_text_and_tables_of_numbers_are_read() {
    use std::io::Write;
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"5 6\n6 7\n").expect("memory takes it");
    let list = read("e.txt.gz", gz.finish().expect("it ends"), &ReadOptions::default());
    assert_eq!((names(&list), list.len()), (vec!["5", "6", "7"], 2));

    let folder = tempfile::tempdir().expect("a folder");
    let table = |rows: &ndarray::Array2<f64>| {
        let path = folder.path().join("e.npy");
        superstep::data::output::write_matrix(&path, rows).expect("it is written");
        open(&path, &ReadOptions::default()).map_err(|error| error.to_string())
    };
    let list = table(&ndarray::array![[10.0, 20.0, 0.5], [20.0, 30.0, 1.5]]).expect("it is read");
    assert_eq!((names(&list), edges(&list)), (vec!["10", "20", "30"], vec![(0, 1, 0.5), (1, 2, 1.5)]));
    for (rows, expected) in [
        (ndarray::array![[1.0, 2.0], [3.0, 4.5]], "row 1, column 1: 4.5 is no name of a node"),
        (ndarray::array![[-1.0, 2.0]], "row 0, column 0: -1 is no name"),
        (ndarray::array![[1.0, f64::NAN]], "row 0, column 1: NaN is no name"),
        (ndarray::array![[1.0, 2.0, -3.0]], "row 0, column 2: the weight -3"),
        (ndarray::array![[1.0], [2.0]], "has 1 columns"),
    ] {
        let message = table(&rows).expect_err(expected);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn broken_lists_are_refused_with_their_place() {
    for (text, expected) in [
        ("", "x.txt: there is no edge"),
        ("# nothing\n\n", "x.txt: there is no edge"),
        ("source target\n", "x.txt: there is no edge"),
        ("a\n", "x.txt, row 1: has 1 cell, and a source, a target and maybe a weight are wanted"),
        ("a b\nb\n", "x.txt, row 2: has 1 cell, and the first line has 2"),
        ("# c\na b\nb c 2\n", "x.txt, row 3: has 3 cells, and the first line has 2"),
        ("a b 1\nb c\n", "x.txt, row 2: has 2 cells, and the first line has 3"),
        ("a b 1 x\n", "x.txt, row 1: has 4 cells"),
        ("a b 1\nb c x\n", "x.txt, row 2, column 3: `x` is no number"),
        ("a b -1\n", "x.txt, row 1, column 3: the weight -1"),
        ("a b 1\na b NaN\n", "x.txt, row 2, column 3: the weight NaN"),
        ("a b inf\n", "x.txt, row 1, column 3: the weight inf"),
        ("a,b\n,b\n", "x.txt, row 2, column 1: the name of a node is missing"),
        ("a,b\na,\"\"\n", "x.txt, row 2, column 2: the name of a node is missing"),
    ] {
        let message = refused("x.txt", text, &ReadOptions::default());
        assert!(message.starts_with(expected), "{text:?}: {message}");
    }
    let message = refused("x.txt", b"a b\n\xff c\n", &ReadOptions::default());
    assert!(message.starts_with("x.txt, row 2: the line is no UTF-8"), "{message}");
    for (names, expected) in [
        (&["from", "to"][..], "has no column `from`; it has a, b"),
        (&["1"], "1 columns are named"),
        (&["1", "3"], "has no column `3`"),
        (&["0", "1"], "has no column `0`"),
    ] {
        let message = refused("x.txt", "a b\n", &columns(names));
        assert!(message.contains(expected), "{message}");
    }
    let small = ReadOptions { memory: Some(100), ..ReadOptions::default() };
    let message = refused("x.txt", "a b\n".repeat(30), &small);
    assert!(message.starts_with("memory: the names of 2 nodes take ") && message.contains("and 100 are"), "{message}");
    let missing = open(Path::new("no such file.txt"), &ReadOptions::default()).expect_err("it is missing").to_string();
    assert!(missing.contains("no such file.txt"), "{missing}");
}

#[test]
fn matrix_market_files_are_graphs_with_all_their_nodes() {
    let read = |text: &str| read("g.mtx", text, &ReadOptions::default());
    let list =
        read("%%MatrixMarket matrix coordinate real general\n% made by hand\n\n4 4 3\n3 1 0.5\n1 2 2\n2 2 1e-3\n");
    assert_eq!(names(&list), ["1", "2", "3", "4"]);
    assert_eq!(edges(&list), [(2, 0, 0.5), (0, 1, 2.0), (1, 1, 0.001)]);
    let list = read("%%MatrixMarket MATRIX Coordinate Pattern Symmetric\n3 3 2\n2 1\n3 3\n");
    assert_eq!((edges(&list), list.is_weighted()), (vec![(1, 0, 1.0), (0, 1, 1.0), (2, 2, 1.0)], false));

    for (text, expected) in [
        ("array real general\n2 2\n1\n", "row 1: is a Matrix Market file of another kind"),
        ("coordinate complex general\n2 2 1\n1 2 1 1\n", "row 1: its values are complex"),
        ("coordinate real skew-symmetric\n2 2 1\n2 1 1\n", "row 1: is skew-symmetric"),
        ("coordinate real general\n2 3 1\n1 2 1\n", "row 2: 2 rows and 3 columns"),
        ("coordinate real general\n2 2\n1 2 1\n", "row 2: does not say how many"),
        ("coordinate real general\n", "g.mtx: ends before it says how many"),
        ("coordinate real general\n2 2 2\n1 2 1\n", "g.mtx: has 1 entries and says that there are 2"),
        ("coordinate real general\n2 2 1\n1 2 1\n2 1 1\n", "g.mtx: has 2 entries and says that there are 1"),
        ("coordinate real general\n2 2 1\n1 2\n", "row 3: has 2 cells"),
        ("coordinate real general\n2 2 1\n1 3 1\n", "row 3, column 2: `3` is no number from 1 to 2"),
        ("coordinate real general\n2 2 1\n0 1 1\n", "row 3, column 1: `0` is no number from 1 to 2"),
        ("coordinate real general\n2 2 1\n1 2 -1\n", "row 3, column 3: the weight -1"),
        ("coordinate real general\n2 2 0\n", "there is no edge"),
    ] {
        let message = refused("g.mtx", format!("%%MatrixMarket matrix {text}"), &ReadOptions::default());
        assert!(message.contains(expected), "{text}: {message}");
    }
    let vast = "%%MatrixMarket matrix coordinate pattern general\n4000000000 4000000000 1\n1 2\n";
    let message = refused("g.mtx", vast, &ReadOptions { memory: Some(1 << 20), ..ReadOptions::default() });
    assert!(message.starts_with("memory: the names of "), "{message}");
}

#[test]
fn weights_of_nodes_are_read_by_their_names() {
    let list = read("e.txt", "a b\nb c\n", &ReadOptions::default());
    let weights = |text: &str| {
        let (folder, path) = file("w.csv", text);
        let read = read_node_weights(&path, list.nodes(), &ReadOptions::default());
        read.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    };
    assert_eq!(weights("c 2\na 0.5\n"), Ok(vec![0.5, 0.0, 2.0]));
    assert_eq!(weights("node,rank\nb,1\n"), Ok(vec![0.0, 1.0, 0.0]));
    assert_eq!(weights(""), Ok(vec![0.0; 3]));
    for (text, expected) in [
        ("d 1\n", "w.csv, row 1, column 1: node `d` is not in the graph"),
        ("a 1\nb 1\na 2\n", "w.csv, row 3, column 1: node `a` has a weight already, 1"),
        ("a\n", "w.csv, row 1: has 1 cell, and a node and a weight are wanted"),
        ("a -2\n", "w.csv, row 1, column 2: the weight -2"),
        ("a 1\nb x\n", "w.csv, row 2, column 2: `x` is no number"),
        ("%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 1\n", "w.csv, row 1: is a Matrix Market file"),
    ] {
        let message = weights(text).expect_err(expected);
        assert!(message.starts_with(expected), "{message}");
    }
}
