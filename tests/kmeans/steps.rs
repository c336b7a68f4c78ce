//! The public steps: shards anywhere, merged in any order, with the bits of one fit.

use crate::support::{cpu, error_of, first_rows, on_quick_devices, rows_for, wide};
use ndarray::{Array2, s};
use superstep::algorithms::kmeans::steps::{Partial, ShardSurvey, Step};
use superstep::data::RowSource;
use superstep::{EmptyClusters, KMeans, Metric, Result, Session};

const ROWS: usize = 3 * 4096 + 500;
const K: usize = 5;

/// The rows in shards of whole blocks, each with the number of its first row.
fn shards(points: &Array2<f32>) -> Vec<(usize, Array2<f32>)> {
    [0..4096, 4096..8192, 8192..ROWS]
        .into_iter()
        .map(|rows| (rows.start, points.slice(s![rows, ..]).to_owned()))
        .collect()
}

fn part(weights: Option<&Vec<f32>>, first: usize, rows: usize) -> Option<Vec<f32>> {
    weights.map(|weights| weights[first..first + rows].to_vec())
}

/// So many rounds of steps, everything passed on as bytes and merged from the last shard to the first.
fn rounds(
    session: &Session,
    metric: Metric,
    points: &Array2<f32>,
    weights: Option<&Vec<f32>>,
    n: u32,
) -> Result<Array2<f64>> {
    let shards = shards(points);
    let mut survey: Option<ShardSurvey> = None;
    for (first, shard) in shards.iter().rev() {
        let weights = part(weights, *first, shard.nrows());
        let weights = weights.as_ref().map(|weights| weights as &dyn RowSource);
        let of = ShardSurvey::of(shard, weights, *first as u64, ROWS as u64)?;
        let of = ShardSurvey::decode(&of.encode()).expect("its own bytes");
        match &mut survey {
            Some(all) => all.merge(of)?,
            None => survey = Some(of),
        }
    }
    let start = wide(points).slice_move(s![..K, ..]);
    let mut step = Step::new(metric, &survey.expect("there are shards"), &start)?;
    let mut centroids = start;
    for _ in 0..n {
        step = Step::decode(&step.encode()).expect("its own bytes");
        let mut all: Option<Partial> = None;
        for (first, shard) in shards.iter().rev() {
            let weights = part(weights, *first, shard.nrows());
            let weights = weights.as_ref().map(|weights| weights as &dyn RowSource);
            let of = step.partial(session, shard, weights)?;
            let of = Partial::decode(&of.encode()).expect("its own bytes");
            match &mut all {
                Some(all) => all.merge(&of)?,
                None => all = Some(of),
            }
        }
        let done = step.finish(session, &all.expect("there are shards"))?;
        (step, centroids) = (done.next, done.centroids);
    }
    Ok(centroids)
}

#[test]
fn rounds_of_shards_have_the_bits_of_a_fit() {
    let weights: Vec<f32> = (0..ROWS).map(|row| (row % 3) as f32 * 0.7).collect();
    on_quick_devices(|session, _| {
        for metric in [Metric::Euclidean, Metric::Cosine, Metric::Haversine] {
            let near = rows_for(metric, ROWS, 3, 21);
            // Far from zero, where rows are centred; directions and places have no such thing.
            let far = near.mapv(|value| if metric == Metric::Euclidean { value + 900.0 } else { value });
            for (points, weights) in [(&near, None), (&far, Some(&weights))] {
                let kmeans = KMeans::new(K).metric(metric).init(first_rows(points, K)).max_iter(3).tol(0.0);
                let kmeans = kmeans.empty_clusters(EmptyClusters::Keep).session(session);
                let dataset = kmeans.dataset(points)?;
                let model = match weights {
                    Some(weights) => kmeans.fit_dataset(&dataset.with_weights(weights.clone())?)?,
                    None => kmeans.fit_dataset(&dataset)?,
                };
                assert_eq!(model.iterations(), 3, "{metric}");
                let found = rounds(session, metric, points, weights, 3)?;
                assert_eq!(&found, model.centroids(), "{metric}, weights: {}", weights.is_some());
            }
        }
        Ok(())
    });
}

