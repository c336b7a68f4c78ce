//! Flink's two kinds of iteration, on its k-means example: bulk and delta.
//!
//! ```sh
//! cargo run --example flink_iterations
//! ```
//!
//! A *bulk* iteration computes everything anew in each of a fixed number of rounds:
//!
//! ```text
//! IterativeDataSet<Centroid> loop = centroids.iterate(10);       .set_max_iter(10)
//! newCentroids = points.map(new SelectNearestCenter())           .add(SelectNearestCenter)
//!         .withBroadcastSet(loop, "centroids")
//!     .map(new CountAppender()).groupBy(0)
//!     .reduce(new CentroidAccumulator())                         .add(AllReduce::sum(SUMS))
//!     .map(new CentroidAverager());                              .add(CentroidAverager)
//! finalCentroids = loop.closeWith(newCentroids);                 .close_with(…)
//! ```
//!
//! A *delta* iteration keeps a solution set (here the centroid of each point) and feeds back a workset (here the points that have
//! changed theirs); sums are corrected by those alone, and it ends once the workset is empty:
//!
//! ```text
//! DeltaIteration loop = points.iterateDelta(points, 100, 0);     .feedback(WORKSET).set_max_iter(100)
//! delta = loop.getWorkset() …                                    .add(SelectChanged)
//! loop.closeWith(delta, delta.filter(changed));                  .add(AllReduce::sum(CHANGES)) …
//! ```

use ndarray::{Array2, ArrayView2, array};
use superstep::queue::{AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Rows, Run, ShapeRule};
use superstep::{Result, Session};

const POINTS: Key<Rows> = Key::new("points");
const CENTROIDS: Key<Array2<f64>> = Key::new("centroids");
/// Of each centroid the sum of its points and their number: k × 3.
const SUMS: Key<Array2<f64>> = Key::new("sums");
/// The solution set: the centroid of each point.
const SOLUTION: Key<Vec<u32>> = Key::new("solution");
/// The workset: the points of a task whose centroid has changed.
const WORKSET: Key<Vec<u32>> = Key::new("workset");
/// What they change in the sums.
const CHANGES: Key<Array2<f64>> = Key::new("changes");

/// The centroid nearest to a point, the first of equals.
fn nearest(point: &[f64; 2], centroids: &ArrayView2<f64>) -> usize {
    let distance = |at: usize| (point[0] - centroids[[at, 0]]).powi(2) + (point[1] - centroids[[at, 1]]).powi(2);
    (0..centroids.nrows()).reduce(|best, next| if distance(next) < distance(best) { next } else { best }).unwrap_or(0)
}

fn points_of<'c>(cx: &'c ComContext) -> Result<impl Iterator<Item = [f64; 2]> + 'c> {
    let points = cx.get(POINTS)?;
    Ok((0..points.nrows()).map(move |row| [f64::from(points[[row, 0]]), f64::from(points[[row, 1]])]))
}

/// Flink's `SelectNearestCenter`, `CountAppender` and `CentroidAccumulator`, for the points of a task.
struct SelectNearestCenter;

impl ComputeFunction for SelectNearestCenter {
    fn objects(&self) -> Objects {
        Objects::reads((POINTS, CENTROIDS)).writes(SUMS)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let centroids = cx.get(CENTROIDS)?.view();
        let mut sums = Array2::zeros((centroids.nrows(), 3));
        for point in points_of(cx)? {
            let mut sum = sums.row_mut(nearest(&point, &centroids));
            [point[0], point[1], 1.0].iter().zip(&mut sum).for_each(|(value, sum)| *sum += value);
        }
        cx.put(SUMS, sums)
    }
}

/// Flink's `CentroidAverager`. A centroid without points stays.
struct CentroidAverager;

