//! Running an item's WGSL on the device that holds a task.

mod merge;
mod variants;

pub(super) use merge::FoldOnDevice;
use variants::Variant;
pub(super) use variants::{OnDevice, compile};

use super::bindings::{self, Bound};
use super::context::ComContext;
use super::declare::{Objects, Rule, ShapeRule};
use super::key::{Declared, Kind};
use super::object::{ObjectType, Shape};
use super::plan::Planned;
use super::shader::{Pass, Size};
use super::stored::Stored;
use super::tune;
use crate::backend::Element;
use crate::backend::gpu::{DeviceBuffer, GpuDevice, Kernel, View};
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers of a task that are no objects.
#[derive(Default)]
pub(crate) struct Private {
    scratch: HashMap<&'static str, (Shape, Arc<DeviceBuffer>)>,
    uniforms: HashMap<String, (Vec<u32>, Arc<DeviceBuffer>)>,
    /// The items whose scratch memory holds what follows from the task's rows, by their numbers.
    derived: HashSet<usize>,
}

type Scratch = HashMap<&'static str, (Shape, Arc<DeviceBuffer>)>;

impl Private {
    /// Scratch memory that another task may go on with.
    pub(super) fn take_scratch(&mut self) -> Scratch {
        self.derived.clear();
        std::mem::take(&mut self.scratch)
    }

    /// Goes on with another task's scratch memory.
    pub(super) fn take_over(&mut self, scratch: Scratch) {
        self.derived.clear();
        self.scratch.extend(scratch);
    }
}

