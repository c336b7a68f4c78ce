//! Several ranks, played by threads: one model on all, with the bits that one process finds.

use crate::support::{METRICS, alone, blobs, error_of, gpus, rows_for};
use crate::threads::on_ranks;
use ndarray::Array2;
use std::sync::Arc;
use superstep::algorithms::bisecting::Strategy;
use superstep::collective::Collective;
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{BisectingKMeans, BisectingKMeansModel, Init, Result, Session};

/// Three blocks of 4096 rows and a part of a fourth.
const ROWS: usize = 3 * 4096 + 777;

fn session(collective: Arc<dyn Collective>, device: OneDevice) -> Result<Session> {
    let builder = Session::builder().device(DeviceChoice::These(vec![device])).threads(1);
    builder.partitions(2).collective(collective).build()
}

/// What must be equal to the last bit.
#[derive(Debug, PartialEq)]
struct Bits {
    centroids: Array2<f64>,
    labels: Vec<u32>,
    inertias: Vec<u64>,
    sizes: Vec<u64>,
    splits: Vec<(u64, u32)>,
}

/// Fits on so many ranks; every rank must have the same model, each its own labels, which are put together.
fn fit(
    size: usize,
    device: OneDevice,
    bisecting: &BisectingKMeans,
    points: &Array2<f32>,
    weights: Option<&[f32]>,
) -> Bits {
    let models = on_ranks(size, |collective| {
        let bisecting = bisecting.clone().session(&session(collective, device)?);
        let dataset = bisecting.dataset(points)?;
        match weights {
            Some(weights) => bisecting.fit_dataset(&dataset.with_weights(weights.to_vec())?),
            None => bisecting.fit_dataset(&dataset),
        }
    });
    let models: Vec<BisectingKMeansModel> = models.into_iter().map(|model| model.expect("nothing fails")).collect();
    let bits = |model: &BisectingKMeansModel| Bits {
        centroids: model.centroids().clone(),
        labels: Vec::new(),
        inertias: model.cluster_inertias().iter().map(|inertia| inertia.to_bits()).collect(),
        sizes: model.cluster_sizes().to_vec(),
        splits: model.splits().iter().map(|split| (split.rows(), split.iterations())).collect(),
    };
    assert!(models.iter().all(|model| bits(model) == bits(&models[0])));
    let labels: Vec<u32> = models.iter().flat_map(|model| model.labels().to_vec()).collect();
    assert_eq!(labels.len(), points.nrows());
    Bits { labels, ..bits(&models[0]) }
}

#[test]
fn two_and_three_ranks_find_what_one_finds() {
    let weights: Vec<f32> = (0..ROWS).map(|row| (row % 5) as f32 * 0.375).collect();
    let starts = [Init::Random, Init::KMeansPlusPlus, Init::KMeansParallel];
    for (at, metric) in METRICS.into_iter().enumerate() {
        let points = rows_for(metric, ROWS, 3, 11);
        let strategy = if at % 2 == 0 { Strategy::BiggestInertia } else { Strategy::LargestCluster };
        for weights in [None, Some(&weights[..])] {
            let bisecting = BisectingKMeans::new(6).metric(metric).init(starts[at % 3].clone()).strategy(strategy);
            let bisecting = bisecting.seed(5).max_iter(4);
            let one = fit(1, OneDevice::Cpu, &bisecting, &points, weights);
            for size in [2, 3] {
                let many = fit(size, OneDevice::Cpu, &bisecting, &points, weights);
                assert_eq!(many, one, "{metric}, {size} ranks, weights: {}", weights.is_some());
            }
        }
    }
}

/// A cluster whose rows are all on one rank is shared out all the same.
#[test]
fn clusters_that_lie_on_one_rank_and_ranks_without_rows_take_part() {
    let mut points = blobs(ROWS, 3, 4, 6);
    points.slice_mut(ndarray::s![9000.., ..]).mapv_inplace(|value| value + 500.0);
    let bisecting = BisectingKMeans::new(8).seed(2);
    let one = fit(1, OneDevice::Cpu, &bisecting, &points, None);
    for size in [2, 5] {
        assert_eq!(fit(size, OneDevice::Cpu, &bisecting, &points, None), one, "{size} ranks");
    }
    // Few rows, alike: one rank has them all, and splits fail.
    let few = Array2::from_shape_fn((40, 2), |(row, _)| (row % 3) as f32);
    let bisecting = BisectingKMeans::new(5).seed(3);
    let one = fit(1, OneDevice::Cpu, &bisecting, &few, None);
    assert_eq!((fit(3, OneDevice::Cpu, &bisecting, &few, None), one.sizes.len()), (one, 3));
}

#[test]
fn ranks_with_an_adapter_find_what_one_with_it_finds() {
    if gpus().is_empty() {
        return;
    }
    let _alone = alone();
    let points = blobs(ROWS, 4, 5, 9);
    let bisecting = BisectingKMeans::new(5).max_iter(3);
    let one = fit(1, OneDevice::Adapter(0), &bisecting, &points, None);
    assert_eq!(fit(2, OneDevice::Adapter(0), &bisecting, &points, None), one);
}

#[test]
fn ranks_with_other_settings_are_refused() {
    let points = blobs(ROWS, 2, 3, 2);
    for result in on_ranks(2, |collective| {
        let strategies = [Strategy::BiggestInertia, Strategy::LargestCluster];
        let strategy = strategies[collective.rank()];
        BisectingKMeans::new(3).strategy(strategy).session(&session(collective, OneDevice::Cpu)?).fit(&points)
    }) {
        let message = error_of(result, "strategies").to_string();
        assert!(message.contains("biggest_inertia") && message.contains("largest_cluster"), "{message}");
    }
}
