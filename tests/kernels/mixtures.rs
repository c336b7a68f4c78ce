//! What the kernels of mixtures are tested with: rows, components, and what a naive answer is.

use crate::launch::Launch;
use crate::oracle::Noise;
use superstep::backend::cpu::MixtureShape;
use superstep::backend::gpu::GpuDevice;

/// Rows, columns, components.
pub(crate) const SHAPES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (3, 2, 1),
    (257, 5, 3),
    (64, 16, 4),
    (65, 17, 70),
    (513, 3, 2),
    (16, 130, 5),
    (1000, 1, 9),
    (17, 1, 300),
];

pub(crate) fn shape((_, dimensions, components): (usize, usize, usize)) -> MixtureShape {
    MixtureShape { components, dimensions }
}

/// Whitened values of rows: for each component noise of this size and a 1, and after all what the kernel is to overwrite.
pub(crate) fn values(noise: &mut Noise, n: usize, shape: MixtureShape, size: f32) -> Vec<f32> {
    let (d, m) = (shape.dimensions, shape.outputs());
    let value = |at: usize, noise: f32| match at % m {
        last if last + 1 == m => 7.0,
        output if output % (d + 1) == d => 1.0,
        _ => size * noise,
    };
    noise.values(n * m).into_iter().enumerate().map(|(at, noise)| value(at, noise)).collect()
}

/// Shares of the components that add up to 1 for each row.
pub(crate) fn shares(noise: &mut Noise, n: usize, k: usize) -> Vec<f32> {
    let mut shares: Vec<f32> = noise.values(n * k).into_iter().map(|value| value.abs() + 1e-3).collect();
    shares.chunks_mut(k).for_each(|row| {
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|share| *share /= sum);
    });
    shares
}

pub(crate) fn launch<'d>(device: &'d GpuDevice, stem: &'static str, n: usize, shape: MixtureShape) -> Launch<'d> {
    Launch::new(device, stem)
        .constant("DIMENSIONS", shape.dimensions as u32)
        .constant("COMPONENTS", shape.components as u32)
        .shape("points_shape", n, shape.dimensions)
}
