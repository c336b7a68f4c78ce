//! The table of words that the crate takes from Alink and Flink ML: a test for each row, named after it.
//!
//! These show that each word means what a reader of either system expects; the other files of this folder hold the same to
//! its edges.

use crate::support::{column_sums, everywhere, item, table};
use ndarray::Array1;
use std::sync::{Arc, Mutex};
use superstep::data::Batches;
use superstep::queue::{
    AllReduce, Bcast, ComContext, ComputeFunction, Gather, Gathered, IterationListener, IterativeComQueue, Key,
    Objects, ReduceScatter, Rows, Session, Stop,
};
use superstep::{Error, Result};

const ROWS: Key<Rows> = Key::new("rows");
const NUMBER: Key<f64> = Key::new("number");
const VECTOR: Key<Vec<f64>> = Key::new("vector");
const SUMS: Key<Array1<f64>> = Key::new("sums");

/// Puts the number of the round plus that of the task.
fn number() -> impl ComputeFunction {
    item("number", Objects::none().writes(NUMBER), |cx| cx.put(NUMBER, f64::from(cx.step_no()) + cx.task_id() as f64))
}

/// `IterativeComQueue` and the one-shot `ComQueue`.
#[test]
fn iterative_com_queue() -> Result<()> {
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session).add(number()).set_max_iter(4).run()?;
        assert_eq!(
            (run.rounds, IterativeComQueue::once(&on.session).add(number()).run()?.rounds),
            (4, 1),
            "{}",
            on.name
        );
    }
    Ok(())
}

/// Every row is on one task, in every round: `initWithPartitionedData`, `bindConstant`.
#[test]
fn init_with_partitioned_data() -> Result<()> {
    let rows = table(101, 3);
    for on in everywhere() {
        let sums = IterativeComQueue::new(&on.session)
            .init_with_partitioned_data(ROWS, &rows)
            .add(item("sum", Objects::reads(ROWS).writes(SUMS), |cx| {
                let sums = column_sums(&cx.get(ROWS)?.to_owned());
                cx.put(SUMS, sums)
            }))
            .add(AllReduce::sum(SUMS))
            .set_max_iter(2)
            .close_with(|cx| cx.take(SUMS))
            .exec()?;
        assert_eq!(sums, column_sums(&rows), "{}", on.name);
    }
    Ok(())
}

/// Every task has the object: `initWithBroadcastData`, `bindVariable`.
#[test]
fn init_with_broadcast_data() -> Result<()> {
    for on in everywhere() {
        let queue = IterativeComQueue::once(&on.session).init_with_broadcast_data(NUMBER, 7.0);
        let run = queue.close_with(|cx| Ok(*cx.get(NUMBER)?)).run()?;
        assert_eq!(run.results, vec![7.0; on.partitions], "{}", on.name);
    }
    Ok(())
}

/// Compute items run in their order, on every task: `add(ComputeFunction)`.
#[test]
fn add_compute_function() -> Result<()> {
    for on in everywhere() {
        let double = item("double", Objects::reads(NUMBER).writes(NUMBER), |cx| {
            let doubled = cx.get(NUMBER)? * 2.0;
            cx.put(NUMBER, doubled)
        });
        let run = IterativeComQueue::once(&on.session).add(number()).add(double);
        let results = run.close_with(|cx| cx.take(NUMBER)).run()?.results;
        let expected: Vec<f64> = (0..on.partitions).map(|task| 2.0 + 2.0 * task as f64).collect();
        assert_eq!(results, expected, "{}", on.name);
    }
    Ok(())
}

