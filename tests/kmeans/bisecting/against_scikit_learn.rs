//! Against what scikit-learn found: `tests/fixtures/make_bisecting.py`.

use crate::support::{assert_close, assert_near, on_every_device};
use ndarray::{Array2, Axis};
use serde_json::Value;
use superstep::algorithms::bisecting::Branch;
use superstep::{BisectingKMeans, BisectingKMeansModel, Init, Result};

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../../fixtures/bisecting.json")).expect("the fixture is JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn table(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().expect("a list").iter().map(numbers).collect();
    let columns = rows.first().map_or(0, Vec::len);
    Array2::from_shape_vec((rows.len(), columns), rows.concat()).expect("rows of one length")
}

fn settings(case: &Value) -> BisectingKMeans {
    let k = case["k"].as_u64().expect("a number") as usize;
    let strategy = case["strategy"].as_str().expect("a word").parse().expect("scikit-learn's words are ours");
    // Many starts, as scikit-learn had: the best split of a cluster is the one that is compared.
    BisectingKMeans::new(k).strategy(strategy).n_init(10).tol(0.0).seed(7)
}

fn fit(bisecting: &BisectingKMeans, case: &Value, rows: &Array2<f64>) -> Result<BisectingKMeansModel> {
    let dataset = bisecting.dataset(rows)?;
    match &case["weights"] {
        Value::Null => bisecting.fit_dataset(&dataset),
        weights => bisecting.fit_dataset(&dataset.with_weights(numbers(weights))?),
    }
}

/// For each of scikit-learn's clusters the one of ours that has the same rows.
fn names(theirs: &[u32], ours: &[u32], k: usize, case: &str) -> Vec<u32> {
    let mut names = vec![None; k];
    for (row, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
        let name = names[*theirs as usize].get_or_insert(*ours);
        assert_eq!(name, ours, "{case}: row {row}");
    }
    let names: Vec<u32> = names.into_iter().map(|name| name.expect("no cluster is empty")).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert!(sorted.iter().zip(0..).all(|(name, at)| *name == at), "{case}: {names:?}");
    names
}

#[test]
fn clusters_centroids_inertia_and_predictions_are_those_of_scikit_learn() {
    on_every_device(|session, device| {
        for case in &cases() {
            let name = format!("{device}, {}", case["name"]);
            let rows = table(&case["rows"]);
            for init in [Init::Random, Init::KMeansPlusPlus] {
                let model = fit(&settings(case).init(init).session(session), case, &rows)?;
                let theirs: Vec<u32> = numbers(&case["labels"]).iter().map(|label| *label as u32).collect();
                let names = names(&theirs, model.labels(), model.k(), &name);
                let order: Vec<usize> = names.iter().map(|name| *name as usize).collect();
                let centroids = model.centroids().select(Axis(0), &order);
                assert_close(&centroids, &table(&case["centroids"]), 1e-6, &name);
                let inertia = case["inertia"].as_f64().expect("a number");
                assert!((model.inertia() - inertia).abs() <= 1e-5 * inertia + 1e-9, "{name}: {}", model.inertia());
                let expected: Vec<u32> = numbers(&case["predicted"]).iter().map(|at| names[*at as usize]).collect();
                let new = table(&case["new"]);
                assert_eq!(model.predict(&new)?, expected, "{name}");
                let one_by_one: Result<Vec<u32>> =
                    new.outer_iter().map(|row| model.predict_row(&row.to_vec())).collect();
                assert_eq!(one_by_one?, expected, "{name}");
                let sizes: Vec<u64> = (0..model.k() as u32)
                    .map(|at| model.labels().iter().filter(|label| **label == at).count() as u64)
                    .collect();
                assert_eq!(model.cluster_sizes(), sizes, "{name}");
                assert!(model.converged() && model.warnings().is_empty(), "{name}");
            }
        }
        Ok(())
    });
}

/// The strategies must not come to the same on all data, or the comparison would not tell them apart.
#[test]
fn the_strategies_part_uneven_heaps_differently() {
    let uneven: Vec<Value> =
        cases().into_iter().filter(|case| case["name"].as_str().is_some_and(|name| name.contains("uneven"))).collect();
    assert_eq!(uneven.len(), 2);
    assert_ne!(uneven[0]["labels"], uneven[1]["labels"]);
}

/// The rows and the inertia below each split, by its leaves.
fn below(model: &BisectingKMeansModel, branch: Branch) -> (u64, f64, Vec<u32>) {
    match branch {
        Branch::Cluster(at) => (model.cluster_sizes()[at as usize], model.cluster_inertias()[at as usize], vec![at]),
        Branch::Split(at) => {
            let [left, right] = model.splits()[at].branches().map(|branch| below(model, branch));
            (left.0 + right.0, left.1 + right.1, [left.2, right.2].concat())
        }
    }
}

#[test]
fn leaves_are_numbered_from_left_to_right_and_splits_tell_of_their_rows() {
    on_every_device(|session, device| {
        for case in cases().iter().filter(|case| case["k"] != 1) {
            let name = format!("{device}, {}", case["name"]);
            let model = fit(&settings(case).session(session), case, &table(&case["rows"]))?;
            let (rows, inertia, leaves) = below(&model, Branch::Split(0));
            assert_eq!(leaves, (0..model.k() as u32).collect::<Vec<_>>(), "{name}");
            assert_eq!(rows, model.rows(), "{name}");
            assert_near(inertia, model.inertia(), 1e-12, &name);
            assert_eq!(model.splits().len(), model.k() - 1, "{name}");
            for split in model.splits() {
                for (side, branch) in split.branches().into_iter().enumerate() {
                    let (rows, _, leaves) = below(&model, branch);
                    assert_eq!(rows, split.sizes()[side], "{name}");
                    if let (Branch::Cluster(_), [leaf]) = (branch, &leaves[..]) {
                        let leaf = *leaf as usize;
                        assert_eq!(split.inertias()[side], model.cluster_inertias()[leaf], "{name}");
                        assert_eq!(split.centroids().row(side), model.centroids().row(leaf), "{name}");
                    }
                }
                assert_eq!(split.rows(), split.sizes().iter().sum::<u64>(), "{name}");
            }
            let total: u32 = model.splits().iter().map(|split| split.iterations()).sum();
            assert_eq!(model.iterations(), total, "{name}");
        }
        Ok(())
    });
}
