//! Queues over rows that are not pinned: what items see, what is merged, and what is kept.

use crate::support::{assert_says, column_sums, error_of, gpus, item, table};
use ndarray::{Array1, Array2};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use superstep::data::RowSource;
use superstep::queue::{
    AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, OneDevice, Rows, Run, Session, Shader,
    ShapeRule,
};
use superstep::{Place, Result};

const ROWS: Key<Rows> = Key::new("rows");
const SUMS: Key<Array1<f64>> = Key::new("sums");
const SCALE: Key<f64> = Key::new("scale");
const SEEN: Key<Vec<u64>> = Key::new("seen");

/// A table that hands nothing out without a copy, and counts its reads.
struct Stored {
    table: Array2<f32>,
    reads: AtomicUsize,
}

impl Stored {
    fn new(rows: usize, columns: usize) -> Self {
        Self { table: table(rows, columns), reads: AtomicUsize::new(0) }
    }
}

impl RowSource for Stored {
    fn rows(&self) -> u64 {
        self.table.nrows() as u64
    }

    fn columns(&self) -> usize {
        self.table.ncols()
    }

    fn in_memory(&self, _: Range<u64>) -> Option<&[f32]> {
        None
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.table.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.table.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.table.place(row, column)
    }
}

/// The CPU with room for this many bytes.
fn host(memory: u64, partitions: usize) -> Session {
    let builder = Session::builder().device("cpu".parse().expect("a device")).threads(2).partitions(partitions);
    builder.memory(memory).build().expect("the CPU opens")
}

/// 2,000,000 bytes of rows: eight partitions of 256 KiB.
fn stored() -> Stored {
    Stored::new(100_000, 5)
}

fn sum_columns() -> impl ComputeFunction {
    item("sum columns", Objects::reads(ROWS).writes(SUMS), |cx| {
        let sums = cx.get(ROWS)?.mapv(f64::from).sum_axis(ndarray::Axis(0));
        cx.put(SUMS, sums)
    })
}

fn sums(session: &Session, rows: &Stored, rounds: u32) -> Result<Run<Array1<f64>>> {
    let queue = IterativeComQueue::new(session).init_with_partitioned_data(ROWS, rows);
    let queue = queue.add(sum_columns()).add(AllReduce::sum(SUMS)).set_max_iter(rounds);
    queue.close_with(|cx| cx.take(SUMS)).run()
}

#[test]
fn views_of_streamed_rows_are_made_for_one_chain_and_sums_are_those_of_all_rows() -> Result<()> {
    let rows = stored();
    let expected = column_sums(&rows.table);
    for partitions in [1, 3] {
        let run = sums(&host(1_200_000, partitions), &rows, 2)?;
        assert!(run.results.len() >= 7, "{} tasks", run.results.len());
        for sums in &run.results {
            assert!(sums.iter().zip(&expected).all(|(sum, expected)| (sum - expected).abs() < 1e-6 * expected.abs()));
        }
        let streamed = run.streamed.expect("not all rows fit");
        assert!(streamed.rows > 50_000 && streamed.rows < 100_000 && streamed.of_rows == 100_000, "{streamed:?}");
        assert_eq!(streamed.bytes, 2 * streamed.rows * 20, "each round reads what is streamed once");
    }
    Ok(())
}

#[test]
fn rows_that_fit_are_pinned_before_round_1_and_not_read_again() -> Result<()> {
    let rows = stored();
    let session = host(3_000_000, 1);
    let run = sums(&session, &rows, 1)?;
    assert!(run.streamed.is_none() && run.results.len() == 1);
    let once = rows.reads.swap(0, Ordering::Relaxed);
    sums(&session, &rows, 5)?;
    assert_eq!(rows.reads.load(Ordering::Relaxed), once);
    assert_eq!(session.memory().available(), 3_000_000, "what was pinned is given back");
    Ok(())
}

#[test]
fn items_that_run_once_divide_a_chain_and_every_task_sees_what_they_wrote() -> Result<()> {
    let rows = stored();
    let double = |cx: &mut ComContext| {
        let scale = if cx.contains(SCALE) { 2.0 * cx.get(SCALE)? } else { 1.0 };
        cx.put(SCALE, scale)
    };
    let scaled = item("scaled", Objects::reads((ROWS, SCALE)).writes(SUMS), |cx| {
        let sums = cx.get(ROWS)?.mapv(f64::from).sum_axis(ndarray::Axis(0)) * *cx.get(SCALE)?;
        cx.put(SUMS, sums)
    });
    let outcome = IterativeComQueue::new(&host(600_000, 1))
        .init_with_partitioned_data(ROWS, &rows)
        .add(item("before", Objects::reads(ROWS), |cx| cx.get(ROWS).map(drop)))
        .add(item("double", Objects::none().updates(SCALE).once_per_device(), double))
        .add(scaled)
        .add(AllReduce::sum(SUMS))
        .set_compare_criterion(|cx| {
            if cx.step_no() > 1 {
                let (now, before) = (cx.get(SUMS)?[0], cx.previous(SUMS)?[0]);
                assert!((now - 2.0 * before).abs() < 1e-6 * now.abs(), "{now} after {before}");
            }
            Ok(cx.step_no() == 3)
        })
        .close_with(|cx| Ok((cx.take(SUMS)?, *cx.get(SCALE)?)))
        .run()?;
    let expected = column_sums(&rows.table) * 4.0;
    for (sums, scale) in outcome.results {
        assert_eq!(scale, 4.0, "doubled once a round on every task");
        assert!(sums.iter().zip(&expected).all(|(sum, expected)| (sum - expected).abs() < 1e-6 * expected.abs()));
    }
    Ok(())
}

