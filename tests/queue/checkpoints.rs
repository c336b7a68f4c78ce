//! Checkpoints: what is kept, when, and who may go on with it.

use crate::support::{assert_says, cpu, error_of, everywhere, item, table};
use crate::threads::on_ranks;
use ndarray::{Array1, Array2};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use superstep::data::Batches;
use superstep::queue::{
    AllReduce, Checkpoint, ComputeFunction, Every, IterativeComQueue, Key, Object, Objects, Rows, Session, ShapeRule,
    Stop,
};
use superstep::{Error, Result};

const ROWS: Key<Rows> = Key::new("rows");
/// One for each row.
const LABELS: Key<Vec<u32>> = Key::new("labels");
/// Two for each row.
const PAIRS: Key<Array2<f32>> = Key::new("pairs");
/// The same on all tasks.
const TOTAL: Key<Array1<f64>> = Key::new("total");
const WORDS: Key<Words> = Key::new("words");

/// An object of the host.
#[derive(Clone, Debug, PartialEq, Default)]
struct Words(Vec<String>);

impl Object for Words {
    const TRAVELS: bool = true;

    fn encode(&self) -> Option<Vec<u8>> {
        Some(self.0.join(" ").into_bytes())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8(bytes.to_vec()).ok()?;
        Some(Self(text.split_whitespace().map(str::to_owned).collect()))
    }
}

/// Mixes the state of each row with the total of all: every round depends on all rounds before it.
fn mix() -> impl ComputeFunction {
    let objects = Objects::reads((ROWS, TOTAL))
        .updates((LABELS, PAIRS))
        .shape(LABELS, ShapeRule::rows_of(ROWS))
        .shape(PAIRS, ShapeRule::rows_of_by(ROWS, 2));
    item("mix", objects, |cx| {
        let rows = cx.get(ROWS)?.to_owned();
        let total = cx.get(TOTAL)?.sum();
        if !cx.contains(LABELS) {
            cx.put(LABELS, vec![1; rows.nrows()])?;
            cx.put(PAIRS, Array2::ones((rows.nrows(), 2)))?;
        }
        let labels = cx.get(LABELS)?.iter().zip(rows.rows()).map(|(label, row)| {
            label.wrapping_mul(31).wrapping_add(row[0] as i32 as u32).wrapping_add(total as i64 as u32) % 10_007
        });
        let labels: Vec<u32> = labels.collect();
        let pairs = Array2::from_shape_fn((rows.nrows(), 2), |(row, at)| (labels[row] + at as u32) as f32);
        cx.put(LABELS, labels)?;
        cx.put(PAIRS, pairs)
    })
}

/// Sums what the rows came to; exact in f64.
fn sum() -> impl ComputeFunction {
    item("sum", Objects::reads((LABELS, PAIRS)).writes(TOTAL), |cx| {
        let labels: f64 = cx.get(LABELS)?.iter().map(|label| f64::from(*label)).sum();
        let pairs: f64 = cx.get(PAIRS)?.iter().map(|value| f64::from(*value)).sum();
        cx.put(TOTAL, Array1::from(vec![labels, pairs]))
    })
}

fn say() -> impl ComputeFunction {
    item("say", Objects::none().updates(WORDS).once_per_device(), |cx| {
        let mut words = if cx.contains(WORDS) { cx.take(WORDS)? } else { Words::default() };
        words.0.push(format!("round-{}", cx.step_no()));
        cx.put(WORDS, words)
    })
}

/// Fails in a round, as if the machine had.
fn cut_off(after: u32) -> impl ComputeFunction {
    item(
        "cut off",
        Objects::none(),
        move |cx| {
            if cx.step_no() > after { Err(Error::parameter("power", "gone")) } else { Ok(()) }
        },
    )
}

fn checkpoint(folder: &Path) -> Checkpoint<'static> {
    Checkpoint::new(folder).keeps((LABELS, PAIRS, TOTAL, WORDS)).every(Every::Rounds(1))
}