/// The device memory that streamed rows pass through, by the name of the rows: a partition that has been computed on leaves
/// its buffer to the next but one.
#[derive(Default)]
pub(crate) struct RowsRing(Mutex<Vec<(&'static str, Arc<DeviceBuffer>)>>);

impl RowsRing {
    /// A buffer that is free: the one that was given back first, while another one is on its way.
    fn take(&self, name: &'static str, bytes: u64) -> Option<Arc<DeviceBuffer>> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(of, buffer): &(&'static str, Arc<DeviceBuffer>)| *of == name && buffer.len() == bytes;
        let several = free.iter().filter(|one| fits(one)).count() > 1;
        let at = free.iter().position(fits).filter(|_| several)?;
        Some(free.remove(at).1)
    }

    fn give_back(&self, name: &'static str, buffer: Arc<DeviceBuffer>) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two of a name are enough; one of another length, as of the last partition, makes room first.
        if free.iter().filter(|(of, _)| *of == name).count() > 1
            && let Some(at) = free.iter().position(|(of, held)| *of == name && held.len() != buffer.len())
        {
            free.remove(at);
        }
        free.push((name, buffer));
    }
}

/// Lets the rows of a streamed task go; commands that were recorded for them still run before others are brought.
pub(crate) fn leave(cx: &mut ComContext) {
    if cx.place.streams {
        for (name, slot) in &mut cx.rows {
            if let Some(buffer) = slot.device.take() {
                cx.place.ring.give_back(name, buffer);
            }
        }
    }
}

/// Brings the rows that an item's WGSL reads to the device of a task.
pub(crate) fn pin(item: &Planned, cx: &mut ComContext, gpu: &GpuDevice) -> Result<()> {
    let mut rows = item.objects.reads.iter().filter(|declared| declared.kind == Kind::Rows);
    rows.try_for_each(|declared| rows_buffer(declared.name, cx, gpu).map(drop))
}

/// Records the passes of an item for one task; nothing waits, but where it is still to be found out how many rows may be
/// taken at once.
pub(crate) fn record(item: &Planned, ready: &OnDevice, cx: &mut ComContext, gpu: &GpuDevice) -> Result<()> {
    cx.check_shapes(&item.name, &item.objects, false)?;
    prepare(&item.name, &item.objects, cx, gpu)?;
    let tuning = cx.place.tuning.clone();
    if let Some(shader) = &item.shader {
        derive(item, &shader.derived, &ready.derived, cx, gpu)?;
        record_passes(item, &shader.first, &ready.first, None, cx, gpu)?;
    }
    let Some(rows) = item.shader.as_ref().and_then(|shader| cx.rows.get(shader.sliced?)) else {
        return record_slice(item, ready.chosen(), None, cx, gpu);
    };
    let all = rows.range.end - rows.range.start;
    let most = item.objects.most_in_slice();
    let mut slice = |variant: &Variant, first: u64, rows: u64| {
        let slice = (rows < all).then_some(Slice { first, rows, all });
        record_slice(item, variant, slice, cx, gpu)
    };
    let mut first = 0;
    if ready.choice.get().is_none() {
        let tuning = tuning.as_ref();
        first =
            tune::try_out(ready, tuning, (all, most), gpu, |at, first, rows| slice(&ready.variants[at], first, rows))?;
    }
    let chosen = ready.chosen();
    chosen.pace.run(first, all, most, gpu, |first, rows| slice(chosen, first, rows))
}

/// Records what follows from the rows alone, unless the item's scratch memory holds it already.
fn derive(item: &Planned, passes: &[Pass], kernels: &[Kernel], cx: &mut ComContext, gpu: &GpuDevice) -> Result<()> {
    if passes.is_empty() {
        return Ok(());
    }
    // Rows that are brought now are new.
    pin(item, cx, gpu)?;
    if cx.private.derived.contains(&item.number) {
        return Ok(());
    }
    record_passes(item, passes, kernels, None, cx, gpu)?;
    // Another item may have written the same memory.
    cx.private.derived.clear();
    cx.private.derived.insert(item.number);
    Ok(())
}

/// Some of a task's rows.
#[derive(Clone, Copy)]
struct Slice {
    first: u64,
    rows: u64,
    /// The rows of the task.
    all: u64,
}

fn record_slice(
    item: &Planned,
    variant: &Variant,
    slice: Option<Slice>,
    cx: &mut ComContext,
    gpu: &GpuDevice,
) -> Result<()> {
    record_passes(item, &variant.shader.passes, variant.kernels(gpu)?, slice, cx, gpu)
}

fn record_passes(
    item: &Planned,
    passes: &[Pass],
    kernels: &[Kernel],
    slice: Option<Slice>,
    cx: &mut ComContext,
    gpu: &GpuDevice,
) -> Result<()> {
    for (pass, kernel) in passes.iter().zip(kernels) {
        let workgroups = workgroups(pass, kernel, &item.objects, slice, cx);
        if workgroups == 0 {
            continue;
        }
        let names = kernel.interface().bindings.iter().map(|binding| binding.name.as_str());
        let buffers = names
            .map(|name| Ok((name, buffer(item, name, slice, cx, gpu)?)))
            .collect::<Result<Vec<(&str, Arc<DeviceBuffer>)>>>()?;
        let views = buffers.iter().map(|(name, buffer)| (*name, view(&item.objects, name, buffer, slice)));
        gpu.dispatch_views(kernel, &views.collect::<Vec<_>>(), workgroups)?;
    }
    Ok(())
}

/// What a variable is to see of a buffer: of rows those of the slice, of all else the whole.
fn view<'b>(objects: &Objects, name: &str, buffer: &'b DeviceBuffer, slice: Option<Slice>) -> View<'b> {
    match slice.filter(|_| is_of_rows(objects, name)) {
        Some(Slice { first, rows, all }) => {
            let row = buffer.len() / all.max(1);
            View::part(buffer, first * row, rows * row)
        }
        None => View::whole(buffer),
    }
}

/// Whether an object has something for each row: rows themselves, or what is declared to have their shape.
fn is_of_rows(objects: &Objects, name: &str) -> bool {
    let is_rows = objects.all().any(|declared| declared.name == name && declared.kind == Kind::Rows);
    is_rows || matches!(objects.shape_rule(name), Some(ShapeRule(Rule::RowsOf(..))))
}