#[test]
fn custom_merges_see_the_tasks_in_their_order() -> Result<()> {
    let rows = stored();
    let run = IterativeComQueue::once(&host(600_000, 2))
        .init_with_partitioned_data(ROWS, &rows)
        .add(item("see", Objects::reads(ROWS).writes(SEEN), |cx| {
            let first = cx.rows(ROWS)?.first_row();
            cx.put(SEEN, vec![first])
        }))
        .add(AllReduce::by(SEEN, |into: &mut Vec<u64>, from| {
            into.extend(from);
            Ok(())
        }))
        .close_with(|cx| cx.take(SEEN))
        .run()?;
    for seen in &run.results {
        assert!(seen.is_sorted() && seen.len() == run.results.len() && seen[0] == 0, "{seen:?}");
    }
    Ok(())
}

#[test]
fn mistakes_of_one_streamed_task_are_named() {
    let rows = stored();
    let session = host(600_000, 1);
    let run = |put: fn(usize) -> Option<Vec<u64>>| {
        let see = item("see", Objects::reads(ROWS).writes(SEEN), move |cx| match put(cx.task_id()) {
            Some(values) => cx.put(SEEN, values),
            None => Ok(()),
        });
        let queue = IterativeComQueue::once(&session).init_with_partitioned_data(ROWS, &rows);
        queue.add(see).add(AllReduce::sum(SEEN)).close_with(|cx| Ok(cx.contains(SEEN))).exec()
    };
    let absent = error_of(run(|task| (task != 3).then(|| vec![1])), "absent");
    assert_says(&absent, &["AllReduce(seen)", "tasks [3]"]);
    let unequal = error_of(run(|task| Some(vec![1; if task == 2 { 4 } else { 3 }])), "unequal");
    assert_says(&unequal, &["AllReduce(seen)", "task 0 put 3", "task 2 put 4"]);
    let overflow = error_of(run(|_| Some(vec![0, u64::MAX / 2])), "overflow");
    assert_says(&overflow, &["AllReduce(seen)", "element 1"]);
    assert!(run(|_| None).is_ok_and(|put| !put), "where no task puts it nothing happens");
}

const COUNTS: Key<Vec<i64>> = Key::new("counts");

/// Counts rows by the sign of their first value; keeps a label for each row, which survives the round.
struct CountSigns;

impl ComputeFunction for CountSigns {
    fn objects(&self) -> Objects {
        Objects::reads(ROWS)
            .updates(LABELS)
            .writes(COUNTS)
            .shape(LABELS, ShapeRule::rows_of(ROWS))
            .shape(COUNTS, ShapeRule::fixed([2]))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let signs: Vec<u32> = cx.get(ROWS)?.column(0).iter().map(|value| u32::from(*value > 0.0)).collect();
        let before = if cx.contains(LABELS) { cx.take(LABELS)? } else { vec![0; signs.len()] };
        let mut counts = vec![0; 2];
        signs.iter().for_each(|sign| counts[*sign as usize] += 1);
        cx.put(LABELS, signs.iter().zip(before).map(|(sign, before)| before + sign).collect())?;
        cx.put(COUNTS, counts)
    }

    fn shader(&self) -> Option<Shader> {
        let source = "
            @group(0) @binding(0) var<storage, read> rows: array<f32>;
            @group(0) @binding(1) var<uniform> rows_shape: vec2<u32>;
            @group(0) @binding(2) var<storage, read_write> labels: array<u32>;
            @group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;
            @compute @workgroup_size(64)
            fn count(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                     @builtin(local_invocation_index) local: u32) {
                let row = (group.x + group.y * groups.x) * 64u + local;
                if row < rows_shape.x {
                    let sign = select(0u, 1u, rows[row * rows_shape.y] > 0.0);
                    labels[row] += sign;
                    atomicAdd(&counts[2u * sign], 1u);
                }
            }";
        Some(Shader::wgsl(source).named("count signs").per_row(ROWS))
    }
}

const LABELS: Key<Vec<u32>> = Key::new("labels");

#[test]
fn a_device_streams_counts_and_keeps_what_belongs_to_each_row() -> Result<()> {
    let rows = stored();
    let positive = rows.table.column(0).iter().filter(|value| **value > 0.0).count() as i64;
    for adapter in gpus() {
        for memory in [u64::MAX, 1_600_000, 800_000] {
            let builder =
                Session::builder().device(superstep::queue::DeviceChoice::These(vec![OneDevice::Adapter(adapter)]));
            let session = builder.device_memory(memory).build()?;
            let run = IterativeComQueue::new(&session)
                .init_with_partitioned_data(ROWS, &rows)
                .add(CountSigns)
                .add(AllReduce::sum(COUNTS))
                .set_max_iter(3)
                .close_with(|cx| Ok((cx.take(COUNTS)?, cx.take(LABELS)?)))
                .run()?;
            assert_eq!(run.streamed.is_some(), memory != u64::MAX, "gpu:{adapter}, {memory}");
            let labels: Vec<u32> = run.results.iter().flat_map(|(_, labels)| labels.iter().copied()).collect();
            assert_eq!(labels.len(), 100_000);
            for (label, value) in labels.iter().zip(rows.table.column(0)) {
                assert_eq!(*label, 3 * u32::from(*value > 0.0), "gpu:{adapter}, {memory}: three rounds were counted");
            }
            for (counts, _) in &run.results {
                assert_eq!(*counts, [100_000 - positive, positive], "gpu:{adapter}, {memory}");
            }
        }
    }
    Ok(())
}
