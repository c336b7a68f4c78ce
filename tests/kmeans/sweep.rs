//! Sweeps over numbers of clusters: one queue of queues.

use crate::support::{blobs, error_of, on_quick_devices};
use crate::threads::on_ranks;
use ndarray::Array2;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use superstep::algorithms::kmeans::Sweep;
use superstep::metrics::{Distance, silhouette_score};
use superstep::{Algorithm, EmptyClusters, Init, KMeans, KMeansSweep, Metric, Result, Session};

/// What must be equal to the last bit.
fn bits(sweep: &Sweep) -> Vec<(usize, u64, u32, bool, Vec<u32>)> {
    let of = |model: &superstep::KMeansModel| {
        (model.k(), model.inertia().to_bits(), model.iterations(), model.converged(), model.labels().to_vec())
    };
    sweep.models().iter().map(of).collect()
}

/// Every fit of a sweep is the one that k-means finds alone, for every metric and policy.
#[test]
fn each_k_is_the_best_of_fits_of_its_own() {
    let few = blobs(300, 3, 4, 5).mapv(|value| value.round());
    let cases = [
        ("euclidean", KMeans::new(1), blobs(700, 5, 6, 31)),
        ("many columns", KMeans::new(1), blobs(500, 40, 6, 32)),
        ("cosine", KMeans::new(1).metric(Metric::Cosine), blobs(400, 4, 5, 33)),
        ("medians", KMeans::new(1).metric(Metric::CityBlock).max_iter(6), blobs(300, 3, 5, 34)),
        ("empty clusters", KMeans::new(1).tol(0.0), few.clone()),
        ("empty clusters that go", KMeans::new(1).empty_clusters(EmptyClusters::Drop), few),
    ];
    on_quick_devices(|session, name| {
        for (case, kmeans, points) in &cases {
            let ks = [2, 3, 7, 12];
            let like = kmeans.clone().init(Init::Random).seed(9).session(session);
            let sweep = KMeansSweep::new(ks).restarts(3).template(like.clone()).fit(points)?;
            for (model, k) in sweep.models().iter().zip(ks) {
                // The same three starts, one after the other.
                let alone = KMeans::new(k).init(Init::Random).seed(9).n_init(3).session(session);
                let alone = match *case {
                    "cosine" => alone.metric(Metric::Cosine),
                    "medians" => alone.metric(Metric::CityBlock).max_iter(6),
                    "empty clusters" => alone.tol(0.0),
                    "empty clusters that go" => alone.empty_clusters(EmptyClusters::Drop),
                    _ => alone,
                };
                let alone = alone.algorithm(Algorithm::Lloyd).fit(points)?;
                let case = format!("{name}, {case}, k {k}");
                assert_eq!(model.inertia().to_bits(), alone.inertia().to_bits(), "{case}");
                assert_eq!(model.labels(), alone.labels(), "{case}");
                assert_eq!(model.centroids(), alone.centroids(), "{case}");
                assert_eq!(
                    (model.iterations(), model.converged(), model.cluster_sizes()),
                    (alone.iterations(), alone.converged(), alone.cluster_sizes()),
                    "{case}"
                );
            }
        }
        Ok(())
    });
}

#[test]
fn weights_count_in_every_fit() -> Result<()> {
    let points = blobs(400, 3, 5, 40);
    let weights: Vec<f32> = (0..400).map(|row| 0.5 + (row % 4) as f32).collect();
    let kmeans = |k: usize| KMeans::new(k).init(Init::Random).n_init(1).seed(2).session(crate::support::cpu());
    let dataset = kmeans(1).dataset(&points)?.with_weights(weights)?;
    let sweep = KMeansSweep::new([3, 5]).template(kmeans(1)).fit_dataset(&dataset)?;
    for model in sweep.models() {
        assert_eq!(model.inertia(), kmeans(model.k()).fit_dataset(&dataset)?.inertia());
    }
    Ok(())
}

