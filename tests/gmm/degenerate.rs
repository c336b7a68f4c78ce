//! Rows and settings at the edge: what a fit does there.

use crate::support::{cpu, from_rows, heaps, narrow, on_every_device, values};
use ndarray::{Array2, array};
use superstep::algorithms::gmm::{Matrices, Progress};
use superstep::{CovarianceType, GaussianMixture, MixtureInit};

const BOTH: [CovarianceType; 2] = [CovarianceType::Full, CovarianceType::Diagonal];

#[test]
fn rows_that_are_all_equal_have_the_regularisation_for_a_covariance() {
    let rows = Array2::from_elem((40, 3), 1234.5_f32);
    on_every_device(|session, name| {
        for covariance in BOTH {
            let model =
                GaussianMixture::new(2).covariance_type(covariance).reg_covar(0.25).session(session).fit(&rows)?;
            assert!(model.means().iter().all(|mean| *mean == 1234.5), "{name}, {covariance}: {:?}", model.means());
            let variances = values(model.covariances());
            assert!(
                variances.iter().all(|value| *value == 0.25 || *value == 0.0),
                "{name}, {covariance}: {variances:?}"
            );
            assert!((model.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12 && model.converged());
            // The density at the mean of three variances of a quarter.
            let known = -1.5 * (2.0 * std::f64::consts::PI * 0.25).ln();
            assert!((model.score(&rows)? - known).abs() < 1e-9, "{name}, {covariance}");
        }
        Ok(())
    });
}

#[test]
fn one_component_is_the_mean_and_the_covariance_of_the_rows() {
    let rows = heaps(700, 4, 3, 50.0);
    let mean = rows.mean_axis(ndarray::Axis(0)).unwrap();
    let centred = &rows - &mean;
    let covariance = centred.t().dot(&centred) / 700.0 + 1e-6 * Array2::<f64>::eye(4);
    on_every_device(|session, name| {
        let model = GaussianMixture::new(1).session(session).fit(&rows)?;
        assert!(model.converged() && model.iterations() == 2 && model.weights() == [1.0], "{name}");
        let Matrices::Full(found) = model.covariances() else { panic!("full") };
        for (at, known) in covariance.indexed_iter() {
            let found = found[(0, at.0, at.1)];
            assert!((found - known).abs() < 2e-6 * covariance[(0, 0)].abs().max(1.0), "{name}: {found} not {known}");
        }
        let off = (&model.means().row(0) - &mean).mapv(f64::abs).into_iter().fold(0.0, f64::max);
        assert!(off < 1e-6, "{name}: {off}");
        Ok(())
    });
}

#[test]
fn as_many_components_as_rows_take_one_row_each() {
    let rows = array![[0.0_f64, 0.0], [10.0, 0.0], [0.0, 20.0], [30.0, 30.0], [-40.0, 5.0]];
    on_every_device(|session, name| {
        for covariance in BOTH {
            let mixture = GaussianMixture::new(5).covariance_type(covariance).reg_covar(1.0).seed(1).session(session);
            let model = mixture.fit(&rows)?;
            let mut labels = model.predict(&rows)?;
            labels.sort_unstable();
            assert_eq!(labels, [0, 1, 2, 3, 4], "{name}, {covariance}");
            assert!(model.weights().iter().all(|weight| (weight - 0.2).abs() < 1e-6), "{name}: {:?}", model.weights());
        }
        Ok(())
    });
}

#[test]
fn more_components_than_distinct_rows_end_without_a_fault() {
    let rows = Array2::from_shape_fn((60, 2), |(row, column)| if row % 3 == column { 8.0_f32 } else { -1.0 });
    on_every_device(|session, name| {
        for covariance in BOTH {
            let model = GaussianMixture::new(5).covariance_type(covariance).session(session).fit(&rows)?;
            assert!(model.weights().iter().all(|weight| *weight >= 0.0), "{name}, {covariance}");
            assert!((model.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12, "{name}, {covariance}");
            assert!(model.score(&rows)?.is_finite() && values(model.covariances()).iter().all(|x| x.is_finite()));
        }
        Ok(())
    });
}

/// A component that no row is near keeps its mean, and the others take what there is.
#[test]
fn a_component_without_rows_stays_where_it_is() {
    let rows = heaps(300, 2, 2, 0.0);
    on_every_device(|session, name| {
        for covariance in BOTH {
            let one = |variance: f64| -> Matrices {
                if covariance == CovarianceType::Full {
                    let mut matrices = ndarray::Array3::zeros((2, 2, 2));
                    matrices.outer_iter_mut().for_each(|mut matrix| matrix.diag_mut().fill(variance));
                    Matrices::Full(matrices)
                } else {
                    Matrices::Diagonal(Array2::from_elem((2, 2), variance))
                }
            };
            let means = array![[0.0, 0.0], [1000.0, 500.0]];
            let init = MixtureInit::Given { weights: vec![0.5, 0.5], means, covariances: one(1.0) };
            let mixture = GaussianMixture::new(2).covariance_type(covariance).init(init).reg_covar(0.01);
            let model = mixture.max_iter(3).tol(0.0).session(session).fit(&rows)?;
            assert!(model.weights()[1] < 1e-12, "{name}: {:?}", model.weights());
            let mean = model.means().row(1).to_vec();
            assert!(
                (mean[0] - 1000.0).abs() < 1e-3 && (mean[1] - 500.0).abs() < 1e-3,
                "{name}, {covariance}: {mean:?}"
            );
            let alone =
                GaussianMixture::new(1).covariance_type(covariance).reg_covar(0.01).session(session).fit(&rows)?;
            assert!((model.score(&rows)? - alone.score(&rows)?).abs() < 1e-5, "{name}, {covariance}");
        }
        Ok(())
    });
}

/// The mean log-likelihood never falls, but for what f32 rounds of it.
#[test]
fn no_round_makes_the_rows_less_likely() {
    let rows = narrow(&heaps(2000, 3, 4, 0.0));
    on_every_device(|session, name| {
        for full in [true, false] {
            let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let to = told.clone();
            let mixture = from_rows(&rows, 4, full).tol(0.0).max_iter(25).session(session).progress(move |step| {
                if let Progress::Round { round, .. } = step {
                    to.lock().unwrap().push(round);
                }
            });
            let model = mixture.fit(&rows)?;
            assert!(model.trace().len() == 25 && model.trace()[0].change == f64::INFINITY);
            assert!(model.trace()[1..].iter().all(|round| round.change > -2e-6), "{name}: {:?}", model.trace());
            assert!(model.trace()[24].lower_bound > model.trace()[0].lower_bound + 0.01, "{name}");
            assert_eq!(*told.lock().unwrap(), model.trace(), "{name}");
        }
        Ok(())
    });
}

#[test]
fn columns_of_any_size_and_place_are_fitted_alike() {
    let rows = heaps(500, 2, 2, 0.0);
    on_every_device(|session, name| {
        let plain =
            from_rows(&narrow(&rows), 2, true).session(session).reg_covar(0.0).max_iter(6).tol(0.0).fit(&rows)?;
        for (scale, at) in [(1e-12, 0.0), (1e12, 0.0), (1.0, 1e8), (1e-3, 5.0)] {
            let moved = rows.mapv(|value| value * scale + at);
            let MixtureInit::Given { weights, means, covariances } = start(&narrow(&rows)) else { panic!("given") };
            let Matrices::Full(matrices) = covariances else { panic!("full") };
            let init = MixtureInit::Given {
                weights,
                means: means.mapv(|value| value * scale + at),
                covariances: Matrices::Full(matrices * (scale * scale)),
            };
            let mixture = GaussianMixture::new(2).init(init).session(session).reg_covar(0.0).max_iter(6).tol(0.0);
            let model = mixture.fit(&moved)?;
            let off = plain.weights().iter().zip(model.weights()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-5, "{name}, {scale}, {at}: weights off by {off}");
            let lower = model.lower_bound() + 2.0 * scale.ln();
            assert!((lower - plain.lower_bound()).abs() < 1e-5, "{name}, {scale}, {at}: {lower}");
        }
        Ok(())
    });
}

fn start(rows: &Array2<f32>) -> MixtureInit {
    let means = Array2::from_shape_fn((2, 2), |(component, column)| f64::from(rows[(component * 7, column)]));
    let mut matrices = ndarray::Array3::from_elem((2, 2, 2), 0.1);
    matrices.outer_iter_mut().for_each(|mut matrix| matrix.diag_mut().fill(2.0));
    MixtureInit::Given { weights: vec![0.5; 2], means, covariances: Matrices::Full(matrices) }
}

#[test]
fn a_fit_that_is_interrupted_ends_with_the_round_that_runs() -> superstep::Result<()> {
    let rows = narrow(&heaps(2000, 3, 4, 0.0));
    for full in [true, false] {
        let session = cpu();
        let flag = session.clone();
        let mixture = from_rows(&rows, 4, full).tol(0.0).max_iter(25).session(&session).progress(move |step| {
            if matches!(step, Progress::Round { round, .. } if round.iteration == 3) {
                flag.interrupt();
            }
        });
        let model = mixture.fit(&rows)?;
        assert!(model.interrupted() && !model.converged() && model.warnings().is_empty());
        assert!((3..=4).contains(&model.iterations()), "{} rounds", model.iterations());
        let known = from_rows(&rows, 4, full).tol(0.0).max_iter(model.iterations()).session(&cpu()).fit(&rows)?;
        assert_eq!((model.means(), model.lower_bound()), (known.means(), known.lower_bound()));
    }
    Ok(())
}

#[test]
fn a_component_that_collapses_without_regularisation_is_a_fault_that_says_so() {
    let rows = array![[0.0_f64, 0.0], [0.0, 0.0], [9.0, 9.0], [9.0, 9.0]];
    for covariance in BOTH {
        let mixture = GaussianMixture::new(2).covariance_type(covariance).reg_covar(0.0).session(&cpu());
        let message = mixture.fit(&rows).expect_err("two points").to_string();
        assert!(message.contains("ill-defined covariances") && message.contains("reg_covar"), "{message}");
    }
}
