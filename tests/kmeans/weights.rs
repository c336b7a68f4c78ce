//! Weights of rows.

use crate::oracle::Lloyd;
use crate::support::{METRICS, assert_close, assert_near, cpu, first_rows, noise, on_every_device, rows_for, wide};
use ndarray::{Array2, Axis};
use superstep::{EmptyClusters, Init, KMeans, KMeansModel, Metric, Result};

fn fit(kmeans: &KMeans, points: &Array2<f32>, weights: Vec<f32>) -> Result<KMeansModel> {
    let dataset = kmeans.dataset(points)?.with_weights(weights)?;
    kmeans.fit_dataset(&dataset)
}

/// 0, 1, 2, 3, 0, 1, …
fn repetitions(n: usize) -> Vec<usize> {
    (0..n).map(|row| (row * 7 + 1) % 4).collect()
}

#[test]
fn a_weight_counts_as_so_many_copies() {
    on_every_device(|session, name| {
        for metric in METRICS {
            let points = rows_for(metric, 120, 3, 31);
            let counts = repetitions(120);
            let copies: Vec<usize> = counts.iter().enumerate().flat_map(|(row, &count)| vec![row; count]).collect();
            // The start has weight: where all its rows weigh nothing, a cluster would begin empty.
            let start = Init::Centroids(wide(&points.select(Axis(0), &copies[..8])).select(Axis(0), &[0, 2, 4, 6]));
            let kmeans = KMeans::new(4).init(start).metric(metric).tol(0.0).session(session);
            let weighted = fit(&kmeans, &points, counts.iter().map(|&count| count as f32).collect())?;
            let repeated = kmeans.fit(&points.select(Axis(0), &copies))?;
            let case = format!("{name}, {metric}");
            let labels: Vec<u32> = copies.iter().map(|&row| weighted.labels()[row]).collect();
            assert_eq!(labels, repeated.labels(), "{case}");
            assert_close(weighted.centroids().view(), repeated.centroids().view(), 1e-6, &case);
            assert_near(weighted.inertia(), repeated.inertia(), 1e-5, &case);
        }
        Ok(())
    });
}

#[test]
fn a_common_factor_of_all_weights_changes_nothing() {
    let points = noise(200, 4, 32);
    let weights: Vec<f32> = (0..200).map(|row| 0.25 + (row % 5) as f32).collect();
    on_every_device(|session, name| {
        for init in [Init::KMeansPlusPlus, Init::Random, first_rows(&points, 5)] {
            let kmeans = KMeans::new(5).init(init.clone()).seed(4).session(session);
            let expected = fit(&kmeans, &points, weights.clone())?;
            for factor in [0.5, 3.7, 1e6] {
                let scaled = weights.iter().map(|weight| weight * factor).collect();
                let model = fit(&kmeans, &points, scaled)?;
                let case = format!("{name}, {init}, factor {factor}");
                assert_eq!(model.labels(), expected.labels(), "{case}");
                assert_close(model.centroids().view(), expected.centroids().view(), 1e-5, &case);
                assert_near(model.inertia(), expected.inertia() * f64::from(factor), 1e-5, &case);
            }
        }
        Ok(())
    });
}

#[test]
fn weights_of_one_are_no_weights() {
    let points = noise(200, 4, 33);
    on_every_device(|session, name| {
        for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random, first_rows(&points, 5)] {
            let kmeans = KMeans::new(5).init(init.clone()).seed(5).session(session);
            let (without, with) = (kmeans.fit(&points)?, fit(&kmeans, &points, vec![1.0; 200])?);
            assert_eq!(with.labels(), without.labels(), "{name}, {init}");
            assert_close(with.centroids().view(), without.centroids().view(), 1e-6, &format!("{name}, {init}"));
        }
        Ok(())
    });
}

#[test]
fn weighted_rounds_are_those_of_the_oracle() {
    on_every_device(|session, name| {
        for metric in METRICS {
            let points = rows_for(metric, 150, 5, 34);
            let weights: Vec<f32> = (0..150).map(|row| [0.5, 0.0, 2.0, 1.25, 7.0][row % 5]).collect();
            let start = wide(&points).slice_move(ndarray::s![..4, ..]);
            let kmeans = KMeans::new(4).init(Init::Centroids(start.clone())).metric(metric).tol(0.0).max_iter(3);
            let model = fit(&kmeans.session(session), &points, weights.clone())?;
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let points = wide(&points);
            let expected = Lloyd { weights: Some(&weights), ..Lloyd::new(&points, metric, 3) }.run(&start);
            let case = format!("{name}, {metric}");
            assert!(!expected.ambiguous, "{case}");
            assert_eq!(model.labels(), expected.labels, "{case}");
            assert_close(model.centroids().view(), expected.centroids.view(), 1e-5, &case);
            assert_near(model.inertia(), expected.inertia, 1e-5, &case);
        }
        Ok(())
    });
}

#[test]
fn rows_without_weight_are_never_a_centroid() {
    // The far rows would be taken by any start that looks at distances, and by every relocation.
    let mut points = noise(60, 2, 35);
    let weights: Vec<f32> = (0..60).map(|row| if row % 3 == 0 { 0.0 } else { 1.0 }).collect();
    for row in (0..60).step_by(3) {
        points.row_mut(row).mapv_inplace(|value| value + 1000.0);
    }
    let twins = Init::Centroids(Array2::zeros((4, 2)));
    for metric in [Metric::Euclidean, Metric::CityBlock] {
        for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random, twins.clone()] {
            for max_iter in [1, 300] {
                for seed in 0..5 {
                    let kmeans = KMeans::new(4).init(init.clone()).metric(metric).seed(seed).max_iter(max_iter);
                    let model = fit(&kmeans.session(cpu()), &points, weights.clone()).expect("it fits");
                    let near = model.centroids().iter().all(|value| value.abs() < 2.0);
                    assert!(near, "{metric}, {init}, {max_iter} rounds, seed {seed}: {}", model.centroids());
                    if max_iter == 300 {
                        let mut masses = [0.0; 4];
                        model.labels().iter().zip(&weights).for_each(|(&label, w)| masses[label as usize] += w);
                        assert!(masses.iter().all(|&mass| mass > 0.0), "{metric}, {init}, seed {seed}: {masses:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_cluster_whose_rows_weigh_nothing_is_empty() {
    let points = ndarray::array![[0.0_f32], [1.0], [100.0]];
    let start = ndarray::array![[0.5], [100.0]];
    on_every_device(|session, name| {
        for (policy, k) in [(EmptyClusters::Drop, 1), (EmptyClusters::Keep, 2)] {
            let kmeans = KMeans::new(2).init(Init::Centroids(start.clone())).empty_clusters(policy).session(session);
            let model = fit(&kmeans, &points, vec![1.0, 1.0, 0.0])?;
            assert_eq!(model.k(), k, "{name}, {policy:?}");
            assert_eq!(model.predict(&points)?, model.labels(), "{name}, {policy:?}");
            assert_eq!(model.cluster_sizes().iter().sum::<u64>(), 3, "{name}, {policy:?}");
        }
        Ok(())
    });
}
