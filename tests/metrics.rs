//! Scores of clusterings: against scikit-learn's, against values computed by hand, at the edges, and for equal bits.
//!
//! `tests/fixtures/make_metrics.py` computes the expected values.

use ndarray::{Array2, array};
use serde_json::Value;
use superstep::metrics::{
    Contingency, Distance, calinski_harabasz_score, compactness, davies_bouldin_score, inertia, separation,
    silhouette_samples, silhouette_score, silhouette_score_sampled,
};
use superstep::{Error, Result};

const DISTANCES: [(&str, Distance); 3] =
    [("euclidean", Distance::Euclidean), ("cosine", Distance::Cosine), ("cityblock", Distance::CityBlock)];

fn cases(kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/metrics.json")).unwrap();
    let mut cases: Value = serde_json::from_str(&text).unwrap();
    let Value::Array(cases) = cases[kind].take() else { panic!("no {kind} cases") };
    assert!(!cases.is_empty());
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn labels(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|value| u32::try_from(value.as_u64().unwrap()).unwrap()).collect()
}

fn rows(case: &Value) -> Array2<f64> {
    let rows: Vec<_> = case["rows"].as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{what}: {found} instead of {expected}");
}

/// Labels as indices of the centroids of a naive mean by label.
fn naive_centroids(rows: &Array2<f64>, labels: &[u32]) -> (Vec<u32>, Array2<f64>) {
    let mut distinct = labels.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut centroids = Array2::zeros((distinct.len(), rows.ncols()));
    for (index, label) in distinct.iter().enumerate() {
        let members = (0..rows.nrows()).filter(|row| labels[*row] == *label);
        let count = members.clone().count() as f64;
        members.for_each(|row| centroids.row_mut(index).scaled_add(1.0 / count, &rows.row(row)));
    }
    let index = |label| distinct.iter().position(|other| other == label).unwrap() as u32;
    (labels.iter().map(index).collect(), centroids)
}

#[test]
fn scores_without_true_labels_are_those_of_scikit_learn() {
    for case in cases("internal") {
        let (rows, labels) = (rows(&case), labels(&case["labels"]));
        let (indices, centroids) = naive_centroids(&rows, &labels);
        let scores = [
            ("inertia", inertia(&rows, &indices, centroids.view())),
            ("calinski_harabasz", calinski_harabasz_score(&rows, &labels)),
            ("davies_bouldin", davies_bouldin_score(&rows, &labels)),
            ("compactness", compactness(&rows, &labels)),
            ("separation", separation(&rows, &labels)),
        ];
        for (name, score) in scores {
            assert_close(score.unwrap(), case[name].as_f64().unwrap(), &format!("{}, {name}", case["name"]));
        }
    }
}

#[test]
fn silhouettes_are_those_of_scikit_learn() {
    for case in cases("internal") {
        let (rows, labels) = (rows(&case), labels(&case["labels"]));
        for (name, distance) in DISTANCES {
            let expected = numbers(&case["silhouette_samples"][name]);
            let found = silhouette_samples(&rows, &labels, distance).unwrap();
            assert_eq!(found.len(), expected.len());
            for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_close(*found, *expected, &format!("{}, {name}, row {row}", case["name"]));
            }
            let mean = expected.iter().sum::<f64>() / expected.len() as f64;
            assert_close(silhouette_score(&rows, &labels, distance).unwrap(), mean, name);
        }
    }
}

