//! Against NetworkX: `tests/fixtures/make_pagerank.py` computes the expected values. And against the definition, in f64.

use crate::support::{on_every_device, skewed_graph};
use serde_json::Value;
use superstep::algorithms::pagerank::Graph;
use superstep::{PageRank, Result, Session};

struct Case(Value);

impl Case {
    fn name(&self) -> &str {
        self.0["name"].as_str().expect("a name")
    }

    fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        self.0[key].as_array().map(|values| values.iter().map(|value| value.as_f64().expect("a number")).collect())
    }

    fn graph(&self) -> Graph {
        let whole = |value: &Value| u32::try_from(value.as_u64().expect("a node")).expect("few nodes");
        let edges = self.0["edges"].as_array().expect("edges").iter();
        let edges = edges.map(|edge| (whole(&edge[0]), whole(&edge[1]), edge[2].as_f64().expect("a weight")));
        Graph::weighted(whole(&self.0["nodes"]) as usize, edges).expect("a graph")
    }

    fn settings(&self, session: &Session) -> PageRank {
        let mut rank = PageRank::new().session(session);
        if let Some(damping) = self.0["damping"].as_f64() {
            rank = rank.damping(damping);
        }
        if let Some(weights) = self.numbers("personalization") {
            rank = rank.personalization(weights);
        }
        if let Some(weights) = self.numbers("dangling") {
            rank = rank.dangling(weights);
        }
        if let Some(weights) = self.numbers("start") {
            rank = rank.start(weights);
        }
        rank
    }
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pagerank.json"));
    let Value::Array(cases) = serde_json::from_str(&text.expect("the fixture")).expect("JSON") else {
        panic!("no cases")
    };
    cases.into_iter().map(Case).collect()
}

/// The largest difference as a part of the rank itself.
fn furthest(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let off = |(found, expected): (&f64, &f64)| match *expected {
        0.0 => *found,
        expected => (found - expected).abs() / expected,
    };
    found.iter().zip(expected).map(off).fold(0.0, f64::max)
}

/// How far a rank may be off, as a part of it; and where weights have more digits than an f32.
const NEAR: f64 = 1e-13;
const NEAR_ROUNDED: f64 = 1e-7;

fn expected(case: &Case, key: &str) -> (Vec<f64>, u64) {
    let found = &case.0[key];
    let ranks = found["ranks"].as_array().expect("ranks").iter().map(|rank| rank.as_f64().expect("a rank"));
    (ranks.collect(), found["rounds"].as_u64().expect("rounds"))
}

#[test]
fn ranks_and_rounds_are_those_of_networkx() -> Result<()> {
    let cases = cases();
    assert!(cases.len() >= 20);
    on_every_device(|session, name| {
        let mut most = 0.0_f64;
        for case in &cases {
            let graph = case.graph();
            let (ranks, rounds) = expected(case, "default");
            let found = case.settings(session).fit(&graph)?;
            let near = if case.name() == "weights of all sizes" { NEAR_ROUNDED } else { NEAR };
            let off = furthest(found.ranks(), &ranks);
            assert!(off < near, "{}, {name}: off by {off}", case.name());
            assert_eq!(u64::from(found.iterations()), rounds, "{}, {name}", case.name());
            assert!(found.converged() && found.warnings().is_empty(), "{}, {name}", case.name());
            let (ranks, _) = expected(case, "tight");
            let found = case.settings(session).tol(1e-13).max_iter(2000).fit(&graph)?;
            assert!(found.converged(), "{}, {name}: {:?}", case.name(), found.trace().last());
            let off = furthest(found.ranks(), &ranks);
            assert!(off < near, "{}, {name}: off by {off}", case.name());
            assert!((found.ranks().iter().sum::<f64>() - 1.0).abs() < 1e-14, "{}, {name}", case.name());
            most = most.max(off);
        }
        println!("{name}: ranks are off by {most:.1e} of themselves at most");
        Ok(())
    });
    Ok(())
}

/// So many edges that a node's are in many packs, and packs in several pieces.
#[test]
fn a_graph_with_hubs_has_the_ranks_of_the_definition() {
    let (nodes, edges) = (3000, 90_000);
    let graph = skewed_graph(nodes, edges);
    assert!(graph.dangling() > 100, "{}", graph.dangling());
    on_every_device(|session, name| {
        let found = PageRank::new().tol(1e-15).session(session).fit(&graph)?;
        // One round more of the definition in f64 must leave the ranks as they are.
        let next = by_definition(nodes, edges, found.ranks());
        let off = furthest(found.ranks(), &next);
        assert!(found.converged() && off < NEAR_ROUNDED, "{name}: off by {off}");
        let top = found.top(3);
        assert!(top[0].0 == 0 && top[0].1 > 20.0 / nodes as f64, "{name}: {top:?}");
        Ok(())
    });
}

