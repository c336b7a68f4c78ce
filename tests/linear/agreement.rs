//! Against scikit-learn: `tests/fixtures/make_linear.py` computes the expected values.

use crate::support::{cpu, on_every_device};
use ndarray::{Array2, s};
use serde_json::Value;
use superstep::data::{self, ReadOptions};
use superstep::{LinearRegression, LogisticRegression, LogisticRegressionModel, Session, Solver};

pub(crate) struct Case {
    value: Value,
    pub(crate) rows: Array2<f64>,
    pub(crate) targets: Vec<f64>,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) coefficients: Array2<f64>,
}

impl Case {
    pub(crate) fn all(kind: &str) -> Vec<Self> {
        let all = fixture();
        let cases = all[kind].as_array().unwrap().iter().cloned().map(|value| Self {
            rows: matrix(&value["rows"]) / value["units"].as_f64().unwrap(),
            targets: numbers(&value["targets"]),
            weights: value["weights"].is_array().then(|| numbers(&value["weights"])),
            coefficients: matrix(&value["coefficients"]),
            value,
        });
        cases.collect()
    }

    pub(crate) fn name(&self) -> &str {
        self.value["name"].as_str().unwrap()
    }

    pub(crate) fn number(&self, key: &str) -> f64 {
        match &self.value[key] {
            Value::String(_) => f64::INFINITY,
            number => number.as_f64().unwrap(),
        }
    }

    pub(crate) fn intercept(&self) -> bool {
        self.value["intercept"].as_bool().unwrap()
    }

    /// The coefficients and intercepts are off by at most a part of what the largest makes of a standard deviation.
    #[track_caller]
    pub(crate) fn check(&self, coefficients: &Array2<f64>, intercepts: &[f64], allowed: f64, what: &str) {
        let what = format!("{}, {what}", self.name());
        assert_eq!(coefficients.dim(), self.coefficients.dim(), "{what}");
        let spread = self.rows.std_axis(ndarray::Axis(0), 0.0);
        let largest = (&self.coefficients * &spread).iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let gap = &(coefficients - &self.coefficients) * &spread;
        let worst = gap.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        assert!(worst <= allowed * largest, "{what}: coefficients off by {worst}, of {largest}");
        // What is left of the outputs at the mean row.
        let mean = self.rows.mean_axis(ndarray::Axis(0)).unwrap();
        let expected = numbers(&self.value["intercepts"]);
        let common = |values: &[f64]| match values.len() {
            1 => 0.0,
            m => values.iter().sum::<f64>() / m as f64,
        };
        for (output, (found, known)) in intercepts.iter().zip(&expected).enumerate() {
            let found = found - common(intercepts) + coefficients.row(output).dot(&mean);
            let known = known - common(&expected) + self.coefficients.row(output).dot(&mean);
            let off = (found - known).abs();
            assert!(off <= allowed * (largest + known.abs()), "{what}: output {output} off by {off}");
        }
    }
}

