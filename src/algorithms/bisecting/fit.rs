//! Fitting: the loop of the paper, split by split.

use super::model::{BisectingKMeansModel, leaves};
use super::params::BisectingKMeans;
use super::progress::Progress;
use super::rows::Members;
use super::tree::{Leaf, Split, Tree};
use crate::Result;
use crate::algorithms::kmeans::{KMeans, KMeansModel, Metric, Timings};
use crate::algorithms::working::opened;
use crate::data::{Dataset, RowSet, RowSource, Subset};
use crate::queue::{Session, Streamed};
use std::time::{Duration, Instant};

/// What the splits came to together.
#[derive(Default)]
struct Account {
    timings: Timings,
    streamed: Option<Streamed>,
    interrupted: bool,
}

/// A cluster that was parted, or was not: the rows (`None`: all), and what parts them.
struct Parted {
    rows: Option<RowSet>,
    model: KMeansModel,
}

impl BisectingKMeans {
    /// Fits the rows of an n × d table: an `ndarray` array or view of f32 or f64 in any layout, or any other source of
    /// rows.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, a value is not a finite number (with its row and column), there are fewer rows
    /// than clusters, or a device fails.
    pub fn fit(&self, rows: &(impl RowSource + ?Sized)) -> Result<BisectingKMeansModel> {
        let (session, clock) = (opened(self.session.as_ref())?, Instant::now());
        let dataset = session.install(|| self.kmeans(1, &session).dataset(rows))?;
        self.fit_measured(&session, &dataset, clock.elapsed())
    }

