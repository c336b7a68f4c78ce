//! Unbounded iterations: a batch drives a round.

use crate::support::{assert_says, column_sums, cpu, error_of, everywhere, item, table};
use crate::threads::on_ranks;
use ndarray::{Array1, Array2};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use superstep::data::{Batches, ReadOptions, RowSource};
use superstep::queue::{AllReduce, ComputeFunction, IterativeComQueue, Key, Objects, Rows, Session, ShapeRule, Stop};
use superstep::{Error, Result};

const ROWS: Key<Rows> = Key::new("rows");
const FIXED: Key<Rows> = Key::new("fixed");
const BATCH: Key<Array1<f64>> = Key::new("batch");
const TOTAL: Key<Array1<f64>> = Key::new("total");

/// The sums of a task's rows.
fn sum(rows: Key<Rows>) -> impl ComputeFunction {
    item("sum", Objects::reads(rows).writes(BATCH), move |cx| {
        let sums = column_sums(&cx.get(rows)?.to_owned());
        cx.put(BATCH, sums)
    })
}

/// Adds them up over all rounds.
fn add() -> impl ComputeFunction {
    item("add", Objects::reads((BATCH, TOTAL)).writes(TOTAL), |cx| {
        let total = cx.get(TOTAL)? + cx.get(BATCH)?;
        cx.put(TOTAL, total)
    })
}

fn totals<'a>(session: &Session, batches: Batches<'a>) -> IterativeComQueue<'a> {
    IterativeComQueue::new(session)
        .init_with_unbounded_data(ROWS, batches)
        .init_with_broadcast_data(TOTAL, Array1::zeros(2))
        .add(sum(ROWS))
        .add(AllReduce::sum(BATCH))
        .add(add())
        .output(TOTAL)
}

/// Batches of unlike lengths, some of them empty, and what all up to each come to.
fn batches() -> (Vec<Array2<f32>>, Vec<Array1<f64>>) {
    let lengths = [100, 1, 0, 257, 2, 40, 40];
    let batches: Vec<Array2<f32>> =
        lengths.iter().enumerate().map(|(at, &length)| table(length, 2) + at as f32).collect();
    let mut total = Array1::zeros(2);
    let totals = batches.iter().filter(|batch| batch.nrows() > 0).map(|batch| {
        total += &column_sums(batch);
        total.clone()
    });
    let totals = totals.collect();
    (batches, totals)
}

/// Each round takes the next table of each sequence, and the shorter one ends it.
#[test]
fn several_sequences_of_batches_go_side_by_side() -> Result<()> {
    const OTHER: Key<Rows> = Key::new("other");
    for on in everywhere() {
        let lengths = [(4, 300), (0, 0), (257, 2), (40, 0)];
        let of = |length: usize, plus: f32| table(length, 2) + plus;
        let run = IterativeComQueue::new(&on.session)
            .init_with_unbounded_data(ROWS, Batches::new(lengths.map(|(length, _)| of(length, 1.0))))
            .init_with_unbounded_data(
                OTHER,
                Batches::new(lengths.map(|(_, length)| of(length, 2.0)).into_iter().chain([of(9, 3.0)])),
            )
            .add(item("sum", Objects::reads((ROWS, OTHER)).writes(BATCH), |cx| {
                let sums = column_sums(&cx.get(ROWS)?.to_owned()) * 1000.0 + column_sums(&cx.get(OTHER)?.to_owned());
                cx.put(BATCH, sums)
            }))
            .add(AllReduce::sum(BATCH))
            .output(BATCH)
            .run()?;
        let expected = [(4, 300), (257, 2), (40, 0)];
        let expected: Vec<Array1<f64>> = expected
            .iter()
            .map(|(one, other)| column_sums(&of(*one, 1.0)) * 1000.0 + column_sums(&of(*other, 2.0)))
            .collect();
        let found: Vec<Array1<f64>> = run.output(BATCH).map(|(_, sums)| sums.clone()).collect();
        assert_eq!((found, run.stop), (expected, Stop::EndOfData), "{}", on.name);
    }
    Ok(())
}

#[test]
fn each_batch_that_has_rows_drives_a_round_and_gives_a_version_of_the_model() -> Result<()> {
    let (batches, expected) = batches();
    for on in everywhere() {
        let run = totals(&on.session, Batches::new(batches.clone())).close_with(|cx| cx.take(TOTAL)).run()?;
        let versions: Vec<_> = run.output(TOTAL).map(|(_, total)| total.clone()).collect();
        assert_eq!(versions, expected, "{}", on.name);
        assert_eq!((run.rounds, run.stop), (6, Stop::EndOfData), "{}", on.name);
        assert_eq!(run.results, vec![expected[5].clone(); on.partitions]);
    }
    Ok(())
}

#[test]
fn fixed_rows_stay_beside_rows_that_change() -> Result<()> {
    let fixed = table(300, 2);
    for on in everywhere() {
        let total = totals(&on.session, Batches::new(vec![table(10, 2); 3]))
            .init_with_partitioned_data(FIXED, &fixed)
            .add(sum(FIXED))
            .add(AllReduce::sum(BATCH))
            .add(add())
            .close_with(|cx| cx.take(TOTAL))
            .exec()?;
        assert_eq!(total, (column_sums(&table(10, 2)) + column_sums(&fixed)) * 3.0, "{}", on.name);
    }
    Ok(())
}

