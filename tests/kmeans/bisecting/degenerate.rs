//! Rows that are alike, as many clusters as rows, and settings that cannot be obeyed.

use crate::support::{cpu, error_of, noise, on_every_device, on_quick_devices};
use ndarray::{Array2, array};
use superstep::algorithms::bisecting::Strategy;
use superstep::{BisectingKMeans, Init, KMeans, Metric};

const STRATEGIES: [Strategy; 2] = [Strategy::BiggestInertia, Strategy::LargestCluster];

#[test]
fn fewer_distinct_rows_than_clusters_give_fewer_clusters_and_a_warning() {
    let thirds = [0.1_f32, 0.7, 1.3];
    let repeated = Array2::from_shape_fn((30, 2), |(row, column)| thirds[row % 3] * (1 + column) as f32);
    let equal = Array2::from_elem((7, 3), 0.3_f32);
    on_every_device(|session, device| {
        for strategy in STRATEGIES {
            for init in [Init::Random, Init::KMeansPlusPlus, Init::KMeansParallel] {
                let case = format!("{device}, {strategy}, {init}");
                let bisecting = |k| BisectingKMeans::new(k).strategy(strategy).init(init.clone()).session(session);
                let model = bisecting(5).fit(&repeated)?;
                assert_eq!((model.k(), model.splits().len()), (3, 2), "{case}");
                assert_eq!(model.cluster_sizes(), [10; 3], "{case}");
                let words = "number of distinct clusters (3) found smaller than n_clusters (5)";
                assert!(model.warnings().len() == 1 && model.warnings()[0].contains(words), "{case}");
                assert_eq!(model.predict(&repeated)?, model.labels(), "{case}");

                let model = bisecting(3).fit(&equal)?;
                assert_eq!((model.k(), model.splits().len(), model.cluster_sizes()), (1, 0, &[7][..]), "{case}");
                assert!(model.inertia() < 1e-12 && model.labels() == [0; 7], "{case}");
                assert!((model.centroids()[[0, 1]] - 0.3).abs() < 1e-6, "{case}");
                assert_eq!(model.warnings().len(), 1, "{case}");
            }
        }
        Ok(())
    });
}

/// scikit-learn would split the duplicates, because they are more, and get an empty cluster.
#[test]
fn clusters_that_cannot_be_parted_leave_their_turn_to_others() {
    let mut rows = Array2::zeros((20, 1));
    [(16, 50.0_f32), (17, 60.0), (18, 70.0), (19, 80.0)].into_iter().for_each(|(row, value)| rows[[row, 0]] = value);
    on_quick_devices(|session, device| {
        for strategy in STRATEGIES {
            let model = BisectingKMeans::new(5).strategy(strategy).n_init(5).session(session).fit(&rows)?;
            assert_eq!(model.k(), 5, "{device}, {strategy}");
            let mut sizes = model.cluster_sizes().to_vec();
            sizes.sort_unstable();
            assert_eq!(sizes, [1, 1, 1, 1, 16], "{device}, {strategy}");
            assert!(model.warnings().is_empty() && model.inertia() < 1e-9, "{device}, {strategy}");
        }
        Ok(())
    });
}

#[test]
fn as_many_clusters_as_rows_leave_every_row_alone() {
    let rows = noise(13, 3, 4);
    on_quick_devices(|session, device| {
        for strategy in STRATEGIES {
            let model = BisectingKMeans::new(13).strategy(strategy).session(session).fit(&rows)?;
            assert_eq!(model.cluster_sizes(), [1; 13], "{device}, {strategy}");
            for (row, label) in rows.outer_iter().zip(model.labels()) {
                let centroid = model.centroids().row(*label as usize);
                let same = row.iter().zip(centroid).all(|(x, c)| (f64::from(*x) - c).abs() < 1e-6);
                assert!(same, "{device}, {strategy}: {row} is in {centroid}");
            }
        }
        Ok(())
    });
}

