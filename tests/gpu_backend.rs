//! The wgpu backend on every adapter of this machine, with oracles in plain Rust.
#![cfg(feature = "gpu")]

use superstep::backend::cpu::reduce::fold;
use superstep::backend::gpu::{DeviceBuffer, GpuDevice, Kernel, KernelSpec, Scalar, Space, adapters, reflect};
use superstep::backend::{Element, ReduceOp};
use superstep::{Error, Result};

/// Runs a test on each adapter; without one it says so, or fails where one is demanded.
fn on_every_adapter(test: impl Fn(&GpuDevice)) {
    let found = adapters();
    if found.is_empty() {
        let required = std::env::var("SUPERSTEP_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "SUPERSTEP_REQUIRE_GPU=1 and wgpu finds no adapter");
        println!("skipped: no adapter");
    }
    for (index, info) in found.iter().enumerate() {
        println!("on {} by {}", info.name, info.interface);
        test(&GpuDevice::open(index).unwrap());
    }
}

fn compile(device: &GpuDevice, source: &str) -> Result<Kernel> {
    device.compile(&KernelSpec { label: "test kernel", source, entry: None, constants: &[] })
}

fn words(device: &GpuDevice, buffer: &DeviceBuffer) -> Vec<u32> {
    bytemuck::pod_collect_to_vec(&device.download(buffer).unwrap())
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + at / 251) as u8).collect()
}

const INCREMENT: &str = "
    @group(0) @binding(0) var<storage, read_write> values: array<u32>;
    @compute @workgroup_size(1) fn increment(
        @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    ) {
        let i = group.x + group.y * groups.x;
        if i < arrayLength(&values) { values[i] = values[i] + i + 1u; }
    }";

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
fn more_workgroups_than_one_dimension_holds_are_folded() {
    on_every_adapter(|device| {
        let kernel = compile(device, INCREMENT).unwrap();
        let count = u64::from(device.limits().max_workgroups_per_dimension) * 2 + 12_345;
        let values = device.create_zeroed("values", 4 * count).unwrap();
        device.dispatch(&kernel, &[("values", &values)], count).unwrap();
        let got = words(device, &values);
        assert_eq!(got.iter().zip(1..).find(|(got, wanted)| *got != wanted), None);
    });
}

const SHAPES: &str = "
    struct Settings { scale: f32, offset: vec2<f32>, }
    struct Tail { count: atomic<u32>, rest: array<vec4<u32>>, }
    override WIDTH: u32 = 4u;
    @id(7) override DEPTH: u32 = 1u;
    @group(0) @binding(3) var<storage, read> points: array<f32>;
    @group(0) @binding(1) var<uniform> settings: Settings;
    @group(2) @binding(0) var<storage, read_write> tail: Tail;
    @group(0) @binding(9) var<storage, read_write> forgotten: array<i32>;
    @group(2) @binding(5) var<storage, read_write> pair: array<i32, 2>;
    var<workgroup> tile: array<f32, WIDTH>;
    var<workgroup> unused: array<f32, 1000>;
    fn through() -> f32 { return points[0] * settings.scale; }
    @compute @workgroup_size(WIDTH * 2, DEPTH) fn used() {
        tail.rest[0].x = u32(through());
        pair[0] = i32(atomicLoad(&tail.count)) + i32(tile[0]);
    }
    @compute @workgroup_size(1) fn other() { forgotten[0] = 1; }";

#[test]
fn reflection_names_what_the_entry_point_uses() {
    let constants = [("WIDTH".to_owned(), 16.0), ("7".to_owned(), 3.0)];
    let spec = KernelSpec { label: "shapes", source: SHAPES, entry: Some("used"), constants: &constants };
    let interface = reflect(&spec).unwrap();
    assert_eq!((interface.workgroup_size, interface.workgroup_bytes), ([32, 3, 1], 4 * 16));
    let found: Vec<_> = interface
        .bindings
        .iter()
        .map(|b| (b.name.as_str(), (b.group, b.index), b.space, b.scalar, b.atomic, b.element_bytes, b.fixed_bytes))
        .collect();
    let expected = [
        ("points", (0, 3), Space::StorageRead, Some(Scalar::F32), false, 4, None),
        ("settings", (0, 1), Space::Uniform, None, false, 16, Some(16)),
        ("tail", (2, 0), Space::StorageReadWrite, None, true, 32, None),
        ("pair", (2, 5), Space::StorageReadWrite, Some(Scalar::I32), false, 4, Some(8)),
    ];
    assert_eq!(found, expected);
}

/// Source, entry point, constants, and what the message must contain.
type Mistake<'a> = (&'a str, Option<&'a str>, &'a [(String, f64)], &'a [&'a str]);

