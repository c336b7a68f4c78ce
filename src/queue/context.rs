//! What a task sees of an iteration: its objects, its rows, the round.

use super::declare::{Objects, Rule, ShapeRule};
use super::key::{Key, Kind, Lifetime, Rows, Value, sealed_value::Sealed};
use super::object::{AnyObject, Hosted, Object, ObjectType, Shape};
use super::plan::Scope;
use super::profile::Profile;
use super::readable::Readable;
use super::rows::{RowsSlot, TaskRows};
use super::stored::{Past, Slot, Stored};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The context of one task in one round: Alink's `ComContext`.
///
/// Every task has one; objects put into it live to the end of the queue, or of the round where their key says so.
/// Objects are moved between a device and the host when they are asked for, not before.
pub struct ComContext<'a> {
    pub(crate) slots: HashMap<&'static str, Slot>,
    pub(crate) rows: HashMap<&'static str, RowsSlot<'a>>,
    pub(crate) round: Vec<u32>,
    pub(crate) place: Place,
    /// Whether what the next communication merges of this task is in the value of its device's first task already.
    pub(crate) is_folded: bool,
    /// Device memory that only the engine sees: scratch of items, shapes and rounds as WGSL reads them.
    #[cfg(feature = "gpu")]
    pub(crate) private: super::device::Private,
    /// How many rounds have begun, of all queues, and which of them is that of the queue that runs. Objects remember it: the
    /// rounds of a queue inside another begin anew.
    clock: u32,
    tick: u32,
    task_id: usize,
    num_task: usize,
    running: Option<Running>,
    pub(crate) communicated: Duration,
    is_first_here: bool,
    /// Whether the round was begun before the one before it was looked at.
    pub(crate) unseen: bool,
    /// What is looked at of the round before, while this one runs.
    pub(super) seen: Option<(&'static str, Stored)>,
}

/// The round around a queue that runs inside another: when it began, and the objects that the inner one may write.
pub(crate) struct Outer {
    tick: u32,
    slots: Vec<(&'static str, Past)>,
}

/// The device a task belongs to.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) device: usize,
    pub(crate) profile: Arc<Profile>,
    #[cfg(feature = "gpu")]
    pub(crate) tuning: Arc<super::tune::Tuning>,
    #[cfg(feature = "gpu")]
    pub(crate) gpu: Option<crate::backend::gpu::GpuDevice>,
    /// Whether the task's rows are brought to the device for each chain, rather than pinned.
    #[cfg(feature = "gpu")]
    pub(crate) streams: bool,
    /// The device memory that streamed rows pass through, shared by the tasks of a device.
    #[cfg(feature = "gpu")]
    pub(crate) ring: Arc<super::device::RowsRing>,
}

/// The item that runs, for checks against what it declared.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) item: Arc<str>,
    pub(crate) objects: Arc<Objects>,
}

impl<'a> ComContext<'a> {
    pub(crate) fn new(task_id: usize, num_task: usize, place: Place) -> Self {
        let (slots, rows) = (HashMap::new(), HashMap::new());
        Self {
            slots,
            rows,
            round: vec![0],
            place,
            is_folded: false,
            #[cfg(feature = "gpu")]
            private: Default::default(),
            clock: 0,
            tick: 0,
            task_id,
            num_task,
            running: None,
            communicated: Duration::ZERO,
            is_first_here: task_id == 0,
            unseen: false,
            seen: None,
        }
    }

