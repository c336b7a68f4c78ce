//! Rows move to other devices between rounds where one proves slower than the others, and nothing else changes.

use crate::support::{item, session, table};
use ndarray::Array1;
use std::sync::Mutex;
use std::time::Duration;
use superstep::Result;
use superstep::queue::{
    AllReduce, Checkpoint, ComContext, Every, IterationListener, IterativeComQueue, Key, Objects, OneDevice, Rows, Run,
    Session, ShapeRule,
};

const ROWS: Key<Rows> = Key::new("rows");
/// What each row was worth in all rounds until now.
const WORTH: Key<Vec<u64>> = Key::new("worth");
const SUM: Key<Vec<u64>> = Key::new("sum");
const TOTAL: Key<Vec<u64>> = Key::new("total");

const ROUNDS: u32 = 24;

/// What a task had at the end: its first row, what its rows were worth, and the total.
type Ended = (u64, Vec<u64>, u64);

/// What a row is worth in a round: by its number in the whole, and by what it was worth before.
fn next(row: u64, worth: u64, total: u64) -> u64 {
    (worth * 31 + row * row + total) % 1_000_003
}

/// By plain loops: what rows are worth after all rounds, and the total.
fn expected(rows: u64) -> (Vec<u64>, u64) {
    let (mut worth, mut total) = (vec![0; rows as usize], 0_u64);
    for _ in 0..ROUNDS {
        for (row, worth) in (0..).zip(&mut worth) {
            *worth = next(row, *worth, total);
        }
        total += worth.iter().sum::<u64>();
    }
    (worth, total)
}

/// The first of two devices takes `slow` for each row, the other `fast`.
fn queue<'q>(session: &Session, rows: usize, slow: Duration, fast: Duration) -> IterativeComQueue<'q, Ended> {
    let worth = Objects::reads((ROWS, TOTAL)).updates(WORTH).writes(SUM).shape(WORTH, ShapeRule::rows_of(ROWS));
    IterativeComQueue::new(session)
        .share_by_speed()
        .init_with_partitioned_data(ROWS, table(rows, 2))
        .init_with_broadcast_data(TOTAL, vec![0])
        .add(item("begin", Objects::reads(ROWS).updates(WORTH).shape(WORTH, ShapeRule::rows_of(ROWS)), |cx| {
            let rows = cx.rows(ROWS)?.len();
            if !cx.contains(WORTH) { cx.put(WORTH, vec![0; rows]) } else { Ok(()) }
        }))
        .add(item("worth", worth, move |cx| {
            let (first, total) = (cx.rows(ROWS)?.first_row(), cx.get(TOTAL)?[0]);
            let worth = cx.get_mut(WORTH)?;
            for (row, worth) in (first..).zip(&mut *worth) {
                *worth = next(row, *worth, total);
            }
            let (sum, count) = (worth.iter().sum(), worth.len() as u32);
            std::thread::sleep(count * if cx.task_id() == 0 { slow } else { fast });
            cx.put(SUM, vec![sum])
        }))
        .add(AllReduce::sum(SUM))
        .add(item("total", Objects::reads(SUM).updates(TOTAL), |cx| {
            let sum = cx.get(SUM)?[0];
            cx.get_mut(TOTAL)?[0] += sum;
            Ok(())
        }))
        .set_max_iter(ROUNDS)
        .close_with(|cx: &mut ComContext| Ok((cx.rows(ROWS)?.first_row(), cx.take(WORTH)?, cx.get(TOTAL)?[0])))
}

fn check(run: &Run<Ended>, rows: usize) {
    let (worth, total) = expected(rows as u64);
    assert_eq!((run.rounds, run.results.len()), (ROUNDS, 2));
    assert!(run.results.iter().all(|(.., own)| *own == total));
    let first: Vec<u64> = run.results.iter().map(|(first, ..)| *first).collect();
    assert_eq!(first, [0, run.results[0].1.len() as u64]);
    assert_eq!(run.results.iter().flat_map(|(_, worth, _)| worth.iter().copied()).collect::<Vec<_>>(), worth);
}

