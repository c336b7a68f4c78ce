//! Items whose WGSL takes some rows after others, what it does before, and the memory that it has meanwhile.

use crate::kernels::{ROWS, SUMS, Wgsl};
use crate::shaders::{COUNTS, sessions, submissions};
use crate::support::{column_sums, gpus, item, table};
use ndarray::Array1;
use superstep::Result;
use superstep::queue::{DeviceChoice, IterativeComQueue, Key, Objects, OneDevice, Session, Shader, ShapeRule};

/// WGSL that may take some rows after others, and other WGSL that does the same.
fn sliced(objects: Objects, sources: &[&'static str]) -> Wgsl {
    let shaders = sources.iter().map(|source| Shader::wgsl(*source).named("sliced").per_row(ROWS).in_slices(ROWS));
    Wgsl { name: "sliced", objects, shader: shaders.reduce(Shader::or).expect("a source") }
}

/// Rows that are taken in slices see their own number, first row and shape; what has no rows is added to by all.
#[test]
fn slices_of_rows_are_as_good_as_all_at_once() -> Result<()> {
    let (marks, firsts): (Key<Vec<u32>>, Key<Vec<u32>>) = (Key::new("marks"), Key::new("firsts"));
    for (name, partitions, session) in sessions() {
        let (rows, columns) = (30_011, 2);
        let data = table(rows, columns);
        let objects = Objects::reads(ROWS)
            .writes((marks, firsts, COUNTS))
            .shape(marks, ShapeRule::rows_of(ROWS))
            .shape(firsts, ShapeRule::rows_of(ROWS))
            .shape(COUNTS, ShapeRule::fixed([2]));
        let source = "
            @group(0) @binding(0) var<storage, read> rows: array<f32>;
            @group(0) @binding(1) var<uniform> rows_shape: vec2<u32>;
            @group(0) @binding(2) var<uniform> superstep: array<vec4<u32>, 2>;
            @group(0) @binding(3) var<storage, read_write> marks: array<u32>;
            @group(0) @binding(4) var<storage, read_write> firsts: array<u32>;
            @group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;
            @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                if (id.x >= rows_shape.x) { return; }
                marks[id.x] = bitcast<u32>(rows[id.x * rows_shape.y + 1u]);
                firsts[id.x] = superstep[0].w + id.x;
                atomicAdd(&counts[0], 1u);
                atomicMax(&counts[1], rows_shape.x);
            }";
        let run = IterativeComQueue::new(&session)
            .init_with_partitioned_data(ROWS, &data)
            .add(sliced(objects, &[source]))
            .set_max_iter(3)
            .close_with(|cx| Ok((cx.take(marks)?, cx.take(firsts)?, cx.take(COUNTS)?)))
            .run()?;
        let (mut seen, mut numbers, mut count) = (Vec::new(), Vec::new(), 0);
        for (marks, firsts, counts) in run.results {
            seen.extend(marks);
            numbers.extend(firsts);
            count += counts[0] as usize;
        }
        assert_eq!(count, rows, "{name}, {partitions}");
        assert!(seen.iter().zip(data.outer_iter()).all(|(mark, row)| *mark == row[1].to_bits()), "{name}");
        assert!(numbers.iter().zip(0..).all(|(found, row)| *found == row), "{name}");
    }
    Ok(())
}

/// The faster of two shaders goes on, whichever comes first; the next session begins with it.
#[test]
fn the_fastest_shader_is_found_and_remembered() -> Result<()> {
    let marks: Key<Vec<u32>> = Key::new("marks");
    // Each row is marked by the rounds in which it was seen, and by how its shader works.
    let source = |steps: u32, mark: u32| -> &'static str {
        format!(
            "@group(0) @binding(0) var<storage, read> rows: array<f32>;
             @group(0) @binding(1) var<uniform> rows_shape: vec2<u32>;
             @group(0) @binding(2) var<storage, read_write> marks: array<u32>;
             @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                 if (id.x >= rows_shape.x) {{ return; }}
                 var sum = 0.0;
                 for (var i = 0u; i < {steps}u; i++) {{ sum = sum * 0.5 + rows[id.x * rows_shape.y]; }}
                 marks[id.x] += {mark}u + u32(sum == 1e30);
             }}"
        )
        .leak()
    };
    let (slow, fast) = (source(3000, 1), source(1, 100));
    let folder = std::env::temp_dir().join(format!("superstep-tuning-{}", std::process::id()));
    for gpu in gpus() {
        for (sources, first_round) in [(vec![slow, fast], true), (vec![fast, slow], true), (vec![slow, fast], false)] {
            let session = Session::builder()
                .device(DeviceChoice::These(vec![OneDevice::Adapter(gpu)]))
                .cache_folder(&folder)
                .build()?;
            let objects = Objects::reads(ROWS).updates(marks).shape(marks, ShapeRule::rows_of(ROWS));
            let found = IterativeComQueue::new(&session)
                .init_with_partitioned_data(ROWS, table(60_000, 1))
                .add(sliced(objects, &sources))
                .set_max_iter(3)
                .close_with(|cx| cx.take(marks))
                .exec()?;
            let seen_by = |mark: u32| (mark % 100, mark / 100);
            assert!(found.iter().all(|mark| seen_by(*mark).0 + seen_by(*mark).1 == 3), "each row in each round");
            let slow_rounds = found.iter().filter(|mark| seen_by(**mark).0 > 0).count();
            assert_eq!(slow_rounds > 0, first_round, "trials are for those who do not know yet");
            assert!(slow_rounds < found.len(), "most rows are left to the fast one: {slow_rounds}");
            assert!(found.iter().all(|mark| seen_by(*mark).0 <= 1), "after the first round only the fast one runs");
        }
    }
    std::fs::remove_dir_all(&folder).expect("a folder that was made");
    Ok(())
}

