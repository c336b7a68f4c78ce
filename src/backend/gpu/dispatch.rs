//! Recording of kernels, copies and clears.

use super::buffer::{DeviceBuffer, copied};
use super::device::{BindGroups, GpuDevice};
use super::fence::lock;
use super::kernel::{Compiled, Kernel, KernelSpec};
use super::reflect::{Binding, Space};
use crate::{Error, Result};

/// Bind groups kept for later: many times what a superstep uses, and still a bound.
const KEPT_BIND_GROUPS: usize = 1024;

const CLEAR: &str = include_str!("../../../shaders/clear.wgsl");
/// Buffers of so many bytes are cleared by a kernel, of so many threads a workgroup where the device allows.
const CLEARED_BY_KERNEL: u64 = 4 << 10;
const CLEARED_AT_ONCE: u32 = 256;

/// A variable of a kernel and the part of a buffer that it covers.
pub(super) struct Bound<'b> {
    binding: &'b Binding,
    buffer: &'b DeviceBuffer,
    offset: u64,
    bytes: u64,
}

/// A part of a buffer, to be bound.
#[derive(Debug, Clone, Copy)]
pub struct View<'b> {
    buffer: &'b DeviceBuffer,
    offset: u64,
    bytes: u64,
}

impl<'b> View<'b> {
    /// Parts begin at multiples of so many bytes.
    pub const ALIGNMENT: u64 = 256;

    /// A buffer as a whole.
    pub fn whole(buffer: &'b DeviceBuffer) -> Self {
        Self { buffer, offset: 0, bytes: buffer.len() }
    }

    /// `bytes` bytes from `offset` on, which is a multiple of [`ALIGNMENT`](Self::ALIGNMENT).
    pub fn part(buffer: &'b DeviceBuffer, offset: u64, bytes: u64) -> Self {
        Self { buffer, offset, bytes }
    }
}

impl GpuDevice {
    /// Records a kernel. Each of its variables takes the buffer of its name; buffers that it does not name are ignored.
    ///
    /// An array without a length has as many elements as its buffer holds (at least one). More than
    /// `max_workgroups_per_dimension` workgroups are folded into x and y: the kernel's number of a workgroup is
    /// `workgroup_id.x + workgroup_id.y * num_workgroups.x`, and it must stop where that passes its work.
    ///
    /// # Errors
    /// [`Error::Wiring`] naming kernel and variable where a buffer is missing, too small, too large to bind, or bound
    /// twice while one of the variables writes.
    pub fn dispatch(&self, kernel: &Kernel, bindings: &[(&str, &DeviceBuffer)], workgroups: u64) -> Result<()> {
        let views: Vec<(&str, View)> = bindings.iter().map(|(name, buffer)| (*name, View::whole(buffer))).collect();
        self.dispatch_views(kernel, &views, workgroups)
    }

    /// Records a kernel as [`dispatch`](Self::dispatch) does, over parts of buffers.
    ///
    /// # Errors
    /// As [`dispatch`](Self::dispatch); also where a part is not aligned or ends behind its buffer.
    pub fn dispatch_views(&self, kernel: &Kernel, bindings: &[(&str, View)], workgroups: u64) -> Result<()> {
        let compiled = kernel.compiled();
        let bound = compiled
            .interface
            .bindings
            .iter()
            .map(|binding| {
                let view = bindings.iter().find(|(name, _)| *name == binding.name).map(|(_, view)| *view);
                let View { buffer, offset, bytes } = view.ok_or_else(|| missing(compiled, binding, bindings))?;
                Ok(Bound { binding, buffer, offset, bytes: covered(binding, bytes) })
            })
            .collect::<Result<Vec<_>>>()?;
        self.dispatch_bound(compiled, &bound, workgroups)
    }

    /// Records a kernel over the first `bytes` bytes of two buffers, given in the order of the kernel's variables.
    pub(super) fn dispatch_prefix(
        &self,
        kernel: &Kernel,
        buffers: [&DeviceBuffer; 2],
        bytes: u64,
        workgroups: u64,
    ) -> Result<()> {
        let variables = kernel.interface().bindings.iter().zip(buffers);
        let bound: Vec<Bound> =
            variables.map(|(binding, buffer)| Bound { binding, buffer, offset: 0, bytes }).collect();
        self.dispatch_bound(kernel.compiled(), &bound, workgroups)
    }

