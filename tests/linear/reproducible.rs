//! The same bits for any number of threads, partitions, devices of a kind and ranks, streamed or pinned.

use crate::support::{alone, assert_same, assert_same_line, cpu, named, on_every_device, session, table, together};
use crate::threads::on_ranks;
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{LinearRegression, LogisticRegression, LogisticRegressionModel, Result, Session};

/// More than three blocks that ranks share out, and a part of a fourth.
const ROWS: usize = 3 * 4096 + 777;

fn logistic() -> LogisticRegression {
    LogisticRegression::new().c(2.0).tol(1e-5)
}

fn linear() -> LinearRegression {
    LinearRegression::new().alpha(0.01).l1_ratio(0.5).tol(1e-6)
}

#[test]
fn neither_threads_nor_partitions_of_the_cpu_change_a_bit() -> Result<()> {
    let (rows, targets, classes) = table(3001, 9, 3);
    let one = session(OneDevice::Cpu, 1, 1);
    let expected = logistic().session(&one).fit(&rows, &classes)?;
    let line = linear().session(&one).fit(&rows, &targets)?;
    assert!(expected.iterations() > 4 && line.iterations() > 2);
    for (threads, partitions) in [(2, 1), (4, 1), (1, 3), (2, 5), (4, 40)] {
        let case = format!("{threads} threads, {partitions} partitions");
        let session = session(OneDevice::Cpu, threads, partitions);
        assert_same(&logistic().session(&session).fit(&rows, &classes)?, &expected, &case);
        assert_same_line(&linear().session(&session).fit(&rows, &targets)?, &line, &case);
    }
    Ok(())
}

#[test]
fn two_fits_and_more_partitions_of_a_device_give_the_same_bits() {
    let (rows, _, classes) = table(1700, 6, 3);
    on_every_device(|one, name| {
        let expected = logistic().session(one).fit(&rows, &classes)?;
        assert_same(&logistic().session(one).fit(&rows, &classes)?, &expected, name);
        let device = named(name);
        for partitions in [2, 5] {
            let model = logistic().session(&session(device, 2, partitions)).fit(&rows, &classes)?;
            assert_same(&model, &expected, &format!("{name}, {partitions} partitions"));
        }
        Ok(())
    });
}

#[test]
fn several_devices_of_a_kind_give_the_bits_of_one() -> Result<()> {
    let (rows, _, classes) = table(2100, 5, 2);
    let _alone = alone();
    for device in std::iter::once(OneDevice::Cpu).chain((0..adapters().len().min(1)).map(OneDevice::Adapter)) {
        let expected = logistic().session(&session(device, 2, 1)).fit(&rows, &classes)?;
        let several = logistic().session(&together(vec![device; 3])).fit(&rows, &classes)?;
        assert_same(&several, &expected, &format!("three times {device:?}"));
    }
    Ok(())
}

#[test]
fn streamed_rows_give_the_bits_of_pinned_ones() -> Result<()> {
    let (rows, _, classes) = table(40_000, 6, 3);
    let fit = logistic().max_iter(4);
    let pinned = fit.clone().session(&cpu()).fit(&rows, &classes)?;
    assert!(pinned.streamed().is_none());
    for memory in [300_000, 700_000] {
        let session = Session::builder().device("cpu".parse()?).threads(2).memory(memory).build()?;
        let streamed = fit.clone().session(&session).fit(&rows, &classes)?;
        assert_same(&streamed, &pinned, &format!("{memory} bytes"));
        assert!(streamed.streamed().is_some_and(|streamed| streamed.rows > 0), "{memory} bytes");
        assert_eq!(session.memory().available(), memory, "all that was taken is given back");
    }
    Ok(())
}

#[test]
fn a_device_that_streams_gives_the_bits_of_one_that_has_all_rows() -> Result<()> {
    let (rows, _, classes) = table(9000, 7, 3);
    let fit = logistic().max_iter(2);
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let device = OneDevice::Adapter(adapter);
        let pinned = fit.clone().session(&session(device, 2, 1)).fit(&rows, &classes)?;
        assert!(pinned.streamed().is_none());
        let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(2);
        let streamed = fit.clone().session(&builder.device_memory(300_000).build()?).fit(&rows, &classes)?;
        assert!(streamed.streamed().is_some(), "gpu:{adapter}");
        assert_same(&streamed, &pinned, &format!("gpu:{adapter}"));
    }
    Ok(())
}

