//! What is refused, and in which words.

use crate::support::{cpu, error_of, noise, on_every_device};
use ndarray::{Array2, array};
use superstep::{Error, Init, KMeans, Metric, Result};

fn assert_says(error: &Error, words: &[&str], case: &str) {
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{case}: {message:?} does not say {word:?}");
    }
}

#[test]
fn values_that_are_not_finite_are_named_by_row_and_column() {
    on_every_device(|session, name| {
        for metric in [Metric::Euclidean, Metric::Cosine, Metric::CityBlock] {
            for (bad, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
                let mut points = noise(5000, 3, 81);
                points[(4321, 2)] = bad;
                let case = format!("{name}, {metric}, {bad}");
                let kmeans = KMeans::new(3).metric(metric).session(session);
                let error = error_of(kmeans.fit(&points), &case);
                assert!(matches!(error, Error::Data { .. }), "{case}: {error:?}");
                assert_says(&error, &["row 4321", "column 2", word], &case);
                let model = kmeans.max_iter(1).fit(&noise(10, 3, 82))?;
                assert_says(&error_of(model.predict(&points), &case), &["row 4321", "column 2"], &case);
                assert_says(&error_of(model.transform(&points), &case), &["row 4321", "column 2"], &case);
                assert_says(&error_of(model.score(&points), &case), &["row 4321", "column 2"], &case);
            }
        }
        Ok(())
    });
}

#[test]
fn values_beyond_an_f32_are_refused() {
    let points = array![[0.0, 1.0], [1e300, 2.0], [3.0, 4.0]];
    let error = error_of(KMeans::new(2).session(cpu()).fit(&points), "1e300");
    assert_says(&error, &["row 1", "column 0"], "1e300");
}

#[test]
fn the_largest_values_of_an_f32_do_no_harm() -> Result<()> {
    let big = f32::MAX / 4.0;
    let points = array![[big, 0.0], [-big, 0.0], [big, 1.0], [-big, 1.0]];
    for metric in [Metric::Euclidean, Metric::CityBlock, Metric::Cosine] {
        // Squared distances are beyond an f32: an error or the right labels, but neither a panic nor nonsense.
        if let Ok(model) = KMeans::new(2).metric(metric).session(cpu()).fit(&points) {
            let labels = model.labels();
            assert!(labels[0] == labels[2] && labels[1] == labels[3] && labels[0] != labels[1], "{metric}: {labels:?}");
        }
    }
    Ok(())
}

#[test]
fn tables_without_rows_or_columns_are_refused() {
    for shape in [(0, 3), (4, 0), (0, 0)] {
        let error = error_of(KMeans::new(1).session(cpu()).fit(&Array2::<f32>::zeros(shape)), &format!("{shape:?}"));
        assert!(matches!(error, Error::Data { .. }), "{shape:?}: {error:?}");
    }
}

#[test]
fn settings_that_cannot_be_obeyed_are_named() {
    let centroids = |rows, columns| Init::Centroids(Array2::zeros((rows, columns)));
    let kmeans = || KMeans::new(3).session(cpu());
    let nan = Init::Centroids(array![[0.0, 0.0], [0.0, f64::NAN], [1.0, 1.0]]);
    let cases: [(&str, KMeans, &[&str]); 13] = [
        ("no clusters", KMeans::new(0).session(cpu()), &["k:", "1 or more"]),
        ("n < k", KMeans::new(11).session(cpu()), &["n_samples=10 should be >= n_clusters=11"]),
        ("no rounds", kmeans().max_iter(0), &["max_iter"]),
        ("no starts", kmeans().n_init(0), &["n_init"]),
        ("a tolerance below 0", kmeans().tol(-1.0), &["tol"]),
        ("a tolerance of nothing", kmeans().tol(f64::NAN), &["tol"]),
        ("an endless tolerance", kmeans().tol(f64::INFINITY), &["tol"]),
        ("too few centroids", kmeans().init(centroids(2, 2)), &["init", "2 × 2", "3 × 2"]),
        ("centroids too wide", kmeans().init(centroids(3, 4)), &["init", "3 × 4", "3 × 2"]),
        ("centroids of nothing", kmeans().init(nan), &["init", "NaN", "row 1", "column 1"]),
        ("centroids beyond f32", kmeans().init(Init::Centroids(Array2::from_elem((3, 2), 1e300))), &["f32"]),
        ("cosine of zero centroids", kmeans().metric(Metric::Cosine).init(centroids(3, 2)), &["row 0", "zeros"]),
        ("a start off the Earth", earth(Array2::from_elem((3, 2), 91.0)), &["row 0", "latitudes"]),
    ];
    for (case, kmeans, words) in cases {
        assert_says(&error_of(kmeans.fit(&noise(10, 2, 83)), case), words, case);
    }
}

