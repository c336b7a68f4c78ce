//! Variables that are fed back: what ends an iteration, and with which value.

use crate::support::{assert_says, cpu, error_of, everywhere, item};
use crate::threads::on_ranks;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use superstep::Result;
use superstep::queue::{ComputeFunction, IterativeComQueue, Key, Objects, Session, Stop};

const OPEN: Key<Vec<u32>> = Key::new("open");
const SOLUTION: Key<u32> = Key::new("solution");

/// Puts the rounds that are left while there are any; `left` of each task in round 1.
fn work(left: impl Fn(usize) -> u32 + Send + Sync, ends: Ends) -> impl ComputeFunction {
    item("work", Objects::none().updates((OPEN, SOLUTION)), move |cx| {
        let of_task = left(cx.task_id());
        let open = of_task.saturating_sub(cx.step_no());
        if of_task >= cx.step_no() {
            cx.put(SOLUTION, cx.step_no())?;
        }
        match ends {
            _ if open > 0 => cx.put(OPEN, vec![open; 3]),
            Ends::Empty => cx.put(OPEN, Vec::new()),
            Ends::Silent => Ok(()),
            Ends::Removes => cx.remove(OPEN),
        }
    })
}

/// How a task says that it feeds back nothing.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Ends {
    Empty,
    Silent,
    Removes,
}

#[test]
fn the_round_in_which_no_task_feeds_back_anything_is_the_last() -> Result<()> {
    for on in everywhere() {
        for ends in [Ends::Empty, Ends::Silent, Ends::Removes] {
            let run = IterativeComQueue::new(&on.session)
                .add(work(|task| 3 + task as u32, ends))
                .feedback(OPEN)
                .close_with(|cx| Ok((*cx.get(SOLUTION)?, cx.get(OPEN).ok().cloned())))
                .run()?;
            let longest = 2 + on.partitions as u32;
            assert_eq!((run.rounds, run.stop), (longest, Stop::NoFeedback), "{} {ends:?}", on.name);
            for (task, (solution, open)) in run.results.iter().enumerate() {
                assert_eq!(*solution, 3 + task as u32, "the last value of task {task}");
                let last: &[u32] = if ends == Ends::Empty { &[] } else { &[1, 1, 1] };
                assert_eq!(open.as_deref(), Some(last), "{} {ends:?}, task {task}", on.name);
            }
        }
    }
    Ok(())
}

#[test]
fn a_maximum_or_a_criterion_may_end_it_before() -> Result<()> {
    let queue = |session: &Session| IterativeComQueue::new(session).add(work(|_| 10, Ends::Silent)).feedback(OPEN);
    let session = cpu(2);
    let run = queue(&session).set_max_iter(4).run()?;
    assert_eq!((run.rounds, run.stop), (4, Stop::MaxIter));
    let run = queue(&session).set_compare_criterion(|cx| Ok(cx.step_no() == 3)).run()?;
    assert_eq!((run.rounds, run.stop), (3, Stop::Criterion));
    Ok(())
}

#[test]
fn of_several_variables_one_that_runs_dry_is_enough() -> Result<()> {
    let run = IterativeComQueue::new(&cpu(1))
        .add(work(|_| 5, Ends::Silent))
        .add(item("always", Objects::none().writes(Key::<u32>::new("always")), |cx| {
            cx.put(Key::<u32>::new("always"), cx.step_no())
        }))
        .feedback(Key::<u32>::new("always"))
        .feedback(OPEN)
        .set_max_iter(9)
        .run()?;
    assert_eq!((run.rounds, run.stop), (5, Stop::NoFeedback));
    Ok(())
}

#[test]
fn a_task_of_another_rank_keeps_all_going() {
    for result in on_ranks(3, |collective| {
        let rank = collective.rank() as u32;
        let session = Session::builder().device("cpu".parse()?).threads(1).collective(collective).build()?;
        let run = IterativeComQueue::new(&session).add(work(move |_| 2 + rank, Ends::Empty)).feedback(OPEN).run()?;
        Ok::<_, superstep::Error>((run.rounds, run.stop))
    }) {
        assert_eq!(result.expect("nothing fails"), (4, Stop::NoFeedback));
    }
}

#[test]
fn an_inner_queue_ends_by_feedback_in_each_outer_round() -> Result<()> {
    for on in everywhere() {
        let rounds = Mutex::new(Vec::new());
        let inner =
            IterativeComQueue::new(&on.session).add(work(|_| 3, Ends::Silent)).feedback(OPEN).close_with(|cx| {
                rounds.lock().unwrap().push(cx.round().to_vec());
                Ok(())
            });
        IterativeComQueue::new(&on.session).add(inner).set_max_iter(2).exec()?;
        let mut rounds = rounds.into_inner().unwrap();
        rounds.dedup();
        assert_eq!(rounds, [[1, 3], [2, 3]], "{}", on.name);
    }
    Ok(())
}

#[test]
fn what_nobody_provides_cannot_be_fed_back() {
    let error = error_of(IterativeComQueue::new(&cpu(1)).feedback(OPEN).exec(), "nobody puts it");
    assert_says(&error, &["item `feedback`", "`open`", "nobody provides it"]);
}

#[test]
fn an_output_is_handed_over_round_by_round_and_its_reader_slows_the_rounds_down() -> Result<()> {
    let (to, from) = sync_channel(0);
    let session = cpu(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let queue = IterativeComQueue::new(&session).add(work(|_| 4, Ends::Silent)).feedback(OPEN);
            queue
                .output_to(SOLUTION, move |round, value| {
                    to.send((round.to_vec(), *value)).map_err(|_| superstep::Error::parameter("reader", "gone"))
                })
                .exec()
                .expect("the reader stays");
        });
        let received: Vec<_> = from.iter().collect();
        assert_eq!(received, [(vec![1], 1), (vec![2], 2), (vec![3], 3), (vec![4], 4)]);
    });
    let (to, from) = sync_channel(0);
    drop(from);
    let queue = IterativeComQueue::new(&session).add(work(|_| 4, Ends::Silent)).feedback(OPEN);
    let queue = queue.output_to(SOLUTION, move |_, value| {
        to.send(*value).map_err(|_| superstep::Error::parameter("reader", "gone"))
    });
    assert_says(&error_of(queue.exec(), "the reader is gone"), &["round 1", "output(solution)", "reader: gone"]);
    Ok(())
}
