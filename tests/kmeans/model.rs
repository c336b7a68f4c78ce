//! What can be asked of a fitted model.

use crate::oracle;
use crate::support::{
    METRICS, assert_close, assert_near, assert_same_labels, cpu, first_rows, is_cpu, noise, on_every_device, rows_for,
    wide,
};
use ndarray::Array2;
use superstep::{Init, KMeans, Metric, Result};

#[test]
fn predicting_the_training_rows_gives_their_labels() {
    on_every_device(|session, name| {
        for metric in METRICS {
            let points = rows_for(metric, 130, 4, 41);
            for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random, first_rows(&points, 6)] {
                // Which rows a start draws is decided on the host: one drawn start is enough for an adapter.
                if !is_cpu(session) && matches!(init, Init::KMeansParallel | Init::Random) {
                    continue;
                }
                for max_iter in [1, 300] {
                    let kmeans = KMeans::new(6).init(init.clone()).n_init(1).metric(metric).max_iter(max_iter);
                    let kmeans = kmeans.session(session);
                    let case = format!("{name}, {metric}, {init}, {max_iter} rounds");
                    let (model, from_wide) = (kmeans.fit(&points)?, kmeans.fit(&wide(&points))?);
                    for (model, labels) in
                        [(&model, model.predict(&points)?), (&from_wide, from_wide.predict(&wide(&points))?)]
                    {
                        assert_same_labels(model.labels(), &labels, &wide(&points), model.centroids(), metric, &case);
                    }
                }
            }
        }
        Ok(())
    });
}

#[test]
fn on_the_cpu_prediction_is_exactly_the_labels() -> Result<()> {
    for metric in METRICS {
        let points = rows_for(metric, 2000, 9, 42);
        let model = KMeans::new(17).metric(metric).seed(1).session(cpu()).fit(&points)?;
        assert_eq!(model.predict(&points)?, model.labels(), "{metric}");
        for (row, label) in points.outer_iter().zip(model.labels()).take(100) {
            let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
            assert_eq!(model.predict_row(&row)?, *label, "{metric}");
        }
    }
    Ok(())
}

#[test]
fn centroids_are_their_own_nearest_at_a_distance_of_zero() -> Result<()> {
    for metric in METRICS {
        for offset in [0.0, 30.0] {
            let points = rows_for(metric, 300, 5, 43)
                .mapv(|value| value + if metric == Metric::Haversine { 0.0 } else { offset });
            let model = KMeans::new(7).metric(metric).session(cpu()).fit(&points)?;
            let case = format!("{metric}, offset {offset}");
            assert_eq!(model.predict(model.centroids())?, (0..7).collect::<Vec<u32>>(), "{case}");
            let distances = model.transform(model.centroids())?;
            assert_eq!(distances.dim(), (7, 7), "{case}");
            for (cluster, &distance) in distances.diag().iter().enumerate() {
                // On the sphere a centroid has to be brought back to length 1 in f32.
                let allowed = match metric {
                    Metric::Euclidean | Metric::CityBlock => 0.0,
                    Metric::Cosine => 1e-13,
                    Metric::Haversine => 6371.0 * 1e-7,
                };
                assert!(distance <= allowed, "{case}: centroid {cluster} is {distance} from itself");
            }
        }
    }
    Ok(())
}

#[test]
fn transform_gives_the_distances_of_the_metric() -> Result<()> {
    for metric in METRICS {
        let points = rows_for(metric, 80, 6, 44);
        let model = KMeans::new(5).metric(metric).session(cpu()).fit(&points)?;
        let expected = Array2::from_shape_fn((80, 5), |(row, cluster)| {
            oracle::distance(metric, wide(&points).row(row), model.centroids().row(cluster))
        });
        let found = model.transform(&points)?;
        assert_close(found.view(), expected.view(), 1e-6, metric.as_str());
        let own = model.distances(&points, model.labels())?;
        for (row, &label) in model.labels().iter().enumerate() {
            assert_eq!(own[row], found[(row, label as usize)], "{metric}");
        }
    }
    Ok(())
}

#[test]
fn inertia_score_and_labels_belong_together() {
    on_every_device(|session, name| {
        for metric in METRICS {
            for max_iter in [1, 300] {
                let points = rows_for(metric, 250, 4, 45);
                let kmeans = KMeans::new(6).init(first_rows(&points, 6)).metric(metric).max_iter(max_iter);
                let model = kmeans.session(session).fit(&points)?;
                let case = format!("{name}, {metric}, {max_iter} rounds");
                let ones = vec![1.0; 250];
                let expected = oracle::inertia(metric, &wide(&points), &ones, model.centroids(), model.labels());
                assert_near(model.inertia(), expected, 1e-5, &case);
                assert_near(model.score(&points)?, -model.inertia(), 1e-6, &case);
                let labels = oracle::assign(metric, &wide(&points), model.centroids());
                assert_same_labels(model.labels(), &labels, &wide(&points), model.centroids(), metric, &case);
                let mut sizes = vec![0; 6];
                model.labels().iter().for_each(|&label| sizes[label as usize] += 1);
                assert_eq!(model.cluster_sizes(), sizes, "{case}");
            }
        }
        Ok(())
    });
}

#[test]
fn new_rows_go_to_the_nearest_centroid() -> Result<()> {
    let model = KMeans::new(9).session(cpu()).fit(&noise(300, 12, 46))?;
    let fresh = noise(3000, 12, 47);
    let expected = oracle::assign(Metric::Euclidean, &wide(&fresh), model.centroids());
    assert_same_labels(&model.predict(&fresh)?, &expected, &wide(&fresh), model.centroids(), Metric::Euclidean, "f32");
    assert_eq!(model.predict(&fresh)?, model.predict(&wide(&fresh))?);
    assert_eq!(model.predict(&Array2::<f32>::zeros((0, 12)))?, Vec::<u32>::new());
    Ok(())
}
