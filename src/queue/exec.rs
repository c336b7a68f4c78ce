//! Running a planned queue: placing partitions, superstep after superstep, until something says stop.

use super::context::{ComContext, Place, Running};
use super::object::ObjectType;
use super::plan::{Planned, Step};
use super::session::{Device, Session};
use crate::backend::ReduceOp;
#[cfg(feature = "gpu")]
use crate::backend::gpu::Kernel;
use crate::data::RowSource;
use crate::{Error, Result};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The devices as the executor sees them.
pub(crate) struct Devices {
    list: Vec<Device>,
}

impl Devices {
    pub(crate) fn of(session: &Session) -> Self {
        Self { list: session.devices().to_vec() }
    }

    pub(crate) fn place(&self, device: usize) -> Place {
        Place {
            device,
            #[cfg(feature = "gpu")]
            gpu: match &self.list[device] {
                Device::Gpu(gpu) => Some(gpu.clone()),
                Device::Cpu(_) => None,
            },
        }
    }

    /// The runs of tasks that share a device.
    pub(super) fn groups(&self, tasks: &[ComContext]) -> Vec<Range<usize>> {
        let mut at = 0;
        let groups = tasks.chunk_by(|a, b| a.place.device == b.place.device);
        groups
            .map(|group| {
                at += group.len();
                at - group.len()..at
            })
            .collect()
    }

    /// Merges what devices can merge themselves, and names the tasks whose values are left to merge.
    #[cfg_attr(not(feature = "gpu"), expect(clippy::unnecessary_wraps, reason = "with devices this can fail"))]
    pub(crate) fn merge_within(
        &self,
        op: ReduceOp,
        of: ObjectType,
        name: &'static str,
        tasks: &mut [ComContext],
    ) -> Result<Vec<usize>> {
        #[cfg(feature = "gpu")]
        {
            self.merge_on_devices(op, of, name, tasks)
        }
        #[cfg(not(feature = "gpu"))]
        {
            let _ = (op, of, name);
            Ok((0..tasks.len()).collect())
        }
    }

    /// Hands over to the devices what was recorded for them.
    pub(crate) fn submit(&self) -> Result<()> {
        #[cfg(feature = "gpu")]
        for device in &self.list {
            if let Device::Gpu(gpu) = device {
                gpu.submit()?;
            }
        }
        Ok(())
    }
}

/// How many tasks each device has: what the session asks for, and more where a partition would not fit a binding.
pub(crate) fn tasks_per_device(session: &Session, sources: &[Arc<dyn RowSource + '_>]) -> Vec<usize> {
    let devices = session.devices();
    let counts = devices.iter().map(|device| {
        let needed = sources.iter().map(|source| {
            let row_bytes = (source.columns() * size_of::<f32>()) as u64;
            let rows_that_fit = (device.max_partition_bytes() / row_bytes.max(1)).max(1);
            source.rows().div_ceil(devices.len() as u64).div_ceil(rows_that_fit) as usize
        });
        needed.max().unwrap_or(1).max(session.partitions())
    });
    counts.collect()
}

/// The rows of each task: every device has an equal share, and its tasks have equal parts of that.
pub(crate) fn ranges(rows: u64, tasks_per_device: &[usize]) -> Vec<Range<u64>> {
    let devices = tasks_per_device.len() as u64;
    let cut = |of: &Range<u64>, part: u64, parts: u64| {
        let at = |part: u64| of.start + (u128::from(of.end - of.start) * u128::from(part) / u128::from(parts)) as u64;
        at(part)..at(part + 1)
    };
    let shares = tasks_per_device.iter().enumerate().map(|(device, &tasks)| {
        let share = cut(&(0..rows), device as u64, devices);
        (0..tasks as u64).map(move |task| cut(&share, task, tasks as u64))
    });
    shares.flatten().collect()
}

/// A chain item with its compiled kernels, one entry a device.
pub(crate) struct Ready<'q> {
    item: Planned<'q>,
    #[cfg(feature = "gpu")]
    kernels: Vec<Option<Vec<Kernel>>>,
}

/// A step with everything compiled.
pub(crate) enum ReadyStep<'q> {
    Chain(Vec<Ready<'q>>),
    Communicate(&'q dyn super::communicate::Communicate),
}

/// Compiles every item once for every device.
pub(crate) fn compile<'q>(steps: Vec<Step<'q>>, devices: &Devices) -> Result<Vec<ReadyStep<'q>>> {
    let ready = |item: Planned<'q>| -> Result<Ready<'q>> {
        Ok(Ready {
            #[cfg(feature = "gpu")]
            kernels: devices
                .list
                .iter()
                .map(|device| match device {
                    Device::Gpu(gpu) => super::device::compile(&item, gpu),
                    Device::Cpu(_) => Ok(None),
                })
                .collect::<Result<_>>()?,
            item,
        })
    };
    let _ = devices;
    let steps = steps.into_iter().map(|step| match step {
        Step::Chain(chain) => chain.into_iter().map(ready).collect::<Result<_>>().map(ReadyStep::Chain),
        Step::Communicate(communicate) => Ok(ReadyStep::Communicate(communicate)),
    });
    steps.collect()
}

