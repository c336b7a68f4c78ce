//! What is refused, and in which words.

use crate::support::{cpu, table};
use ndarray::Array2;
use superstep::data::Dataset;
use superstep::{LearningRate, LinearRegression, LogisticRegression, Result, Solver};

#[track_caller]
fn refused<T>(result: Result<T>, expected: &str) {
    let Err(error) = result else { panic!("{expected}: no error") };
    assert!(error.to_string().contains(expected), "{error} does not say {expected}");
}

#[test]
fn settings_that_cannot_be_obeyed_are_refused() {
    let (rows, targets, classes) = table(30, 3, 2);
    let (logistic, linear) = (|| LogisticRegression::new().session(&cpu()), || LinearRegression::new().session(&cpu()));
    for (model, expected) in [
        (logistic().c(0.0), "above 0"),
        (logistic().c(f64::NAN), "above 0"),
        (logistic().l1_ratio(1.5), "l1_ratio"),
        (logistic().tol(-1.0), "tol"),
        (logistic().max_iter(0), "max_iter"),
        (logistic().l1_ratio(0.5).solver(Solver::Lbfgs), "take OwlQn"),
        (logistic().l1_ratio(0.5).solver(Solver::GradientDescent), "take OwlQn"),
        (logistic().solver(Solver::Sgd).batch_size(0), "batch_size"),
        (logistic().solver(Solver::Sgd).eta0(0.0), "eta0"),
        (logistic().solver(Solver::Sgd).eta0(f64::NAN), "eta0"),
        (logistic().solver(Solver::Sgd).learning_rate(LearningRate::InverseScaling(-0.5)), "learning_rate"),
    ] {
        refused(model.fit(&rows, &classes), expected);
    }
    for (model, expected) in [(linear().alpha(-1.0), "alpha"), (linear().alpha(f64::INFINITY), "alpha")] {
        refused(model.fit(&rows, &targets), expected);
    }
}

#[test]
fn targets_that_fit_nothing_are_refused() -> Result<()> {
    let (rows, mut targets, mut classes) = table(30, 3, 2);
    let (logistic, linear) = (LogisticRegression::new().session(&cpu()), LinearRegression::new().session(&cpu()));
    refused(logistic.fit(&rows, &vec![4.0_f32; 30]), "one class, 4");
    refused(logistic.fit(&rows, &classes[..29].to_vec()), "29 × 1");
    refused(linear.fit(&rows, &Array2::<f32>::zeros((30, 2))), "30 × 2");
    let many: Vec<f64> = (0..5000).map(f64::from).collect();
    refused(logistic.fit(&Array2::<f32>::zeros((5000, 1)), &many), "regression");
    (classes[7], targets[8]) = (f32::NAN, f32::INFINITY);
    refused(logistic.fit(&rows, &classes), "row 7");
    refused(linear.fit(&rows, &targets), "row 8");
    let (mut rows, targets, _) = table(30, 3, 2);
    rows[(4, 2)] = f32::NAN;
    refused(linear.fit(&rows, &targets), "row 4, column 2");
    Ok(())
}

#[test]
fn weights_of_nothing_and_tables_of_another_width_are_refused() -> Result<()> {
    let (rows, targets, classes) = table(30, 3, 2);
    let logistic = LogisticRegression::new().session(&cpu());
    refused(Dataset::new(&rows)?.with_weights(vec![0.0_f32; 30]), "zero");
    let model = logistic.fit(&rows, &classes)?;
    for columns in [2, 4] {
        refused(model.predict(&Array2::<f32>::zeros((2, columns))), "expecting 3");
    }
    refused(model.predict_row(&[1.0, f64::NAN, 0.0]), "not a finite number");
    refused(model.score(&rows, &classes[1..].to_vec()), "29 × 1");
    let line = LinearRegression::new().session(&cpu()).fit(&rows, &targets)?;
    refused(line.score(&Array2::<f32>::zeros((0, 3)), &Vec::<f32>::new()), "0 × 1");
    Ok(())
}

#[test]
fn memory_that_does_not_hold_the_sums_is_refused_before_the_work() -> Result<()> {
    let (rows, _, classes) = table(50, 40, 2);
    let session = superstep::Session::builder().device("cpu".parse()?).memory(1000).build()?;
    refused(LogisticRegression::new().session(&session).fit(&rows, &classes), "sums take");
    Ok(())
}
