//! Several ranks, played by threads: what one process does with T tasks, R processes do together.

use crate::support::{assert_says, column_sums, error_of, item, table};
use crate::threads::on_ranks;
use ndarray::{Array1, Array2};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use superstep::collective::Collective;
use superstep::queue::{
    AllReduce, Bcast, ComContext, Gather, Gathered, IterationListener, IterativeComQueue, Key, Object, Objects,
    OneDevice, ReduceScatter, Rows, Stop,
};
use superstep::{Error, Result, Session};

const ROWS: Key<Rows> = Key::new("rows");
const SUMS: Key<Array1<f64>> = Key::new("sums");
const COUNTS: Key<Vec<u64>> = Key::new("counts");
const BIG: Key<Vec<i64>> = Key::new("big");
const SMALL: Key<Vec<f32>> = Key::new("small");
const ALL: Key<Gathered<Vec<u64>>> = Key::new("all");

/// A table of this many blocks of 4096 rows, the last one short.
fn blocks(count: usize) -> Array2<f32> {
    table(count * 4096 - 100, 3)
}

fn session(collective: Arc<dyn Collective>, device: OneDevice) -> Session {
    let builder = Session::builder().device(superstep::queue::DeviceChoice::These(vec![device]));
    builder.threads(1).partitions(2).collective(collective).build().expect("the devices open")
}

fn cpu(collective: Arc<dyn Collective>) -> Session {
    session(collective, OneDevice::Cpu)
}

#[test]
fn rows_are_shared_out_in_blocks_and_every_rank_gets_the_sum_of_all() {
    for (size, count) in [(1, 5), (2, 5), (3, 5), (3, 2)] {
        let rows = blocks(count);
        let expected = column_sums(&rows);
        let results = on_ranks(size, |collective| {
            IterativeComQueue::once(&cpu(collective))
                .init_with_partitioned_data(ROWS, rows.view())
                .add(item("sum", Objects::reads(ROWS).writes((SUMS, COUNTS)), |cx| {
                    let rows = cx.rows(ROWS)?;
                    let (first, count) = (rows.first_row(), rows.len() as u64);
                    let sums = cx.get(ROWS)?.mapv(f64::from).sum_axis(ndarray::Axis(0));
                    cx.put(SUMS, sums)?;
                    cx.put(COUNTS, vec![cx.task_id() as u64, cx.num_task() as u64, first, count])
                }))
                .add(AllReduce::sum(SUMS))
                .add(Gather::new(COUNTS, ALL))
                .close_with(|cx| Ok((cx.take(SUMS)?, cx.take(ALL)?.0)))
                .run()
        });
        for run in results {
            let run = run.expect("nothing fails");
            assert_eq!(run.results.len(), 2, "two tasks a rank");
            for (sums, tasks) in run.results {
                assert_eq!(sums, expected, "{size} ranks");
                let mut next = 0;
                for (id, task) in tasks.iter().enumerate() {
                    assert_eq!((task[0], task[1], task[2]), (id as u64, 2 * size as u64, next), "{size} ranks");
                    next += task[3];
                }
                assert_eq!(next, rows.nrows() as u64);
            }
        }
    }
}

#[test]
fn integers_are_exact_and_an_overflow_over_the_ranks_is_an_error_everywhere() {
    let sum = |of: fn(usize) -> i64| {
        on_ranks(3, move |collective| {
            let rank = collective.rank();
            IterativeComQueue::once(&cpu(collective))
                .add(item("put", Objects::none().writes(BIG), move |cx| {
                    cx.put(BIG, vec![if cx.task_id() % 2 == 0 { of(rank) } else { 0 }, 1])
                }))
                .add(AllReduce::sum(BIG))
                .close_with(|cx| cx.take(BIG))
                .exec()
        })
    };
    // Fits in the end, though not on the way.
    for result in sum(|rank| [i64::MAX, 1, -1][rank]) {
        assert_eq!(result.expect("it fits"), [i64::MAX, 6]);
    }
    for result in sum(|rank| [i64::MAX, 1, 0][rank]) {
        assert_says(&error_of(result, "overflow"), &["AllReduce(big)", "element 0", "does not fit"]);
    }
}

