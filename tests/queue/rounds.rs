//! Rounds: listeners, outputs, criteria, completion, interruption.

use crate::support::{assert_says, cpu, error_of, everywhere, item};
use ndarray::{Array1, array};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use superstep::queue::{
    AllReduce, ComContext, ComputeFunction, IterationListener, IterativeComQueue, Key, Objects, Session, Stop,
};
use superstep::{Error, Result};

const STATE: Key<Array1<f64>> = Key::new("state");
const ODD: Key<u32> = Key::new("odd").per_round();

/// Puts the number of the round.
fn count() -> impl ComputeFunction {
    item("count", Objects::none().writes(STATE), |cx| cx.put(STATE, array![f64::from(cx.step_no())]))
}

/// Writes down everything in the order in which it happens.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl IterationListener for Diary {
    fn on_round_start(&self, round: u32, cx: &ComContext) -> Result<()> {
        assert_eq!((cx.step_no(), cx.round(), cx.task_id()), (round, &[round][..], 0));
        self.write(format!("start {round}, state {:?}", cx.get(STATE).ok().map(|state| state[0])));
        Ok(())
    }

    fn on_round_end(&self, round: u32, cx: &ComContext) -> Result<()> {
        assert_eq!(cx.step_no(), round);
        self.write(format!("end {round}, state {}", cx.get(STATE)?[0]));
        Ok(())
    }

    fn on_terminated(&self, rounds: u32, stop: Stop, cx: &ComContext) -> Result<()> {
        self.write(format!("terminated after {rounds} by {stop:?}, state {}", cx.get(STATE)?[0]));
        Ok(())
    }
}

#[test]
fn listeners_hear_of_each_round_in_order() -> Result<()> {
    for on in everywhere() {
        for (met_in, stop) in [(9, "MaxIter"), (2, "Criterion")] {
            let diary = Arc::new(Diary::default());
            IterativeComQueue::new(&on.session)
                .add(item("count", Objects::none().writes(STATE), |cx| {
                    if cx.task_id() == 0 {
                        diary.write(format!("item {}", cx.step_no()));
                    }
                    cx.put(STATE, array![f64::from(cx.step_no())])
                }))
                .set_compare_criterion(|cx| {
                    diary.write(format!("criterion {}", cx.step_no()));
                    Ok(cx.step_no() == met_in)
                })
                .set_max_iter(2)
                .listen(diary.clone())
                .close_with(|cx| {
                    if cx.task_id() == 0 {
                        diary.write("completion".into());
                    }
                    Ok(())
                })
                .exec()?;
            let expected = [
                "start 1, state None",
                "item 1",
                "criterion 1",
                "end 1, state 1",
                "start 2, state Some(1.0)",
                "item 2",
                "criterion 2",
                "end 2, state 2",
                &format!("terminated after 2 by {stop}, state 2"),
                "completion",
            ];
            assert_eq!(diary.read(), expected, "{}", on.name);
        }
    }
    Ok(())
}

#[test]
fn several_listeners_hear_in_the_order_in_which_they_were_added() -> Result<()> {
    struct Named(&'static str, Arc<Diary>);
    impl IterationListener for Named {
        fn on_round_end(&self, _: u32, _: &ComContext) -> Result<()> {
            self.1.write(self.0.into());
            Ok(())
        }
    }
    let diary = Arc::new(Diary::default());
    let queue = IterativeComQueue::once(&cpu(1)).add(count());
    queue.listen(Named("first", diary.clone())).listen(Named("second", diary.clone())).exec()?;
    assert_eq!(diary.read(), ["first", "second"]);
    Ok(())
}

#[test]
fn outputs_are_collected_in_every_round_in_which_they_are_there() -> Result<()> {
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session)
            .add(count())
            .add(item("odd", Objects::none().writes(ODD), |cx| match cx.step_no() {
                round if round.is_multiple_of(2) => Ok(()),
                round => cx.put(ODD, round * 10 + cx.task_id() as u32),
            }))
            .output(STATE)
            .output(ODD)
            .set_max_iter(4)
            .run()?;
        let states: Vec<_> = run.output(STATE).map(|(round, state)| (round[0], state[0])).collect();
        assert_eq!(states, [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)], "{}", on.name);
        let odd: Vec<_> = run.output(ODD).map(|(round, value)| (round[0], *value)).collect();
        assert_eq!(odd, [(1, 10), (3, 30)], "of task 0 alone, {}", on.name);
    }
    Ok(())
}

#[test]
fn completion_runs_once_on_every_task_in_order() -> Result<()> {
    for on in everywhere() {
        let calls = AtomicUsize::new(0);
        let run = IterativeComQueue::new(&on.session)
            .add(count())
            .set_max_iter(3)
            .close_with(|cx| {
                calls.fetch_add(1, Ordering::Relaxed);
                Ok((cx.task_id(), cx.num_task(), cx.step_no()))
            })
            .run()?;
        let expected: Vec<_> = (0..on.partitions).map(|task| (task, on.partitions, 3)).collect();
        assert_eq!(run.results, expected, "{}", on.name);
        assert_eq!(calls.load(Ordering::Relaxed), on.partitions);
    }
    Ok(())
}

