//! Queues inside queues: rounds, lifetimes, what either sees of the other's objects.

use crate::support::{assert_says, column_sums, cpu, error_of, everywhere, item, table};
use crate::threads::on_ranks;
use ndarray::{Array1, array};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use superstep::queue::{
    AllReduce, ComContext, ComputeFunction, IterationListener, IterativeComQueue, Key, Objects, Rows, Session,
    ShapeRule, Stop,
};
use superstep::{Error, Result};

const ROWS: Key<Rows> = Key::new("rows");
const STATE: Key<Array1<f64>> = Key::new("state");
const INNER: Key<f64> = Key::new("inner");
const OUTER: Key<f64> = Key::new("outer");

/// Adds 1 to an object that it puts anew.
fn one_more(key: Key<f64>) -> impl ComputeFunction {
    item("one more", Objects::reads(key).writes(key), move |cx| {
        let next = cx.get(key)? + 1.0;
        cx.put(key, next)
    })
}

fn look(objects: Objects, at: impl Fn(&ComContext) -> Result<()> + Send + Sync) -> impl ComputeFunction {
    item("look", objects, move |cx| at(cx))
}

#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

struct Named(&'static str, Arc<Diary>);

impl IterationListener for Named {
    fn on_round_start(&self, round: u32, cx: &ComContext) -> Result<()> {
        self.1.0.lock().unwrap().push(format!("{} starts {round} at {:?}", self.0, cx.round()));
        Ok(())
    }

    fn on_terminated(&self, rounds: u32, stop: Stop, cx: &ComContext) -> Result<()> {
        self.1.0.lock().unwrap().push(format!("{} ends after {rounds} by {stop:?} at {:?}", self.0, cx.round()));
        Ok(())
    }
}

#[test]
fn the_inner_criterion_and_limit_hold_for_each_outer_round_and_listeners_hear_of_their_own_rounds() -> Result<()> {
    for on in everywhere() {
        let diary = Arc::new(Diary::default());
        let inner = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(INNER, 0.0)
            .add(one_more(INNER))
            .set_compare_criterion(|cx| Ok(cx.round() == [2, 1]))
            .set_max_iter(2)
            .listen(Named("inner", diary.clone()));
        let run = IterativeComQueue::new(&on.session)
            .add(inner)
            .set_max_iter(3)
            .listen(Named("outer", diary.clone()))
            .close_with(|cx| Ok(cx.round().to_vec()))
            .run()?;
        let expected = [
            "outer starts 1 at [1]",
            "inner starts 1 at [1, 1]",
            "inner starts 2 at [1, 2]",
            "inner ends after 2 by MaxIter at [1, 2]",
            "outer starts 2 at [2]",
            "inner starts 1 at [2, 1]",
            "inner ends after 1 by Criterion at [2, 1]",
            "outer starts 3 at [3]",
            "inner starts 1 at [3, 1]",
            "inner starts 2 at [3, 2]",
            "inner ends after 2 by MaxIter at [3, 2]",
            "outer ends after 3 by MaxIter at [3]",
        ];
        assert_eq!(*diary.0.lock().unwrap(), expected, "{}", on.name);
        assert_eq!((run.rounds, run.results), (3, vec![vec![3]; on.partitions]));
    }
    Ok(())
}

#[test]
fn objects_of_the_inner_queue_begin_anew_and_those_of_the_outer_live_across() -> Result<()> {
    for on in everywhere() {
        let written: Key<f64> = Key::new("written");
        let inner = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(INNER, 0.0)
            .add(one_more(INNER))
            .add(one_more(OUTER))
            .add(item("write", Objects::none().updates(written), move |cx| {
                assert_eq!(
                    cx.contains(written),
                    cx.step_no() > 1,
                    "first written in the inner queue: {:?}",
                    cx.round()
                );
                cx.put(written, f64::from(cx.step_no()))
            }))
            .set_max_iter(4);
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(OUTER, 0.0)
            .add(inner)
            .add(look(Objects::reads((INNER, OUTER, written)), move |cx| {
                let outer = 4.0 * f64::from(cx.step_no());
                assert_eq!((*cx.get(INNER)?, *cx.get(OUTER)?, *cx.get(written)?), (4.0, outer, 4.0));
                Ok(())
            }))
            .set_max_iter(3)
            .close_with(|cx| cx.take(OUTER))
            .run()?;
        assert_eq!(run.results, vec![12.0; on.partitions], "{}", on.name);
    }
    Ok(())
}

#[test]
fn an_object_of_one_round_goes_with_the_rounds_of_its_queue() -> Result<()> {
    const BRIEF: Key<f64> = Key::new("brief").per_round();
    const LONGER: Key<f64> = Key::new("longer").per_round();
    for on in everywhere() {
        let inner = IterativeComQueue::new(&on.session)
            .add(item("put", Objects::none().updates((BRIEF, LONGER)), |cx| {
                assert_eq!((cx.contains(BRIEF), cx.contains(LONGER)), (false, true), "{:?}", cx.round());
                *cx.get_mut(LONGER)? += 1.0;
                cx.put(BRIEF, 1.0)
            }))
            .set_max_iter(3);
        let run = IterativeComQueue::new(&on.session)
            .add(item("start", Objects::none().updates(LONGER), |cx| {
                assert!(!cx.contains(LONGER), "one of an outer round before");
                cx.put(LONGER, 0.0)
            }))
            .add(inner)
            .set_max_iter(2)
            .close_with(|cx| cx.take(LONGER))
            .run()?;
        assert_eq!(run.results, vec![3.0; on.partitions], "{}", on.name);
    }
    Ok(())
}

#[test]
fn previous_is_of_the_round_before_of_the_queue_that_asks() -> Result<()> {
    for on in everywhere() {
        let state = |cx: &ComContext| Ok::<_, Error>((*cx.previous(OUTER)?, *cx.get(OUTER)?));
        let inner = IterativeComQueue::new(&on.session)
            .add(look(Objects::reads(OUTER), move |cx| {
                let (outer, round) = (f64::from(cx.round()[0]), f64::from(cx.step_no()));
                let now = 10.0 * outer + round - 1.0;
                // In the first round that is what was put just before the queue.
                assert_eq!(state(cx)?, (now, now), "before the put of {:?}", cx.round());
                Ok(())
            }))
            .add(one_more(OUTER))
            .add(look(Objects::reads(OUTER), move |cx| {
                let now = 10.0 * f64::from(cx.round()[0]) + f64::from(cx.step_no());
                assert_eq!(state(cx)?, (now - 1.0, now), "after the put of {:?}", cx.round());
                Ok(())
            }))
            .set_max_iter(3);
        IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(OUTER, 0.0)
            .add(item("tens", Objects::none().writes(OUTER), |cx| cx.put(OUTER, 10.0 * f64::from(cx.step_no()))))
            .add(inner)
            .add(look(Objects::reads(OUTER), move |cx| {
                let round = f64::from(cx.step_no());
                let before = if round > 1.0 { 10.0 * (round - 1.0) + 3.0 } else { 0.0 };
                assert_eq!(state(cx)?, (before, 10.0 * round + 3.0), "in outer round {round}");
                Ok(())
            }))
            .set_compare_criterion(move |cx| Ok(state(cx)? == (23.0, 33.0)))
            .set_max_iter(9)
            .close_with(|cx| {
                assert_eq!(cx.step_no(), 3);
                Ok(())
            })
            .exec()?;
    }
    Ok(())
}

#[test]
fn an_object_that_only_the_inner_queue_puts_has_a_previous_value_in_the_outer() -> Result<()> {
    let seen = Mutex::new(Vec::new());
    let session = cpu(1);
    IterativeComQueue::new(&session)
        .init_with_broadcast_data(OUTER, 0.0)
        .add(IterativeComQueue::new(&session).add(one_more(OUTER)).set_max_iter(5))
        .set_compare_criterion(|cx| {
            seen.lock().unwrap().push((*cx.previous(OUTER)?, *cx.get(OUTER)?));
            Ok(false)
        })
        .set_max_iter(3)
        .exec()?;
    assert_eq!(*seen.lock().unwrap(), [(0.0, 5.0), (5.0, 10.0), (10.0, 15.0)]);
    Ok(())
}

#[test]
fn what_the_inner_queue_changes_in_place_has_no_previous_value_in_the_outer() -> Result<()> {
    let session = cpu(1);
    let touch = || {
        item("touch", Objects::none().updates(STATE), |cx| {
            cx.get_mut(STATE)?[0] += 1.0;
            Ok(())
        })
    };
    let queue = || {
        IterativeComQueue::new(&session)
            .init_with_broadcast_data(STATE, array![0.0])
            .add(IterativeComQueue::new(&session).add(touch()).set_max_iter(2))
            .set_max_iter(3)
    };
    let error = error_of(queue().set_compare_criterion(|cx| cx.previous(STATE).map(|_| false)).exec(), "in place");
    assert_says(&error, &["`state`", "changed in place"]);
    assert_eq!(queue().close_with(|cx| Ok(cx.get(STATE)?[0])).exec()?, 6.0);
    Ok(())
}

#[test]
fn queues_nest_as_deep_as_one_likes_and_outputs_tell_the_rounds_around() -> Result<()> {
    for on in everywhere() {
        let innermost = IterativeComQueue::new(&on.session).add(one_more(OUTER)).output(OUTER).set_max_iter(2);
        let middle = IterativeComQueue::new(&on.session).add(innermost).add(one_more(OUTER)).set_max_iter(2);
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(OUTER, 0.0)
            .add(middle)
            .set_max_iter(2)
            .run()?;
        let outputs: Vec<_> = run.output(OUTER).map(|(round, value)| (round.to_vec(), *value)).collect();
        let expected = [
            (vec![1, 1, 1], 1.0),
            (vec![1, 1, 2], 2.0),
            (vec![1, 2, 1], 4.0),
            (vec![1, 2, 2], 5.0),
            (vec![2, 1, 1], 7.0),
            (vec![2, 1, 2], 8.0),
            (vec![2, 2, 1], 10.0),
            (vec![2, 2, 2], 11.0),
        ];
        assert_eq!(outputs, expected, "{}", on.name);
    }
    Ok(())
}

#[test]
fn one_after_the_other_may_use_the_same_names_for_other_shapes() -> Result<()> {
    for on in everywhere() {
        let of = |length: usize| {
            IterativeComQueue::new(&on.session)
                .init_with_broadcast_data(STATE, Array1::ones(length))
                .add(item("double", Objects::reads(STATE).writes(STATE), |cx| {
                    let doubled = cx.get(STATE)? * 2.0;
                    cx.put(STATE, doubled)
                }))
                .add(AllReduce::max(STATE))
                .set_max_iter(3)
                .close_with(|cx| {
                    let sum = cx.take(STATE)?.sum();
                    *cx.get_mut(OUTER)? += sum;
                    Ok(())
                })
        };
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(OUTER, 0.0)
            .add(of(3))
            .add(of(5))
            .set_max_iter(2)
            .close_with(|cx| cx.take(OUTER))
            .run()?;
        assert_eq!(run.results, vec![2.0 * 8.0 * 8.0; on.partitions], "{}", on.name);
    }
    Ok(())
}

/// The same without anything given: what one has made is no value of the next one's.
#[test]
fn one_after_the_other_may_make_the_same_names_of_other_shapes() -> Result<()> {
    for on in everywhere() {
        let of = |length: usize| {
            let objects = Objects::none().updates((STATE, OUTER)).shape(STATE, ShapeRule::fixed([length]));
            IterativeComQueue::new(&on.session)
                .add(item("grow", objects, move |cx| {
                    assert_eq!(cx.contains(STATE), cx.step_no() > 1);
                    let grown = if cx.contains(STATE) { cx.take(STATE)? + 1.0 } else { Array1::ones(length) };
                    *cx.get_mut(OUTER)? += grown.sum();
                    cx.put(STATE, grown)
                }))
                .set_max_iter(2)
        };
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(OUTER, 0.0)
            .add(of(3))
            .add(of(5))
            .set_max_iter(2)
            .close_with(|cx| cx.take(OUTER))
            .run()?;
        assert_eq!(run.results, vec![2.0 * 3.0 * 8.0; on.partitions], "{}", on.name);
    }
    Ok(())
}

#[test]
fn the_rows_of_an_inner_queue_are_cut_and_pinned_as_those_of_the_outer() -> Result<()> {
    const MORE: Key<Rows> = Key::new("more");
    let (outer, inner) = (table(1000, 3), table(700, 3) * 2.0);
    let add = |key: Key<Rows>| {
        item("sum", Objects::reads(key).writes(STATE), move |cx| {
            let sums = column_sums(&cx.get(key)?.to_owned());
            cx.put(STATE, sums)
        })
    };
    for on in everywhere() {
        let queue = IterativeComQueue::new(&on.session)
            .init_with_partitioned_data(MORE, &inner)
            .add(add(MORE))
            .add(AllReduce::sum(STATE))
            .set_max_iter(2)
            .close_with(|cx| {
                assert_eq!(*cx.get(STATE)?, column_sums(&inner));
                Ok(())
            });
        let sums = IterativeComQueue::new(&on.session)
            .init_with_partitioned_data(ROWS, &outer)
            .add(queue)
            .add(add(ROWS))
            .add(AllReduce::sum(STATE))
            .set_max_iter(2)
            .close_with(|cx| cx.take(STATE))
            .exec()?;
        assert_eq!(sums, column_sums(&outer), "{}", on.name);
    }
    Ok(())
}

#[test]
fn an_interruption_ends_the_inner_round_and_the_outer() -> Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    let session = Session::builder().device("cpu".parse()?).interrupt_flag(flag.clone()).build()?;
    let inner = IterativeComQueue::new(&session)
        .add(item("interrupt", Objects::reads(OUTER).writes(OUTER), |cx| {
            if cx.round() == [2, 3] {
                flag.store(true, Ordering::Relaxed);
            }
            let next = cx.get(OUTER)? + 1.0;
            cx.put(OUTER, next)
        }))
        .set_max_iter(10);
    let run = IterativeComQueue::new(&session)
        .init_with_broadcast_data(OUTER, 0.0)
        .add(inner)
        .add(one_more(OUTER))
        .set_max_iter(10)
        .close_with(|cx| cx.take(OUTER))
        .run()?;
    assert_eq!((run.rounds, run.stop, run.results), (2, Stop::Interrupted, vec![15.0]));
    Ok(())
}

