//! Mistakes in wiring are errors before round 1 that name the item and the object.

use crate::support::{assert_says, cpu, error_of, item, table};
use ndarray::{Array1, array};
use superstep::Result;
use superstep::queue::{
    AllReduce, Bcast, ComContext, ComputeFunction, Gather, Gathered, IterationListener, IterativeComQueue, Key,
    Objects, ReduceScatter, Rows, Session, ShapeRule,
};

const ROWS: Key<Rows> = Key::new("rows");
const VECTOR: Key<Array1<f32>> = Key::new("vector");
const OTHER: Key<Array1<f32>> = Key::new("other");
const LIST: Key<Vec<f32>> = Key::new("list");

/// Fails the test if a round starts.
struct NoRound;

impl IterationListener for NoRound {
    fn on_round_start(&self, round: u32, _: &ComContext) -> Result<()> {
        panic!("round {round} started")
    }
}

/// A queue of two rounds that is never to start: rows of 3 columns and a vector of 3 are provided.
fn queue(session: &Session) -> IterativeComQueue<'static> {
    IterativeComQueue::new(session)
        .init_with_partitioned_data(ROWS, table(10, 3))
        .init_with_broadcast_data(VECTOR, array![1.0, 2.0, 3.0])
        .set_max_iter(2)
        .listen(NoRound)
}

/// An item that declares objects and does nothing.
fn declares(objects: Objects) -> impl ComputeFunction + 'static {
    item("Mistaken", objects, |_| Ok(()))
}

