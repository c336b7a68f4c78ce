//! The queue itself: what it is built from, and how it is run.

use super::body::{Ahead, Body, Complete, Item, Nested, Watched};
use super::checkpoint::Checkpoint;
use super::communicate::{AllReduce, Communicate};
use super::context::ComContext;
use super::gather::{Bcast, Gather, ReduceScatter};
use super::item::{ComputeFunction, ForEachRound};
use super::key::{Declared, Key, Keys, Rows, sealed::Keys as _};
use super::listener::IterationListener;
use super::object::{AnyObject, Hosted, Object};
use super::run::Run;
use super::session::Session;
use crate::data::{Batches, RowSource};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// A queue of items that runs once per superstep, over partitions pinned in device memory, until a criterion says stop:
/// Alink's `IterativeComQueue`, Flink ML's bounded iteration.
///
/// ```
/// use ndarray::{Array1, array};
/// use superstep::queue::{AllReduce, Compute, IterativeComQueue, Key, Objects, Rows};
/// use superstep::Session;
///
/// const ROWS: Key<Rows> = Key::new("rows");
/// const VECTOR: Key<Array1<f32>> = Key::new("vector");
/// const PRODUCT: Key<Array1<f32>> = Key::new("product");
///
/// let matrix = array![[2.0_f32, 0.0], [0.0, 1.0]];
/// let session = Session::cpu()?;
/// let leading = IterativeComQueue::new(&session)
///     .init_with_partitioned_data(ROWS, matrix.view())
///     .init_with_broadcast_data(VECTOR, array![0.6, 0.8])
///     .add(Compute::new("multiply", Objects::reads((ROWS, VECTOR)).writes(PRODUCT), |cx| {
///         let rows = cx.get(ROWS)?;
///         let product = rows.t().dot(&rows.dot(cx.get(VECTOR)?));
///         cx.put(PRODUCT, product)
///     }))
///     .add(AllReduce::sum(PRODUCT))
///     .add(Compute::new("normalise", Objects::reads(PRODUCT).writes(VECTOR), |cx| {
///         let product = cx.get(PRODUCT)?;
///         let unit = product / product.dot(product).sqrt();
///         cx.put(VECTOR, unit)
///     }))
///     .set_compare_criterion(|cx| {
///         let change = cx.get(VECTOR)? - cx.previous(VECTOR)?;
///         Ok(change.dot(&change) < 1e-12)
///     })
///     .set_max_iter(200)
///     .close_with(|cx| cx.take(VECTOR))
///     .exec()?;
/// assert!((leading[0] - 1.0).abs() < 1e-5);
/// # Ok::<(), superstep::Error>(())
/// ```
///
/// Supersteps count from 1. Adjacent compute items are chained and never across a communication. The criterion is
/// decided once, on task 0, and obeyed everywhere; `close_with` runs once on every task.
///
/// # Queues inside queues
///
/// A queue is an item of another one: it runs all its rounds in each round of the other. [`ComContext::round`] is then
/// `[outer, inner]`, and criterion, maximum of rounds and listeners of the inner queue hold for each of its runs. An object
/// belongs to the queue that provides it first, that is, that gives it or whose item is the first to write it: one of the inner
/// queue begins anew with each run, one of the outer queue lives across them. What the inner queue does is, for the outer one,
/// done in one round: [`previous`](ComContext::previous) there is the value at the end of the outer round before.
///
/// ```
/// use superstep::queue::{Compute, IterativeComQueue, Key, Objects};
/// use superstep::Session;
///
/// const TOTAL: Key<u32> = Key::new("total");
/// const COUNT: Key<u32> = Key::new("count");
///
/// let session = Session::cpu()?;
/// let count = IterativeComQueue::new(&session)
///     .named("count")
///     .init_with_broadcast_data(COUNT, 0)
///     .add(Compute::new("one more", Objects::none().updates((COUNT, TOTAL)), |cx| {
///         assert_eq!(cx.round(), [*cx.get(TOTAL)? / 3 + 1, *cx.get(COUNT)? + 1]);
///         *cx.get_mut(COUNT)? += 1;
///         *cx.get_mut(TOTAL)? += 1;
///         Ok(())
///     }))
///     .set_max_iter(3);
/// let total = IterativeComQueue::new(&session)
///     .init_with_broadcast_data(TOTAL, 0)
///     .add(count)
///     .set_max_iter(5)
///     .close_with(|cx| cx.take(TOTAL))
///     .exec()?;
/// assert_eq!(total, 15);
/// # Ok::<(), superstep::Error>(())
/// ```
pub struct IterativeComQueue<'a, R = ()> {
    pub(super) session: Session,
    pub(super) body: Body<'a>,
    pub(super) unbounded: Vec<(Declared, Batches<'a>)>,
    pub(super) checkpoint: Option<Checkpoint<'a>>,
    pub(super) by_speed: bool,
    pub(super) block: u64,
    pub(super) goes_on_from: Vec<Declared>,
    /// How long it is at least from one time that the state is kept to the next.
    pub(super) apart: Duration,
    pub(super) complete: Complete<'a, R>,
}