/// The silhouette by its definition, over rows in any order.
fn naive_silhouette(rows: &Array2<f64>, labels: &[u32], row: usize, distance: Distance) -> f64 {
    let mut sums = std::collections::BTreeMap::<u32, (f64, f64)>::new();
    for (other, label) in (0..rows.nrows()).zip(labels).filter(|(other, _)| *other != row) {
        let (x, y) = (rows.row(row), rows.row(other));
        let apart = match distance {
            Distance::Euclidean => (&x - &y).mapv(|value| value * value).sum().sqrt(),
            Distance::Cosine => 1.0 - x.dot(&y) / (x.dot(&x) * y.dot(&y)).sqrt(),
            Distance::CityBlock => (&x - &y).mapv(f64::abs).sum(),
        };
        let (sum, count) = sums.entry(*label).or_default();
        (*sum, *count) = (*sum + apart, *count + 1.0);
    }
    let mean = |(sum, count): (f64, f64)| sum / count;
    let a = mean(sums.remove(&labels[row]).unwrap());
    let b = sums.into_values().map(mean).fold(f64::INFINITY, f64::min);
    (b - a) / a.max(b)
}

#[test]
fn silhouettes_of_clusters_of_every_size_are_the_naive_ones() {
    // Clusters that are smaller, as large and larger than what is measured at once, and not a multiple of it.
    for sizes in [[2, 15, 16, 17], [31, 32, 33, 3], [64, 65, 95, 130]] {
        let n: usize = sizes.iter().sum();
        let mut labels: Vec<u32> = (0..4).flat_map(|label| vec![label; sizes[label as usize]]).collect();
        (0..n).for_each(|row| labels.swap(row, row * 61 % n));
        let rows = Array2::from_shape_fn((n, 5), |(row, column)| ((row * 5 + column + 1) as f64).sin() + 0.1);
        for (name, distance) in DISTANCES {
            let found = silhouette_samples(&rows, &labels, distance).unwrap();
            for (row, found) in found.iter().enumerate() {
                let expected = naive_silhouette(&rows, &labels, row, distance);
                assert_close(*found, expected, &format!("{sizes:?}, {name}, row {row}"));
            }
        }
    }
}

#[test]
fn sums_over_many_blocks_of_rows_are_the_naive_ones() {
    for (n, k, d) in [(4096, 2, 1), (4097, 3, 2), (30_011, 7, 3), (9000, 4500, 1)] {
        let rows = Array2::from_shape_fn((n, d), |(row, column)| ((row * 3 + column) as f64 * 0.37).sin() + 2.0);
        let labels: Vec<u32> = (0..n).map(|row| (row * 11 % k) as u32).collect();
        let (indices, centroids) = naive_centroids(&rows, &labels);
        let differences = (0..n).map(|row| &rows.row(row) - &centroids.row(indices[row] as usize));
        let squared: Vec<f64> = differences.map(|difference| difference.dot(&difference)).collect();
        let within: f64 = squared.iter().sum();
        let total: f64 = rows.columns().into_iter().map(|column| column.var(0.0)).sum::<f64>() * n as f64;
        let ratio = (total - within) / (k - 1) as f64 / (within / (n - k) as f64);
        let count = |index| indices.iter().filter(|other| **other == index).count() as f64;
        let counts: Vec<f64> = (0..k as u32).map(count).collect();
        let weighted = squared.iter().zip(&indices).map(|(squared, index)| squared.sqrt() / counts[*index as usize]);
        let tight = weighted.sum::<f64>() / k as f64;
        assert_close(inertia(&rows, &indices, centroids.view()).unwrap() / n as f64, within / n as f64, "inertia");
        assert_close(compactness(&rows, &labels).unwrap(), tight, "compactness");
        let found = calinski_harabasz_score(&rows, &labels).unwrap();
        assert!((found / ratio - 1.0).abs() < 1e-7, "Caliński–Harabasz {found}, {ratio}");
    }
}

#[test]
fn scores_against_true_labels_are_those_of_scikit_learn() {
    for case in cases("external") {
        let table = Contingency::new(&labels(&case["truth"]), &labels(&case["predicted"])).unwrap();
        let scores = [
            ("adjusted_rand", table.adjusted_rand_score()),
            ("normalized_mutual_info", table.normalized_mutual_info_score()),
            ("purity", table.purity()),
            ("rand", table.rand_score()),
        ];
        for (name, score) in scores {
            assert_close(score, case[name].as_f64().unwrap(), &format!("{}, {name}", case["name"]));
        }
    }
}

