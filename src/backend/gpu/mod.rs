//! Devices through wgpu.
