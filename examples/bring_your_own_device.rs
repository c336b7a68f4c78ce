//! A program that already owns a wgpu device runs k-means on it.
//!
//! ```sh
//! cargo run --release --example bring_your_own_device
//! ```
//!
//! The engine sets no callback on a borrowed device and leaves it usable: the program reads its own buffer afterwards.

use ndarray::Array2;
use std::error::Error;
use superstep::backend::gpu::GpuDevice;
use superstep::{Init, KMeans, Session};

fn main() -> Result<(), Box<dyn Error>> {
    // What the program had before: an instance, an adapter, a device and a queue of its own.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
    println!("this program's own device: {}", adapter.get_info().name);

    let session = Session::builder().own_device(GpuDevice::from_wgpu(device.clone(), queue.clone())).build()?;
    let points = Array2::from_shape_fn((3000, 2), |(row, column)| {
        let centre = [[0.0, 0.0], [8.0, 0.0], [4.0, 7.0]][row % 3][column];
        centre + ((row * 37 + column * 11) % 100) as f32 / 50.0 - 1.0
    });
    let start = ndarray::array![[1.0, 1.0], [7.0, 1.0], [4.0, 5.0]];
    let model = KMeans::new(3).init(Init::Centroids(start)).session(&session).fit(&points)?;
    println!("centroids after {} iterations:\n{:.3}", model.iterations(), model.centroids());

    // The device is still the program's.
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("the program's own"),
        size: 16,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&buffer, 0, &[1; 16]);
    queue.submit([]);
    println!("and the device still works");
    Ok(())
}
