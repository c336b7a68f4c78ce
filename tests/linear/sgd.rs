//! Stochastic gradient descent: near the minimum of scikit-learn's solvers, and with the same bits however it is run.

use crate::agreement::{Case, linear, logistic};
use crate::support::{alone, assert_same, assert_same_line, cpu, on_every_device, session, table};
use crate::threads::on_ranks;
use ndarray::Array2;
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{
    LearningRate, LinearRegression, LinearRegressionModel, LogisticRegression, LogisticRegressionModel, Result,
    Session, Solver,
};

/// What the fixture's case comes to with so many epochs of 16 rows a step.
fn fit_logistic(case: &Case, session: &Session, epochs: u32) -> Result<LogisticRegressionModel> {
    let fit = logistic(case, session).solver(Solver::Sgd).batch_size(16).seed(1).tol(0.0).max_iter(epochs);
    let dataset = fit.dataset(&case.rows)?;
    match &case.weights {
        Some(weights) => fit.fit_dataset(&dataset.with_weights(weights.clone())?, &case.targets),
        None => fit.fit_dataset(&dataset, &case.targets),
    }
}

fn fit_linear(case: &Case, session: &Session, epochs: u32) -> Result<LinearRegressionModel> {
    let fit = linear(case, session).solver(Solver::Sgd).batch_size(16).seed(1).tol(0.0).max_iter(epochs);
    let dataset = fit.dataset(&case.rows)?;
    match &case.weights {
        Some(weights) => fit.fit_dataset(&dataset.with_weights(weights.clone())?, &case.targets),
        None => fit.fit_dataset(&dataset, &case.targets),
    }
}

/// Whether each coefficient that was found to be 0 is 0 at the minimum.
fn holds_only_zeros(found: &Array2<f64>, case: &Case) -> bool {
    found.iter().zip(&case.coefficients).all(|(found, known)| *found != 0.0 || *known == 0.0)
}

#[test]
fn logistic_models_come_near_those_of_scikit_learn() -> Result<()> {
    let cases = Case::all("logistic");
    // Those whose objective is bent enough in all directions that a hundred epochs suffice.
    let near = ["weights, a strong penalty", "far from zero", "lasso", "four classes", "four classes, weights"];
    let near =
        [&near[..], &["four classes, elastic net", "overlapping classes, no penalty", "a constant column"]].concat();
    assert_eq!(cases.iter().filter(|case| near.contains(&case.name())).count(), near.len());
    for case in &cases {
        let model = fit_logistic(case, &cpu(), 100)?;
        if near.contains(&case.name()) {
            case.check(model.coefficients(), model.intercepts(), 4e-2, "100 epochs");
        }
        let best = logistic(case, &cpu());
        let dataset = best.dataset(&case.rows)?;
        let dataset = match &case.weights {
            Some(weights) => dataset.with_weights(weights.clone())?,
            None => dataset,
        };
        let [found, least] = [&model, &best.fit_dataset(&dataset, &case.targets)?]
            .map(|model| model.trace().last().expect("there were rounds").loss);
        assert!(found > least - 1e-6 && found < least + 3e-3, "{}: {found}, and {least} can be had", case.name());
        if case.number("l1_ratio") > 0.0 {
            assert!(holds_only_zeros(model.coefficients(), case), "{}", case.name());
        }
        if case.name() == "lasso" {
            let zeros = |of: &Array2<f64>| of.iter().map(|w| *w == 0.0).collect::<Vec<_>>();
            assert_eq!(zeros(model.coefficients()), zeros(&case.coefficients));
        }
    }
    Ok(())
}

#[test]
fn regressions_come_near_those_of_scikit_learn() -> Result<()> {
    let near = ["ridge", "ridge, weights", "lasso", "elastic net, weights", "columns and targets of other sizes"];
    let cases = Case::all("linear");
    for case in cases.iter().filter(|case| near.contains(&case.name()) || case.name() == "one column") {
        let model = fit_linear(case, &cpu(), 100)?;
        let coefficients = Array2::from_shape_vec((1, model.columns()), model.coefficients().to_vec()).expect("a row");
        case.check(&coefficients, &[model.intercept()], 4e-2, "100 epochs");
        if case.number("l1_ratio") > 0.0 {
            assert!(holds_only_zeros(&coefficients, case), "{}", case.name());
        }
    }
    Ok(())
}