/// What six rounds come to: the total, all labels and the words. Cut off `after` some, to go on from what is in the folder.
fn run(session: &Session, rows: &Array2<f32>, folder: &Path, after: u32) -> Result<(Array1<f64>, Vec<u32>, Words)> {
    let checkpoint = checkpoint(folder);
    let found = checkpoint.find(session)?;
    let run = IterativeComQueue::new(session)
        .init_with_partitioned_data(ROWS, rows)
        .init_with_broadcast_data(TOTAL, Array1::zeros(2))
        .add(mix())
        .add(cut_off(after))
        .add(sum())
        .add(AllReduce::sum(TOTAL))
        .add(say())
        .set_max_iter(6)
        .checkpoint(checkpoint.resume(found))
        .close_with(|cx| Ok((cx.get(TOTAL)?.clone(), cx.get(LABELS)?.clone(), cx.get(WORDS)?.clone())))
        .run()?;
    assert_eq!(run.rounds, 6);
    let (total, _, words) = run.results[0].clone();
    Ok((total, run.results.into_iter().flat_map(|(_, labels, _)| labels).collect(), words))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn a_run_that_is_cut_off_after_any_round_ends_with_the_same_bits_on_any_device() -> Result<()> {
    let rows = table(1000, 2);
    let whole = run(&cpu(1), &rows, folder().path(), u32::MAX)?;
    assert_eq!(whole.2.0, ["round-1", "round-2", "round-3", "round-4", "round-5", "round-6"]);
    let (all, mut from) = (everywhere(), 0);
    for on in &all {
        for after in 0..6 {
            let folder = folder();
            // The next device, with another number of partitions, goes on.
            from += 1;
            let other = &all[from % all.len()];
            let case = format!("{} after {after} rounds of {}", on.name, other.name);
            assert_says(&error_of(run(&other.session, &rows, folder.path(), after), &case), &["power: gone"]);
            assert_eq!(run(&on.session, &rows, folder.path(), u32::MAX)?, whole, "{case}");
            // It has ended: nothing is left to do, and the result is there.
            assert_eq!(run(&on.session, &rows, folder.path(), 0)?, whole, "{case}, once more");
        }
    }
    Ok(())
}

#[test]
fn any_number_of_ranks_goes_on_with_what_others_have_written() -> Result<()> {
    let rows = table(30_000, 2);
    let whole = run(&cpu(1), &rows, folder().path(), u32::MAX)?;
    let on = |ranks: usize, folder: &Path, after: u32| {
        let results = on_ranks(ranks, |collective| {
            let builder = Session::builder().device("cpu".parse()?).threads(1).partitions(2);
            run(&builder.collective(collective).build()?, &rows, folder, after)
        });
        let results = results.into_iter().collect::<Result<Vec<_>>>()?;
        let (total, _, words) = results[0].clone();
        Ok::<_, Error>((total, results.into_iter().flat_map(|(_, labels, _)| labels).collect::<Vec<u32>>(), words))
    };
    for (first, second, third) in [(1, 3, 2), (3, 1, 8), (2, 5, 1)] {
        let folder = folder();
        let case = format!("{first}, then {second}, then {third} ranks");
        assert_says(&error_of(on(first, folder.path(), 2), &case), &["power: gone"]);
        assert_says(&error_of(on(second, folder.path(), 4), &case), &["power: gone"]);
        assert_eq!(on(third, folder.path(), u32::MAX)?, whole, "{case}");
    }
    Ok(())
}

#[test]
fn one_is_written_when_it_is_due_when_interrupted_and_at_the_end() -> Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    let session = Session::builder().device("cpu".parse()?).interrupt_flag(flag.clone()).build()?;
    let folder = folder();
    let at = || Checkpoint::new(folder.path()).keeps(TOTAL);
    let count = |checkpoint: Checkpoint, rounds: u32, stop_in: u32| {
        let found = checkpoint.find(&session)?;
        let before = found.as_ref().map_or(0, |found| found.rounds());
        let seen = Mutex::new(Vec::new());
        flag.store(false, Ordering::Relaxed);
        let run = IterativeComQueue::new(&session)
            .init_with_broadcast_data(TOTAL, Array1::zeros(1))
            .add(item("count", Objects::reads(TOTAL).writes(TOTAL), |cx| {
                seen.lock().unwrap().push(at().find(&session)?.map(|found| found.rounds()));
                if cx.step_no() == stop_in {
                    flag.store(true, Ordering::Relaxed);
                }
                let next = cx.get(TOTAL)? + 1.0;
                cx.put(TOTAL, next)
            }))
            .set_max_iter(rounds)
            .checkpoint(checkpoint.resume(found))
            .close_with(|cx| Ok(cx.get(TOTAL)?[0] as u32))
            .run()?;
        Ok::<_, Error>((before, seen.into_inner().unwrap(), run.stop, run.results[0]))
    };
    let (before, seen, stop, total) = count(at().every(Every::Rounds(3)), 9, 5)?;
    assert_eq!((before, stop, total), (0, Stop::Interrupted, 5));
    assert_eq!(seen, [None, None, None, Some(3), Some(3)]);
    let (before, seen, stop, total) = count(at().every(Every::Rounds(3)), 9, 0)?;
    assert_eq!((before, stop, total), (5, Stop::MaxIter, 9));
    assert_eq!(seen, [Some(5), Some(6), Some(6), Some(6)]);
    let (before, seen, stop, total) = count(at().every(Every::Time(Duration::ZERO)), 11, 0)?;
    assert_eq!((before, seen, stop, total), (9, vec![Some(9), Some(10)], Stop::MaxIter, 11));
    let (before, seen, ..) = count(at(), 11, 0)?;
    assert_eq!((before, seen), (11, vec![]), "it has ended");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "one file of one rank, and the one that names it");
    Ok(())
}