    fn dispatch_bound(&self, kernel: &Compiled, bound: &[Bound], workgroups: u64) -> Result<()> {
        let shared = &self.shared;
        if kernel.device != shared.fence.device {
            return Err(shared.fence.error(format!("kernel `{}` was compiled for another device", kernel.label)));
        }
        for one in bound {
            shared.check_owner(one.buffer)?;
            self.check_bound(kernel, one)?;
        }
        check_aliases(kernel, bound)?;
        let Some((x, y)) = fold(workgroups, shared.limits.max_workgroups_per_dimension) else {
            return Err(shared.fence.error(format!("kernel `{}`: too many workgroups ({workgroups})", kernel.label)));
        };
        if workgroups == 0 {
            return shared.fence.check();
        }
        let groups = self.bind_groups(kernel, bound)?;
        let is_timed = lock(&shared.timer).is_on;
        let mut recorder = lock(&shared.recorder);
        let doing = || format!("record kernel `{}`", kernel.label);
        shared.fence.run(doing, || {
            let (device, buffers) = (&shared.fence.device, bound.iter().map(|one| one.buffer));
            if is_timed && recorder.is_full() {
                recorder.take(device).map(|recorded| shared.hand_over_recorded(recorded));
            }
            let pass = match is_timed {
                true => recorder.timed_pass(device, &kernel.label, buffers),
                false => recorder.pass(device, buffers),
            };
            pass.set_pipeline(&kernel.pipeline);
            for (number, group) in groups.iter() {
                pass.set_bind_group(*number, group, &[]);
            }
            pass.dispatch_workgroups(x, y, 1);
        })
    }

    fn check_bound(&self, kernel: &Compiled, one: &Bound) -> Result<()> {
        let Bound { binding, buffer, offset, bytes } = one;
        let (least, most) = (binding.least_bytes(), self.limits().max_binding_bytes);
        let message = if *bytes > most {
            format!("its buffer has {bytes} bytes, the device binds at most {most}: cut it into partitions")
        } else if !offset.is_multiple_of(View::ALIGNMENT) {
            format!("a part of buffer `{}` begins at {offset}, no multiple of {}", buffer.label(), View::ALIGNMENT)
        } else if *bytes < least || offset.saturating_add(*bytes) > buffer.raw().size() {
            format!("buffer `{}` has {} bytes, the kernel wants at least {least}", buffer.label(), buffer.len())
        } else {
            return Ok(());
        };
        Err(Error::wiring(&*kernel.label, &*binding.name, message))
    }

    fn bind_groups(&self, kernel: &Compiled, bound: &[Bound]) -> Result<BindGroups> {
        let shared = &self.shared;
        let key = (kernel.id, bound.iter().map(|one| (one.buffer.id(), one.offset, one.bytes)).collect());
        if let Some(groups) = lock(&shared.bind_groups).get(&key) {
            return Ok(groups.clone());
        }
        let doing = || format!("bind the buffers of kernel `{}`", kernel.label);
        let groups: BindGroups = shared.fence.run(doing, || {
            let layouts =
                kernel.layouts.iter().zip(0..).filter_map(|(layout, number)| Some((number, layout.as_ref()?)));
            layouts.map(|(number, layout)| (number, bind_group(&shared.fence.device, layout, bound, number))).collect()
        })?;
        let mut kept = lock(&shared.bind_groups);
        if kept.len() >= KEPT_BIND_GROUPS {
            kept.clear();
        }
        kept.insert(key, groups.clone());
        Ok(groups)
    }

    /// Records zeros for a whole buffer.
    pub fn clear(&self, buffer: &DeviceBuffer) -> Result<()> {
        let shared = &self.shared;
        shared.check_owner(buffer)?;
        // The memory of every buffer is rounded up so.
        let bytes = buffer.len().next_multiple_of(16);
        if (CLEARED_BY_KERNEL..=self.limits().max_binding_bytes).contains(&bytes) {
            return self.clear_by_kernel(buffer, bytes);
        }
        let mut recorder = lock(&shared.recorder);
        let doing = || format!("clear buffer `{}`", buffer.label());
        shared.fence.run(doing, || {
            recorder.encoder(&shared.fence.device, [buffer]).clear_buffer(buffer.raw(), 0, None);
        })
    }

    /// The device's own command was seen to clear less than 100 GB a second, and ends the compute pass.
    fn clear_by_kernel(&self, buffer: &DeviceBuffer, bytes: u64) -> Result<()> {
        let kernel = self.clear_kernel()?;
        let threads = kernel.interface().workgroup_size[0];
        let bound = kernel.interface().bindings.iter().map(|binding| Bound { binding, buffer, offset: 0, bytes });
        let workgroups = bytes.div_ceil(16 * u64::from(threads));
        self.dispatch_bound(kernel.compiled(), &bound.collect::<Vec<_>>(), workgroups)
    }