/// Binary, with weights, of several classes, and with a penalty on magnitudes: on devices, too.
#[test]
fn every_device_comes_near_in_few_epochs() {
    let wanted = ["weights, a strong penalty", "lasso", "four classes", "four classes, elastic net"];
    on_every_device(|session, name| {
        for case in Case::all("logistic").iter().filter(|case| wanted.contains(&case.name())) {
            let model = fit_logistic(case, session, 30)?;
            case.check(model.coefficients(), model.intercepts(), 8e-2, name);
        }
        for case in Case::all("linear").iter().filter(|case| case.name() == "lasso") {
            let model = fit_linear(case, session, 30)?;
            let coefficients = Array2::from_shape_vec((1, model.columns()), model.coefficients().to_vec());
            case.check(&coefficients.expect("a row"), &[model.intercept()], 4e-2, name);
        }
        Ok(())
    });
}

fn classes_by_sgd() -> LogisticRegression {
    LogisticRegression::new().c(2.0).solver(Solver::Sgd).batch_size(700).max_iter(3).seed(5)
}

fn line_by_sgd() -> LinearRegression {
    LinearRegression::new().alpha(0.01).l1_ratio(0.5).solver(Solver::Sgd).batch_size(300).max_iter(3)
}

#[test]
fn neither_threads_nor_partitions_nor_devices_of_a_kind_change_a_bit() -> Result<()> {
    let (rows, targets, classes) = table(3001, 9, 3);
    let one = session(OneDevice::Cpu, 1, 1);
    let expected = classes_by_sgd().session(&one).fit(&rows, &classes)?;
    let line = line_by_sgd().session(&one).fit(&rows, &targets)?;
    assert_same(&classes_by_sgd().session(&one).fit(&rows, &classes)?, &expected, "again");
    for (threads, partitions) in [(2, 1), (4, 3), (2, 40)] {
        let case = format!("{threads} threads, {partitions} partitions");
        let session = session(OneDevice::Cpu, threads, partitions);
        assert_same(&classes_by_sgd().session(&session).fit(&rows, &classes)?, &expected, &case);
        assert_same_line(&line_by_sgd().session(&session).fit(&rows, &targets)?, &line, &case);
    }
    let three = Session::builder().device(DeviceChoice::These(vec![OneDevice::Cpu; 3])).threads(2).build()?;
    assert_same(&classes_by_sgd().session(&three).fit(&rows, &classes)?, &expected, "three devices");
    Ok(())
}

#[test]
fn two_fits_and_more_partitions_of_an_adapter_give_the_same_bits() -> Result<()> {
    let (rows, _, classes) = table(1700, 6, 3);
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let on = |partitions| session(OneDevice::Adapter(adapter), 2, partitions);
        let expected = classes_by_sgd().session(&on(1)).fit(&rows, &classes)?;
        for partitions in [1, 3] {
            let model = classes_by_sgd().session(&on(partitions)).fit(&rows, &classes)?;
            assert_same(&model, &expected, &format!("gpu:{adapter}, {partitions} partitions"));
        }
    }
    Ok(())
}

/// Batches that one rank has whole, and such as are shared out among them.
#[test]
fn two_and_three_ranks_find_what_one_finds() {
    let rows_in_all = 3 * 4096 + 777;
    let (rows, _, classes) = table(rows_in_all, 4, 3);
    let weights: Vec<f32> = (0..rows_in_all).map(|row| (row % 7) as f32 * 0.25).collect();
    for batch in [2000, 9000] {
        let on = |size: usize| {
            let models = on_ranks(size, |collective| {
                let builder = Session::builder().device("cpu".parse()?).threads(1).partitions(2);
                let fit = classes_by_sgd().batch_size(batch).session(&builder.collective(collective).build()?);
                fit.fit_dataset(&fit.dataset(&rows)?.with_weights(weights.clone())?, &classes)
            });
            let mut models: Vec<_> = models.into_iter().map(|model| model.expect("nothing fails")).collect();
            for (rank, model) in models.iter().enumerate() {
                assert_same(model, &models[0], &format!("rank {rank} of {size}"));
            }
            models.remove(0)
        };
        let one = on(1);
        for size in [2, 3, 5] {
            assert_same(&on(size), &one, &format!("{size} ranks, batches of {batch}"));
        }
    }
}