#[test]
fn a_maximum_below_the_rounds_that_were_done_ends_at_once() -> Result<()> {
    let (session, folder) = (cpu(1), folder());
    let run = |rounds: u32, fails_in: u32| {
        let checkpoint = Checkpoint::new(folder.path()).keeps(TOTAL).every(Every::Rounds(1));
        let found = checkpoint.find(&session)?;
        IterativeComQueue::new(&session)
            .init_with_broadcast_data(TOTAL, Array1::zeros(1))
            .add(cut_off(fails_in - 1))
            .add(item("count", Objects::reads(TOTAL).writes(TOTAL), |cx| {
                let next = cx.get(TOTAL)? + 1.0;
                cx.put(TOTAL, next)
            }))
            .set_max_iter(rounds)
            .checkpoint(checkpoint.resume(found))
            .close_with(|cx| Ok(cx.get(TOTAL)?[0]))
            .run()
    };
    assert_says(&error_of(run(9, 5), "cut off"), &["power: gone"]);
    let run = run(2, 99)?;
    assert_eq!((run.rounds, run.stop, run.results), (4, Stop::MaxIter, vec![4.0]));
    Ok(())
}

#[test]
fn a_checkpoint_of_other_data_or_settings_is_refused_with_the_difference() -> Result<()> {
    let session = cpu(1);
    let folder = folder();
    let add = |seed: u64, rows: usize| {
        let checkpoint = Checkpoint::new(folder.path()).keeps(TOTAL).fingerprint("k", 3).fingerprint("seed", seed);
        let found = checkpoint.find(&session)?;
        IterativeComQueue::new(&session)
            .init_with_partitioned_data(ROWS, table(rows, 2))
            .init_with_broadcast_data(TOTAL, Array1::zeros(1))
            .add(item("same", Objects::reads((ROWS, TOTAL)).writes(TOTAL), |cx| {
                let same = cx.get(TOTAL)?.clone();
                cx.put(TOTAL, same)
            }))
            .set_max_iter(2)
            .checkpoint(checkpoint.resume(found))
            .exec()
    };
    add(7, 10)?;
    assert_says(&error_of(add(8, 10), "a seed"), &["`seed` is 8 here and 7 in the checkpoint"]);
    let error = error_of(add(7, 11), "rows");
    assert_says(&error, &["`shape of rows` is 11 × 2 here and 10 × 2 in the checkpoint"]);
    let more = Checkpoint::new(folder.path()).fingerprint("tol", 0.5).find(&session).map(|_| ());
    assert_says(&error_of(more, "a new setting"), &["`tol` is 0.5 here and not there in the checkpoint"]);
    add(7, 10)
}

