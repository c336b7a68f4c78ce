//! The same bits for any number of threads, partitions, ranks, and wherever the rows are.

use crate::support::{Stored, alone, assert_same, cpu, named, narrow, on_every_device, session, spread, together};
use crate::threads::on_ranks;
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{Pca, PcaModel, Result, Session};

/// Three blocks of 4096 rows and a part of a fourth.
const ROWS: usize = 3 * 4096 + 777;

fn pca() -> Pca {
    Pca::new(3).oversample(4).seed(12)
}

#[test]
fn neither_threads_nor_partitions_of_the_cpu_change_a_bit() -> Result<()> {
    let rows = narrow(&spread(3001, 17, 0.85, 4.0));
    let expected = pca().session(&session(OneDevice::Cpu, 1, 1)).fit(&rows)?;
    assert!(expected.iterations() > 2);
    for (threads, partitions) in [(2, 1), (4, 1), (1, 3), (2, 5), (4, 40)] {
        let model = pca().session(&session(OneDevice::Cpu, threads, partitions)).fit(&rows)?;
        assert_same(&model, &expected, &format!("{threads} threads, {partitions} partitions"));
    }
    Ok(())
}

#[test]
fn two_fits_and_more_partitions_of_a_device_give_the_same_bits() {
    let rows = narrow(&spread(1700, 13, 0.85, 4.0));
    on_every_device(|one, name| {
        let expected = pca().session(one).fit(&rows)?;
        assert_same(&pca().session(one).fit(&rows)?, &expected, name);
        let device = named(name);
        for partitions in [2, 5] {
            let model = pca().session(&session(device, 2, partitions)).fit(&rows)?;
            assert_same(&model, &expected, &format!("{name}, {partitions} partitions"));
        }
        Ok(())
    });
}

#[test]
fn several_devices_of_a_kind_give_the_bits_of_one() -> Result<()> {
    let rows = narrow(&spread(2100, 9, 0.85, 4.0));
    let _alone = alone();
    for device in std::iter::once(OneDevice::Cpu).chain((0..adapters().len().min(1)).map(OneDevice::Adapter)) {
        let expected = pca().session(&session(device, 2, 1)).fit(&rows)?;
        assert_same(
            &pca().session(&together(vec![device; 3])).fit(&rows)?,
            &expected,
            &format!("three times {device:?}"),
        );
    }
    Ok(())
}

#[test]
fn streamed_rows_give_the_bits_of_pinned_ones() -> Result<()> {
    let rows = Stored(narrow(&spread(40_000, 6, 0.8, 100.0)));
    let pca = Pca::new(2).oversample(1).seed(3);
    let pinned = pca.clone().session(&cpu()).fit(&rows)?;
    assert!(pinned.streamed().is_none() && pinned.iterations() > 1);
    for memory in [300_000, 700_000] {
        let session = Session::builder().device("cpu".parse()?).threads(2).memory(memory).build()?;
        let streamed = pca.clone().session(&session).fit(&rows)?;
        assert_same(&streamed, &pinned, &format!("{memory} bytes"));
        assert!(streamed.streamed().is_some_and(|streamed| streamed.rows > 0), "{memory} bytes");
        assert_eq!(session.memory().available(), memory, "all that was taken is given back");
    }
    Ok(())
}

#[test]
fn a_device_that_streams_gives_the_bits_of_one_that_has_all_rows() -> Result<()> {
    let rows = narrow(&spread(9000, 8, 0.8, 100.0));
    let pca = Pca::new(2).oversample(1).max_iter(3).tol(0.0);
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let device = OneDevice::Adapter(adapter);
        let pinned = pca.clone().session(&session(device, 2, 1)).fit(&rows)?;
        assert!(pinned.streamed().is_none());
        let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(2);
        let small = builder.device_memory(250_000).build()?;
        let streamed = pca.clone().session(&small).fit(&rows)?;
        assert!(streamed.streamed().is_some(), "gpu:{adapter}");
        assert_same(&streamed, &pinned, &format!("gpu:{adapter}"));
    }
    Ok(())
}

fn on(size: usize, device: OneDevice, pca: &Pca, rows: &ndarray::Array2<f32>) -> PcaModel {
    let models = on_ranks(size, |collective| {
        let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(1).partitions(2);
        let pca = pca.clone().session(&builder.collective(collective).build()?);
        pca.fit_dataset(&pca.dataset(rows)?)
    });
    let mut models: Vec<PcaModel> = models.into_iter().map(|model| model.expect("nothing fails")).collect();
    for (rank, model) in models.iter().enumerate() {
        assert_same(model, &models[0], &format!("rank {rank} of {size}"));
    }
    models.remove(0)
}

#[test]
fn two_and_three_ranks_find_what_one_finds() {
    let rows = narrow(&spread(ROWS, 7, 0.85, 50.0));
    let one = on(1, OneDevice::Cpu, &pca(), &rows);
    for size in [2, 3, 5] {
        assert_same(&on(size, OneDevice::Cpu, &pca(), &rows), &one, &format!("{size} ranks"));
    }
    if !adapters().is_empty() {
        let _alone = alone();
        let device = OneDevice::Adapter(0);
        let pca = pca().max_iter(2);
        assert_same(&on(2, device, &pca, &rows), &on(1, device, &pca, &rows), "two ranks with an adapter");
    }
}

#[test]
fn ranks_end_together_with_the_place_of_a_fault_and_refuse_other_settings() {
    let mut rows = narrow(&spread(ROWS, 3, 0.85, 0.0));
    let session = |collective| Session::builder().device("cpu".parse()?).threads(1).collective(collective).build();
    let models = on_ranks(2, |collective| {
        let seed = collective.rank() as u64;
        Pca::new(1).seed(seed).session(&session(collective)?).fit(&rows)
    });
    for model in models {
        let message = model.expect_err("the seeds differ").to_string();
        assert!(message.contains("settings"), "{message}");
    }
    rows[(9000, 2)] = f32::NAN;
    for model in on_ranks(3, |collective| Pca::new(1).session(&session(collective)?).fit(&rows)) {
        let message = model.expect_err("a value is no number").to_string();
        assert!(message.starts_with("rank 2: ") && message.contains("row 9000, column 2"), "{message}");
    }
}

#[cfg(feature = "gpu")]
#[test]
fn a_fit_that_loses_its_device_has_the_bits_of_one_that_keeps_it() -> Result<()> {
    use crate::support::{assert_told_of_a_loss, takeable};

    let rows = narrow(&spread(1700, 13, 0.85, 4.0));
    let _alone = alone();
    for adapter in 0..adapters().len() {
        let expected = pca().session(&session(OneDevice::Adapter(adapter), 2, 1)).fit(&rows)?;
        let (session, take) = takeable(adapter)?;
        let found = pca()
            .session(&session)
            .progress(move |round| {
                if round.iteration == 2 {
                    take();
                }
            })
            .fit(&rows)?;
        assert!(expected.iterations() > 2, "{} rounds", expected.iterations());
        assert_same(&found, &expected, &format!("gpu:{adapter}"));
        assert_told_of_a_loss(found.warnings(), &format!("gpu:{adapter}"));
    }
    Ok(())
}