/// `add(new AllReduce(name[, length][, op]))`, and `Bcast`, `Gather`, `ReduceScatter`.
#[test]
fn add_all_reduce() -> Result<()> {
    let gathered: Key<Gathered<f64>> = Key::new("gathered");
    for on in everywhere() {
        let tasks = on.partitions as f64;
        let put = || {
            item("put", Objects::none().writes((VECTOR, NUMBER)), |cx| {
                cx.put(VECTOR, vec![cx.task_id() as f64, 1.0])?;
                cx.put(NUMBER, cx.task_id() as f64)
            })
        };
        let of = |queue: IterativeComQueue<'_>| queue.close_with(|cx| cx.get(VECTOR).cloned()).exec();
        let queue = || IterativeComQueue::once(&on.session).add(put());
        let all = tasks * (tasks - 1.0) / 2.0;
        assert_eq!(of(queue().add(AllReduce::sum(VECTOR)))?, [all, tasks], "{}", on.name);
        assert_eq!(of(queue().add(AllReduce::max(VECTOR)))?, [tasks - 1.0, 1.0]);
        assert_eq!(of(queue().add(AllReduce::min(VECTOR)))?, [0.0, 1.0]);
        assert_eq!(of(queue().add(AllReduce::sum(VECTOR).prefix(1)))?, [all, 1.0]);
        let last = AllReduce::by(VECTOR, |into: &mut Vec<f64>, from: &Vec<f64>| {
            into.clone_from(from);
            Ok(())
        });
        assert_eq!(of(queue().add(last))?, [tasks - 1.0, 1.0]);
        assert_eq!(of(queue().add(Bcast::from_task(on.partitions - 1, VECTOR)))?, [tasks - 1.0, 1.0]);
        let list =
            queue().add(Gather::new(NUMBER, gathered)).close_with(move |cx| Ok(cx.get(gathered)?.0.len())).exec()?;
        assert_eq!(list, on.partitions);
        let parts = queue().add(ReduceScatter::sum(VECTOR)).close_with(|cx| Ok(cx.get(VECTOR)?.len())).run()?;
        assert_eq!(parts.results.iter().sum::<usize>(), 2);
    }
    Ok(())
}

/// Decided on task 0, obeyed everywhere: `setCompareCriterionOfNode0`, `until`; a feedback that is empty ends it too.
#[test]
fn set_compare_criterion() -> Result<()> {
    for on in everywhere() {
        let queue = IterativeComQueue::new(&on.session).add(number());
        let run = queue.set_compare_criterion(|cx| Ok(*cx.get(NUMBER)? >= 3.0)).run()?;
        assert_eq!((run.rounds, run.stop), (3, Stop::Criterion), "{}", on.name);
        let queue = IterativeComQueue::new(&on.session).add(item("dry", Objects::none().writes(VECTOR), |cx| {
            if cx.step_no() < 3 { cx.put(VECTOR, vec![0.0]) } else { Ok(()) }
        }));
        let run = queue.feedback(VECTOR).run()?;
        assert_eq!((run.rounds, run.stop), (3, Stop::NoFeedback), "{}", on.name);
    }
    Ok(())
}

/// `setMaxIter`, `fixRound`, `TerminateOnMaxIter`.
#[test]
fn set_max_iter() -> Result<()> {
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session).add(number()).set_max_iter(6).run()?;
        assert_eq!((run.rounds, run.stop), (6, Stop::MaxIter), "{}", on.name);
    }
    Ok(())
}

/// Once on every task; what `exec` returns: `closeWith`, `onIterationTerminated`.
#[test]
fn close_with() -> Result<()> {
    for on in everywhere() {
        let queue = || IterativeComQueue::new(&on.session).add(number()).set_max_iter(2);
        let run = queue().close_with(|cx| cx.take(NUMBER)).run()?;
        assert_eq!(run.results, (0..on.partitions).map(|task| 2.0 + task as f64).collect::<Vec<_>>(), "{}", on.name);
        assert_eq!(queue().close_with(|cx| cx.take(NUMBER)).exec()?, 2.0);
    }
    Ok(())
}

/// `getObj`, `putObj`, `removeObj`, `getStepNo`, `getTaskId`, `getNumTask`; `getRound`, `getLastRoundVariableValues`.
#[test]
fn com_context() -> Result<()> {
    for on in everywhere() {
        let partitions = on.partitions;
        IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(NUMBER, 0.0)
            .add(item("look", Objects::none().updates((NUMBER, VECTOR)), move |cx| {
                let step = cx.step_no();
                assert_eq!((cx.round(), cx.num_task()), (&[step][..], partitions));
                assert!(cx.task_id() < partitions);
                cx.put(NUMBER, f64::from(step))?;
                assert_eq!((*cx.get(NUMBER)?, *cx.previous(NUMBER)?), (f64::from(step), f64::from(step) - 1.0));
                cx.put(VECTOR, vec![1.0])?;
                assert!(cx.contains(VECTOR));
                cx.remove(VECTOR)?;
                assert!(!cx.contains(VECTOR));
                Ok(())
            }))
            .set_max_iter(3)
            .exec()
            .unwrap_or_else(|error| panic!("{}: {error}", on.name));
    }
    Ok(())
}

