//! The same bits for any number of threads, partitions, devices and ranks, and wherever the edges are.

use crate::support::{alone, assert_same, cpu, named, on_every_device, session, skewed_graph, together};
use crate::threads::on_ranks;
use superstep::algorithms::pagerank::Graph;
use superstep::data::{EdgeList, ReadOptions};
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{PageRank, PageRanks, Result, Session};

fn rank() -> PageRank {
    PageRank::new().tol(1e-8)
}

#[test]
fn neither_threads_nor_partitions_of_the_cpu_change_a_bit() -> Result<()> {
    // 90,000 edges are more packs than a thread takes at a time.
    let graph = skewed_graph(5000, 90_000);
    let expected = rank().session(&session(OneDevice::Cpu, 1, 1)).fit(&graph)?;
    assert!(expected.iterations() > 5);
    for (threads, partitions) in [(2, 1), (4, 1), (1, 3), (2, 5), (4, 40)] {
        let found = rank().session(&session(OneDevice::Cpu, threads, partitions)).fit(&graph)?;
        assert_same(&found, &expected, &format!("{threads} threads, {partitions} partitions"));
    }
    Ok(())
}

#[test]
fn the_order_of_the_edges_does_not_matter() -> Result<()> {
    let edges = crate::support::skewed_edges(400, 6000);
    // Weights are multiples of a quarter, so that their sums are exact in any order.
    let edges: Vec<_> = edges.into_iter().map(|(from, to, weight)| (from, to, (4.0 * weight).round() / 4.0)).collect();
    let expected = rank().session(&cpu()).fit(&Graph::weighted(400, edges.clone())?)?;
    let backwards = Graph::weighted(400, edges.into_iter().rev())?;
    assert_same(&rank().session(&cpu()).fit(&backwards)?, &expected, "backwards");
    Ok(())
}

#[test]
fn every_device_has_the_bits_of_the_processor_with_any_partitions() {
    let graph = skewed_graph(1500, 20_000);
    let expected = rank().session(&cpu()).fit(&graph).expect("the processor computes");
    on_every_device(|one, name| {
        assert_same(&rank().session(one).fit(&graph)?, &expected, name);
        assert_same(&rank().session(one).fit(&graph)?, &expected, &format!("{name}, again"));
        let device = named(name);
        for partitions in [2, 5] {
            let found = rank().session(&session(device, 2, partitions)).fit(&graph)?;
            assert_same(&found, &expected, &format!("{name}, {partitions} partitions"));
        }
        Ok(())
    });
}

#[test]
fn several_devices_have_the_bits_of_one() -> Result<()> {
    let graph = skewed_graph(900, 15_000);
    let expected = rank().session(&cpu()).fit(&graph)?;
    let _alone = alone();
    let mut sets = vec![vec![OneDevice::Cpu; 3]];
    if !adapters().is_empty() {
        sets.push(vec![OneDevice::Adapter(0); 2]);
        sets.push(vec![OneDevice::Cpu, OneDevice::Adapter(0)]);
    }
    for set in sets {
        assert_same(&rank().session(&together(set.clone())).fit(&graph)?, &expected, &format!("{set:?}"));
    }
    Ok(())
}

#[test]
fn edges_that_a_device_cannot_hold_are_streamed_with_the_same_bits() -> Result<()> {
    let graph = skewed_graph(1000, 80_000);
    let rank = rank().max_iter(4).tol(0.0);
    let expected = rank.clone().session(&cpu()).fit(&graph)?;
    assert!(expected.streamed().is_none());
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let builder = Session::builder().device(DeviceChoice::These(vec![OneDevice::Adapter(adapter)])).threads(2);
        let small = builder.device_memory(400_000).build()?;
        let streamed = rank.clone().session(&small).fit(&graph)?;
        assert!(streamed.streamed().is_some_and(|streamed| streamed.rows > 0), "gpu:{adapter}");
        assert_same(&streamed, &expected, &format!("gpu:{adapter}"));
    }
    Ok(())
}