#[test]
fn one_cluster_is_the_k_means_of_one_and_two_are_that_of_two() {
    let (rows, weights) = (noise(300, 4, 5), (0..300).map(|row| (row % 3) as f32).collect::<Vec<_>>());
    on_every_device(|session, device| {
        for k in [1, 2] {
            let bisecting = BisectingKMeans::new(k).seed(9).session(session);
            let kmeans = KMeans::new(k).init(Init::Random).n_init(1).seed(9).session(session);
            for weighted in [false, true] {
                let dataset = bisecting.dataset(&rows)?;
                let dataset = if weighted { dataset.with_weights(weights.clone())? } else { dataset };
                let (found, expected) = (bisecting.fit_dataset(&dataset)?, kmeans.fit_dataset(&dataset)?);
                let case = format!("{device}, k {k}, weighted: {weighted}");
                assert_eq!(found.labels(), expected.labels(), "{case}");
                assert_eq!(found.centroids(), expected.centroids(), "{case}");
                assert_eq!(found.cluster_sizes(), expected.cluster_sizes(), "{case}");
                assert_eq!(found.iterations(), expected.iterations(), "{case}");
                let near = (found.inertia() - expected.inertia()).abs() <= 1e-12 * expected.inertia();
                assert!(near, "{case}: {} and {}", found.inertia(), expected.inertia());
            }
        }
        Ok(())
    });
}

#[test]
fn rows_without_weight_do_not_make_clusters() {
    let rows = array![[0.0_f32], [1.0], [2.0], [100.0], [101.0], [500.0]];
    for init in [Init::Random, Init::KMeansPlusPlus] {
        for strategy in STRATEGIES {
            let bisecting = BisectingKMeans::new(4).init(init.clone()).strategy(strategy).session(cpu());
            let dataset =
                bisecting.dataset(&rows).and_then(|rows| rows.with_weights(vec![0.0, 1.0, 0.0, 2.0, 0.0, 0.0]));
            let model = bisecting.fit_dataset(&dataset.expect("two rows have weight")).expect("it fits");
            assert_eq!(model.k(), 2, "{init}, {strategy}: only two rows weigh anything");
            let mut centroids = model.centroids().iter().copied().collect::<Vec<_>>();
            centroids.sort_by(f64::total_cmp);
            assert_eq!(centroids, [1.0, 100.0], "{init}, {strategy}");
            assert_eq!((model.inertia(), model.warnings().len()), (0.0, 1), "{init}, {strategy}");
        }
        let bisecting = BisectingKMeans::new(2).init(init.clone()).session(cpu());
        let dataset = bisecting.dataset(&rows).and_then(|rows| rows.with_weights(vec![0.0, 0.0, 3.0, 0.0, 0.0, 0.0]));
        let model = bisecting.fit_dataset(&dataset.expect("one row has weight")).expect("it fits");
        assert_eq!((model.k(), model.centroids()[[0, 0]]), (1, 2.0), "{init}: one row weighs anything");
    }
}

#[test]
fn settings_that_cannot_be_obeyed_are_refused_by_name() {
    let rows = noise(10, 2, 6);
    let bisecting = |k| BisectingKMeans::new(k).session(cpu());
    let cases = [
        (bisecting(0), "k: "),
        (bisecting(11), "n_samples=10 should be >= n_clusters=11"),
        (bisecting(3).n_init(0), "n_init: "),
        (bisecting(3).max_iter(0), "max_iter: "),
        (bisecting(3).tol(-1.0), "tol: "),
        (bisecting(3).tol(f64::NAN), "tol: "),
        (bisecting(2).init(Init::Centroids(Array2::zeros((2, 2)))), "init: given centroids start one split"),
        (bisecting(3).metric(Metric::Haversine), "metric: "),
    ];
    for (bisecting, words) in cases {
        let rows = if words.starts_with("metric") { noise(10, 3, 6) } else { rows.clone() };
        let error = error_of(bisecting.fit(&rows), words).to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!("biggest".parse::<Strategy>().is_err_and(|error| error.to_string().contains("largest_cluster")));
    let mut bad = rows.clone();
    bad[[7, 1]] = f32::NAN;
    let error = error_of(bisecting(3).fit(&bad), "NaN").to_string();
    assert!(error.contains("row 7, column 1"), "{error}");
}