#[test]
fn two_and_three_ranks_find_what_one_finds() {
    let (rows, _, classes) = table(ROWS, 4, 3);
    let weights: Vec<f32> = (0..ROWS).map(|row| (row % 7) as f32 * 0.25).collect();
    let on = |size: usize, device: OneDevice, steps: u32| {
        let models = on_ranks(size, |collective| {
            let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(1).partitions(2);
            let fit = logistic().max_iter(steps).session(&builder.collective(collective).build()?);
            fit.fit_dataset(&fit.dataset(&rows)?.with_weights(weights.clone())?, &classes)
        });
        let mut models: Vec<LogisticRegressionModel> =
            models.into_iter().map(|model| model.expect("nothing fails")).collect();
        for (rank, model) in models.iter().enumerate() {
            assert_same(model, &models[0], &format!("rank {rank} of {size}"));
        }
        models.remove(0)
    };
    let one = on(1, OneDevice::Cpu, 50);
    for size in [2, 3, 5] {
        assert_same(&on(size, OneDevice::Cpu, 50), &one, &format!("{size} ranks"));
    }
    if !adapters().is_empty() {
        let _alone = alone();
        let device = OneDevice::Adapter(0);
        assert_same(&on(2, device, 2), &on(1, device, 2), "two ranks with an adapter");
    }
}

#[test]
fn ranks_end_together_with_the_place_of_a_fault_and_refuse_other_settings() {
    let (rows, _, mut classes) = table(ROWS, 2, 2);
    let session = |collective| Session::builder().device("cpu".parse()?).threads(1).collective(collective).build();
    let models = on_ranks(2, |collective| {
        let c = 1.0 + collective.rank() as f64;
        logistic().c(c).session(&session(collective)?).fit(&rows, &classes)
    });
    for model in models {
        let message = model.expect_err("the strengths differ").to_string();
        assert!(message.contains("settings"), "{message}");
    }
    classes[9000] = f32::NAN;
    for model in on_ranks(3, |collective| logistic().session(&session(collective)?).fit(&rows, &classes)) {
        let message = model.expect_err("a value is no number").to_string();
        assert!(message.starts_with("rank 2: ") && message.contains("row 9000"), "{message}");
    }
    // Classes that no single rank sees both of.
    let halves: Vec<f32> = (0..ROWS).map(|row| f32::from(u8::from(row >= 2 * 4096))).collect();
    for model in on_ranks(3, |collective| logistic().session(&session(collective)?).fit(&rows, &halves)) {
        assert_eq!(model.expect("both are there").classes(), [0.0, 1.0]);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn a_fit_that_loses_its_device_has_the_bits_of_one_that_keeps_it() -> Result<()> {
    use crate::support::{assert_told_of_a_loss, takeable};

    let (rows, targets, classes) = table(1700, 6, 3);
    let _alone = alone();
    for adapter in 0..adapters().len() {
        let (case, kept) = (format!("gpu:{adapter}"), session(OneDevice::Adapter(adapter), 2, 1));
        let (session, take) = takeable(adapter)?;
        let found = logistic().session(&session).progress(move |round| {
            if round.iteration == 3 {
                take();
            }
        });
        let found = found.fit(&rows, &classes)?;
        assert_same(&found, &logistic().session(&kept).fit(&rows, &classes)?, &case);
        assert_told_of_a_loss(found.warnings(), &case);
        let (session, take) = takeable(adapter)?;
        let found = linear().session(&session).progress(move |round| {
            if round.iteration == 2 {
                take();
            }
        });
        let found = found.fit(&rows, &targets)?;
        assert_same_line(&found, &linear().session(&kept).fit(&rows, &targets)?, &case);
        assert_told_of_a_loss(found.warnings(), &case);
    }
    Ok(())
}
