//! What the objective is, and what holds whatever the data.

use crate::support::{cpu, on_every_device, table};
use ndarray::{Array2, Axis};
use superstep::{LinearRegression, LogisticRegression, Result};

/// The trace's objective at the end, from the coefficients alone.
#[test]
fn the_loss_of_the_last_step_is_that_of_the_model() {
    let (rows, targets, classes) = table(900, 6, 3);
    on_every_device(|session, name| {
        let c = 0.7;
        let model = LogisticRegression::new().c(c).session(session).fit(&rows, &classes)?;
        let probabilities = model.predict_proba(&rows)?;
        let lost: f64 =
            classes.iter().enumerate().map(|(row, class)| -probabilities[(row, *class as usize)].ln()).sum();
        let squares: f64 = model.coefficients().iter().map(|w| w * w).sum();
        let expected = (lost + 0.5 * squares / c) / 900.0;
        let found = model.trace().last().unwrap().loss;
        assert!((found - expected).abs() < 2e-6, "{name}: {found} is not {expected}");

        let model = LinearRegression::new().alpha(0.1).l1_ratio(0.4).session(session).fit(&rows, &targets)?;
        let predicted = model.predict(&rows)?;
        let lost: f64 = predicted.iter().zip(&targets).map(|(z, y)| (z - f64::from(*y)).powi(2)).sum();
        let w = model.coefficients();
        let penalty = 0.4 * w.iter().map(|w| w.abs()).sum::<f64>() + 0.3 * w.iter().map(|w| w * w).sum::<f64>();
        let expected = lost / 1800.0 + 0.1 * penalty;
        let found = model.trace().last().unwrap().loss;
        assert!((found - expected).abs() < 2e-6, "{name}: {found} is not {expected}");
        Ok(())
    });
}

#[test]
fn steps_go_down_and_the_trace_says_how() {
    let (rows, _, classes) = table(2000, 8, 2);
    on_every_device(|session, name| {
        let model = LogisticRegression::new().session(session).fit(&rows, &classes)?;
        let trace = model.trace();
        assert!(model.converged() && model.iterations() > 3, "{name}: {trace:?}");
        // Devices sum 256 losses in f32, which here are equal and so all rounded to one side.
        assert!((trace[0].loss - 2.0_f64.ln()).abs() < 5e-6 && trace[0].iteration == 0, "{name}: {trace:?}");
        assert!(trace.windows(2).all(|pair| pair[1].loss < pair[0].loss * 1.000_008), "{name}: {trace:?}");
        assert!(trace.windows(2).all(|pair| pair[1].evaluations > pair[0].evaluations), "{name}");
        assert_eq!(trace.last().map(|round| round.iteration), Some(model.iterations()), "{name}");
        assert!(trace.last().unwrap().gradient <= 1e-4, "{name}");
        assert!(model.score(&rows, &classes)? > 0.85, "{name}");
        Ok(())
    });
}

/// A weight of 2 is a row that is there twice, and one of 0 a row that is not there.
#[test]
fn whole_weights_are_rows_that_are_repeated() {
    let (rows, targets, classes) = table(400, 4, 3);
    let weights: Vec<f32> = (0..400).map(|row| (row % 3) as f32).collect();
    let repeated: Vec<usize> = (0..400).flat_map(|row| vec![row; row % 3]).collect();
    let rows_of = |values: &[f32]| repeated.iter().map(|row| values[*row]).collect::<Vec<f32>>();
    on_every_device(|session, name| {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4, "{name}: {a} is not {b}");
        let fit = LogisticRegression::new().tol(1e-6).session(session);
        let weighted = fit.fit_dataset(&fit.dataset(&rows)?.with_weights(weights.clone())?, &classes)?;
        let alone = fit.fit(&rows.select(Axis(0), &repeated), &rows_of(&classes))?;
        weighted.coefficients().iter().zip(alone.coefficients()).for_each(|(a, b)| near(*a, *b));

        let fit = LinearRegression::new().alpha(0.01).tol(1e-6).session(session);
        let weighted = fit.fit_dataset(&fit.dataset(&rows)?.with_weights(weights.clone())?, &targets)?;
        let alone = fit.fit(&rows.select(Axis(0), &repeated), &rows_of(&targets))?;
        weighted.coefficients().iter().zip(alone.coefficients()).for_each(|(a, b)| near(*a, *b));
        near(weighted.intercept(), alone.intercept());
        Ok(())
    });
}

