//! `superstep pagerank`.

use super::{Folder, parse_npy};
use serde_json::Value;

/// The graph of NetworkX's own test of PageRank (Langville and Meyer), whose node 2 has no edges away.
const EDGES: &str = "1 2\n1 3\n3 1\n3 2\n3 5\n4 5\n4 6\n5 4\n5 6\n6 4\n";
/// Its nodes in the order in which they come.
const NODES: [&str; 6] = ["1", "2", "3", "5", "4", "6"];

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("edges.txt", EDGES);
    folder
}

/// The ranks that a file has, by the names of the nodes.
fn ranks(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().skip(1).map(|line| line.rsplit_once(',').expect("a name and a rank"));
    lines.map(|(name, rank)| (name.to_owned(), rank.parse().expect("a number"))).collect()
}

#[test]
fn ranks_are_written_with_the_names_of_their_nodes() {
    let folder = folder();
    let line = "pagerank edges.txt --damping 0.9 --tol 1e-8 --device cpu --output ranks.csv --report page.html --top 2";
    let json = folder.json(line);
    let text = folder.read("ranks.csv");
    assert!(text.starts_with("node,rank\n1,0.037"), "{text}");
    let (found, expected) = (ranks(&text), by_definition());
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), NODES);
    for ((name, rank), expected) in found.iter().zip(&expected) {
        assert!((rank - expected).abs() < 1e-7, "{name}: {rank}, not {expected}");
    }
    let shape = ["n", "edges", "dangling"].map(|key| json[key].as_u64().expect("a number"));
    assert_eq!((shape, json["converged"].as_bool()), ([6, 10, 1], Some(true)));
    assert_eq!(json["top"].as_array().map(Vec::len), Some(2));
    let highest = expected.iter().zip(NODES).fold((&0.0, ""), |most, one| if one.0 > most.0 { one } else { most });
    assert_eq!(json["top"][0]["node"], highest.1);
    let trace = json["trace"].as_array().expect("a trace");
    assert_eq!(trace.len() as u64, json["iterations"].as_u64().expect("a number"));
    assert_eq!(trace.last().map(|round| &round["change"]), Some(&json["change"]));
    let page = folder.read("page.html");
    assert!(page.contains("<svg") && page.contains("6 nodes, 10 edges"), "{page}");
    let told = folder.done("pagerank edges.txt --device cpu --quiet");
    for text in ["6 nodes, 10 edges", "damping 0.85", "converged", "1 node without an edge away"] {
        assert!(told.stdout.contains(text), "{text}: {}", told.stdout);
    }
    assert_eq!(told.stderr, "");
    let told = folder.done("pagerank edges.txt --device cpu --top 0");
    assert!(told.stderr.contains("change") && told.stderr.contains("edges/s"), "{}", told.stderr);
}

/// The ranks of the nodes for a damping of 0.9, by 400 rounds of the definition.
fn by_definition() -> Vec<f64> {
    let at = |name: &str| NODES.iter().position(|other| *other == name).expect("a node");
    let ends = EDGES.lines().map(|line| line.split_once(' ').expect("two nodes"));
    let edges: Vec<(usize, usize)> = ends.map(|(from, to)| (at(from), at(to))).collect();
    let out = |node: usize| edges.iter().filter(|(from, _)| *from == node).count() as f64;
    let mut ranks = vec![1.0 / 6.0; 6];
    for _ in 0..400 {
        let lost: f64 = (0..6).filter(|node| out(*node) == 0.0).map(|node| ranks[node]).sum();
        let mut next = vec![(0.9 * lost + 0.1) / 6.0; 6];
        edges.iter().for_each(|(from, to)| next[*to] += 0.9 * ranks[*from] / out(*from));
        ranks = next;
    }
    ranks
}

#[test]
fn arrays_hold_the_ranks_in_the_order_of_the_nodes_and_devices_agree() {
    let folder = folder();
    folder.done("pagerank edges.txt --device cpu --output ranks.npy --quiet");
    folder.done("pagerank edges.txt --device cpu --threads 1 --output ranks.csv --quiet");
    let (header, bytes) = parse_npy(&folder.path("ranks.npy"));
    assert!(header.contains("'<f8'") && header.contains("(6,)"), "{header}");
    let values: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let written: Vec<f64> = ranks(&folder.read("ranks.csv")).into_iter().map(|(_, rank)| rank).collect();
    assert_eq!(values, written);
    if folder.run("pagerank edges.txt --device gpu --output gpu.csv --quiet").status == Some(0) {
        assert_eq!(folder.read("gpu.csv"), folder.read("ranks.csv"), "the same digits on a device");
    }
}

