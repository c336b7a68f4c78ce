//! Mistakes between an item and its WGSL are errors before round 1, on a session without a GPU too.

use crate::support::{assert_says, cpu, error_of, table};
use ndarray::{Array1, Array2, array};
use std::borrow::Cow;
use superstep::Result;
use superstep::queue::{ComContext, ComputeFunction, IterativeComQueue, Key, Object, Objects, Rows, Shader, ShapeRule};

const ROWS: Key<Rows> = Key::new("rows");
const VECTOR: Key<Array1<f32>> = Key::new("vector");
const SUMS: Key<Array1<f32>> = Key::new("sums");
const EXACT: Key<Array2<f64>> = Key::new("exact");
const COUNTS: Key<Vec<u64>> = Key::new("counts");
const WORDS: Key<Words> = Key::new("words");

#[derive(Clone)]
struct Words;

impl Object for Words {}

/// An item with WGSL that is never to run.
struct Mistaken {
    objects: Objects,
    wgsl: &'static str,
}

impl ComputeFunction for Mistaken {
    fn name(&self) -> Cow<'static, str> {
        "Mistaken".into()
    }

    fn objects(&self) -> Objects {
        self.objects.clone()
    }

    fn calc(&self, _: &mut ComContext) -> Result<()> {
        panic!("a round started")
    }

    fn shader(&self) -> Option<Shader> {
        Some(Shader::wgsl(self.wgsl).named("mistaken").per_row(ROWS))
    }
}

fn refusal(case: &str, objects: Objects, wgsl: &'static str) -> superstep::Error {
    let queue = IterativeComQueue::once(&cpu(1))
        .init_with_partitioned_data(ROWS, table(10, 3))
        .init_with_broadcast_data(VECTOR, array![1.0, 2.0, 3.0])
        .init_with_broadcast_data(EXACT, Array2::zeros((2, 2)))
        .init_with_broadcast_data(COUNTS, vec![0, 0])
        .init_with_broadcast_data(WORDS, Words);
    error_of(queue.add(Mistaken { objects, wgsl }).exec(), case)
}

type Case = (&'static str, fn() -> Objects, &'static str, &'static [&'static str]);

/// `VECTOR` to `SUMS`, as it should be.
fn sums() -> Objects {
    Objects::reads(VECTOR).writes(SUMS).shape(SUMS, ShapeRule::like(VECTOR))
}

#[test]
fn each_mistake_names_the_item_and_the_object() {
    let cases: [Case; 14] = [
        (
            "a variable that no item declares",
            sums,
            "@group(0) @binding(0) var<storage, read> vectors: array<f32>;
             @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() { sums[0] = vectors[0]; }",
            &["item `Mistaken`", "object `vectors`", "mistaken", "declares vector, sums"],
        ),
        (
            "the shape of what no item declares",
            sums,
            "@group(0) @binding(0) var<uniform> table_shape: vec2<u32>;
             @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() { sums[0] = f32(table_shape.x); }",
            &["item `Mistaken`", "object `table_shape`"],
        ),
        (
            "a write of what is read only",
            sums,
            "@group(0) @binding(0) var<storage, read_write> vector: array<f32>;
             @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() { vector[0] = 1.0; sums[0] = 1.0; }",
            &["item `Mistaken`", "object `vector`", "only declares that it reads it"],
        ),
        (
            "a write of partitioned rows",
            || Objects::reads(ROWS),
            "@group(0) @binding(0) var<storage, read_write> rows: array<f32>;
             @compute @workgroup_size(1) fn main() { rows[0] = 1.0; }",
            &["item `Mistaken`", "object `rows`", "only declares that it reads it"],
        ),
        (
            "a declared write that is not bound",
            sums,
            "@group(0) @binding(0) var<storage, read> vector: array<f32>;
             var<workgroup> sum: f32;
             @compute @workgroup_size(1) fn main() { sum = vector[0]; }",
            &["item `Mistaken`", "object `sums`", "no pass", "read_write"],
        ),
        (
            "a declared write that is bound read-only",
            sums,
            "@group(0) @binding(0) var<storage, read> sums: array<f32>;
             var<workgroup> sum: f32;
             @compute @workgroup_size(1) fn main() { sum = sums[0]; }",
            &["item `Mistaken`", "object `sums`", "read_write"],
        ),
        (
            "another element type",
            sums,
            "@group(0) @binding(0) var<storage, read> vector: array<u32>;
             @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() { sums[0] = f32(vector[0]); }",
            &["item `Mistaken`", "object `vector`", "F32", "U32"],
        ),
        (
            "64-bit integers are pairs of u32",
            || Objects::none().updates(COUNTS),
            "@group(0) @binding(0) var<storage, read_write> counts: array<i32>;
             @compute @workgroup_size(1) fn main() { counts[0] = 1; }",
            &["item `Mistaken`", "object `counts`", "U64", "I32"],
        ),
        (
            "f64",
            || sums().updates(EXACT),
            "@group(0) @binding(0) var<storage, read_write> exact: array<f32>;
             @compute @workgroup_size(1) fn main() { exact[0] = 1.0; }",
            &["item `Mistaken`", "object `exact`", "f64"],
        ),
        (
            "an object of the host",
            || Objects::reads(WORDS),
            "@group(0) @binding(0) var<storage, read> words: array<u32>;
             var<workgroup> first: u32;
             @compute @workgroup_size(1) fn main() { first = words[0]; }",
            &["item `Mistaken`", "object `words`", "cannot be held by a device"],
        ),
        (
            "no shape for what WGSL writes",
            || Objects::reads(VECTOR).writes(SUMS),
            "@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() { sums[0] = 1.0; }",
            &["item `Mistaken`", "object `sums`", "shape is not known", ".shape("],
        ),
        (
            "a round that is no uniform of eight words",
            sums,
            "@group(0) @binding(0) var<uniform> superstep: vec4<u32>;
             @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() { sums[0] = f32(superstep.x); }",
            &["item `Mistaken`", "object `superstep`", "eight u32"],
        ),
        (
            "a shape that is no pair",
            sums,
            "@group(0) @binding(0) var<uniform> vector_shape: u32;
             @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() { sums[0] = f32(vector_shape); }",
            &["item `Mistaken`", "object `vector_shape`", "vec2<u32>"],
        ),
        (
            "WGSL that does not compile",
            sums,
            "@group(0) @binding(0) var<storage, read_write> sums: array<f32>;\n\n  fn broken() { let x: f32 = 1u; }",
            &["item `Mistaken`", "shader `mistaken`", "3:"],
        ),
    ];
    for (case, objects, wgsl, words) in cases {
        let error = refusal(case, objects(), wgsl);
        let message = error.to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{case}: {message:?} does not say all of {words:?}");
    }
}

#[test]
fn an_entry_point_must_be_there() {
    let error = refusal("no entry point", sums(), "const ONE = 1.0;");
    assert_says(&error, &["item `Mistaken`", "shader `mistaken`"]);
}
