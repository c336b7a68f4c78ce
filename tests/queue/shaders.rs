//! Items with WGSL: what they compute, and when anything moves between a device and the host.

use crate::kernels::{Follow, ROWS, STATE, SUMS, SumColumns, Wgsl, followed};
use crate::support::{column_sums, gpus, item, session, table};
use ndarray::{Array1, array};
use std::sync::{Arc, Mutex};
use superstep::Result;
use superstep::queue::{
    AllReduce, ComContext, Device, Gather, Gathered, IterationListener, IterativeComQueue, Key, Objects, OneDevice,
    Session, Shader, ShapeRule,
};

pub(crate) const COUNTS: Key<Vec<u32>> = Key::new("counts");

/// A session on each adapter, with one partition and with three.
pub(crate) fn sessions() -> impl Iterator<Item = (String, usize, Session)> {
    gpus().into_iter().flat_map(|gpu| [1, 3].map(|partitions| (gpu, partitions))).map(|(gpu, partitions)| {
        (format!("gpu:{gpu}, {partitions} partitions"), partitions, session(&[OneDevice::Adapter(gpu)], partitions))
    })
}

/// How often work was handed to a session's only device.
pub(crate) fn submissions(session: &Session) -> u64 {
    match &session.devices()[0] {
        Device::Gpu(gpu) => gpu.submissions(),
        _ => panic!("a GPU session"),
    }
}

/// Notes the number of submissions at the end of each round.
struct Count(Session, Mutex<Vec<u64>>);

impl IterationListener for Count {
    fn on_round_end(&self, _: u32, _: &ComContext) -> Result<()> {
        self.1.lock().unwrap().push(submissions(&self.0));
        Ok(())
    }
}

impl Count {
    fn of(session: &Session) -> Arc<Self> {
        Arc::new(Self(session.clone(), Mutex::new(vec![submissions(session)])))
    }