#[test]
fn errors_tell_the_rounds_of_both_queues() {
    let failing = |collective_rank: usize| {
        item("divide", Objects::none().writes(STATE), move |cx| {
            if cx.round() == [2, 3] && collective_rank == 0 {
                return Err(Error::parameter("divisor", "0 divides nothing"));
            }
            cx.put(STATE, array![1.0])
        })
    };
    for on in everywhere() {
        let inner = IterativeComQueue::new(&on.session).named("descent").add(failing(0)).set_max_iter(5);
        let error = error_of(IterativeComQueue::new(&on.session).add(inner).set_max_iter(4).exec(), &on.name);
        assert_says(&error, &["round 2, item `descent`: round 3, item `divide`: divisor: 0 divides nothing"]);
    }
    for (rank, result) in on_ranks(2, |collective| {
        let other = 1 - collective.rank();
        let session = Session::builder().device("cpu".parse()?).threads(1).collective(collective).build()?;
        let inner = IterativeComQueue::new(&session).named("descent").add(failing(other)).add(AllReduce::sum(STATE));
        IterativeComQueue::new(&session).add(inner.set_max_iter(5)).set_max_iter(4).exec()
    })
    .into_iter()
    .enumerate()
    {
        let error = error_of(result, "one rank fails");
        assert_says(&error, &["rank 1", "round 3, item `divide`"]);
        assert!(matches!(error, Error::Rank { rank: 1, .. }), "on rank {rank}: {error:?}");
    }
}