#[test]
fn a_criterion_or_a_maximum_ends_it_before_and_the_rest_is_not_asked_for() -> Result<()> {
    let asked = AtomicUsize::new(0);
    let endless = || {
        std::iter::repeat_with(|| {
            asked.fetch_add(1, Ordering::Relaxed);
            table(5, 2)
        })
    };
    let run = totals(&cpu(2), Batches::new(endless())).set_max_iter(4).run()?;
    assert_eq!((run.rounds, run.stop, asked.swap(0, Ordering::Relaxed)), (4, Stop::MaxIter, 4));
    let run = totals(&cpu(1), Batches::new(endless())).set_compare_criterion(|cx| Ok(cx.step_no() == 3)).run()?;
    assert_eq!((run.rounds, run.stop, asked.into_inner()), (3, Stop::Criterion, 3));
    Ok(())
}

#[test]
fn where_no_batch_comes_no_round_runs_and_it_ends_cleanly() -> Result<()> {
    for on in everywhere() {
        let run = totals(&on.session, Batches::new(Vec::<Array2<f32>>::new()));
        let run = run.close_with(|cx| Ok(cx.get(TOTAL)?.sum())).run()?;
        assert_eq!(run.output(TOTAL).count(), 0);
        assert_eq!((run.rounds, run.stop, run.results), (0, Stop::EndOfData, vec![0.0; on.partitions]), "{}", on.name);
    }
    Ok(())
}

#[test]
fn a_producer_waits_for_the_rounds() -> Result<()> {
    let (to, from) = sync_channel(1);
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let producer = std::thread::spawn(move || {
        for _ in 0..20 {
            if to.send(table(3, 2)).is_err() {
                break;
            }
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let ahead = Mutex::new(Vec::new());
    let run = totals(&cpu(1), Batches::from_channel(from))
        .add(item("slow", Objects::none(), |cx| {
            std::thread::sleep(Duration::from_millis(5));
            ahead.lock().unwrap().push(sent.load(Ordering::SeqCst) - cx.step_no() as usize);
            Ok(())
        }))
        .run()?;
    producer.join().expect("it does not panic");
    assert_eq!((run.rounds, run.stop), (20, Stop::EndOfData));
    // One lies in the channel; the producer may not have counted the last one yet, or one more than it could send.
    let ahead = ahead.into_inner().unwrap();
    assert!(ahead.iter().all(|&ahead| ahead <= 2), "{ahead:?}");
    assert!(ahead.contains(&1), "{ahead:?}");
    Ok(())
}

#[test]
fn an_interruption_is_noticed_while_it_waits_for_a_batch() -> Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    let session = Session::builder().device("cpu".parse()?).interrupt_flag(flag.clone()).build()?;
    let (to, from) = channel();
    to.send(table(4, 2)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(60));
            flag.store(true, Ordering::Relaxed);
        });
        let run = totals(&session, Batches::from_channel(from)).close_with(|cx| cx.take(TOTAL)).run()?;
        assert_eq!((run.rounds, run.stop, run.results), (1, Stop::Interrupted, vec![column_sums(&table(4, 2))]));
        // Until now there was a sender.
        drop(to);
        Ok(())
    })
}

#[test]
fn a_producer_that_fails_ends_the_rounds_with_its_error() {
    let failing = [Ok(table(3, 2)), Err(Error::parameter("sensor", "unplugged"))];
    assert_says(&error_of(totals(&cpu(1), Batches::try_new(failing)).exec(), "it fails"), &["sensor: unplugged"]);
    let wider = [table(3, 2), table(3, 5)];
    let error = error_of(totals(&cpu(1), Batches::new(wider)).exec(), "rows of another width");
    assert_says(&error, &["rows of 5 columns", "the first one of 2"]);
}

#[test]
fn an_inner_queue_runs_its_rounds_on_each_batch() -> Result<()> {
    let session = cpu(2);
    let inner = IterativeComQueue::new(&session).add(sum(ROWS)).add(AllReduce::sum(BATCH)).add(add()).set_max_iter(3);
    let total = IterativeComQueue::new(&session)
        .init_with_unbounded_data(ROWS, Batches::new([table(8, 2), table(5, 2)]))
        .init_with_broadcast_data(TOTAL, Array1::zeros(2))
        .add(inner)
        .close_with(|cx| cx.take(TOTAL))
        .exec()?;
    assert_eq!(total, (column_sums(&table(8, 2)) + column_sums(&table(5, 2))) * 3.0);
    let misplaced = IterativeComQueue::new(&session)
        .named("inner")
        .init_with_unbounded_data(ROWS, Batches::new([table(8, 2)]))
        .add(sum(ROWS));
    let error = error_of(IterativeComQueue::new(&session).add(misplaced).set_max_iter(1).exec(), "inside");
    assert_says(&error, &["`inner`", "init_with_unbounded_data", "outermost"]);
    Ok(())
}

