//! Objects of tasks as parts of a checkpoint, and back.

use super::files::Part;
use super::{Saved, is_encoded};
use crate::queue::context::ComContext;
use crate::queue::declare::Rule;
use crate::queue::key::{Declared, Kind};
use crate::queue::object::{Hosted, ObjectType, Shape};
use crate::queue::rounds::ReadyBody;
use crate::{Error, Result};
use std::collections::HashMap;
use std::ops::Range;

/// The table whose rows an object has something for, where its items declare that.
fn rows_of(ready: &ReadyBody, name: &str) -> Option<&'static str> {
    ready.items().iter().find_map(|ready| match ready.item.objects.shape_rule(name).map(|rule| &rule.0) {
        Some(Rule::RowsOf(rows, _)) => Some(*rows),
        _ => None,
    })
}

fn refuse(name: &'static str, message: impl Into<String>) -> Error {
    Error::wiring("checkpoint", name, message)
}

fn type_of(declared: &Declared) -> Result<ObjectType> {
    match declared.kind {
        Kind::Object(of) => Ok(of),
        Kind::Rows => Err(refuse(declared.name, "partitioned rows are constant: there is nothing to keep of them")),
    }
}

/// The objects of a rank's tasks; what is the same on all tasks only of the first rank's.
pub(super) fn gather(keeps: &[Declared], ready: &ReadyBody, tasks: &[ComContext], is_first: bool) -> Result<Part> {
    let mut part = Part::default();
    for declared in keeps {
        let of = type_of(declared)?;
        match rows_of(ready, declared.name) {
            Some(rows) => gather_rows(declared.name, of, rows, tasks, &mut part)?,
            None => gather_shared(declared, of, tasks, is_first, &mut part)?,
        }
    }
    Ok(part)
}

/// The same, to stay in memory: objects of the host are copied from the first task, and need not be written.
pub(super) fn gather_in_memory(keeps: &[Declared], ready: &ReadyBody, tasks: &[ComContext]) -> Result<Part> {
    let (on_host, arrays): (Vec<&Declared>, Vec<&Declared>) = keeps.iter().partition(|declared| is_encoded(declared));
    let arrays: Vec<Declared> = arrays.into_iter().copied().collect();
    let mut part = gather(&arrays, ready, tasks, true)?;
    for declared in on_host {
        if let Some(object) = tasks.first().map(|task| task.hosted(declared.name)).transpose()?.flatten() {
            part.hold(declared.name, Hosted::new(object.duplicate()));
        }
    }
    Ok(part)
}

fn gather_rows(
    name: &'static str,
    of: ObjectType,
    rows: &'static str,
    tasks: &[ComContext],
    part: &mut Part,
) -> Result<()> {
    let (mut bytes, mut shape) = (Vec::new(), None);
    let mut held: Option<Range<u64>> = None;
    for task in tasks {
        let missing = || refuse(name, format!("task {} has no such object at the end of the round", task.task_id()));
        let object = task.hosted(name)?.ok_or_else(missing)?;
        let dimensions = object.shape().ok_or_else(missing)?.dimensions().to_vec();
        bytes.extend_from_slice(&object.to_bytes().ok_or_else(missing)?);
        let range = task.rows.get(rows).map(|slot| slot.range.clone()).ok_or_else(missing)?;
        held = Some(held.map_or(range.clone(), |held| held.start..range.end));
        shape.get_or_insert(dimensions);
    }
    let (held, mut shape) = (held.unwrap_or(0..0), shape.unwrap_or_default());
    if let Some(count) = shape.first_mut() {
        *count = (held.end - held.start) as usize;
    }
    part.add(name, of.element, shape, bytes);
    part.add_rows(rows, held);
    Ok(())
}

