//! What becomes of clusters without rows: relocated, dropped, kept.

use crate::oracle::Lloyd;
use crate::support::{METRICS, assert_close, assert_near, on_every_device, rows_for, wide};
use ndarray::{Array2, array};
use superstep::{EmptyClusters, Init, KMeans, Metric};

fn line() -> Array2<f64> {
    array![[-10.0], [-9.5], [-9.0], [-8.5], [-8.0], [-1.0], [1.0], [9.0], [9.5], [10.0]]
}

#[test]
fn empty_clusters_move_to_the_farthest_points_and_take_them_along() {
    on_every_device(|session, name| {
        let kmeans = KMeans::new(3).init(Init::Centroids(array![[-10.0], [-10.0], [-10.0]])).session(session);
        // 10 and 9.5 leave the first cluster, whose other eight rows sum to −36.
        let once = kmeans.clone().max_iter(1).fit(&line())?;
        assert_close(once.centroids().view(), array![[-4.5], [10.0], [9.5]].view(), 1e-7, name);

        let model = kmeans.tol(0.0).fit(&line())?;
        let expected = Lloyd::new(&line(), Metric::Euclidean, 300).run(&array![[-10.0], [-10.0], [-10.0]]);
        assert_eq!(model.labels(), expected.labels, "{name}");
        assert_eq!(model.iterations(), expected.iterations, "{name}");
        assert_close(model.centroids().view(), expected.centroids.view(), 1e-6, name);
        Ok(())
    });
}

#[test]
fn a_cluster_that_is_empty_at_first_ends_where_scikit_learn_ends() {
    let points = array![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [1.0, 1.0]];
    on_every_device(|session, name| {
        let init = Init::Centroids(array![[0.5, 0.5], [3.0, 3.0]]);
        let model = KMeans::new(2).init(init).session(session).fit(&points)?;
        // The rows 0 and 3 are equally far: the first of them goes.
        assert_eq!(model.labels(), [1, 1, 0, 0], "{name}");
        assert_eq!(model.iterations(), 3, "{name}");
        assert_near(model.inertia(), 0.25, 1e-6, name);
        assert_close(model.centroids().view(), array![[0.75, 1.0], [0.25, 0.0]].view(), 1e-7, name);
        Ok(())
    });
}

#[test]
fn relocation_takes_weights_along() {
    let points = line();
    let weights = [2.5, 1.0, 0.5, 1.0, 3.0, 1.0, 1.0, 4.0, 0.25, 0.0];
    on_every_device(|session, name| {
        let start = array![[-10.0], [-10.0], [-10.0]];
        for max_iter in [1, 2, 300] {
            let kmeans = KMeans::new(3).init(Init::Centroids(start.clone())).tol(0.0).max_iter(max_iter);
            let dataset = kmeans.dataset(&points)?.with_weights(weights.to_vec())?;
            let model = kmeans.session(session).fit_dataset(&dataset)?;
            let lloyd = Lloyd { weights: Some(&weights), ..Lloyd::new(&points, Metric::Euclidean, max_iter) };
            let expected = lloyd.run(&start);
            let case = format!("{name}, {max_iter} rounds");
            assert_eq!(model.labels(), expected.labels, "{case}");
            assert_close(model.centroids().view(), expected.centroids.view(), 1e-6, &case);
            assert_near(model.inertia(), expected.inertia, 1e-5, &case);
        }
        Ok(())
    });
}

#[test]
fn every_metric_relocates_as_the_oracle_does() {
    on_every_device(|session, name| {
        for metric in METRICS {
            let points = rows_for(metric, 60, 3, 11);
            let mut start = wide(&points).slice_move(ndarray::s![..5, ..]);
            // Twins of the first one: the lowest index takes the rows, the others are empty.
            for twin in [2, 4] {
                let first = start.row(0).to_owned();
                start.row_mut(twin).assign(&first);
            }
            let kmeans = KMeans::new(5).init(Init::Centroids(start.clone())).metric(metric).max_iter(1);
            let model = kmeans.session(session).fit(&points)?;
            let expected = Lloyd::new(&wide(&points), metric, 1).run(&start);
            let case = format!("{name}, {metric}");
            assert_close(model.centroids().view(), expected.centroids.view(), 1e-5, &case);
            assert_eq!(model.labels(), expected.labels, "{case}");
        }
        Ok(())
    });
}

