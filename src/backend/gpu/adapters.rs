//! The adapters of this machine, in a stable order, best first.

use crate::backend::{DeviceInfo, DeviceKind};
use crate::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Every adapter that can run compute shaders: hardware first (discrete, integrated, virtual, unknown), software
/// last. OpenGL is looked at only where there is no Vulkan, Metal or DX12 adapter: it shows the same cards once more.
///
/// `WGPU_BACKEND` (a comma-separated list such as `vulkan,gl`) and `WGPU_ADAPTER_NAME` (part of a name, in any case)
/// narrow the list. A machine without adapters gives an empty list; a driver that fails while it is asked is left out.
pub fn adapters() -> Vec<DeviceInfo> {
    list().iter().map(|adapter| describe(&adapter.get_info(), &adapter.limits(), has_matrix_units(adapter))).collect()
}

/// The adapter at a place of [`adapters`].
pub(super) fn adapter(index: usize) -> Result<wgpu::Adapter> {
    let mut list = list();
    if index < list.len() {
        return Ok(list.swap_remove(index));
    }
    let names: Vec<String> =
        list.iter().enumerate().map(|(at, adapter)| format!("gpu:{at} is {}", adapter.get_info().name)).collect();
    let found = if names.is_empty() {
        "wgpu finds no adapter; install a Vulkan driver, or use `cpu`".to_owned()
    } else {
        names.join(", ")
    };
    Err(Error::NoDevice { asked: format!("gpu:{index}"), found })
}

/// What an adapter, or a device made from it, says of itself.
pub(super) fn describe(info: &wgpu::AdapterInfo, limits: &wgpu::Limits, matrix_units: bool) -> DeviceInfo {
    DeviceInfo {
        name: info.name.clone(),
        kind: kind(info.device_type),
        interface: interface(info.backend).to_owned(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        max_binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        max_buffer_bytes: limits.max_buffer_size,
        matrix_units,
    }
}

/// What kernels for matrix units need.
pub(super) const MATRIX_FEATURES: wgpu::Features = wgpu::Features::SHADER_F16
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::SUBGROUP_BARRIER)
    .union(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX);

/// Whether an adapter has the matrix units that the kernels are written for.
pub(super) fn has_matrix_units(adapter: &wgpu::Adapter) -> bool {
    let info = adapter.get_info();
    let fits = |p: &wgpu::CooperativeMatrixProperties| {
        (p.m_size, p.n_size, p.k_size) == (16, 16, 16)
            && p.ab_type == wgpu::CooperativeScalarType::F16
            && p.cr_type == wgpu::CooperativeScalarType::F32
    };
    (info.subgroup_min_size, info.subgroup_max_size) == (32, 32)
        && adapter.features().contains(MATRIX_FEATURES)
        && adapter.cooperative_matrix_properties().iter().any(fits)
}

fn list() -> Vec<wgpu::Adapter> {
    match wgpu::Backends::from_env() {
        Some(asked) => usable(asked),
        None => {
            let native = usable(wgpu::Backends::all() - wgpu::Backends::GL);
            if native.is_empty() { usable(wgpu::Backends::GL) } else { native }
        }
    }
}

fn usable(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let name = std::env::var("WGPU_ADAPTER_NAME").unwrap_or_default().to_lowercase();
    // Drivers are foreign code that wgpu trusts: one that breaks its promises makes wgpu panic.
    let found = catch_unwind(AssertUnwindSafe(|| enumerate(backends))).unwrap_or_default();
    let mut usable: Vec<wgpu::Adapter> = found
        .into_iter()
        .filter(|adapter| {
            adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
                && adapter.get_info().name.to_lowercase().contains(&name)
        })
        .collect();
    usable.sort_by_key(|adapter| rank(&adapter.get_info()));
    usable
}

fn enumerate(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let descriptor = wgpu::InstanceDescriptor {
        backends,
        // The same instance in debug and release builds: validation layers are the driver's, scopes are ours.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends))
}

fn rank(info: &wgpu::AdapterInfo) -> (u8, bool) {
    let kind = match kind(info.device_type) {
        DeviceKind::DiscreteGpu => 0,
        DeviceKind::IntegratedGpu => 1,
        DeviceKind::VirtualGpu => 2,
        DeviceKind::Unknown => 3,
        DeviceKind::Software | DeviceKind::Cpu => 4,
    };
    (kind, info.backend == wgpu::Backend::Gl)
}

fn kind(device_type: wgpu::DeviceType) -> DeviceKind {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
        wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu,
        wgpu::DeviceType::Cpu => DeviceKind::Software,
        wgpu::DeviceType::Other => DeviceKind::Unknown,
    }
}

fn interface(backend: wgpu::Backend) -> &'static str {
    match backend {
        wgpu::Backend::Vulkan => "vulkan",
        wgpu::Backend::Metal => "metal",
        wgpu::Backend::Dx12 => "dx12",
        wgpu::Backend::Gl => "gl",
        wgpu::Backend::BrowserWebGpu => "webgpu",
        wgpu::Backend::Noop => "noop",
    }
}
