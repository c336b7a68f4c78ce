//! The power iteration, written as the loop of the paper.

use super::damp::{Damp, Distribution, RANKS, Ranks};
use super::graph::Graph;
use super::params::PageRank;
use super::ranks::PageRanks;
use crate::algorithms::sparse::{ENTRIES, MultiplySparse, PRODUCT, VECTOR};
use crate::algorithms::working::{opened, reserve};
use crate::data::RowSource;
use crate::queue::{AllReduce, IterativeComQueue, Session, Stop};
use crate::{Error, Result};
use std::time::Duration;

impl PageRank {
    /// Computes the ranks of a graph's nodes. Where the session has several ranks, all call this together, with the same graph;
    /// each computes on its share of the edges.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, the memory allowed is too small, or a device fails.
    pub fn fit(&self, graph: &Graph) -> Result<PageRanks> {
        let session = opened(self.session.as_ref())?;
        let collective = session.collective();
        collective.agree(self.check(graph))?;
        collective.same("the settings and the graph's shape", &self.fingerprint(graph))?;
        session.install(|| {
            let _working = reserve(&session, graph.matrix().held(), "ranks", working(&session, graph))?;
            self.profiled(&session, graph)
        })
    }

    /// The ranks, with the time that items took where that is asked for.
    fn profiled(&self, session: &Session, graph: &Graph) -> Result<PageRanks> {
        if !self.profile {
            return self.iterate(session, graph);
        }
        session.profile(true)?;
        let ranks = self.iterate(session, graph);
        let items = session.item_times()?;
        session.profile(false)?;
        Ok(PageRanks { items, ..ranks? })
    }

    /// Supersteps until the ranks hardly change. Each hands them on over the edges, and damps what came.
    fn iterate(&self, session: &Session, graph: &Graph) -> Result<PageRanks> {
        let nodes = graph.nodes();
        let damp = Damp {
            graph,
            damping: self.damping,
            personalization: Distribution::of(self.personalization.as_deref(), nodes),
            dangling: self.dangling.as_deref().map(|weights| Distribution::of(Some(weights), nodes)),
        };
        let start = Distribution::of(self.start.as_deref(), nodes);
        let values: Vec<f64> = (0..nodes).map(|node| start.at(node)).collect();
        let (dangling, handed_on) = (damp.dangling_of(&values), damp.handed_on(&values));
        let run = IterativeComQueue::new(session)
            .share_by_speed()
            .init_with_partitioned_data(ENTRIES, graph.matrix())
            .init_with_broadcast_data(VECTOR, handed_on)
            .init_with_broadcast_data(RANKS, Ranks { values, dangling, rounds: Vec::new() })
            .add(MultiplySparse::new(graph.matrix())?)
            .add(AllReduce::sum(PRODUCT))
            .add(damp)
            .set_compare_criterion(|cx| {
                let ranks = cx.get(RANKS)?;
                if let (Some(tell), Some(round)) = (&self.progress, ranks.rounds.last()) {
                    tell(*round);
                }
                Ok(ranks.change() < nodes as f64 * self.tol)
            })
            .set_max_iter(self.max_iter)
            .close_with(|cx| if cx.is_first_here() { cx.take(RANKS).map(Some) } else { Ok(None) })
            .run()?;
        let nothing = || Error::wiring("PageRank", RANKS.name(), "no task ran");
        let ranks = run.results.into_iter().flatten().next().ok_or_else(nothing)?;
        Ok(PageRanks { streamed: run.streamed, pin: run.pin, ..self.result(ranks, run.stop) })
    }

    fn result(&self, ranks: Ranks, stop: Stop) -> PageRanks {
        let change = ranks.change();
        let Ranks { mut values, rounds, .. } = ranks;
        // Rounding on the way leaves the sum off by some 1e-16 a round.
        let all: f64 = super::damp::sum(values.len(), |nodes| values.iter().take(nodes.end).skip(nodes.start).sum());
        values.iter_mut().for_each(|rank| *rank /= all);
        let mut warnings = Vec::new();
        if stop == Stop::MaxIter && self.tol > 0.0 {
            warnings.push(format!(
                "the ranks have not converged in {} rounds: the last changed them by {change:.1e}, and less than {:.1e} was asked \
                 for: allow more rounds, or a larger tolerance",
                self.max_iter,
                values.len() as f64 * self.tol
            ));
        }
        PageRanks {
            ranks: values,
            converged: stop == Stop::Criterion,
            interrupted: stop == Stop::Interrupted,
            trace: rounds,
            streamed: None,
            pin: Duration::ZERO,
            items: Vec::new(),
            warnings,
        }
    }
}

/// The bytes of the ranks and of what is made of them: the sums of each task, and copies while these are merged.
fn working(session: &Session, graph: &Graph) -> u64 {
    let tasks = (session.partitions() * session.devices().len()) as u64;
    (graph.nodes() as u64).saturating_mul(8 * (tasks + 6))
}
