//! How one object of one task is kept: on the host, on a device, or on both.

use super::context::Place;
use super::key::Lifetime;
use super::object::{AnyObject, Hosted, ObjectType, Shape};
#[cfg(feature = "gpu")]
use crate::backend::gpu::DeviceBuffer;
use crate::{Error, Result};
use std::sync::{Arc, OnceLock};

/// A value; whichever of its two homes is empty is filled from the other when it is asked for.
#[derive(Clone)]
pub(crate) struct Stored {
    host: OnceLock<Arc<Hosted>>,
    #[cfg(feature = "gpu")]
    pub(crate) device: Option<Arc<DeviceBuffer>>,
    pub(crate) shape: Option<Shape>,
}

impl Stored {
    pub(crate) fn on_host(value: Arc<Hosted>, shape: Option<Shape>) -> Self {
        Self {
            host: OnceLock::from(value),
            #[cfg(feature = "gpu")]
            device: None,
            shape,
        }
    }

    #[cfg(feature = "gpu")]
    pub(crate) fn on_device(buffer: Arc<DeviceBuffer>, shape: Shape) -> Self {
        Self { host: OnceLock::new(), device: Some(buffer), shape: Some(shape) }
    }

    /// Whether both are one value.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let on_host = self.host.get().zip(other.host.get()).is_some_and(|(own, other)| Arc::ptr_eq(own, other));
        #[cfg(feature = "gpu")]
        let on_device =
            self.device.as_ref().zip(other.device.as_ref()).is_some_and(|(own, other)| Arc::ptr_eq(own, other));
        #[cfg(not(feature = "gpu"))]
        let on_device = false;
        on_host || on_device
    }

    /// The host value, moved from the device if it lives there alone.
    pub(crate) fn object(&self, place: &Place, of: ObjectType, name: &str) -> Result<&dyn AnyObject> {
        if let Some(hosted) = self.host.get() {
            return Ok(&*hosted.object);
        }
        let object = self.download(place, of, name)?;
        Ok(&*self.host.get_or_init(|| Hosted::new(object)).object)
    }

    #[cfg(feature = "gpu")]
    fn download(&self, place: &Place, of: ObjectType, name: &str) -> Result<Box<dyn AnyObject>> {
        let lost = || Error::wiring("(queue)", name, "its value is neither on the host nor on a device");
        let (Some(buffer), Some(gpu), Some(shape)) = (&self.device, &place.gpu, &self.shape) else {
            return Err(lost());
        };
        let bytes = gpu.download(buffer)?;
        of.read_first(shape, &bytes).ok_or_else(lost)
    }

    #[cfg(not(feature = "gpu"))]
    fn download(&self, _: &Place, _: ObjectType, name: &str) -> Result<Box<dyn AnyObject>> {
        Err(Error::wiring("(queue)", name, "its value is not on the host"))
    }

    /// Makes the host value this slot's own and the only valid one, so that it can be changed.
    pub(crate) fn unshare_host(&mut self) {
        #[cfg(feature = "gpu")]
        {
            self.device = None;
        }
        if let Some(hosted) = self.host.take() {
            let hosted = match Arc::try_unwrap(hosted) {
                Ok(own) => Hosted::new(own.object),
                Err(shared) => Hosted::new(shared.object.duplicate()),
            };
            self.host = OnceLock::from(hosted);
        }
    }

    pub(crate) fn host_mut(&mut self) -> Option<&mut Box<dyn AnyObject>> {
        self.host.get_mut().and_then(Arc::get_mut).map(|hosted| &mut hosted.object)
    }

    /// The object itself: moved out, or a copy where others hold it too.
    pub(crate) fn into_object(mut self) -> Option<Box<dyn AnyObject>> {
        let hosted = self.host.take()?;
        Some(match Arc::try_unwrap(hosted) {
            Ok(own) => own.object,
            Err(shared) => shared.object.duplicate(),
        })
    }

    #[cfg(feature = "gpu")]
    pub(crate) fn hosted(&self) -> Option<&Arc<Hosted>> {
        self.host.get()
    }

    /// Forgets the host value, because the device has changed its own.
    #[cfg(feature = "gpu")]
    pub(crate) fn forget_host(&mut self) {
        self.host = OnceLock::new();
    }
}