type Case = (&'static str, fn(IterativeComQueue<'static>) -> IterativeComQueue<'static>, &'static [&'static str]);

fn assert_refused(cases: &[Case]) {
    let session = cpu(3);
    for (case, add, words) in cases {
        assert_says(&error_of(add(queue(&session)).exec(), case), words);
    }
}

#[test]
fn names_that_nobody_provides() {
    assert_refused(&[
        (
            "an item reads it",
            |queue| queue.add(declares(Objects::reads((VECTOR, OTHER)))),
            &["item `Mistaken`", "object `other`", "nobody provides it"],
        ),
        (
            "it is written only later",
            |queue| queue.add(declares(Objects::reads(OTHER))).add(declares(Objects::none().writes(OTHER))),
            &["item `Mistaken`", "object `other`", "before this one"],
        ),
        ("rows", |queue| queue.add(declares(Objects::reads(Key::<Rows>::new("lines")))), &["`Mistaken`", "`lines`"]),
        ("an all-reduce", |queue| queue.add(AllReduce::sum(OTHER)), &["item `AllReduce(other)`", "object `other`"]),
        ("a broadcast", |queue| queue.add(Bcast::from_task(0, OTHER)), &["item `Bcast(other)`", "object `other`"]),
        (
            "a gather",
            |queue| queue.add(Gather::new(OTHER, Key::<Gathered<Array1<f32>>>::new("all"))),
            &["item `Gather(other)`", "object `other`"],
        ),
        (
            "a reduce-scatter",
            |queue| queue.add(ReduceScatter::sum(LIST)),
            &["item `ReduceScatter(list)`", "object `list`"],
        ),
        ("an output", |queue| queue.output(OTHER), &["item `output`", "object `other`", "nobody provides it"]),
    ]);
}

#[test]
fn types_and_lifetimes_that_differ() {
    assert_refused(&[
        (
            "another element type",
            |queue| queue.add(declares(Objects::reads(Key::<Array1<f64>>::new("vector")))),
            &["`Mistaken`", "`vector`", "f64", "f32", "init_with_broadcast_data"],
        ),
        (
            "another container",
            |queue| queue.add(declares(Objects::none().writes(Key::<Vec<f32>>::new("vector")))),
            &["`Mistaken`", "`vector`", "Vec<f32>", "ArrayBase"],
        ),
        (
            "two items",
            |queue| {
                let other = Key::<f64>::new("other");
                queue.add(item("First", Objects::none().writes(OTHER), |_| Ok(()))).add(declares(Objects::reads(other)))
            },
            &["`Mistaken`", "`other`", "f64", "item `First` made it"],
        ),
        (
            "rows as an object",
            |queue| queue.add(declares(Objects::reads(Key::<f64>::new("rows")))),
            &["`Mistaken`", "`rows`", "f64", "partitioned rows"],
        ),
        (
            "an object as rows",
            |queue| queue.add(declares(Objects::reads(Key::<Rows>::new("vector")))),
            &["`Mistaken`", "`vector`", "partitioned rows"],
        ),
        (
            "an all-reduce",
            |queue| queue.add(AllReduce::sum(Key::<f64>::new("vector"))),
            &["`AllReduce(vector)`", "`vector`", "f64"],
        ),
        ("an output", |queue| queue.output(Key::<f64>::new("vector")), &["item `output`", "`vector`", "f64"]),
        (
            "two lifetimes",
            |queue| queue.add(declares(Objects::none().writes(VECTOR.per_round()))),
            &["`Mistaken`", "`vector`", "one round", "all rounds"],
        ),
        (
            "rows are written",
            |queue| queue.add(declares(Objects::none().writes(ROWS))),
            &["`Mistaken`", "`rows`", "constant"],
        ),
        (
            "scratch that is an object",
            |queue| queue.add(declares(Objects::none().scratch(VECTOR, ShapeRule::fixed([3])))),
            &["`Mistaken`", "`vector`", "scratch"],
        ),
    ]);
}

#[test]
fn shapes_that_differ() {
    assert_refused(&[
        (
            "a fixed shape",
            |queue| queue.add(declares(Objects::reads(VECTOR).shape(VECTOR, ShapeRule::fixed([4])))),
            &["`Mistaken`", "`vector`", "needs 4", "made it 3"],
        ),
        (
            "the shape of another object",
            |queue| {
                queue
                    .add(item("First", Objects::none().writes(OTHER).shape(OTHER, ShapeRule::fixed([2])), |_| Ok(())))
                    .add(declares(Objects::reads((VECTOR, OTHER)).shape(OTHER, ShapeRule::like(VECTOR))))
            },
            &["`Mistaken`", "`other`", "needs 3", "item `First` made it 2"],
        ),
        (
            "columns",
            |queue| queue.add(declares(Objects::reads(ROWS).shape(ROWS, ShapeRule::rows_of_by(ROWS, 4)))),
            &["`Mistaken`", "`rows`", "4 columns", "gave 3"],
        ),
        (
            "columns in a fixed shape",
            |queue| queue.add(declares(Objects::reads(ROWS).shape(ROWS, ShapeRule::fixed([10, 2])))),
            &["`Mistaken`", "`rows`", "2 columns", "gave 3"],
        ),
        (
            "a shape of what is not declared",
            |queue| queue.add(declares(Objects::reads(ROWS).shape(VECTOR, ShapeRule::fixed([3])))),
            &["`Mistaken`", "`vector`", "does not declare"],
        ),
    ]);
}

#[test]
fn what_is_given_twice_and_queues_that_never_end() {
    assert_refused(&[
        (
            "broadcast twice",
            |queue| queue.init_with_broadcast_data(VECTOR, array![1.0]),
            &["init_with_broadcast_data", "`vector`", "already given"],
        ),
        (
            "partitioned twice",
            |queue| queue.init_with_partitioned_data(ROWS, table(2, 2)),
            &["init_with_partitioned_data", "`rows`", "already given"],
        ),
        (
            "both",
            |queue| queue.init_with_broadcast_data(Key::<f64>::new("rows"), 1.0),
            &["init_with_broadcast_data", "`rows`", "already given by init_with_partitioned_data"],
        ),
        ("no rounds", |queue| queue.set_max_iter(0), &["max_iter", "0 rounds"]),
    ]);
    let endless = IterativeComQueue::new(&cpu(1)).add(declares(Objects::none())).listen(NoRound);
    assert_says(&error_of(endless.exec(), "endless"), &["max_iter", "never end", "criterion"]);
}

/// Nothing of this is a mistake.
#[test]
fn what_is_put_anew_may_have_another_shape() -> Result<()> {
    let found = IterativeComQueue::once(&cpu(2))
        .init_with_broadcast_data(VECTOR, array![1.0, 2.0, 3.0])
        .add(item("shorten", Objects::none().writes(VECTOR).shape(VECTOR, ShapeRule::fixed([2])), |cx| {
            cx.put(VECTOR, array![1.0, 2.0])
        }))
        .add(item("free", Objects::reads(VECTOR).writes(OTHER).shape(VECTOR, ShapeRule::fixed([2])), |cx| {
            cx.put(OTHER, array![1.0])
        }))
        .add(item("put without saying", Objects::none().writes(VECTOR), |cx| cx.put(VECTOR, array![5.0])))
        .add(item("look", Objects::reads(VECTOR).shape(VECTOR, ShapeRule::fixed([1])), |_| Ok(())))
        .close_with(|cx| cx.take(VECTOR))
        .exec()?;
    assert_eq!(found, array![5.0]);
    Ok(())
}

type Misdeed = (&'static str, Objects, fn(&mut ComContext) -> Result<()>, &'static [&'static str]);

#[test]
fn what_an_item_does_at_run_time_must_be_what_it_declared() {
    let misdeeds: [Misdeed; 9] = [
        ("undeclared get", Objects::none(), |cx| cx.get(VECTOR).map(drop), &["`vector`", "reads it without declaring"]),
        ("undeclared rows", Objects::none(), |cx| cx.rows(ROWS).map(drop), &["`rows`", "reads it without declaring"]),
        (
            "undeclared previous",
            Objects::none(),
            |cx| cx.previous(VECTOR).map(drop),
            &["`vector`", "without declaring"],
        ),
        (
            "undeclared put",
            Objects::none(),
            |cx| cx.put(OTHER, array![1.0]),
            &["`other`", "changes it without declaring"],
        ),
        ("put of what is read", Objects::reads(VECTOR), |cx| cx.put(VECTOR, array![1.0]), &["`vector`", "changes it"]),
        (
            "change of what is read",
            Objects::reads(VECTOR),
            |cx| cx.get_mut(VECTOR).map(drop),
            &["`vector`", "changes it"],
        ),
        ("take of what is read", Objects::reads(VECTOR), |cx| cx.take(VECTOR).map(drop), &["`vector`", "changes it"]),
        ("removal of what is read", Objects::reads(VECTOR), |cx| cx.remove(VECTOR), &["`vector`", "changes it"]),
        (
            "get under another type",
            Objects::reads(VECTOR),
            |cx| cx.get(Key::<Vec<f32>>::new("vector")).map(drop),
            &["`vector`", "Vec<f32> was asked for"],
        ),
    ];
    for (case, objects, calc, words) in misdeeds {
        let queue = IterativeComQueue::once(&cpu(2))
            .init_with_partitioned_data(ROWS, table(10, 3))
            .init_with_broadcast_data(VECTOR, array![1.0, 2.0, 3.0]);
        let error = error_of(queue.add(item("Mistaken", objects, calc)).exec(), case);
        assert_says(&error, &["item `Mistaken`"]);
        assert_says(&error, words);
    }
}

#[test]
fn a_shape_that_is_put_must_be_the_declared_one() {
    let shapes = [("fixed", ShapeRule::fixed([3])), ("of rows", ShapeRule::rows_of(ROWS))];
    for (case, rule) in shapes {
        let queue = IterativeComQueue::once(&cpu(2)).init_with_partitioned_data(ROWS, table(10, 3));
        let objects = Objects::reads(ROWS).writes(OTHER).shape(OTHER, rule);
        let error = error_of(queue.add(item("Mistaken", objects, |cx| cx.put(OTHER, array![1.0]))).exec(), case);
        assert_says(&error, &["item `Mistaken`", "object `other`", "put 1 where it declares"]);
    }
}
