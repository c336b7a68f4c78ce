//! Which rows go to which task, and where they live while the queue runs.
//!
//! Of the rows that a rank has, a device gets an equal share, cut into partitions: as many as the session asks for where all of them can be
//! pinned. Where they cannot, partitions are small, the first of them are pinned as far as the memory goes, and the rest
//! is streamed: brought to the device for each chain of each round.

use super::balance::Busy;
use super::context::{ComContext, Place};
use super::memory::{Memory, Reservation};
use super::needs::Needs;
use super::profile::Profile;
use super::rounds::ReadyBody;
use super::rows::{RowsSlot, StreamMeter};
use super::session::{Device, Session};
#[cfg(feature = "gpu")]
use super::tune::Tuning;
use crate::Result;
use crate::collective::Collective;
use crate::data::RowSource;
use std::ops::Range;
use std::sync::Arc;

/// A partition that is streamed has at most so many bytes, and at least so many where the memory allows it.
const PARTITION_BYTES: Range<u64> = 256 << 10..64 << 20;

/// The devices as the executor sees them.
pub(crate) struct Devices {
    pub(super) list: Vec<Device>,
    /// How many rows each gets, as against the others.
    pub(super) weights: Vec<u64>,
    /// Rows are cut at multiples of so many only.
    pub(super) block: u64,
    /// The most bytes that each may take, as set or found by trying.
    limits: Vec<u64>,
    /// How many tasks of a device run at once where rows are streamed.
    pub(super) together: usize,
    pub(super) memory: Memory,
    collective: Arc<dyn Collective>,
    profile: Arc<Profile>,
    #[cfg(feature = "gpu")]
    pub(super) tuning: Arc<Tuning>,
    pub(super) meter: Arc<StreamMeter>,
    pub(super) busy: Busy,
    /// How many devices that are lost may still be opened again: one that is lost time and again is given up.
    may_reopen: usize,
    #[cfg(feature = "gpu")]
    rings: Vec<Arc<super::device::RowsRing>>,
}

impl Devices {
    pub(crate) fn of(session: &Session) -> Self {
        Self::on(session.devices().to_vec(), session)
    }

    /// Those of a list that has at least one, with what is the session's.
    fn on(list: Vec<Device>, session: &Session) -> Self {
        let limits = list.iter().map(Device::memory_limit).collect();
        let (together, memory) = (session.partitions(), session.memory().clone());
        Self {
            #[cfg(feature = "gpu")]
            rings: list.iter().map(|_| Arc::default()).collect(),
            busy: Busy::of(list.len()),
            weights: vec![1; list.len()],
            may_reopen: list.len(),
            list,
            block: 1,
            limits,
            together,
            memory,
            collective: session.collective().clone(),
            profile: session.items().clone(),
            #[cfg(feature = "gpu")]
            tuning: session.tuning().clone(),
            meter: Arc::default(),
        }
    }

    pub(crate) fn place(&self, device: usize) -> Place {
        Place {
            device,
            profile: self.profile.clone(),
            #[cfg(feature = "gpu")]
            tuning: self.tuning.clone(),
            #[cfg(feature = "gpu")]
            gpu: match &self.list[device] {
                Device::Gpu(gpu) => Some(gpu.clone()),
                Device::Cpu(_) => None,
            },
            #[cfg(feature = "gpu")]
            streams: false,
            #[cfg(feature = "gpu")]
            ring: self.rings[device].clone(),
        }
    }

    /// The rows of a source that a device of this rank has.
    fn rows_of(&self, device: usize, source: &Source) -> Range<u64> {
        in_rows(share_of(&in_blocks(&self.rows(source), self.block), device, &self.weights), self.block, source.rows())
    }

    /// The rows of a source that this rank has.
    pub(super) fn rows(&self, source: &Source) -> Range<u64> {
        self.collective.share(source.rows())
    }

    /// The rows of each task, of those that this rank has of a source.
    pub(super) fn ranges(&self, source: &Source, shares: &[Share]) -> Vec<Range<u64>> {
        let ranges = ranges(&in_blocks(&self.rows(source), self.block), shares, &self.weights);
        ranges.into_iter().map(|range| in_rows(range, self.block, source.rows())).collect()
    }