#[test]
fn what_is_left_of_an_unfinished_run_is_not_written_over() -> Result<()> {
    let folder = folder();
    let rows = table(10, 2);
    assert!(run(&cpu(1), &rows, folder.path(), 3).is_err());
    let anew = |folder: &Path| {
        IterativeComQueue::new(&cpu(1))
            .init_with_broadcast_data(TOTAL, Array1::zeros(1))
            .add(say())
            .set_max_iter(1)
            .checkpoint(Checkpoint::new(folder).keeps(TOTAL))
            .exec()
    };
    assert_says(&error_of(anew(folder.path()), "unfinished"), &["cut off after round 3", "another folder"]);
    run(&cpu(1), &rows, folder.path(), u32::MAX)?;
    anew(folder.path())
}

#[test]
fn a_writer_that_dies_leaves_the_checkpoint_before() -> Result<()> {
    let (rows, folder) = (table(50, 2), folder());
    let whole = run(&cpu(1), &rows, self::folder().path(), u32::MAX)?;
    assert!(run(&cpu(1), &rows, folder.path(), 3).is_err());
    // It had begun the next one: a file under a passing name, and one that nothing names yet.
    std::fs::write(folder.path().join(".superstep-abc"), "half of").unwrap();
    std::fs::write(folder.path().join("part-4-0.safetensors"), "half of").unwrap();
    assert_eq!(run(&cpu(1), &rows, folder.path(), u32::MAX)?, whole);
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["checkpoint.json", "part-6-0.safetensors"], "older ones, and what was left, are gone");
    Ok(())
}

#[test]
fn damage_is_found_and_named() -> Result<()> {
    let (rows, folder) = (table(50, 2), folder());
    assert!(run(&cpu(1), &rows, folder.path(), 3).is_err());
    let part = folder.path().join("part-3-0.safetensors");
    let bytes = std::fs::read(&part).unwrap();
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (case, bytes) in [("a bit", &damaged[..]), ("cut short", &bytes[..bytes.len() - 1]), ("empty", &[])] {
        std::fs::write(&part, bytes).unwrap();
        let error = error_of(run(&cpu(1), &rows, folder.path(), u32::MAX), case);
        assert_says(&error, &["part-3-0.safetensors", "damaged", "not those that were written"]);
    }
    std::fs::remove_file(&part).unwrap();
    assert_says(&error_of(run(&cpu(1), &rows, folder.path(), u32::MAX), "gone"), &["part-3-0.safetensors"]);
    std::fs::write(&part, bytes).unwrap();
    let manifest = folder.path().join("checkpoint.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    for (case, text, words) in [
        ("half", text[..text.len() / 2].to_owned(), "damaged"),
        ("no parts", text.replace("\"parts\"", "\"other\""), "damaged"),
        ("of a later version", text.replace("\"format\": 1", "\"format\": 9"), "its format is 9"),
    ] {
        std::fs::write(&manifest, text).unwrap();
        let error = error_of(run(&cpu(1), &rows, folder.path(), u32::MAX), case);
        assert_says(&error, &["checkpoint.json", words]);
    }
    std::fs::write(&manifest, text).unwrap();
    run(&cpu(1), &rows, folder.path(), u32::MAX).map(drop)
}

#[test]
fn what_differs_between_tasks_or_cannot_be_written_is_refused_by_name() {
    const MUTE: Key<Mute> = Key::new("mute");
    #[derive(Clone)]
    struct Mute;
    impl Object for Mute {}
    let own = Key::<Vec<u32>>::new("own");
    let queue = |checkpoint: Checkpoint<'static>| {
        IterativeComQueue::new(&cpu(2))
            .add(item("put", Objects::none().writes((own, MUTE)), move |cx| {
                cx.put(own, vec![cx.task_id() as u32])?;
                cx.put(MUTE, Mute)
            }))
            .set_max_iter(1)
            .checkpoint(checkpoint)
            .exec()
    };
    let (one, two) = (folder(), folder());
    let error = error_of(queue(Checkpoint::new(one.path()).keeps(own)), "each its own");
    assert_says(&error, &["checkpoint", "`own`", "tasks 0 and 1", "all-reduce it"]);
    let error = error_of(queue(Checkpoint::new(two.path()).keeps(MUTE)), "no bytes");
    assert_says(&error, &["checkpoint", "`mute`", "Object::encode"]);
    let rows = error_of(queue(Checkpoint::new(two.path()).keeps(ROWS)), "rows");
    assert_says(&rows, &["`rows`", "constant"]);
    let file = folder().path().join("file");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "").unwrap();
    assert_says(&error_of(queue(Checkpoint::new(&file).keeps(own)), "a file"), &[&file.display().to_string()]);
}

