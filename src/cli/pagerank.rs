//! `superstep pagerank`: reads a graph, ranks its nodes, writes what was asked for.

use super::Ended;
use super::args::PageRankArgs;
use super::failure::Failure;
use super::job::{Asked, Job, ended};
use super::outputs::{Outputs, given};
use crate::report::number::{counted, scaled};
use crate::report::{Head, PageRankReport, Seconds};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use superstep::algorithms::pagerank::Graph;
use superstep::collective::Collective;
use superstep::data::{EdgeList, Nodes, ReadOptions, output, read_node_weights};
use superstep::{PageRank, PageRanks, Result};

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &PageRankArgs, ranks: &Arc<dyn Collective>) -> Result<Ended, Failure> {
    let PageRankArgs { compute, report, .. } = args;
    let input = args.input();
    let beside = [args.personalization.as_ref(), args.dangling.as_ref(), args.start.as_ref()];
    let asked = Asked { input: &input, beside: &beside, compute, report };
    let mut job = Job::start(asked, &outputs(args), ranks)?;
    let (graph, list, settings) = job.load_as(|files, options| {
        let open = if args.undirected { EdgeList::open_undirected } else { EdgeList::open };
        let list = open(files, options)?;
        let settings = settings(args, list.nodes())?;
        Ok((Graph::of_list(&list)?, Named::of(list), settings))
    })?;
    graph.notes().iter().for_each(|note| job.reporter().warn(note));
    if !job.goes_on()? {
        return Ok(Ended::Interrupted);
    }
    let (reporter, clock, max_iter, edges) = (job.reporter().clone(), Instant::now(), args.max_iter, graph.edges());
    let rank = settings.session(job.session()).profile(report.profile).progress(move |round| {
        let speed = edges as f64 * f64::from(round.iteration) / clock.elapsed().as_secs_f64().max(1e-9);
        let detail = format!("change {:.1e}, {}", round.change, scaled(speed, "edges/s"));
        reporter.show("round", Some((u64::from(round.iteration), u64::from(max_iter))), detail);
    });
    let clock = Instant::now();
    let found = rank.fit(&graph)?;
    let iterate = clock.elapsed().saturating_sub(found.pin()).as_secs_f64();
    let told = |head: Head| told(args, &graph, &list, &found, head, iterate);
    let page = told(job.head());
    job.write(found.warnings(), |ranks| {
        super::ranks::once(ranks, || write_results(args, &list.nodes, &found, &page.page(&input.names())))
    })?;
    let report = told(job.head());
    let settings = settings_in_words(args, &list, &job);
    job.print(|| report.json(), |data| report.summary(data, &settings))?;
    Ok(ended(found.interrupted()))
}

/// What is kept of a list of edges once its graph is made.
struct Named {
    nodes: Nodes,
    is_weighted: bool,
}

impl Named {
    fn of(list: EdgeList) -> Self {
        let is_weighted = list.is_weighted();
        Self { nodes: list.into_nodes(), is_weighted }
    }
}

fn outputs(args: &PageRankArgs) -> Outputs<'_> {
    Outputs { tables: given([("--output", &args.output)]), page: args.page.as_deref(), ..Outputs::default() }
}

/// The settings, with the weights of nodes that files give.
fn settings(args: &PageRankArgs, nodes: &Nodes) -> Result<PageRank> {
    let rank = PageRank::new().damping(args.damping).tol(args.tol).max_iter(args.max_iter);
    let weights = |path: &Option<PathBuf>| {
        path.as_ref().map(|path| read_node_weights(path, nodes, &ReadOptions::default())).transpose()
    };
    let [personalization, dangling, start] =
        [weights(&args.personalization)?, weights(&args.dangling)?, weights(&args.start)?];
    let rank = personalization.map_or(rank.clone(), |weights| rank.personalization(weights));
    let rank = dangling.map_or(rank.clone(), |weights| rank.dangling(weights));
    Ok(start.map_or(rank.clone(), |weights| rank.start(weights)))
}

fn write_results(args: &PageRankArgs, nodes: &Nodes, found: &PageRanks, page: &str) -> Result<()> {
    if let Some(path) = &args.output {
        output::write_named(path, ["node", "rank"], nodes.names(), found.ranks())?;
    }
    let write = |path: &PathBuf| output::write_whole(path, |to| to.write_all(page.as_bytes()));
    args.page.as_ref().map_or(Ok(()), write)
}

fn told(
    args: &PageRankArgs,
    graph: &Graph,
    list: &Named,
    found: &PageRanks,
    head: Head,
    iterate: f64,
) -> PageRankReport {
    let seconds = Seconds { pin: found.pin().as_secs_f64(), iterate, ..head.seconds };
    let name = |node: usize| u32::try_from(node).ok().and_then(|node| list.nodes.name(node)).unwrap_or_default();
    PageRankReport {
        head: Head {
            n: graph.nodes() as u64,
            edges: Some(graph.edges()),
            iterations: found.iterations(),
            converged: found.converged(),
            interrupted: found.interrupted(),
            seconds,
            seconds_per_iteration: seconds.each_of(found.iterations()),
            streamed: found.streamed().copied(),
            moves: found.moves(),
            ..head
        },
        damping: args.damping,
        dangling: graph.dangling() as u64,
        top: found.top(args.top).into_iter().map(|(node, rank)| (name(node).to_owned(), rank)).collect(),
        trace: found.trace().to_vec(),
        items: found.items().to_vec(),
    }
}

/// What the run was asked for: what matters always, the rest where it is not the default.
fn settings_in_words(args: &PageRankArgs, list: &Named, job: &Job) -> String {
    let words = [
        format!("damping {}", args.damping),
        format!("tol {}", args.tol),
        format!("at most {}", counted(u64::from(args.max_iter), "iteration")),
    ];
    let file = |what: &str, path: &Option<PathBuf>| path.as_ref().map(|path| format!("{what} {}", path.display()));
    let others = [
        list.is_weighted.then(|| "weighted".to_owned()),
        args.undirected.then(|| "undirected".to_owned()),
        file("personalization", &args.personalization),
        file("dangling", &args.dangling),
        file("start", &args.start),
    ];
    job.settings_in_words(&words, &others.into_iter().flatten().collect::<Vec<_>>())
}
