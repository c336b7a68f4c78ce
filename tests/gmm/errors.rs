//! What is refused, and in which words.

use crate::support::{cpu, heaps};
use ndarray::{Array2, Array3, array};
use superstep::algorithms::gmm::Matrices;
use superstep::data::Dataset;
use superstep::{CovarianceType, GaussianMixture, GaussianMixtureModel, MixtureInit, Result};

fn message(result: Result<GaussianMixtureModel>, case: &str) -> String {
    match result {
        Ok(_) => panic!("{case}: no error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn settings_that_cannot_be_obeyed_are_refused() {
    let rows = heaps(9, 2, 2, 0.0);
    let mixture = |components| GaussianMixture::new(components).session(&cpu());
    let cases = [
        (mixture(0), "n_components=0"),
        (mixture(10), "n_samples=9 should be >= n_components=10"),
        (mixture(2).tol(-1.0), "tol"),
        (mixture(2).tol(f64::NAN), "tol"),
        (mixture(2).reg_covar(-1e-6), "reg_covar"),
        (mixture(2).reg_covar(f64::INFINITY), "reg_covar"),
        (mixture(2).max_iter(0), "max_iter"),
        (mixture(2).n_init(0), "n_init"),
    ];
    for (mixture, expected) in cases {
        let message = message(mixture.fit(&rows), expected);
        assert!(message.contains(expected), "{message}");
    }
    let one = message(mixture(1).fit(&rows.slice(ndarray::s![..1, ..])), "one row");
    assert!(one.contains("2 rows or more"), "{one}");
    assert!("tied".parse::<CovarianceType>().is_err_and(|error| error.to_string().contains("full and diag")));
}

#[test]
fn starts_that_are_none_are_refused() {
    let rows = heaps(20, 2, 2, 0.0);
    let good = || (vec![0.5, 0.5], array![[0.0, 0.0], [1.0, 1.0]], Matrices::Diagonal(Array2::from_elem((2, 2), 1.0)));
    let full = |values: [f64; 4]| Matrices::Full(Array3::from_shape_fn((2, 2, 2), |(_, i, j)| values[2 * i + j]));
    let refused = |(weights, means, covariances): (Vec<f64>, Array2<f64>, Matrices), covariance, expected: &str| {
        let init = MixtureInit::Given { weights, means, covariances };
        let mixture = GaussianMixture::new(2).covariance_type(covariance).init(init).session(&cpu());
        let message = message(mixture.fit(&rows), expected);
        assert!(message.contains(expected), "{message}");
    };
    let (diagonal, (weights, means, variances)) = (CovarianceType::Diagonal, good());
    refused(good(), CovarianceType::Full, "the covariances are diag, and the mixture is to be full");
    refused((vec![1.0], means.clone(), variances.clone()), diagonal, "give 2 weights");
    refused((weights.clone(), array![[0.0], [1.0]], variances.clone()), diagonal, "2 × 2 means");
    let narrow = Matrices::Diagonal(Array2::from_elem((2, 3), 1.0));
    refused((weights.clone(), means.clone(), narrow), diagonal, "2 × 2 means");
    refused((vec![0.5, 0.6], means.clone(), variances.clone()), diagonal, "add up to 1.1");
    refused((vec![1.0, 0.0], means.clone(), variances.clone()), diagonal, "above 0");
    refused((vec![f64::NAN, 1.0], means.clone(), variances), diagonal, "above 0");
    let zero = Matrices::Diagonal(array![[1.0, 1.0], [1.0, 0.0]]);
    refused((weights.clone(), means.clone(), zero), diagonal, "not positive definite");
    for (values, words) in [
        ([1.0, 2.0, 2.0, 1.0], "not positive definite"),
        ([1.0, 0.5, 0.4, 1.0], "not symmetric"),
        ([1.0, f64::NAN, f64::NAN, 1.0], "not finite numbers"),
    ] {
        refused((weights.clone(), means.clone(), full(values)), CovarianceType::Full, words);
    }
}

#[test]
fn values_that_are_no_numbers_are_named_by_their_place() -> Result<()> {
    let mixture = GaussianMixture::new(2).session(&cpu());
    let model = mixture.fit(&heaps(30, 3, 2, 0.0))?;
    for value in [f64::NAN, f64::INFINITY] {
        let mut rows = heaps(30, 3, 2, 0.0);
        rows[(17, 2)] = value;
        let told = [
            message(mixture.fit(&rows), "a value"),
            model.predict(&rows).expect_err("a value").to_string(),
            model.score(&rows).expect_err("a value").to_string(),
        ];
        assert!(told.iter().all(|told| told.contains("row 17, column 2")), "{told:?}");
    }
    Ok(())
}

#[test]
fn weights_and_tables_of_another_width_are_refused() -> Result<()> {
    let rows = heaps(30, 3, 2, 0.0);
    let mixture = GaussianMixture::new(2).session(&cpu());
    let weighted = Dataset::new(&rows)?.with_weights(vec![1.0_f32; 30])?;
    let told = message(mixture.fit_dataset(&weighted), "weights");
    assert!(told.contains("weights"), "{told}");
    let model = mixture.fit(&rows)?;
    for columns in [2, 4] {
        let told = model.predict_proba(&Array2::<f32>::zeros((2, columns))).expect_err("another width").to_string();
        assert!(told.contains(&format!("{columns} columns")) && told.contains("expecting 3"), "{told}");
    }
    assert!(model.predict_row(&[1.0]).is_err() && model.score(&Array2::<f32>::zeros((0, 3))).is_err());
    Ok(())
}

#[test]
fn memory_that_does_not_hold_the_sums_is_refused_before_the_work() -> Result<()> {
    let session = superstep::Session::builder().device("cpu".parse()?).memory(50_000).build()?;
    let told = message(GaussianMixture::new(3).session(&session).fit(&heaps(500, 40, 3, 0.0)), "50,000 bytes");
    assert!(told.contains("sums take"), "{told}");
    Ok(())
}
