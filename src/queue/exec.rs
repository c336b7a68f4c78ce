//! Running a planned queue, superstep after superstep.

use super::body::Nested;
use super::communicate::Communicate;
use super::context::{ComContext, Place, Running};
#[cfg(feature = "gpu")]
use super::device::OnDevice;
use super::object::ObjectType;
use super::place::Devices;
use super::plan::{Planned, PlannedBody, Step};
use super::rounds::{Engine, ReadyBody, in_queue};
#[cfg(feature = "gpu")]
use super::session::Device;
use super::stream;
use crate::backend::ReduceOp;
#[cfg(feature = "gpu")]
use crate::backend::gpu::GpuDevice;
use crate::{Error, Result};
use rayon::prelude::*;
use std::time::Instant;

/// A chain item with its compiled kernels, one entry a device.
pub(crate) struct Ready<'q> {
    pub(super) item: Planned<'q>,
    #[cfg(feature = "gpu")]
    kernels: Vec<Option<OnDevice>>,
}

/// A step with everything compiled.
pub(crate) enum ReadyStep<'q> {
    Chain(Vec<Ready<'q>>),
    Communicate(&'q dyn Communicate),
    Nested(&'q Nested<'q>, ReadyBody<'q>),
}

impl<'q> ReadyBody<'q> {
    /// All compute items, those of the queues inside too.
    pub(super) fn items(&self) -> Vec<&Ready<'q>> {
        let mut items = Vec::new();
        for step in &self.steps {
            match step {
                ReadyStep::Chain(chain) => items.extend(chain),
                ReadyStep::Nested(_, inner) => items.extend(inner.items()),
                ReadyStep::Communicate(_) => {}
            }
        }
        items
    }
}

impl Ready<'_> {
    /// Whether the item computes the same on every task of a device.
    pub(super) fn is_once(&self) -> bool {
        self.item.objects.once_per_device
    }

    /// Whether the item's WGSL runs on the device of a task.
    #[cfg(feature = "gpu")]
    pub(super) fn runs_on_device(&self, task: &ComContext) -> bool {
        self.on_device(task).is_some()
    }

    #[cfg(feature = "gpu")]
    fn on_device(&self, task: &ComContext) -> Option<(GpuDevice, &OnDevice)> {
        Some((task.place.gpu.clone()?, self.kernels.get(task.place.device)?.as_ref()?))
    }

    /// Runs the item for one task: recorded on its device, or computed on the host.
    pub(super) fn run(&self, task: &mut ComContext) -> Result<()> {
        let item = &self.item;
        #[cfg(feature = "gpu")]
        if let Some((gpu, ready)) = self.on_device(task) {
            return super::device::record(item, ready, task, &gpu);
        }
        task.check_shapes(&item.name, &item.objects, false)?;
        task.run_as(Some(Running { item: item.name.clone(), objects: item.objects.clone() }));
        let (profile, device) = (task.place.profile.clone(), task.place.device);
        let result = profile.run(device, &item.name, || item.function.calc(task));
        task.run_as(None);
        result.and_then(|()| task.check_shapes(&item.name, &item.objects, true))
    }
}

/// Compiles every item once for every device.
pub(crate) fn compile<'q>(planned: PlannedBody<'q>, devices: &Devices) -> Result<ReadyBody<'q>> {
    let ready = |item: Planned<'q>| -> Result<Ready<'q>> {
        Ok(Ready {
            #[cfg(feature = "gpu")]
            kernels: devices
                .list
                .iter()
                .map(|device| match device {
                    Device::Gpu(gpu) => super::device::compile(&item, gpu, &devices.tuning),
                    Device::Cpu(_) => Ok(None),
                })
                .collect::<Result<_>>()?,
            item,
        })
    };
    let _ = devices;
    let steps = planned.steps.into_iter().map(|step| match step {
        Step::Chain(chain) => chain.into_iter().map(ready).collect::<Result<_>>().map(ReadyStep::Chain),
        Step::Communicate(communicate) => Ok(ReadyStep::Communicate(communicate)),
        Step::Nested(nested, inner) => Ok(ReadyStep::Nested(nested, compile(inner, devices)?)),
    });
    Ok(ReadyBody { body: planned.body, steps: steps.collect::<Result<_>>()?, scope: planned.scope })
}

/// Runs all steps of one round. Where there are several ranks an error waits for the next communication, so that all
/// ranks hear of it; `verdict` is one that waits already.
pub(crate) fn superstep(
    steps: &[ReadyStep],
    tasks: &mut [ComContext],
    engine: &mut Engine,
    round: u32,
    mut verdict: Result<()>,
) -> Result<()> {
    let (devices, ranks) = (engine.devices, engine.ranks);
    for (at, step) in steps.iter().enumerate() {
        verdict = match step {
            ReadyStep::Chain(chain) => {
                let next = match steps.get(at + 1) {
                    Some(ReadyStep::Communicate(next)) => Some(*next),
                    _ => None,
                };
                verdict.and_then(|()| run_chain(chain, next, tasks, devices, round))
            }
            ReadyStep::Communicate(communicate) => {
                let done = communicate.run(tasks, devices, ranks, verdict);
                done.map_err(|error| in_round(error, round, &communicate.name()))
            }
            ReadyStep::Nested(nested, inner) => {
                let done = engine.nested(nested, inner, tasks, verdict);
                done.map_err(|error| in_queue(error, round, inner.body.name))
            }
        };
        if ranks.is_alone() || matches!(verdict, Err(Error::Rank { .. })) {
            verdict?;
            verdict = Ok(());
        }
    }
    verdict
}