/// Sets aside the memory of what the item writes.
fn prepare(item: &str, objects: &Objects, cx: &mut ComContext, gpu: &GpuDevice) -> Result<()> {
    for declared in &objects.writes {
        write_target(item, objects, declared, cx, gpu)?;
    }
    for declared in &objects.updates {
        update_target(item, objects, declared, cx, gpu)?;
    }
    for declared in &objects.scratch {
        let (of, shape) = (object_type(item, declared)?, resolve(item, objects, declared.name, cx)?);
        let fits = cx.private.scratch.get(declared.name).is_some_and(|(held, _)| *held == shape);
        if !fits {
            // A partition of another length: its memory is not needed beside what comes in its place.
            drop(cx.private.scratch.remove(declared.name));
            let buffer = Arc::new(gpu.create_zeroed(declared.name, bytes(of, &shape))?);
            cx.private.scratch.insert(declared.name, (shape, buffer));
            cx.private.derived.clear();
        }
    }
    Ok(())
}

/// A zeroed buffer for an object that is put anew; that of two rounds ago serves again.
fn write_target(
    item: &str,
    objects: &Objects,
    declared: &Declared,
    cx: &mut ComContext,
    gpu: &GpuDevice,
) -> Result<()> {
    let (of, shape) = (object_type(item, declared)?, resolve(item, objects, declared.name, cx)?);
    let wanted = bytes(of, &shape);
    let buffer = match reusable([&mut *cx], declared.name, wanted) {
        Some(spare) => {
            gpu.clear(&spare)?;
            spare
        }
        None => Arc::new(gpu.create_zeroed(declared.name, wanted)?),
    };
    cx.put_stored(declared.name, of, declared.lifetime, Stored::on_device(buffer, shape))
}

/// A buffer that these tasks have retired and nobody else holds; what it held is still in it.
fn reusable<'t, 'a: 't>(
    tasks: impl IntoIterator<Item = &'t mut ComContext<'a>>,
    name: &str,
    bytes: u64,
) -> Option<Arc<DeviceBuffer>> {
    let spares = tasks.into_iter().filter_map(|task| task.slots.get_mut(name)?.spare.take());
    // Tasks of one device share what was merged there: only one of their handles may be left.
    let one = spares.reduce(|kept, _| kept)?;
    (Arc::strong_count(&one) == 1 && one.len() == bytes).then_some(one)
}

/// The buffer of an object that is changed in place: the task's own, or a copy where others hold it too.
fn update_target(
    item: &str,
    objects: &Objects,
    declared: &Declared,
    cx: &mut ComContext,
    gpu: &GpuDevice,
) -> Result<()> {
    let (of, round) = (object_type(item, declared)?, cx.tick());
    if cx.stored(declared.name).is_none() {
        let shape = resolve(item, objects, declared.name, cx)?;
        let buffer = Arc::new(gpu.create_zeroed(declared.name, bytes(of, &shape))?);
        return cx.put_stored(declared.name, of, declared.lifetime, Stored::on_device(buffer, shape));
    }
    let shape = cx.shape(declared.name).cloned().unwrap_or_default();
    let buffer = match cx.stored(declared.name).and_then(|stored| stored.device.as_ref()) {
        Some(own) if Arc::strong_count(own) == 1 => None,
        Some(shared) => {
            let copy = gpu.create_zeroed(declared.name, bytes(of, &shape))?;
            gpu.copy(shared, &copy)?;
            Some(copy)
        }
        None => Some(upload(declared.name, cx, gpu)?),
    };
    let Some(slot) = cx.slots.get_mut(declared.name) else { return Ok(()) };
    slot.change(round);
    if let Some(stored) = &mut slot.current {
        if let Some(buffer) = buffer {
            stored.device = Some(Arc::new(buffer));
        }
        stored.forget_host();
    }
    Ok(())
}

fn upload(name: &'static str, cx: &ComContext, gpu: &GpuDevice) -> Result<DeviceBuffer> {
    let object = cx.hosted(name)?;
    let bytes = object.and_then(|object| object.to_bytes());
    let bytes = bytes.ok_or_else(|| Error::wiring("(queue)", name, "it is no array that a device can hold"))?;
    gpu.upload(name, &bytes)
}

