//! Running one kernel on a device, its buffers given and read by name.

use std::cell::Cell;
use std::rc::Rc;
use superstep::backend::gpu::{DeviceBuffer, GpuDevice, KernelSpec, adapters};

/// The source of a kernel with the parts that its head names, for rows whose columns are a multiple of four, or not: some kernels take
/// these by one load.
pub(crate) fn source_for(stem: &str, by_quads: bool) -> String {
    let file = |name: &str| {
        let path = format!("{}/shaders/{name}.wgsl", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let kernel = file(stem);
    let named = kernel.lines().find_map(|line| line.strip_prefix("// Joined by the part"));
    let parts = named.map(|parts| parts.trim_start_matches('s').trim_end_matches('.').split(", ").collect::<Vec<_>>());
    let named = parts.into_iter().flatten().map(|part| match part.trim() {
        "columns" if by_quads => "quads",
        part => part,
    });
    let parts: String = named.map(|part| file(&format!("parts/{part}"))).collect();
    kernel + &parts
}

thread_local! {
    /// Whether kernels run as k-means has them, without checks.
    static UNCHECKED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test on every adapter, with checks on; on hardware then without, as k-means does: compilers make other code of that. Without
/// an adapter it says so, or fails where `SUPERSTEP_REQUIRE_GPU=1`; `SUPERSTEP_UNCHECKED=1` leaves out checks everywhere.
pub(crate) fn on_every_adapter(test: impl Fn(&GpuDevice)) {
    let found = adapters();
    if found.is_empty() {
        assert!(std::env::var_os("SUPERSTEP_REQUIRE_GPU").is_none_or(|value| value != "1"), "no adapter");
        println!("skipped: no adapter");
    }
    for (index, info) in found.iter().enumerate() {
        println!("on {} ({})", info.name, info.interface);
        let device = GpuDevice::open(index).expect("the adapter opens");
        let everywhere = std::env::var_os("SUPERSTEP_UNCHECKED").is_some_and(|value| value == "1");
        let ways: &[bool] = if info.kind.is_hardware_gpu() || everywhere { &[false, true] } else { &[false] };
        for unchecked in ways {
            UNCHECKED.set(*unchecked);
            test(&device);
        }
        UNCHECKED.set(false);
    }
}

/// A kernel, the values of its overrides and its buffers. Clones share the buffers.
#[derive(Clone)]
pub(crate) struct Launch<'d> {
    device: &'d GpuDevice,
    stem: &'static str,
    constants: Vec<(String, f64)>,
    buffers: Vec<(&'static str, Rc<DeviceBuffer>)>,
}

impl<'d> Launch<'d> {
    /// The kernel of `shaders/STEM.wgsl`.
    pub(crate) fn new(device: &'d GpuDevice, stem: &'static str) -> Self {
        Self { device, stem, constants: Vec::new(), buffers: Vec::new() }
    }

    /// Another kernel on the same buffers; its constants are given anew.
    pub(crate) fn kernel(mut self, stem: &'static str) -> Self {
        self.stem = stem;
        self.constants.clear();
        self
    }

    pub(crate) fn constant(mut self, name: &str, value: impl Into<f64>) -> Self {
        self.constants.push((name.into(), value.into()));
        self
    }

    /// Gives a buffer its contents; given again, they replace the earlier ones.
    pub(crate) fn bind<T: bytemuck::NoUninit>(mut self, name: &'static str, values: &[T]) -> Self {
        self.set(name, values);
        self
    }

    pub(crate) fn shape(self, name: &'static str, rows: usize, columns: usize) -> Self {
        self.bind(name, &[u32::try_from(rows).unwrap(), u32::try_from(columns).unwrap()])
    }

    pub(crate) fn set<T: bytemuck::NoUninit>(&mut self, name: &'static str, values: &[T]) {
        let buffer = self.device.upload(name, bytemuck::cast_slice(values)).expect("an upload");
        self.buffers.retain(|(other, _)| *other != name);
        self.buffers.push((name, Rc::new(buffer)));
    }

    pub(crate) fn run(&self, workgroups: usize) {
        let columns = self.constants.iter().find(|(name, _)| name == "DIMENSIONS").map_or(1.0, |(_, value)| *value);
        let source = source_for(self.stem, columns % 4.0 == 0.0);
        let spec = KernelSpec { label: self.stem, source: &source, entry: None, constants: &self.constants };
        let kernel = if UNCHECKED.get() {
            // SAFETY: the test has run with checks on before, with the same input.
            unsafe { self.device.compile_unchecked(&spec) }
        } else {
            self.device.compile(&spec)
        };
        let kernel = kernel.unwrap_or_else(|error| panic!("{error}"));
        let buffers: Vec<(&str, &DeviceBuffer)> =
            self.buffers.iter().map(|(name, buffer)| (*name, &**buffer)).collect();
        self.device.dispatch(&kernel, &buffers, workgroups as u64).unwrap_or_else(|error| panic!("{error}"));
    }

    pub(crate) fn read<T: bytemuck::Pod>(&self, name: &str) -> Vec<T> {
        let (_, buffer) = self.buffers.iter().find(|(other, _)| *other == name).expect("a buffer of this name");
        bytemuck::pod_collect_to_vec(&self.device.download(buffer).expect("a download"))
    }
}
