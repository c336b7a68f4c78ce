//! How long objects live, and what `previous` gives.

use crate::support::{assert_says, cpu, error_of, everywhere, item};
use ndarray::{Array1, array};
use std::sync::Mutex;
use superstep::Result;
use superstep::queue::{AllReduce, ComContext, IterativeComQueue, Key, Object, Objects};

const STATE: Key<Array1<f64>> = Key::new("state");
const BRIEF: Key<f64> = Key::new("brief").per_round();

/// Whether the value of the round before is there, and which it is.
fn previous<T: Object>(cx: &ComContext, key: Key<T>) -> Option<T> {
    cx.previous(key).ok().cloned()
}

#[test]
fn an_all_round_object_stays_and_a_per_round_object_goes_with_its_round() -> Result<()> {
    for on in everywhere() {
        let (stays, goes): (Key<f64>, Key<f64>) = (Key::new("stays"), Key::new("goes").per_round());
        let run = IterativeComQueue::new(&on.session)
            .add(item("put in odd rounds", Objects::none().writes((stays, goes)), move |cx| {
                let there = (cx.contains(stays), cx.contains(goes));
                assert_eq!(there, (cx.step_no() > 1, false), "at the start of round {}", cx.step_no());
                if !cx.step_no().is_multiple_of(2) {
                    cx.put(stays, f64::from(cx.step_no()))?;
                    cx.put(goes, f64::from(cx.step_no()))?;
                }
                Ok(())
            }))
            .add(item("look", Objects::reads((stays, goes)), move |cx| {
                assert!(cx.contains(stays));
                assert_eq!(cx.contains(goes), !cx.step_no().is_multiple_of(2));
                Ok(())
            }))
            .set_max_iter(5)
            .close_with(|cx| Ok((cx.contains(stays), cx.contains(goes))))
            .run()?;
        assert_eq!(run.results, vec![(true, true); on.partitions], "completion belongs to the last round");
    }
    Ok(())
}

#[test]
fn a_per_round_object_that_was_broadcast_lives_through_round_1() -> Result<()> {
    let seen = Mutex::new(Vec::new());
    IterativeComQueue::new(&cpu(1))
        .init_with_broadcast_data(BRIEF, 7.0)
        .add(item("look", Objects::reads(BRIEF), |cx| {
            seen.lock().unwrap().push((cx.contains(BRIEF), previous(cx, BRIEF)));
            Ok(())
        }))
        .set_max_iter(3)
        .exec()?;
    assert_eq!(*seen.lock().unwrap(), [(true, Some(7.0)), (false, Some(7.0)), (false, None)]);
    Ok(())
}

#[test]
fn nothing_is_left_for_the_next_exec() -> Result<()> {
    let session = cpu(2);
    for _ in 0..2 {
        let queue = IterativeComQueue::new(&session).add(item("put", Objects::none().updates(STATE), |cx| {
            assert_eq!(cx.contains(STATE), cx.step_no() > 1);
            cx.put(STATE, array![1.0])
        }));
        queue.set_max_iter(2).exec()?;
    }
    Ok(())
}

#[test]
fn previous_is_the_value_at_the_end_of_the_round_before() -> Result<()> {
    for on in everywhere() {
        let check = |cx: &ComContext, state: f64| {
            let round = f64::from(cx.step_no());
            assert_eq!(cx.get(STATE)?[0], state, "round {round}");
            assert_eq!(cx.previous(STATE)?[0], round - 1.0, "round {round}");
            Ok(())
        };
        IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(STATE, array![0.0])
            .add(item("before the put", Objects::reads(STATE), move |cx| check(cx, f64::from(cx.step_no()) - 1.0)))
            .add(item("put twice", Objects::none().writes(STATE), move |cx| {
                cx.put(STATE, array![-1.0])?;
                check(cx, -1.0)?;
                cx.put(STATE, array![f64::from(cx.step_no())])?;
                check(cx, f64::from(cx.step_no()))
            }))
            .add(item("after the put", Objects::reads(STATE), move |cx| check(cx, f64::from(cx.step_no()))))
            .set_compare_criterion(move |cx| check(cx, f64::from(cx.step_no())).map(|()| false))
            .set_max_iter(4)
            .close_with(move |cx| check(cx, 4.0))
            .exec()?;
    }
    Ok(())
}

#[test]
fn previous_survives_an_all_reduce_and_a_change_of_what_was_put_this_round() -> Result<()> {
    for on in everywhere() {
        let tasks = on.partitions as f64;
        IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(STATE, array![0.0])
            .add(item("put", Objects::none().writes(STATE), |cx| {
                cx.put(STATE, array![0.0])?;
                cx.get_mut(STATE)?[0] = f64::from(cx.step_no());
                assert_eq!(cx.get(STATE)?[0], f64::from(cx.step_no()));
                Ok(())
            }))
            .add(AllReduce::sum(STATE))
            .add(item("look", Objects::reads(STATE), move |cx| {
                assert_eq!(cx.previous(STATE)?[0], (f64::from(cx.step_no()) - 1.0) * tasks);
                Ok(())
            }))
            .set_max_iter(3)
            .exec()?;
    }
    Ok(())
}

type Case = (&'static str, fn(&mut ComContext) -> Result<()>, Result<f64, &'static str>);

