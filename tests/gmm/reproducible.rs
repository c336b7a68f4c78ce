//! The same bits for any number of threads, partitions, ranks, and wherever the rows are.

use crate::support::{
    Stored, alone, assert_same, cpu, from_rows, heaps, named, narrow, on_every_device, session, together,
};
use crate::threads::on_ranks;
use ndarray::Array2;
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{CovarianceType, GaussianMixture, GaussianMixtureModel, Result, Session};

const BOTH: [CovarianceType; 2] = [CovarianceType::Full, CovarianceType::Diagonal];

/// Three blocks of 4096 rows and a part of a fourth.
const ROWS: usize = 3 * 4096 + 777;

fn mixture(covariance: CovarianceType) -> GaussianMixture {
    GaussianMixture::new(3).covariance_type(covariance).seed(12).tol(1e-4).max_iter(6)
}

#[test]
fn neither_threads_nor_partitions_of_the_cpu_change_a_bit() -> Result<()> {
    let rows = narrow(&heaps(3001, 5, 3, 4.0));
    for covariance in BOTH {
        let expected = mixture(covariance).session(&session(OneDevice::Cpu, 1, 1)).fit(&rows)?;
        assert!(expected.iterations() > 2);
        for (threads, partitions) in [(2, 1), (4, 1), (1, 3), (2, 5), (4, 40)] {
            let model = mixture(covariance).session(&session(OneDevice::Cpu, threads, partitions)).fit(&rows)?;
            assert_same(&model, &expected, &format!("{covariance}, {threads} threads, {partitions} partitions"));
        }
    }
    Ok(())
}

#[test]
fn two_fits_and_more_partitions_of_a_device_give_the_same_bits() {
    let rows = narrow(&heaps(1700, 4, 3, 4.0));
    on_every_device(|one, name| {
        let device = named(name);
        for covariance in BOTH {
            let expected = mixture(covariance).session(one).fit(&rows)?;
            assert_same(&mixture(covariance).session(one).fit(&rows)?, &expected, name);
            for partitions in [2, 5] {
                let model = mixture(covariance).session(&session(device, 2, partitions)).fit(&rows)?;
                assert_same(&model, &expected, &format!("{name}, {covariance}, {partitions} partitions"));
            }
        }
        Ok(())
    });
}

#[test]
fn several_devices_of_a_kind_give_the_bits_of_one() -> Result<()> {
    let rows = narrow(&heaps(2100, 3, 3, 4.0));
    let _alone = alone();
    for device in std::iter::once(OneDevice::Cpu).chain((0..adapters().len().min(1)).map(OneDevice::Adapter)) {
        for full in [true, false] {
            let mixture = from_rows(&rows, 3, full).max_iter(4);
            let expected = mixture.clone().session(&session(device, 2, 1)).fit(&rows)?;
            assert_same(
                &mixture.session(&together(vec![device; 3])).fit(&rows)?,
                &expected,
                &format!("three times {device:?}"),
            );
        }
    }
    Ok(())
}

#[test]
fn streamed_rows_give_the_bits_of_pinned_ones() -> Result<()> {
    let rows = Stored(narrow(&heaps(40_000, 6, 2, 100.0)));
    for full in [true, false] {
        let mixture = from_rows(&rows.0, 2, full).max_iter(3).tol(0.0);
        let pinned = mixture.clone().session(&cpu()).fit(&rows)?;
        assert!(pinned.streamed().is_none() && pinned.iterations() == 3);
        let memory = 1_900_000;
        let session = Session::builder().device("cpu".parse()?).threads(2).memory(memory).build()?;
        let streamed = mixture.session(&session).fit(&rows)?;
        assert_same(&streamed, &pinned, &format!("{memory} bytes"));
        assert!(streamed.streamed().is_some_and(|streamed| streamed.rows > 0), "{memory} bytes");
        assert_eq!(session.memory().available(), memory, "all that was taken is given back");
    }
    Ok(())
}

#[test]
fn a_device_that_streams_gives_the_bits_of_one_that_has_all_rows() -> Result<()> {
    let rows = narrow(&heaps(9000, 8, 2, 100.0));
    for (adapter, full) in (0..adapters().len()).flat_map(|adapter| [(adapter, true), (adapter, false)]) {
        let mixture = from_rows(&rows, 2, full).max_iter(3).tol(0.0);
        let _alone = alone();
        let device = OneDevice::Adapter(adapter);
        let pinned = mixture.clone().session(&session(device, 2, 1)).fit(&rows)?;
        assert!(pinned.streamed().is_none());
        let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(2);
        let small = builder.device_memory(250_000).build()?;
        let streamed = mixture.session(&small).fit(&rows)?;
        assert!(streamed.streamed().is_some(), "gpu:{adapter}");
        assert_same(&streamed, &pinned, &format!("gpu:{adapter}"));
    }
    Ok(())
}

