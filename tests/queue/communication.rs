//! All-reduce, broadcast, gather and reduce-scatter between tasks.

use crate::support::{assert_says, cpu, error_of, everywhere, item};
use ndarray::{Array1, Array2, array};
use superstep::Result;
use superstep::queue::{
    AllReduce, Bcast, ComContext, ComputeFunction, Gather, Gathered, IterativeComQueue, Key, Object, Objects,
    QueueItem, ReduceScatter, Session,
};

const VALUES: Key<Vec<f32>> = Key::new("values");
const MATRIX: Key<Array2<f64>> = Key::new("matrix");
const COUNTS: Key<Vec<u64>> = Key::new("counts");
const SMALL: Key<Vec<i32>> = Key::new("small");
const SCALAR: Key<f64> = Key::new("scalar");
const ALL: Key<Gathered<Vec<f32>>> = Key::new("all");

/// Puts `value(task)` where it is some.
fn put<T: Object>(key: Key<T>, value: impl Fn(usize) -> Option<T> + Send + Sync) -> impl ComputeFunction {
    item("put", Objects::none().writes(key), move |cx: &mut ComContext| match value(cx.task_id()) {
        Some(value) => cx.put(key, value),
        None => Ok(()),
    })
}

/// What every task holds after one round of: put, communicate.
fn after<'a, T: Object>(
    session: &Session,
    key: Key<T>,
    value: impl Fn(usize) -> Option<T> + Send + Sync + 'a,
    communication: impl QueueItem<'a>,
) -> Result<Vec<Option<T>>> {
    let queue = IterativeComQueue::once(session).add(put(key, value)).add(communication);
    let run = queue.close_with(|cx| if cx.contains(key) { cx.take(key).map(Some) } else { Ok(None) }).run()?;
    Ok(run.results)
}

/// Element `at` of task `task`: no order, both signs, exact in f32.
fn value(task: usize, at: usize) -> f32 {
    ((task * 31 + at * 17) % 19) as f32 - 9.0
}

fn merged(tasks: usize, length: usize, merge: impl Fn(f64, f64) -> f64) -> Vec<f32> {
    let of_tasks = |at| (0..tasks).map(move |task| f64::from(value(task, at)));
    (0..length).map(|at| of_tasks(at).reduce(&merge).unwrap_or(0.0) as f32).collect()
}