/// Pins the partitions that devices compute on, before the first round.
pub(crate) fn pin(steps: &[ReadyStep], tasks: &mut [ComContext], devices: &Devices) -> Result<()> {
    #[cfg(feature = "gpu")]
    for step in steps {
        let ReadyStep::Chain(chain) = step else { continue };
        for ready in chain {
            for task in &mut *tasks {
                if let Some((gpu, _)) = on_device(ready, std::slice::from_ref(task)) {
                    super::device::pin(&ready.item, task, &gpu)?;
                }
            }
        }
    }
    #[cfg(not(feature = "gpu"))]
    let _ = (steps, tasks);
    devices.submit()
}

/// Runs all steps of one round.
pub(crate) fn superstep(steps: &[ReadyStep], tasks: &mut [ComContext], devices: &Devices, round: u32) -> Result<()> {
    for step in steps {
        match step {
            ReadyStep::Chain(chain) => run_chain(chain, tasks, devices, round)?,
            ReadyStep::Communicate(communicate) => {
                communicate.run(tasks, devices).map_err(|error| in_round(error, round, &communicate.name()))?;
            }
        }
    }
    Ok(())
}

/// Runs a chain on every device at once, and on the tasks of a device as that device can.
fn run_chain(chain: &[Ready], tasks: &mut [ComContext], devices: &Devices, round: u32) -> Result<()> {
    let several = devices.list.len() > 1;
    let groups: Vec<&mut [ComContext]> = tasks.chunk_by_mut(|a, b| a.place.device == b.place.device).collect();
    let run = |group: &mut [ComContext]| -> Result<()> {
        for ready in chain {
            run_item(ready, group).map_err(|error| in_round(error, round, &ready.item.name))?;
        }
        #[cfg(feature = "gpu")]
        if let (true, Some(gpu)) = (several, group.first().and_then(|task| task.place.gpu.as_ref())) {
            gpu.submit()?;
        }
        Ok(())
    };
    if !several {
        return groups.into_iter().try_for_each(run);
    }
    let results: Vec<Result<()>> = groups.into_par_iter().map(run).collect();
    results.into_iter().collect()
}

fn run_item(ready: &Ready, group: &mut [ComContext]) -> Result<()> {
    let item = &ready.item;
    let once = item.objects.once_per_device;
    let active = if once { 1 } else { group.len() };
    #[cfg(feature = "gpu")]
    if let Some((gpu, kernels)) = on_device(ready, group) {
        for task in &mut group[..active] {
            super::device::record(item, kernels, task, &gpu)?;
        }
        return if once { share_written(item, group) } else { Ok(()) };
    }
    let calc = |task: &mut ComContext| {
        task.check_shapes(&item.name, &item.objects, false)?;
        task.run_as(Some(Running { item: item.name.clone(), objects: item.objects.clone() }));
        let result = item.function.calc(task);
        task.run_as(None);
        result.and_then(|()| task.check_shapes(&item.name, &item.objects, true))
    };
    if active == 1 {
        calc(&mut group[0])?;
    } else {
        let results: Vec<Result<()>> = group[..active].par_iter_mut().map(calc).collect();
        results.into_iter().collect::<Result<()>>()?;
    }
    if once { share_written(item, group) } else { Ok(()) }
}

#[cfg(feature = "gpu")]
fn on_device<'r>(ready: &'r Ready, group: &[ComContext]) -> Option<(crate::backend::gpu::GpuDevice, &'r [Kernel])> {
    let place = &group.first()?.place;
    Some((place.gpu.clone()?, ready.kernels.get(place.device)?.as_deref()?))
}

/// Gives all tasks of a device what its first task wrote.
fn share_written(item: &Planned, group: &mut [ComContext]) -> Result<()> {
    let Some((first, rest)) = group.split_first_mut() else { return Ok(()) };
    let round = first.round_no();
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
                (None, Some(slot)) => slot.retire(round),
                (None, None) => {}
            }
        }
    }
    Ok(())
}

/// Says where an error happened, unless it says so itself.
pub(crate) fn in_round(error: Error, round: u32, item: &str) -> Error {
    match error {
        Error::Wiring { .. } | Error::Item { .. } => error,
        source => Error::Item { round, item: item.to_owned(), source: Box::new(source) },
    }
}