const SLOW: Duration = Duration::from_micros(20);
const FAST: Duration = Duration::from_micros(2);

#[test]
fn a_device_that_proves_slow_gives_rows_away_with_what_they_have_come_to() -> Result<()> {
    let session = session(&[OneDevice::Cpu; 2], 1);
    let run = queue(&session, 3000, SLOW, FAST).goes_on_from((WORTH, TOTAL)).run()?;
    check(&run, 3000);
    // Equal shares take 30 ms a round, shares by speed 5.5.
    let rows = run.results[0].1.len();
    assert!((1..=3).contains(&run.moves) && (50..900).contains(&rows), "{} moves, {rows} rows", run.moves);
    Ok(())
}

#[test]
fn nothing_moves_where_nothing_is_said_or_nothing_is_gained() -> Result<()> {
    let session = session(&[OneDevice::Cpu; 2], 1);
    let silent = queue(&session, 1000, SLOW, FAST).run()?;
    check(&silent, 1000);
    let even = queue(&session, 1000, SLOW, SLOW).goes_on_from((WORTH, TOTAL)).run()?;
    check(&even, 1000);
    for run in [silent, even] {
        assert_eq!((run.moves, run.results[0].1.len()), (0, 500));
    }
    Ok(())
}

#[derive(Default)]
struct Told(Mutex<Vec<u32>>);

impl IterationListener for &Told {
    fn on_round_end(&self, round: u32, cx: &ComContext) -> Result<()> {
        assert_eq!((cx.step_no(), cx.round()), (round, &[round][..]));
        self.0.lock().expect("no test panics here").push(round);
        Ok(())
    }
}

#[test]
fn rounds_outputs_and_checkpoints_go_on_across_a_move() -> Result<()> {
    let session = session(&[OneDevice::Cpu; 2], 1);
    let (told, folder) = (Told::default(), tempfile::tempdir().expect("a folder for the test"));
    let checkpoint = || Checkpoint::new(folder.path()).keeps((WORTH, TOTAL)).every(Every::Rounds(5));
    let before = Mutex::new(Vec::new());
    let run = queue(&session, 3000, SLOW, FAST)
        .goes_on_from((WORTH, TOTAL))
        .checkpoint(checkpoint())
        .output(TOTAL)
        .listen(&told)
        .set_compare_criterion(|cx| {
            let now = cx.get(TOTAL)?[0];
            let mut before = before.lock().expect("no test panics here");
            before.push(now);
            Ok(false)
        })
        .run()?;
    check(&run, 3000);
    assert!(run.moves > 0);
    let rounds: Vec<u32> = (1..=ROUNDS).collect();
    assert_eq!(*told.0.lock().expect("no test panics here"), rounds);
    let outputs: Vec<(u32, u64)> = run.output(TOTAL).map(|(round, total)| (round[0], total[0])).collect();
    assert_eq!(outputs.iter().map(|(round, _)| *round).collect::<Vec<_>>(), rounds);
    assert_eq!(outputs.iter().map(|(_, total)| *total).collect::<Vec<_>>(), *before.lock().expect("no panic"));
    let found = checkpoint().find(&session)?.expect("there is one");
    assert_eq!(found.rounds(), ROUNDS);
    Ok(())
}

#[test]
fn nothing_moves_where_devices_go_on_from_different_objects() -> Result<()> {
    let session = session(&[OneDevice::Cpu; 2], 1);
    let own = item("own", Objects::none().writes(OWN), |cx| {
        let own = cx.task_id() as u32;
        cx.put(OWN, Array1::from_elem(1, own))
    });
    let run = queue(&session, 1500, SLOW, FAST).goes_on_from((WORTH, TOTAL, OWN)).add(own).run()?;
    check(&run, 1500);
    assert_eq!((run.moves, run.results[0].1.len()), (0, 750));
    Ok(())
}

const OWN: Key<Array1<u32>> = Key::new("own");
