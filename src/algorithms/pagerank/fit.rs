//! The power iteration, written as the loop of the paper.

use super::damp::{AGAIN, Damp, INVERSE, Keep, LEADS, RANKS, ROUNDS, Rounds, distribution, inverse};
use super::graph::Graph;
use super::params::PageRank;
use super::ranks::PageRanks;
use crate::algorithms::sparse::{ENTRIES, MultiplySparse, PRODUCT, VECTOR};
use crate::algorithms::working::{opened, profiled, reserve};
use crate::backend::cpu::{RANK_UNITS, rank_product};
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
            let (ranks, items) = profiled(&session, self.profile, || self.iterate(&session, graph))?;
            Ok(PageRanks { items, ..ranks })
        })
    }

    /// Supersteps until the ranks hardly change. Each hands them on over the edges, and damps what came.
    fn iterate(&self, session: &Session, graph: &Graph) -> Result<PageRanks> {
        let (nodes, inverse) = (graph.nodes(), inverse(graph));
        let again = self.personalization.as_deref();
        let leads = self.dangling.as_deref().or(again);
        let ranks = self.begin(nodes);
        let handed_on = ranks.iter().zip(&inverse).map(|(rank, inverse)| rank_product(*rank, *inverse)).collect();
        let damp = Damp {
            nodes,
            damping: (self.damping * RANK_UNITS as f64) as i64,
            each: [again, leads].map(|weights| weights.is_some()),
        };
        let run = IterativeComQueue::new(session)
            .share_by_speed()
            .goes_on_from((VECTOR, RANKS, ROUNDS))
            .init_with_partitioned_data(ENTRIES, graph.matrix())
            .init_with_broadcast_data(VECTOR, handed_on)
            .init_with_broadcast_data(RANKS, ranks)
            .init_with_broadcast_data(INVERSE, inverse)
            .init_with_broadcast_data(AGAIN, distribution(again, nodes, 1.0 - self.damping))
            .init_with_broadcast_data(LEADS, distribution(leads, nodes, self.damping))
            .init_with_broadcast_data(ROUNDS, Rounds::default())
            .add(MultiplySparse::new(graph.matrix())?)
            .add(AllReduce::sum(PRODUCT))
            .add(damp)
            .add(Keep)
            .set_compare_criterion(|cx| {
                let rounds = cx.get(ROUNDS)?;
                if let (Some(tell), Some(round)) = (&self.progress, rounds.0.last()) {
                    tell(*round);
                }
                Ok(rounds.change() < nodes as f64 * self.tol)
            })
            .set_max_iter(self.max_iter)
            .close_with(|cx| if cx.is_first_here() { Ok(Some((cx.take(RANKS)?, cx.take(ROUNDS)?))) } else { Ok(None) })
            .run()?;
        let nothing = || Error::wiring("PageRank", RANKS.name(), "no task ran");
        let (ranks, rounds) = run.results.into_iter().flatten().next().ok_or_else(nothing)?;
        let (streamed, moves, pin) = (run.streamed, run.moves, run.pin);
        let found = self.result(&ranks, rounds, run.stop);
        let warnings = run.warnings.into_iter().chain(found.warnings).collect();
        Ok(PageRanks { streamed, moves, pin, warnings, ..found })
    }

    /// The ranks to begin with.
    fn begin(&self, nodes: usize) -> Vec<i64> {
        let mut start = distribution(self.start.as_deref(), nodes, 1.0);
        let each = start.first().copied().unwrap_or(0);
        start.resize(nodes, each);
        start
    }

    fn result(&self, ranks: &[i64], rounds: Rounds, stop: Stop) -> PageRanks {
        // Rounding leaves the sum off by half a unit a node and round.
        let all = ranks.iter().sum::<i64>() as f64;
        let mut warnings = Vec::new();
        if stop == Stop::MaxIter && self.tol > 0.0 {
            warnings.push(format!(
                "the ranks have not converged in {} rounds: the last changed them by {:.1e}, and less than {:.1e} was asked \
                 for: allow more rounds, or a larger tolerance",
                self.max_iter,
                rounds.change(),
                ranks.len() as f64 * self.tol
            ));
        }
        PageRanks {
            ranks: ranks.iter().map(|rank| *rank as f64 / all).collect(),
            converged: stop == Stop::Criterion,
            interrupted: stop == Stop::Interrupted,
            trace: rounds.0,
            streamed: None,
            moves: 0,
            pin: Duration::ZERO,
            items: Vec::new(),
            warnings,
        }
    }
}

/// The bytes of the ranks and of what is made of them: the sums of each task, and copies while these are merged.
fn working(session: &Session, graph: &Graph) -> u64 {
    let tasks = (session.partitions() * session.devices().len()) as u64;
    (graph.nodes() as u64).saturating_mul(8 * (tasks + 8))
}