    /// The kernel that clears: to compile it before it is needed keeps the round that needs it as short as the others.
    pub(crate) fn clear_kernel(&self) -> Result<Kernel> {
        let threads = CLEARED_AT_ONCE.min(self.limits().max_invocations);
        let constants = [("WORKGROUP".to_owned(), f64::from(threads))];
        self.compile(&KernelSpec { label: "clear", source: CLEAR, entry: None, constants: &constants })
    }

    /// Records a copy of the whole of `from` to the start of `to`.
    ///
    /// # Errors
    /// [`Error::Wiring`] if `to` is shorter, or where `from` ends inside a group of four bytes before the end of `to`.
    pub fn copy(&self, from: &DeviceBuffer, to: &DeviceBuffer) -> Result<()> {
        self.copy_prefix(from, to, from.len())
    }

    pub(super) fn copy_prefix(&self, from: &DeviceBuffer, to: &DeviceBuffer, bytes: u64) -> Result<()> {
        let shared = &self.shared;
        shared.check_owner(from)?;
        shared.check_owner(to)?;
        if from.id() == to.id() || bytes == 0 {
            return shared.fence.check();
        }
        check_span("copy", to, bytes)?;
        let mut recorder = lock(&shared.recorder);
        let doing = || format!("copy buffer `{}` to `{}`", from.label(), to.label());
        shared.fence.run(doing, || {
            let encoder = recorder.encoder(&shared.fence.device, [from, to]);
            encoder.copy_buffer_to_buffer(from.raw(), 0, to.raw(), 0, copied(bytes));
        })
    }
}

/// Checks that `bytes` bytes can be put at the start of a buffer: the device moves four at a time.
pub(super) fn check_span(doing: &str, buffer: &DeviceBuffer, bytes: u64) -> Result<()> {
    let message = if bytes > buffer.len() {
        format!("{bytes} bytes do not fit into its {}", buffer.len())
    } else if bytes != buffer.len() && !bytes.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT) {
        format!("{bytes} bytes are neither the whole of its {} nor a multiple of four", buffer.len())
    } else {
        return Ok(());
    };
    Err(Error::wiring(doing, buffer.label(), message))
}

impl Binding {
    /// The least that a bound buffer must hold.
    pub(super) fn least_bytes(&self) -> u64 {
        self.fixed_bytes.unwrap_or(u64::from(self.element_bytes))
    }
}

/// What a variable covers of a buffer: `arrayLength` must tell the buffer's own length, not that of the memory it takes.
fn covered(binding: &Binding, bytes: u64) -> u64 {
    match binding.space {
        // OpenGL rounds a uniform up to sixteen bytes, and every buffer's memory is.
        Space::Uniform => bytes.max(1).next_multiple_of(16),
        Space::StorageRead | Space::StorageReadWrite if bytes == 0 => 16,
        Space::StorageRead | Space::StorageReadWrite => copied(bytes),
    }
}

/// Workgroups along x and y that together are at least `workgroups`; `None` where two dimensions do not suffice.
fn fold(workgroups: u64, most: u32) -> Option<(u32, u32)> {
    let y = workgroups.div_ceil(u64::from(most.max(1))).max(1);
    let x = workgroups.div_ceil(y);
    Some((u32::try_from(x).ok()?, u32::try_from(y).ok().filter(|&y| y <= most)?))
}

fn missing(kernel: &Compiled, binding: &Binding, given: &[(&str, View)]) -> Error {
    let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
    let message = format!("no buffer is given for this variable (there are: {})", names.join(", "));
    Error::wiring(&*kernel.label, &*binding.name, message)
}

fn check_aliases(kernel: &Compiled, bound: &[Bound]) -> Result<()> {
    for (at, one) in bound.iter().enumerate() {
        let others = bound.iter().take(at).filter(|other| other.buffer.id() == one.buffer.id());
        let writes = |bound: &Bound| bound.binding.space == Space::StorageReadWrite;
        if let Some(other) = others.into_iter().find(|other| writes(other) || writes(one)) {
            let (buffer, other) = (one.buffer.label(), &other.binding.name);
            let message = format!("buffer `{buffer}` is bound to `{other}` too, and one of them writes");
            return Err(Error::wiring(&*kernel.label, &*one.binding.name, message));
        }
    }
    Ok(())
}

fn bind_group(device: &wgpu::Device, layout: &wgpu::BindGroupLayout, bound: &[Bound], group: u32) -> wgpu::BindGroup {
    let entries: Vec<wgpu::BindGroupEntry> = bound
        .iter()
        .filter(|one| one.binding.group == group)
        .map(|one| wgpu::BindGroupEntry {
            binding: one.binding.index,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: one.buffer.raw(),
                offset: one.offset,
                size: std::num::NonZeroU64::new(one.bytes),
            }),
        })
        .collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}
