//! Several ranks, played by threads: one model on all, with the bits that one process finds.

use crate::support::{METRICS, alone, blobs, error_of, first_rows, gpus, rows_for};
use crate::threads::on_ranks;
use ndarray::Array2;
use std::sync::Arc;
use superstep::collective::Collective;
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{EmptyClusters, Init, KMeans, KMeansModel, Metric, Result, Session};

/// Three blocks of 4096 rows and a part of a fourth.
const ROWS: usize = 3 * 4096 + 777;

fn session(collective: Arc<dyn Collective>, device: OneDevice) -> Result<Session> {
    let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(1);
    builder.partitions(2).collective(collective).build()
}

/// Fits on so many ranks; every rank must have the same model, each its own labels, which are put together.
fn fit(size: usize, device: OneDevice, kmeans: &KMeans, points: &Array2<f32>, weights: Option<&[f32]>) -> Bits {
    let models = on_ranks(size, |collective| {
        let kmeans = kmeans.clone().session(&session(collective, device)?);
        let dataset = kmeans.dataset(points)?;
        match weights {
            Some(weights) => kmeans.fit_dataset(&dataset.with_weights(weights.to_vec())?),
            None => kmeans.fit_dataset(&dataset),
        }
    });
    let models: Vec<KMeansModel> = models.into_iter().map(|model| model.expect("nothing fails")).collect();
    let first = &models[0];
    for model in &models[1..] {
        assert_eq!(model.centroids(), first.centroids());
        assert_eq!((model.inertia(), model.iterations()), (first.inertia(), first.iterations()));
        assert_eq!((model.cluster_sizes(), model.converged()), (first.cluster_sizes(), first.converged()));
        assert_eq!((model.trace(), model.warnings(), model.rows()), (first.trace(), first.warnings(), first.rows()));
    }
    let labels = models.iter().flat_map(|model| model.labels().to_vec()).collect();
    let bits = first.centroids().iter().map(|value| value.to_bits()).collect();
    let trace = first.trace().iter().map(|round| (round.inertia.to_bits(), round.moved)).collect();
    Bits { bits, labels, inertia: first.inertia().to_bits(), sizes: first.cluster_sizes().to_vec(), trace }
}

/// What must be equal to the last bit.
#[derive(Debug, PartialEq)]
struct Bits {
    bits: Vec<u64>,
    labels: Vec<u32>,
    inertia: u64,
    sizes: Vec<u64>,
    trace: Vec<(u64, u64)>,
}

/// All ranks hear what the first has measured.
#[test]
fn a_profile_is_told_to_all_ranks() {
    let points = rows_for(Metric::Euclidean, ROWS, 3, 12);
    let kmeans = KMeans::new(4).init(Init::Random).n_init(1).seed(5).max_iter(2);
    let profiled = fit(2, OneDevice::Cpu, &kmeans.clone().profile(true), &points, None);
    assert_eq!(profiled, fit(1, OneDevice::Cpu, &kmeans, &points, None));
}

#[test]
fn two_and_three_ranks_find_what_one_finds() {
    let weights: Vec<f32> = (0..ROWS).map(|row| (row % 5) as f32 * 0.375).collect();
    let starts = [Init::Random, Init::KMeansPlusPlus, Init::KMeansParallel];
    for (at, metric) in METRICS.into_iter().enumerate() {
        let points = rows_for(metric, ROWS, 3, 11);
        let kmeans = |init: Init| KMeans::new(6).metric(metric).init(init).n_init(1).seed(5).max_iter(3);
        for weights in [None, Some(&weights[..])] {
            let kmeans = kmeans(starts[at % 3].clone());
            let one = fit(1, OneDevice::Cpu, &kmeans, &points, weights);
            for size in [2, 3] {
                let many = fit(size, OneDevice::Cpu, &kmeans, &points, weights);
                assert_eq!(many, one, "{metric}, {size} ranks, weights: {}", weights.is_some());
            }
        }
    }
}

#[test]
fn every_start_draws_the_same_rows_on_any_number_of_ranks() {
    let points = blobs(ROWS, 4, 9, 3);
    for init in [Init::Random, Init::KMeansPlusPlus, Init::KMeansParallel] {
        let kmeans = KMeans::new(9).init(init.clone()).n_init(2).seed(8).max_iter(2);
        let one = fit(1, OneDevice::Cpu, &kmeans, &points, None);
        assert_eq!(fit(3, OneDevice::Cpu, &kmeans, &points, None), one, "{init}");
    }
}