fn earth(start: Array2<f64>) -> KMeans {
    KMeans::new(3).metric(Metric::Haversine).init(Init::Centroids(start)).session(cpu())
}

#[test]
fn rows_a_metric_has_no_value_for_are_named() -> Result<()> {
    let mut points = noise(50, 2, 84);
    points.row_mut(17).fill(0.0);
    let kmeans = KMeans::new(2).metric(Metric::Cosine).session(cpu());
    let error = error_of(kmeans.fit(&points), "a zero row");
    assert_says(&error, &["row 17", "all zeros", "cosine"], "a zero row");
    let model = kmeans.fit(&noise(50, 2, 85))?;
    assert_says(&error_of(model.predict(&points), "a zero row"), &["row 17"], "predict");

    let kmeans = KMeans::new(2).metric(Metric::Haversine).session(cpu());
    for (place, case) in
        [([91.0, 0.0], "latitude 91"), ([-90.5, 3.0], "latitude -90.5"), ([0.0, 400.0], "longitude 400")]
    {
        let mut places = noise(20, 2, 86);
        places.row_mut(5).assign(&ndarray::aview1(&place));
        assert_says(&error_of(kmeans.fit(&places), case), &["row 5", "latitudes lie in -90..90"], case);
    }
    let error = error_of(kmeans.fit(&noise(20, 3, 87)), "three columns");
    assert_says(&error, &["metric", "2 columns", "there are 3"], "three columns");
    Ok(())
}

#[test]
fn a_table_of_another_width_is_refused_by_the_model() -> Result<()> {
    let model = KMeans::new(2).session(cpu()).fit(&noise(20, 3, 88))?;
    let wider = noise(5, 4, 89);
    let said = ["it has 4 columns, but the model is expecting 3"];
    assert_says(&error_of(model.predict(&wider), "predict"), &said, "predict");
    assert_says(&error_of(model.transform(&wider), "transform"), &said, "transform");
    assert_says(&error_of(model.score(&wider), "score"), &said, "score");
    assert_says(&error_of(model.distances(&wider, &[0; 5]), "distances"), &said, "distances");
    assert_says(&error_of(model.predict_row(&[1.0, 2.0]), "one row"), &["2 columns", "expecting 3"], "one row");
    assert_says(&error_of(model.predict_row(&[]), "no value"), &["expecting 3"], "no value");
    let narrow = noise(5, 3, 90);
    assert_says(&error_of(model.distances(&narrow, &[0; 4]), "labels"), &["4 labels for 5 rows"], "too few labels");
    assert_says(&error_of(model.distances(&narrow, &[2; 5]), "labels"), &["labels"], "labels that are no cluster");
    Ok(())
}

#[test]
fn more_clusters_than_rows_with_weight_are_refused() -> Result<()> {
    let points = noise(6, 2, 91);
    for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
        let kmeans = KMeans::new(3).init(init.clone()).session(cpu());
        let dataset = kmeans.dataset(&points)?.with_weights(vec![0.0_f32, 1.0, 0.0, 0.0, 2.0, 0.0])?;
        // A start may also repeat a row, which is then a warning.
        match kmeans.fit_dataset(&dataset) {
            Ok(model) => assert!(!model.warnings().is_empty(), "{init}"),
            Err(error) => assert_says(&error, &["2 rows have a weight above 0", "n_clusters=3"], &init.to_string()),
        }
    }
    Ok(())
}