/// Runs a chain on every device at once.
fn run_chain(
    chain: &[Ready],
    next: Option<&dyn Communicate>,
    tasks: &mut [ComContext],
    devices: &Devices,
    round: u32,
) -> Result<()> {
    let groups: Vec<&mut [ComContext]> = tasks.chunk_by_mut(|a, b| a.place.device == b.place.device).collect();
    let run = |group: &mut [ComContext]| run_group(chain, next, group, devices.together, round);
    if devices.list.len() == 1 {
        return groups.into_iter().try_for_each(run);
    }
    std::thread::scope(|waiting| {
        let run = |group: &mut [ComContext]| {
            let clock = devices.busy.is_measured().then(Instant::now);
            run(group)?;
            let Some(Place { device, .. }) = group.first().map(|task| &task.place) else { return Ok(()) };
            let device = *device;
            #[cfg(feature = "gpu")]
            if let Some(gpu) = group.first().and_then(|task| task.place.gpu.clone()) {
                gpu.submit()?;
                if let Some(clock) = clock {
                    note_when_done(waiting, gpu, move || devices.busy.note(device, clock.elapsed()));
                }
                return Ok(());
            }
            let _ = waiting;
            clock.iter().for_each(|clock| devices.busy.note(device, clock.elapsed()));
            Ok(())
        };
        let results: Vec<Result<()>> = groups.into_par_iter().map(run).collect();
        results.into_iter().collect()
    })
}

/// Notes how long a device was busy, on a thread that waits for it: one of the pool has work to do meanwhile.
#[cfg(feature = "gpu")]
fn note_when_done<'scope>(
    waiting: &'scope std::thread::Scope<'scope, '_>,
    gpu: GpuDevice,
    note: impl FnOnce() + Send + 'scope,
) {
    // Where there is no thread nothing is noted; a device that fails says so when its results are fetched.
    let wait = move || gpu.wait().map_or((), |()| note());
    drop(std::thread::Builder::new().spawn_scoped(waiting, wait));
}

/// Runs a chain on the tasks of one device as that can.
fn run_group(
    chain: &[Ready],
    next: Option<&dyn Communicate>,
    group: &mut [ComContext],
    together: usize,
    round: u32,
) -> Result<()> {
    if group.iter().any(ComContext::is_streamed) {
        return stream::run_chain(chain, next, group, together, round);
    }
    let mut items = chain.iter();
    items.try_for_each(|ready| run_item(ready, group).map_err(|error| in_round(error, round, &ready.item.name)))
}

/// Runs an item on all tasks of a device, or on the first for all of them.
pub(super) fn run_item(ready: &Ready, group: &mut [ComContext]) -> Result<()> {
    if ready.item.objects.only_when_seen && group.first().is_some_and(|task| task.unseen) {
        return Ok(());
    }
    if ready.is_once() {
        if let Some(first) = group.first_mut() {
            ready.run(first)?;
        }
        return share_written(&ready.item, group);
    }
    run_on_each(group, |task| ready.run(task))
}

/// Runs something on each task: at once on the host, in their order where a device records them.
pub(super) fn run_on_each(
    tasks: &mut [ComContext],
    run: impl Fn(&mut ComContext) -> Result<()> + Send + Sync,
) -> Result<()> {
    #[cfg(feature = "gpu")]
    let records = tasks.first().is_some_and(|task| task.place.gpu.is_some());
    #[cfg(not(feature = "gpu"))]
    let records = false;
    if tasks.len() == 1 || records {
        return tasks.iter_mut().try_for_each(run);
    }
    let results: Vec<Result<()>> = tasks.par_iter_mut().map(run).collect();
    results.into_iter().collect()
}

/// Gives all tasks of a device what its first task wrote.
fn share_written(item: &Planned, group: &mut [ComContext]) -> Result<()> {
    let Some((first, rest)) = group.split_first_mut() else { return Ok(()) };
    let tick = first.tick();
    for declared in item.objects.written() {
        let Some(slot) = first.slots.get(declared.name) else { continue };
        let (of, lifetime) = (slot.of, slot.lifetime);
        for task in &mut *rest {
            match (&slot.current, task.slots.get_mut(declared.name)) {
                (Some(stored), _) => {
                    task.put_stored(declared.name, of, lifetime, stored.clone())?;
                    if let Some(slot) = task.slots.get_mut(declared.name) {
                        slot.leave_spare();
                    }
                }
                (None, Some(slot)) => slot.retire(tick),
                (None, None) => {}
            }
        }
    }
    Ok(())
}

impl Devices {
    /// Merges what devices can merge themselves, and names the tasks whose values are left to merge: some of `parts`.
    pub(super) fn merge_within(
        &self,
        op: ReduceOp,
        of: ObjectType,
        name: &'static str,
        tasks: &mut [ComContext],
        parts: Vec<usize>,
    ) -> Result<Vec<usize>> {
        #[cfg(feature = "gpu")]
        {
            drop(parts);
            self.merge_on_devices(op, of, name, tasks)
        }
        #[cfg(not(feature = "gpu"))]
        {
            let _ = (op, of, name, tasks);
            Ok(parts)
        }
    }
}

/// Says where an error happened, unless it says so itself.
pub(crate) fn in_round(error: Error, round: u32, item: &str) -> Error {
    match error {
        Error::Wiring { .. } | Error::Item { .. } | Error::Rank { .. } => error,
        source => Error::Item { round, item: item.to_owned(), source: Box::new(source) },
    }
}
