//! The processor and each adapter come to the same clusters.

use crate::support::{
    METRICS, assert_close, assert_near, assert_same_labels, blobs, cpu, on_every_adapter, rows_for, wide,
};
use ndarray::Array2;
use superstep::{KMeans, Metric};

fn agree(points: &Array2<f32>, k: usize, metric: Metric) {
    on_every_adapter(|gpu, name| {
        let kmeans = KMeans::new(k).metric(metric).seed(5).max_iter(20);
        let expected = kmeans.clone().session(cpu()).fit(points)?;
        let found = kmeans.session(gpu).fit(points)?;
        let case = format!("{name}, {metric}, {:?}, k {k}", points.dim());
        let centroids = expected.centroids();
        assert_same_labels(found.labels(), expected.labels(), &wide(points), centroids, metric, &case);
        assert_near(found.inertia(), expected.inertia(), 1e-5, &case);
        assert_close(found.centroids(), centroids, 1e-5, &case);
        Ok(())
    });
}

#[test]
fn an_adapter_agrees_with_the_cpu_in_every_metric() {
    for metric in METRICS {
        agree(&rows_for(metric, 600, 6, 99), 9, metric);
    }
}

#[test]
fn an_adapter_agrees_with_the_cpu_where_its_tiles_end() {
    for (n, d, k) in [(65, 40, 17), (300, 33, 65), (1000, 2, 100)] {
        agree(&blobs(n, d, k, 100), k, Metric::Euclidean);
    }
    // More rows than are tried at once before a device's pace is known.
    for (n, d, k) in [(10_001, 40, 17), (9000, 3, 5)] {
        agree(&blobs(n, d, k, 102), k, Metric::Euclidean);
    }
    // f32 values far from zero, which are moved to their means.
    agree(&blobs(400, 8, 6, 101).mapv(|value| value + 1e4), 6, Metric::Euclidean);
}
