//! Shaders compiled for a device.

use super::device::GpuDevice;
use super::fence::lock;
use super::reflect::{Binding, Interface, Space, reflect};
use crate::{Error, Result};
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A kernel as it is written down.
#[derive(Debug, Clone, Copy)]
pub struct KernelSpec<'a> {
    /// The name used in messages.
    pub label: &'a str,
    /// WGSL.
    pub source: &'a str,
    /// The entry point; may be left out where there is only one.
    pub entry: Option<&'a str>,
    /// Values of the shader's `override` declarations, by name (or by number for those with an `@id`).
    pub constants: &'a [(String, f64)],
}

impl KernelSpec<'_> {
    pub(super) fn error(&self, message: String) -> Error {
        let shader = self.entry.unwrap_or(self.label).to_owned();
        Error::Shader { item: self.label.to_owned(), shader, message }
    }

    /// What its meaning depends on.
    pub(super) fn identity(&self) -> Identity {
        let mut constants: Vec<(String, u64)> =
            self.constants.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect();
        constants.sort();
        (self.source.to_owned(), self.entry.map(str::to_owned), constants)
    }
}

/// Whether a kernel is known to stay inside its arrays, to end its loops, to divide by nothing that is zero, and to write
/// workgroup memory before it reads it. Then none of this is checked or done for it when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Trust {
    /// It may be anybody's.
    Checked,
    /// One of `shaders`, which the tests run with all checks on.
    Trusted,
}

/// Source, entry point and constants.
pub(super) type Identity = (String, Option<String>, Vec<(String, u64)>);
/// What a compiled kernel depends on: these, and its checks.
pub(super) type KernelKey = (Identity, Trust);

/// A kernel that is ready to run on the device that compiled it. Clones share it.
#[derive(Clone)]
pub struct Kernel(Arc<Compiled>);

pub(super) struct Compiled {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) interface: Interface,
    pub(super) pipeline: wgpu::ComputePipeline,
    /// The layout of each group; `None` for numbers that the kernel skips.
    pub(super) layouts: Vec<Option<wgpu::BindGroupLayout>>,
    /// The device's own handle, to tell devices apart.
    pub(super) device: wgpu::Device,
}

const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<(u64, String, Interface, wgpu::ComputePipeline, wgpu::Device)>();
    shared_by_threads::<Vec<Option<wgpu::BindGroupLayout>>>();
};

// SAFETY: every field is Send, as the lines above prove; see `Shared` for why the proof ends here.
unsafe impl Send for Compiled {}
// SAFETY: as for Send.
unsafe impl Sync for Compiled {}

impl Kernel {
    /// What it wants bound, and the size of its workgroups.
    pub fn interface(&self) -> &Interface {
        &self.0.interface
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.0
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("label", &self.0.label).field("interface", &self.0.interface).finish()
    }
}

impl GpuDevice {
    /// Compiles a kernel, or returns the one compiled before from the same source, entry point and constants.
    ///
    /// # Errors
    /// [`Error::Shader`], with line and column, as [`reflect`] does; also where the kernel asks for more than the device
    /// has (threads, workgroup memory, buffers).
    pub fn compile(&self, spec: &KernelSpec) -> Result<Kernel> {
        self.compile_as(spec, Trust::Checked)
    }