    /// Opens devices that are lost again, or leaves out those that do not open; the processor comes in where no other is left. Says
    /// what became of each: nothing where none is lost.
    pub(super) fn replace_lost(&mut self, session: &Session) -> Vec<String> {
        let (mut list, mut again, mut gone, mut left) = (Vec::new(), Vec::new(), Vec::new(), self.may_reopen);
        for device in &self.list {
            if !device.is_lost() {
                list.push(device.clone());
                continue;
            }
            let name = device.info().name.as_str();
            match if left > 0 { session.in_place_of(device) } else { None } {
                Some(device) => {
                    list.push(device);
                    again.push(format!("{name} was lost, and opened again"));
                    left -= 1;
                }
                None => gone.push(name),
            }
        }
        if again.is_empty() && gone.is_empty() {
            return Vec::new();
        }
        let others = if list.is_empty() { "the processor" } else { "the other devices" };
        if list.is_empty() {
            list.push(Device::the_cpu());
        }
        let told = gone.into_iter().map(|name| format!("{name} was lost, and {others} took its rows"));
        let told = again.into_iter().chain(told).collect();
        *self = Self { block: self.block, meter: self.meter.clone(), may_reopen: left, ..Self::on(list, session) };
        told
    }

    /// How many read streamed rows at once, where so many threads compute on the CPU.
    pub(super) fn readers(&self, threads: usize) -> usize {
        if self.list.iter().any(Device::is_host) { threads } else { self.list.len() }
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

    /// After a device ran out of memory: how much each may take at the next try. `None` once there is nothing to halve.
    pub(super) fn halve(&mut self, shares: &[Share]) -> Option<()> {
        let mut halved = false;
        for ((device, limit), share) in self.list.iter().zip(&mut self.limits).zip(shares) {
            let wanted = (*limit).min(share.wanted);
            if !device.is_host() && wanted > PARTITION_BYTES.start {
                *limit = wanted / 2;
                halved = true;
            }
        }
        halved.then_some(())
    }
}

/// How one device's share of the rows is cut.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Share {
    pub(crate) tasks: usize,
    /// How many of the tasks, the first ones, have their rows pinned.
    pub(crate) pinned: usize,
    /// Whether partitions have one length, the last excepted; else they differ by at most one row.
    equal: bool,
    /// What the device would take with everything pinned, in bytes.
    wanted: u64,
    /// What it needs beside the pinned rows, in bytes.
    beside: u64,
}

/// One source of partitioned rows as it is placed.
pub(crate) type Source<'s> = Arc<dyn RowSource + 's>;

/// Cuts the share of every device.
pub(crate) fn shares(devices: &Devices, sources: &[Source], needs: &Needs) -> Result<Vec<Share>> {
    let shares = devices.list.iter().enumerate().map(|(number, device)| match device {
        Device::Cpu(_) => {
            let ranges = sources.iter().map(|source| (source, devices.rows_of(number, source)));
            Ok(share_of_host(&devices.memory, devices.together, ranges))
        }
        #[cfg(feature = "gpu")]
        Device::Gpu(gpu) => {
            let rows = |source: &Source| {
                let Range { start, end } = devices.rows_of(number, source);
                end - start
            };
            let (limit, binding) = (devices.limits[number], device.max_partition_bytes());
            // Blocks are cut as rows are.
            let block = devices.block;
            let size = |source| (rows(source).div_ceil(block), row_bytes(source).saturating_mul(block));
            let sizes: Vec<(u64, u64)> = sources.iter().map(size).collect();
            share_of_device(&sizes, &needs.of_blocks(block), limit, binding, devices.together)
                .map_err(|message| crate::Error::OutOfMemory { device: gpu.info().name.clone(), message })
        }
    });
    let _ = needs;
    shares.collect()
}

fn row_bytes(source: &Source) -> u64 {
    (source.columns() * size_of::<f32>()) as u64
}