/// What can be added to a queue: a [`ComputeFunction`], a communication, or a queue.
///
/// This trait is sealed: implement [`ComputeFunction`].
pub trait QueueItem<'a>: sealed::IntoItem<'a> {}

impl<'a, I: sealed::IntoItem<'a>> QueueItem<'a> for I {}

mod sealed {
    pub trait IntoItem<'a> {
        #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
        fn into_item(self) -> super::Item<'a>;
    }
}

impl<'a, F: ComputeFunction + 'a> sealed::IntoItem<'a> for F {
    #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
    fn into_item(self) -> Item<'a> {
        Item::Compute(Box::new(self))
    }
}

macro_rules! communications {
    ($($communication:ident),+) => {$(
        impl<'a, T: 'a> sealed::IntoItem<'a> for $communication<T>
        where
            $communication<T>: Communicate,
        {
            #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
            fn into_item(self) -> Item<'a> {
                Item::Communicate(Box::new(self))
            }
        }
    )+};
}

communications!(AllReduce, Bcast, Gather, ReduceScatter);

impl<'a> sealed::IntoItem<'a> for IterativeComQueue<'a> {
    #[expect(private_interfaces, reason = "sealed: the trait cannot be named outside")]
    fn into_item(self) -> Item<'a> {
        let unbounded = (!self.unbounded.is_empty()).then_some("init_with_unbounded_data");
        let unbounded = unbounded.or(self.checkpoint.is_some().then_some("checkpoint"));
        let blocks = (self.block > 1).then_some("in_whole_blocks");
        let moves = (!self.goes_on_from.is_empty()).then_some("goes_on_from");
        let misplaced = unbounded.or(self.by_speed.then_some("share_by_speed")).or(moves).or(blocks);
        Item::Nested(Box::new(Nested { session: self.session, body: self.body, complete: self.complete, misplaced }))
    }
}

impl<'a> IterativeComQueue<'a> {
    /// An empty queue that will run in a session.
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
            body: Body::new(),
            unbounded: Vec::new(),
            checkpoint: None,
            by_speed: false,
            block: 1,
            goes_on_from: Vec::new(),
            apart: Duration::from_secs(5),
            complete: Box::new(|_| Ok(())),
        }
    }

    /// A queue that runs once: Alink's `ComQueue`.
    #[doc(alias = "ComQueue")]
    pub fn once(session: &Session) -> Self {
        Self::new(session).set_max_iter(1)
    }
}