/// The buffer that a variable of WGSL is bound to.
fn buffer(
    item: &Planned,
    variable: &str,
    slice: Option<Slice>,
    cx: &mut ComContext,
    gpu: &GpuDevice,
) -> Result<Arc<DeviceBuffer>> {
    let declared = |name: &str| item.objects.all().find(|declared| declared.name == name).copied();
    match bindings::bound(variable) {
        Bound::Superstep => {
            let rows = item.objects.reads.iter().find_map(|declared| cx.rows.get(declared.name));
            let first = rows.map_or(0, |rows| rows.range.start) + slice.map_or(0, |slice| slice.first);
            let round = [cx.round_no(), cx.task_id() as u32, cx.num_task() as u32];
            let words = [round[0], round[1], round[2], first as u32, (first >> 32) as u32, 0, 0, 0];
            uniform(format!("superstep of {} from {first}", item.name), &words, cx, gpu)
        }
        // One buffer for each, so that none is ever written again.
        Bound::Unseen => {
            let unseen = u32::from(cx.unseen);
            uniform(format!("{variable} {unseen}"), &[unseen], cx, gpu)
        }
        Bound::ShapeOf(object) if declared(variable).is_none() => {
            let (rows, columns) = dimensions(object, cx).unwrap_or_default();
            match slice.filter(|_| is_of_rows(&item.objects, object)) {
                Some(Slice { rows, .. }) => {
                    uniform(format!("{variable} of {rows} rows"), &[rows as u32, columns as u32], cx, gpu)
                }
                None => uniform(variable.to_owned(), &[rows as u32, columns as u32], cx, gpu),
            }
        }
        _ => {
            let missing = || Error::wiring(&*item.name, variable, "there is no such object at this point of the round");
            let declared = declared(variable).ok_or_else(missing)?;
            let is_scratch = item.objects.scratch.iter().any(|scratch| scratch.name == declared.name);
            if let (true, Some((_, scratch))) = (is_scratch, cx.private.scratch.get(declared.name)) {
                return Ok(scratch.clone());
            }
            if declared.kind == Kind::Rows {
                return rows_buffer(declared.name, cx, gpu);
            }
            object_buffer(declared.name, cx, gpu)?.ok_or_else(missing)
        }
    }
}

/// An object's buffer; a value of the host is uploaded once for all tasks that share it.
fn object_buffer(name: &'static str, cx: &ComContext, gpu: &GpuDevice) -> Result<Option<Arc<DeviceBuffer>>> {
    let Some(stored) = cx.stored(name) else { return Ok(None) };
    if let Some(buffer) = &stored.device {
        return Ok(Some(buffer.clone()));
    }
    let Some(hosted) = stored.hosted() else { return Ok(None) };
    let lost = || Error::device(&gpu.info().name, "another thread failed while it uploaded");
    let mut uploads = hosted.uploads.lock().map_err(|_| lost())?;
    if let Some(buffer) = uploads.iter().find(|buffer| gpu.holds(buffer)) {
        return Ok(Some(buffer.clone()));
    }
    let buffer = Arc::new(upload(name, cx, gpu)?);
    uploads.push(buffer.clone());
    Ok(Some(buffer))
}

/// The task's rows in device memory: uploaded once and pinned from then on, or brought there for one chain.
fn rows_buffer(name: &'static str, cx: &mut ComContext, gpu: &GpuDevice) -> Result<Arc<DeviceBuffer>> {
    let missing = || Error::wiring("(queue)", name, "there are no such rows");
    let slot = cx.rows.get_mut(name).ok_or_else(missing)?;
    if let Some(buffer) = &slot.device {
        return Ok(buffer.clone());
    }
    let (rows, bytes) = (slot.task_rows(), slot.bytes());
    let spare = match &slot.spare {
        Some(spare) if spare.len() == bytes => Some(spare.clone()),
        _ if cx.place.streams => cx.place.ring.take(name, bytes),
        _ => None,
    };
    let buffer = match spare {
        Some(free) => free,
        None => Arc::new(gpu.create_zeroed(name, bytes)?),
    };
    let row_bytes = (rows.columns().max(1) * size_of::<f32>()) as u64;
    gpu.write_with(&buffer, bytes, row_bytes, &mut |offset, out| {
        rows.read_into((offset / row_bytes) as usize, bytemuck::cast_slice_mut(out))
    })?;
    slot.device = Some(buffer.clone());
    cx.private.derived.clear();
    Ok(buffer)
}