fn share_of_host<'s>(
    memory: &Memory,
    together: usize,
    ranges: impl Iterator<Item = (&'s Source<'s>, Range<u64>)>,
) -> Share {
    let (mut all, mut missing) = (0, 0);
    for (source, range) in ranges {
        let bytes = (range.end - range.start).saturating_mul(row_bytes(source));
        all += bytes;
        missing += if source.in_memory(range).is_some() { 0 } else { bytes };
    }
    if missing <= memory.available() {
        return Share { tasks: together, pinned: together, equal: false, wanted: all, beside: 0 };
    }
    let tasks = all.div_ceil(host_partition(memory, together)).max(together as u64) as usize;
    Share { tasks, pinned: 0, equal: true, wanted: all, beside: 0 }
}

/// The bytes of a partition that is streamed on the host: those that run together take a quarter of the memory where their
/// items want them whole. Large ones lose less to the threads' waiting for each other at their ends.
fn host_partition(memory: &Memory, together: usize) -> u64 {
    (memory.limit() / (4 * together.max(1) as u64)).clamp(PARTITION_BYTES.start, PARTITION_BYTES.end)
}

/// Cuts sources of so many rows and bytes a row for a device that may take `limit` bytes and binds `binding` at once.
#[cfg(feature = "gpu")]
fn share_of_device(
    sources: &[(u64, u64)],
    needs: &Needs,
    limit: u64,
    binding: u64,
    together: usize,
) -> Result<Share, String> {
    let rows = sources.iter().map(|(rows, _)| *rows).max().unwrap_or(0);
    let row = sources.iter().map(|(_, bytes)| bytes).sum::<u64>().max(1);
    let widest = sources.iter().map(|(_, bytes)| *bytes).max().unwrap_or(1).max(1);
    let bound = (binding / widest).max(1);
    let kept = rows.saturating_mul(needs.kept_per_row).saturating_add(needs.fixed);
    let tasks = rows.div_ceil(bound).max(together as u64) as usize;
    let slices = needs.slices(rows, tasks as u64);
    let wanted = rows.saturating_mul(row + needs.scratch_per_row).saturating_add(kept).saturating_add(slices);
    if wanted <= limit {
        return Ok(Share { tasks, pinned: tasks, equal: false, wanted, beside: wanted - rows * row });
    }
    // Two partitions at a time: one is computed on while the next arrives. The last one may have a length of its own.
    let moving = |rows: u64| rows.saturating_mul(3 * row + needs.scratch_per_row).saturating_add(needs.slices(rows, 1));
    let free = limit.saturating_sub(kept);
    let rows_of = |bytes: u64| bytes / row;
    let part = rows_of(free / 8).min(rows_of(PARTITION_BYTES.end)).min(bound).max(1);
    if moving(part) > free {
        let least = kept.saturating_add(moving(1));
        return Err(format!("what the items keep of {rows} rows takes {least} bytes, and {limit} are allowed or left"));
    }
    let tasks = rows.div_ceil(part).max(together as u64);
    let part = rows.div_ceil(tasks);
    let pinned = ((free - moving(part)) / (part * row).max(1)).min(tasks);
    let beside = kept + moving(part);
    Ok(Share { tasks: tasks as usize, pinned: pinned as usize, equal: true, wanted, beside })
}

/// The blocks that hold some rows, which begin with one unless they are none.
fn in_blocks(rows: &Range<u64>, block: u64) -> Range<u64> {
    rows.start.div_ceil(block)..rows.end.div_ceil(block)
}

/// The rows of some blocks, where there are so many in all.
fn in_rows(blocks: Range<u64>, block: u64, rows: u64) -> Range<u64> {
    rows.min(blocks.start.saturating_mul(block))..rows.min(blocks.end.saturating_mul(block))
}

/// The blocks (or rows) of each task, of those that this rank has of a source.
fn ranges(rows: &Range<u64>, shares: &[Share], weights: &[u64]) -> Vec<Range<u64>> {
    let of_device = shares.iter().enumerate().map(|(device, cut)| {
        let share = share_of(rows, device, weights);
        let (tasks, length) = (cut.tasks as u64, (share.end - share.start).div_ceil(cut.tasks.max(1) as u64));
        let equal = cut.equal;
        (0..tasks).map(move |task| {
            let at = |task: u64| share.start.saturating_add(task.saturating_mul(length)).min(share.end);
            if equal { at(task)..at(task + 1) } else { part(&share, task, tasks) }
        })
    });
    of_device.flatten().collect()
}