    /// Compiles a kernel that runs without checks of its indices, loops and divisors, and without clearing its workgroup memory:
    /// faster, and with the behaviour that a driver gives to what the kernel does wrong.
    ///
    /// # Safety
    /// Whatever it is bound to and dispatched with, the kernel must stay inside its arrays, end its loops, divide by nothing that is
    /// zero, and write workgroup memory before it reads it.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub unsafe fn compile_unchecked(&self, spec: &KernelSpec) -> Result<Kernel> {
        self.compile_as(spec, Trust::Trusted)
    }

    pub(crate) fn compile_as(&self, spec: &KernelSpec, trust: Trust) -> Result<Kernel> {
        let key = (spec.identity(), trust);
        let cached = lock(&self.shared.kernels).get(&key).cloned();
        if let Some(kernel) = cached {
            return Ok(kernel);
        }
        let interface = reflect(spec)?;
        self.check_workgroup(spec, &interface)?;
        let kernel = Kernel(Arc::new(self.build(spec, interface, trust)?));
        // Where two threads compiled the same kernel the first one stays, so that both share its bind groups.
        Ok(lock(&self.shared.kernels).entry(key).or_insert(kernel).clone())
    }

    /// Checks what wgpu leaves to the driver, and drivers to chance.
    fn check_workgroup(&self, spec: &KernelSpec, interface: &Interface) -> Result<()> {
        let threads: u64 = interface.workgroup_size.iter().map(|&extent| u64::from(extent)).product();
        let (limits, name, bytes) = (self.limits(), &self.info().name, interface.workgroup_bytes);
        if threads > u64::from(limits.max_invocations) {
            let most = limits.max_invocations;
            return Err(spec.error(format!("a workgroup of {threads} threads, but {name} runs at most {most}")));
        }
        if bytes > u64::from(limits.max_workgroup_bytes) {
            let most = limits.max_workgroup_bytes;
            return Err(spec.error(format!("{bytes} bytes of workgroup memory, but {name} has {most}")));
        }
        Ok(())
    }

    fn build(&self, spec: &KernelSpec, interface: Interface, trust: Trust) -> Result<Compiled> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let fence = &self.shared.fence;
        let built = fence.run_alive(|| "compile".into(), || pipeline(&fence.device, spec, &interface, trust));
        let (pipeline, layouts) = built.map_err(|error| match error {
            // A lost device is no fault of the shader.
            Error::Device { message, .. } if fence.check().is_ok() => spec.error(message),
            other => other,
        })?;
        let (id, label) = (NEXT.fetch_add(1, Ordering::Relaxed), spec.label.to_owned());
        Ok(Compiled { id, label, interface, pipeline, layouts, device: fence.device.clone() })
    }
}

type Pipeline = (wgpu::ComputePipeline, Vec<Option<wgpu::BindGroupLayout>>);

fn pipeline(device: &wgpu::Device, spec: &KernelSpec, interface: &Interface, trust: Trust) -> Pipeline {
    let label = Some(spec.label);
    let source = wgpu::ShaderSource::Wgsl(Cow::Borrowed(spec.source));
    let descriptor = wgpu::ShaderModuleDescriptor { label, source };
    let module = match trust {
        Trust::Checked => device.create_shader_module(descriptor),
        // SAFETY: only shaders of this crate are trusted, and only those whose indices, loops and divisors are bounded by
        // the shapes that the items declare and the queue checks (each says so in its head); the kernels' tests run them
        // on and off their tiles.
        Trust::Trusted => unsafe {
            device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        },
    };
    let groups = interface.bindings.iter().map(|binding| binding.group + 1).max().unwrap_or(0);
    let layouts: Vec<_> = (0..groups).map(|group| bind_group_layout(device, label, interface, group)).collect();
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &layouts.iter().map(Option::as_ref).collect::<Vec<_>>(),
        immediate_size: 0,
    });
    let constants: Vec<(&str, f64)> = spec.constants.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module: &module,
        entry_point: spec.entry,
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &constants,
            zero_initialize_workgroup_memory: trust == Trust::Checked,
        },
        cache: None,
    });
    (pipeline, layouts)
}

fn bind_group_layout(
    device: &wgpu::Device,
    label: Option<&str>,
    interface: &Interface,
    group: u32,
) -> Option<wgpu::BindGroupLayout> {
    let bindings = interface.bindings.iter().filter(|binding| binding.group == group);
    let entries: Vec<wgpu::BindGroupLayoutEntry> = bindings.map(layout_entry).collect();
    let descriptor = wgpu::BindGroupLayoutDescriptor { label, entries: &entries };
    (!entries.is_empty()).then(|| device.create_bind_group_layout(&descriptor))
}

fn layout_entry(binding: &Binding) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.space {
        Space::Uniform => wgpu::BufferBindingType::Uniform,
        Space::StorageRead => wgpu::BufferBindingType::Storage { read_only: true },
        Space::StorageReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    let min_binding_size = NonZeroU64::new(binding.least_bytes());
    wgpu::BindGroupLayoutEntry {
        binding: binding.index,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size },
        count: None,
    }
}
