//! Devices through wgpu: the only part of the crate that names it.
//!
//! A [`GpuDevice`] holds buffers and compiled kernels and records commands; nothing runs before [`GpuDevice::submit`]
//! or a download, so that all dispatches between two of them are one submission. Data enters by `upload`, `upload_with`
//! and `write`, leaves by `download` and `read_back`. Kernels are WGSL, and their variables are bound to buffers by
//! name: [`reflect`] tells, before any device exists, what a shader wants.
//!
//! wgpu reports mistakes through error scopes, panics on some lost devices, and is silent about operations on a lost
//! one. `fence` turns all three into [`Error`](crate::Error): every call into wgpu goes through it.

mod adapters;
mod buffer;
mod ceilings;
mod device;
mod dispatch;
mod fence;
mod kernel;
mod recorder;
mod reduce;
mod reflect;
mod timing;
mod transfer;

pub use adapters::adapters;
pub use buffer::DeviceBuffer;
pub use device::{GpuDevice, Limits};
pub use dispatch::View;
pub(crate) use kernel::Trust;
pub use kernel::{Kernel, KernelSpec};
pub use reflect::{Binding, Interface, Scalar, Space, reflect};
pub use timing::KernelTime;
pub use transfer::ReadBack;
