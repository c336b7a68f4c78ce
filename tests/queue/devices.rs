//! Several devices in one session give the answer that one gives.

use crate::kernels::{Follow, ROWS, STATE, SUMS, SumColumns, followed};
use crate::support::{gpus, session, table};
use ndarray::{Array1, Array2};
use superstep::data::RowSource;
use superstep::queue::{AllReduce, DeviceChoice, IterativeComQueue, OneDevice, Session};
use superstep::{Place, Result};

/// The lists of devices of which each is to compute what the CPU alone does.
fn teams() -> Vec<Vec<OneDevice>> {
    let teams = gpus().into_iter().map(OneDevice::Adapter).flat_map(|gpu| {
        [
            vec![gpu],
            vec![gpu, gpu],
            vec![OneDevice::Cpu, gpu],
            vec![gpu, OneDevice::Cpu, gpu],
            vec![gpu, gpu, OneDevice::Cpu],
        ]
    });
    [vec![OneDevice::Cpu; 2]].into_iter().chain(teams).collect()
}

fn follow(session: &Session, data: &Array2<f32>, rounds: u32) -> Result<Vec<Array1<f32>>> {
    let run = IterativeComQueue::new(session)
        .init_with_partitioned_data(ROWS, data)
        .init_with_broadcast_data(STATE, Array1::zeros(data.ncols()))
        .add(SumColumns)
        .add(AllReduce::sum(SUMS))
        .add(Follow)
        .set_max_iter(rounds)
        .close_with(|cx| cx.take(STATE))
        .run()?;
    Ok(run.results)
}

#[test]
fn integers_are_exact_on_any_team_of_devices() -> Result<()> {
    let data = table(500, 5);
    let expected = followed(&data, 4).mapv(|value| value as f32);
    for team in teams() {
        for partitions in [1, 3] {
            let found = follow(&session(&team, partitions), &data, 4)?;
            assert_eq!(found, vec![expected.clone(); team.len() * partitions], "{team:?}, {partitions} partitions");
        }
    }
    Ok(())
}

#[test]
fn fractions_agree_to_one_in_a_million() -> Result<()> {
    let data = Array2::from_shape_fn((1000, 4), |(row, column)| ((row * 13 + column * 7) % 97) as f32 / 97.0 + 0.1);
    let expected = followed(&data, 20);
    for team in teams() {
        for state in follow(&session(&team, 3), &data, 20)? {
            for (found, expected) in state.iter().zip(&expected) {
                let error = (f64::from(*found) - expected).abs() / expected;
                assert!(error < 1e-6, "{team:?}: {found} is not {expected}, off by {error:e}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_same_team_gives_the_same_bits_twice() -> Result<()> {
    let data = table(300, 4).mapv(|value| value / 7.0);
    for team in teams() {
        let session = session(&team, 2);
        assert_eq!(follow(&session, &data, 6)?, follow(&session, &data, 6)?, "{team:?}");
    }
    Ok(())
}

#[test]
fn two_queues_may_share_a_device_at_the_same_time() -> Result<()> {
    let (few, many) = (table(40, 3), table(900, 6));
    for gpu in gpus() {
        let session = session(&[OneDevice::Adapter(gpu)], 3);
        let run = |data: &Array2<f32>| follow(&session, data, 10).map(|states| states[0].mapv(f64::from));
        let (left, right) = std::thread::scope(|scope| {
            let left = scope.spawn(|| run(&few));
            (run(&many), left.join().expect("no panic"))
        });
        assert_eq!((left?, right?), (followed(&many, 10), followed(&few, 10)));
    }
    Ok(())
}

/// A table that is too large to be read here.
struct Vast {
    rows: u64,
    columns: usize,
}

impl RowSource for Vast {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn read_f64(&self, _: u64, _: &mut [f64]) -> Result<()> {
        panic!("nobody reads it")
    }

    fn read_f32(&self, _: u64, _: &[f64], _: &mut [f32]) -> Result<()> {
        panic!("nobody reads it")
    }

    fn place(&self, row: u64, _: usize) -> Place {
        Place::of("vast").row(row)
    }
}

#[test]
fn partitions_fit_the_bindings_of_their_device() -> Result<()> {
    for gpu in gpus() {
        let session = session(&[OneDevice::Adapter(gpu)], 1);
        let most = session.devices()[0].info().max_binding_bytes;
        let rows = most / 16 * 5 + 1;
        let queue = IterativeComQueue::once(&session).init_with_partitioned_data(ROWS, Vast { rows, columns: 4 });
        let lengths = queue.close_with(|cx| Ok(cx.rows(ROWS)?.len() as u64)).run()?.results;
        assert_eq!(lengths.len(), 6);
        assert_eq!(lengths.iter().sum::<u64>(), rows);
        assert!(lengths.iter().all(|rows| rows * 16 <= most));
    }
    Ok(())
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_that_lists_what_is() {
    let refused = Session::builder().device(DeviceChoice::These(vec![OneDevice::Adapter(99)])).build();
    let message = refused.map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("gpu:99") && message.contains("`cpu` is always there"), "{message}");
    assert!(gpus().is_empty() || message.contains("gpu:0"), "{message}");
}

/// Rows go by measured speed where the queue says so, and by the same measure the next time.
#[test]
fn the_faster_device_gets_more_rows_where_the_queue_allows_it() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("superstep-speeds-{}", std::process::id()));
    for gpu in gpus() {
        let team = DeviceChoice::These(vec![OneDevice::Cpu, OneDevice::Adapter(gpu)]);
        let lengths = |tune: bool, by_speed: bool| {
            let session = Session::builder().device(team.clone()).tune(tune).cache_folder(&folder).build()?;
            let queue = IterativeComQueue::once(&session).init_with_partitioned_data(ROWS, table(10_000, 2));
            let queue = if by_speed { queue.share_by_speed() } else { queue };
            Ok::<_, superstep::Error>(queue.close_with(|cx| Ok(cx.rows(ROWS)?.len())).run()?.results)
        };
        assert_eq!(lengths(true, false)?, [5000, 5000], "equal where nothing is said");
        assert_eq!(lengths(false, true)?, [5000, 5000], "or nothing may be measured");
        let first = lengths(true, true)?;
        assert_eq!(first.iter().sum::<usize>(), 10_000);
        assert!(first.iter().all(|rows| *rows != 5000), "a processor and an adapter differ: {first:?}");
        assert_eq!(lengths(true, true)?, first);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("a folder that was made");
    }
    Ok(())
}
