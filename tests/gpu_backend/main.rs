//! The wgpu backend on every adapter of this machine, with oracles in plain Rust.
#![cfg(feature = "gpu")]

#[path = "../support/caller.rs"]
mod caller;
mod kernels;
mod loss;
mod reduce;
mod transfer;

use superstep::backend::gpu::{DeviceBuffer, GpuDevice, Kernel, KernelSpec, adapters};
use superstep::{Error, Result};

/// Runs a test on each adapter; without one it says so, or fails where one is demanded.
fn on_every_adapter(test: impl Fn(&GpuDevice)) {
    let found = adapters();
    if found.is_empty() {
        let required = std::env::var("SUPERSTEP_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "SUPERSTEP_REQUIRE_GPU=1 and wgpu finds no adapter");
        println!("skipped: no adapter");
    }
    for (index, info) in found.iter().enumerate() {
        println!("on {} by {}", info.name, info.interface);
        test(&GpuDevice::open(index).unwrap());
    }
}

fn compile(device: &GpuDevice, source: &str) -> Result<Kernel> {
    device.compile(&KernelSpec { label: "test kernel", source, entry: None, constants: &[] })
}

fn words(device: &GpuDevice, buffer: &DeviceBuffer) -> Vec<u32> {
    bytemuck::pod_collect_to_vec(&device.download(buffer).unwrap())
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + at / 251) as u8).collect()
}

const INCREMENT: &str = "
    @group(0) @binding(0) var<storage, read_write> values: array<u32>;
    @compute @workgroup_size(1) fn increment(
        @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    ) {
        let i = group.x + group.y * groups.x;
        if i < arrayLength(&values) { values[i] = values[i] + i + 1u; }
    }";

#[test]
fn adapters_are_listed_best_first_and_unknown_places_are_explained() {
    let found = adapters();
    let hardware: Vec<bool> = found.iter().map(|info| info.kind.is_hardware_gpu()).collect();
    assert!(hardware.is_sorted_by(|a, b| a >= b), "{found:?}");
    assert_eq!(found, adapters(), "the order is stable");
    let error = GpuDevice::open(found.len()).unwrap_err();
    assert!(matches!(error, Error::NoDevice { .. }), "{error}");
    assert!(found.iter().all(|info| error.to_string().contains(&info.name)), "{error}");
}