#[test]
fn equal_partitions_score_exactly_one_under_any_names() {
    for truth in [vec![4; 7], (0..7).collect(), vec![0, 1, 1, 2, 2, 2, u32::MAX]] {
        let renamed: Vec<u32> = truth.iter().map(|label| u32::MAX - label).collect();
        let table = Contingency::new(&truth, &renamed).unwrap();
        let scores =
            [table.rand_score(), table.adjusted_rand_score(), table.normalized_mutual_info_score(), table.purity()];
        assert_eq!(scores, [1.0; 4], "{truth:?}");
    }
}

#[test]
fn a_contingency_table_holds_the_counts() {
    let table = Contingency::new(&[9, 2, 9, 9, 2], &[0, 5, 5, 0, 5]).unwrap();
    assert_eq!(table.cells(), [((2, 5), 2), ((9, 0), 2), ((9, 5), 1)]);
    assert_eq!(table.classes(), [(2, 2), (9, 3)]);
    assert_eq!(table.clusters(), [(0, 2), (5, 3)]);
}

#[test]
fn pairs_of_many_rows_are_counted_without_overflow() {
    // 3 · 2¹⁶ rows have 1.9e10 pairs, and their products 10²⁰ and more. Half of each class is in a cluster of its own.
    let truth: Vec<u32> = (0..3 << 16).map(|row| row >> 16).collect();
    let predicted: Vec<u32> = (0..3 << 16).map(|row| row >> 15).collect();
    let table = Contingency::new(&truth, &predicted).unwrap();
    let pairs = |rows: f64| rows * (rows - 1.0) / 2.0;
    let (n, class, cluster) = (196_608.0, 65_536.0, 32_768.0);
    let (together, in_truth) = (6.0 * pairs(cluster), 3.0 * pairs(class));
    assert_close(table.rand_score(), 1.0 - (in_truth - together) / pairs(n), "rand");
    let expected = in_truth * together / pairs(n);
    let adjusted = (together - expected) / ((in_truth + together) / 2.0 - expected);
    assert_close(table.adjusted_rand_score(), adjusted, "adjusted rand");
    assert_eq!(table.purity(), 1.0);
}

/// The example in the documentation of Alink's `EvalClusterBatchOp`, with the scores that it prints.
#[test]
fn alinks_example_has_alinks_scores() {
    let rows = Array2::from_shape_fn((6, 3), |(row, _)| [0.0, 0.1, 0.2, 9.0, 9.1, 9.2][row]);
    let labels = [0, 0, 0, 1, 1, 1];
    assert_close(compactness(&rows, &labels).unwrap(), 0.115_470_053_837_924_97, "compactness");
    assert_close(separation(&rows, &labels).unwrap(), 15.588_457_268_119_896, "separation");
    assert_close(davies_bouldin_score(&rows, &labels).unwrap(), 0.014_814_814_814_814_791, "Davies–Bouldin");
    assert_close(calinski_harabasz_score(&rows, &labels).unwrap(), 12_150.0, "Caliński–Harabasz");
}

#[test]
fn degenerate_clusterings_score_as_in_scikit_learn() {
    let points = array![[1.0, 1.0], [1.0, 1.0], [3.0, 3.0], [3.0, 3.0]];
    let equal = Array2::from_elem((4, 2), 0.5);
    let labels = [0, 0, 1, 1];
    // Clusters without spread; then all rows equal.
    for rows in [&points, &equal] {
        assert_eq!(calinski_harabasz_score(rows, &labels).unwrap(), 1.0);
        assert_eq!(davies_bouldin_score(rows, &labels).unwrap(), 0.0);
        assert_eq!(compactness(rows, &labels).unwrap(), 0.0);
    }
    assert_eq!(silhouette_samples(&points, &labels, Distance::Euclidean).unwrap(), [1.0; 4]);
    assert_eq!(silhouette_samples(&equal, &labels, Distance::Euclidean).unwrap(), [0.0; 4]);
    // Two clusters around one mean lie nowhere apart.
    let around = array![[-1.0], [1.0], [-2.0], [2.0]];
    assert_eq!(davies_bouldin_score(&around, &labels).unwrap(), 0.0);
    assert_eq!(separation(&around, &labels).unwrap(), 0.0);
}