/// Whatever is allowed, edges sorted in runs and packs in a file have the bits of those in memory.
#[test]
fn edges_that_the_memory_does_not_hold_are_streamed_from_a_file_with_the_same_bits() -> Result<()> {
    let edges = crate::support::skewed_edges(700, 60_000);
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("edges.txt");
    let text: String = edges.iter().map(|(from, to, weight)| format!("{from} {to} {weight}\n")).collect();
    std::fs::write(&path, text).expect("the test writes its files");
    let list = |memory| EdgeList::open(std::slice::from_ref(&path), &ReadOptions { memory, ..ReadOptions::default() });
    let rank = rank().max_iter(4).tol(0.0);
    let all = Graph::of_list(&list(None)?)?;
    assert!(all.notes().is_empty());
    let expected = rank.clone().session(&cpu()).fit(&all)?;
    // 60,000 edges take 960,000 bytes, of which the last case sorts half at a time, and 500,000 as packs, which it keeps.
    for (memory, is_streamed) in [(100_000, true), (400_000, true), (1_600_000, false)] {
        let graph = Graph::of_list(&list(Some(memory))?)?;
        assert_eq!((graph.edges(), graph.nodes(), graph.dangling()), (all.edges(), all.nodes(), all.dangling()));
        assert_eq!(graph.notes().len(), usize::from(is_streamed), "{memory}");
        let session =
            Session::builder().device("cpu".parse()?).threads(2).memory(if is_streamed { 500_000 } else { 1_600_000 });
        let found = rank.clone().session(&session.build()?).fit(&graph)?;
        assert_eq!(found.streamed().is_some_and(|streamed| streamed.rows > 0), is_streamed, "{memory}");
        assert_same(&found, &expected, &format!("{memory} bytes"));
        on_every_device(|session, name| {
            assert_same(&rank.clone().session(session).fit(&graph)?, &expected, &format!("{name}, {memory} bytes"));
            Ok(())
        });
    }
    Ok(())
}

fn on(size: usize, device: OneDevice, rank: &PageRank, graph: &Graph) -> PageRanks {
    let found = on_ranks(size, |collective| {
        let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(1).partitions(2);
        rank.clone().session(&builder.collective(collective).build()?).fit(graph)
    });
    let mut found: Vec<PageRanks> = found.into_iter().map(|ranks| ranks.expect("nothing fails")).collect();
    for (number, ranks) in found.iter().enumerate() {
        assert_same(ranks, &found[0], &format!("rank {number} of {size}"));
    }
    found.remove(0)
}

#[test]
fn two_and_more_ranks_find_what_one_finds() {
    // Ranks share out blocks of 4096 packs: these are three.
    let graph = skewed_graph(20_000, 1_300_000);
    let rank = rank().max_iter(3).tol(0.0);
    let one = on(1, OneDevice::Cpu, &rank, &graph);
    for size in [2, 3, 5] {
        assert_same(&on(size, OneDevice::Cpu, &rank, &graph), &one, &format!("{size} ranks"));
    }
    if !adapters().is_empty() {
        let _alone = alone();
        assert_same(&on(2, OneDevice::Adapter(0), &rank, &graph), &one, "an adapter");
    }
}

#[test]
fn ranks_refuse_another_graph_or_other_settings() {
    let session = |collective| Session::builder().device("cpu".parse()?).threads(1).collective(collective).build();
    let found = on_ranks(2, |collective| {
        let graph = skewed_graph(100 + collective.rank(), 300);
        rank().session(&session(collective)?).fit(&graph)
    });
    let weights = on_ranks(2, |collective| {
        let weights: Vec<f64> = (0..100).map(|node| f64::from(node) + collective.rank() as f64).collect();
        rank().personalization(weights).session(&session(collective)?).fit(&skewed_graph(100, 300))
    });
    for ranks in found.into_iter().chain(weights) {
        let message = ranks.expect_err("they differ").to_string();
        assert!(message.contains("settings"), "{message}");
    }
}

/// Shares begin equal, and a software adapter is slower than the processor: whether that is enough to move edges is not said.
#[test]
fn a_processor_and_an_adapter_have_the_same_bits_whatever_moves() -> Result<()> {
    let graph = skewed_graph(1500, 60_000);
    let rank = rank().tol(0.0).max_iter(60);
    let expected = rank.clone().session(&cpu()).fit(&graph)?;
    let _alone = alone();
    for adapter in 0..adapters().len() {
        let team = vec![OneDevice::Cpu, OneDevice::Adapter(adapter)];
        let team = Session::builder().device(DeviceChoice::These(team)).threads(2).tune(false).build()?;
        let found = rank.clone().session(&team).fit(&graph)?;
        println!("gpu:{adapter}: {} moves", found.moves());
        assert_same(&found, &expected, &format!("gpu:{adapter}, after {} moves", found.moves()));
    }
    Ok(())
}

#[cfg(feature = "gpu")]
#[test]
fn ranks_go_on_without_a_device_that_is_lost() -> Result<()> {
    use crate::support::{assert_told_of_a_loss, takeable};

    let graph = skewed_graph(600, 9000);
    let rank = rank().tol(0.0).max_iter(12);
    let expected = rank.clone().session(&cpu()).fit(&graph)?;
    let _alone = alone();
    for adapter in 0..adapters().len() {
        let (session, take) = takeable(adapter)?;
        let take = move |round: superstep::algorithms::pagerank::Round| {
            if round.iteration == 5 {
                take();
            }
        };
        let found = rank.clone().session(&session).progress(take).fit(&graph)?;
        assert_same(&found, &expected, &format!("gpu:{adapter}"));
        assert_told_of_a_loss(found.warnings(), &format!("gpu:{adapter}"));
    }
    Ok(())
}
