//! k-means++ among a sample of the rows.

use super::{plus_plus, random};
use crate::algorithms::kmeans::params::KMeans;
use crate::algorithms::kmeans::prepare::Prepared;
use crate::data::Dataset;
use crate::queue::{DeviceChoice, OneDevice, Session};
use crate::{Error, Result};
use ndarray::Array2;

/// k centroids by greedy k-means++ among `rows` rows that are drawn in proportion to their weights, in one pass.
pub(super) fn choose(
    kmeans: &KMeans,
    session: &Session,
    prepared: &Prepared,
    rows: u64,
    seed: u64,
) -> Result<Array2<f32>> {
    let count = usize::try_from(rows).map_err(|error| Error::parameter("init_sample", error.to_string()))?;
    let sample = random::draw(session, prepared, count, seed)?;
    if sample.nrows() < kmeans.k {
        let message = format!("only {} rows have a weight above 0, fewer than n_clusters={}", sample.nrows(), kmeans.k);
        return Err(Error::parameter("k", message));
    }
    let (local, metric) = alone(session, kmeans)?;
    let dataset = Dataset::uncentred(sample.view())?;
    let kmeans = KMeans { metric, ..kmeans.clone() };
    local.install(|| plus_plus::choose(&kmeans, &local, &Prepared::new(&dataset, metric, local.collective())?, seed))
}

/// A session of the CPU alone, and the metric of points that are prepared already, for a small problem within a large one.
pub(super) fn alone(session: &Session, kmeans: &KMeans) -> Result<(Session, crate::Metric)> {
    let cpu = DeviceChoice::These(vec![OneDevice::Cpu]);
    let local = Session::builder().device(cpu).threads(session.threads()).build()?;
    let metric = match kmeans.metric {
        crate::Metric::CityBlock => crate::Metric::CityBlock,
        _ => crate::Metric::Euclidean,
    };
    Ok((local, metric))
}