#[test]
fn kernels_that_do_not_compile_tell_where_and_what() {
    let unknown = [("WIDHT".to_owned(), 1.0)];
    let cases: [Mistake; 7] = [
        ("fn main() {\n  let x = 1 +;\n}", None, &[], &["expected", ":2:"]),
        ("@compute @workgroup_size(1) fn f() {\n\n  let x: f32 = 1u;\n}", None, &[], &[":3:"]),
        ("fn f() {}", None, &[], &["no compute entry point"]),
        (SHAPES, None, &[], &["used, other"]),
        (SHAPES, Some("lost"), &[], &["`lost`", "used, other"]),
        (SHAPES, Some("used"), &unknown, &["`WIDHT`", "WIDTH"]),
        (
            "@group(0) @binding(0) var t: texture_2d<f32>;
          @compute @workgroup_size(1) fn f() { let x = textureLoad(t, vec2(0), 0); }",
            None,
            &[],
            &["`t`", "no buffer"],
        ),
    ];
    for (source, entry, constants, wanted) in cases {
        let error = reflect(&KernelSpec { label: "wrong", source, entry, constants }).unwrap_err();
        assert!(matches!(error, Error::Shader { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("wrong") && wanted.iter().all(|part| text.contains(part)), "{wanted:?} in {text}");
    }
}

#[test]
fn a_device_refuses_kernels_it_cannot_run() {
    on_every_adapter(|device| {
        let error = compile(device, "@compute @workgroup_size(1) fn f() { let x = 1 +; }").unwrap_err();
        assert!(matches!(error, Error::Shader { .. }), "{error}");
        let too_many = device.limits().max_invocations + 1;
        let error = compile(device, &format!("@compute @workgroup_size({too_many}) fn f() {{}}")).unwrap_err();
        assert!(error.to_string().contains(&too_many.to_string()), "{error}");
        let memory = device.limits().max_workgroup_bytes / 4 + 1;
        let greedy = format!(
            "var<workgroup> tile: array<u32, {memory}>;
             @group(0) @binding(0) var<storage, read_write> values: array<u32>;
             @compute @workgroup_size(1) fn f() {{ tile[values[0]] = 1u; values[1] = tile[values[2]]; }}"
        );
        let error = compile(device, &greedy).unwrap_err();
        assert!(error.to_string().contains("workgroup memory"), "{error}");
        // The device is as good as before.
        compile(device, INCREMENT).unwrap();
    });
}

/// Buffers by name, and what the message must contain.
type Misfit<'a> = (&'a [(&'a str, &'a DeviceBuffer)], &'a [&'a str]);

#[test]
fn buffers_that_do_not_fit_their_variables_are_named() {
    on_every_adapter(|device| {
        let source = "struct Big { numbers: array<vec4<f32>, 4> }
            @group(0) @binding(0) var<storage, read> big: Big;
            @group(0) @binding(1) var<storage, read_write> out: array<f32>;
            @compute @workgroup_size(1) fn f() { out[0] = big.numbers[3].x + f32(arrayLength(&out)); }";
        let kernel = compile(device, source).unwrap();
        let [short, long, out] = [32, 64, 12].map(|bytes| device.create_zeroed("buffer", bytes).unwrap());
        let cases: [Misfit; 3] = [
            (&[("big", &long), ("Out", &out)], &["`out`", "no buffer", "big, Out"]),
            (&[("big", &short), ("out", &out)], &["`big`", "32 bytes", "64"]),
            (&[("big", &long), ("out", &long)], &["`out`", "`big`", "writes"]),
        ];
        for (bindings, wanted) in cases {
            let error = device.dispatch(&kernel, bindings, 1).unwrap_err();
            let text = error.to_string();
            assert!(wanted.iter().all(|part| text.contains(part)), "{wanted:?} in {text}");
        }
        device.dispatch(&kernel, &[("big", &long), ("out", &out), ("unused", &short)], 1).unwrap();
        let got: Vec<f32> = bytemuck::pod_collect_to_vec(&device.download(&out).unwrap());
        assert_eq!(got, [3.0, 0.0, 0.0], "the length is the buffer's own, not its memory's");
        for (to, count) in [(&out, 16), (&long, 3)] {
            assert!(device.write(to, &bytes(count)).is_err(), "{count} bytes into {}", to.len());
        }
        assert!(device.copy(&long, &short).is_err());
    });
}

#[test]
fn a_buffer_above_the_binding_limit_is_refused_with_both_sizes() {
    on_every_adapter(|device| {
        let limits = device.limits().clone();
        // Only where such a buffer costs little: adapters with gigabytes of binding have no need of the check.
        if limits.max_binding_bytes >= limits.max_buffer_bytes || limits.max_binding_bytes > 256 << 20 {
            println!("skipped: {} binds {} bytes", device.info().name, limits.max_binding_bytes);
            return;
        }
        let kernel = compile(device, INCREMENT).unwrap();
        let large = device.create_zeroed("large", limits.max_binding_bytes + 4).unwrap();
        let text = device.dispatch(&kernel, &[("values", &large)], 1).unwrap_err().to_string();
        assert!(text.contains(&limits.max_binding_bytes.to_string()), "{text}");
        assert!(text.contains(&(limits.max_binding_bytes + 4).to_string()), "{text}");
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

/// Merges parts on the device and compares with the twin.
fn check_reduce<T>(device: &GpuDevice, element: Element, parts: &[Vec<T>])
where
    T: bytemuck::Pod + std::fmt::Debug + PartialEq + superstep::backend::cpu::reduce::Mergeable,
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

#[test]
fn two_threads_share_a_device() {
    on_every_adapter(|device| {
        let work = |seed: u32| {
            let kernel = compile(device, INCREMENT).unwrap();
            for round in 0..20 {
                let values = device.upload("values", bytemuck::cast_slice(&[seed, round])).unwrap();
                device.dispatch(&kernel, &[("values", &values)], 2).unwrap();
                assert_eq!(words(device, &values), [seed + 1, round + 2]);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| work(100));
            scope.spawn(|| work(200));
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

/// A device as a caller would open it, with wgpu's default limits.
fn open_as_caller() -> Option<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).ok()?;
    pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).ok()
}

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
fn adapters_are_listed_best_first_and_unknown_places_are_explained() {
    let found = adapters();
    let hardware: Vec<bool> = found.iter().map(|info| info.kind.is_hardware_gpu()).collect();
    assert!(hardware.is_sorted_by(|a, b| a >= b), "{found:?}");
    assert_eq!(found, adapters(), "the order is stable");
    let error = GpuDevice::open(found.len()).unwrap_err();
    assert!(matches!(error, Error::NoDevice { .. }), "{error}");
    assert!(found.iter().all(|info| error.to_string().contains(&info.name)), "{error}");
}