/// The part of some rows that a device gets.
fn share_of(of: &Range<u64>, device: usize, weights: &[u64]) -> Range<u64> {
    let all: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let at = |devices: usize| {
        let before: u128 = weights.iter().take(devices).map(|weight| u128::from(*weight)).sum();
        of.start + (u128::from(of.end - of.start) * before / all.max(1)) as u64
    };
    at(device)..at(device + 1)
}

/// Part number `part` of `parts` of some rows; they differ by at most one row.
fn part(of: &Range<u64>, part: u64, parts: u64) -> Range<u64> {
    let at = |part: u64| of.start + (u128::from(of.end - of.start) * u128::from(part) / u128::from(parts)) as u64;
    at(part)..at(part + 1)
}

/// Gives every task its rows of a source, in place of those it has of this name.
pub(crate) fn cut<'s>(
    name: &'static str,
    source: &Source<'s>,
    tasks: &mut [ComContext<'s>],
    devices: &Devices,
    shares: &[Share],
) {
    for (task, range) in tasks.iter_mut().zip(devices.ranges(source, shares)) {
        let slot = RowsSlot::new(source.clone(), range, devices.meter.clone());
        let before = task.rows.remove(name);
        task.rows.insert(name, slot.after(before));
    }
}

/// Brings rows that have come anew into the memory of the host, for the tasks that compute there.
pub(crate) fn pin_anew(name: &str, tasks: &mut [ComContext], devices: &Devices) -> Result<()> {
    let on_host = tasks.iter_mut().filter(|task| devices.list.get(task.place.device).is_some_and(Device::is_host));
    on_host.filter_map(|task| task.rows.get_mut(name)).try_for_each(|slot| slot.pin(&devices.memory))
}

/// Pins what was decided to be pinned, before the first round.
pub(crate) fn pin(ready: &ReadyBody, tasks: &mut [ComContext], devices: &Devices, shares: &[Share]) -> Result<()> {
    let mut first = 0;
    for (share, device) in shares.iter().zip(&devices.list) {
        let group = &mut tasks[first..first + share.tasks];
        first += share.tasks;
        match device {
            Device::Cpu(_) => pin_on_host(group, devices, share)?,
            #[cfg(feature = "gpu")]
            Device::Gpu(gpu) => pin_on_device(ready, group, gpu, share)?,
        }
    }
    let _ = ready;
    devices.submit()
}

fn pin_on_host(group: &mut [ComContext], devices: &Devices, share: &Share) -> Result<()> {
    let memory = &devices.memory;
    let passing = host_partition(memory, devices.together).saturating_mul(devices.together as u64);
    // What is not pinned still needs room while it passes.
    let _passing: Option<Reservation> = share.equal.then(|| memory.reserve_up_to(passing, 1));
    group.iter_mut().flat_map(|task| task.rows.values_mut()).try_for_each(|slot| slot.pin(memory))
}