    /// Fits a data set that was prepared, and maybe given weights, beforehand.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_dataset(&self, dataset: &Dataset) -> Result<BisectingKMeansModel> {
        self.fit_measured(&opened(self.session.as_ref())?, dataset, Duration::ZERO)
    }

    /// Measures and checks a table, as [`KMeans::dataset`].
    ///
    /// # Errors
    /// When a value is not a finite number or there is none.
    pub fn dataset<'a>(&self, rows: &'a (impl RowSource + ?Sized)) -> Result<Dataset<'a>> {
        let kmeans = KMeans::new(1).metric(self.metric);
        self.session.as_ref().map_or(kmeans.clone(), |session| kmeans.session(session)).dataset(rows)
    }

    fn fit_measured(&self, session: &Session, dataset: &Dataset, measured: Duration) -> Result<BisectingKMeansModel> {
        let collective = &**session.collective();
        collective.agree(self.check(session, dataset.rows(), dataset.columns()))?;
        let settings = format!("{}, {}", self.kmeans(self.k, session).fingerprint(dataset), self.strategy);
        collective.same("the settings and the data's shape", &settings)?;
        let mut members = Members::new(collective, session.memory(), dataset.rows(), dataset.share())?;
        let mut tree = Tree::new(dataset.rows());
        let mut account = Account::default();
        account.timings.pin = measured;
        while tree.leaves.len() < self.k && !account.interrupted {
            let Some(at) = tree.next(self.strategy) else { break };
            let parted = session.install(|| self.part(session, dataset, &members, &tree, &tree.leaves[at]))?;
            let Some(Parted { rows, mut model }) = parted else {
                tree.leave(at);
                continue;
            };
            account.add(&model);
            let labels = model.take_labels();
            if model.cluster_sizes().contains(&0) {
                tree.leave(at);
                continue;
            }
            session.install(|| members.part(rows.as_ref(), &labels, tree.next_nodes()))?;
            tree.split(at, model);
        }
        if tree.splits.is_empty() {
            return self.unparted(session, dataset, account);
        }
        let labels = session.install(|| members.into_labels(&tree.clusters_of_nodes()));
        self.finished(tree, dataset, labels, account)
    }

    /// A 2-means of the rows of a leaf; `None` where fewer than two of them weigh anything.
    fn part(
        &self,
        session: &Session,
        dataset: &Dataset,
        members: &Members,
        tree: &Tree,
        leaf: &Leaf,
    ) -> Result<Option<Parted>> {
        let split = tree.splits.len();
        let seed = self.seed.wrapping_add((split as u64).wrapping_mul(self.n_init as u64));
        let mut kmeans = self.kmeans(2, session).seed(seed);
        if let Some(tell) = self.progress.clone() {
            let (split, splits, rows) = (split + 1, self.k - 1, leaf.rows);
            kmeans = kmeans.progress(move |step| tell(Progress { split, splits, rows, step }));
        }
        let weights = dataset.weights();
        if leaf.node == 0 {
            if weights.map_or(Ok(2), |weights| members.weighty(weights))? < 2 {
                return Ok(None);
            }
            return Ok(Some(Parted { rows: None, model: kmeans.fit_dataset(dataset)? }));
        }
        let rows = members.of(leaf.node)?;
        // They are held three times: as they travel, in order, and those of this rank's share.
        let bytes = weights.map_or(0, |_| rows.len().saturating_mul(3 * size_of::<f32>() as u64));
        let _room = session.collective().agree(session.memory().reserve("weights", bytes))?;
        let weights = weights.map(|weights| members.weights(&rows, weights)).transpose()?;
        if weights.as_ref().is_some_and(|weights| weights.iter().filter(|weight| **weight > 0.0).count() < 2) {
            return Ok(None);
        }
        let clock = Instant::now();
        let subset = Subset::new(dataset.source(), &rows)?;
        let mut part = kmeans.dataset(&subset)?;
        if let Some(weights) = weights {
            part = session.collective().agree(part.with_weights(weights))?;
        }
        let measured = clock.elapsed();
        let mut model = kmeans.fit_dataset(&part)?;
        model.add_pin(measured);
        drop(part);
        Ok(Some(Parted { rows: Some(rows), model }))
    }

    /// The model of one cluster of all rows: what was asked for, or all that they allow.
    fn unparted(&self, session: &Session, dataset: &Dataset, mut account: Account) -> Result<BisectingKMeansModel> {
        let mut model = self.kmeans(1, session).fit_dataset(dataset)?;
        account.add(&model);
        let labels = model.take_labels();
        let (sizes, inertias) = (model.cluster_sizes().to_vec(), model.cluster_inertias().to_vec());
        let leaves = leaves(self.facts(dataset), model.centroids().clone(), dataset.origin(), sizes, inertias)?;
        self.model(leaves, Vec::new(), labels, (model.iterations(), model.converged()), account)
    }

    fn finished(
        &self,
        tree: Tree,
        dataset: &Dataset,
        labels: Vec<u32>,
        account: Account,
    ) -> Result<BisectingKMeansModel> {
        let sizes = tree.leaves.iter().map(|leaf| leaf.rows).collect();
        let inertias = tree.leaves.iter().map(|leaf| leaf.inertia.unwrap_or(0.0)).collect();
        let leaves = leaves(self.facts(dataset), tree.centroids(), dataset.origin(), sizes, inertias)?;
        let iterations = tree.splits.iter().map(Split::iterations).sum();
        let converged = tree.splits.iter().all(Split::converged);
        self.model(leaves, tree.splits, labels, (iterations, converged), account)
    }

    fn facts(&self, dataset: &Dataset) -> (Metric, u64, u64) {
        (self.metric, self.seed, dataset.rows())
    }

    fn model(
        &self,
        leaves: KMeansModel,
        splits: Vec<Split>,
        labels: Vec<u32>,
        (iterations, converged): (u32, bool),
        Account { timings, streamed, interrupted }: Account,
    ) -> Result<BisectingKMeansModel> {
        let found = leaves.k();
        let mut warnings = Vec::new();
        if found < self.k && !interrupted {
            warnings.push(format!(
                "number of distinct clusters ({found}) found smaller than n_clusters ({}): possibly due to duplicate \
                 points",
                self.k
            ));
        }
        let strategy = self.strategy;
        Ok(BisectingKMeansModel {
            strategy,
            leaves,
            splits,
            labels,
            iterations,
            converged,
            interrupted,
            timings,
            streamed,
            warnings,
        })
    }
}

impl Account {
    fn add(&mut self, model: &KMeansModel) {
        let Timings { pin, init, iterate } = model.timings();
        self.timings.pin += pin;
        self.timings.init += init;
        self.timings.iterate += iterate;
        self.interrupted |= model.interrupted();
        self.streamed = match (self.streamed, model.streamed()) {
            (Some(all), Some(more)) => Some(Streamed {
                rows: all.rows.max(more.rows),
                of_rows: all.of_rows.max(more.of_rows),
                bytes: all.bytes + more.bytes,
                reading: all.reading + more.reading,
                readers: all.readers.max(more.readers),
                rounds: all.rounds + more.rounds,
            }),
            (all, more) => all.or(more),
        };
    }
}
