//! The queue itself: what it is built from, and how it is run.

use super::communicate::{AllReduce, Communicate};
use super::context::ComContext;
use super::exec::{self, ReadyStep};
use super::gather::{Bcast, Gather, ReduceScatter};
use super::item::ComputeFunction;
use super::key::{Declared, Key, Kind, Rows, sealed::Keys as _};
use super::listener::{IterationListener, Stop};
use super::object::{AnyObject, Hosted, Object};
use super::place::{self, Devices, Needs, Share, Source};
use super::plan::{self, Item, Provided};
use super::ranks::Ranks;
use super::rows::RowsSlot;
use super::session::Session;
use crate::data::{BLOCK, RowSource};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Criterion<'a> = Box<dyn Fn(&ComContext) -> Result<bool> + Send + Sync + 'a>;
type Complete<'a, R> = Box<dyn Fn(&mut ComContext) -> Result<R> + Send + Sync + 'a>;

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
pub struct IterativeComQueue<'a, R = ()> {
    session: Session,
    partitioned: Vec<(Declared, Arc<dyn RowSource + 'a>)>,
    broadcast: Vec<(Declared, Arc<Hosted>)>,
    items: Vec<Item<'a>>,
    criterion: Option<Criterion<'a>>,
    max_iter: Option<u32>,
    listeners: Vec<Box<dyn IterationListener + 'a>>,
    outputs: Vec<Declared>,
    by_speed: bool,
    block: u64,
    complete: Complete<'a, R>,
}

/// What can be added to a queue: a [`ComputeFunction`] or a communication.
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

impl<'a> IterativeComQueue<'a> {
    /// An empty queue that will run in a session.
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
            partitioned: Vec::new(),
            broadcast: Vec::new(),
            items: Vec::new(),
            criterion: None,
            max_iter: None,
            listeners: Vec::new(),
            outputs: Vec::new(),
            by_speed: false,
            block: 1,
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
    /// Cuts a table into one run of rows for each task: Alink's `initWithPartitionedData`, Flink ML's `bindConstant`.
    #[must_use]
    pub fn init_with_partitioned_data(mut self, key: Key<Rows>, source: impl RowSource + 'a) -> Self {
        self.partitioned.push((declare(&key), Arc::new(source)));
        self
    }

    /// Gives every task the same object: Alink's `initWithBroadcastData`, Flink ML's `bindVariable`.
    #[must_use]
    pub fn init_with_broadcast_data<T: Object>(mut self, key: Key<T>, value: T) -> Self {
        self.broadcast.push((declare(&key), Hosted::new(Box::new(value))));
        self
    }

    /// Adds an item at the end of the queue.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "Alink's word for it")]
    pub fn add(mut self, item: impl QueueItem<'a>) -> Self {
        self.items.push(item.into_item());
        self
    }

    /// Decides on task 0, after every round, whether that was the last: true means stop. Alink's
    /// `setCompareCriterionOfNode0`, Flink ML's `until`.
    #[must_use]
    pub fn set_compare_criterion(mut self, stop: impl Fn(&ComContext) -> Result<bool> + Send + Sync + 'a) -> Self {
        self.criterion = Some(Box::new(stop));
        self
    }

    /// Ends after this many rounds at the latest: Alink's `setMaxIter`, Flink ML's `fixRound`.
    #[must_use]
    pub fn set_max_iter(mut self, rounds: u32) -> Self {
        self.max_iter = Some(rounds);
        self
    }

    /// Collects an object of task 0 at the end of every round in which it is there: FLIP-176's output stream.
    #[must_use]
    pub fn output<T: Object>(mut self, key: Key<T>) -> Self {
        self.outputs.push(declare(&key));
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
        self.listeners.push(Box::new(listener));
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
            partitioned: self.partitioned,
            broadcast: self.broadcast,
            items: self.items,
            criterion: self.criterion,
            max_iter: self.max_iter,
            listeners: self.listeners,
            outputs: self.outputs,
            by_speed: self.by_speed,
            block: self.block,
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
        session.install(move || self.run_here())
    }