#[test]
fn an_offset_moves_the_intercept_and_a_unit_the_coefficients() {
    let (rows, targets, _) = table(700, 5, 2);
    let wide = rows.mapv(f64::from);
    on_every_device(|session, name| {
        let fit = LinearRegression::new().tol(1e-6).session(session);
        let expected = fit.fit(&wide, &targets)?;
        let moved =
            fit.fit(&(&wide * 1e-12 + 1e-4), &targets.iter().map(|y| f64::from(*y) * 1e9).collect::<Vec<_>>())?;
        for (found, known) in moved.coefficients().iter().zip(expected.coefficients()) {
            assert!((found * 1e-21 - known).abs() < 1e-3 * (1.0 + known.abs()), "{name}: {found} is not {known}");
        }
        let far = fit.fit(&(&wide + 1e6), &targets)?;
        for (found, known) in far.coefficients().iter().zip(expected.coefficients()) {
            assert!((found - known).abs() < 1e-5, "{name}: {found} is not {known}");
        }
        Ok(())
    });
}

/// What a penalty bends most are the columns that vary least.
#[test]
fn a_penalty_on_columns_of_any_scale_takes_few_steps() -> Result<()> {
    let (rows, targets, classes) = table(600, 14, 3);
    let scaled = Array2::from_shape_fn(rows.dim(), |(row, column)| {
        f64::from(rows[(row, column)]) * 10.0_f64.powf(column as f64 * 0.5 - 3.0)
    });
    let mut still = rows.mapv(f64::from).select(Axis(1), &[0, 1, 2, 3]);
    still.column_mut(2).iter_mut().enumerate().for_each(|(row, x)| *x = if row % 200 == 7 { 6.0 } else { 5.0 });
    for (what, rows) in [("scales", &scaled), ("a still column", &still)] {
        for c in [0.01, 1.0, 100.0] {
            let model = LogisticRegression::new().c(c).session(&cpu()).fit(rows, &classes)?;
            assert!(model.converged() && model.iterations() <= 40, "{what}, C {c}: {:?}", model.trace().last());
        }
        for alpha in [0.01, 1.0, 100.0] {
            let model = LinearRegression::new().alpha(alpha).session(&cpu()).fit(rows, &targets)?;
            assert!(model.converged() && model.iterations() <= 25, "{what}, alpha {alpha}: {:?}", model.trace().last());
        }
    }
    Ok(())
}

#[test]
fn data_that_do_not_vary_have_no_coefficients() {
    on_every_device(|session, name| {
        let rows = Array2::from_elem((600, 3), 0.1_f32);
        let classes: Vec<f32> = (0..600).map(|row| f32::from(u8::from(row % 4 == 0))).collect();
        let model = LogisticRegression::new().tol(1e-6).session(session).fit(&rows, &classes)?;
        assert!(model.coefficients().iter().all(|w| *w == 0.0), "{name}");
        // A quarter is of the second class.
        let probability = model.predict_proba(&rows)?[(0, 1)];
        assert!((probability - 0.25).abs() < 1e-5, "{name}: {probability}");
        let line = LinearRegression::new().session(session).fit(&rows, &vec![7.5_f32; 600])?;
        assert_eq!((line.coefficients(), line.intercept()), (&[0.0; 3][..], 7.5), "{name}");
        assert_eq!(line.score(&rows, &vec![7.5_f32; 600])?, 1.0, "{name}");
        Ok(())
    });
}

#[test]
fn a_fit_that_ends_early_says_so() -> Result<()> {
    let (rows, _, classes) = table(500, 6, 2);
    let model = LogisticRegression::new().max_iter(2).tol(1e-7).session(&cpu()).fit(&rows, &classes)?;
    assert!(!model.converged() && model.iterations() == 2, "{:?}", model.trace());
    assert!(model.warnings()[0].contains("2 steps"), "{:?}", model.warnings());
    // Below what f32 tells it ends too, and has lost nothing.
    let model = LogisticRegression::new().max_iter(1000).tol(0.0).session(&cpu()).fit(&rows, &classes)?;
    assert!(model.trace().last().unwrap().gradient < 1e-6, "{:?}", model.trace().last());
    Ok(())
}