#[test]
fn the_number_of_blobs_has_the_largest_silhouette_and_is_the_elbow() -> Result<()> {
    // Six corners, far apart.
    let points = Array2::from_shape_fn((600, 2), |(row, column)| {
        let corner = row % 6;
        let jitter = ((row * 37 + column * 11) % 100) as f32 / 100.0;
        (if column == 0 { corner % 3 } else { corner / 3 }) as f32 * 20.0 + jitter
    });
    let sweep = KMeansSweep::new(2..=10).restarts(8).fit(&points)?;
    assert_eq!((sweep.best_by_silhouette(), sweep.elbow()), (Some(6), Some(6)));
    // Of 600 rows all are measured: the exact score.
    for (model, silhouette) in sweep.models().iter().zip(sweep.silhouettes()) {
        let exact = silhouette_score(&points, model.labels(), Distance::Euclidean)?;
        assert!((silhouette.expect("more than one cluster") - exact).abs() < 1e-12, "k {}", model.k());
    }
    let one = KMeansSweep::new([1]).fit(&points)?;
    assert_eq!((one.silhouettes(), one.elbow(), one.best_by_silhouette()), (&[None][..], None, None));
    Ok(())
}

#[test]
fn neither_threads_partitions_nor_ranks_change_a_bit() -> Result<()> {
    let points = blobs(2 * 4096 + 99, 4, 7, 51);
    let fit = |builder: superstep::queue::SessionBuilder| {
        let session = builder.device("cpu".parse()?).build()?;
        let like = KMeans::new(1).init(Init::Random).seed(1).max_iter(5).session(&session);
        KMeansSweep::new([2, 5]).restarts(2).template(like).fit(&points)
    };
    let one = fit(Session::builder().threads(1))?;
    assert_eq!(bits(&fit(Session::builder().threads(3).partitions(4))?), bits(&one));
    let ranks = on_ranks(3, |collective| fit(Session::builder().threads(1).collective(collective)));
    let ranks = ranks.into_iter().collect::<Result<Vec<_>>>()?;
    for (at, (k, inertia, iterations, converged, labels)) in bits(&one).into_iter().enumerate() {
        let found: Vec<u32> = ranks.iter().flat_map(|sweep| sweep.models()[at].labels().to_vec()).collect();
        assert_eq!(found, labels, "k {k}");
        let model = &ranks[1].models()[at];
        assert_eq!(
            (model.inertia().to_bits(), model.iterations(), model.converged()),
            (inertia, iterations, converged)
        );
        assert_eq!(ranks[2].silhouettes()[at], one.silhouettes()[at]);
    }
    Ok(())
}

#[test]
fn fits_are_told_of_and_an_interruption_ends_after_the_restart() -> Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    let session = Session::builder().device("cpu".parse()?).interrupt_flag(flag.clone()).build()?;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let like = KMeans::new(1).init(Init::Random).session(&session);
    let sweep = KMeansSweep::new([2, 3]).restarts(9).template(like).progress(move |progress| {
        tell.lock().unwrap().push((progress.restart, progress.k));
        if (progress.restart, progress.k) == (2, 2) {
            flag.store(true, Ordering::Relaxed);
        }
    });
    let found = sweep.fit(&blobs(200, 2, 3, 6))?;
    assert!(found.interrupted() && found.models().len() == 2);
    assert_eq!(*told.lock().unwrap(), [(1, 2), (1, 3), (2, 2), (2, 3)]);
    Ok(())
}

#[test]
fn mistakes_are_told() {
    let points = blobs(20, 2, 3, 6);
    let given = KMeans::new(1).init(Init::Centroids(Array2::zeros((2, 2))));
    let cases: [(&str, KMeansSweep, &str); 5] = [
        ("no k", KMeansSweep::new([]), "there is none to try"),
        ("twice", KMeansSweep::new([2, 3, 2]), "2 is given twice"),
        ("no start", KMeansSweep::new([2]).restarts(0), "restarts: 0"),
        ("too many", KMeansSweep::new([2, 21]), "n_samples=20 should be >= n_clusters=21"),
        ("given centroids", KMeansSweep::new([2]).template(given), "of one k"),
    ];
    for (case, sweep, words) in cases {
        let error = error_of(sweep.fit(&points), case).to_string();
        assert!(error.contains(words), "{case}: {error}");
    }
}
