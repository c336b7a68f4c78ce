//! The fence around wgpu: its errors, its panics and its silence become [`Error`].
//!
//! Three facts shape this file. Error scopes belong to a thread, so each call opens and closes its own. `Device::poll`
//! panics on some losses, so it runs under `catch_unwind`. And an operation that fails because the device is lost
//! reports nothing at all: the loss goes to a callback, of which there is one, the caller's on a borrowed device. So
//! we probe instead: on a lost device no buffer can be mapped.

use crate::{Error, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long one poll waits: short enough that a lost device is noticed, long enough to cost nothing.
const WAIT_SLICE: Duration = Duration::from_millis(100);
/// Polls after the end of a submission until a mapping must have been reported.
const MAPPING_POLLS: u32 = 100;
/// The pause between these polls: another thread may be about to report it.
const MAPPING_SLICE: Duration = Duration::from_millis(10);
/// How long a thread asks again and again whether a device is done before it pauses between: to be woken by a device takes some 50 µs
/// at best, a good part of a short round, and 600 µs on a virtual machine.
const SPIN: Duration = Duration::from_millis(5);
/// The pauses then, and how long it goes on so before it sleeps until it is woken.
const PAUSE: Duration = Duration::from_micros(40);
const PAUSES: Duration = Duration::from_millis(200);

/// What went wrong on a device outside of a call: shared with the callbacks that wgpu keeps.
#[derive(Default)]
pub(super) struct Troubles {
    lost: OnceLock<String>,
    uncaptured: Mutex<Option<String>>,
}

impl Troubles {
    /// Notes that the device is lost; the first reason stays.
    pub(super) fn lose(&self, reason: String) {
        // A second reason is a consequence of the first.
        let _ = self.lost.set(reason);
    }

    fn uncaptured(&self, error: &wgpu::Error) {
        lock(&self.uncaptured).get_or_insert_with(|| error.to_string());
    }
}

/// A lock whose data stays valid when a thread panics while holding it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs calls into wgpu on this thread and catches what they panic with and the first error they report.
fn scoped<T>(device: &wgpu::Device, work: impl FnOnce() -> T) -> (std::thread::Result<T>, Option<wgpu::Error>) {
    let filters = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory];
    let scopes = filters.map(|filter| device.push_error_scope(filter));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    // All scopes must close, in the reverse of the order they were opened.
    let mut errors = Vec::new();
    for scope in scopes.into_iter().rev() {
        errors.extend(pollster::block_on(scope.pop()));
    }
    (outcome, errors.into_iter().next())
}

/// How many witnesses must refuse before a device is taken for lost.
const WITNESSES: usize = 3;

/// A buffer that nothing uses.
fn witness_on(device: &wgpu::Device) -> Option<wgpu::Buffer> {
    let descriptor = wgpu::BufferDescriptor {
        label: Some("witness"),
        size: wgpu::COPY_BUFFER_ALIGNMENT,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    };
    scoped(device, || device.create_buffer(&descriptor)).0.ok()
}

/// A device of wgpu behind the fence.
pub(super) struct Fence {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    name: String,
    is_hardware: bool,
    troubles: Arc<Troubles>,
    /// A buffer that nothing uses, to see whether the device still answers.
    witness: Mutex<Option<wgpu::Buffer>>,
}

impl Fence {
    /// A device of the caller's, whose callbacks stay the caller's.
    pub(super) fn borrowed(device: wgpu::Device, queue: wgpu::Queue, name: String) -> Self {
        // A device on which even this fails is found lost at its first use.
        let witness = Mutex::new(witness_on(&device));
        let is_hardware = device.adapter_info().device_type != wgpu::DeviceType::Cpu;
        Self { device, queue, name, is_hardware, troubles: Arc::default(), witness }
    }

