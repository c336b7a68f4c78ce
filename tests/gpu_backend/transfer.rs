//! Bytes in, bytes out, and the order of what happens between.

use super::{INCREMENT, bytes, compile, on_every_adapter, words};
use superstep::Error;
use superstep::backend::gpu::{GpuDevice, adapters};

#[test]
fn bytes_of_any_length_come_back_as_they_went() {
    on_every_adapter(|device| {
        for count in [0, 1, 3, 4, 5, 16, 17, 4096, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (17 << 20) + 3] {
            let sent = bytes(count);
            let buffer = device.upload("sent", &sent).unwrap();
            assert_eq!(buffer.len(), count as u64);
            assert!(device.download(&buffer).unwrap() == sent, "{count} bytes");
        }
    });
}

#[test]
fn an_upload_is_filled_in_whole_granules_in_order() {
    on_every_adapter(|device| {
        for (granule, rows) in [(12_u64, 1_500_000_u64), (7, 700_001), (6 << 20, 3), (1, 0)] {
            let (mut next, mut calls) = (0, 0);
            let fill = &mut |offset: u64, out: &mut [u8]| {
                assert_eq!((offset, out.len() as u64 % granule), (next, 0));
                out.fill((offset / granule % 251) as u8);
                (next, calls) = (offset + out.len() as u64, calls + 1);
                Ok(())
            };
            let buffer = device.upload_with("rows", granule * rows, granule, fill).unwrap();
            assert_eq!(next, granule * rows);
            assert!(rows == 0 || calls > 1, "one piece does not test the ring");
            let back = device.download(&buffer).unwrap();
            assert_eq!(back.len() as u64, granule * rows);
            assert_eq!(back.first(), (rows > 0).then_some(&0));
        }
        let failing = &mut |_: u64, _: &mut [u8]| Err(Error::parameter("row", "unreadable"));
        let error = device.upload_with("rows", 100, 10, failing).unwrap_err();
        assert!(matches!(error, Error::Parameter { .. }), "{error}");
    });
}

#[test]
fn writes_copies_and_clears_keep_their_place_among_dispatches() {
    on_every_adapter(|device| {
        let kernel = compile(device, INCREMENT).unwrap();
        let values = device.upload("values", bytemuck::cast_slice(&[10_u32, 20, 30, 40])).unwrap();
        let snapshot = device.create_zeroed("snapshot", 16).unwrap();
        let before = device.submissions();
        device.dispatch(&kernel, &[("values", &values)], 4).unwrap();
        device.copy(&values, &snapshot).unwrap();
        device.write(&values, bytemuck::cast_slice(&[7_u32, 7])).unwrap();
        device.dispatch(&kernel, &[("values", &values)], 4).unwrap();
        let late = device.read_back(&values).unwrap();
        assert_eq!(device.submissions() - before, 1, "a superstep is one submission");
        device.clear(&values).unwrap();
        device.dispatch(&kernel, &[("values", &values)], 3).unwrap();
        assert_eq!(words(device, &values), [1, 2, 3, 0]);
        assert_eq!(words(device, &snapshot), [11, 22, 33, 44]);
        assert_eq!(bytemuck::pod_collect_to_vec::<u8, u32>(&late.wait().unwrap()), [8, 9, 36, 48]);
    });
}

/// Buffers of all sizes: larger ones are cleared by a kernel.
#[test]
fn clears_all_of_a_buffer_and_nothing_else() {
    on_every_adapter(|device| {
        for count in [1_usize, 3, 1024, 1025, 25_001, (1 << 20) + 1] {
            let ones = vec![u32::MAX; count];
            let [cleared, kept] =
                ["cleared", "kept"].map(|name| device.upload(name, bytemuck::cast_slice(&ones)).unwrap());
            device.clear(&cleared).unwrap();
            assert!(words(device, &cleared).iter().all(|&word| word == 0), "{count} words");
            assert_eq!(words(device, &kept), ones, "{count} words");
        }
    });
}

#[test]
fn nothing_recorded_is_no_submission() {
    on_every_adapter(|device| {
        device.submit().unwrap();
        let kernel = compile(device, INCREMENT).unwrap();
        let values = device.create_zeroed("values", 8).unwrap();
        device.dispatch(&kernel, &[("values", &values)], 0).unwrap();
        device.submit().unwrap();
        assert_eq!(device.submissions(), 0);
        for _ in 0..100 {
            device.dispatch(&kernel, &[("values", &values)], 2).unwrap();
        }
        device.submit().unwrap();
        assert_eq!(device.submissions(), 1);
        assert_eq!(words(device, &values), [100, 200]);
    });
}

#[test]
fn too_much_memory_is_an_error_and_the_device_goes_on() {
    on_every_adapter(|device| {
        for bytes in [device.limits().max_buffer_bytes.saturating_add(1), u64::MAX] {
            let error = device.create_zeroed("huge", bytes).unwrap_err();
            assert!(matches!(error, Error::Device { .. } | Error::OutOfMemory { .. }), "{error}");
            assert!(error.to_string().contains("`huge`"), "{error}");
        }
        let buffer = device.upload("small", &[1, 2, 3, 4]).unwrap();
        assert_eq!(device.download(&buffer).unwrap(), [1, 2, 3, 4]);
    });
}

#[test]
fn two_threads_share_a_device() {
    on_every_adapter(|device| {
        let work = |seed: u32| {
            let kernel = compile(device, INCREMENT).unwrap();
            for round in 0..200 {
                let values = device.upload("values", bytemuck::cast_slice(&[seed, round])).unwrap();
                device.dispatch(&kernel, &[("values", &values)], 2).unwrap();
                assert_eq!(words(device, &values), [seed + 1, round + 2]);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| work(100));
            scope.spawn(|| work(200));
            // Whoever looks after the device from elsewhere disturbs nobody.
            scope.spawn(|| (0..500).for_each(|_| assert!(device.wait().is_ok() && !device.is_lost())));
        });
    });
}

#[test]
fn a_buffer_of_another_device_is_refused() {
    on_every_adapter(|device| {
        let Some(index) = adapters().iter().position(|info| info == device.info()) else { return };
        let other = GpuDevice::open(index).unwrap();
        let stranger = other.create_zeroed("stranger", 16).unwrap();
        assert!(device.download(&stranger).unwrap_err().to_string().contains("`stranger`"));
        let kernel = compile(device, INCREMENT).unwrap();
        assert!(device.dispatch(&kernel, &[("values", &stranger)], 1).is_err());
        assert!(other.dispatch(&kernel, &[("values", &stranger)], 1).is_err());
    });
}