#[cfg(feature = "gpu")]
fn pin_on_device(
    ready: &ReadyBody,
    group: &mut [ComContext],
    gpu: &crate::backend::gpu::GpuDevice,
    share: &Share,
) -> Result<()> {
    let (pinned, streamed) = group.split_at_mut(share.pinned.min(group.len()));
    for task in streamed {
        task.place.streams = true;
    }
    for ready in ready.items() {
        for task in &mut *pinned {
            if ready.runs_on_device(task) {
                super::device::pin(&ready.item, task, gpu)?;
            }
        }
    }
    // What the rounds will take is tried now: later it would be too late to pin fewer rows.
    let mut room = Vec::new();
    let mut left = share.beside;
    while left > 0 {
        let piece = left.min(gpu.limits().max_buffer_bytes);
        room.push(gpu.create_zeroed("room for the items", piece)?);
        left -= piece;
    }
    Ok(())
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;

    const NEEDS: Needs = Needs { kept_per_row: 4, scratch_per_row: 8, slice_per_row: 0, most_in_slice: 0, fixed: 1000 };

    #[test]
    fn devices_get_rows_by_their_weights_and_all_rows_are_somebodys() {
        for weights in [vec![1], vec![1, 1, 1], vec![16, 1024], vec![7, 1, 90, 2]] {
            for rows in [0, 1, 5, 1000, 1 << 40] {
                let shares: Vec<_> = (0..weights.len()).map(|at| share_of(&(3..3 + rows), at, &weights)).collect();
                assert_eq!((shares[0].start, shares[weights.len() - 1].end), (3, 3 + rows));
                assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start), "{shares:?}");
                let all: u64 = weights.iter().sum();
                for (share, weight) in shares.iter().zip(&weights) {
                    let exact = rows as f64 * *weight as f64 / all as f64;
                    assert!(((share.end - share.start) as f64 - exact).abs() <= 1.0, "{shares:?} for {weights:?}");
                }
            }
        }
    }

    #[test]
    fn blocks_cover_the_rows_they_stand_for() {
        for (rows, block) in
            [(0..1000, 1), (0..1000, 256), (4096..9000, 256), (4096..4096, 256), (9000..9000, 256), (8192..8193, 4096)]
        {
            let blocks = in_blocks(&rows, block);
            let cut = blocks.start + (blocks.end - blocks.start) / 2;
            let [left, right] = [blocks.start..cut, cut..blocks.end].map(|part| in_rows(part, block, rows.end));
            assert_eq!((left.start, right.end), (rows.start, rows.end));
            assert!(left.end == right.start && (left.end.is_multiple_of(block) || right.is_empty()), "{left:?}");
        }
    }

    #[test]
    fn what_fits_is_pinned_whole() {
        let share = share_of_device(&[(1000, 100)], &NEEDS, u64::MAX, u64::MAX, 2).expect("it fits");
        assert_eq!((share.tasks, share.pinned), (2, 2));
        let bound = share_of_device(&[(1000, 100)], &NEEDS, u64::MAX, 10_000, 1).expect("it fits");
        assert_eq!((bound.tasks, bound.pinned), (10, 10));
    }

    #[test]
    fn what_does_not_fit_is_pinned_in_part_and_never_takes_more_than_allowed() {
        let (rows, row) = (100_000_u64, 100_u64);
        for limit in [600_000, 1_000_000, 5_000_000, 11_000_000] {
            let share = share_of_device(&[(rows, row)], &NEEDS, limit, u64::MAX, 1).expect("it can be streamed");
            let part = rows.div_ceil(share.tasks as u64);
            let taken = share.pinned as u64 * part * row + part * (3 * row + 8) + rows * 4 + 1000;
            assert!(taken <= limit && share.pinned < share.tasks, "{limit}: {share:?} takes {taken}");
            assert!(limit < 5_000_000 || share.pinned > 0, "{share:?}");
            let ranges = ranges(&(0..rows), &[share], &[1]);
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, rows));
        }
    }

    #[test]
    fn slices_take_no_more_than_their_most() {
        let needs = Needs { slice_per_row: 1000, most_in_slice: 50, ..NEEDS };
        let of = |rows: u64, limit: u64| share_of_device(&[(rows, 100)], &needs, limit, u64::MAX, 1).expect("it fits");
        assert_eq!(of(40, u64::MAX).wanted, 40 * 1112 + 1000);
        assert_eq!(of(4000, u64::MAX).wanted, 4000 * 112 + 1000 + 50 * 1000);
        let share = of(4000, 300_000);
        assert!(share.pinned < share.tasks && share.beside >= 50 * 1000, "{share:?}");
    }

    #[test]
    fn what_cannot_even_be_streamed_is_refused_with_what_it_would_take() {
        let message = share_of_device(&[(1000, 100)], &NEEDS, 4_000, u64::MAX, 1).expect_err("4 bytes a row are kept");
        assert!(message.contains("5308") && message.contains("4000"), "{message}");
    }
}