#[test]
fn the_seed_the_batch_and_the_schedule_are_obeyed() -> Result<()> {
    let (rows, _, classes) = table(600, 4, 2);
    let fit = || LogisticRegression::new().solver(Solver::Sgd).batch_size(32).max_iter(4).session(&cpu());
    let of = |fit: LogisticRegression| fit.fit(&rows, &classes).map(|model| model.coefficients().clone());
    let expected = of(fit())?;
    for (other, what) in [
        (fit().seed(1), "seed"),
        (fit().batch_size(33), "batch"),
        (fit().learning_rate(LearningRate::Constant), "schedule"),
        (fit().learning_rate(LearningRate::InverseScaling(1.0)), "power"),
        (fit().eta0(0.01), "first step"),
    ] {
        assert_ne!(of(other)?, expected, "{what}");
    }
    // Steps that get shorter by a power of 0 do not.
    let constant = of(fit().learning_rate(LearningRate::Constant))?;
    assert_eq!(of(fit().learning_rate(LearningRate::InverseScaling(0.0)))?, constant);
    Ok(())
}

/// One step of one batch of all rows is one of gradient descent, by the definition in f64.
#[test]
fn a_step_goes_against_the_gradient_of_its_batch() -> Result<()> {
    let (rows, targets, _) = table(400, 3, 2);
    // Columns and targets with a mean of 0 and a deviation near 1, which are not scaled.
    let columns = Array2::from_shape_fn((400, 3), |(row, column)| {
        f64::from(rows[(row / 2, column)]) * if row % 2 == 0 { 1.6 } else { -1.6 }
    });
    let values: Vec<f64> =
        (0..400).map(|row| f64::from(targets[row / 2] - 4.0) * if row % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let fit =
        LinearRegression::new().alpha(0.2).l1_ratio(0.5).solver(Solver::Sgd).batch_size(400).eta0(0.25).max_iter(1);
    let model = fit.session(&cpu()).fit(&columns, &values)?;
    // The mean of the one point there is, 0, and a step from there: as long as the rows allow it.
    let product = |column: usize| columns.column(column).iter().zip(&values).map(|(x, y)| x * y).sum::<f64>() / 400.0;
    let g: Vec<f64> = (0..3).map(product).collect();
    let cut: Vec<f64> = g.iter().map(|g| g.signum() * (g.abs() - 0.1).max(0.0)).collect();
    let length = model.coefficients()[0] / cut[0];
    assert!(length > 0.1 && length < 1.5, "{length}");
    for (found, expected) in model.coefficients().iter().zip(&cut) {
        assert!((found - length * expected).abs() < 1e-6, "{found} is not {length} times {expected}");
    }
    Ok(())
}

#[test]
fn the_trace_has_the_epochs_and_ends_with_the_loss_of_the_model() -> Result<()> {
    let (rows, _, classes) = table(900, 6, 3);
    let fit = LogisticRegression::new().c(0.7).solver(Solver::Sgd).batch_size(50).session(&cpu());
    let model = fit.fit(&rows, &classes)?;
    assert!(model.converged() && model.warnings().is_empty(), "{:?}", model.trace().last());
    let (trace, epochs) = (model.trace(), model.iterations());
    assert!(epochs > 5 && epochs < 100 && trace.len() == epochs as usize);
    assert!(trace.iter().zip(1..).all(|(round, epoch)| round.iteration == epoch));
    // A pass for each, and one for what the model comes to.
    assert_eq!((model.evaluations(), trace[0].evaluations), (epochs + 1, 1));
    let probabilities = model.predict_proba(&rows)?;
    let lost: f64 = classes.iter().enumerate().map(|(row, class)| -probabilities[(row, *class as usize)].ln()).sum();
    let squares: f64 = model.coefficients().iter().map(|w| w * w).sum();
    let expected = (lost + 0.5 * squares / 0.7) / 900.0;
    let found = trace.last().expect("epochs").loss;
    assert!((found - expected).abs() < 2e-6, "{found} is not {expected}");

    let early = fit.clone().max_iter(2).fit(&rows, &classes)?;
    assert!(!early.converged() && early.iterations() == 2 && early.warnings()[0].contains("2 epochs"));
    let whole = fit.max_iter(20).tol(0.0).fit(&rows, &classes)?;
    assert!(whole.iterations() == 20 && whole.warnings().is_empty());
    Ok(())
}

#[test]
fn steps_that_are_too_long_end_in_an_error_that_says_so() {
    let (rows, targets, _) = table(300, 3, 2);
    let fit = LinearRegression::new().solver(Solver::Sgd).batch_size(10).eta0(1e4).session(&cpu());
    let message = fit.fit(&rows, &targets).expect_err("it runs away").to_string();
    assert!(message.contains("eta0") && message.contains("1.000e4") && message.contains("smaller"), "{message}");
}