type Operation = (&'static str, fn() -> AllReduce<Vec<f32>>, fn(f64, f64) -> f64);

#[test]
fn sum_max_min_and_a_custom_operation_reach_every_task() -> Result<()> {
    let difference = || {
        AllReduce::by(VALUES, |into, from| {
            into.iter_mut().zip(from).for_each(|(into, from)| *into -= from);
            Ok(())
        })
    };
    let operations: [Operation; 4] = [
        ("sum", || AllReduce::sum(VALUES), |a, b| a + b),
        ("max", || AllReduce::max(VALUES), f64::max),
        ("min", || AllReduce::min(VALUES), f64::min),
        ("difference, which depends on the order", difference, |a, b| a - b),
    ];
    for on in everywhere() {
        for length in [0, 1, 5, 1000] {
            for (name, reduce, merge) in operations {
                let own = move |task: usize| Some((0..length).map(|at| value(task, at)).collect());
                let expected = Some(merged(on.partitions, length, merge));
                let found = after(&on.session, VALUES, own, reduce())?;
                assert_eq!(found, vec![expected; on.partitions], "{name} of {length} elements, {}", on.name);
            }
        }
    }
    Ok(())
}

#[test]
fn a_prefix_is_merged_and_every_task_keeps_its_own_rest() -> Result<()> {
    for on in everywhere() {
        for prefix in [0, 1, 3, 5, 100] {
            let own = |task: usize| (0..5).map(|at| value(task, at)).collect::<Vec<f32>>();
            let heads = merged(on.partitions, 5, |a, b| a + b);
            let expected = (0..on.partitions).map(|task| {
                let mut expected = own(task);
                expected[..prefix.min(5)].copy_from_slice(&heads[..prefix.min(5)]);
                Some(expected)
            });
            let reduce = AllReduce::sum(VALUES).prefix(prefix);
            let found = after(&on.session, VALUES, |task| Some(own(task)), reduce)?;
            assert_eq!(found, expected.collect::<Vec<_>>(), "prefix {prefix}, {}", on.name);
        }
    }
    Ok(())
}

#[test]
fn numbers_and_matrices_are_merged_too() -> Result<()> {
    for on in everywhere() {
        let (n, all) = (on.partitions as f64, on.partitions);
        let found = after(&on.session, SCALAR, |task| Some(task as f64 + 0.5), AllReduce::sum(SCALAR))?;
        assert_eq!(found, vec![Some(n * (n - 1.0) / 2.0 + n / 2.0); all], "{}", on.name);
        // A transposed matrix is not contiguous in row-major order.
        let matrix = |task: usize| Some(array![[1.0, 2.0, 3.0], [4.0, 5.0, task as f64]].reversed_axes());
        let found = after(&on.session, MATRIX, matrix, AllReduce::max(MATRIX))?;
        assert_eq!(found, vec![Some(array![[1.0, 4.0], [2.0, 5.0], [3.0, n - 1.0]]); all], "{}", on.name);
        let found = after(&on.session, COUNTS, |_| Some(vec![1 << 60, 3]), AllReduce::sum(COUNTS))?;
        assert_eq!(found, vec![Some(vec![(1 << 60) * all as u64, 3 * all as u64]); all], "{}", on.name);
    }
    Ok(())
}

#[test]
fn floats_are_summed_in_f64() -> Result<()> {
    let own = |task: usize| Some(vec![[1e8, 1.0, -1e8][task]]);
    let found = after(&cpu(3), VALUES, own, AllReduce::sum(VALUES))?;
    assert_eq!(found, vec![Some(vec![1.0]); 3]);
    Ok(())
}

#[test]
fn not_a_number_survives_every_reduction() -> Result<()> {
    for task_of_nan in 0..3 {
        for reduce in [AllReduce::sum(VALUES), AllReduce::max(VALUES), AllReduce::min(VALUES)] {
            let own = |task| Some(vec![if task == task_of_nan { f32::NAN } else { 1.0 }]);
            let found = after(&cpu(3), VALUES, own, reduce)?;
            assert!(found.iter().flatten().all(|values| values[0].is_nan()), "{found:?}");
        }
    }
    Ok(())
}

#[test]
fn a_sum_of_integers_that_overflows_is_an_error() {
    let found = after(&cpu(3), SMALL, |_| Some(vec![0, i32::MAX / 2]), AllReduce::sum(SMALL));
    assert_says(&error_of(found, "overflow"), &["AllReduce(small)", "element 1", "3 tasks"]);
}

#[test]
fn lengths_that_differ_are_an_error_that_names_the_tasks() {
    for on in everywhere().into_iter().filter(|on| on.partitions > 1) {
        let own = |task: usize| Some(vec![1.0; if task == 2 { 4 } else { 3 }]);
        let by = AllReduce::by(VALUES, |_, _| Ok(()));
        let error = error_of(after(&on.session, VALUES, own, AllReduce::sum(VALUES)), &on.name);
        assert_says(&error, &["AllReduce(values)", "task 0 put 3", "task 2 put 4"]);
        assert_says(&error_of(after(&on.session, VALUES, own, by), &on.name), &["task 2 put 4"]);
    }
}

#[test]
fn absent_on_some_tasks_is_an_error_and_absent_everywhere_is_nothing() -> Result<()> {
    for on in everywhere() {
        let some = |task: usize| (task == 1).then(|| vec![1.0]);
        if on.partitions > 1 {
            let error = error_of(after(&on.session, VALUES, some, AllReduce::sum(VALUES)), &on.name);
            assert_says(&error, &["AllReduce(values)", "tasks [0, 2] of 3"]);
            let error = error_of(after(&on.session, VALUES, some, Bcast::from_task(0, VALUES)), &on.name);
            assert_says(&error, &["Bcast(values)", "task 0 has not put it"]);
        }
        let nothing = vec![None; on.partitions];
        assert_eq!(after(&on.session, VALUES, |_| None, AllReduce::sum(VALUES))?, nothing, "{}", on.name);
        assert_eq!(after(&on.session, VALUES, |_| None, Bcast::from_task(0, VALUES))?, nothing, "{}", on.name);
    }
    Ok(())
}

#[test]
fn a_broadcast_reaches_every_task_from_any_root() -> Result<()> {
    for on in everywhere() {
        for root in 0..on.partitions {
            let own = |task: usize| Some(vec![task as f32, 1.0]);
            let found = after(&on.session, VALUES, own, Bcast::from_task(root, VALUES))?;
            assert_eq!(found, vec![Some(vec![root as f32, 1.0]); on.partitions], "{}", on.name);
        }
        let found = after(&on.session, VALUES, |_| Some(vec![]), Bcast::from_task(7, VALUES));
        assert_says(&error_of(found, &on.name), &["Bcast(values)", "no task 7"]);
    }
    Ok(())
}

#[test]
fn a_gather_collects_all_tasks_in_their_order() -> Result<()> {
    for on in everywhere() {
        // Lengths may differ: nothing is merged.
        let queue = IterativeComQueue::once(&on.session)
            .add(put(VALUES, |task| Some(vec![task as f32; task + 1])))
            .add(Gather::new(VALUES, ALL));
        let expected = Gathered((0..on.partitions).map(|task| vec![task as f32; task + 1]).collect());
        let run = queue.close_with(|cx| cx.take(ALL)).run()?;
        assert_eq!(run.results, vec![expected; on.partitions], "{}", on.name);
    }
    Ok(())
}

#[test]
fn a_reduce_scatter_leaves_each_task_its_part_of_the_sum() -> Result<()> {
    for on in everywhere() {
        for length in [0, 1, 2, 7, 9] {
            let own = move |task: usize| Some((0..length).map(|at| value(task, at)).collect());
            let sums = merged(on.partitions, length, |a, b| a + b);
            let part = |task: usize| task * length / on.partitions..(task + 1) * length / on.partitions;
            let expected: Vec<_> = (0..on.partitions).map(|task| Some(sums[part(task)].to_vec())).collect();
            let found = after(&on.session, VALUES, own, ReduceScatter::sum(VALUES))?;
            assert_eq!(found, expected, "{length} elements, {}", on.name);
        }
    }
    Ok(())
}

#[test]
fn a_custom_merge_that_breaks_the_shape_of_a_prefix_is_an_error() {
    let shrink = AllReduce::by(VALUES, |into, _| {
        into.clear();
        Ok(())
    });
    let found = after(&cpu(3), VALUES, |_| Some(vec![1.0; 4]), shrink.prefix(2));
    assert_says(&error_of(found, "shrunk"), &["AllReduce(values)", "shape of its parts"]);
}

#[test]
fn an_error_of_a_custom_merge_names_round_and_item() {
    let failing = AllReduce::by(VALUES, |_, _| Err(superstep::Error::parameter("merge", "cannot")));
    let found = after(&cpu(2), VALUES, |_| Some(vec![1.0]), failing);
    assert_says(&error_of(found, "failing merge"), &["round 1", "AllReduce(values)", "merge: cannot"]);
}

#[test]
fn the_same_object_is_merged_round_after_round() -> Result<()> {
    let mean: Key<Array1<f64>> = Key::new("mean");
    for on in everywhere() {
        let tasks = on.partitions as f64;
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(mean, array![1.0, 2.0])
            .add(item("double", Objects::reads(mean).writes(mean), move |cx| {
                let doubled = cx.get(mean)? * 2.0;
                cx.put(mean, doubled)
            }))
            .add(AllReduce::sum(mean))
            .set_max_iter(3)
            .close_with(|cx| cx.take(mean))
            .run()?;
        let grown = (2.0 * tasks).powi(3);
        assert_eq!(run.results, vec![array![grown, 2.0 * grown]; on.partitions], "{}", on.name);
    }
    Ok(())
}