/// What `previous(STATE)` gives in round 2, after the item's doing, where round 1 ended with 1.
#[test]
fn what_becomes_of_previous_when_its_object_is_touched() -> Result<()> {
    let cases: [Case; 7] = [
        ("nothing", |_| Ok(()), Ok(1.0)),
        ("put", |cx| cx.put(STATE, array![2.0]), Ok(1.0)),
        ("changed in place", |cx| cx.get_mut(STATE).map(|state| state[0] = 2.0), Err("changed in place")),
        (
            "changed in place, then put",
            |cx| cx.get_mut(STATE).map(|state| state[0] = 2.0).and_then(|()| cx.put(STATE, array![3.0])),
            Err("changed in place"),
        ),
        ("removed", |cx| cx.remove(STATE), Ok(1.0)),
        ("removed, then put", |cx| cx.remove(STATE).and_then(|()| cx.put(STATE, array![3.0])), Ok(1.0)),
        ("taken", |cx| cx.take(STATE).map(drop), Err("no value in the round before")),
    ];
    for (case, touch, expected) in cases {
        let queue = IterativeComQueue::new(&cpu(1))
            .init_with_broadcast_data(STATE, array![0.0])
            .add(item("touch", Objects::none().updates(STATE), move |cx| match cx.step_no() {
                1 => cx.put(STATE, array![1.0]),
                _ => touch(cx),
            }))
            .set_max_iter(2);
        let found = queue.close_with(|cx| cx.previous(STATE).map(|state| state[0])).exec();
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{case}"),
            (Err(error), Err(words)) => assert_says(&error, &["state", words]),
            (found, expected) => panic!("{case}: {found:?} is not {expected:?}"),
        }
    }
    Ok(())
}

#[test]
fn previous_of_an_object_nobody_broadcast_starts_in_round_2() -> Result<()> {
    let seen = Mutex::new(Vec::new());
    IterativeComQueue::new(&cpu(1))
        .add(item("put", Objects::none().writes(STATE), |cx| {
            cx.put(STATE, array![f64::from(cx.step_no())])?;
            seen.lock().unwrap().push(previous(cx, STATE).map(|state| state[0]));
            Ok(())
        }))
        .set_max_iter(3)
        .exec()?;
    assert_eq!(*seen.lock().unwrap(), [None, Some(1.0), Some(2.0)]);
    Ok(())
}

#[test]
fn previous_of_a_per_round_object_is_that_of_the_round_before_alone() -> Result<()> {
    for on in everywhere() {
        let seen = Mutex::new(Vec::new());
        IterativeComQueue::new(&on.session)
            .add(item("put in rounds 1, 2 and 4", Objects::none().writes(BRIEF), |cx| {
                let before = previous(cx, BRIEF);
                if cx.step_no() != 3 {
                    cx.put(BRIEF, f64::from(cx.step_no()))?;
                }
                assert_eq!(previous(cx, BRIEF), before, "a put does not change it");
                if cx.task_id() == 0 {
                    seen.lock().unwrap().push(before);
                }
                Ok(())
            }))
            .set_max_iter(5)
            .exec()?;
        assert_eq!(*seen.lock().unwrap(), [None, Some(1.0), Some(2.0), None, Some(4.0)], "{}", on.name);
    }
    Ok(())
}

#[test]
fn a_change_in_place_on_one_task_stays_there() -> Result<()> {
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(STATE, array![0.0, 5.0])
            .add(item("change", Objects::none().updates(STATE), |cx| {
                let task = cx.task_id() as f64;
                cx.get_mut(STATE)?[0] += task;
                Ok(())
            }))
            .set_max_iter(3)
            .close_with(|cx| cx.take(STATE))
            .run()?;
        let expected: Vec<_> = (0..on.partitions).map(|task| array![3.0 * task as f64, 5.0]).collect();
        assert_eq!(run.results, expected, "{}", on.name);
    }
    Ok(())
}

#[test]
fn a_removed_object_is_gone_until_it_is_put_again() -> Result<()> {
    let error = error_of(
        IterativeComQueue::once(&cpu(1))
            .init_with_broadcast_data(STATE, array![1.0])
            .add(item("remove", Objects::none().updates(STATE), |cx| cx.remove(STATE)))
            .add(item("read", Objects::reads(STATE), |cx| cx.get(STATE).map(drop)))
            .exec(),
        "removed",
    );
    assert_says(&error, &["item `read`", "object `state`", "no such object"]);
    Ok(())
}

/// An object of the host: its type says nothing to a device.
#[derive(Debug, Clone, PartialEq)]
struct Words(Vec<String>);

impl Object for Words {}

#[test]
fn an_object_may_be_of_any_type() -> Result<()> {
    let words: Key<Words> = Key::new("words");
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session)
            .init_with_broadcast_data(words, Words(vec!["one".into()]))
            .add(item("add a word", Objects::none().updates(words), move |cx| {
                let word = format!("{} of {}", cx.task_id(), cx.num_task());
                cx.get_mut(words)?.0.push(word);
                Ok(())
            }))
            .add(AllReduce::by(words, |into, from| {
                into.0.extend_from_slice(&from.0[1..]);
                Ok(())
            }))
            .set_max_iter(1)
            .close_with(|cx| cx.take(words))
            .exec()?;
        let own = (0..on.partitions).map(|task| format!("{task} of {}", on.partitions));
        assert_eq!(run, Words(["one".to_owned()].into_iter().chain(own).collect()), "{}", on.name);
    }
    Ok(())
}