fn on(size: usize, device: OneDevice, mixture: &GaussianMixture, rows: &Array2<f32>) -> GaussianMixtureModel {
    let models = on_ranks(size, |collective| {
        let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(1).partitions(2);
        let mixture = mixture.clone().session(&builder.collective(collective).build()?);
        mixture.fit_dataset(&mixture.dataset(rows)?)
    });
    let mut models: Vec<GaussianMixtureModel> = models.into_iter().map(|model| model.expect("nothing fails")).collect();
    for (rank, model) in models.iter().enumerate() {
        assert_same(model, &models[0], &format!("rank {rank} of {size}"));
    }
    models.remove(0)
}

#[test]
fn two_and_three_ranks_find_what_one_finds() {
    let rows = narrow(&heaps(ROWS, 3, 3, 50.0));
    for covariance in BOTH {
        let mixture = mixture(covariance);
        let one = on(1, OneDevice::Cpu, &mixture, &rows);
        for size in [2, 3, 5] {
            assert_same(&on(size, OneDevice::Cpu, &mixture, &rows), &one, &format!("{covariance}, {size} ranks"));
        }
        if !adapters().is_empty() {
            let _alone = alone();
            let device = OneDevice::Adapter(0);
            let mixture = from_rows(&rows, 3, covariance == CovarianceType::Full).max_iter(2);
            let (two, one) = (on(2, device, &mixture, &rows), on(1, device, &mixture, &rows));
            assert_same(&two, &one, "two ranks with an adapter");
        }
    }
}

#[test]
fn ranks_end_together_with_the_place_of_a_fault_and_refuse_other_settings() {
    let mut rows = narrow(&heaps(ROWS, 3, 2, 0.0));
    let session = |collective| Session::builder().device("cpu".parse()?).threads(1).collective(collective).build();
    let models = on_ranks(2, |collective| {
        let seed = collective.rank() as u64;
        GaussianMixture::new(2).seed(seed).session(&session(collective)?).fit(&rows)
    });
    for model in models {
        let message = model.expect_err("the seeds differ").to_string();
        assert!(message.contains("settings"), "{message}");
    }
    rows[(9000, 2)] = f32::NAN;
    for model in on_ranks(3, |collective| GaussianMixture::new(2).session(&session(collective)?).fit(&rows)) {
        let message = model.expect_err("a value is no number").to_string();
        assert!(message.starts_with("rank 2: ") && message.contains("row 9000, column 2"), "{message}");
    }
}

/// Of several starts the likeliest is kept, and the first of them is the one that a single start makes.
#[test]
fn more_starts_are_never_worse() -> Result<()> {
    let rows = narrow(&heaps(900, 2, 6, 0.0));
    let mixture = GaussianMixture::new(6).seed(3).session(&cpu());
    let bounds: Vec<f64> = (0..4)
        .map(|start| mixture.clone().seed(3 + start).fit(&rows).map(|model| model.lower_bound()))
        .collect::<Result<_>>()?;
    let best = bounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!(bounds.iter().any(|bound| *bound < best), "the starts differ: {bounds:?}");
    assert_eq!(mixture.n_init(4).fit(&rows)?.lower_bound(), best);
    Ok(())
}

#[cfg(feature = "gpu")]
#[test]
fn a_fit_that_loses_its_device_has_the_bits_of_one_that_keeps_it() -> Result<()> {
    use crate::support::{assert_told_of_a_loss, takeable};
    use superstep::algorithms::gmm::Progress;

    let rows = narrow(&heaps(1700, 4, 3, 4.0));
    let _alone = alone();
    for adapter in 0..adapters().len() {
        for covariance in BOTH {
            let mixture = mixture(covariance).tol(0.0).max_iter(6);
            let expected = mixture.clone().session(&session(OneDevice::Adapter(adapter), 2, 1)).fit(&rows)?;
            let (session, take) = takeable(adapter)?;
            let take = move |told: Progress| {
                if matches!(told, Progress::Round { round, .. } if round.iteration == 3) {
                    take();
                }
            };
            let found = mixture.session(&session).progress(take).fit(&rows)?;
            assert_same(&found, &expected, &format!("gpu:{adapter}, {covariance}"));
            assert_told_of_a_loss(found.warnings(), &format!("gpu:{adapter}, {covariance}"));
        }
    }
    Ok(())
}