    fn run_here(self) -> Result<Run<R>> {
        let mut devices = Devices::of(&self.session);
        devices.block = self.block.max(1);
        let clock = Instant::now();
        let weights = if self.by_speed { self.session.weights() } else { Ok(vec![1; devices.list.len()]) };
        let steps = weights.and_then(|weights| {
            devices.weights = weights;
            self.steps(&devices)
        });
        let ready = steps.and_then(|steps| self.placed(&steps, &mut devices).map(|tasks| (steps, tasks)));
        let ready = ready.map(|(steps, tasks)| {
            let count = tasks.len();
            ((steps, tasks), count)
        });
        let ((steps, mut tasks), ranks) = Ranks::join(self.session.collective(), ready)?;
        tasks.iter_mut().enumerate().for_each(|(at, task)| task.number(ranks.first_task, at, ranks.num_task));
        let (pin, before) = (clock.elapsed(), devices.meter.read());
        let (mut outputs, mut verdict) = (Vec::new(), Ok(()));
        let mut round = 0;
        let stop = loop {
            round += 1;
            tasks.iter_mut().for_each(|task| task.start_round(round));
            let told = verdict
                .and_then(|()| self.each_listener(&ranks, round, |listener| listener.on_round_start(round, &tasks[0])));
            let done = exec::superstep(&steps, &mut tasks, &devices, &ranks, round, told);
            tasks.iter_mut().for_each(|task| task.communicated = ranks.take_spent());
            let met = done.and_then(|()| {
                let met = ranks.has_first_task() && self.is_met(round, &tasks[0])?;
                devices.submit()?;
                if ranks.has_first_task() {
                    self.collect(round, &tasks[0], &mut outputs)?;
                }
                self.each_listener(&ranks, round, |listener| listener.on_round_end(round, &tasks[0]))?;
                Ok(met)
            });
            let (met, interrupted) = ranks.decide(met, self.session.is_interrupted())?;
            verdict = Ok(());
            if met {
                break Stop::Criterion;
            } else if self.max_iter == Some(round) {
                break Stop::MaxIter;
            } else if interrupted {
                break Stop::Interrupted;
            }
        };
        let told = self.each_listener(&ranks, round, |listener| listener.on_terminated(round, stop, &tasks[0]));
        let results =
            told.and_then(|()| tasks.iter_mut().map(|task| (self.complete)(task)).collect::<Result<Vec<R>>>());
        let results = ranks.agree(results)?;
        let (read, after) = (devices.meter.read(), clock.elapsed());
        let streamed = tasks.iter().any(ComContext::is_streamed).then(|| Streamed {
            rows: tasks.iter().filter(|task| task.is_streamed()).map(ComContext::row_count).sum(),
            of_rows: tasks.iter().map(ComContext::row_count).sum(),
            bytes: read.0 - before.0,
            reading: read.1 - before.1,
            readers: devices.readers(self.session.threads()),
            rounds: after - pin,
        });
        Ok(Run { results, rounds: round, stop, pin, streamed, outputs })
    }

    /// Checks all that can be checked before round 1, and compiles.
    fn steps<'s>(&'s self, devices: &Devices) -> Result<Vec<ReadyStep<'s>>> {
        self.check_end()?;
        let steps = plan::plan(&self.items, &self.outputs, self.provided()?)?;
        if self.session.collective().size() > 1 {
            let mut communications = self.items.iter().filter_map(|item| match item {
                Item::Communicate(communicate) => Some(communicate),
                Item::Compute(_) => None,
            });
            communications.try_for_each(|communicate| communicate.check_travel())?;
        }
        exec::compile(steps, devices)
    }

    fn check_end(&self) -> Result<()> {
        if !self.block.is_power_of_two() || self.block > BLOCK {
            let message = format!("blocks of {} rows: take a power of two up to {BLOCK}", self.block);
            return Err(Error::parameter("in_whole_blocks", message));
        }
        match (&self.criterion, self.max_iter) {
            (_, Some(0)) => Err(Error::parameter("max_iter", "0 rounds compute nothing: take 1 or more")),
            (None, None) => {
                let message = "the queue would never end: give it a maximum of rounds or a criterion";
                Err(Error::parameter("max_iter", message))
            }
            _ => Ok(()),
        }
    }

    fn provided(&self) -> Result<Provided> {
        let mut provided = Provided::default();
        for (declared, source) in &self.partitioned {
            provided.rows(*declared, source.columns())?;
        }
        for (declared, value) in &self.broadcast {
            provided.broadcast(*declared, value.object.shape())?;
        }
        Ok(provided)
    }

    /// The tasks, with what can be pinned pinned. A device that runs out of memory is tried again with half as much.
    fn placed<'s>(&'s self, steps: &[ReadyStep], devices: &mut Devices) -> Result<Vec<ComContext<'s>>> {
        let sources: Vec<Source<'s>> =
            self.partitioned.iter().map(|(_, source)| source.clone() as Source<'s>).collect();
        let needs = device_needs(steps, self.broadcast.iter().map(|(_, value)| &*value.object));
        loop {
            let shares = place::shares(devices, &sources, &needs)?;
            let mut tasks = self.tasks(devices, &sources, &shares)?;
            match place::pin(steps, &mut tasks, devices, &shares) {
                Err(error @ Error::OutOfMemory { .. }) => {
                    drop(tasks);
                    devices.halve(&shares).ok_or(error)?;
                }
                done => return done.map(|()| tasks),
            }
        }
    }

    /// One context for each task of this rank, with its rows and the broadcast objects.
    fn tasks<'s>(&'s self, devices: &Devices, sources: &[Source<'s>], shares: &[Share]) -> Result<Vec<ComContext<'s>>> {
        let owners = shares.iter().enumerate().flat_map(|(device, share)| std::iter::repeat_n(device, share.tasks));
        let count = shares.iter().map(|share| share.tasks).sum();
        let mut tasks: Vec<ComContext> =
            owners.enumerate().map(|(id, device)| ComContext::new(id, count, devices.place(device))).collect();
        for ((declared, _), source) in self.partitioned.iter().zip(sources) {
            for (task, range) in tasks.iter_mut().zip(devices.ranges(source, shares)) {
                task.rows.insert(declared.name, RowsSlot::new(source.clone(), range, devices.meter.clone()));
            }
        }
        for (declared, value) in &self.broadcast {
            let Kind::Object(of) = declared.kind else { continue };
            for task in &mut tasks {
                task.put_hosted(declared.name, of, declared.lifetime, value.clone())?;
            }
        }
        Ok(tasks)
    }

    fn is_met(&self, round: u32, task: &ComContext) -> Result<bool> {
        let met = self.criterion.as_ref().map_or(Ok(false), |stop| stop(task));
        met.map_err(|error| exec::in_round(error, round, "criterion"))
    }

    /// Tells the listeners, on the rank that has task 0.
    fn each_listener(
        &self,
        ranks: &Ranks,
        round: u32,
        tell: impl Fn(&dyn IterationListener) -> Result<()>,
    ) -> Result<()> {
        if !ranks.has_first_task() {
            return Ok(());
        }
        let told = self.listeners.iter().try_for_each(|listener| tell(&**listener));
        told.map_err(|error| exec::in_round(error, round, "listener"))
    }

    fn collect(&self, round: u32, task: &ComContext, outputs: &mut Vec<Output>) -> Result<()> {
        for Declared { name, .. } in &self.outputs {
            if let Some(value) = task.hosted(name)? {
                outputs.push(Output { name, round, value: value.duplicate() });
            }
        }
        Ok(())
    }
}