/// WGSL that runs once before the slices, whichever of two shaders takes these.
fn prepared(objects: Objects) -> Wgsl {
    let first = "
        @group(0) @binding(0) var<storage, read_write> counts: array<u32>;
        @compute @workgroup_size(1) fn main() { counts[0] += 7u; }";
    let mark = "
        @group(0) @binding(0) var<uniform> rows_shape: vec2<u32>;
        @group(0) @binding(1) var<storage, read_write> counts: array<u32>;
        @group(0) @binding(2) var<storage, read_write> marks: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if (id.x < rows_shape.x) { marks[id.x] = counts[0]; }
        }";
    let sliced = || Shader::wgsl(mark).named("mark").per_row(ROWS).in_slices(ROWS);
    let shader = sliced().or(sliced()).after(Shader::wgsl(first).named("first"));
    Wgsl { name: "prepared", objects, shader }
}

#[test]
fn what_comes_before_slices_runs_once_a_round() -> Result<()> {
    let marks: Key<Vec<u32>> = Key::new("marks");
    for (name, _, session) in sessions() {
        let data = table(30_011, 2);
        let objects = Objects::reads(ROWS)
            .writes(marks)
            .updates(COUNTS)
            .shape(marks, ShapeRule::rows_of(ROWS))
            .shape(COUNTS, ShapeRule::fixed([2]));
        let queue = IterativeComQueue::new(&session).init_with_partitioned_data(ROWS, &data).add(prepared(objects));
        let run = queue.set_max_iter(3).close_with(|cx| Ok((cx.take(marks)?, cx.take(COUNTS)?))).run()?;
        for (marks, counts) in run.results {
            assert_eq!(counts[0], 21, "{name}: three rounds");
            assert!(marks.iter().all(|&mark| mark == 21), "{name}: every slice came after");
        }
    }
    Ok(())
}

const MARKS: Key<Vec<f32>> = Key::new("marks");
const DOUBLES: Key<Vec<f32>> = Key::new("doubles");

/// Doubles each row's first value, and counts how often.
fn double() -> Shader {
    let source = "
        @group(0) @binding(0) var<uniform> rows_shape: vec2<u32>;
        @group(0) @binding(1) var<storage, read> rows: array<f32>;
        @group(0) @binding(2) var<storage, read_write> doubles: array<f32>;
        @group(0) @binding(3) var<storage, read_write> counts: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if (id.x == 0u) { counts[0] += 1u; }
            if (id.x < rows_shape.x) { doubles[id.x] = 2.0 * rows[id.x * rows_shape.y]; }
        }";
    Shader::wgsl(source).named("double").per_row(ROWS)
}

/// Adds the doubles to the marks, slice by slice.
fn add() -> Shader {
    let source = "
        @group(0) @binding(0) var<uniform> rows_shape: vec2<u32>;
        @group(0) @binding(1) var<storage, read> doubles: array<f32>;
        @group(0) @binding(2) var<storage, read_write> marks: array<f32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if (id.x < rows_shape.x) { marks[id.x] += doubles[id.x]; }
        }";
    Shader::wgsl(source).named("add").per_row(ROWS).in_slices(ROWS)
}

/// An item of these two, whose doubles have this shape.
fn doubling(doubles: ShapeRule, shader: Shader) -> Wgsl {
    let objects = Objects::reads(ROWS)
        .updates((MARKS, COUNTS))
        .scratch(DOUBLES, doubles)
        .shape(MARKS, ShapeRule::rows_of(ROWS))
        .shape(COUNTS, ShapeRule::fixed([2]));
    Wgsl { name: "doubling", objects, shader }
}

