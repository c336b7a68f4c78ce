//! How long items take, and what devices can do.

use crate::kernels::{Follow, ROWS, STATE, SUMS, SumColumns};
use crate::support::{gpus, session, table};
use ndarray::Array1;
use std::time::Duration;
use superstep::Result;
use superstep::queue::{AllReduce, Compute, IterativeComQueue, Objects, OneDevice, Session};

/// Three rounds of an item of the host that sleeps, beside WGSL where the device runs it.
fn run(session: &Session) -> Result<()> {
    IterativeComQueue::new(session)
        .init_with_partitioned_data(ROWS, table(100, 3))
        .init_with_broadcast_data(STATE, Array1::zeros(3))
        .add(SumColumns)
        .add(AllReduce::sum(SUMS))
        .add(Follow)
        .add(Compute::new("sleep", Objects::none(), |_| {
            std::thread::sleep(Duration::from_millis(5));
            Ok(())
        }))
        .set_max_iter(3)
        .exec()
}

#[test]
fn items_and_kernels_are_timed_only_while_asked_for() -> Result<()> {
    let adapters = gpus().into_iter().map(OneDevice::Adapter);
    for device in adapters.chain([OneDevice::Cpu]) {
        let session = session(&[device], 1);
        run(&session)?;
        assert_eq!(session.item_times()?, [], "nothing was asked for");
        session.profile(true)?;
        run(&session)?;
        let times = session.item_times()?;
        let of =
            |name: &str| times.iter().find(|item| item.name == name).unwrap_or_else(|| panic!("{name}: {times:?}"));
        let sleep = of("sleep");
        assert_eq!((sleep.device, sleep.runs), (0, 3));
        assert!((15..500).contains(&sleep.time.as_millis()), "{sleep:?}");
        if device != OneDevice::Cpu {
            assert_eq!((of("sum_columns").runs, of("follow").runs), (3, 3));
            assert!(of("sum_columns").time > Duration::ZERO, "{times:?}");
        }
        assert!(times.is_sorted_by(|a, b| a.time >= b.time), "{times:?}");
        run(&session)?;
        assert!(!session.item_times()?.is_empty(), "it goes on until it is ended");
        run(&session)?;
        session.profile(false)?;
        run(&session)?;
        assert_eq!(session.item_times()?, [], "what was measured before the end is forgotten");
    }
    Ok(())
}

#[test]
fn ceilings_are_rates_that_a_machine_can_have() -> Result<()> {
    let adapters = gpus().into_iter().map(OneDevice::Adapter);
    for device in adapters.chain([OneDevice::Cpu]) {
        let session = session(&[device], 1);
        let [ceilings] = session.ceilings()?[..] else { panic!("one for each device") };
        assert!((1e6..1e16).contains(&ceilings.copied_bytes_per_second), "{ceilings:?}");
        assert!((1e6..1e18).contains(&ceilings.operations_per_second), "{ceilings:?}");
    }
    Ok(())
}
