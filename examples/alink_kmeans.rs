//! Alink's k-means training queue, item by item.
//!
//! ```sh
//! cargo run --example alink_kmeans
//! ```
//!
//! ```text
//! new IterativeComQueue()                                          IterativeComQueue::new(&session)
//!     .initWithPartitionedData(TRAIN_DATA, data)                       .init_with_partitioned_data(TRAIN_DATA, data)
//!     .initWithBroadcastData(INIT_CENTROID, initCentroid)              .init_with_broadcast_data(INIT_CENTROID, start)
//!     .add(new KMeansPreallocateCentroid())                            .add(KMeansPreallocateCentroid)
//!     .add(new KMeansAssignCluster(distance))                          .add(KMeansAssignCluster)
//!     .add(new AllReduce(CENTROID_ALL_REDUCE))                         .add(AllReduce::sum(CENTROID_ALL_REDUCE))
//!     .add(new KMeansUpdateCentroids(distance))                        .add(KMeansUpdateCentroids)
//!     .setCompareCriterionOfNode0(new KMeansIterTermination(…, tol))   .set_compare_criterion(is_done(tol))
//!     .closeWith(new KMeansOutputModel(…))                             .close_with(output_model)
//!     .setMaxIter(maxIter)                                             .set_max_iter(max_iter)
//!     .exec();                                                         .exec()
//! ```
//!
//! Alink keeps two buffers of centroids, of even and of odd steps, to compare them; here `cx.previous` gives the ones before. The
//! crate's own `KMeans` is this queue with exact sums, bounds and WGSL.

use ndarray::{Array2, array};
use superstep::queue::{AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Rows};
use superstep::{Result, Session};

const TRAIN_DATA: Key<Rows> = Key::new("trainData");
const INIT_CENTROID: Key<Array2<f64>> = Key::new("initCentroid");
const CENTROIDS: Key<Array2<f64>> = Key::new("centroids");
/// Alink's `centroidAllReduce`: of each cluster the sum of its rows and their number, k × (d + 1).
const CENTROID_ALL_REDUCE: Key<Array2<f64>> = Key::new("centroidAllReduce");

/// Puts the centroids that the first step begins with.
struct KMeansPreallocateCentroid;

impl ComputeFunction for KMeansPreallocateCentroid {
    fn objects(&self) -> Objects {
        Objects::reads(INIT_CENTROID).updates(CENTROIDS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.step_no() > 1 {
            return Ok(());
        }
        let start = cx.get(INIT_CENTROID)?.clone();
        cx.put(CENTROIDS, start)
    }
}

/// Finds the nearest centroid of each row and adds the row to its sum.
struct KMeansAssignCluster;

impl ComputeFunction for KMeansAssignCluster {
    fn objects(&self) -> Objects {
        Objects::reads((TRAIN_DATA, CENTROIDS)).writes(CENTROID_ALL_REDUCE)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (rows, centroids) = (cx.get(TRAIN_DATA)?, cx.get(CENTROIDS)?);
        let mut sums = Array2::zeros((centroids.nrows(), centroids.ncols() + 1));
        for row in rows.outer_iter() {
            let row = row.mapv(f64::from);
            let distance = |cluster: usize| (&row - &centroids.row(cluster)).mapv(|value| value * value).sum();
            let clusters = (0..centroids.nrows()).map(|cluster| (distance(cluster), cluster));
            let (_, cluster) =
                clusters.fold((f64::INFINITY, 0), |best, next| if next.0 < best.0 { next } else { best });
            let mut sum = sums.row_mut(cluster);
            row.iter().chain(&[1.0]).zip(&mut sum).for_each(|(value, sum)| *sum += value);
        }
        cx.put(CENTROID_ALL_REDUCE, sums)
    }
}

/// Divides the sums by the numbers of rows. A cluster without rows keeps its centroid.
struct KMeansUpdateCentroids;

impl ComputeFunction for KMeansUpdateCentroids {
    fn objects(&self) -> Objects {
        Objects::reads((CENTROID_ALL_REDUCE, CENTROIDS)).writes(CENTROIDS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (sums, mut centroids) = (cx.get(CENTROID_ALL_REDUCE)?, cx.get(CENTROIDS)?.clone());
        let d = centroids.ncols();
        for (mut centroid, sum) in centroids.outer_iter_mut().zip(sums.outer_iter()) {
            if sum[d] > 0.0 {
                centroid.iter_mut().zip(sum).for_each(|(to, from)| *to = from / sum[d]);
            }
        }
        cx.put(CENTROIDS, centroids)
    }
}

/// Alink's `KMeansIterTermination`: every centroid has moved less than `tol`.
fn is_done(tol: f64) -> impl Fn(&ComContext) -> Result<bool> {
    move |cx| {
        if cx.step_no() == 1 {
            return Ok(false);
        }
        let shifts = (cx.get(CENTROIDS)? - cx.previous(CENTROIDS)?).mapv(|value| value * value);
        Ok(shifts.outer_iter().all(|shift| shift.sum().sqrt() < tol))
    }
}

fn main() -> Result<()> {
    // Three heaps.
    let data = Array2::from_shape_fn((300, 2), |(row, column)| {
        let place = (row / 3 * (5 + 2 * column)) % 10;
        (row % 3) as f32 * (20.0 - 30.0 * column as f32) + place as f32
    });
    let session = Session::builder().device("cpu".parse()?).partitions(4).build()?;
    let (steps, model) = IterativeComQueue::new(&session)
        .init_with_partitioned_data(TRAIN_DATA, &data)
        .init_with_broadcast_data(INIT_CENTROID, array![[0.0, 0.0], [10.0, 0.0], [30.0, -10.0]])
        .add(KMeansPreallocateCentroid)
        .add(KMeansAssignCluster)
        .add(AllReduce::sum(CENTROID_ALL_REDUCE))
        .add(KMeansUpdateCentroids)
        .set_compare_criterion(is_done(1e-4))
        .close_with(|cx| Ok((cx.step_no(), cx.take(CENTROIDS)?)))
        .set_max_iter(50)
        .exec()?;
    println!("{steps} steps");
    model.outer_iter().for_each(|centroid| println!("{:.2} {:.2}", centroid[0], centroid[1]));
    Ok(())
}