#[test]
fn what_follows_from_rows_is_derived_where_they_come_to_a_device() -> Result<()> {
    let data = table(30_011, 5);
    let check = |name: &str, session: &Session, is_streamed: bool| -> Result<()> {
        let item = doubling(ShapeRule::rows_of(ROWS), add().or(add()).derived_by(double()));
        let queue = IterativeComQueue::new(session).init_with_partitioned_data(ROWS, &data).add(item);
        let run = queue.set_max_iter(3).close_with(|cx| Ok((cx.take(MARKS)?, cx.take(COUNTS)?))).run()?;
        assert_eq!(run.streamed.is_some(), is_streamed, "{name}");
        let mut first = 0;
        for (marks, counts) in run.results {
            assert_eq!(counts[0], if is_streamed { 3 } else { 1 }, "{name}: how often it was derived");
            for (row, &mark) in marks.iter().enumerate() {
                assert_eq!(mark, 6.0 * data[[first + row, 0]], "{name}: row {}", first + row);
            }
            first += marks.len();
        }
        assert_eq!(first, 30_011);
        Ok(())
    };
    for (name, _, session) in sessions() {
        check(&name, &session, false)?;
    }
    for gpu in gpus() {
        let builder = Session::builder().device(DeviceChoice::These(vec![OneDevice::Adapter(gpu)]));
        check(&format!("gpu:{gpu}, streamed"), &builder.device_memory(400_000).build()?, true)?;
    }
    Ok(())
}

#[test]
fn memory_of_a_slice_bounds_the_slices() -> Result<()> {
    let data = table(30_011, 2);
    for (name, partitions, session) in sessions() {
        let item = doubling(ShapeRule::slice_of(ROWS, 1, 1900), double().then(add()).in_slices(ROWS));
        let before = submissions(&session);
        let queue = IterativeComQueue::new(&session).init_with_partitioned_data(ROWS, &data).add(item);
        let marks = queue.set_max_iter(3).close_with(|cx| cx.take(MARKS)).exec()?;
        assert!(marks.len() >= data.nrows() / partitions, "{name}: the first task's rows");
        for (row, &mark) in marks.iter().enumerate() {
            assert_eq!(mark, 6.0 * data[[row, 0]], "{name}: row {row}");
        }
        let slices = 30_011 / 2048;
        assert!(submissions(&session) - before >= 3 * slices, "{name}: each slice is one");
    }
    Ok(())
}

#[test]
fn wgsl_runs_in_inner_queues_and_what_follows_from_rows_is_derived_for_each_item() -> Result<()> {
    const SCALED: Key<Array1<f32>> = Key::new("scaled");
    let data = table(1000, 2);
    // What it derives of the rows depends on a constant: two such items share their scratch memory's name, not its contents.
    let scale = |factor: f64| {
        let objects = Objects::reads(ROWS).updates(SUMS).shape(SUMS, ShapeRule::fixed([2]));
        let derive = Shader::wgsl(
            "override FACTOR: f32;
             @group(0) @binding(0) var<storage, read> rows: array<f32>;
             @group(0) @binding(1) var<storage, read_write> scaled: array<f32>;
             @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 if (id.x < arrayLength(&rows)) { scaled[id.x] = FACTOR * rows[id.x]; }
             }",
        );
        let sum = Shader::wgsl(
            "@group(0) @binding(0) var<storage, read> scaled: array<f32>;
             @group(0) @binding(1) var<uniform> rows_shape: vec2<u32>;
             @group(0) @binding(2) var<storage, read_write> sums: array<f32>;
             @compute @workgroup_size(1) fn main() {
                 for (var row = 0u; row < rows_shape.x; row++) {
                     sums[0] += scaled[2u * row];
                     sums[1] += scaled[2u * row + 1u];
                 }
             }",
        );
        let shader = sum.derived_by(derive.constant("FACTOR", factor).per_value(ROWS));
        let objects = objects.scratch(SCALED, ShapeRule::rows_of_by(ROWS, 2));
        Wgsl { name: "scale", objects, shader }
    };
    for (name, partitions, session) in sessions() {
        let inner = |factor: f64| IterativeComQueue::new(&session).add(scale(factor)).set_max_iter(3);
        let run = IterativeComQueue::new(&session)
            .init_with_partitioned_data(ROWS, &data)
            .add(item("begin", Objects::none().updates(SUMS), |cx| {
                if cx.step_no() == 1 { cx.put(SUMS, Array1::zeros(2)) } else { Ok(()) }
            }))
            .add(inner(1.0))
            .add(inner(2.0))
            .set_max_iter(2)
            .close_with(|cx| Ok(cx.get(SUMS)?.mapv(f64::from)))
            .run()?;
        let mut total = Array1::zeros(2);
        run.results.iter().for_each(|sums| total += sums);
        assert_eq!(total, column_sums(&data) * 2.0 * 3.0 * (1.0 + 2.0), "{name}");
        assert_eq!(run.results.len(), partitions);
    }
    Ok(())
}