    /// A device of our own: a loss is noted as soon as wgpu reports it, and an error outside of a scope is kept for the
    /// next call instead of ending the program.
    pub(super) fn owned(device: wgpu::Device, queue: wgpu::Queue, name: String) -> Self {
        let fence = Self::borrowed(device, queue, name);
        let troubles = fence.troubles.clone();
        fence.device.set_device_lost_callback(move |reason, message| troubles.lose(format!("{reason:?}: {message}")));
        let troubles = fence.troubles.clone();
        fence.device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| troubles.uncaptured(&error)));
        fence
    }

    /// An error of this device.
    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error::device(&self.name, message)
    }

    /// Not enough memory on this device.
    pub(super) fn out_of_memory(&self, message: impl Into<String>) -> Error {
        Error::OutOfMemory { device: self.name.clone(), message: message.into() }
    }

    /// Fails once the device is lost, or when an error was reported outside of a call.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(reason) = self.troubles.lost.get() {
            return Err(self.error(format!("the device is lost ({reason}): open it again")));
        }
        match lock(&self.troubles.uncaptured).take() {
            Some(message) => Err(self.error(message)),
            None => Ok(()),
        }
    }

    /// Runs calls into wgpu. `doing` completes the sentence "could not …".
    pub(super) fn run<T>(&self, doing: impl FnOnce() -> String, work: impl FnOnce() -> T) -> Result<T> {
        self.check()?;
        let (outcome, error) = scoped(&self.device, work);
        let value = outcome.map_err(|panic| self.panicked(panic.as_ref()))?;
        match error {
            None => Ok(value),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(self.out_of_memory(format!("could not {}", doing()))),
            Some(error) => Err(self.error(format!("could not {}: {error}", doing()))),
        }
    }

    /// Runs calls into wgpu and makes sure that the device was alive after them.
    pub(super) fn run_alive<T>(&self, doing: impl FnOnce() -> String, work: impl FnOnce() -> T) -> Result<T> {
        let value = self.run(doing, work)?;
        self.look();
        self.check().map(|()| value)
    }

    /// Destroys the device.
    pub(super) fn destroy(&self) {
        // Whatever wgpu says to it, the device is of no use any more.
        drop(scoped(&self.device, || self.device.destroy()));
        self.troubles.lose("it was destroyed".into());
    }

    /// Whether the device is lost.
    pub(super) fn is_lost(&self) -> bool {
        self.look();
        self.troubles.lost.get().is_some()
    }

    /// Looks whether the device is lost, and notes it.
    fn look(&self) {
        if self.troubles.lost.get().is_none() && !self.is_alive() {
            self.troubles.lose("it was destroyed or taken away".into());
        }
    }

    /// Asks for the witness to be mapped: a lost device refuses at once, a living one lets the wish be withdrawn.
    /// (A new buffer that is mapped at its creation tells the same, in twice the time.)
    ///
    /// Where another thread polls the device just then, wgpu may map the witness between the two, and refuse to withdraw: a
    /// fresh one is asked then.
    fn is_alive(&self) -> bool {
        let mut witness = lock(&self.witness);
        for _ in 0..WITNESSES {
            let ask = |witness: &wgpu::Buffer| {
                let alive = self.map(witness, wgpu::MapMode::Read).try_recv() != Ok(false);
                if alive {
                    witness.unmap();
                }
                alive
            };
            let asked = witness.as_ref().map(|witness| scoped(&self.device, || ask(witness)));
            if matches!(asked, Some((Ok(true), None))) {
                return true;
            }
            *witness = witness_on(&self.device);
        }
        false
    }

    /// Waits until a submission has ended, in slices, so that a loss ends the wait.
    pub(super) fn wait(&self, submission: Option<&wgpu::SubmissionIndex>) -> Result<()> {
        let timeout = Some(WAIT_SLICE);
        while !self.poll(wgpu::PollType::Wait { submission_index: submission.cloned(), timeout })? {}
        Ok(())
    }

    /// Lets wgpu look after the device, unless that is lost. Tells whether it did within the time it was given.
    fn poll(&self, how: wgpu::PollType) -> Result<bool> {
        self.check()?;
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(how))) {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(wgpu::PollError::Timeout)) => Ok(false),
            Ok(Err(error)) => Err(self.lost(error.to_string())),
            Err(panic) => Err(self.panicked(panic.as_ref())),
        }
    }

    /// Asks wgpu to report the mapping of a buffer.
    pub(super) fn map(&self, buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Receiver<bool> {
        let (sender, receiver) = std::sync::mpsc::channel();
        buffer.map_async(mode, .., move |outcome| {
            // Nobody listens any more where the transfer has failed: there is nothing to tell then.
            let _ = sender.send(outcome.is_ok());
        });
        receiver
    }

    /// Waits for a mapping asked for with [`map`](Self::map) behind a submission.
    pub(super) fn mapped(&self, submission: &wgpu::SubmissionIndex, mapping: &Receiver<bool>) -> Result<()> {
        let clock = Instant::now();
        // Not of a device that computes on the same processors.
        while self.is_hardware && clock.elapsed() < PAUSES {
            self.poll(wgpu::PollType::Poll)?;
            match mapping.try_recv() {
                Ok(true) => return Ok(()),
                Ok(false) | Err(TryRecvError::Disconnected) => return Err(self.unmapped()),
                Err(TryRecvError::Empty) if clock.elapsed() < SPIN => std::thread::yield_now(),
                Err(TryRecvError::Empty) => std::thread::sleep(PAUSE),
            }
        }
        for _ in 0..MAPPING_POLLS {
            self.wait(Some(submission))?;
            match mapping.recv_timeout(MAPPING_SLICE) {
                Ok(true) => return Ok(()),
                Ok(false) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Err(self.unmapped())
    }

    fn unmapped(&self) -> Error {
        self.lost("a buffer could not be mapped".into())
    }

    /// Waits for a mapping, and gives what it made of the bytes.
    pub(super) fn read<T>(
        &self,
        buffer: &wgpu::Buffer,
        submission: &wgpu::SubmissionIndex,
        mapping: &Receiver<bool>,
        of: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T> {
        self.mapped(submission, mapping)?;
        let read = || "read a mapped buffer".into();
        let value = self.run(read, || of(&buffer.get_mapped_range(..).ok()?))?;
        value.ok_or_else(|| self.error("a buffer could not be read though it was mapped"))
    }

    /// Notes a loss and returns it as an error.
    fn lost(&self, reason: String) -> Error {
        self.troubles.lose(reason.clone());
        self.check().err().unwrap_or_else(|| self.error(reason))
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Error {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        self.lost(text.unwrap_or("wgpu gave up").trim().to_owned())
    }
}

impl Drop for Fence {
    /// Leaks a lost device: wgpu asserts, while it drops a queue, that the queue has run empty.
    fn drop(&mut self) {
        if self.wait(None).is_err() {
            std::mem::forget((self.device.clone(), self.queue.clone()));
        }
    }
}
