//! Fits that are cut off and go on: the bits of one that was not.

use crate::support::{METRICS, alone, blobs, error_of, gpus, rows_for};
use crate::threads::on_ranks;
use ndarray::Array2;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use superstep::algorithms::kmeans::Progress;
use superstep::queue::{DeviceChoice, Every, OneDevice};
use superstep::{Algorithm, EmptyClusters, Init, KMeans, KMeansModel, Metric, Result, Session};

struct Case {
    name: String,
    kmeans: KMeans,
    points: Array2<f32>,
    weights: Option<Vec<f32>>,
}

/// Settings that differ in what a round goes on from.
fn cases() -> Vec<Case> {
    let kmeans = |k: usize| KMeans::new(k).init(Init::Random).n_init(1).seed(3).tol(0.0).max_iter(9);
    let case =
        |name: &str, kmeans: KMeans, points: Array2<f32>| Case { name: name.into(), kmeans, points, weights: None };
    let mut cases: Vec<Case> = METRICS
        .into_iter()
        .map(|metric| case(metric.as_str(), kmeans(6).metric(metric), rows_for(metric, 700, 5, 41)))
        .collect();
    // Far fewer distinct rows than clusters: some are empty in every round.
    let few = blobs(300, 3, 3, 5).mapv(|value| value.round());
    cases.push(case("empty clusters that move", kmeans(40), few.clone()));
    cases.push(case("empty clusters that go", kmeans(40).empty_clusters(EmptyClusters::Drop), few));
    cases.push(case("bounds", kmeans(48).algorithm(Algorithm::Bounded), blobs(3000, 48, 20, 8)));
    let mut far = blobs(500, 4, 5, 9);
    far[[0, 0]] = 1e12;
    cases.push(case("sums of two words", kmeans(5), far));
    let weights = (0..700).map(|row| 0.1 + (row % 5) as f32).collect();
    cases.push(Case { weights: Some(weights), ..case("weights", kmeans(7), blobs(700, 20, 9, 10)) });
    cases
}

/// Fits, from a checkpoint if one is there, and stops after some rounds of this run.
fn fit(case: &Case, device: OneDevice, folder: Option<&Path>, rounds: u32) -> Result<KMeansModel> {
    let flag = Arc::new(AtomicBool::new(false));
    let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(2);
    let session = builder.interrupt_flag(flag.clone()).build()?;
    let done = AtomicU32::new(0);
    let kmeans = case.kmeans.clone().session(&session).progress(move |progress| {
        if matches!(progress, Progress::Round { .. }) && done.fetch_add(1, Ordering::Relaxed) + 1 >= rounds {
            flag.store(true, Ordering::Relaxed);
        }
    });
    let kmeans = match folder {
        Some(folder) => kmeans.checkpoint(folder, Every::Rounds(2)).resume(true),
        None => kmeans,
    };
    let dataset = kmeans.dataset(&case.points)?;
    match &case.weights {
        Some(weights) => kmeans.fit_dataset(&dataset.with_weights(weights.clone())?),
        None => kmeans.fit_dataset(&dataset),
    }
}

/// Centroids, labels, inertia, updates, whether it converged, and the trace.
type Bits = (Vec<u64>, Vec<u32>, u64, u32, bool, Vec<(u32, u64, u64)>);

/// What must be equal to the last bit.
fn bits(model: &KMeansModel) -> Bits {
    let centroids = model.centroids().iter().map(|value| value.to_bits()).collect();
    let trace = model.trace().iter().map(|round| (round.iteration, round.inertia.to_bits(), round.moved)).collect();
    let (labels, inertia) = (model.labels().to_vec(), model.inertia().to_bits());
    (centroids, labels, inertia, model.iterations(), model.converged(), trace)
}

/// The processor and an adapter together: some rows on each.
#[test]
fn devices_of_two_kinds_go_on_together() -> Result<()> {
    let Some(OneDevice::Adapter(adapter)) = devices().into_iter().find(|device| *device != OneDevice::Cpu) else {
        return Ok(());
    };
    let _alone = alone();
    let points = blobs(3000, 6, 7, 60);
    let folder = tempfile::tempdir().unwrap();
    let fit = |folder: Option<&Path>, rounds: u32| {
        let flag = Arc::new(AtomicBool::new(false));
        let both = DeviceChoice::These(vec![OneDevice::Cpu, OneDevice::Adapter(adapter)]);
        // Equal shares in every run: what is measured of speed may differ.
        let session = Session::builder().device(both).threads(2).tune(false).interrupt_flag(flag.clone()).build()?;
        let done = AtomicU32::new(0);
        let kmeans = KMeans::new(7).init(Init::Random).n_init(1).seed(3).tol(0.0).max_iter(9).session(&session);
        let kmeans = kmeans.progress(move |progress| {
            if matches!(progress, Progress::Round { .. }) && done.fetch_add(1, Ordering::Relaxed) + 1 >= rounds {
                flag.store(true, Ordering::Relaxed);
            }
        });
        match folder {
            Some(folder) => kmeans.checkpoint(folder, Every::Rounds(1)).resume(true).fit(&points),
            None => kmeans.fit(&points),
        }
    };
    let whole = fit(None, u32::MAX)?;
    assert!(fit(Some(folder.path()), 2)?.interrupted());
    assert_eq!(bits(&fit(Some(folder.path()), u32::MAX)?), bits(&whole));
    Ok(())
}