    /// The submissions of each round.
    fn rounds(&self) -> Vec<u64> {
        self.1.lock().unwrap().windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[test]
fn wgsl_gives_what_plain_loops_give() -> Result<()> {
    for (name, partitions, session) in sessions() {
        for (rows, columns) in [(1, 1), (2, 33), (100, 3), (1000, 16)] {
            let data = table(rows, columns);
            let run = IterativeComQueue::new(&session)
                .init_with_partitioned_data(ROWS, &data)
                .init_with_broadcast_data(STATE, Array1::zeros(columns))
                .add(SumColumns)
                .add(AllReduce::sum(SUMS))
                .add(Follow)
                .set_max_iter(5)
                .close_with(|cx| Ok(cx.take(STATE)?.mapv(f64::from)))
                .run()?;
            assert_eq!(run.results, vec![followed(&data, 5); partitions], "{rows} × {columns}, {name}");
        }
    }
    Ok(())
}

#[test]
fn a_superstep_of_wgsl_is_one_submission() -> Result<()> {
    for (name, _, session) in sessions() {
        let count = Count::of(&session);
        IterativeComQueue::new(&session)
            .init_with_partitioned_data(ROWS, table(100, 3))
            .init_with_broadcast_data(STATE, Array1::zeros(3))
            .add(SumColumns)
            .add(AllReduce::sum(SUMS))
            .add(Follow)
            .set_max_iter(5)
            .listen(count.clone())
            .exec()?;
        assert_eq!(count.rounds(), [1; 5], "{name}");
    }
    Ok(())
}

/// Puts the round in `state` and twice the round in `sums`.
fn put_two() -> Wgsl {
    let shapes = |objects: Objects| objects.shape(STATE, ShapeRule::fixed([1])).shape(SUMS, ShapeRule::fixed([1]));
    Wgsl::new(
        "put_two",
        shapes(Objects::none().writes((STATE, SUMS))),
        "@group(0) @binding(0) var<storage, read_write> state: array<f32>;
         @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
         @group(0) @binding(2) var<uniform> superstep: array<vec4<u32>, 2>;
         @compute @workgroup_size(1) fn main() {
             state[0] += f32(superstep[0].x);
             sums[0] += 2.0 * f32(superstep[0].x);
         }",
    )
}

#[test]
fn an_item_without_wgsl_moves_only_what_it_asks_for() -> Result<()> {
    for gpu in gpus() {
        let session = session(&[OneDevice::Adapter(gpu)], 1);
        let result: Key<f32> = Key::new("result");
        for (both, moves) in [(false, 1), (true, 2)] {
            let count = Count::of(&session);
            let found = IterativeComQueue::new(&session)
                .add(put_two())
                .add(item("look", Objects::reads((STATE, SUMS)).writes(result), move |cx| {
                    let (state, sums) = (cx.get(STATE)?[0], if both { cx.get(SUMS)?[0] } else { 0.0 });
                    cx.get(STATE)?;
                    cx.put(result, state + sums)
                }))
                .set_max_iter(3)
                .listen(count.clone())
                .close_with(|cx| cx.take(result))
                .exec()?;
            assert_eq!(found, if both { 9.0 } else { 3.0 });
            assert_eq!(count.rounds(), [moves; 3], "each object is read back once");
        }
    }
    Ok(())
}

#[test]
fn what_wgsl_puts_anew_starts_at_zero_and_leaves_a_previous_value() -> Result<()> {
    for (name, partitions, session) in sessions() {
        let run = IterativeComQueue::new(&session)
            .add(put_two())
            .add(item("look", Objects::reads((STATE, SUMS)), |cx| {
                let round = cx.step_no() as f32;
                assert_eq!((cx.get(STATE)?[0], cx.get(SUMS)?[0]), (round, 2.0 * round));
                let before = cx.previous(STATE).ok().map(|state| state[0]);
                assert_eq!(before, (round > 1.0).then_some(round - 1.0));
                Ok(())
            }))
            .output(STATE)
            .set_max_iter(5)
            .close_with(|cx| Ok((cx.previous(SUMS)?[0], cx.get(SUMS)?[0])))
            .run()?;
        assert_eq!(run.results, vec![(8.0, 10.0); partitions], "{name}");
        let outputs: Vec<_> = run.output(STATE).map(|(_, state)| state[0]).collect();
        assert_eq!(outputs, [1.0, 2.0, 3.0, 4.0, 5.0], "{name}");
    }
    Ok(())
}

#[test]
fn the_criterion_reads_device_objects_of_this_round_and_the_one_before() -> Result<()> {
    for (name, partitions, session) in sessions() {
        let data = table(100, 3);
        let run = IterativeComQueue::new(&session)
            .init_with_partitioned_data(ROWS, &data)
            .init_with_broadcast_data(STATE, Array1::zeros(3))
            .add(SumColumns)
            .add(AllReduce::sum(SUMS))
            .add(Follow)
            .add(AllReduce::max(STATE))
            .set_compare_criterion(|cx| {
                let same = cx.get(SUMS)? == if cx.step_no() > 1 { cx.previous(SUMS)? } else { cx.get(SUMS)? };
                assert!(same, "the sums are those of the data in every round");
                Ok(cx.step_no() == 4)
            })
            .close_with(|cx| Ok(cx.take(STATE)?.mapv(f64::from)))
            .run()?;
        assert_eq!((run.rounds, run.results), (4, vec![followed(&data, 4); partitions]), "{name}");
    }
    Ok(())
}

#[test]
fn a_per_round_object_of_a_device_goes_with_its_round() -> Result<()> {
    const BRIEF: Key<Array1<f32>> = Key::new("brief").per_round();
    for (name, _, session) in sessions() {
        let put = Wgsl::new(
            "put",
            Objects::none().writes(BRIEF).shape(BRIEF, ShapeRule::fixed([2])),
            "@group(0) @binding(0) var<storage, read_write> brief: array<f32>;
             @compute @workgroup_size(1) fn main() { brief[1] += 3.0; }",
        );
        IterativeComQueue::new(&session)
            .add(item("gone", Objects::none().updates(BRIEF), |cx| {
                assert!(!cx.contains(BRIEF));
                assert_eq!(cx.previous(BRIEF).ok().cloned(), (cx.step_no() > 1).then(|| array![0.0, 3.0]));
                Ok(())
            }))
            .add(put)
            .add(item("there", Objects::reads(BRIEF), |cx| {
                assert_eq!(cx.get(BRIEF)?, array![0.0, 3.0]);
                Ok(())
            }))
            .set_max_iter(4)
            .exec()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    Ok(())
}

/// Adds the number of the task to `state[0]`, in place.
fn add_task() -> Wgsl {
    Wgsl::new(
        "add_task",
        Objects::none().updates(STATE),
        "@group(0) @binding(0) var<storage, read_write> state: array<f32>;
         @group(0) @binding(1) var<uniform> superstep: array<vec4<u32>, 2>;
         @compute @workgroup_size(1) fn main() { state[0] += f32(superstep[0].y); }",
    )
}

#[test]
fn a_change_in_place_of_a_shared_object_stays_with_its_task() -> Result<()> {
    for (name, partitions, session) in sessions() {
        let tasks = |value: &dyn Fn(f32) -> f32| (0..partitions).map(|task| value(task as f32)).collect::<Vec<f32>>();
        let state = || array![10.0, 1.0];
        let of_broadcast = IterativeComQueue::new(&session).init_with_broadcast_data(STATE, state()).add(add_task());
        let run = of_broadcast.set_max_iter(3).close_with(|cx| Ok(cx.get(STATE)?[0])).run()?;
        assert_eq!(run.results, tasks(&|task| 10.0 + 3.0 * task), "a broadcast object, {name}");

        let of_reduced = IterativeComQueue::once(&session).init_with_broadcast_data(STATE, state());
        let of_reduced = of_reduced.add(add_task()).add(AllReduce::max(STATE)).add(add_task());
        let run = of_reduced.close_with(|cx| Ok(cx.get(STATE)?[0])).run()?;
        assert_eq!(run.results, tasks(&|task| 10.0 + (partitions - 1) as f32 + task), "a merged object, {name}");
    }
    Ok(())
}

#[test]
fn host_and_device_see_each_others_changes() -> Result<()> {
    for (name, partitions, session) in sessions() {
        let run = IterativeComQueue::new(&session)
            .init_with_broadcast_data(STATE, array![0.0, 0.0])
            .add(add_task())
            .add(item("double on the host", Objects::none().updates(STATE), |cx| {
                *cx.get_mut(STATE)? *= 2.0;
                Ok(())
            }))
            .add(add_task())
            .add(item("put on the host", Objects::reads(STATE).writes(STATE), |cx| {
                let state = cx.get(STATE)? + 1.0;
                cx.put(STATE, state)
            }))
            .set_max_iter(3)
            .close_with(|cx| Ok(cx.get(STATE)?[0]))
            .run()?;
        let of_task = |task: usize| (0..3).fold(0.0, |state, _| (state + task as f32) * 2.0 + task as f32 + 1.0);
        assert_eq!(run.results, (0..partitions).map(of_task).collect::<Vec<_>>(), "{name}");
    }
    Ok(())
}

#[test]
fn a_broadcast_array_is_uploaded_once_for_each_device() -> Result<()> {
    let table: Key<Vec<u32>> = Key::new("table");
    let look_up = || {
        Wgsl::new(
            "look_up",
            Objects::reads(table).writes(COUNTS).shape(COUNTS, ShapeRule::fixed([1])),
            "@group(0) @binding(0) var<storage, read> table: array<u32>;
             @group(0) @binding(1) var<storage, read_write> counts: array<u32>;
             @compute @workgroup_size(1) fn main() { counts[0] = table[arrayLength(&table) - 1u]; }",
        )
    };
    for gpu in gpus() {
        // Larger uploads are several submissions each, so that uploads can be counted.
        let upload = |partitions: usize| -> Result<u64> {
            let session = session(&[OneDevice::Adapter(gpu)], partitions);
            let before = submissions(&session);
            let queue = IterativeComQueue::new(&session).init_with_broadcast_data(table, vec![7; 3 << 20]);
            let count = Count::of(&session);
            queue.add(look_up()).set_max_iter(2).listen(count.clone()).exec()?;
            assert!(count.rounds()[0] > 1 && count.rounds()[1] == 1, "{:?}", count.rounds());
            Ok(submissions(&session) - before)
        };
        assert_eq!(upload(1)?, upload(3)?);
    }
    Ok(())
}

#[test]
fn wgsl_knows_its_round_its_task_and_its_first_row() -> Result<()> {
    let all: Key<Gathered<Vec<u32>>> = Key::new("all");
    for (name, partitions, session) in sessions() {
        let tell = Wgsl::new(
            "tell",
            Objects::reads(ROWS).writes(COUNTS).shape(COUNTS, ShapeRule::fixed([7])),
            "struct Superstep {
                 step_no: u32, task_id: u32, num_task: u32, first_row_low: u32, first_row_high: u32,
                 unused_0: u32, unused_1: u32, unused_2: u32,
             }
             @group(0) @binding(0) var<uniform> superstep: Superstep;
             @group(0) @binding(1) var<uniform> rows_shape: vec2<u32>;
             @group(0) @binding(2) var<storage, read_write> counts: array<u32>;
             @compute @workgroup_size(1) fn main() {
                 counts[0] = superstep.step_no;
                 counts[1] = superstep.task_id;
                 counts[2] = superstep.num_task;
                 counts[3] = superstep.first_row_low;
                 counts[4] = superstep.first_row_high;
                 counts[5] = rows_shape.x;
                 counts[6] = rows_shape.y;
             }",
        );
        let queue = IterativeComQueue::new(&session).init_with_partitioned_data(ROWS, table(10, 2));
        let queue = queue.add(tell).add(Gather::new(COUNTS, all)).set_max_iter(3);
        let Gathered(told) = queue.close_with(|cx| cx.take(all)).exec()?;
        let first = |task: usize| task * 10 / partitions;
        let expected = (0..partitions).map(|task| {
            let (first, rows) = (first(task), first(task + 1) - first(task));
            [3, task, partitions, first, 0, rows, 2].map(|word| word as u32).to_vec()
        });
        assert_eq!(told, expected.collect::<Vec<_>>(), "{name}");
    }
    Ok(())
}

#[test]
fn a_shape_that_changes_within_a_round_is_seen_by_each_item() -> Result<()> {
    let (before, after): (Key<Vec<u32>>, Key<Vec<u32>>) = (Key::new("before"), Key::new("after"));
    let measure = |name, key: Key<Vec<u32>>, source| {
        Wgsl::new(name, Objects::reads(STATE).writes(key).shape(key, ShapeRule::fixed([1])), source)
    };
    for (name, partitions, session) in sessions() {
        let run = IterativeComQueue::new(&session)
            .init_with_broadcast_data(STATE, array![1.0])
            .add(measure(
                "measure before",
                before,
                "@group(0) @binding(0) var<uniform> state_shape: vec2<u32>;
                 @group(0) @binding(1) var<storage, read_write> before: array<u32>;
                 @compute @workgroup_size(1) fn main() { before[0] = state_shape.x; }",
            ))
            .add(item("grow", Objects::none().writes(STATE), |cx| {
                let longer = Array1::zeros(cx.step_no() as usize + 1);
                cx.put(STATE, longer)
            }))
            .add(measure(
                "measure after",
                after,
                "@group(0) @binding(0) var<uniform> state_shape: vec2<u32>;
                 @group(0) @binding(1) var<storage, read_write> after: array<u32>;
                 @compute @workgroup_size(1) fn main() { after[0] = state_shape.x; }",
            ))
            .set_max_iter(4)
            .close_with(|cx| Ok((cx.get(before)?[0], cx.get(after)?[0])))
            .run()?;
        assert_eq!(run.results, vec![(4, 5); partitions], "{name}");
    }
    Ok(())
}

#[test]
fn scratch_of_one_name_belongs_to_its_item() -> Result<()> {
    let tmp: Key<Vec<u32>> = Key::new("tmp");
    let through_scratch = |name, length: usize| {
        let objects = Objects::none().updates(COUNTS).scratch(tmp, ShapeRule::fixed([length]));
        let shader = |source| Shader::wgsl(source).named(name);
        let first = "@group(0) @binding(0) var<storage, read_write> tmp: array<u32>;
                     @compute @workgroup_size(1) fn main() { tmp[arrayLength(&tmp) - 1u] = arrayLength(&tmp); }";
        let second = "@group(0) @binding(0) var<storage, read> tmp: array<u32>;
                      @group(0) @binding(1) var<storage, read_write> counts: array<u32>;
                      @compute @workgroup_size(1) fn main() { counts[0] += tmp[arrayLength(&tmp) - 1u]; }";
        Wgsl { name, objects, shader: shader(first).then(shader(second)) }
    };
    for (name, partitions, session) in sessions() {
        let run = IterativeComQueue::new(&session)
            .init_with_broadcast_data(COUNTS, vec![0])
            .add(through_scratch("short", 4))
            .add(through_scratch("long", 100))
            .set_max_iter(3)
            .close_with(|cx| Ok(cx.get(COUNTS)?[0]))
            .run()?;
        assert_eq!(run.results, vec![312; partitions], "{name}");
    }
    Ok(())
}

#[test]
fn more_tasks_than_rows_give_the_same_sums() -> Result<()> {
    for gpu in gpus() {
        for rows in [0, 1, 5] {
            let data = table(rows, 3);
            let run = IterativeComQueue::once(&session(&[OneDevice::Adapter(gpu)], 8))
                .init_with_partitioned_data(ROWS, &data)
                .init_with_broadcast_data(STATE, Array1::zeros(3))
                .add(SumColumns)
                .add(AllReduce::sum(SUMS))
                .close_with(|cx| Ok(cx.take(SUMS)?.mapv(f64::from)))
                .run()?;
            assert_eq!(run.results, vec![column_sums(&data); 8], "{rows} rows");
        }
    }
    Ok(())
}

#[test]
fn a_merge_on_the_device_knows_every_operation_and_element() -> Result<()> {
    let (signed, wide): (Key<Vec<i32>>, Key<Vec<u64>>) = (Key::new("signed"), Key::new("wide"));
    let fixed = |objects: Objects| objects.shape(signed, ShapeRule::fixed([2])).shape(wide, ShapeRule::fixed([2]));
    for (name, partitions, session) in sessions() {
        let put = Wgsl::new(
            "put",
            fixed(Objects::none().writes((signed, wide))),
            "@group(0) @binding(0) var<storage, read_write> signed: array<i32>;
             @group(0) @binding(1) var<storage, read_write> wide: array<vec2<u32>>;
             @group(0) @binding(2) var<uniform> superstep: array<vec4<u32>, 2>;
             @compute @workgroup_size(1) fn main() {
                 signed[0] = i32(superstep[0].y) - 1;
                 signed[1] = 1 - i32(superstep[0].y);
                 wide[0] = vec2(0xffffffffu, 1u);
                 wide[1] = vec2(superstep[0].y, 0u);
             }",
        );
        let (n, word) = (partitions as i32, u64::from(u32::MAX) + (1 << 32));
        let sums = vec![partitions as u64 * word, (0..partitions as u64).sum()];
        for (reduce, expected) in [
            (AllReduce::sum(signed), vec![(0..n).map(|task| task - 1).sum(), (0..n).map(|task| 1 - task).sum()]),
            (AllReduce::max(signed), vec![n - 2, 1]),
            (AllReduce::min(signed), vec![-1, 2 - n]),
        ] {
            let put = Wgsl { name: put.name, objects: put.objects.clone(), shader: put.shader.clone() };
            let queue = IterativeComQueue::once(&session).add(put).add(reduce).add(AllReduce::sum(wide));
            let run = queue.close_with(|cx| Ok((cx.take(signed)?, cx.take(wide)?))).run()?;
            assert_eq!(run.results, vec![(expected, sums.clone()); partitions], "{name}");
        }
    }
    Ok(())
}