#[test]
fn ranks_that_were_written_are_a_start_and_files_give_weights_to_nodes() {
    let folder = folder();
    folder.write("again.txt", "# where to\n3 1\n6 3\n").write("lost.csv", "node,weight\n1,2\n");
    folder.done("pagerank edges.txt --device cpu --tol 1e-12 --output ranks.csv --quiet");
    let again = folder.json("pagerank edges.txt --device cpu --tol 1e-9 --start ranks.csv");
    assert_eq!(again["iterations"], 1);
    let line = "pagerank edges.txt --device cpu --personalization again.txt --dangling lost.csv --output own.csv";
    let json = folder.json(line);
    assert_ne!(folder.read("own.csv"), folder.read("ranks.csv"));
    assert_eq!(json["converged"], Value::Bool(true));
    let told = folder.done("pagerank edges.txt --device cpu --personalization again.txt --max-iter 1");
    assert!(told.stdout.contains("personalization again.txt"), "{}", told.stdout);
    assert!(told.stderr.contains("have not converged in 1 round"), "{}", told.stderr);
}

#[test]
fn edges_go_both_ways_where_they_are_asked_to_and_columns_are_chosen() {
    let folder = folder();
    folder.write("table.csv", "id,what,to,from\n1,x,b,a\n2,x,b,b\n").write("both.csv", "a,b\nb,a\nb,b\n");
    let line = "pagerank table.csv --header yes --columns from,to --undirected --device cpu --quiet --output one.csv";
    assert_eq!(folder.json(line)["edges"], 3);
    folder.done("pagerank both.csv --device cpu --quiet --output two.csv");
    assert_eq!(folder.read("one.csv"), folder.read("two.csv"));
    let weighted = folder.write("w.txt", "a b 2\na c 1\n").done("pagerank w.txt --device cpu --quiet");
    assert!(weighted.stdout.contains("weighted"), "{}", weighted.stdout);
    let profiled = folder.json("pagerank edges.txt --device cpu --profile");
    assert!(profiled["items"].as_array().is_some_and(|items| items.len() >= 2), "{profiled}");
}

#[test]
fn a_graph_that_the_memory_does_not_hold_is_streamed_with_the_same_ranks() {
    let folder = Folder::new();
    let edge = |at: u64| format!("n{} n{}\n", at * 7919 % 1009, at * at % 997);
    folder.write("many.txt", (0..100_000).map(edge).collect::<String>());
    let all = folder.json("pagerank many.txt --device cpu --tol 1e-9 --output all.csv");
    assert!(all["streamed"].is_null(), "{all}");
    let ran = folder.done("pagerank many.txt --device cpu --tol 1e-9 --output few.csv --memory 1M --json");
    assert!(ran.stderr.contains("of sparse rows do not fit the memory allowed"), "{}", ran.stderr);
    let few: Value = serde_json::from_str(&ran.stdout).expect("an object");
    assert!(few["streamed"]["rows"].as_u64() > Some(0), "{few}");
    assert_eq!(folder.read("few.csv"), folder.read("all.csv"));
}

#[test]
fn mistakes_are_told() {
    let folder = folder();
    folder.write("bad.txt", "a b\nb\n").write("negative.txt", "a b 1\nb c -2\n").write("none.txt", "# none\n");
    folder.write("other.txt", "9 1\n").write("zero.txt", "1 0\n");
    for (line, status, words) in [
        ("pagerank", 2, "<EDGES>"),
        ("pagerank edges.txt --damping 1.5", 2, "from 0 to 1"),
        ("pagerank edges.txt --damping -1", 2, "from 0 to 1"),
        ("pagerank edges.txt --tol -1", 2, "0 or more"),
        ("pagerank edges.txt --max-iter 0", 2, "1 or more"),
        ("pagerank edges.txt --output ranks.xyz", 2, "--output: ranks.xyz"),
        ("pagerank edges.txt --output no/ranks.csv", 2, "the folder no does not exist"),
        ("pagerank other.txt --start edges.txt --output edges.txt", 2, "--output"),
        ("pagerank edges.txt --start other.csv --output other.csv", 2, "other.csv"),
        ("pagerank missing.txt --device cpu", 1, "missing.txt"),
        ("pagerank bad.txt --device cpu", 1, "bad.txt, row 2: has 1 cell"),
        ("pagerank negative.txt --device cpu", 1, "negative.txt, row 2, column 3: the weight -2"),
        ("pagerank none.txt --device cpu", 1, "none.txt: there is no edge"),
        ("pagerank edges.txt --personalization other.txt --device cpu", 1, "other.txt, row 1, column 1: node `9`"),
        (
            "pagerank edges.txt --personalization zero.txt --device cpu",
            1,
            "--personalization: the weights of all nodes add up to 0",
        ),
        ("pagerank edges.txt --dangling bad.txt --device cpu", 1, "bad.txt, row 1"),
        ("pagerank edges.txt --device cpu --memory 100", 1, "--memory"),
    ] {
        let ran = folder.run(line);
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{line}");
    }
}
