//! What can be asked of a model, what it tells while it is fitted, and models as files.

use crate::support::{
    METRICS, assert_same_labels, blobs, cpu, error_of, is_cpu, noise, on_quick_devices, rows_for, wide,
};
use std::sync::{Arc, Mutex};
use superstep::algorithms::bisecting::{Progress, Strategy};
use superstep::algorithms::{ModelKind, kmeans};
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{BisectingKMeans, BisectingKMeansModel, Error, KMeans, KMeansModel, Metric, Result, Session};

#[test]
fn predicting_the_training_rows_gives_their_labels() {
    on_quick_devices(|session, device| {
        for metric in METRICS {
            for offset in [0.0, 300.0] {
                let offset = if metric == Metric::Haversine { 0.0 } else { offset };
                let points = wide(&rows_for(metric, 5000, 4, 41)) + offset;
                let model = BisectingKMeans::new(9).metric(metric).seed(3).session(session).fit(&points)?;
                let (case, predicted) = (format!("{device}, {metric}, offset {offset}"), model.predict(&points)?);
                if is_cpu(session) {
                    assert_eq!(predicted, model.labels(), "{case}");
                    let first: Result<Vec<u32>> =
                        points.outer_iter().take(200).map(|row| model.predict_row(&row.to_vec())).collect();
                    assert_eq!(first?, model.labels()[..200], "{case}");
                } else {
                    // A device may take the other side where both are equally far to within 1e-5.
                    let differ = predicted.iter().zip(model.labels()).filter(|(a, b)| a != b).count();
                    assert!(differ <= 5, "{case}: {differ} of 5000 rows");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn distances_scores_and_transforms_are_those_of_its_centroids() -> Result<()> {
    let points = wide(&blobs(500, 3, 6, 8));
    let model = BisectingKMeans::new(6).n_init(4).session(cpu()).fit(&points)?;
    let distances = model.transform(&points)?;
    let own = model.distances(&points, model.labels())?;
    let mut sums = vec![0.0; model.k()];
    for ((row, own), label) in points.outer_iter().zip(&own).zip(model.labels()) {
        let centroid = model.centroids().row(*label as usize);
        let square: f64 = row.iter().zip(centroid).map(|(x, c)| (x - c).powi(2)).sum();
        assert!((own * own - square).abs() <= 1e-5 * square.max(1.0));
        sums[*label as usize] += square;
    }
    for ((distances, own), label) in distances.outer_iter().zip(&own).zip(model.labels()) {
        assert_eq!(distances[*label as usize], *own);
    }
    for (found, expected) in model.cluster_inertias().iter().zip(&sums) {
        assert!((found - expected).abs() <= 1e-5 * expected, "{found} and {expected}");
    }
    // Heaps that lie apart: the nearest centroid is where the tree leads.
    assert!((model.score(&points)? + model.inertia()).abs() <= 1e-5 * model.inertia());
    assert_same_labels(
        model.labels(),
        &KMeans::new(6)
            .init(superstep::Init::Centroids(model.centroids().clone()))
            .session(cpu())
            .fit(&points)?
            .predict(&points)?,
        &points,
        model.centroids(),
        Metric::Euclidean,
        "heaps that lie apart",
    );
    Ok(())
}

#[test]
fn tables_that_do_not_fit_are_refused_with_their_place() -> Result<()> {
    let model = BisectingKMeans::new(4).session(cpu()).fit(&noise(100, 3, 9))?;
    let error = error_of(model.predict(&noise(5, 2, 1)), "two columns").to_string();
    assert!(error.contains("it has 2 columns, but the model is expecting 3"), "{error}");
    let mut rows = noise(5000, 3, 2);
    rows[[4321, 2]] = f32::INFINITY;
    let error = error_of(model.predict(&rows), "infinity").to_string();
    assert!(error.contains("row 4321, column 2"), "{error}");
    assert!(model.predict_row(&[1.0, 2.0]).is_err() && model.predict_row(&[1.0, f64::NAN, 0.0]).is_err());
    assert!(model.predict(&ndarray::Array2::<f32>::zeros((0, 3)))?.is_empty());
    Ok(())
}

#[test]
fn every_step_of_every_split_is_told() -> Result<()> {
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let sink = told.clone();
    let bisecting = BisectingKMeans::new(4).seed(1).session(cpu());
    let bisecting = bisecting.progress(move |progress| sink.lock().expect("no test panics in here").push(progress));
    let model = bisecting.fit(&blobs(800, 3, 4, 2))?;
    let told = told.lock().expect("no test panics in here");
    let numbers: Vec<usize> = told.iter().map(|progress| progress.split).collect();
    assert!(numbers.is_sorted() && numbers.first() == Some(&1) && numbers.last() == Some(&3), "{numbers:?}");
    for (at, split) in model.splits().iter().enumerate() {
        let own = || told.iter().filter(|progress| progress.split == at + 1);
        assert!(own().all(|progress| progress.rows == split.rows() && progress.splits == 3));
        assert_eq!(own().next().map(|progress| &progress.step), Some(&kmeans::Progress::Pin));
        let rounds = own().filter(|progress| matches!(progress.step, kmeans::Progress::Round { .. })).count();
        assert_eq!(rounds, split.trace().len());
    }
    Ok(())
}

#[test]
fn an_interrupt_leaves_the_clusters_there_are() -> Result<()> {
    let session = Session::builder().device(DeviceChoice::These(vec![OneDevice::Cpu])).threads(2).build()?;
    let (points, inner) = (blobs(3000, 3, 8, 2), session.clone());
    let bisecting = BisectingKMeans::new(8).session(&session).progress(move |progress| {
        if progress.split == 3 {
            inner.interrupt();
        }
    });
    let model = bisecting.fit(&points)?;
    assert!(model.interrupted() && model.k() == 4 && model.splits().len() == 3, "{} clusters", model.k());
    assert!(model.warnings().is_empty(), "{:?}", model.warnings());
    assert_eq!(model.cluster_sizes().iter().sum::<u64>(), 3000);
    assert_eq!(model.predict(&points)?, model.labels());
    Ok(())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_model_that_was_saved_answers_as_before() -> Result<()> {
    let folder = folder();
    for metric in METRICS {
        for k in [1, 2, 7] {
            let path = folder.path().join(format!("{metric}-{k}.safetensors"));
            let points = wide(&rows_for(metric, 300, 3, 72)) + if metric == Metric::Haversine { 0.0 } else { 20.0 };
            let strategy = if k == 2 { Strategy::BiggestInertia } else { Strategy::LargestCluster };
            let bisecting = BisectingKMeans::new(k).metric(metric).strategy(strategy).seed(3).session(cpu());
            let model = bisecting.fit(&points)?;
            model.save(&path)?;
            assert_eq!(ModelKind::of(&path)?, ModelKind::BisectingKMeans);
            let (loaded, case) = (BisectingKMeansModel::load(&path)?, format!("{metric}, k {k}"));
            assert_eq!(loaded.predict(&points)?, model.labels(), "{case}");
            assert_eq!(loaded.transform(&points)?, model.transform(&points)?, "{case}");
            assert_eq!(loaded.centroids(), model.centroids(), "{case}");
            assert_eq!(loaded.inertia().to_bits(), model.inertia().to_bits(), "{case}");
            assert_eq!(loaded.cluster_sizes(), model.cluster_sizes(), "{case}");
            assert_eq!(loaded.cluster_inertias(), model.cluster_inertias(), "{case}");
            let facts = |model: &BisectingKMeansModel| {
                let ends = (model.iterations(), model.converged(), model.interrupted());
                (model.metric(), model.strategy(), ends, model.seed(), model.rows())
            };
            assert_eq!(facts(&loaded), facts(&model), "{case}");
            for (loaded, split) in loaded.splits().iter().zip(model.splits()) {
                assert_eq!(loaded.branches(), split.branches(), "{case}");
                assert_eq!((loaded.sizes(), loaded.inertias()), (split.sizes(), split.inertias()), "{case}");
                assert_eq!((loaded.rows(), loaded.iterations()), (split.rows(), split.iterations()), "{case}");
            }
            assert!(loaded.labels().is_empty(), "{case}");
        }
    }
    Ok(())
}

#[test]
fn a_file_that_is_no_such_model_is_refused_by_its_name() -> Result<()> {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let points = noise(60, 2, 3);
    BisectingKMeans::new(4).session(cpu()).fit(&points)?.save(path("good"))?;
    KMeans::new(4).session(cpu()).fit(&points)?.save(path("kmeans"))?;
    let good = std::fs::read(path("good")).expect("the model is there");
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("the file has it");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    // The root's two sides: the first split again is no tree.
    let tensors = safetensors::SafeTensors::deserialize(&good).expect("it is one");
    let branches = tensors.tensor("branches").expect("it has branches").data().to_vec();
    let cases = [
        ("noise", (0..5000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect(), "no model"),
        ("another version", replaced(br#""version":"1""#, br#""version":"7""#), "version is 7, this program reads 1"),
        ("another strategy", replaced(b"biggest_inertia", b"biggest_clutter"), "biggest_clutter"),
        ("no tree", replaced(&branches, &vec![0; branches.len()]), "not one tree"),
        ("cut", good[..good.len() - 9].to_vec(), "no model"),
    ];
    for (case, bytes, words) in cases {
        std::fs::write(path("damaged"), bytes).expect("the folder is writable");
        let error = error_of(BisectingKMeansModel::load(path("damaged")), case);
        let message = error.to_string();
        assert!(matches!(error, Error::Data { .. }) && message.contains("damaged"), "{case}: {message}");
        assert!(message.contains(words), "{case}: {message}");
    }
    let error = error_of(BisectingKMeansModel::load(path("kmeans")), "a model of k-means").to_string();
    assert!(error.contains("its format is `superstep-kmeans`, not `superstep-bisecting-kmeans`"), "{error}");
    let error = error_of(KMeansModel::load(path("good")), "a bisecting model").to_string();
    assert!(error.contains("not `superstep-kmeans`"), "{error}");
    assert_eq!(ModelKind::of(path("kmeans"))?, ModelKind::KMeans);
    assert!(matches!(ModelKind::of(path("absent")), Err(Error::Io { .. })));
    std::fs::write(path("other"), replaced(b"superstep-bisecting-kmeans", b"superstep-bisecting-kmodes"))
        .expect("written");
    let error = error_of(ModelKind::of(path("other")), "another format").to_string();
    assert!(error.contains("kmodes") && error.contains("`superstep-kmeans`"), "{error}");
    for length in (0..good.len()).step_by(11) {
        std::fs::write(path("damaged"), &good[..length]).expect("the folder is writable");
        error_of(BisectingKMeansModel::load(path("damaged")), &format!("the first {length} of {} bytes", good.len()));
    }
    Ok(())
}