/// The place of an object in a context: its value, the one of the round before, and when each came.
pub(crate) struct Slot {
    pub(crate) of: ObjectType,
    pub(crate) lifetime: Lifetime,
    pub(crate) current: Option<Stored>,
    pub(crate) previous: Option<Stored>,
    /// A device buffer that no round needs any more, kept so that a round allocates nothing.
    #[cfg(feature = "gpu")]
    pub(crate) spare: Option<Arc<DeviceBuffer>>,
    /// The round in which the value was last replaced, counted over all queues.
    pub(crate) replaced: u32,
    /// The round in which the value of an earlier round was last changed in place, and so lost.
    pub(crate) changed: u32,
}

/// An object as the iteration around a queue sees it before that runs.
pub(crate) struct Past {
    /// Its value, and the one of the round before: kept where new values are put, lost where it is changed in place.
    current: Option<Stored>,
    previous: Option<Stored>,
    is_lost: bool,
    replaced: u32,
    changed: u32,
}

impl Slot {
    /// What there is of an object before a queue inside runs, which changes it in place or puts new values.
    pub(crate) fn past(&self, in_place: bool) -> Past {
        // A value that is changed in place must have no second holder: it would be copied.
        let current = self.current.clone().filter(|_| !in_place);
        Past {
            current,
            previous: self.previous.clone(),
            is_lost: in_place,
            replaced: self.replaced,
            changed: self.changed,
        }
    }

    /// Makes what a queue inside has put what the round around it, which began at `tick`, has put.
    pub(crate) fn end_as_of(&mut self, tick: u32, past: Past) {
        if self.replaced <= tick && self.changed <= tick {
            return;
        }
        let was_fresh = past.replaced == tick && tick > 0;
        self.changed = if past.is_lost && !was_fresh { tick } else { past.changed };
        self.previous = if was_fresh { past.previous } else { past.current };
        self.replaced = tick;
    }

    /// Empties the place; a device buffer is kept to be used again.
    pub(crate) fn forget(&mut self) {
        let (current, previous) = (self.current.take(), self.previous.take());
        #[cfg(feature = "gpu")]
        if let Some(buffer) = current.or(previous).and_then(|stored| stored.device) {
            self.spare = Some(buffer);
        }
        #[cfg(not(feature = "gpu"))]
        drop((current, previous));
        (self.replaced, self.changed) = (0, 0);
    }

    pub(crate) fn new(of: ObjectType, lifetime: Lifetime, round: u32, value: Stored) -> Self {
        Self {
            of,
            lifetime,
            current: Some(value),
            previous: None,
            #[cfg(feature = "gpu")]
            spare: None,
            replaced: round,
            changed: 0,
        }
    }

    /// Puts a new value; the old one is kept as the previous value if it is that of an earlier round.
    pub(crate) fn replace(&mut self, round: u32, value: Stored) {
        let old = self.current.replace(value);
        self.step_back(round, old);
    }

    /// Forgets the value at the start of a round, keeping it as the previous one.
    pub(crate) fn retire(&mut self, round: u32) {
        if let Some(old) = self.current.take() {
            self.step_back(round, Some(old));
        }
    }

    /// Notes that the value is changed in place. One that was put this very round still leaves the previous one whole.
    pub(crate) fn change(&mut self, round: u32) {
        if self.replaced != round {
            self.changed = round;
        }
    }

    /// Leaves a retired buffer to the task that shares it with this one: it serves again once nobody else holds it.
    pub(crate) fn leave_spare(&mut self) {
        #[cfg(feature = "gpu")]
        {
            self.spare = None;
        }
    }

    fn step_back(&mut self, round: u32, old: Option<Stored>) {
        // A value of this very round was never seen at a round's end: it is not the previous one.
        let superseded = self.replaced == round && round != 0;
        let retired = if superseded { old } else { std::mem::replace(&mut self.previous, old) };
        #[cfg(feature = "gpu")]
        if let Some(buffer) = retired.and_then(|stored| stored.device) {
            self.spare = Some(buffer);
        }
        #[cfg(not(feature = "gpu"))]
        drop(retired);
        self.replaced = round;
    }
}