fn gather_shared(
    declared: &Declared,
    of: ObjectType,
    tasks: &[ComContext],
    is_first: bool,
    part: &mut Part,
) -> Result<()> {
    let name = declared.name;
    let written = |task: &ComContext| match task.hosted(name)? {
        None => Ok(None),
        Some(object) if is_encoded(declared) => {
            let cannot = || refuse(name, "it cannot be written: implement `Object::encode` and `decode` for its type");
            object.encode().map(Some).ok_or_else(cannot)
        }
        Some(object) => Ok(object.to_bytes().map(|bytes| bytes.into_owned())),
    };
    let Some(first) = tasks.first() else { return Ok(()) };
    let bytes = written(first)?;
    for task in tasks.iter().skip(1).filter(|task| !task.shares(first, name)) {
        if written(task)? != bytes {
            let message = format!(
                "tasks 0 and {} have different ones: all-reduce it, or declare its shape by rows (`ShapeRule::rows_of`)",
                task.task_id()
            );
            return Err(refuse(name, message));
        }
    }
    // What is not there yet is not there after a resume either.
    if let (Some(bytes), true) = (bytes, is_first) {
        let shape = first.shape(name).map(|shape| shape.dimensions().to_vec());
        part.add(name, of.element, shape.unwrap_or_else(|| vec![bytes.len()]), bytes);
    }
    Ok(())
}

/// Gives tasks the objects of a checkpoint, and the round at whose end it was written.
pub(super) fn restore(saved: &Saved, keeps: &[Declared], ready: &ReadyBody, tasks: &mut [ComContext]) -> Result<()> {
    let mut parts: HashMap<usize, Part> = HashMap::new();
    for declared in keeps {
        let of = type_of(declared)?;
        match rows_of(ready, declared.name) {
            Some(rows) => restore_rows(saved, declared, of, rows, tasks, &mut parts)?,
            None => restore_shared(saved, declared, of, tasks)?,
        }
    }
    tasks.iter_mut().for_each(|task| task.resume(saved.rounds()));
    Ok(())
}

fn restore_shared(saved: &Saved, declared: &Declared, of: ObjectType, tasks: &mut [ComContext]) -> Result<()> {
    let name = declared.name;
    if let Some(object) = saved.first.held(name) {
        return tasks.iter_mut().try_for_each(|task| task.put_hosted(name, of, declared.lifetime, object.clone()));
    }
    let Some(tensor) = saved.first.tensor(name, of.element) else { return Ok(()) };
    let object = if is_encoded(declared) {
        of.decode(&tensor.bytes)
    } else {
        of.read(&Shape::new(tensor.shape.clone()), &tensor.bytes)
    };
    let object = object.ok_or_else(|| refuse(name, "what the checkpoint holds does not read as such an object"))?;
    let hosted = Hosted::new(object);
    tasks.iter_mut().try_for_each(|task| task.put_hosted(name, of, declared.lifetime, hosted.clone()))
}

fn restore_rows(
    saved: &Saved,
    declared: &Declared,
    of: ObjectType,
    rows: &'static str,
    tasks: &mut [ComContext],
    parts: &mut HashMap<usize, Part>,
) -> Result<()> {
    let name = declared.name;
    let absent = || refuse(name, "the checkpoint lacks some of its rows");
    for task in tasks {
        let wanted = task.rows.get(rows).map(|slot| slot.range.clone()).ok_or_else(absent)?;
        let (mut bytes, mut shape, mut next) = (Vec::new(), Vec::new(), wanted.start);
        for number in 0..saved.manifest.count() {
            let held = saved.manifest.rows_of(number, rows).ok_or_else(absent)?;
            let taken = next.max(held.start)..wanted.end.min(held.end);
            let is_empty = taken.is_empty() || taken.start != next;
            // One that has none of them still tells the shape, for a task without rows.
            if is_empty && number > 0 {
                continue;
            }
            if number > 0 && !parts.contains_key(&number) {
                parts.insert(number, saved.manifest.part(&saved.folder, number)?);
            }
            let part = parts.get(&number).unwrap_or(&saved.first);
            let tensor = part.tensor(name, of.element).ok_or_else(absent)?;
            shape = tensor.shape.clone();
            if is_empty {
                continue;
            }
            let row = tensor.bytes.len() / ((held.end - held.start) as usize).max(1);
            let at = |of: u64| (of - held.start) as usize * row;
            bytes.extend_from_slice(tensor.bytes.get(at(taken.start)..at(taken.end)).ok_or_else(absent)?);
            next = taken.end;
        }
        if next < wanted.end {
            return Err(absent());
        }
        *shape.first_mut().ok_or_else(absent)? = (wanted.end - wanted.start) as usize;
        let object = of.read(&Shape::new(shape), &bytes).ok_or_else(absent)?;
        task.put_hosted(name, of, declared.lifetime, Hosted::new(object))?;
    }
    Ok(())
}