#[test]
fn extremes_prefixes_broadcasts_and_scattered_sums_are_those_of_one_process() {
    let run = |size: usize, partitions: usize| {
        on_ranks(size, move |collective| {
            let device = superstep::queue::DeviceChoice::These(vec![OneDevice::Cpu]);
            let builder = Session::builder().device(device).threads(1).partitions(partitions);
            let put = |cx: &mut ComContext| {
                let id = cx.task_id();
                cx.put(SMALL, vec![id as f32, -(id as f32), 1.0, 0.25])?;
                cx.put(COUNTS, vec![id as u64, 7 - id as u64, 3])?;
                cx.put(BIG, vec![1, id as i64, 100, 10_000, 3, 5])
            };
            IterativeComQueue::once(&builder.collective(collective).build()?)
                .add(item("put", Objects::none().writes((SMALL, COUNTS, BIG)), put))
                .add(AllReduce::max(SMALL).prefix(2))
                .add(Bcast::from_task(4, COUNTS))
                .add(ReduceScatter::sum(BIG))
                .close_with(|cx| Ok((cx.take(SMALL)?, cx.take(COUNTS)?, cx.take(BIG)?)))
                .run()
        })
    };
    let together = |size, partitions| -> Vec<_> {
        run(size, partitions).into_iter().flat_map(|run| run.expect("nothing fails").results).collect()
    };
    let alone = together(1, 6);
    assert_eq!(alone[5], (vec![5.0, 0.0, 1.0, 0.25], vec![4, 3, 3], vec![30]));
    assert_eq!(together(2, 3), alone);
    assert_eq!(together(3, 2), alone);
}

#[test]
fn a_task_that_is_not_there_has_nothing_to_broadcast() {
    for result in on_ranks(2, |collective| {
        IterativeComQueue::once(&cpu(collective))
            .add(item("put", Objects::none().writes(SMALL), |cx| cx.put(SMALL, vec![1.0])))
            .add(Bcast::from_task(4, SMALL))
            .exec()
    }) {
        assert_says(&error_of(result, "task 4 of 4"), &["there is no task 4", "4 tasks"]);
    }
}

/// An object of the host, with or without a way to travel.
#[derive(Clone)]
struct Longest(String);

impl Object for Longest {
    const TRAVELS: bool = true;

    fn encode(&self) -> Option<Vec<u8>> {
        Some(self.0.clone().into_bytes())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok().map(Self)
    }
}

#[derive(Clone)]
struct Homebody;

impl Object for Homebody {}

#[test]
fn an_object_of_the_host_is_merged_where_it_can_travel_and_refused_where_it_cannot() {
    const WORD: Key<Longest> = Key::new("word");
    const HOME: Key<Homebody> = Key::new("home");
    let words = on_ranks(3, |collective| {
        IterativeComQueue::once(&cpu(collective))
            .add(item("put", Objects::none().writes(WORD), |cx| cx.put(WORD, Longest("x".repeat(cx.task_id())))))
            .add(AllReduce::by(WORD, |into: &mut Longest, from| {
                into.0 = format!("{}{}", into.0, from.0.len());
                Ok(())
            }))
            .close_with(|cx| cx.take(WORD))
            .exec()
    });
    for word in words {
        // Task 0's word is empty; each rank folds its own two tasks first.
        // 1 is the length of task 1's word, 3 and 5 are those of what ranks 1 and 2 made.
        assert_eq!(word.expect("it travels").0, "135");
    }
    let run = |size| {
        on_ranks(size, |collective| {
            IterativeComQueue::once(&cpu(collective))
                .add(item("put", Objects::none().writes(HOME), |cx| cx.put(HOME, Homebody)))
                .add(AllReduce::by(HOME, |_, _| Ok(())))
                .exec()
        })
    };
    assert!(run(1).into_iter().all(|result| result.is_ok()));
    for result in run(2) {
        let error = error_of(result, "it cannot travel");
        assert_says(&error, &["AllReduce(home)", "home", "Homebody", "encode", "TRAVELS"]);
    }
}

#[test]
fn an_error_on_one_rank_ends_all_with_its_message() {
    let cases: [(&str, u32, usize, &[&str]); 3] = [
        ("before an all-reduce", 2, 1, &["rank 1: round 2, item `fails`", "the cable is out"]),
        ("on two ranks, the lowest is told", 1, 0, &["rank 0: ", "the cable is out"]),
        ("on the last rank", 3, 2, &["rank 2: round 3"]),
    ];
    for (case, round, failing, words) in cases {
        let reached = AtomicU32::new(0);
        let results = on_ranks(3, |collective| {
            let rank = collective.rank();
            let also = failing == 0 && rank == 2;
            IterativeComQueue::new(&cpu(collective))
                .add(item("fails", Objects::none().writes(SMALL), move |cx| {
                    if (rank == failing || also) && cx.step_no() == round {
                        return Err(Error::parameter("network", format!("the cable is out at {rank}")));
                    }
                    cx.put(SMALL, vec![1.0])
                }))
                .add(AllReduce::sum(SMALL))
                .add(item("after", Objects::reads(SMALL), |cx| {
                    reached.fetch_max(cx.step_no(), Ordering::Relaxed);
                    Ok(())
                }))
                .set_max_iter(5)
                .exec()
        });
        for result in results {
            assert_says(&error_of(result, case), words);
        }
        assert_eq!(reached.into_inner(), round - 1, "{case}: no rank goes past the all-reduce");
    }
}

