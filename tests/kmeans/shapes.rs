//! Lloyd's rounds against the oracle, over shapes that do not fit tiles, blocks and workgroups.

use crate::oracle::{self, Lloyd};
use crate::support::{METRICS, assert_close, assert_near, assert_same_labels, is_cpu, on_every_device, rows_for, wide};
use ndarray::Array2;
use superstep::{Init, KMeans, Metric, Result, Session};

/// Rows, columns, clusters.
const SHAPES: [(usize, usize, usize); 22] = [
    (1, 1, 1),
    (2, 1, 2),
    (70, 1, 3),
    (255, 2, 1),
    (256, 2, 2),
    (257, 3, 15),
    (63, 7, 16),
    (64, 8, 17),
    (65, 9, 2),
    (100, 15, 15),
    (129, 16, 16),
    (127, 17, 17),
    (90, 31, 63),
    (91, 32, 64),
    (92, 33, 65),
    (65, 64, 3),
    (64, 65, 64),
    (130, 127, 5),
    (20, 512, 3),
    (21, 513, 2),
    (1000, 4, 7),
    (513, 5, 65),
];

fn holds(session: &Session, points: &Array2<f32>, k: usize, metric: Metric, case: &str) -> Result<()> {
    let points = wide(points);
    let start = points.slice(ndarray::s![..k, ..]).to_owned();
    // A round at a time where it is cheap: a software adapter compiles its kernels for seconds.
    let tried: &[u32] = if is_cpu(session) { &[1, 4] } else { &[4] };
    for &rounds in tried {
        let case = format!("{case}, {rounds} rounds");
        let kmeans = KMeans::new(k).init(Init::Centroids(start.clone())).metric(metric).tol(0.0).max_iter(rounds);
        let model = kmeans.session(session).fit(&points.mapv(|value| value as f32))?;
        let labels = oracle::assign(metric, &points, model.centroids());
        assert_same_labels(model.labels(), &labels, &points, model.centroids(), metric, &case);
        let ones = vec![1.0; points.nrows()];
        let inertia = oracle::inertia(metric, &points, &ones, model.centroids(), model.labels());
        assert_close(ndarray::aview2(&[[model.inertia()]]), ndarray::aview2(&[[inertia]]), 2e-5, &case);
        let expected = Lloyd::new(&points, metric, rounds).run(&start);
        if !expected.ambiguous {
            assert_close(model.centroids().view(), expected.centroids.view(), 2e-6, &case);
            assert_eq!(model.labels(), expected.labels, "{case}");
            assert_eq!(model.iterations(), expected.iterations, "{case}");
        }
    }
    Ok(())
}

#[test]
fn euclidean_rounds_are_those_of_the_oracle() {
    on_every_device(|session, name| {
        for (n, d, k) in SHAPES {
            let points = rows_for(Metric::Euclidean, n, d, (n + d + k) as u64);
            holds(session, &points, k, Metric::Euclidean, &format!("{name}, {n} × {d}, k {k}"))?;
        }
        Ok(())
    });
}

#[test]
fn the_rounds_of_other_metrics_are_those_of_the_oracle() {
    let shapes = [(3, 1, 2), (100, 2, 5), (65, 8, 16), (130, 17, 3), (66, 33, 17), (20, 130, 3)];
    on_every_device(|session, name| {
        for metric in METRICS.into_iter().filter(|metric| *metric != Metric::Euclidean) {
            // The cosines of single columns are ±1, and every other row a tie; the haversine has two columns always.
            let fits = |d: usize| match metric {
                Metric::Cosine => d > 1,
                Metric::Haversine => d <= 8,
                _ => true,
            };
            for (n, d, k) in shapes.into_iter().filter(|(_, d, _)| fits(*d)) {
                let points = rows_for(metric, n, d, (n + d + k) as u64);
                holds(session, &points, k, metric, &format!("{name}, {metric}, {n} × {d}, k {k}"))?;
            }
        }
        Ok(())
    });
}

#[test]
fn equal_rows_are_one_cluster_without_inertia() {
    on_every_device(|session, name| {
        for metric in METRICS {
            for (n, k) in [(1, 1), (17, 3), (300, 16)] {
                let points = Array2::from_shape_fn((n, 2), |(_, column)| [12.3_f32, 45.6][column]);
                let model = KMeans::new(k).metric(metric).session(session).fit(&points)?;
                let case = format!("{name}, {metric}, {n} rows, k {k}");
                assert!(model.labels().iter().all(|label| *label == model.labels()[0]), "{case}");
                assert_eq!(model.cluster_sizes().iter().filter(|&&size| size > 0).count(), 1, "{case}");
                let row =
                    oracle::distance(metric, wide(&points).row(0), model.centroids().row(model.labels()[0] as usize));
                let allowed = if metric == Metric::Haversine { 1e-2 } else { 1e-6 };
                assert!(model.inertia() <= allowed && row <= allowed, "{case}: {} {row}", model.inertia());
                assert_eq!(model.warnings().is_empty(), k == 1, "{case}: {:?}", model.warnings());
            }
        }
        Ok(())
    });
}

#[test]
fn columns_of_unlike_scale_keep_their_means() {
    // One column spans 10⁶, one 10⁻⁶: each is summed to the precision of its own scale.
    let mut points = rows_for(Metric::Euclidean, 200, 3, 61);
    points.column_mut(0).mapv_inplace(|value| value * 1e6);
    points.column_mut(2).mapv_inplace(|value| value * 1e-6);
    let expected =
        Lloyd::new(&wide(&points), Metric::Euclidean, 3).run(&wide(&points).slice_move(ndarray::s![..4, ..]));
    on_every_device(|session, name| {
        let start = Init::Centroids(wide(&points).slice_move(ndarray::s![..4, ..]));
        let model = KMeans::new(4).init(start).tol(0.0).max_iter(3).session(session).fit(&points)?;
        assert_eq!(model.labels(), expected.labels, "{name}");
        for (found, expected) in model.centroids().iter().zip(&expected.centroids) {
            assert_near(*found, *expected, 1e-5, name);
        }
        Ok(())
    });
}
