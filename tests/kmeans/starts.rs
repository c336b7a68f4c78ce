//! The first centroids.

use crate::oracle;
use crate::support::{METRICS, blobs, cpu, first_rows, noise, on_every_device, rows_for, wide};
use ndarray::Array2;
use std::collections::HashSet;
use superstep::{Init, KMeans, Metric, Result};

const DRAWN: [Init; 3] = [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random];

#[test]
fn a_start_draws_distinct_rows() -> Result<()> {
    for metric in [Metric::Euclidean, Metric::CityBlock] {
        let points = noise(40, 3, 51);
        for init in &DRAWN {
            // With a cluster for each row, no update moves a centroid off the row that was drawn.
            let kmeans = KMeans::new(40).init(init.clone()).n_init(1).metric(metric).session(cpu());
            let centroids = kmeans.fit(&points)?.centroids().clone();
            let bits =
                |row: ndarray::ArrayView1<f64>| row.iter().map(|value| *value as f32).map(f32::to_bits).collect();
            let found: HashSet<Vec<u32>> = centroids.outer_iter().map(bits).collect();
            let rows: HashSet<Vec<u32>> = wide(&points).outer_iter().map(bits).collect();
            assert_eq!(found, rows, "{metric}, {init}");
        }
    }
    Ok(())
}

#[test]
fn as_many_clusters_as_rows_leave_no_inertia() {
    on_every_device(|session, name| {
        for metric in METRICS {
            let points = rows_for(metric, 33, 3, 52);
            for init in [Init::KMeansPlusPlus, Init::Random, first_rows(&points, 33)] {
                let kmeans = KMeans::new(33).init(init.clone()).n_init(1).metric(metric).session(session);
                let model = kmeans.fit(&points)?;
                let case = format!("{name}, {metric}, {init}");
                assert_eq!(model.cluster_sizes(), [1; 33], "{case}");
                // Directions have been rounded to f32 twice.
                let allowed = if metric == Metric::Haversine { 1e-2 } else { 1e-10 };
                assert!(model.inertia() <= allowed, "{case}: {}", model.inertia());
            }
        }
        Ok(())
    });
}

#[test]
fn one_cluster_is_the_mean_whatever_the_start() {
    let points = noise(77, 4, 53);
    let mean = wide(&points).mean_axis(ndarray::Axis(0)).expect("there are rows");
    on_every_device(|session, name| {
        for init in &DRAWN {
            let model = KMeans::new(1).init(init.clone()).session(session).fit(&points)?;
            let found = model.centroids().row(0).to_owned();
            assert!((&found - &mean).iter().all(|off| off.abs() < 1e-7), "{name}, {init}: {found} not {mean}");
            assert_eq!(model.labels(), [0; 77], "{name}, {init}");
        }
        Ok(())
    });
}

#[test]
fn careful_starts_find_well_separated_clusters() -> Result<()> {
    // Twenty centres 100 apart on a line; a start that misses one ends at more than ten times the inertia.
    let points = Array2::from_shape_fn((600, 3), |(row, column)| {
        let noise = ((row * 31 + column * 17) % 101) as f32 / 101.0;
        noise + if column == 0 { 100.0 * (row % 20) as f32 } else { 0.0 }
    });
    let labels: Vec<u32> = (0..600).map(|row| row % 20).collect();
    let truth = Array2::from_shape_fn((20, 3), |(centre, column)| {
        points.column(column).iter().skip(centre).step_by(20).map(|value| f64::from(*value)).sum::<f64>() / 30.0
    });
    let best = oracle::inertia(Metric::Euclidean, &wide(&points), &vec![1.0; 600], &truth, &labels);
    for init in [Init::KMeansPlusPlus, Init::KMeansParallel] {
        let found = (0..10).filter(|&seed| {
            let kmeans = KMeans::new(20).init(init.clone()).seed(seed).session(cpu());
            kmeans.fit(&points).is_ok_and(|model| model.inertia() < best * 1.01)
        });
        let found = found.count();
        assert!(found >= 8, "{init}: {found} of 10 seeds found the clusters");
    }
    Ok(())
}

#[test]
fn more_starts_keep_the_best() {
    let points = blobs(200, 2, 12, 54);
    on_every_device(|session, name| {
        let kmeans = KMeans::new(12).init(Init::Random).session(session);
        // Start number i of a fit is drawn with its seed + i.
        let alone = (10..16).map(|seed| Ok(kmeans.clone().n_init(1).seed(seed).fit(&points)?.inertia()));
        let alone = alone.collect::<Result<Vec<f64>>>()?;
        let best = alone.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(alone.iter().any(|inertia| *inertia > best * 1.01), "{name}: the starts are to differ");
        assert_eq!(kmeans.clone().n_init(6).seed(10).fit(&points)?.inertia(), best, "{name}");
        // Ten by default, as in scikit-learn.
        let ten = kmeans.clone().n_init(10).seed(10).fit(&points)?.inertia();
        assert_eq!(kmeans.seed(10).fit(&points)?.inertia(), ten, "{name}");
        Ok(())
    });
}

#[test]
fn a_seed_decides_the_start() {
    let points = noise(300, 3, 55);
    on_every_device(|session, name| {
        for init in &DRAWN {
            let fit =
                |seed| KMeans::new(9).init(init.clone()).n_init(1).seed(seed).max_iter(1).session(session).fit(&points);
            assert_eq!(fit(7)?.centroids(), fit(7)?.centroids(), "{name}, {init}");
            assert_ne!(fit(7)?.centroids(), fit(8)?.centroids(), "{name}, {init}");
        }
        Ok(())
    });
}
