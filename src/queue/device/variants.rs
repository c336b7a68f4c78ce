//! The shaders of an item on a device, and which of them runs.

use crate::Result;
use crate::backend::gpu::{GpuDevice, Kernel, Trust};
use crate::queue::bindings;
use crate::queue::pace::Pace;
use crate::queue::plan::Planned;
use crate::queue::shader::{Pass, Shader};
use crate::queue::tune::{self, Tuning};
use std::sync::OnceLock;

/// Compiles the passes of an item for a device: of the shader that was the fastest before, else of its first.
pub(in crate::queue) fn compile(item: &Planned, device: &GpuDevice, tuning: &Tuning) -> Result<Option<OnDevice>> {
    let Some(shader) = &item.shader else { return Ok(None) };
    let variants: Vec<Variant> = shader
        .variants()
        .map(|shader| Variant { shader: shader.clone(), kernels: OnceLock::new(), pace: Pace::default() })
        .collect();
    if !item.objects.writes.is_empty() {
        device.clear_kernel()?;
    }
    let (derived, first) = (kernels(&shader.derived, device)?, kernels(&shader.first, device)?);
    let key = tune::key(device.info(), shader);
    let choice = tuning.choice(key, variants.len()).map_or_else(OnceLock::new, OnceLock::from);
    let ready = OnDevice { derived, first, variants, choice, key };
    ready.chosen().kernels(device)?;
    Ok(Some(ready))
}

/// An item's shader on a device, and those that compute the same, until one of them is settled on.
pub(in crate::queue) struct OnDevice {
    /// The kernels of what follows from the rows alone.
    pub(super) derived: Vec<Kernel>,
    /// The kernels of what runs before, whichever is taken.
    pub(super) first: Vec<Kernel>,
    pub(super) variants: Vec<Variant>,
    pub(super) choice: OnceLock<usize>,
    key: u64,
}

/// A shader's kernels, compiled when they are needed, and how many rows they take at once.
pub(super) struct Variant {
    pub(super) shader: Shader,
    kernels: OnceLock<Vec<Kernel>>,
    pub(super) pace: Pace,
}

impl Variant {
    pub(super) fn kernels(&self, device: &GpuDevice) -> Result<&[Kernel]> {
        if let Some(kernels) = self.kernels.get() {
            return Ok(kernels);
        }
        let kernels = kernels(&self.shader.passes, device)?;
        Ok(self.kernels.get_or_init(|| kernels))
    }
}

fn kernels(passes: &[Pass], device: &GpuDevice) -> Result<Vec<Kernel>> {
    let compiled = passes.iter().map(|pass| {
        let trust = if pass.is_trusted { Trust::Trusted } else { Trust::Checked };
        device.compile_as(&bindings::spec(pass), trust)
    });
    compiled.collect()
}

impl OnDevice {
    /// How many shaders there are to choose from.
    pub(in crate::queue) fn count(&self) -> usize {
        self.variants.len()
    }

    /// What the choice depends on.
    pub(in crate::queue) fn key(&self) -> u64 {
        self.key
    }

    /// Whether a shader can be compiled on the device: another may ask for less.
    pub(in crate::queue) fn is_possible(&self, variant: usize, gpu: &GpuDevice) -> bool {
        self.variants[variant].kernels(gpu).is_ok()
    }

    /// Settles on a shader.
    pub(in crate::queue) fn settle(&self, variant: usize) {
        // Another task of the device may have been first: its choice is as good.
        let _ = self.choice.set(variant);
    }

    pub(super) fn chosen(&self) -> &Variant {
        &self.variants[self.choice.get().copied().unwrap_or(0)]
    }
}
