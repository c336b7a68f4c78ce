//! A caller's own device, and devices that are lost.

use super::caller::open_as_caller;
use super::{INCREMENT, compile, words};
use superstep::Error;
use superstep::backend::gpu::GpuDevice;
use superstep::backend::{Element, ReduceOp};

#[test]
fn a_callers_device_works_and_stays_the_callers() {
    let Some((device, queue)) = open_as_caller() else {
        return println!("skipped: no adapter");
    };
    let borrowed = GpuDevice::from_wgpu(device.clone(), queue.clone());
    assert_eq!(borrowed.limits().max_storage_buffers, 8, "the limits that the caller asked for");
    let kernel = compile(&borrowed, INCREMENT).unwrap();
    let values = borrowed.upload("values", bytemuck::cast_slice(&[1_u32, 2])).unwrap();
    borrowed.dispatch(&kernel, &[("values", &values)], 2).unwrap();
    assert_eq!(words(&borrowed, &values), [2, 4]);
    // Without a handler of the caller's an error that escapes our scopes would panic.
    assert!(borrowed.create_zeroed("huge", 1 << 40).is_err());
    drop((borrowed, values, kernel));
    let descriptor = wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    };
    let own = device.create_buffer(&descriptor);
    queue.write_buffer(&own, 0, &[0; 16]);
    queue.submit([]);
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
}

#[test]
fn a_destroyed_device_gives_errors() {
    let Some((device, queue)) = open_as_caller() else {
        return println!("skipped: no adapter");
    };
    let borrowed = GpuDevice::from_wgpu(device.clone(), queue);
    let kernel = compile(&borrowed, INCREMENT).unwrap();
    let values = borrowed.upload("values", &[0; 16]).unwrap();
    borrowed.dispatch(&kernel, &[("values", &values)], 4).unwrap();
    let pending = borrowed.read_back(&values).unwrap();
    borrowed.dispatch(&kernel, &[("values", &values)], 4).unwrap();
    device.destroy();
    let outcomes = [
        borrowed.submit().err(),
        borrowed.create_zeroed("more", 16).err(),
        borrowed.upload("more", &[1; 16]).err(),
        borrowed.write(&values, &[1; 16]).err(),
        borrowed.dispatch(&kernel, &[("values", &values)], 4).err(),
        borrowed.clear(&values).err(),
        borrowed.download(&values).err(),
        borrowed.reduce(ReduceOp::Sum, Element::F32, &[&values], 4, &values).err(),
        compile(&borrowed, "@compute @workgroup_size(1) fn idle() {}").err(),
        pending.wait().err(),
    ];
    for (at, error) in outcomes.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("call {at} succeeded on a destroyed device"));
        assert!(matches!(error, Error::Device { .. }), "call {at}: {error}");
    }
}

#[test]
fn a_device_destroyed_during_an_upload_gives_an_error() {
    let Some((device, queue)) = open_as_caller() else {
        return println!("skipped: no adapter");
    };
    let borrowed = GpuDevice::from_wgpu(device.clone(), queue);
    let destroy = &mut |offset: u64, _: &mut [u8]| {
        if offset > 0 {
            device.destroy();
        }
        Ok(())
    };
    let error = borrowed.upload_with("rows", 32 << 20, 4, destroy).unwrap_err();
    assert!(matches!(error, Error::Device { .. }), "{error}");
}

#[test]
fn a_lost_device_says_so_and_opens_again_where_it_is_our_own() {
    super::on_every_adapter(|device| {
        let own = GpuDevice::open(0).unwrap();
        own.limit_memory(1 << 20);
        assert!(!own.is_lost() && !device.is_lost());
        own.destroy();
        assert!(own.is_lost() && own.clone().is_lost() && !device.is_lost());
        let again = own.open_again().expect("the adapter is still there");
        assert!(!again.is_lost() && own.is_lost());
        assert_eq!((again.info(), again.memory_limit()), (own.info(), 1 << 20));
        let kernel = compile(&again, INCREMENT).unwrap();
        let values = again.upload("values", bytemuck::cast_slice(&[1_u32, 2])).unwrap();
        again.dispatch(&kernel, &[("values", &values)], 2).unwrap();
        assert_eq!(words(&again, &values), [2, 4]);
    });
    let Some((device, queue)) = open_as_caller() else { return };
    let borrowed = GpuDevice::from_wgpu(device, queue);
    borrowed.destroy();
    assert!(borrowed.is_lost() && borrowed.open_again().is_none(), "it is for the caller to open it");
}