#[test]
fn dropped_clusters_leave_sizes_centroids_and_labels_in_step() {
    on_every_device(|session, name| {
        for metric in [Metric::Euclidean, Metric::CityBlock] {
            let start = array![[50.0], [-10.0], [70.0], [10.0], [-60.0]];
            let kmeans = KMeans::new(5).init(Init::Centroids(start)).metric(metric).session(session);
            let model = kmeans.empty_clusters(EmptyClusters::Drop).fit(&line())?;
            let case = format!("{name}, {metric}");
            assert_eq!(model.k(), 2, "{case}");
            assert_eq!(model.centroids().dim(), (2, 1), "{case}");
            let mut sizes = [0, 0];
            model.labels().iter().for_each(|&label| sizes[label as usize] += 1);
            assert_eq!(model.cluster_sizes(), sizes, "{case}");
            let expected = Lloyd::new(&line(), metric, 300).run(model.centroids());
            assert_eq!(model.labels(), expected.labels, "{case}");
            assert_near(model.inertia(), expected.inertia, 1e-5, &case);
            assert_eq!(model.predict(&line())?, model.labels(), "{case}");
            assert!(model.warnings().iter().any(|warning| warning.contains("(2)")), "{case}: {:?}", model.warnings());
        }
        Ok(())
    });
}

#[test]
fn kept_clusters_stay_where_they_were() {
    let points = line();
    on_every_device(|session, name| {
        for metric in [Metric::Euclidean, Metric::CityBlock] {
            let start = array![[-10.0], [500.0], [10.0]];
            let kmeans = KMeans::new(3).init(Init::Centroids(start.clone())).metric(metric).tol(0.0).session(session);
            let model = kmeans.empty_clusters(EmptyClusters::Keep).fit(&points)?;
            let lloyd = Lloyd { empty: EmptyClusters::Keep, ..Lloyd::new(&points, metric, 300) };
            let expected = lloyd.run(&start);
            assert_eq!(model.labels(), expected.labels, "{name}, {metric}");
            assert_close(model.centroids().view(), expected.centroids.view(), 1e-6, name);
            assert_near(model.centroids()[(1, 0)], 500.0, 1e-7, name);
            assert_eq!(model.cluster_sizes()[1], 0, "{name}, {metric}");
        }
        Ok(())
    });
}

#[test]
fn fewer_distinct_points_than_clusters_are_a_warning() {
    let points = array![[1.0_f32, 2.0], [1.0, 2.0], [3.0, 1.0], [1.0, 2.0], [3.0, 1.0]];
    on_every_device(|session, name| {
        for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
            for policy in [EmptyClusters::Relocate, EmptyClusters::Drop, EmptyClusters::Keep] {
                let case = format!("{name}, {init}, {policy:?}");
                let kmeans = KMeans::new(4).init(init.clone()).empty_clusters(policy).session(session);
                let model = kmeans.fit(&points)?;
                let said = "number of distinct clusters (2) found smaller than n_clusters (4)";
                assert!(
                    model.warnings().iter().any(|warning| warning.contains(said)),
                    "{case}: {:?}",
                    model.warnings()
                );
                assert_eq!(model.inertia(), 0.0, "{case}");
                let labels = model.labels();
                assert!(labels[0] == labels[1] && labels[1] == labels[3] && labels[2] == labels[4], "{case}");
                assert_ne!(labels[0], labels[2], "{case}");
                assert_eq!(model.k(), if policy == EmptyClusters::Drop { 2 } else { 4 }, "{case}");
            }
        }
        Ok(())
    });
}
