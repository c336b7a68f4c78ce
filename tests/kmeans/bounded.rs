//! `Algorithm::Bounded` gives the bits of `Algorithm::Lloyd`.

use crate::support::{METRICS, blobs, cpu, on_every_adapter, rows_for};
use ndarray::Array2;
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{Algorithm, EmptyClusters, Init, KMeans, KMeansModel, Metric, Session};

fn fit(kmeans: &KMeans, algorithm: Algorithm, points: &Array2<f32>, weights: Option<&[f32]>) -> KMeansModel {
    let kmeans = kmeans.clone().algorithm(algorithm);
    match weights {
        None => kmeans.fit(points).unwrap(),
        Some(weights) => {
            let dataset = kmeans.dataset(points).unwrap().with_weights(weights.to_vec()).unwrap();
            kmeans.fit_dataset(&dataset).unwrap()
        }
    }
}

/// Fits both ways with every limit of rounds, so that labels and centroids of each round are compared.
fn assert_same(kmeans: &KMeans, points: &Array2<f32>, weights: Option<&[f32]>, case: &str) {
    for rounds in [1, 2, 3, 4, 5, 7, 11, 40] {
        let kmeans = kmeans.clone().max_iter(rounds).tol(0.0);
        let [lloyd, bounded] =
            [Algorithm::Lloyd, Algorithm::Bounded].map(|algorithm| fit(&kmeans, algorithm, points, weights));
        assert_eq!(bounded.labels(), lloyd.labels(), "{case}, {rounds} rounds: labels");
        let bits = |model: &KMeansModel| model.centroids().iter().map(|value| value.to_bits()).collect::<Vec<u64>>();
        assert_eq!(bits(&bounded), bits(&lloyd), "{case}, {rounds} rounds: centroids");
        let trace = |model: &KMeansModel| {
            let round = |round: &superstep::algorithms::kmeans::Round| {
                (round.inertia.to_bits(), round.shift.to_bits(), round.moved)
            };
            model.trace().iter().map(round).collect::<Vec<_>>()
        };
        assert_eq!(trace(&bounded), trace(&lloyd), "{case}, {rounds} rounds: the trace");
    }
}

#[test]
fn bounded_has_the_bits_of_lloyd_in_every_round() {
    for metric in METRICS {
        let points = rows_for(metric, 1_300, 12, 31);
        let kmeans = KMeans::new(40).metric(metric).init(Init::Random).n_init(1).seed(3).session(cpu());
        assert_same(&kmeans, &points, None, &metric.to_string());
    }
    for (n, d, k) in [(3_000, 2, 9), (2_500, 17, 70), (700, 300, 25)] {
        let points = blobs(n, d, k / 2, 8);
        let kmeans = KMeans::new(k).init(Init::Random).n_init(1).seed(5).session(cpu());
        assert_same(&kmeans, &points, None, &format!("{n} × {d}, k {k}"));
    }
}

#[test]
fn so_it_does_with_weights_and_every_way_with_empty_clusters() {
    let points = blobs(900, 10, 6, 9);
    let weights: Vec<f32> = (0..900).map(|row| (row % 5) as f32 / 2.0).collect();
    // Many starts far from all rows: clusters run empty.
    let start =
        Array2::from_shape_fn((30, 10), |(j, column)| f64::from(points[[j * 7, column]]) + (j % 3) as f64 * 50.0);
    for empty in [EmptyClusters::Relocate, EmptyClusters::Drop, EmptyClusters::Keep] {
        let kmeans = KMeans::new(30).init(Init::Centroids(start.clone())).empty_clusters(empty).session(cpu());
        assert_same(&kmeans, &points, None, &format!("{empty:?}"));
        assert_same(&kmeans, &points, Some(&weights), &format!("{empty:?}, weighted"));
    }
}

/// What becomes of a value in a row.
type Way = fn(usize, f32) -> f32;