#[test]
fn small_angles_do_not_cancel_under_the_cosine_distance() {
    // 1 − cos of angles of 1e-9 is 5e-19, which 1 − x·y cannot tell from 0.
    let rows = array![[1.0, 0.0], [1.0, 1e-9], [1.0, 4e-9], [1.0, 5e-9]];
    let found = silhouette_samples(&rows, &[0, 0, 1, 1], Distance::Cosine).unwrap();
    // Squared angles: a = 1, b = (4² + 5²) / 2 for the outer rows, (3² + 4²) / 2 for the inner ones.
    for (found, b) in found.iter().zip([20.5, 12.5, 12.5, 20.5]) {
        assert!((found - (b - 1.0) / b).abs() < 1e-6, "{found}");
    }
}

#[test]
fn f32_rows_and_strided_views_score_as_their_values() {
    let wide = Array2::from_shape_fn((50, 4), |(row, column)| f64::from((row * 7 + column * 3) as u8 % 32) / 8.0);
    let labels: Vec<u32> = (0..50).map(|row| row % 3).collect();
    let narrow = wide.mapv(|value| value as f32);
    let transposed = wide.t().as_standard_layout().to_owned();
    let expected = silhouette_score(&wide, &labels, Distance::CityBlock).unwrap();
    assert_eq!(silhouette_score(&narrow, &labels, Distance::CityBlock).unwrap(), expected);
    assert_eq!(silhouette_score(&transposed.t(), &labels, Distance::CityBlock).unwrap(), expected);
}

#[test]
fn a_sampled_silhouette_estimates_the_exact_one() {
    let rows = Array2::from_shape_fn((3000, 2), |(row, column)| {
        ((row * 13 + column * 5) % 29) as f64 + 20.0 * (row % 3) as f64
    });
    let labels: Vec<u32> = (0..3000).map(|row| row % 3).collect();
    let exact = silhouette_score(&rows, &labels, Distance::Euclidean).unwrap();
    let sampled = |size, seed| silhouette_score_sampled(&rows, &labels, Distance::Euclidean, size, seed).unwrap();
    assert!((sampled(400, 7) - exact).abs() < 0.05, "{} against {exact}", sampled(400, 7));
    assert_eq!(sampled(400, 7), sampled(400, 7));
    assert_ne!(sampled(400, 7), sampled(400, 8));
    for size in [3000, usize::MAX] {
        assert_eq!(sampled(size, 7), exact);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    // Several blocks of rows, the last one partial.
    let rows = Array2::from_shape_fn((20_001, 3), |(row, column)| ((row * 37 + column * 11) as f64 * 0.731).sin());
    let labels: Vec<u32> = (0..20_001).map(|row| row * 7 % 5).collect();
    let (few, few_labels) = (rows.slice(ndarray::s![..1001, ..]), &labels[..1001]);
    let centroids = rows.slice(ndarray::s![..5, ..]);
    let scores = || -> Result<Vec<f64>> {
        let mut scores = vec![
            inertia(&rows, &labels, centroids)?,
            calinski_harabasz_score(&rows, &labels)?,
            davies_bouldin_score(&rows, &labels)?,
            compactness(&rows, &labels)?,
            separation(&rows, &labels)?,
            silhouette_score_sampled(&rows, &labels, Distance::Euclidean, 500, 3)?,
        ];
        for (_, distance) in DISTANCES {
            scores.extend(silhouette_samples(&few, few_labels, distance)?);
        }
        Ok(scores)
    };
    let bits = |threads| -> Vec<u64> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(scores).unwrap().into_iter().map(f64::to_bits).collect()
    };
    let expected = bits(1);
    for threads in [2, 3] {
        assert!(bits(threads) == expected, "{threads} threads");
    }
}

