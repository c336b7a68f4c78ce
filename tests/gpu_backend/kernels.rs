//! Shaders: what they want, what is wrong with them, and how they are run.

use super::{INCREMENT, bytes, compile, on_every_adapter, words};
use superstep::Error;
use superstep::backend::gpu::{DeviceBuffer, KernelSpec, Scalar, Space, reflect};

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