/// The ranks after one more round: of the same edges, in f64, one after the other.
fn by_definition(nodes: usize, edges: usize, ranks: &[f64]) -> Vec<f64> {
    let edges = crate::support::skewed_edges(nodes, edges);
    let mut out = vec![0.0; nodes];
    edges.iter().for_each(|(from, _, weight)| out[*from as usize] += weight);
    let dangling: f64 = (0..nodes).filter(|node| out[*node] == 0.0).map(|node| ranks[node]).sum();
    let mut next = vec![(0.85 * dangling + 0.15) / nodes as f64; nodes];
    for (from, to, weight) in edges {
        next[to as usize] += 0.85 * ranks[from as usize] * weight / out[from as usize];
    }
    next
}

#[test]
fn the_highest_ranks_come_first_and_of_equal_ones_the_lowest_number() -> Result<()> {
    let graph = Graph::new(5, [(0, 3), (1, 3), (2, 3), (4, 3)])?;
    let ranks = PageRank::new().session(&crate::support::cpu()).fit(&graph)?;
    let nodes = |count| ranks.top(count).iter().map(|(node, _)| *node).collect::<Vec<_>>();
    assert_eq!(nodes(3), [3, 0, 1]);
    assert_eq!(nodes(100), [3, 0, 1, 2, 4]);
    assert!(nodes(0).is_empty());
    Ok(())
}

#[test]
fn edges_add_up_and_those_of_weight_0_are_none() -> Result<()> {
    let session = crate::support::cpu();
    let rank = PageRank::new().session(&session);
    let one = Graph::weighted(3, [(0, 1, 3.0), (0, 2, 1.0), (1, 0, 2.5)])?;
    let many = Graph::weighted(3, [(1, 0, 2.5), (0, 1, 1.0), (0, 2, 1.0), (0, 1, 2.0), (2, 1, 0.0)])?;
    assert_eq!((many.edges(), many.dangling()), (4, 1));
    let off = furthest(rank.fit(&many)?.ranks(), rank.fit(&one)?.ranks());
    assert!(off < 1e-15, "{off}");
    // A surfer takes an edge in proportion to its weight: the unit does not matter, though it be the smallest there is.
    let tiny = 2.0_f64.powi(-1022) / 4096.0;
    let scaled = Graph::weighted(3, [(0, 1, 3.0 * tiny), (0, 2, tiny), (1, 0, 2.5 * 2.0_f64.powi(1000))])?;
    crate::support::assert_same(&rank.fit(&scaled)?, &rank.fit(&one)?, "in other units");
    Ok(())
}

#[test]
fn rounds_are_counted_told_and_limited() -> Result<()> {
    let graph = skewed_graph(100, 700);
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let to = told.clone();
    let rank = PageRank::new().session(&crate::support::cpu()).tol(0.0).max_iter(7);
    let ranks = rank.progress(move |round| to.lock().expect("no test panics here").push(round)).fit(&graph)?;
    assert_eq!((ranks.iterations(), ranks.converged()), (7, false));
    assert!(ranks.warnings().is_empty(), "so many rounds were asked for");
    assert_eq!(*told.lock().expect("no test panics here"), ranks.trace());
    assert!(ranks.trace().windows(2).all(|pair| pair[1].change < pair[0].change), "{:?}", ranks.trace());
    let few = PageRank::new().session(&crate::support::cpu()).max_iter(2).tol(1e-9).fit(&graph)?;
    assert!(!few.converged() && few.warnings()[0].contains("not converged in 2 rounds"), "{:?}", few.warnings());
    Ok(())
}

#[test]
fn all_that_there_is_may_move_in_every_round() {
    on_every_device(|session, name| {
        let graph = Graph::new(2, [(0, 1), (1, 0)])?;
        let rank = PageRank::new().damping(1.0).start([1.0, 0.0]).max_iter(3).session(session);
        let found = rank.fit(&graph)?;
        assert_eq!(found.ranks(), [0.0, 1.0], "{name}");
        assert!(found.trace().iter().all(|round| round.change == 2.0), "{name}: {:?}", found.trace());
        // One of two nodes has no edges, and what it has is lost to the other.
        let graph = Graph::new(2, [(0, 1)])?;
        let found = PageRank::new()
            .damping(1.0)
            .dangling([1.0, 0.0])
            .start([0.0, 1.0])
            .max_iter(1)
            .session(session)
            .fit(&graph)?;
        assert_eq!((found.ranks(), found.trace()[0].dangling), (&[1.0, 0.0][..], 1.0), "{name}");
        Ok(())
    });
}
