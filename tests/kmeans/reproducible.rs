//! The same seed gives the same bits.

use crate::support::{METRICS, alone, blobs, cpu, gpus, on_every_device, rows_for, session};
use ndarray::Array2;
use superstep::queue::OneDevice;
use superstep::{Init, KMeans, KMeansModel, Metric, Result, Session};

/// Starts, metrics and weights that differ in how they compute.
fn cases() -> Vec<(String, KMeans, Array2<f32>, Option<Vec<f32>>)> {
    let kmeans = |init: Init, metric| KMeans::new(7).init(init).n_init(1).metric(metric).seed(12).max_iter(6);
    let mut cases: Vec<_> = METRICS
        .into_iter()
        .map(|metric| (metric.to_string(), kmeans(Init::KMeansPlusPlus, metric), rows_for(metric, 501, 5, 95), None))
        .collect();
    let points = blobs(501, 20, 9, 96);
    let weights: Vec<f32> = (0..501).map(|row| 0.1 + (row % 7) as f32 / 3.0).collect();
    for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
        let case = format!("{init}, weighted");
        cases.push((case, kmeans(init, Metric::Euclidean), points.clone(), Some(weights.clone())));
    }
    cases
}

fn fit(kmeans: &KMeans, session: &Session, points: &Array2<f32>, weights: Option<&Vec<f32>>) -> Result<KMeansModel> {
    let kmeans = kmeans.clone().session(session);
    match weights {
        None => kmeans.fit(points),
        Some(weights) => kmeans.fit_dataset(&kmeans.dataset(points)?.with_weights(weights.clone())?),
    }
}

fn assert_same_bits(found: &KMeansModel, expected: &KMeansModel, case: &str) {
    assert_eq!(found.labels(), expected.labels(), "{case}: labels");
    let bits = |model: &KMeansModel| model.centroids().iter().map(|value| value.to_bits()).collect::<Vec<u64>>();
    assert_eq!(bits(found), bits(expected), "{case}: centroids");
    assert_eq!(found.inertia().to_bits(), expected.inertia().to_bits(), "{case}: inertia");
    assert_eq!(found.iterations(), expected.iterations(), "{case}: iterations");
}

#[test]
fn two_fits_of_one_seed_have_the_same_bits_on_every_device() {
    on_every_device(|session, name| {
        for (case, kmeans, points, weights) in cases() {
            let (first, second) =
                (fit(&kmeans, session, &points, weights.as_ref())?, fit(&kmeans, session, &points, weights.as_ref())?);
            assert_same_bits(&second, &first, &format!("{name}, {case}"));
        }
        Ok(())
    });
}

#[test]
fn neither_threads_nor_partitions_of_the_cpu_change_a_bit() -> Result<()> {
    let open =
        |threads, partitions| Session::builder().device("cpu".parse()?).threads(threads).partitions(partitions).build();
    let alone = open(1, 1)?;
    for (case, kmeans, points, weights) in cases() {
        let expected = fit(&kmeans, &alone, &points, weights.as_ref())?;
        for (threads, partitions) in [(2, 1), (3, 1), (1, 3), (2, 3), (3, 7)] {
            let model = fit(&kmeans, &open(threads, partitions)?, &points, weights.as_ref())?;
            assert_same_bits(&model, &expected, &format!("{case}, {threads} threads, {partitions} partitions"));
        }
    }
    Ok(())
}

#[test]
fn several_devices_give_the_answer_of_one() -> Result<()> {
    if gpus().is_empty() {
        return Ok(());
    }
    let _alone = alone();
    let two = session(&[OneDevice::Adapter(0), OneDevice::Adapter(0)]);
    let mixed = session(&[OneDevice::Cpu, OneDevice::Adapter(0)]);
    for (case, kmeans, points, weights) in cases() {
        let expected = fit(&kmeans, &gpus()[0], &points, weights.as_ref())?;
        assert_same_bits(&fit(&kmeans, &two, &points, weights.as_ref())?, &expected, &format!("{case}, gpu:0,gpu:0"));
        let expected = fit(&kmeans, cpu(), &points, weights.as_ref())?;
        let found = fit(&kmeans, &mixed, &points, weights.as_ref())?;
        assert_same_bits(&found, &expected, &format!("{case}, cpu,gpu:0"));
    }
    Ok(())
}

#[test]
fn fits_at_the_same_time_on_one_session_do_not_disturb_each_other() {
    on_every_device(|session, name| {
        if session.devices()[0].info().interface == "gl" {
            eprintln!("skipped: {name} is an OpenGL device, which serves one thread at a time");
            return Ok(());
        }
        let (points, others) = (blobs(300, 4, 5, 97), blobs(200, 9, 3, 98));
        let kmeans = KMeans::new(5).seed(1).session(session);
        let expected = [kmeans.fit(&points)?, kmeans.fit(&others)?];
        let found = std::thread::scope(|scope| {
            let runs = [&points, &others].map(|points| scope.spawn(|| kmeans.fit(points)));
            runs.map(|run| run.join().expect("no panic"))
        });
        for (found, expected) in found.into_iter().zip(&expected) {
            assert_same_bits(&found?, expected, name);
        }
        Ok(())
    });
}