#[test]
fn notes_come_back_and_previous_values_are_those_of_the_round_before() -> Result<()> {
    let (session, folder) = (cpu(2), folder());
    let noted = Mutex::new(0_u8);
    for (rounds, expected) in [(3, None), (5, Some(3))] {
        let checkpoint = Checkpoint::new(folder.path()).keeps(TOTAL).note("rounds", || vec![*noted.lock().unwrap()]);
        let found = checkpoint.find(&session)?;
        let note = found.as_ref().and_then(|found| found.note("rounds")).map(<[u8]>::to_vec);
        assert_eq!(note, expected.map(|rounds| vec![rounds]));
        assert_eq!(found.as_ref().and_then(|found| found.note("other")), None);
        IterativeComQueue::new(&session)
            .init_with_broadcast_data(TOTAL, Array1::zeros(1))
            .add(item("count", Objects::reads(TOTAL).writes(TOTAL), |cx| {
                assert_eq!(cx.get(TOTAL)?[0], f64::from(cx.step_no()) - 1.0);
                let next = cx.get(TOTAL)? + 1.0;
                cx.put(TOTAL, next)
            }))
            .set_compare_criterion(|cx| {
                *noted.lock().unwrap() = cx.step_no() as u8;
                assert_eq!(cx.previous(TOTAL)?[0], f64::from(cx.step_no()) - 1.0);
                Ok(false)
            })
            .set_max_iter(rounds)
            .checkpoint(checkpoint.resume(found))
            .exec()?;
    }
    Ok(())
}

#[test]
fn batches_that_were_computed_on_are_left_out_and_inner_queues_begin_their_round_again() -> Result<()> {
    let (session, folder) = (cpu(2), folder());
    let seen = Mutex::new(Vec::new());
    let run = |after: u32| {
        let checkpoint = Checkpoint::new(folder.path()).keeps(TOTAL).every(Every::Rounds(1));
        let found = checkpoint.find(&session)?;
        let inner = IterativeComQueue::new(&session)
            .add(item("add", Objects::reads((ROWS, TOTAL)).writes(TOTAL), |cx| {
                if cx.task_id() == 0 {
                    seen.lock().unwrap().push((cx.round().to_vec(), cx.get(ROWS)?[[0, 0]]));
                }
                let next = cx.get(TOTAL)? + 1.0;
                cx.put(TOTAL, next)
            }))
            .set_max_iter(2);
        IterativeComQueue::new(&session)
            .init_with_unbounded_data(ROWS, Batches::new((0..4).map(|at| Array2::from_elem((3, 1), at as f32))))
            .init_with_broadcast_data(TOTAL, Array1::zeros(1))
            .add(inner)
            .add(cut_off(after))
            .checkpoint(checkpoint.resume(found))
            .close_with(|cx| Ok((cx.step_no(), cx.get(TOTAL)?[0])))
            .exec()
    };
    assert_says(&error_of(run(2), "cut off"), &["power: gone"]);
    assert_eq!(run(9)?, (4, 8.0));
    let rounds: Vec<_> = seen.into_inner().unwrap();
    let expected = [(1, 0.0), (2, 1.0), (3, 2.0), (3, 2.0), (4, 3.0)];
    let expected = expected.iter().flat_map(|(outer, value)| [(vec![*outer, 1], *value), (vec![*outer, 2], *value)]);
    assert_eq!(rounds, expected.collect::<Vec<_>>());
    Ok(())
}

#[test]
fn how_often_is_read_from_text() {
    let time = |seconds| Every::Time(Duration::from_secs(seconds));
    for (text, every) in [
        ("1", Every::Rounds(1)),
        ("250", Every::Rounds(250)),
        ("30s", time(30)),
        ("1.5min", time(90)),
        ("2h", time(7200)),
    ] {
        assert_eq!(text.parse::<Every>().unwrap(), every);
    }
    for text in ["", "0", "s", "-1s", "3x", "1.5", "1e99h"] {
        assert_says(&error_of(text.parse::<Every>(), text), &["30s"]);
    }
}