#[test]
fn an_error_that_all_ranks_have_is_said_once() {
    for result in on_ranks(2, |collective| {
        IterativeComQueue::once(&cpu(collective))
            .add(item("fails", Objects::none().writes(SMALL), |_| Err(Error::parameter("k", "0 is too few"))))
            .add(AllReduce::sum(SMALL))
            .exec()
    }) {
        assert_eq!(error_of(result, "all fail").to_string(), "round 1, item `fails`: k: 0 is too few");
    }
}

#[test]
fn errors_after_the_last_communication_and_of_the_wiring_are_agreed_on_too() {
    let late = on_ranks(2, |collective| {
        let rank = collective.rank();
        IterativeComQueue::once(&cpu(collective))
            .close_with(move |_| if rank == 1 { Err(Error::parameter("disk", "full")) } else { Ok(()) })
            .exec()
    });
    for result in late {
        assert_says(&error_of(result, "close_with"), &["rank 1: disk: full"]);
    }
    let wiring = on_ranks(2, |collective| {
        let rounds = collective.rank() as u32;
        IterativeComQueue::new(&cpu(collective)).set_max_iter(rounds).exec()
    });
    for result in wiring {
        assert_says(&error_of(result, "0 rounds on rank 0"), &["rank 0: max_iter"]);
    }
}

/// Counts the rounds it is told of.
#[derive(Default)]
struct Told(AtomicU32);

impl IterationListener for Told {
    fn on_round_end(&self, _: u32, _: &ComContext) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn task_0_decides_for_all_and_its_rank_alone_is_told() {
    let told = Arc::new(Told::default());
    let asked = AtomicU32::new(0);
    let runs = on_ranks(3, |collective| {
        let first = collective.rank() == 0;
        let run = IterativeComQueue::new(&cpu(collective))
            .add(item("put", Objects::none().writes(SMALL), |cx| cx.put(SMALL, vec![1.0])))
            .set_compare_criterion(|cx| {
                asked.fetch_add(1, Ordering::Relaxed);
                assert_eq!(cx.task_id(), 0);
                Ok(cx.step_no() == 4)
            })
            .set_max_iter(9)
            .output(SMALL)
            .listen(told.clone())
            .run();
        (first, run.expect("nothing fails"))
    });
    for (first, run) in &runs {
        assert_eq!((run.rounds, run.stop), (4, Stop::Criterion));
        assert_eq!(run.output(SMALL).count(), if *first { 4 } else { 0 });
    }
    assert_eq!((told.0.load(Ordering::Relaxed), asked.into_inner()), (4, 4));
}

#[test]
fn an_interrupt_of_any_rank_ends_all_after_the_same_round() {
    let flags: Vec<Arc<AtomicBool>> = (0..3).map(|_| Arc::default()).collect();
    let runs = on_ranks(3, |collective| {
        let rank = collective.rank();
        let builder = Session::builder().interrupt_flag(flags[rank].clone()).threads(1).collective(collective);
        let session = builder.build()?;
        IterativeComQueue::new(&session)
            .add(item("stop", Objects::none().writes(SMALL), |cx| {
                if rank == 2 && cx.step_no() == 2 {
                    session.interrupt();
                }
                cx.put(SMALL, vec![1.0])
            }))
            .set_max_iter(50)
            .run()
            .map(|run| (run.rounds, run.stop))
    });
    for run in runs {
        assert_eq!(run.expect("nothing fails"), (2, Stop::Interrupted));
    }
}

#[test]
fn time_spent_between_ranks_is_told_and_none_is_alone() {
    for (size, some) in [(1, false), (2, true)] {
        let waited = on_ranks(size, |collective| {
            let slow = collective.rank() == 1;
            IterativeComQueue::once(&cpu(collective))
                .add(item("put", Objects::none().writes(SMALL), move |cx| {
                    if slow {
                        std::thread::sleep(std::time::Duration::from_millis(30));
                    }
                    cx.put(SMALL, vec![1.0])
                }))
                .add(AllReduce::sum(SMALL))
                .close_with(|cx| Ok(cx.communication_time()))
                .exec()
        });
        let waited = waited[0].as_ref().expect("nothing fails");
        assert_eq!(waited.as_millis() >= 20, some, "{size} ranks: {waited:?}");
    }
}

#[cfg(feature = "gpu")]
#[test]
fn what_devices_have_merged_is_reduced_over_the_ranks() {
    for gpu in crate::support::gpus().into_iter().take(1) {
        for result in on_ranks(2, |collective| {
            IterativeComQueue::new(&session(collective, OneDevice::Adapter(gpu)))
                .add(item("put", Objects::none().writes(SMALL), |cx| cx.put(SMALL, vec![cx.task_id() as f32, 1.0])))
                .add(AllReduce::sum(SMALL))
                .set_max_iter(2)
                .close_with(|cx| cx.take(SMALL))
                .exec()
        }) {
            assert_eq!(result.expect("nothing fails"), [6.0, 4.0]);
        }
    }
}