#[test]
fn a_round_tells_its_inertia_its_shift_and_the_sizes() -> Result<()> {
    let points = rows_for(Metric::Euclidean, ROWS, 2, 5);
    let start = wide(&points).slice_move(s![..K, ..]);
    let survey = ShardSurvey::of(&points, None, 0, ROWS as u64)?;
    let step = Step::new(Metric::Euclidean, &survey, &start)?;
    let done = step.finish(cpu(), &step.partial(cpu(), &points, None)?)?;
    // By hand, in f64.
    let (mut inertia, mut sizes, mut sums) = (0.0, vec![0.0; K], Array2::<f64>::zeros((K, 2)));
    for row in points.outer_iter() {
        let to = |k: usize| (0..2).map(|j| (f64::from(row[j]) - start[[k, j]]).powi(2)).sum::<f64>();
        let best = (0..K).min_by(|a, b| to(*a).total_cmp(&to(*b))).expect("there are clusters");
        inertia += to(best);
        sizes[best] += 1.0;
        (0..2).for_each(|j| sums[[best, j]] += f64::from(row[j]));
    }
    assert_eq!(done.sizes, sizes);
    assert!((done.inertia - inertia).abs() < 1e-6 * inertia, "{} instead of {inertia}", done.inertia);
    let means = Array2::from_shape_fn((K, 2), |(k, j)| sums[[k, j]] / sizes[k]);
    let shift: f64 = (&means - &start).mapv(|value| value * value).sum();
    assert!((done.shift - shift).abs() < 1e-5 * shift, "{} instead of {shift}", done.shift);
    Ok(())
}

#[test]
fn what_does_not_fit_together_is_refused() -> Result<()> {
    let points = rows_for(Metric::Euclidean, ROWS, 2, 5);
    let start = wide(&points).slice_move(s![..K, ..]);
    let says = |result: Result<()>, word: &str| {
        let message = error_of(result, word).to_string();
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    };
    let shard = points.slice(s![..4096, ..]).to_owned();
    let first = ShardSurvey::of(&shard, None, 0, ROWS as u64)?;
    says(ShardSurvey::of(&shard, None, 100, ROWS as u64).map(drop), "whole blocks");
    says(Step::new(Metric::Euclidean, &first, &start).map(drop), "merge the surveys of all shards");
    says(first.clone().merge(ShardSurvey::of(&shard, None, 0, 9000)?), "of a table of");
    let weighted = ShardSurvey::of(&shard, Some(&vec![1.0_f32; 4096]), 0, ROWS as u64)?;
    says(first.clone().merge(weighted), "weights");
    let mut broken = shard.clone();
    broken[[17, 1]] = f32::INFINITY;
    says(ShardSurvey::of(&broken, None, 0, ROWS as u64).map(drop), "row 17, column 1");

    let survey = ShardSurvey::of(&points, None, 0, ROWS as u64)?;
    says(Step::new(Metric::CityBlock, &survey, &start).map(drop), "medians");
    says(Step::new(Metric::Euclidean, &survey, &Array2::zeros((2, 3))).map(drop), "2 × 3");
    let step = Step::new(Metric::Euclidean, &survey, &start)?;
    says(step.partial(cpu(), &Array2::<f32>::zeros((4, 3)), None).map(drop), "3 columns");
    says(step.partial(cpu(), &shard, Some(&vec![1.0_f32; 4096])).map(drop), "weights");
    let part = step.partial(cpu(), &shard, None)?;
    says(step.finish(cpu(), &part).map(drop), "4096 of");
    let other = Step::new(Metric::Euclidean, &survey, &start.slice(s![..2, ..]).to_owned())?;
    says(part.clone().merge(&other.partial(cpu(), &shard, None)?), "of one step");
    let bytes = part.encode();
    assert!(Partial::decode(&bytes[..bytes.len() - 1]).is_none() && Step::decode(&bytes).is_none());
    Ok(())
}