/// Per-round and all-round lifecycles.
#[test]
fn lifetime() -> Result<()> {
    let (brief, stays): (Key<f64>, Key<f64>) = (Key::new("brief").per_round(), Key::new("stays"));
    for on in everywhere() {
        IterativeComQueue::new(&on.session)
            .add(item("put once", Objects::none().updates((brief, stays)), move |cx| {
                if cx.step_no() == 1 {
                    cx.put(brief, 1.0)?;
                    return cx.put(stays, 1.0);
                }
                assert_eq!((cx.contains(brief), cx.contains(stays)), (false, true));
                Ok(())
            }))
            .set_max_iter(3)
            .exec()?;
    }
    Ok(())
}

/// Notes the rounds that it is told of.
struct Rounds(Arc<Mutex<Vec<String>>>);

impl IterationListener for Rounds {
    fn on_round_start(&self, _: u32, cx: &ComContext) -> Result<()> {
        self.0.lock().unwrap().push(format!("start {:?}", cx.round()));
        Ok(())
    }

    fn on_round_end(&self, _: u32, cx: &ComContext) -> Result<()> {
        self.0.lock().unwrap().push(format!("end {:?}", cx.round()));
        Ok(())
    }
}

/// `withOutput`, `forEachRound`, `onRoundStart` and `onRoundEnd`, nested rounds with `round() == [outer, inner]`.
#[test]
fn output_listen_and_nested_rounds() -> Result<()> {
    for on in everywhere() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let inner = IterativeComQueue::new(&on.session)
            .for_each_round(number)
            .output(NUMBER)
            .listen(Rounds(told.clone()))
            .set_max_iter(2);
        let run = IterativeComQueue::new(&on.session).add(inner).set_max_iter(2).run()?;
        let outputs: Vec<_> = run.output(NUMBER).map(|(round, value)| (round.to_vec(), *value)).collect();
        assert_eq!(
            outputs,
            [(vec![1, 1], 1.0), (vec![1, 2], 2.0), (vec![2, 1], 1.0), (vec![2, 2], 2.0)],
            "{}",
            on.name
        );
        let expected = ["start [1, 1]", "end [1, 1]", "start [1, 2]", "end [1, 2]"];
        assert_eq!(told.lock().unwrap()[..4], expected, "{}", on.name);
    }
    Ok(())
}

/// Each batch drives a round, model versions come out: unbounded iteration.
#[test]
fn init_with_unbounded_data() -> Result<()> {
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session)
            .init_with_unbounded_data(ROWS, Batches::new([table(3, 2), table(9, 2)]))
            .add(item("count", Objects::reads(ROWS).writes(NUMBER), |cx| {
                let rows = cx.rows(ROWS)?.len() as f64;
                cx.put(NUMBER, rows)
            }))
            .add(AllReduce::sum(NUMBER))
            .output(NUMBER)
            .run()?;
        let versions: Vec<f64> = run.output(NUMBER).map(|(_, rows)| *rows).collect();
        assert_eq!((versions, run.stop), (vec![3.0, 9.0], Stop::EndOfData), "{}", on.name);
    }
    Ok(())
}

/// Devices, threads, communicator, budget: `MLEnvironment`, the execution environment.
#[test]
fn session() -> Result<()> {
    let session = Session::builder().device("cpu".parse()?).threads(2).partitions(3).memory(1 << 30).build()?;
    assert_eq!((session.devices().len(), session.threads(), session.collective().size()), (1, 2, 1));
    assert_eq!(session.memory().limit(), 1 << 30);
    assert_eq!(IterativeComQueue::once(&session).add(number()).run()?.results.len(), 3);
    assert!(matches!(Session::builder().threads(0).build(), Err(Error::Parameter { .. })));
    Ok(())
}
