//! Merging the parts of an object where they lie, on the device of their tasks.

use super::{bytes, reusable};
use crate::backend::gpu::DeviceBuffer;
use crate::backend::{Element, ReduceOp};
use crate::queue::context::ComContext;
use crate::queue::object::{ObjectType, Shape};
use crate::queue::place::Devices;
use crate::queue::stored::Stored;
use crate::queue::stream::Folding;
use crate::{Error, Result};
use std::sync::Arc;

impl Devices {
    /// Merges an object on each device that holds it for all its tasks. Returns one task for each value that is left: it
    /// stands for all tasks of its device.
    pub(in crate::queue) fn merge_on_devices(
        &self,
        op: ReduceOp,
        of: ObjectType,
        name: &'static str,
        tasks: &mut [ComContext],
    ) -> Result<Vec<usize>> {
        let mut leaders = Vec::new();
        for group in self.groups(tasks) {
            if tasks[group.clone()].iter().any(|task| task.is_folded) {
                leaders.push(group.start);
                continue;
            }
            let gpu = tasks[group.start].place.gpu.clone();
            let parts: Option<Vec<Arc<DeviceBuffer>>> =
                tasks[group.clone()].iter().map(|task| task.stored(name).and_then(|s| s.device.clone())).collect();
            let (Some(gpu), Some(parts), Some(element), false) =
                (gpu, parts, of.element.filter(|element| *element != Element::F64), group.len() == 1)
            else {
                leaders.extend(group);
                continue;
            };
            let shape = tasks[group.start].shape(name).cloned().unwrap_or_default();
            let wanted = bytes(of, &shape);
            let into = match reusable(&mut tasks[group.clone()], name, wanted) {
                Some(spare) => spare,
                None => Arc::new(gpu.create_zeroed(name, wanted)?),
            };
            let parts: Vec<&DeviceBuffer> = parts.iter().map(|part| &**part).collect();
            gpu.reduce(op, element, &parts, shape.elements() as u64, &into)?;
            let stored = Stored::on_device(into, shape);
            let lifetime = tasks[group.start].slots.get(name).map(|slot| slot.lifetime).unwrap_or_default();
            tasks[group.start].put_stored(name, of, lifetime, stored)?;
            leaders.push(group.start);
        }
        Ok(leaders)
    }
}

/// Merges the parts of a device's tasks on the device, as they come.
pub(in crate::queue) struct FoldOnDevice {
    op: ReduceOp,
    of: ObjectType,
    name: &'static str,
    total: Option<(Arc<DeviceBuffer>, Shape)>,
    free: Option<Arc<DeviceBuffer>>,
}

impl FoldOnDevice {
    pub(in crate::queue) fn new(op: ReduceOp, of: ObjectType, name: &'static str) -> Self {
        Self { op, of, name, total: None, free: None }
    }

    /// Whether a task's object lies where it can be merged without the host.
    pub(in crate::queue) fn takes(&self, task: &ComContext) -> bool {
        let on_device = task.stored(self.name).is_some_and(|stored| stored.device.is_some());
        task.place.gpu.is_some() && on_device && self.of.element.is_some_and(|element| element != Element::F64)
    }
}

impl Folding for FoldOnDevice {
    fn add(&mut self, task: &mut ComContext) -> Result<()> {
        let lost = || Error::wiring("(queue)", self.name, "its value is not on the device that merges it");
        let gpu = task.place.gpu.clone().ok_or_else(lost)?;
        let part = task.take_part(self.name).ok_or_else(lost)?;
        let (part, shape) = part.device.zip(part.shape).ok_or_else(lost)?;
        let Some((total, _)) = &self.total else {
            // A value that others hold too must stay as it is for them.
            let own = if Arc::strong_count(&part) == 1 {
                part
            } else {
                let copy = gpu.create_zeroed(self.name, part.len())?;
                gpu.copy(&part, &copy)?;
                Arc::new(copy)
            };
            self.total = Some((own, shape));
            return Ok(());
        };
        let element = self.of.element.ok_or_else(lost)?;
        gpu.reduce(self.op, element, &[total, &part], shape.elements() as u64, total)?;
        self.free = Some(part).filter(|part| Arc::strong_count(part) == 1);
        Ok(())
    }

    fn reuse(&mut self, task: &mut ComContext) {
        if let Some(slot) = task.slots.get_mut(self.name) {
            slot.spare = self.free.take();
        }
    }

    fn finish(self: Box<Self>, leader: &mut ComContext) -> Result<bool> {
        let Some((total, shape)) = self.total else { return Ok(false) };
        let lifetime = leader.slots.get(self.name).map(|slot| slot.lifetime).unwrap_or_default();
        leader.put_stored(self.name, self.of, lifetime, Stored::on_device(total, shape))?;
        Ok(true)
    }
}