fn devices() -> Vec<OneDevice> {
    let quick = |(_, session): &(usize, &Session)| session.devices()[0].info().interface != "gl";
    let adapters = gpus().iter().enumerate().filter(quick).map(|(number, _)| OneDevice::Adapter(number));
    std::iter::once(OneDevice::Cpu).chain(adapters).collect()
}

#[test]
fn a_fit_that_is_cut_off_ends_with_the_same_bits() -> Result<()> {
    for device in devices() {
        for case in cases() {
            let _alone = alone();
            let whole = bits(&fit(&case, device, None, u32::MAX)?);
            // A fit of many runs takes its time on a software adapter.
            let at_a_time: &[u32] = if device == OneDevice::Cpu { &[1, 2, 3] } else { &[2] };
            for &rounds in at_a_time {
                let folder = tempfile::tempdir().unwrap();
                // So many rounds at a time, as often as it takes.
                let mut runs = 0;
                let model = loop {
                    runs += 1;
                    let model = fit(&case, device, Some(folder.path()), rounds)?;
                    if !model.interrupted() {
                        break model;
                    }
                    assert!(runs < 20, "{device:?}, {}: no end", case.name);
                };
                assert_eq!(bits(&model), whole, "{device:?}, {}, {rounds} rounds at a time", case.name);
                assert!(runs > 1 || rounds > 1, "{device:?}, {}: it was never cut off", case.name);
                let again = fit(&case, device, Some(folder.path()), 0)?;
                assert_eq!(bits(&again), whole, "{device:?}, {}: what has ended has ended", case.name);
            }
        }
    }
    Ok(())
}

#[test]
fn another_device_goes_on_to_the_same_clusters() -> Result<()> {
    let points = blobs(900, 40, 8, 77);
    let kmeans = KMeans::new(8).init(Init::Random).n_init(1).seed(4).tol(0.0).max_iter(12);
    let case = Case { name: "blobs".into(), kmeans, points, weights: None };
    let whole = fit(&case, OneDevice::Cpu, None, u32::MAX)?;
    for device in devices() {
        let _alone = alone();
        let folder = tempfile::tempdir().unwrap();
        fit(&case, OneDevice::Cpu, Some(folder.path()), 3)?;
        let model = fit(&case, device, Some(folder.path()), u32::MAX)?;
        assert_eq!(model.labels(), whole.labels(), "{device:?}");
        assert!((model.inertia() / whole.inertia() - 1.0).abs() < 1e-6, "{device:?}");
        assert_eq!(model.iterations(), whole.iterations());
    }
    Ok(())
}

#[test]
fn starts_that_had_ended_are_not_done_again() -> Result<()> {
    let kmeans = KMeans::new(5).init(Init::Random).n_init(4).seed(1).tol(0.0).max_iter(7);
    let case = Case { name: "four starts".into(), kmeans, points: blobs(400, 3, 9, 21), weights: None };
    let whole = bits(&fit(&case, OneDevice::Cpu, None, u32::MAX)?);
    let folder = tempfile::tempdir().unwrap();
    let mut runs = 0;
    let model = loop {
        runs += 1;
        let model = fit(&case, OneDevice::Cpu, Some(folder.path()), 5)?;
        if !model.interrupted() {
            break model;
        }
        assert!(runs < 30, "no end");
    };
    assert_eq!(bits(&model), whole);
    assert!(runs > 3, "it was cut off in several starts");
    Ok(())
}

