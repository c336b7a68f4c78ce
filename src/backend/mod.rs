//! The devices: what runs a kernel and holds a partition. Knows sources of data, and nothing of queues or algorithms.
//!
//! `cpu` holds the kernels' twins in Rust, vectorised for the machine at hand; `gpu` is the only place that names
//! `wgpu`.

pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;

use std::fmt;

/// What kind of machine a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceKind {
    /// The processor this program runs on, through this crate's own vectorised kernels.
    Cpu,
    /// A graphics card with memory of its own.
    DiscreteGpu,
    /// A graphics processor that shares the processor's memory.
    IntegratedGpu,
    /// A graphics processor handed through to a virtual machine.
    VirtualGpu,
    /// A program that plays a graphics processor (lavapipe, SwiftShader, llvmpipe): right, and slow.
    Software,
    /// Something the driver does not describe.
    Unknown,
}

impl DeviceKind {
    /// Whether this is hardware that computes beside the processor: a software adapter is none.
    pub fn is_hardware_gpu(self) -> bool {
        matches!(self, Self::DiscreteGpu | Self::IntegratedGpu | Self::VirtualGpu | Self::Unknown)
    }

    /// The word used in reports and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::DiscreteGpu => "discrete-gpu",
            Self::IntegratedGpu => "integrated-gpu",
            Self::VirtualGpu => "virtual-gpu",
            Self::Software => "software-adapter",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of a device before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// The name its driver gives it.
    pub name: String,
    /// What kind of machine it is.
    pub kind: DeviceKind,
    /// The interface it is reached by: `native`, `vulkan`, `metal`, `dx12`, `gl`.
    pub interface: String,
    /// The driver and its version, where known.
    pub driver: String,
    /// The largest piece of memory one kernel binding may cover, in bytes.
    pub max_binding_bytes: u64,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Whether kernels may use its matrix units: products of 16 × 16 × 16 in half precision, summed in f32, by subgroups of 32
    /// threads.
    pub matrix_units: bool,
}

/// What a device was measured to do at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceilings {
    /// Bytes that a copy of memory moves in a second, read and written both counted.
    pub copied_bytes_per_second: f64,
    /// Floating-point operations of f32 in a second, a multiplication and an addition counted as two.
    pub operations_per_second: f64,
}

/// The element types that arrays on a device have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 64-bit float: on the host only, WGSL has none.
    F64,
    /// 32-bit signed integer.
    I32,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit signed integer; in WGSL two `u32`, low word first.
    I64,
    /// 64-bit unsigned integer; in WGSL two `u32`, low word first.
    U64,
}

impl Element {
    /// Bytes an element takes.
    pub fn size(self) -> usize {
        match self {
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }
}

/// The reductions that every device knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// The sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}