#[test]
fn ranks_share_the_batches_of_the_first() {
    let (lengths, columns) = ([9000, 3, 5000], 2);
    for ranks in [1, 3] {
        let results = on_ranks(ranks, |collective| {
            let rank = collective.rank();
            let session = Session::builder().device("cpu".parse()?).threads(1).collective(collective).build()?;
            // Other ranks have none of their own, and are never asked for one.
            let own = lengths.iter().map(move |&length| {
                assert_eq!(rank, 0);
                table(length, columns)
            });
            let run = totals(&session, Batches::new(own)).close_with(|cx| cx.take(TOTAL)).run()?;
            Ok::<_, Error>((run.rounds, run.results))
        });
        let expected = lengths.iter().map(|&length| column_sums(&table(length, columns)));
        let expected = expected.reduce(|a, b| a + b).unwrap();
        for result in results {
            let (rounds, totals) = result.unwrap_or_else(|error| panic!("{ranks} ranks: {error}"));
            assert_eq!((rounds, totals), (3, vec![expected.clone()]), "{ranks} ranks");
        }
    }
    for result in on_ranks(2, |collective| {
        let session = Session::builder().device("cpu".parse()?).threads(1).collective(collective).build()?;
        totals(&session, Batches::try_new([Ok(table(3, 2)), Err(Error::parameter("sensor", "unplugged"))])).exec()
    }) {
        assert_says(&error_of(result, "rank 0 fails"), &["rank 0: sensor: unplugged"]);
    }
}

#[test]
fn rows_of_text_drive_rounds_and_their_mistakes_have_a_line() -> Result<()> {
    let text = "a,b\n1,2\n3,4\n5,6\n7,8\n9,10\n";
    let batches = Batches::of_text(text.as_bytes(), "standard input", 2, &ReadOptions::default());
    let run = totals(&cpu(1), batches).run()?;
    let versions: Vec<_> = run.output(TOTAL).map(|(_, total)| (total[0], total[1])).collect();
    assert_eq!(versions, [(4.0, 6.0), (16.0, 20.0), (25.0, 30.0)]);
    let batches = Batches::of_text("1,2\n3,4\n5,x\n".as_bytes(), "standard input", 2, &ReadOptions::default());
    assert_says(&error_of(totals(&cpu(1), batches).exec(), "x"), &["standard input, row 3, column 2", "`x`"]);
    Ok(())
}

/// Some rows of each batch on each device.
#[cfg(feature = "gpu")]
#[test]
fn several_devices_share_each_batch() -> Result<()> {
    use crate::support::{gpus, session};
    use superstep::queue::OneDevice;
    let (batches, expected) = batches();
    for gpu in gpus() {
        let session = session(&[OneDevice::Cpu, OneDevice::Adapter(gpu)], 2);
        let run = totals(&session, Batches::new(batches.clone())).run()?;
        let versions: Vec<_> = run.output(TOTAL).map(|(_, total)| total.clone()).collect();
        assert_eq!(versions, expected, "the CPU and gpu:{gpu}");
    }
    Ok(())
}

/// What is written for a batch must have its length.
#[cfg(feature = "gpu")]
#[test]
fn wgsl_sees_each_batch_and_its_rows() -> Result<()> {
    use crate::kernels::Wgsl;
    const TWICE: Key<Array2<f32>> = Key::new("twice").per_round();
    let (batches, _) = batches();
    for on in everywhere().into_iter().filter(|on| !on.session.devices()[0].is_host()) {
        let double = Wgsl::new(
            "double",
            Objects::reads(ROWS).writes(TWICE).shape(TWICE, ShapeRule::rows_of_by(ROWS, 2)),
            "@group(0) @binding(0) var<storage, read> rows: array<f32>;
             @group(0) @binding(1) var<uniform> rows_shape: vec2<u32>;
             @group(0) @binding(2) var<storage, read_write> twice: array<f32>;
             @compute @workgroup_size(1) fn main() {
                 for (var at = 0u; at < 2u * rows_shape.x; at++) { twice[at] += 2.0 * rows[at]; }
             }",
        );
        let seen = Mutex::new(Vec::new());
        IterativeComQueue::new(&on.session)
            .init_with_unbounded_data(ROWS, Batches::new(batches.clone()))
            .add(double)
            .add(item("look", Objects::reads((ROWS, TWICE)), |cx| {
                let rows = cx.rows(ROWS)?;
                seen.lock().unwrap().push((cx.step_no(), rows.first_row(), cx.get(TWICE)?.clone()));
                Ok(())
            }))
            .exec()?;
        let mut seen = seen.into_inner().unwrap();
        seen.sort_by_key(|(round, first, _)| (*round, *first));
        for (round, batch) in batches.iter().filter(|batch| batch.rows() > 0).enumerate() {
            let of_round = seen.iter().filter(|(of, ..)| *of == round as u32 + 1);
            let parts: Vec<f32> = of_round.flat_map(|(.., part)| part.iter().copied()).collect();
            assert_eq!(parts, (batch * 2.0).into_raw_vec_and_offset().0, "{} round {round}", on.name);
        }
    }
    Ok(())
}
