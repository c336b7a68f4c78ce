//! `shaders/reduce.wgsl` against its twin and against plain arithmetic.

use super::{on_every_adapter, words};
use superstep::backend::cpu::reduce::{Mergeable, fold};
use superstep::backend::gpu::{DeviceBuffer, GpuDevice};
use superstep::backend::{Element, ReduceOp};

/// Merges parts on the device and compares with the twin.
fn check_reduce<T>(device: &GpuDevice, element: Element, parts: &[Vec<T>])
where
    T: bytemuck::Pod + std::fmt::Debug + PartialEq + Mergeable,
{
    let length = parts[0].len();
    for op in [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min] {
        let mut expected = parts[0].clone();
        for part in &parts[1..] {
            fold(op, &mut expected, part).unwrap();
        }
        let uploaded: Vec<DeviceBuffer> =
            parts.iter().map(|part| device.upload("part", bytemuck::cast_slice(part)).unwrap()).collect();
        let uploaded: Vec<&DeviceBuffer> = uploaded.iter().collect();
        // One element more than is merged must stay as it is.
        let into = device.create_zeroed("into", ((length + 1) * element.size()) as u64).unwrap();
        device.reduce(op, element, &uploaded, length as u64, &into).unwrap();
        let got: Vec<T> = bytemuck::pod_collect_to_vec(&device.download(&into).unwrap());
        assert_eq!(got[..length], expected, "{op:?} of {element:?}");
        assert_eq!(got[length..], [T::zeroed()]);
        device.reduce(op, element, &uploaded, length as u64, uploaded[0]).unwrap();
        let got: Vec<T> = bytemuck::pod_collect_to_vec(&device.download(uploaded[0]).unwrap());
        assert_eq!(got, expected, "in place, {op:?} of {element:?}");
    }
}

/// Numbers that look random, and the same ones each time (Knuth's multiplicative generator).
fn scrambled(seed: u64, count: usize) -> impl Iterator<Item = u64> {
    (1..=count as u64).map(move |at| (at + seed * 7919).wrapping_mul(6_364_136_223_846_793_005).rotate_left(29))
}

#[test]
fn merging_on_a_device_gives_the_bits_of_its_twin() {
    on_every_adapter(|device| {
        for count in [1, 255, 256, 1000] {
            let parts = |of: usize| (0..of as u64).map(move |part| scrambled(part, count));
            let floats = |values: Vec<u64>| values.iter().map(|&v| (v as i32) as f32 * 1e-3).collect();
            check_reduce::<f32>(device, Element::F32, &parts(5).map(|p| floats(p.collect())).collect::<Vec<_>>());
            check_reduce::<i32>(
                device,
                Element::I32,
                &parts(3).map(|p| p.map(|v| v as i32).collect()).collect::<Vec<_>>(),
            );
            check_reduce::<u32>(
                device,
                Element::U32,
                &parts(3).map(|p| p.map(|v| v as u32).collect()).collect::<Vec<_>>(),
            );
            check_reduce::<i64>(
                device,
                Element::I64,
                &parts(3).map(|p| p.map(|v| v as i64).collect()).collect::<Vec<_>>(),
            );
            check_reduce::<u64>(device, Element::U64, &parts(3).map(Iterator::collect).collect::<Vec<_>>());
        }
        check_reduce(device, Element::I32, &[vec![7, -3]]);
    });
}

#[test]
fn sixty_four_bit_sums_carry_and_borrow() {
    on_every_adapter(|device| {
        let pairs = [
            (u64::from(u32::MAX), 1),
            (1, u64::from(u32::MAX)),
            (u64::MAX, 1),
            (-1_i64 as u64, -1_i64 as u64),
            (5, -7_i64 as u64),
            (i64::MIN as u64, i64::MAX as u64),
            (1 << 32, u64::from(u32::MAX)),
            (-(1_i64 << 32) as u64, (1 << 32) - 1),
        ];
        let (left, right): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
        let [left, right] = [left, right].map(|side| device.upload("side", bytemuck::cast_slice(&side)).unwrap());
        let into = device.create_zeroed("into", left.len()).unwrap();
        let merged = |op, element| {
            device.reduce(op, element, &[&left, &right], pairs.len() as u64, &into).unwrap();
            bytemuck::pod_collect_to_vec::<u8, u64>(&device.download(&into).unwrap())
        };
        assert_eq!(merged(ReduceOp::Sum, Element::U64), pairs.map(|(a, b)| a.wrapping_add(b)));
        assert_eq!(merged(ReduceOp::Sum, Element::I64), pairs.map(|(a, b)| a.wrapping_add(b)));
        assert_eq!(merged(ReduceOp::Max, Element::U64), pairs.map(|(a, b)| a.max(b)));
        assert_eq!(merged(ReduceOp::Min, Element::I64), pairs.map(|(a, b)| (a as i64).min(b as i64) as u64));
    });
}

#[test]
fn merging_goes_beyond_one_dimension_of_workgroups() {
    on_every_adapter(|device| {
        let length = u64::from(device.limits().max_workgroups_per_dimension.min(65_535)) * 256 + 300;
        let fill = &mut |offset: u64, out: &mut [u8]| {
            for (word, value) in out.chunks_exact_mut(4).zip((offset / 4) as u32..) {
                word.copy_from_slice(&value.to_le_bytes());
            }
            Ok(())
        };
        let [a, b] = ["a", "b"].map(|label| device.upload_with(label, 4 * length, 4, fill).unwrap());
        device.reduce(ReduceOp::Sum, Element::U32, &[&a, &b], length, &a).unwrap();
        let wrong = words(device, &a).into_iter().zip(0..).find(|(got, at)| *got != 2 * at);
        assert_eq!(wrong, None, "of {length}");
    });
}

#[test]
fn merging_refuses_what_it_cannot_merge() {
    on_every_adapter(|device| {
        let [a, b, short] = [16, 16, 8].map(|bytes| device.create_zeroed("part", bytes).unwrap());
        assert!(device.reduce(ReduceOp::Sum, Element::F32, &[], 4, &a).is_err());
        assert!(device.reduce(ReduceOp::Sum, Element::F32, &[&a, &short], 4, &b).is_err());
        assert!(device.reduce(ReduceOp::Sum, Element::F32, &[&a, &b], 4, &b).is_err());
        assert!(device.reduce(ReduceOp::Sum, Element::F64, &[&a, &b], 2, &a).is_err());
        assert!(device.reduce(ReduceOp::Sum, Element::F32, &[&a, &b], u64::MAX, &a).is_err());
        device.reduce(ReduceOp::Sum, Element::F32, &[&a, &b], 0, &short).unwrap();
    });
}
