//! Fitting: the queue of expectation and maximisation, written as the loop of the paper.

use super::expect::{ExpectDiagonal, ExpectFull, OFFSETS};
use super::maximise::{Maximise, STATE, State};
use super::mixture::{CovarianceType, Mixture};
use super::model::GaussianMixtureModel;
use super::params::GaussianMixture;
use super::progress::{Progress, Round};
use super::step::{Space, Step};
use crate::algorithms::centred::Centred;
use crate::algorithms::kmeans::{KMeans, Timings};
use crate::algorithms::measured::measured;
use crate::algorithms::products::{BIAS, COLUMN_EXPONENTS, MATRIX, POINTS, SUMS, VALUE_EXPONENTS};
use crate::algorithms::working::{opened, profiled, reserve};
use crate::backend::cpu::PRODUCT_BLOCK;
use crate::data::{Dataset, Origin, RowSource};
use crate::queue::{AllReduce, ItemTime, IterativeComQueue, Run, Session, Stop};
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// What a start has come to, in the space of the kernels.
struct Outcome {
    mixture: Mixture,
    rounds: Vec<Round>,
    items: Vec<ItemTime>,
    run: Run<Option<State>>,
}

/// What all starts took together.
#[derive(Default)]
struct Account {
    timings: Timings,
    passes: u32,
}

impl Outcome {
    fn lower_bound(&self) -> f64 {
        self.rounds.last().map_or(f64::NEG_INFINITY, |round| round.lower_bound)
    }
}

impl GaussianMixture {
    /// Fits the rows of an n × d table: an `ndarray` array or view of f32 or f64 in any layout, or any other source of rows.
    ///
    /// # Errors
    /// When a setting cannot be obeyed, a value is not a finite number (with its row and column), there are fewer rows
    /// than components, a component collapses and `reg_covar` does not hold it, or a device fails.
    pub fn fit(&self, rows: &(impl RowSource + ?Sized)) -> Result<GaussianMixtureModel> {
        let (session, clock) = (opened(self.session.as_ref())?, Instant::now());
        let dataset = session.install(|| measured(rows, Some(&session), Origin::Chosen))?;
        self.fit_measured(&session, &dataset, clock.elapsed())
    }

    /// Fits a data set that was measured beforehand. Where its origin lies does not matter: rows are centred on their means.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); when its rows have weights.
    pub fn fit_dataset(&self, dataset: &Dataset) -> Result<GaussianMixtureModel> {
        self.fit_measured(&opened(self.session.as_ref())?, dataset, Duration::ZERO)
    }