#[test]
fn empty_clusters_and_far_data_do_not_depend_on_ranks_either() {
    // Two starts coincide, so that one cluster is empty; and values far from zero are centred.
    let points = blobs(ROWS, 2, 5, 4).mapv(|value| value + 5000.0);
    let mut start = points.slice(ndarray::s![..5, ..]).mapv(f64::from);
    let first = start.row(0).to_owned();
    start.row_mut(3).assign(&first);
    for policy in [EmptyClusters::Relocate, EmptyClusters::Drop, EmptyClusters::Keep] {
        let kmeans = KMeans::new(5).init(Init::Centroids(start.clone())).empty_clusters(policy).max_iter(4);
        let one = fit(1, OneDevice::Cpu, &kmeans, &points, None);
        assert_eq!(fit(2, OneDevice::Cpu, &kmeans, &points, None), one, "{policy:?}");
    }
}

#[test]
fn ranks_without_rows_take_part() {
    let points = blobs(5000, 3, 4, 6);
    for metric in [Metric::Euclidean, Metric::Cosine, Metric::CityBlock] {
        let kmeans = KMeans::new(4).metric(metric).seed(2).max_iter(3);
        let one = fit(1, OneDevice::Cpu, &kmeans, &points, None);
        assert_eq!(fit(4, OneDevice::Cpu, &kmeans, &points, None), one, "{metric}");
    }
}

#[test]
fn ranks_with_an_adapter_find_what_one_with_it_finds() {
    if gpus().is_empty() {
        return;
    }
    let _alone = alone();
    let points = blobs(ROWS, 4, 5, 9);
    for metric in [Metric::Euclidean, Metric::CityBlock] {
        let kmeans = KMeans::new(5).metric(metric).init(first_rows(&points, 5)).max_iter(2);
        let one = fit(1, OneDevice::Adapter(0), &kmeans, &points, None);
        assert_eq!(fit(2, OneDevice::Adapter(0), &kmeans, &points, None), one, "{metric}");
    }
}

#[test]
fn a_fault_in_one_share_ends_all_ranks_with_its_place() {
    let mut points = blobs(ROWS, 3, 4, 1);
    points[[9000, 2]] = f32::NAN;
    for result in on_ranks(3, |collective| KMeans::new(4).session(&session(collective, OneDevice::Cpu)?).fit(&points)) {
        let message = error_of(result, "NaN in the share of rank 2").to_string();
        assert!(message.starts_with("rank 2: ") && message.contains("row 9000, column 2"), "{message}");
    }
    points[[9000, 2]] = 0.0;
    points.row_mut(4200).fill(0.0);
    for result in on_ranks(2, |collective| {
        let kmeans = KMeans::new(4).metric(Metric::Cosine);
        kmeans.session(&session(collective, OneDevice::Cpu)?).fit(&points)
    }) {
        let message = error_of(result, "no direction in the share of rank 0").to_string();
        assert!(message.starts_with("rank 0: ") && message.contains("row 4200"), "{message}");
    }
}

#[test]
fn weights_that_are_zero_everywhere_are_refused_and_those_of_one_rank_are_not() {
    let points = blobs(ROWS, 2, 3, 2);
    let run = |weights: Vec<f32>| {
        on_ranks(2, |collective| {
            let kmeans = KMeans::new(3).seed(1).max_iter(2).session(&session(collective, OneDevice::Cpu)?);
            kmeans.fit_dataset(&kmeans.dataset(&points)?.with_weights(weights.clone())?)
        })
    };
    let mut weights = vec![0.0; ROWS];
    for result in run(weights.clone()) {
        assert!(error_of(result, "no weight").to_string().contains("all weights are zero"));
    }
    weights[..100].fill(1.0);
    assert!(run(weights).into_iter().all(|result| result.is_ok()));
}

#[test]
fn ranks_with_other_settings_or_other_data_are_refused() {
    let points = blobs(ROWS, 2, 3, 2);
    for result in on_ranks(2, |collective| {
        let seed = collective.rank() as u64;
        KMeans::new(3).seed(seed).session(&session(collective, OneDevice::Cpu)?).fit(&points)
    }) {
        let message = error_of(result, "seeds").to_string();
        assert!(message.contains("seed 0") && message.contains("rank 1") && message.contains("seed 1"), "{message}");
    }
    for result in on_ranks(2, |collective| {
        let rows = ROWS - collective.rank();
        let own = points.slice(ndarray::s![..rows, ..]);
        KMeans::new(3).session(&session(collective, OneDevice::Cpu)?).fit(&own)
    }) {
        let message = error_of(result, "rows").to_string();
        assert!(message.contains(&ROWS.to_string()), "{message}");
    }
}