impl<'a, R> IterativeComQueue<'a, R> {
    /// The name in errors, where it is an item of another queue; `queue` by default.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.body.name = name;
        self
    }

    /// Cuts a table into one run of rows for each task: Alink's `initWithPartitionedData`, Flink ML's `bindConstant`.
    #[must_use]
    pub fn init_with_partitioned_data(mut self, key: Key<Rows>, source: impl RowSource + 'a) -> Self {
        self.body.partitioned.push((declare(&key), Arc::new(source)));
        self
    }

    /// Cuts one table after the other into rows for each task, each driving one round: FLIP-176's unbounded iteration. The
    /// iteration ends with the last of them. An [`output`](Self::output) or, for as long as one likes,
    /// [`output_to`](Self::output_to) hands out what each round has made of the model.
    ///
    /// The next table is asked for when a round has ended, so that whoever makes them waits for whoever computes. Where several
    /// keys are given so, each round takes the next table of each, and the first that has none left ends the iteration. Where there
    /// are several ranks, the tables are those of the first. Devices are shared out by the first table: others should not be much
    /// larger.
    ///
    /// ```
    /// use ndarray::{Array1, Axis, array};
    /// use superstep::data::Batches;
    /// use superstep::queue::{AllReduce, Compute, IterativeComQueue, Key, Objects, Rows};
    /// use superstep::Session;
    ///
    /// const ROWS: Key<Rows> = Key::new("rows");
    /// const BATCH: Key<Array1<f64>> = Key::new("batch");
    /// const TOTAL: Key<Array1<f64>> = Key::new("total");
    ///
    /// let tables = [array![[1.0_f32], [2.0]], array![[3.0]], array![[4.0], [5.0]]];
    /// let run = IterativeComQueue::new(&Session::cpu()?)
    ///     .init_with_unbounded_data(ROWS, Batches::new(tables))
    ///     .init_with_broadcast_data(TOTAL, Array1::zeros(1))
    ///     .add(Compute::new("sum", Objects::reads(ROWS).writes(BATCH), |cx| {
    ///         let sum = cx.get(ROWS)?.mapv(f64::from).sum_axis(Axis(0));
    ///         cx.put(BATCH, sum)
    ///     }))
    ///     .add(AllReduce::sum(BATCH))
    ///     .add(Compute::new("add", Objects::reads((BATCH, TOTAL)).writes(TOTAL), |cx| {
    ///         let total = cx.get(TOTAL)? + cx.get(BATCH)?;
    ///         cx.put(TOTAL, total)
    ///     }))
    ///     .output(TOTAL)
    ///     .run()?;
    /// let versions: Vec<f64> = run.output(TOTAL).map(|(_, total)| total[0]).collect();
    /// assert_eq!(versions, [3.0, 6.0, 15.0]);
    /// # Ok::<(), superstep::Error>(())
    /// ```
    #[must_use]
    pub fn init_with_unbounded_data(mut self, key: Key<Rows>, batches: Batches<'a>) -> Self {
        self.unbounded.push((declare(&key), batches));
        self
    }

    /// Gives every task the same object: Alink's `initWithBroadcastData`, Flink ML's `bindVariable`.
    #[must_use]
    pub fn init_with_broadcast_data<T: Object>(mut self, key: Key<T>, value: T) -> Self {
        self.body.broadcast.push((declare(&key), Hosted::new(Box::new(value))));
        self
    }

    /// Adds an item at the end of the queue.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "Alink's word for it")]
    pub fn add(mut self, item: impl QueueItem<'a>) -> Self {
        self.body.items.push(item.into_item());
        self
    }

    /// Adds an item that is made anew for each task in each round, so that what it keeps in itself goes with the round:
    /// FLIP-176's `forEachRound`. All that are made must declare the same.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use superstep::queue::{ComContext, ComputeFunction, IterativeComQueue, Key, Objects};
    /// use superstep::{Result, Session};
    ///
    /// const COUNT: Key<u32> = Key::new("count");
    ///
    /// /// Counts how often it was called.
    /// #[derive(Default)]
    /// struct Count(Mutex<u32>);
    ///
    /// impl ComputeFunction for Count {
    ///     fn objects(&self) -> Objects {
    ///         Objects::none().writes(COUNT)
    ///     }
    ///
    ///     fn calc(&self, cx: &mut ComContext) -> Result<()> {
    ///         let mut count = self.0.lock().unwrap();
    ///         *count += 1;
    ///         cx.put(COUNT, *count)
    ///     }
    /// }
    ///
    /// let session = Session::cpu()?;
    /// let ends_with = |queue: IterativeComQueue<'_>| queue.set_max_iter(5).close_with(|cx| cx.take(COUNT)).exec();
    /// assert_eq!(ends_with(IterativeComQueue::new(&session).add(Count::default()))?, 5);
    /// assert_eq!(ends_with(IterativeComQueue::new(&session).for_each_round(Count::default))?, 1);
    /// # Ok::<(), superstep::Error>(())
    /// ```
    #[must_use]
    pub fn for_each_round<F: ComputeFunction + 'a>(self, make: impl Fn() -> F + Send + Sync + 'a) -> Self {
        self.add(ForEachRound { first: make(), make })
    }

    /// Decides on task 0, after every round, whether that was the last: true means stop. Alink's
    /// `setCompareCriterionOfNode0`, Flink ML's `until`.
    #[must_use]
    pub fn set_compare_criterion(mut self, stop: impl Fn(&ComContext) -> Result<bool> + Send + Sync + 'a) -> Self {
        self.body.criterion = Some(Box::new(stop));
        self
    }

    /// Ends after this many rounds at the latest: Alink's `setMaxIter`, Flink ML's `fixRound`.
    #[must_use]
    pub fn set_max_iter(mut self, rounds: u32) -> Self {
        self.body.max_iter = Some(rounds);
        self
    }

    /// Ends after a round in which no task has put this variable, or only empty values of it, with the last value in its place:
    /// FLIP-176's feedback stream that runs dry, Flink's delta iteration. Where there are several, one ends it.
    ///
    /// ```
    /// use superstep::queue::{Compute, IterativeComQueue, Key, Objects};
    /// use superstep::Session;
    ///
    /// const OPEN: Key<Vec<u32>> = Key::new("open");
    ///
    /// let rounds = IterativeComQueue::new(&Session::cpu()?)
    ///     .init_with_broadcast_data(OPEN, vec![3, 1, 2])
    ///     .add(Compute::new("close", Objects::reads(OPEN).writes(OPEN), |cx| {
    ///         let open = cx.get(OPEN)?.iter().filter(|left| **left > 1).map(|left| left - 1).collect();
    ///         cx.put(OPEN, open)
    ///     }))
    ///     .feedback(OPEN)
    ///     .run()?
    ///     .rounds;
    /// assert_eq!(rounds, 3);
    /// # Ok::<(), superstep::Error>(())
    /// ```
    #[must_use]
    pub fn feedback<T: Object>(mut self, key: Key<T>) -> Self {
        self.body.feedback.push(declare(&key));
        self
    }

    /// Collects an object of task 0 at the end of every round in which it is there: FLIP-176's output stream, as
    /// [`Run::output`] gives it.
    #[must_use]
    pub fn output<T: Object>(mut self, key: Key<T>) -> Self {
        self.body.outputs.push(Watched { of: declare(&key), to: None });
        self
    }

    /// Hands an object of task 0 to somebody at the end of every round in which it is there, with the round as
    /// [`ComContext::round`] says it: an output stream that is not kept. The next round waits until it has been taken, so a
    /// channel of limited length slows the queue down to its reader.
    #[must_use]
    pub fn output_to<T: Object>(
        mut self,
        key: Key<T>,
        take: impl Fn(&[u32], &T) -> Result<()> + Send + Sync + 'a,
    ) -> Self {
        let name = key.name();
        let take = move |round: &[u32], value: &dyn AnyObject| match value.as_any().downcast_ref() {
            Some(value) => take(round, value),
            None => Err(Error::wiring("output", name, "it has another type than its key says")),
        };
        self.body.outputs.push(Watched { of: declare(&key), to: Some(Box::new(take)) });
        self
    }

    /// Lets a round begin on a device before the one before it was looked at, so that the device need not wait for the criterion to
    /// be asked: where rounds are short, that is a good part of their time.
    ///
    /// The criterion, and listeners at a round's end, then see of that round only the object of this key, whose value has been
    /// fetched meanwhile. A round begun unseen may prove to be one too many, or one that the host had to see: `goes_on` says so of
    /// the value before it, and is false at least where the criterion is met. The items must then have left every object as it was
    /// (a variable `unseen` of their WGSL, a uniform `u32`, is 1 in such a round: an item that moves what all others follow from
    /// reads the same value there, and moves nothing). Where the criterion is not met, the round is done again, seen. Items that do
    /// something in such rounds alone are [`only_when_seen`](super::Objects::only_when_seen).
    ///
    /// It does so from the third round on, after rounds that took no longer than `within` (the last one may be in vain). Where there
    /// are several devices or ranks, streamed rows, feedbacks, outputs, checkpoints, or a session that is profiled, the queue looks
    /// at each round before the next, as without this.
    #[must_use]
    pub fn look_ahead<T: Object>(
        mut self,
        key: Key<T>,
        within: Duration,
        goes_on: impl Fn(&T) -> Result<bool> + Send + Sync + 'a,
    ) -> Self {
        let name = key.name();
        let goes_on = move |value: &dyn AnyObject| match value.as_any().downcast_ref() {
            Some(value) => goes_on(value),
            None => Err(Error::wiring("look_ahead", name, "it has another type than its key says")),
        };
        self.body.ahead = Some(Ahead { of: declare(&key), within, goes_on: Box::new(goes_on) });
        self
    }

    /// Shares out the rows among the devices of a session by how fast they are, rather than equally, so that none waits for
    /// the slowest. How fast is measured once, kept beside what [`Shader::or`](super::Shader::or) has found, and not asked
    /// where [`SessionBuilder::tune`](super::SessionBuilder::tune) is off. For queues whose result does not depend on which
    /// device has which rows: sums of f32 do.
    #[must_use]
    pub fn share_by_speed(mut self) -> Self {
        self.by_speed = true;
        self
    }

    /// Names the objects that a round goes on from, as [`Checkpoint::keeps`] takes them. With these a run can go on elsewhere:
    ///
    /// * Where one of several devices proves slower than the others with the rows it has, and the queue is [shared out by
    ///   speed](Self::share_by_speed), rows are shared out anew between two rounds, by how long each device was busy, once the rounds
    ///   have lost as much time by it as moving takes. [`Run::moves`] says how often.
    /// * Where a device is lost it is opened again; if that fails, or it is lost time and again, the run goes on with those that are
    ///   left, in the end with the processor. It does so after the last round whose state was kept in memory (every few seconds, as
    ///   far as the session's memory has room), else from where it had begun: listeners, the criterion and
    ///   [`output_to`](Self::output_to) hear of rounds that are done again, and listeners maybe twice of the end.
    ///   [`Run::warnings`] says what was lost.
    ///
    /// It is for one rank, and rows that do not come in batches; others stay where they are. At the end of a round, objects that are not
    /// kept by rows must be the same on all tasks, arrays bit by bit: else nothing moves, and a run that loses a device begins anew.
    /// Objects of the host need not be written as those of a checkpoint.
    #[must_use]
    pub fn goes_on_from(mut self, keys: impl Keys) -> Self {
        keys.declare(&mut self.goes_on_from);
        self
    }

    /// Writes down where the queue stands, so that a run that was cut off can go on. What a queue inside another has come to is not
    /// written: the outer round is done again. Batches of unbounded data that were computed on are asked for again, and left
    /// out.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: Checkpoint<'a>) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// Cuts rows between tasks only at multiples of `rows` (a power of two, at most 4096): for items that round once for each block
    /// of so many rows, and whose result then does not depend on how many tasks there are. Up to 256, what a shader takes
    /// [`in_slices`](super::Shader::in_slices) is whole blocks too. Where there are fewer blocks than tasks some have no rows.
    #[must_use]
    pub fn in_whole_blocks(mut self, rows: u64) -> Self {
        self.block = rows;
        self
    }

    /// Tells a listener of every round.
    #[must_use]
    pub fn listen(mut self, listener: impl IterationListener + 'a) -> Self {
        self.body.listeners.push(Box::new(listener));
        self
    }

    /// Makes the result: Alink's `closeWith`, FLIP-176's `onIterationTerminated`. It runs once on every task.
    #[must_use]
    pub fn close_with<S>(
        self,
        complete: impl Fn(&mut ComContext) -> Result<S> + Send + Sync + 'a,
    ) -> IterativeComQueue<'a, S> {
        IterativeComQueue {
            session: self.session,
            body: self.body,
            unbounded: self.unbounded,
            checkpoint: self.checkpoint,
            by_speed: self.by_speed,
            block: self.block,
            goes_on_from: self.goes_on_from,
            apart: self.apart,
            complete: Box::new(complete),
        }
    }
}

impl<R: Send> IterativeComQueue<'_, R> {
    /// Runs the queue and returns what `close_with` made on task 0; where there are several ranks, on each rank's first.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn exec(self) -> Result<R> {
        let run = self.run()?;
        let nothing = || Error::wiring("(queue)", "close_with", "no task ran");
        run.results.into_iter().next().ok_or_else(nothing)
    }

    /// Runs the queue and returns what `close_with` made on every task of this rank, with the rounds and the outputs, which
    /// only the rank of task 0 has.
    ///
    /// # Errors
    /// Every mistake in the wiring, before round 1; whatever an item, the criterion, a listener or a device fails with.
    pub fn run(self) -> Result<Run<R>> {
        let session = self.session.clone();
        session.install(move || self.launch())
    }
}

fn declare<T: super::key::Value>(key: &Key<T>) -> Declared {
    let mut declared = Vec::with_capacity(1);
    key.declare(&mut declared);
    declared.remove(0)
}