    /// Measures and checks a table. Where the session has several ranks, each reads its share of the rows, and all call this
    /// together.
    ///
    /// # Errors
    /// When a value is not a finite number or there is none.
    pub fn dataset<'a>(&self, rows: &'a (impl RowSource + ?Sized)) -> Result<Dataset<'a>> {
        measured(rows, self.session.as_ref(), Origin::Chosen)
    }

    fn fit_measured(&self, session: &Session, dataset: &Dataset, measured: Duration) -> Result<GaussianMixtureModel> {
        let collective = session.collective();
        let given = collective.agree(self.check(dataset))?;
        collective.same("the settings and the data's shape", &self.fingerprint(dataset))?;
        session.install(|| {
            let held = dataset.source().held();
            let _working = reserve(session, held, "sums", self.working(session, dataset))?;
            self.best_of_starts(session, dataset, given.as_ref(), measured)
        })
    }

    /// The bytes of the sums and the whitened rows of each thread, and of what the host makes of the sums.
    fn working(&self, session: &Session, dataset: &Dataset) -> u64 {
        let (k, d) = (self.components as u64, dataset.columns() as u64);
        let outputs = k.saturating_mul(d + 1).saturating_add(1);
        let sums = outputs.saturating_mul(if self.covariance == CovarianceType::Full { d + 1 } else { 2 });
        let piece = ((1_u64 << 16) / d).max(1).next_multiple_of(PRODUCT_BLOCK as u64);
        let values = piece.saturating_mul(outputs.saturating_add(k)).saturating_mul(size_of::<f32>() as u64);
        let threads = session.threads() as u64;
        let each = sums.saturating_mul(size_of::<f64>() as u64).saturating_add(values);
        threads.saturating_mul(each).saturating_add(sums.saturating_mul(8 * size_of::<f64>() as u64))
    }

    fn best_of_starts(
        &self,
        session: &Session,
        dataset: &Dataset,
        given: Option<&Mixture>,
        measured: Duration,
    ) -> Result<GaussianMixtureModel> {
        let centred = Centred::together(dataset);
        let mut account = Account::default();
        account.timings.pin = measured;
        let mut best: Option<Outcome> = None;
        for start in 0..self.starts() {
            let outcome = self.start(session, dataset, &centred, given, start, &mut account)?;
            let interrupted = outcome.run.stop == Stop::Interrupted;
            if best.as_ref().is_none_or(|best| outcome.lower_bound() > best.lower_bound()) {
                best = Some(outcome);
            }
            if interrupted {
                // What there is, is the result; starts that were not made are not.
                best.iter_mut().for_each(|best| best.run.stop = Stop::Interrupted);
                break;
            }
        }
        let nothing = || Error::parameter("n_init", "0 starts: take 1 or more");
        Ok(self.model(dataset, &centred, best.ok_or_else(nothing)?, &account))
    }

    /// One start: supersteps until the log-likelihood gains little. After k-means, one superstep comes first that takes the
    /// parameters of its clusters.
    fn start(
        &self,
        session: &Session,
        dataset: &Dataset,
        centred: &Centred,
        given: Option<&Mixture>,
        start: usize,
        account: &mut Account,
    ) -> Result<Outcome> {
        let clock = Instant::now();
        let space = Space::new(centred, self.components, self.covariance);
        let (first, state) = match given {
            Some(mixture) => {
                let first = space.step(&mixture.moved_to(centred.mean(), centred.scale()))?;
                let base = Some(first.base);
                (first, State { mixture: None, base, rounds: Vec::new() })
            }
            None => {
                let centroids = self.kmeans(session, start).fit_dataset(dataset)?.centroids().clone();
                let origin = ndarray::ArrayView1::from(centred.mean());
                let first = space.nearest(&((centroids - origin) * centred.scale()))?;
                (first, State { mixture: None, base: None, rounds: Vec::new() })
            }
        };
        account.timings.init += clock.elapsed();
        let clock = Instant::now();
        let iterate = || self.iterate(session, centred, &space, first, state, start);
        let (run, items) = profiled(session, self.profile, iterate)?;
        account.timings.pin += run.pin;
        account.timings.iterate += clock.elapsed().saturating_sub(run.pin);
        account.passes += run.rounds;
        Self::outcome(run, items)
    }

    fn kmeans(&self, session: &Session, start: usize) -> KMeans {
        let kmeans = KMeans::new(self.components).seed(self.seed.wrapping_add(start as u64)).session(session);
        let Some(tell) = self.progress.clone() else { return kmeans };
        let starts = self.starts();
        kmeans.progress(move |step| tell(Progress::Init { start, starts, step }))
    }

    fn iterate(
        &self,
        session: &Session,
        centred: &Centred,
        space: &Space,
        first: Step,
        state: State,
        start: usize,
    ) -> Result<Run<Option<State>>> {
        let max_iter = self.max_iter + u32::from(state.base.is_none());
        let queue = IterativeComQueue::new(session)
            .in_whole_blocks(PRODUCT_BLOCK as u64)
            .goes_on_from((MATRIX, BIAS, OFFSETS, VALUE_EXPONENTS, STATE))
            .init_with_broadcast_data(MATRIX, first.matrix)
            .init_with_broadcast_data(BIAS, first.bias)
            .init_with_broadcast_data(OFFSETS, first.offsets)
            .init_with_broadcast_data(COLUMN_EXPONENTS, first.units.columns().to_vec())
            .init_with_broadcast_data(VALUE_EXPONENTS, first.units.outputs().to_vec())
            .init_with_broadcast_data(STATE, state);
        let queue = match self.covariance {
            CovarianceType::Full => queue
                .init_with_partitioned_data(POINTS, centred.clone().with_one())
                .add(ExpectFull::new(space.clone(), first.units)?),
            CovarianceType::Diagonal => {
                queue.init_with_partitioned_data(POINTS, centred).add(ExpectDiagonal::new(space.clone()))
            }
        };
        queue
            .add(AllReduce::sum(SUMS))
            .add(Maximise {
                space: space.clone(),
                regularisation: self.reg_covar * centred.scale() * centred.scale(),
                log_scale: space.shape.dimensions as f64 * centred.scale().ln(),
            })
            .set_compare_criterion(|cx| {
                let Some(round) = cx.get(STATE)?.rounds.last() else { return Ok(false) };
                if let Some(tell) = &self.progress {
                    let (starts, max_iter) = (self.starts(), self.max_iter);
                    tell(Progress::Round { start, starts, round: *round, max_iter });
                }
                Ok(round.change.abs() < self.tol)
            })
            .set_max_iter(max_iter)
            .close_with(|cx| if cx.is_first_here() { cx.take(STATE).map(Some) } else { Ok(None) })
            .run()
    }

    fn outcome(mut run: Run<Option<State>>, items: Vec<ItemTime>) -> Result<Outcome> {
        let nothing = || Error::wiring("GaussianMixture", STATE.name(), "no task ran");
        let state = std::mem::take(&mut run.results).into_iter().flatten().next().ok_or_else(nothing)?;
        let interrupted = || Error::parameter("job", "interrupted before the first round: there is no mixture");
        Ok(Outcome { mixture: state.mixture.ok_or_else(interrupted)?, rounds: state.rounds, items, run })
    }

    fn model(&self, dataset: &Dataset, centred: &Centred, outcome: Outcome, account: &Account) -> GaussianMixtureModel {
        let (stop, streamed, lower_bound) = (outcome.run.stop, outcome.run.streamed, outcome.lower_bound());
        let mut warnings = outcome.run.warnings;
        if stop == Stop::MaxIter && self.tol > 0.0 {
            let change = outcome.rounds.last().map_or(f64::INFINITY, |round| round.change);
            warnings.push(format!(
                "the mixture has not converged in {} rounds: the last gained {change:.1e} of a mean log-likelihood, and less than \
                 {:.1e} was asked for: allow more rounds, try other starts, or look for rows that are equal",
                self.max_iter, self.tol
            ));
        }
        GaussianMixtureModel {
            mixture: outcome.mixture.moved_from(centred.mean(), centred.scale()),
            rows: dataset.rows(),
            iterations: outcome.rounds.len() as u32,
            converged: stop == Stop::Criterion,
            interrupted: stop == Stop::Interrupted,
            lower_bound,
            seed: self.seed,
            trace: outcome.rounds,
            passes: account.passes,
            items: outcome.items,
            timings: account.timings,
            streamed,
            warnings,
        }
    }
}