fn uniform(name: String, words: &[u32], cx: &mut ComContext, gpu: &GpuDevice) -> Result<Arc<DeviceBuffer>> {
    match cx.private.uniforms.get_mut(&name) {
        Some((held, buffer)) if held == words => Ok(buffer.clone()),
        Some((held, buffer)) => {
            gpu.write(buffer, bytemuck::cast_slice(words))?;
            held.copy_from_slice(words);
            Ok(buffer.clone())
        }
        None => {
            let buffer = Arc::new(gpu.upload(&name, bytemuck::cast_slice(words))?);
            cx.private.uniforms.insert(name, (words.to_vec(), buffer.clone()));
            Ok(buffer)
        }
    }
}

fn workgroups(pass: &Pass, kernel: &Kernel, objects: &Objects, slice: Option<Slice>, cx: &ComContext) -> u64 {
    let size: u64 = kernel.interface().workgroup_size.iter().map(|&extent| u64::from(extent)).product();
    let all = |name: &str| cx.rows.get(name).map_or(0, |rows| rows.range.end - rows.range.start);
    let rows = |name: &str| slice.map_or_else(|| all(name), |slice| slice.rows);
    match pass.size {
        Size::PerRow(name) => rows(name).div_ceil(size.max(1)),
        Size::PerValue(name) => {
            let columns = cx.rows.get(name).map_or(0, |rows| rows.task_rows().columns());
            (rows(name) * columns as u64).div_ceil(size.max(1))
        }
        Size::RowsPerWorkgroup(name, count) => rows(name).div_ceil(count as u64),
        Size::PerElement(name) => {
            let scratch = cx.private.scratch.get(name).map(|(shape, _)| shape);
            let elements = cx.shape(name).or(scratch).map_or(0, Shape::elements) as u64;
            let elements = match slice.filter(|_| is_of_rows(objects, name)) {
                Some(slice) => elements / slice.all.max(1) * slice.rows,
                None => elements,
            };
            elements.div_ceil(size.max(1))
        }
        Size::Workgroups(count) => count,
    }
}

fn resolve(item: &str, objects: &Objects, name: &str, cx: &ComContext) -> Result<Shape> {
    let resolved = match objects.shape_rule(name) {
        Some(rule @ ShapeRule(Rule::Like(other))) => {
            let scratch = cx.private.scratch.get(other).map(|(shape, _)| shape.clone());
            cx.shape_by(rule).or(scratch)
        }
        Some(rule) => cx.shape_by(rule),
        None => {
            let slot = cx.slots.get(name);
            let held = slot.and_then(|slot| slot.current.as_ref().or(slot.previous.as_ref()));
            held.and_then(|stored| stored.shape.clone())
        }
    };
    resolved.ok_or_else(|| Error::wiring(item, name, "its shape is not known when its memory is set aside"))
}

fn dimensions(name: &str, cx: &ComContext) -> Option<(usize, usize)> {
    let rows = cx.rows.get(name).map(|slot| (slot.task_rows().len(), slot.task_rows().columns()));
    let scratch = cx.private.scratch.get(name).map(|(shape, _)| shape);
    rows.or_else(|| cx.shape(name).or(scratch).map(Shape::rows_and_columns))
}

fn object_type(item: &str, declared: &Declared) -> Result<ObjectType> {
    match declared.kind {
        Kind::Object(of) => Ok(of),
        Kind::Rows => Err(Error::wiring(item, declared.name, "partitioned rows are constant")),
    }
}

fn bytes(of: ObjectType, shape: &Shape) -> u64 {
    (shape.elements() * of.element.map_or(0, Element::size)) as u64
}