impl ComputeFunction for CentroidAverager {
    fn objects(&self) -> Objects {
        Objects::reads((SUMS, CENTROIDS)).writes(CENTROIDS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut centroids = cx.get(CENTROIDS)?.clone();
        for (mut centroid, sum) in centroids.outer_iter_mut().zip(cx.get(SUMS)?.outer_iter()) {
            if sum[2] > 0.0 {
                centroid.assign(&array![sum[0] / sum[2], sum[1] / sum[2]]);
            }
        }
        cx.put(CENTROIDS, centroids)
    }
}

/// Joins the points with the centroids, updates the solution set, and emits those that changed: the next workset.
struct SelectChanged;

impl ComputeFunction for SelectChanged {
    fn objects(&self) -> Objects {
        Objects::reads((POINTS, CENTROIDS))
            .updates(SOLUTION)
            .writes((WORKSET, CHANGES))
            .shape(SOLUTION, ShapeRule::rows_of(POINTS))
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let before = if cx.contains(SOLUTION) { Some(cx.take(SOLUTION)?) } else { None };
        let centroids = cx.get(CENTROIDS)?.view();
        let (mut solution, mut workset) = (Vec::new(), Vec::new());
        let mut changes = Array2::zeros((centroids.nrows(), 3));
        for (row, point) in points_of(cx)?.enumerate() {
            let now = nearest(&point, &centroids);
            let was = before.as_ref().map(|before| before[row] as usize);
            if was != Some(now) {
                workset.push(row as u32);
                let values = [point[0], point[1], 1.0];
                for (cluster, sign) in was.map(|was| (was, -1.0)).into_iter().chain([(now, 1.0)]) {
                    values.iter().zip(&mut changes.row_mut(cluster)).for_each(|(value, sum)| *sum += sign * value);
                }
            }
            solution.push(now as u32);
        }
        cx.put(SOLUTION, solution)?;
        cx.put(WORKSET, workset)?;
        cx.put(CHANGES, changes)
    }
}

/// Corrects the sums.
struct Accumulate;

impl ComputeFunction for Accumulate {
    fn objects(&self) -> Objects {
        Objects::reads(CHANGES).updates(SUMS).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let sums = if cx.contains(SUMS) { cx.get(SUMS)? + cx.get(CHANGES)? } else { cx.get(CHANGES)?.clone() };
        cx.put(SUMS, sums)
    }
}

fn bulk(session: &Session, points: &Array2<f32>, start: Array2<f64>) -> Result<Run<Array2<f64>>> {
    IterativeComQueue::new(session)
        .init_with_partitioned_data(POINTS, points)
        .init_with_broadcast_data(CENTROIDS, start)
        .add(SelectNearestCenter)
        .add(AllReduce::sum(SUMS))
        .add(CentroidAverager)
        .set_max_iter(10)
        .close_with(|cx| cx.take(CENTROIDS))
        .run()
}

fn delta(session: &Session, points: &Array2<f32>, start: Array2<f64>) -> Result<Run<Array2<f64>>> {
    IterativeComQueue::new(session)
        .init_with_partitioned_data(POINTS, points)
        .init_with_broadcast_data(CENTROIDS, start)
        .add(SelectChanged)
        .add(AllReduce::sum(CHANGES))
        .add(Accumulate)
        .add(CentroidAverager)
        .feedback(WORKSET)
        .set_max_iter(100)
        .close_with(|cx| cx.take(CENTROIDS))
        .run()
}

fn main() -> Result<()> {
    // Forty points in four heaps, and four starts, as in Flink's example data.
    let points = Array2::from_shape_fn((40, 2), |(row, column)| {
        let (heap, place) = (row % 4, row / 4);
        let centre = if column == 0 { (heap % 2) as f32 } else { (heap / 2) as f32 };
        60.0 * centre - 30.0 + ((place * (3 + 4 * column)) % 10) as f32
    });
    let start = array![[-31.85, -44.77], [35.16, 17.46], [-5.16, 21.93], [24.06, -26.81]];
    let session = Session::builder().device("cpu".parse()?).partitions(2).build()?;
    for (kind, run) in [("bulk", bulk(&session, &points, start.clone())?), ("delta", delta(&session, &points, start)?)]
    {
        println!("{kind}: {} rounds, ended by {:?}", run.rounds, run.stop);
        run.results[0].outer_iter().for_each(|centroid| println!("  {:.2} {:.2}", centroid[0], centroid[1]));
    }
    Ok(())
}
