//! K-means batch by batch: scikit-learn's, Flink ML's and Spark's.

use crate::support::{blobs, error_of, on_quick_devices};
use crate::threads::on_ranks;
use ndarray::{Array2, array};
use serde_json::Value;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use superstep::algorithms::kmeans::OnlineVersion;
use superstep::data::{Batches, ReadOptions, open};
use superstep::{Decay, Error, Init, KMeans, Metric, MiniBatchKMeans, OnlineKMeans, Result, Session};

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/batches.json")).expect("JSON")
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().expect("rows");
    let values: Vec<f64> = rows.iter().flat_map(|row| row.as_array().expect("a row")).map(number).collect();
    Array2::from_shape_vec((rows.len(), values.len() / rows.len()), values).expect("a matrix")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(number).collect()
}

fn batches(fixture: &Value) -> Vec<Array2<f64>> {
    fixture["batches"].as_array().expect("batches").iter().map(matrix).collect()
}

fn assert_near(found: &Array2<f64>, expected: &Array2<f64>, case: &str) {
    let worst = (found - expected).iter().fold(0.0_f64, |worst, difference| worst.max(difference.abs()));
    assert!(found.dim() == expected.dim() && worst < 2e-6, "{case}: {worst:e} apart");
}

#[test]
fn partial_fits_are_those_of_scikit_learn() {
    let fixture = fixture();
    on_quick_devices(|session, name| {
        let settings = MiniBatchKMeans::new(4).init(Init::Centroids(matrix(&fixture["start"]))).session(session);
        let mut partial = settings.reassignment_ratio(0.0).begin();
        for (at, batch) in batches(&fixture).iter().enumerate() {
            partial.fit(batch)?;
            let expected = &fixture["partial_fit"][at];
            assert_near(partial.model()?.centroids(), &matrix(&expected["centroids"]), &format!("{name}, batch {at}"));
            assert_eq!(partial.weights(), numbers(&expected["weights"]), "{name}, batch {at}");
        }
        assert_eq!(partial.model()?.rows(), 150);
        Ok(())
    });
}

#[test]
fn versions_of_a_stream_are_those_of_flink_and_spark() {
    let fixture = fixture();
    on_quick_devices(|session, name| {
        let cases = [
            ("flink_decay_0.5_weights_3", Decay::Batches(0.5), 3.0),
            ("spark_half_life_2_batches", Decay::half_life_of_batches(2.0), 0.0),
            ("spark_half_life_40_rows", Decay::half_life_of_rows(40.0), 1.0),
        ];
        for (case, decay, weight) in cases {
            let online = OnlineKMeans::new(4).decay(decay).initial(matrix(&fixture["start"]), vec![weight; 4]);
            let mut versions = Vec::new();
            let model = online.session(session).fit(Batches::new(batches(&fixture)), |version| {
                versions.push(version.clone());
                Ok(())
            })?;
            assert_eq!(versions.len(), 6, "{name}, {case}");
            for (at, version) in versions.iter().enumerate() {
                let expected = &fixture[case][at];
                let case = format!("{name}, {case}, batch {at}");
                assert_eq!((version.batch as usize, version.rows), (at + 1, 25), "{case}");
                assert_near(&version.centroids, &matrix(&expected["centroids"]), &case);
                let apart = version.weights.iter().zip(numbers(&expected["weights"])).map(|(a, b)| (a - b).abs());
                assert!(apart.fold(0.0, f64::max) < 1e-9, "{case}: {:?}", version.weights);
            }
            assert_eq!(model.centroids(), &versions[5].centroids, "{name}, {case}");
        }
        Ok(())
    });
}