#[test]
fn so_it_does_on_data_made_to_break_bounds() {
    let ways: [(&str, Way); 5] = [
        ("few distinct values, full of ties", |_, x| x.round()),
        ("every row twice over", |row, x| if row.is_multiple_of(2) { x } else { 0.5 }),
        ("offset 10⁶", |_, x| 1e6 + x),
        ("denormal", |_, x| x * 1e-41),
        ("a huge range", |row, x| if row.is_multiple_of(97) { x * 1e15 } else { x }),
    ];
    let plain = blobs(1_500, 9, 12, 10);
    for (way, make) in ways {
        let points = Array2::from_shape_fn(plain.dim(), |(row, column)| make(row, plain[[row, column]]));
        let kmeans = KMeans::new(33).init(Init::Random).n_init(1).seed(2).session(cpu());
        assert_same(&kmeans, &points, None, way);
    }
}

#[test]
fn without_memory_for_bounds_it_fits_all_the_same() {
    let points = blobs(40_000, 16, 5, 11);
    // Labels and sums take 1.4 MB; bounds would take another half.
    let little = Session::builder().device(DeviceChoice::These(vec![OneDevice::Cpu])).threads(2).memory(1_650_000);
    let kmeans = |session: &Session| KMeans::new(20).init(Init::Random).n_init(1).max_iter(20).session(session);
    let scarce = fit(&kmeans(&little.build().unwrap()), Algorithm::Bounded, &points, None);
    assert_eq!(scarce.algorithm(), Algorithm::Lloyd);
    assert!(scarce.warnings().iter().any(|warning| warning.contains("lloyd ran in place of bounded")));
    let ample = fit(&kmeans(cpu()), Algorithm::Bounded, &points, None);
    assert_eq!(scarce.labels(), ample.labels());
    assert_eq!(scarce.inertia().to_bits(), ample.inertia().to_bits());
    assert_eq!(ample.algorithm(), Algorithm::Bounded);
}

#[test]
fn a_model_says_which_algorithm_ran() {
    let points = blobs(500, 40, 5, 12);
    let kmeans = KMeans::new(70).init(Init::Random).n_init(1).session(cpu());
    assert_eq!(fit(&kmeans, Algorithm::Lloyd, &points, None).algorithm(), Algorithm::Lloyd);
    assert_eq!(fit(&kmeans, Algorithm::Auto, &points, None).algorithm(), Algorithm::Bounded);
    let few = KMeans::new(2).init(Init::Random).n_init(1).metric(Metric::Euclidean).session(cpu());
    assert_eq!(fit(&few, Algorithm::Auto, &blobs(500, 2, 2, 13), None).algorithm(), Algorithm::Lloyd);
}

/// On devices rows are left out by bounds of their own; clusters run empty, and rows have weights.
#[test]
fn bounded_has_the_bits_of_lloyd_on_devices() {
    on_every_adapter(|session, name| {
        let points = blobs(900, 40, 12, 4);
        let kmeans = KMeans::new(12).init(Init::Random).n_init(1).seed(6).session(session);
        for metric in [Metric::Euclidean, Metric::Cosine] {
            assert_same(&kmeans.clone().metric(metric), &points, None, &format!("{name}, {metric}"));
        }
        let weights: Vec<f32> = (0..900).map(|row| (row % 5) as f32 / 2.0).collect();
        let start = Array2::from_shape_fn((9, 40), |(j, i)| f64::from(points[[j * 7, i]]) + (j % 3) as f64 * 50.0);
        for empty in [EmptyClusters::Relocate, EmptyClusters::Drop, EmptyClusters::Keep] {
            let kmeans = KMeans::new(9).init(Init::Centroids(start.clone())).empty_clusters(empty).session(session);
            assert_same(&kmeans, &points, Some(&weights), &format!("{name}, {empty:?}"));
        }
        // Several groups of centroids, two of them full.
        let points = blobs(1_300, 36, 40, 5);
        let kmeans = KMeans::new(300).init(Init::Random).n_init(1).seed(7).session(session);
        assert_same(&kmeans, &points, None, &format!("{name}, k = 300"));
        assert_eq!(kmeans.algorithm(Algorithm::Auto).fit(&points)?.algorithm(), Algorithm::Bounded, "{name}");
        Ok(())
    });
}