#[test]
fn any_number_of_ranks_goes_on_to_the_same_bits() -> Result<()> {
    let points = blobs(3 * 4096 + 77, 6, 9, 33);
    let weights: Vec<f32> = (0..points.nrows()).map(|row| 1.0 + (row % 3) as f32).collect();
    let on = |ranks: usize, folder: &Path, rounds: u32| {
        let models = on_ranks(ranks, |collective| {
            let flag = Arc::new(AtomicBool::new(false));
            let builder = Session::builder().device("cpu".parse()?).threads(1).collective(collective);
            let session = builder.interrupt_flag(flag.clone()).build()?;
            let done = AtomicU32::new(0);
            let kmeans = KMeans::new(9).init(Init::Random).n_init(1).seed(8).tol(0.0).max_iter(8).session(&session);
            let kmeans = kmeans.checkpoint(folder, Every::Rounds(1)).resume(true).progress(move |progress| {
                if matches!(progress, Progress::Round { .. }) && done.fetch_add(1, Ordering::Relaxed) + 1 >= rounds {
                    flag.store(true, Ordering::Relaxed);
                }
            });
            kmeans.fit_dataset(&kmeans.dataset(&points)?.with_weights(weights.clone())?)
        });
        let models = models.into_iter().collect::<Result<Vec<_>>>()?;
        let labels: Vec<u32> = models.iter().flat_map(|model| model.labels().to_vec()).collect();
        let (centroids, _, inertia, iterations, converged, trace) = bits(&models[0]);
        Ok::<_, superstep::Error>((centroids, labels, inertia, iterations, converged, trace))
    };
    let whole = on(1, tempfile::tempdir().unwrap().path(), u32::MAX)?;
    for ranks in [[1, 3, 2], [3, 1, 4]] {
        let folder = tempfile::tempdir().unwrap();
        on(ranks[0], folder.path(), 2)?;
        on(ranks[1], folder.path(), 2)?;
        assert_eq!(on(ranks[2], folder.path(), u32::MAX)?, whole, "{ranks:?} ranks");
    }
    Ok(())
}

#[test]
fn other_data_and_settings_are_refused_with_the_difference() -> Result<()> {
    let case = |kmeans: KMeans, points: Array2<f32>, weights: Option<Vec<f32>>| Case {
        name: String::new(),
        kmeans,
        points,
        weights,
    };
    let kmeans = || KMeans::new(4).init(Init::Random).n_init(1).seed(3).max_iter(5);
    let points = blobs(300, 3, 4, 50);
    let folder = tempfile::tempdir().unwrap();
    fit(&case(kmeans(), points.clone(), None), OneDevice::Cpu, Some(folder.path()), 1)?;
    let mut touched = points.clone();
    touched[[17, 1]] += 0.25;
    let mut swapped = points.clone();
    swapped.row_mut(3).assign(&points.row(200));
    swapped.row_mut(200).assign(&points.row(3));
    let weights = |first: f32| Some((0..300).map(|row| if row == 9 { first } else { 1.0 }).collect::<Vec<f32>>());
    let refused = [
        ("`k` is 5 here and 4", case(kmeans_of(5), points.clone(), None)),
        ("`seed` is 8 here and 3", case(kmeans().seed(8), points.clone(), None)),
        ("`tol` is 5e-1 here and 1e-4", case(kmeans().tol(0.5), points.clone(), None)),
        ("`metric` is cosine here and euclidean", case(kmeans().metric(Metric::Cosine), points.clone(), None)),
        ("`init` is k-means++ here and random", case(kmeans().init(Init::KMeansPlusPlus), points.clone(), None)),
        ("`empty_clusters` is keep", case(kmeans().empty_clusters(EmptyClusters::Keep), points.clone(), None)),
        ("`weights` is given here and none", case(kmeans(), points.clone(), weights(1.0))),
        ("`data` is ", case(kmeans(), touched, None)),
        ("`data` is ", case(kmeans(), swapped, None)),
    ];
    for (words, case) in refused {
        let error = error_of(fit(&case, OneDevice::Cpu, Some(folder.path()), u32::MAX), words).to_string();
        assert!(error.contains(words) && error.contains("in the checkpoint"), "{error}");
    }
    let other = tempfile::tempdir().unwrap();
    fit(&case(kmeans(), points.clone(), weights(2.0)), OneDevice::Cpu, Some(other.path()), 1)?;
    let error = fit(&case(kmeans(), points.clone(), weights(3.0)), OneDevice::Cpu, Some(other.path()), u32::MAX);
    assert!(error_of(error, "a weight").to_string().contains("`data` is "));
    // These may differ.
    let same = kmeans().max_iter(50).algorithm(Algorithm::Lloyd);
    fit(&case(same, points, None), OneDevice::Cpu, Some(folder.path()), u32::MAX).map(drop)
}

fn kmeans_of(k: usize) -> KMeans {
    KMeans::new(k).init(Init::Random).n_init(1).seed(3).max_iter(5)
}

#[test]
fn a_fit_that_was_cut_off_is_not_written_over() -> Result<()> {
    let points = blobs(300, 3, 4, 50);
    let case = Case { name: String::new(), kmeans: kmeans_of(4), points: points.clone(), weights: None };
    let folder = tempfile::tempdir().unwrap();
    fit(&case, OneDevice::Cpu, Some(folder.path()), 2)?;
    let anew = || kmeans_of(4).session(crate::support::cpu()).checkpoint(folder.path(), Every::default()).fit(&points);
    let error = error_of(anew(), "unfinished").to_string();
    assert!(error.contains("start-1") && error.contains("cut off after round 2"), "{error}");
    fit(&case, OneDevice::Cpu, Some(folder.path()), u32::MAX)?;
    anew().map(drop)
}