#[test]
fn items_of_a_chain_see_what_was_put_before_them_and_nothing_runs_across_a_communication() -> Result<()> {
    for on in everywhere() {
        let arrived = AtomicUsize::new(0);
        let wait_for_all = |cx: &ComContext, items_before: usize| {
            let expected = cx.num_task() * items_before;
            assert!(arrived.load(Ordering::SeqCst) >= expected, "an item overtook a communication");
        };
        IterativeComQueue::once(&on.session)
            .add(item("first", Objects::none().writes(STATE), |cx| {
                arrived.fetch_add(1, Ordering::SeqCst);
                cx.put(STATE, array![1.0])
            }))
            .add(item("second", Objects::none().updates(STATE), |cx| {
                arrived.fetch_add(1, Ordering::SeqCst);
                cx.get_mut(STATE)?[0] += 1.0;
                Ok(())
            }))
            .add(AllReduce::sum(STATE))
            .add(item("third", Objects::reads(STATE), |cx| {
                wait_for_all(cx, 2);
                assert_eq!(cx.get(STATE)?[0], 2.0 * cx.num_task() as f64);
                Ok(())
            }))
            .exec()?;
    }
    Ok(())
}

#[test]
fn an_item_that_is_the_same_on_every_task_runs_once_on_each_device() -> Result<()> {
    for on in everywhere() {
        let calls = AtomicUsize::new(0);
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(STATE, array![1.0])
            .add(item("double", Objects::reads(STATE).writes(STATE).once_per_device(), |cx| {
                calls.fetch_add(1, Ordering::Relaxed);
                let doubled = cx.get(STATE)? * 2.0;
                cx.put(STATE, doubled)
            }))
            .set_compare_criterion(|cx| Ok(cx.previous(STATE)?[0] * 2.0 != cx.get(STATE)?[0]))
            .set_max_iter(3)
            .close_with(|cx| Ok((cx.previous(STATE)?[0], cx.get(STATE)?[0])))
            .run()?;
        assert_eq!(run.results, vec![(4.0, 8.0); on.partitions], "{}", on.name);
        assert_eq!(calls.load(Ordering::Relaxed), 3, "{}", on.name);
    }
    Ok(())
}

#[test]
fn what_such_an_item_removes_is_gone_on_every_task() -> Result<()> {
    for on in everywhere() {
        let run = IterativeComQueue::once(&on.session)
            .init_with_broadcast_data(STATE, array![1.0])
            .add(item("remove", Objects::none().updates(STATE).once_per_device(), |cx| cx.remove(STATE)))
            .close_with(|cx| Ok(cx.contains(STATE)))
            .run()?;
        assert_eq!(run.results, vec![false; on.partitions], "{}", on.name);
    }
    Ok(())
}

#[test]
fn an_interruption_ends_after_the_round_and_still_completes() -> Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    let session = Session::builder().device("cpu".parse()?).partitions(3).interrupt_flag(flag.clone()).build()?;
    let run = IterativeComQueue::new(&session)
        .add(item("interrupt in round 3", Objects::none().writes(STATE), |cx| {
            if cx.step_no() == 3 {
                flag.store(true, Ordering::Relaxed);
            }
            cx.put(STATE, array![f64::from(cx.step_no())])
        }))
        .add(AllReduce::sum(STATE))
        .set_max_iter(100)
        .close_with(|cx| Ok(cx.get(STATE)?[0]))
        .run()?;
    assert_eq!((run.rounds, run.stop, run.results), (3, Stop::Interrupted, vec![9.0; 3]));
    assert!(session.is_interrupted());
    Ok(())
}

#[test]
fn errors_name_the_round_and_the_item() {
    let failing = |round: u32| {
        item("divide", Objects::none().writes(STATE), move |cx| {
            cx.put(STATE, array![1.0])?;
            if cx.step_no() == round { Err(Error::parameter("divisor", "0 divides nothing")) } else { Ok(()) }
        })
    };
    for on in everywhere() {
        let error = error_of(IterativeComQueue::new(&on.session).add(failing(3)).set_max_iter(5).exec(), &on.name);
        assert_says(&error, &["round 3", "item `divide`", "divisor: 0 divides nothing"]);
        assert!(matches!(error, Error::Item { round: 3, ref item, .. } if item == "divide"));
    }
}

struct Failing;

impl IterationListener for Failing {
    fn on_round_start(&self, round: u32, _: &ComContext) -> Result<()> {
        if round == 2 { Err(Error::parameter("pipe", "closed")) } else { Ok(()) }
    }
}

#[test]
fn errors_of_criterion_listener_and_completion_come_out() {
    let queue = || IterativeComQueue::new(&cpu(2)).add(count()).set_max_iter(5);
    let error = error_of(queue().set_compare_criterion(|_| Err(Error::parameter("x", "y"))).exec(), "criterion");
    assert_says(&error, &["round 1", "criterion", "x: y"]);
    let error = error_of(queue().listen(Failing).exec(), "listener");
    assert_says(&error, &["round 2", "listener", "pipe: closed"]);
    let error = error_of(queue().close_with(|_| Err::<(), _>(Error::parameter("x", "y"))).exec(), "completion");
    assert_says(&error, &["x: y"]);
}

#[test]
fn a_queue_inside_an_item_runs_in_the_same_session() -> Result<()> {
    let session = cpu(2);
    let run = IterativeComQueue::new(&session)
        .add(item("inner queue", Objects::none().writes(STATE), |cx| {
            let inner = IterativeComQueue::new(&session).add(count()).set_max_iter(cx.step_no());
            let sum = inner.add(AllReduce::sum(STATE)).close_with(|cx| Ok(cx.get(STATE)?[0])).exec()?;
            cx.put(STATE, array![sum])
        }))
        .set_max_iter(3)
        .close_with(|cx| Ok(cx.get(STATE)?[0]))
        .run()?;
    assert_eq!(run.results, [6.0; 2]);
    Ok(())
}