    /// Reads an object, or the task's rows as a view.
    ///
    /// # Errors
    /// When nobody has put it, when it has another type, or when the item that runs did not declare it.
    pub fn get<T: Readable>(&self, key: Key<T>) -> Result<T::Ref<'_>> {
        T::read(self, key)
    }

    /// The task's rows of a partitioned object, to be read block by block without a copy of the whole.
    ///
    /// # Errors
    /// When there are no rows of this name.
    pub fn rows(&self, key: Key<Rows>) -> Result<TaskRows<'_>> {
        self.may_touch(key.name(), false)?;
        self.rows.get(key.name()).map(RowsSlot::task_rows).ok_or_else(|| self.missing(key.name()))
    }

    /// Whether an object is there.
    pub fn contains<T: Value>(&self, key: Key<T>) -> bool {
        self.rows.contains_key(key.name()) || self.slots.get(key.name()).is_some_and(|slot| slot.current.is_some())
    }

    /// Puts an object in place of what was there; that becomes [`previous`](Self::previous) if it is of an earlier round.
    ///
    /// # Errors
    /// When the object of this name has another type, or when the item that runs did not declare that it writes it.
    pub fn put<T: Object>(&mut self, key: Key<T>, value: T) -> Result<()> {
        self.may_touch(key.name(), true)?;
        self.put_hosted(key.name(), ObjectType::of::<T>(), key.lifetime(), Hosted::new(Box::new(value)))
    }

    /// Changes an object in place. Unless it was put in this very round, it then has no [`previous`](Self::previous) value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_mut<T: Object>(&mut self, key: Key<T>) -> Result<&mut T> {
        self.may_touch(key.name(), true)?;
        let name = key.name();
        self.on_host::<T>(name, self.current(name)?)?;
        let (missing, other, tick) = (self.missing(name), self.other_type::<T>(name), self.tick);
        let slot = self.slots.get_mut(name).ok_or(missing)?;
        slot.change(tick);
        let stored = slot.current.as_mut().ok_or_else(|| other_message(name))?;
        stored.unshare_host();
        stored.host_mut().and_then(|object| object.as_any_mut().downcast_mut()).ok_or(other)
    }

    /// Takes an object out of the context. It is then gone, also as a [`previous`](Self::previous) value.
    ///
    /// # Errors
    /// As [`get`](Self::get); an item must declare that it writes the object.
    pub fn take<T: Object>(&mut self, key: Key<T>) -> Result<T> {
        self.may_touch(key.name(), true)?;
        self.on_host::<T>(key.name(), self.current(key.name())?)?;
        let (missing, other) = (self.missing(key.name()), self.other_type::<T>(key.name()));
        let stored = self.slots.get_mut(key.name()).and_then(|slot| slot.current.take()).ok_or(missing)?;
        let object = stored.into_object().ok_or_else(|| other_message(key.name()))?;
        object.into_any().downcast::<T>().map(|object| *object).map_err(|_| other)
    }

    /// Forgets an object, if it is there. The value of the round before stays its [`previous`](Self::previous) one.
    ///
    /// # Errors
    /// When the item that runs did not declare that it writes the object.
    pub fn remove<T: Object>(&mut self, key: Key<T>) -> Result<()> {
        self.may_touch(key.name(), true)?;
        let tick = self.tick;
        if let Some(slot) = self.slots.get_mut(key.name()) {
            slot.retire(tick);
        }
        Ok(())
    }

    /// The value an object had at the end of the round before: FLIP-176's `getLastRoundVariableValues`. In round 1 that is
    /// the value it was broadcast with.
    ///
    /// # Errors
    /// When there was none, when the object was changed in place, or when the item that runs did not declare it.
    pub fn previous<T: Object>(&self, key: Key<T>) -> Result<&T> {
        self.may_touch(key.name(), false)?;
        let slot = self.slots.get(key.name()).ok_or_else(|| self.missing(key.name()))?;
        let tick = self.tick;
        if slot.changed == tick && tick > 0 {
            let message = "it was changed in place this round, so its last value is gone: put a new value instead";
            return Err(self.error(key.name(), message));
        }
        let stored = if slot.replaced == tick { slot.previous.as_ref() } else { slot.current.as_ref() };
        let stored = stored.ok_or_else(|| self.error(key.name(), "it had no value in the round before"))?;
        self.on_host(key.name(), stored)
    }

    /// The round, counted from 1: Alink's `getStepNo`.
    pub fn step_no(&self) -> u32 {
        self.round_no()
    }

    /// The rounds of this iteration and of those around it, the outermost first: FLIP-176's `getRound`.
    pub fn round(&self) -> &[u32] {
        &self.round
    }

    /// This task's number, from 0, among those of all ranks.
    pub fn task_id(&self) -> usize {
        self.task_id
    }

    /// How long this round has exchanged with other processes and waited for them; zero where there is one process.
    pub fn communication_time(&self) -> Duration {
        self.communicated
    }

    /// How many tasks there are, on all ranks: one for each partition.
    pub fn num_task(&self) -> usize {
        self.num_task
    }

    /// Whether this is the first of this process's tasks: what all tasks have the same of is taken from it.
    pub fn is_first_here(&self) -> bool {
        self.is_first_here
    }

    /// Numbers a task among those of all ranks: the one at `at` of its own rank's.
    pub(crate) fn number(&mut self, first: usize, at: usize, count: usize) {
        (self.task_id, self.num_task, self.is_first_here) = (first + at, count, at == 0);
    }

    pub(crate) fn round_no(&self) -> u32 {
        self.round.last().copied().unwrap_or(0)
    }

    /// The round in which objects are put, among those of all queues.
    pub(crate) fn tick(&self) -> u32 {
        self.tick
    }

    /// How many rows the task has, of the object that has most.
    pub(crate) fn row_count(&self) -> u64 {
        self.rows.values().map(|slot| slot.range.end - slot.range.start).max().unwrap_or(0)
    }

    /// Whether the task's rows are read anew in every round.
    pub(crate) fn is_streamed(&self) -> bool {
        #[cfg(feature = "gpu")]
        if self.place.gpu.is_some() {
            return self.place.streams;
        }
        self.rows.values().any(RowsSlot::is_streamed)
    }

    pub(crate) fn run_as(&mut self, running: Option<Running>) {
        self.running = running;
    }

    /// Starts a round of an iteration: its objects of one round are forgotten, except that those given before round 1 live
    /// through it.
    pub(crate) fn start_round(&mut self, round: u32, scope: &Scope) {
        if let Some(last) = self.round.last_mut() {
            *last = round;
        }
        self.begin_tick();
        if round == 1 {
            return;
        }
        for (name, _) in scope.own.iter().filter(|(_, lifetime)| *lifetime == Lifetime::PerRound) {
            if let Some(slot) = self.slots.get_mut(name) {
                slot.retire(self.tick);
            }
        }
    }

    fn begin_tick(&mut self) {
        self.clock += 1;
        self.tick = self.clock;
    }

    /// Enters a queue that is an item of the one that runs: what is its own begins anew. What comes back is for
    /// [`leave`](Self::leave).
    pub(crate) fn enter(&mut self, scope: &Scope) -> Outer {
        for (name, _) in &scope.own {
            if let Some(slot) = self.slots.get_mut(name) {
                slot.forget();
            }
        }
        let slots =
            scope.outer.iter().filter_map(|(name, in_place)| Some((*name, self.slots.get(name)?.past(*in_place))));
        let outer = Outer { tick: self.tick, slots: slots.collect() };
        self.round.push(0);
        self.begin_tick();
        outer
    }

    /// Goes on with the round around a queue: whatever that queue put, it was put in this one round.
    pub(crate) fn leave(&mut self, outer: Outer) {
        self.round.pop();
        self.tick = outer.tick;
        for (name, past) in outer.slots {
            if let Some(slot) = self.slots.get_mut(name) {
                slot.end_as_of(outer.tick, past);
            }
        }
    }

    /// Stands at the end of this round, all of whose objects were put before.
    pub(crate) fn resume(&mut self, round: u32) {
        if let Some(last) = self.round.last_mut() {
            *last = round;
        }
    }

    /// Whether this task and another one hold one value, and not one each.
    pub(crate) fn shares(&self, other: &Self, name: &str) -> bool {
        self.stored(name).zip(other.stored(name)).is_some_and(|(own, other)| own.is(other))
    }

    /// Whether a variable was put in this round, and is not empty.
    pub(crate) fn feeds_back(&self, name: &str) -> bool {
        let holds = |stored: &Stored| stored.shape.as_ref().is_none_or(|shape| shape.elements() > 0);
        self.is_fresh(name) && self.stored(name).is_some_and(holds)
    }

    /// Brings back the last value of a variable that fed back nothing.
    pub(crate) fn deliver_last(&mut self, name: &str) {
        if let Some(slot) = self.slots.get_mut(name)
            && slot.current.is_none()
        {
            slot.current = slot.previous.clone();
        }
    }

    pub(crate) fn put_hosted(
        &mut self,
        name: &'static str,
        of: ObjectType,
        lifetime: Lifetime,
        value: Arc<Hosted>,
    ) -> Result<()> {
        let shape = value.object.shape();
        self.put_stored(name, of, lifetime, Stored::on_host(value, shape))
    }

    pub(crate) fn put_stored(
        &mut self,
        name: &'static str,
        of: ObjectType,
        lifetime: Lifetime,
        value: Stored,
    ) -> Result<()> {
        if self.rows.contains_key(name) {
            return Err(self.error(name, "it names partitioned rows, which are constant"));
        }
        let tick = self.tick;
        match self.slots.get_mut(name) {
            Some(slot) if slot.of == of => slot.replace(tick, value),
            Some(slot) => {
                let message = format!("it holds {}, and {} was put", slot.of.name, of.name);
                return Err(self.error(name, message));
            }
            None => {
                self.slots.insert(name, Slot::new(of, lifetime, tick, value));
            }
        }
        Ok(())
    }

    /// Whether an object was put in this round: then it is no earlier round's value too.
    pub(crate) fn is_fresh(&self, name: &str) -> bool {
        self.slots.get(name).is_some_and(|slot| slot.replaced == self.tick)
    }

    /// A value wherever it lives: taken out if it was put in this round, else shared with what it will be the last of.
    #[cfg(feature = "gpu")]
    pub(crate) fn take_part(&mut self, name: &str) -> Option<Stored> {
        let fresh = self.is_fresh(name);
        let slot = self.slots.get_mut(name)?;
        if fresh { slot.current.take() } else { slot.current.clone() }
    }

    pub(crate) fn stored(&self, name: &str) -> Option<&Stored> {
        self.slots.get(name).and_then(|slot| slot.current.as_ref())
    }

    /// The shape of an object, or of the task's rows, without moving it.
    pub(crate) fn shape(&self, name: &str) -> Option<&Shape> {
        self.stored(name).and_then(|stored| stored.shape.as_ref())
    }

    /// The shape a rule stands for, once the partitions are cut and the objects it names are there.
    pub(crate) fn shape_by(&self, rule: &ShapeRule) -> Option<Shape> {
        let rows = |name: &str| self.rows.get(name).map(RowsSlot::task_rows);
        match &rule.0 {
            Rule::Fixed(shape) => Some(shape.clone()),
            Rule::Like(other) => {
                self.shape(other).cloned().or_else(|| rows(other).map(|rows| Shape::new([rows.len(), rows.columns()])))
            }
            Rule::RowsOf(name, None) => rows(name).map(|rows| Shape::new([rows.len()])),
            Rule::RowsOf(name, Some(columns)) => rows(name).map(|rows| Shape::new([rows.len(), *columns])),
            Rule::Slice(name, columns, most) => rows(name).map(|rows| Shape::new([rows.len().min(*most), *columns])),
        }
    }

    /// Checks the objects that are there against the shapes their item declares: before it runs those it reads, after it
    /// all.
    pub(crate) fn check_shapes(&self, item: &str, objects: &Objects, after: bool) -> Result<()> {
        for (name, rule) in objects.shapes.iter().filter(|(name, _)| after || !objects.puts_anew(name)) {
            if let (Some(found), Some(wanted)) = (self.shape(name), self.shape_by(rule))
                && *found != wanted
            {
                let verb = if after { "put" } else { "found" };
                let message = format!("the item {verb} {found} where it declares {wanted} (task {})", self.task_id);
                return Err(Error::wiring(item, *name, message));
            }
        }
        Ok(())
    }

    pub(super) fn current(&self, name: &'static str) -> Result<&Stored> {
        match &self.seen {
            Some((seen, value)) if *seen == name => return Ok(value),
            Some((seen, _)) => {
                let message =
                    format!("the next round runs already: of the one before only `{seen}` is left to look at");
                return Err(self.error(name, message));
            }
            None => {}
        }
        self.slots.get(name).and_then(|slot| slot.current.as_ref()).ok_or_else(|| self.missing(name))
    }

    pub(super) fn on_host<'c, T: Object>(&'c self, name: &'static str, stored: &'c Stored) -> Result<&'c T> {
        let of = self.slots.get(name).map(|slot| slot.of).ok_or_else(|| self.missing(name))?;
        if !of.is::<T>() {
            return Err(self.other_type::<T>(name));
        }
        let object = stored.object(&self.place, of, name)?;
        object.as_any().downcast_ref().ok_or_else(|| self.other_type::<T>(name))
    }

    /// The host value of an object with its type taken out, moved from the device if it is there.
    pub(crate) fn hosted(&self, name: &'static str) -> Result<Option<&dyn AnyObject>> {
        match self.slots.get(name) {
            Some(Slot { current: Some(stored), of, .. }) => stored.object(&self.place, *of, name).map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn may_touch(&self, name: &'static str, write: bool) -> Result<()> {
        let Some(running) = &self.running else { return Ok(()) };
        if write && !running.objects.may_write(name) {
            return Err(self.error(name, "the item changes it without declaring so: add it to `writes` or `updates`"));
        }
        if !write && !running.objects.names(name) {
            return Err(self.error(name, "the item reads it without declaring so: add it to `reads`"));
        }
        Ok(())
    }

    fn missing(&self, name: &'static str) -> Error {
        self.error(name, "there is no such object at this point of the round")
    }

    fn other_type<T: Value + Sealed>(&self, name: &'static str) -> Error {
        let held = self.slots.get(name).map_or("nothing", |slot| slot.of.name);
        let asked = match T::kind() {
            Kind::Rows => "rows",
            Kind::Object(object) => object.name,
        };
        self.error(name, format!("it holds {held}, and {asked} was asked for"))
    }

    fn error(&self, name: &'static str, message: impl Into<String>) -> Error {
        let item = self.running.as_ref().map_or("(criterion, listener or completion)", |running| &running.item);
        Error::wiring(item, name, message)
    }
}

fn other_message(name: &'static str) -> Error {
    Error::wiring("(queue)", name, "its value is on a device only")
}