#[test]
fn a_table_by_batches_is_nearly_as_good_as_scikit_learn_makes_it() -> Result<()> {
    let fixture = fixture();
    let rows =
        open(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/digits.csv")], &ReadOptions::default())?;
    let seeds = 10;
    let fit = |seed: u64| MiniBatchKMeans::new(10).batch_size(256).n_init(3).seed(seed).fit(&*rows);
    let models = (0..seeds).map(fit).collect::<Result<Vec<_>>>()?;
    let mean = models.iter().map(|model| model.inertia()).sum::<f64>() / seeds as f64;
    let theirs = number(&fixture["digits"]["mean"]);
    assert!(mean < 1.01 * theirs, "{mean} on average, scikit-learn {theirs}");
    for model in &models {
        assert!(model.inertia() < 1.05 * number(&fixture["digits"]["worst"]), "{}", model.inertia());
        // Labels, sizes and inertia belong to the centroids.
        assert_eq!(model.predict(&*rows)?, model.labels());
        assert!((model.score(&*rows)? + model.inertia()).abs() < 1e-6 * model.inertia());
        assert_eq!(model.cluster_sizes().iter().sum::<u64>(), 1797);
        assert!(model.converged() && model.iterations() > 10 && model.iterations() < 700, "{}", model.iterations());
    }
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_bits_for_any_threads_partitions_and_ranks() -> Result<()> {
    let points = blobs(6000, 5, 8, 4);
    let fit = |builder: superstep::queue::SessionBuilder, seed: u64| {
        let settings = MiniBatchKMeans::new(8).batch_size(300).seed(seed).init(Init::Random);
        let model = settings.session(&builder.device("cpu".parse()?).build()?).fit(&points)?;
        let bits: Vec<u64> = model.centroids().iter().map(|value| value.to_bits()).collect();
        Ok::<_, Error>((bits, model.labels().to_vec(), model.inertia().to_bits(), model.iterations()))
    };
    let one = fit(Session::builder().threads(1), 3)?;
    assert_eq!(fit(Session::builder().threads(4).partitions(3), 3)?, one);
    assert_ne!(fit(Session::builder().threads(1), 4)?.0, one.0);
    let ranks = on_ranks(3, |collective| fit(Session::builder().threads(1).collective(collective), 3));
    let ranks = ranks.into_iter().collect::<Result<Vec<_>>>()?;
    let labels: Vec<u32> = ranks.iter().flat_map(|(_, labels, ..)| labels.clone()).collect();
    let (bits, _, inertia, iterations) = ranks[0].clone();
    assert_eq!((bits, labels, inertia, iterations), one);
    Ok(())
}

#[test]
fn streams_are_the_same_on_any_number_of_ranks() -> Result<()> {
    let follow = |builder: superstep::queue::SessionBuilder| {
        let session = builder.device("cpu".parse()?).threads(1).build()?;
        let batches = Batches::new((0..4).map(|at| blobs(5000, 3, 5, at)));
        let mut versions = Vec::new();
        let online = OnlineKMeans::new(5).decay(Decay::Batches(0.7)).seed(2).session(&session);
        let model = online.fit(batches, |version: &OnlineVersion| {
            versions.push(version.clone());
            Ok(())
        })?;
        Ok::<_, Error>((model.centroids().clone(), versions))
    };
    let (centroids, versions) = follow(Session::builder())?;
    assert_eq!(versions.len(), 4);
    for (rank, result) in
        on_ranks(3, |collective| follow(Session::builder().collective(collective))).into_iter().enumerate()
    {
        let (found, seen) = result?;
        assert_eq!(found, centroids, "rank {rank}");
        assert_eq!(seen, if rank == 0 { versions.clone() } else { Vec::new() }, "rank {rank}");
    }
    Ok(())
}

/// Two of three first centroids are where no row is.
#[test]
fn clusters_without_rows_get_new_seats_and_without_reassignment_do_not() -> Result<()> {
    let points = blobs(2000, 2, 3, 12);
    let mut far = Array2::from_elem((3, 2), 1e3);
    far.row_mut(0).assign(&points.row(0).mapv(f64::from));
    let fit = |ratio: f64| {
        let settings = MiniBatchKMeans::new(3).init(Init::Centroids(far.clone())).batch_size(100).seed(1);
        settings.reassignment_ratio(ratio).fit(&points)
    };
    let left = fit(0.0)?;
    assert_eq!(left.cluster_sizes().iter().filter(|size| **size == 0).count(), 2, "{:?}", left.cluster_sizes());
    let reseated = fit(0.01)?;
    assert!(reseated.cluster_sizes().iter().all(|size| *size > 100), "{:?}", reseated.cluster_sizes());
    assert!(reseated.inertia() < 0.7 * left.inertia());
    Ok(())
}

#[test]
fn a_dying_cluster_takes_half_of_the_largest() -> Result<()> {
    let start = array![[0.0, 0.0], [100.0, 0.0]];
    let batch = array![[0.0_f32, 0.0], [1.0, 0.0], [-1.0, 0.0], [2.0, 0.0]];
    let follow = |splits: bool| {
        let online = OnlineKMeans::new(2).decay(Decay::Batches(0.01)).initial(start.clone(), vec![1.0, 1.0]);
        online.split_dying(splits).fit(Batches::new(vec![batch.clone(); 8]), |_| Ok(()))
    };
    assert_eq!(follow(false)?.centroids()[[1, 0]], 100.0);
    let split = follow(true)?;
    assert!(split.centroids()[[1, 0]] < 3.0, "{:?}", split.centroids());
    assert_ne!(split.predict(&array![[-1.0, 0.0]])?, split.predict(&array![[2.0, 0.0]])?);
    Ok(())
}

#[test]
fn directions_stay_on_the_sphere() -> Result<()> {
    let rows = array![[1.0_f32, 0.1], [2.0, 0.0], [0.0, 3.0], [0.1, 1.0]];
    let online = OnlineKMeans::new(2).metric(Metric::Cosine).initial(array![[1.0, 0.0], [0.0, 1.0]], vec![0.0; 2]);
    let model = online.fit(Batches::new([rows.clone(), rows.clone()]), |_| Ok(()))?;
    for centroid in model.centroids().rows() {
        assert!((centroid.dot(&centroid) - 1.0).abs() < 1e-12);
    }
    assert_eq!(model.predict(&rows)?, [0, 0, 1, 1]);
    let error =
        error_of(OnlineKMeans::new(2).metric(Metric::CityBlock).fit(Batches::new([rows]), |_| Ok(())), "medians");
    assert!(error.to_string().contains("metric: city block"), "{error}");
    Ok(())
}

#[test]
fn an_interruption_ends_a_stream_with_the_model_it_has() -> Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    let session = Session::builder().device("cpu".parse()?).interrupt_flag(flag.clone()).build()?;
    let (to, from) = mpsc::channel();
    to.send(blobs(50, 2, 2, 1)).unwrap();
    let model = OnlineKMeans::new(2).session(&session).fit(Batches::from_channel(from), |_| {
        flag.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    assert!(model.interrupted() && model.iterations() == 1);
    drop(to);
    Ok(())
}

#[test]
fn mistakes_are_told_with_their_place() {
    let rows = || blobs(30, 2, 2, 1);
    let online = || OnlineKMeans::new(3);
    let fit = |online: OnlineKMeans, batches: Vec<Array2<f64>>| online.fit(Batches::new(batches), |_| Ok(()));
    let wide = || rows().mapv(f64::from);
    let (mut broken, mut huge) = (wide(), wide());
    (broken[[4, 1]], huge[[7, 0]]) = (f64::NAN, 1e20);
    let cases: [(&str, Result<superstep::KMeansModel>, &[&str]); 11] = [
        ("no batch", fit(online(), vec![]), &["batches", "none came"]),
        ("too few rows", fit(online(), vec![array![[1.0, 2.0]]]), &["n_samples=1", "n_clusters=3"]),
        ("a decay", fit(online().decay(Decay::Batches(1.5)), vec![wide()]), &["decay", "1.5"]),
        ("a half-life", fit(online().decay(Decay::half_life_of_rows(0.0)), vec![wide()]), &["decay"]),
        (
            "weights",
            fit(online().initial(Array2::zeros((3, 2)), vec![1.0]), vec![wide()]),
            &["initial", "1 weights of 3"],
        ),
        ("not a number", fit(online(), vec![broken.clone()]), &["row 4, column 1", "NaN"]),
        ("not a number, later", fit(online(), vec![wide(), broken]), &["row 4, column 1", "NaN"]),
        ("a million times as large", fit(online(), vec![wide(), huge]), &["row 7, column 0", "a million times"]),
        ("another width", fit(online(), vec![wide(), Array2::zeros((5, 3))]), &["3 columns"]),
        ("a batch of nothing", MiniBatchKMeans::new(3).batch_size(0).fit(&rows()), &["batch_size"]),
        ("too many clusters", MiniBatchKMeans::new(31).fit(&rows()), &["n_samples=30", "n_clusters=31"]),
    ];
    for (case, result, words) in cases {
        let error = error_of(result, case).to_string();
        words.iter().for_each(|word| assert!(error.contains(word), "{case}: {error:?} does not say {word:?}"));
    }
    let mut partial = MiniBatchKMeans::new(2).begin();
    assert!(error_of(partial.model().map(drop), "no batch yet").to_string().contains("there was none yet"));
    partial.fit(&rows()).expect("a batch");
    let before = partial.model().expect("a model");
    assert!(error_of(partial.fit(&Array2::<f32>::zeros((4, 3))), "width").to_string().contains("3 columns"));
    assert_eq!(partial.model().expect("as it was").centroids(), before.centroids());
}

/// Full batches without chance come to Lloyd's result.
#[test]
fn batches_that_are_the_whole_table_and_forget_the_one_before_are_lloyds() -> Result<()> {
    let points = blobs(500, 4, 5, 8);
    let start = points.slice(ndarray::s![..5, ..]).mapv(f64::from);
    let seen = Mutex::new(0);
    let online = OnlineKMeans::new(5).decay(Decay::Batches(0.0)).initial(start.clone(), vec![0.0; 5]);
    let streamed = online.fit(Batches::new(vec![points.clone(); 30]), |_| {
        *seen.lock().unwrap() += 1;
        Ok(())
    })?;
    let whole = KMeans::new(5).init(Init::Centroids(start)).tol(0.0).max_iter(30).fit(&points)?;
    assert_eq!(*seen.lock().unwrap(), 30);
    assert_near(streamed.centroids(), whole.centroids(), "thirty rounds");
    assert_eq!(streamed.predict(&points)?, whole.labels());
    Ok(())
}