fn declare<T: super::key::Value>(key: &Key<T>) -> Declared {
    let mut declared = Vec::with_capacity(1);
    key.declare(&mut declared);
    declared.remove(0)
}

struct Output {
    name: &'static str,
    round: u32,
    value: Box<dyn AnyObject>,
}

/// What the items keep on a device beside the rows: see [`place::Needs`].
fn device_needs<'o>(steps: &[ReadyStep], broadcast: impl Iterator<Item = &'o dyn AnyObject>) -> Needs {
    let given = broadcast.filter_map(|object| object.to_bytes()).map(|bytes| bytes.len() as u64).sum::<u64>();
    let objects = steps.iter().flat_map(ReadyStep::items).filter(|ready| ready.item.shader.is_some());
    let mut needs = Needs::of(objects.map(|ready| &*ready.item.objects));
    needs.fixed += given;
    needs
}

/// The rows of a run that were not pinned, and what it cost to read them in every round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Streamed {
    /// How many rows were streamed.
    pub rows: u64,
    /// How many rows there are, the pinned ones among them.
    pub of_rows: u64,
    /// The bytes that were read in all rounds, as f32.
    pub bytes: u64,
    /// The time all readers together spent on reading.
    pub reading: Duration,
    /// How many there were: threads of the CPU, or one for each other device.
    pub readers: usize,
    /// The time all rounds took.
    pub rounds: Duration,
}

impl Streamed {
    /// Which part of the readers' time reading took: near 1, the rounds are bound by it, near 0 by computing.
    pub fn reading_share(&self) -> f64 {
        let whole = self.rounds.as_secs_f64() * self.readers as f64;
        if whole > 0.0 { (self.reading.as_secs_f64() / whole).min(1.0) } else { 0.0 }
    }

    /// What bounds the rounds, as a word: `reading` or `computing`.
    pub fn bound_by(&self) -> &'static str {
        if self.reading_share() > 0.5 { "reading" } else { "computing" }
    }
}

/// What a queue has done.
pub struct Run<R> {
    /// What `close_with` made, one for each task of this rank.
    pub results: Vec<R>,
    /// How many rounds ran.
    pub rounds: u32,
    /// Why it ended.
    pub stop: Stop,
    /// How long it took to cut the rows into partitions and bring them to the devices.
    pub pin: Duration,
    /// What was streamed; `None` where all rows were pinned.
    pub streamed: Option<Streamed>,
    outputs: Vec<Output>,
}

impl<R> Run<R> {
    /// The values of an output, each with the round at whose end it was collected.
    pub fn output<T: Object>(&self, key: Key<T>) -> impl Iterator<Item = (u32, &T)> {
        let of_key = self.outputs.iter().filter(move |output| output.name == key.name());
        of_key.filter_map(|output| Some((output.round, output.value.as_any().downcast_ref()?)))
    }
}