/// Whether a score is refused for a parameter, with these words.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, words: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Parameter { .. }), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn scores_of_several_clusters_refuse_one_label_and_as_many_as_rows() {
    let rows = array![[0.0], [1.0], [2.0]];
    for (labels, count) in [([6, 6, 6], 1), ([1, 2, 3], 3)] {
        let words = format!("Number of labels is {count}. Valid values are 2 to n_samples - 1 (inclusive)");
        assert_refused(silhouette_samples(&rows, &labels, Distance::Euclidean), &words);
        assert_refused(silhouette_score(&rows, &labels, Distance::Cosine), &words);
        assert_refused(calinski_harabasz_score(&rows, &labels), &words);
        assert_refused(davies_bouldin_score(&rows, &labels), &words);
    }
    assert_refused(separation(&rows, &[6, 6, 6]), "same label");
    let sampled = silhouette_score_sampled(&rows, &[0, 0, 1], Distance::Euclidean, 1, 0);
    assert_refused(sampled, "Number of labels is 1.");
    assert_refused(silhouette_score_sampled(&rows, &[0, 0, 1], Distance::Euclidean, 0, 0), "size");
}

#[test]
fn rows_and_labels_that_do_not_fit_are_refused() {
    let (none, flat, rows) = (Array2::<f64>::zeros((0, 2)), Array2::<f64>::zeros((3, 0)), Array2::<f64>::zeros((3, 2)));
    let centroids = Array2::<f64>::zeros((2, 2));
    let tables: [(&Array2<f64>, &[u32], &str); 4] = [
        (&none, &[], "0 rows"),
        (&flat, &[0, 0, 1], "0 columns"),
        (&rows, &[0, 1], "2 labels for 3 rows"),
        (&rows, &[0, 1, 1, 0], "4 labels for 3 rows"),
    ];
    for (rows, labels, words) in tables {
        assert_refused(silhouette_samples(rows, labels, Distance::Euclidean), words);
        assert_refused(silhouette_score_sampled(rows, labels, Distance::Euclidean, 2, 0), words);
        assert_refused(calinski_harabasz_score(rows, labels), words);
        assert_refused(davies_bouldin_score(rows, labels), words);
        assert_refused(compactness(rows, labels), words);
        assert_refused(separation(rows, labels), words);
        assert_refused(inertia(rows, labels, centroids.view()), words);
    }
    assert_refused(inertia(&rows, &[0, 2, 1], centroids.view()), "row 1 has label 2; there are 2 centroids");
    assert_refused(inertia(&rows, &[0, 1, 1], Array2::zeros((2, 3)).view()), "3 columns, the rows have 2");
    assert_refused(inertia(&rows, &[0, 1, 1], array![[0.0, 0.0], [f64::NAN, 0.0]].view()), "not finite");
    assert_refused(Contingency::new(&[], &[]), "no labels");
    assert_refused(Contingency::new(&[0, 1], &[0]), "there are 1 for 2 true labels");
}

#[test]
fn values_that_are_no_numbers_are_named_by_their_place() {
    let labels: Vec<u32> = (0..9000).map(|row| row % 2).collect();
    for bad in [f64::NAN, f64::INFINITY, -1e300] {
        let mut rows = Array2::zeros((9000, 2));
        (rows[[8000, 1]], rows[[8999, 0]]) = (bad, bad);
        let errors = [
            silhouette_score(&rows, &labels, Distance::Euclidean).unwrap_err(),
            calinski_harabasz_score(&rows, &labels).unwrap_err(),
            inertia(&rows, &labels, Array2::zeros((2, 2)).view()).unwrap_err(),
        ];
        for error in errors {
            let Error::Data { place, .. } = &error else { panic!("{error:?}") };
            assert_eq!((place.row, place.column), (Some(8000), Some(1)), "{error}");
        }
    }
}