#[test]
fn ranks_run_the_same_inner_rounds() {
    for ranks in [1, 3] {
        for result in on_ranks(ranks, |collective| {
            let session = Session::builder().device("cpu".parse()?).threads(1).collective(collective).build()?;
            let data = table(9000, 2);
            let inner = IterativeComQueue::new(&session)
                .add(item("sum", Objects::reads(ROWS).writes(STATE), |cx| {
                    let sums = column_sums(&cx.get(ROWS)?.to_owned());
                    cx.put(STATE, sums)
                }))
                .add(AllReduce::sum(STATE))
                .add(one_more(OUTER))
                .set_compare_criterion(|cx| Ok(cx.step_no() > cx.round()[0]))
                .set_max_iter(100);
            IterativeComQueue::new(&session)
                .init_with_partitioned_data(ROWS, &data)
                .init_with_broadcast_data(OUTER, 0.0)
                .add(inner)
                .set_max_iter(3)
                .close_with(|cx| {
                    assert_eq!(*cx.get(STATE)?, column_sums(&data));
                    cx.take(OUTER)
                })
                .exec()
        }) {
            assert_eq!(result.unwrap_or_else(|error| panic!("{ranks} ranks: {error}")), 2.0 + 3.0 + 4.0);
        }
    }
}

#[test]
fn mistakes_are_found_before_round_1() {
    let session = cpu(1);
    let inner = || IterativeComQueue::new(&session).named("inner");
    let cases: [(&str, IterativeComQueue<'_>, &[&str]); 7] = [
        ("it never ends", inner().add(one_more(OUTER)), &["max_iter", "never end"]),
        ("0 rounds", inner().add(one_more(OUTER)).set_max_iter(0), &["max_iter", "0 rounds"]),
        ("no items", inner().set_max_iter(1), &["`inner`", "no items"]),
        ("by speed", inner().add(one_more(OUTER)).set_max_iter(1).share_by_speed(), &["`inner`", "share_by_speed"]),
        (
            "given twice",
            inner().init_with_broadcast_data(OUTER, 1.0).add(one_more(OUTER)).set_max_iter(1),
            &["`outer`", "give it once"],
        ),
        ("nobody provides", inner().add(one_more(INNER)).set_compare_criterion(|_| Ok(true)), &["`inner`", "nobody"]),
        (
            "another session",
            IterativeComQueue::new(&cpu(1)).named("stranger").add(one_more(OUTER)).set_max_iter(1),
            &["`stranger`", "another session"],
        ),
    ];
    for (case, inner, words) in cases {
        let outer = IterativeComQueue::new(&session).init_with_broadcast_data(OUTER, 0.0).set_max_iter(1);
        // An item that writes what it reads may also be the first to provide it: a plain read may not.
        let inner = if case == "nobody provides" { inner.add(look(Objects::reads(STATE), |_| Ok(()))) } else { inner };
        let words = if case == "nobody provides" { &["`state`", "nobody"][..] } else { words };
        assert_says(&error_of(outer.add(inner).exec(), case), words);
    }
}