fn fixture() -> Value {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/linear.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<_> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// Tight, so that what is compared is the arithmetic and not when it stopped.
const TOL: f64 = 1e-6;

pub(crate) fn logistic(case: &Case, session: &Session) -> LogisticRegression {
    let model = LogisticRegression::new().c(case.number("c")).l1_ratio(case.number("l1_ratio"));
    model.fit_intercept(case.intercept()).tol(TOL).max_iter(500).session(session)
}

pub(crate) fn linear(case: &Case, session: &Session) -> LinearRegression {
    let model = LinearRegression::new().alpha(case.number("alpha")).l1_ratio(case.number("l1_ratio"));
    model.fit_intercept(case.intercept()).tol(TOL).session(session)
}

#[test]
fn logistic_models_are_those_of_scikit_learn() {
    on_every_device(|session, name| {
        for case in Case::all("logistic") {
            let fit = logistic(&case, session);
            let dataset = fit.dataset(&case.rows)?;
            let dataset = match &case.weights {
                Some(weights) => dataset.with_weights(weights.clone())?,
                None => dataset,
            };
            let model = fit.fit_dataset(&dataset, &case.targets)?;
            assert!(model.converged(), "{}, {name}: {:?}", case.name(), model.trace().last());
            assert_eq!(model.classes(), numbers(&case.value["classes"]), "{}", case.name());
            case.check(model.coefficients(), model.intercepts(), 5e-4, name);
            let expected = matrix(&case.value["probabilities"]);
            let found = model.predict_proba(&case.rows.slice(s![..5, ..]))?;
            assert!((&found - &expected).iter().all(|off| off.abs() < 5e-4), "{}, {name}: {found:?}", case.name());
            let score = model.score(&case.rows, &case.targets)?;
            assert!((score - case.number("score")).abs() < 1e-12, "{}, {name}: {score}", case.name());
            // A penalty on magnitudes holds exactly what it holds there.
            if case.number("l1_ratio") > 0.0 {
                let zeros = |of: &Array2<f64>| of.iter().map(|w| *w == 0.0).collect::<Vec<_>>();
                assert_eq!(zeros(model.coefficients()), zeros(&case.coefficients), "{}, {name}", case.name());
            }
        }
        Ok(())
    });
}

#[test]
fn regressions_are_those_of_scikit_learn() {
    on_every_device(|session, name| {
        for case in Case::all("linear") {
            let fit = linear(&case, session);
            let dataset = fit.dataset(&case.rows)?;
            let dataset = match &case.weights {
                Some(weights) => dataset.with_weights(weights.clone())?,
                None => dataset,
            };
            let model = fit.fit_dataset(&dataset, &case.targets)?;
            assert!(model.converged(), "{}, {name}: {:?}", case.name(), model.trace().last());
            let coefficients = Array2::from_shape_vec((1, model.columns()), model.coefficients().to_vec()).unwrap();
            case.check(&coefficients, &[model.intercept()], 3e-5, name);
            let score = model.score(&case.rows, &case.targets)?;
            assert!((score - case.number("score")).abs() < 1e-6, "{}, {name}: {score}", case.name());
            let spread = case.targets.iter().fold(0.0_f64, |most, y| most.max((y - case.targets[0]).abs()));
            let predicted = model.predict(&case.rows.slice(s![..5, ..]))?;
            for (found, known) in predicted.iter().zip(numbers(&case.value["predictions"])) {
                assert!((found - known).abs() < 1e-4 * spread, "{}, {name}: {found} is not {known}", case.name());
            }
        }
        Ok(())
    });
}

/// Some of whose columns hardly vary, under a strong penalty: with the settings of the default.
#[test]
fn handwritten_digits_have_the_model_of_scikit_learn_within_a_hundred_steps() {
    let table = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/").to_owned() + name;
        data::open(&[path.into()], &ReadOptions::default()).unwrap()
    };
    let (rows, classes) = (table("digits.csv"), table("digits_labels.csv"));
    let expected = &fixture()["digits"];
    let known = |key: &str| expected[key].as_f64().unwrap();
    // The largest coefficient is 0.25.
    let near = |model: &LogisticRegressionModel, allowed: f64, name: &str| {
        let off = model.coefficients() - &matrix(&expected["coefficients"]);
        let worst = off.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        assert!(worst < allowed, "{name}: coefficients off by {worst}");
    };
    on_every_device(|session, name| {
        let model = LogisticRegression::new().c(known("c")).session(session).fit(&*rows, &*classes)?;
        assert!(model.converged(), "{name}: {:?}", model.trace().last());
        let loss = model.trace().last().unwrap().loss;
        assert!((loss / known("loss") - 1.0).abs() < 5e-4, "{name}: {loss}");
        let score = model.score(&*rows, &*classes)?;
        assert!((score - known("score")).abs() < 2e-3, "{name}: {score}");
        near(&model, 6e-3, name);
        Ok(())
    });
    let tight = LogisticRegression::new().c(known("c")).tol(TOL).max_iter(200).session(&cpu());
    near(&tight.fit(&*rows, &*classes).unwrap(), 1e-4, "tight");
}

/// Other solvers find the same minimum; gradient descent to what its pace allows.
#[test]
fn every_solver_finds_the_same_minimum() {
    on_every_device(|session, name| {
        let smooth = |case: &Case| case.number("l1_ratio") == 0.0 && case.number("c").is_finite();
        for case in Case::all("logistic").iter().filter(|case| smooth(case) && case.weights.is_none()) {
            for (solver, steps, allowed) in [(Solver::OwlQn, 500, 5e-4), (Solver::GradientDescent, 3000, 5e-3)] {
                let model = logistic(case, session).solver(solver).tol(2e-6).max_iter(steps);
                let model = model.fit(&case.rows, &case.targets)?;
                assert!(model.converged(), "{}, {name}, {solver:?}: {:?}", case.name(), model.trace().last());
                let what = format!("{name}, {solver:?}");
                case.check(model.coefficients(), model.intercepts(), allowed, &what);
            }
        }
        Ok(())
    });
}
