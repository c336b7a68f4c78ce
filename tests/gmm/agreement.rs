//! Against scikit-learn: `tests/fixtures/make_gmm.py` computes the expected values.

use crate::support::{cpu, on_every_device, values};
use ndarray::{Array2, Array3, s};
use serde_json::Value;
use superstep::algorithms::gmm::Matrices;
use superstep::{GaussianMixture, GaussianMixtureModel, MixtureInit, Result};

pub(crate) struct Case {
    value: Value,
    rows: Array2<f64>,
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap().len();
    let values = numbers(value);
    Array2::from_shape_vec((rows, values.len() / rows), values).unwrap()
}

impl Case {
    fn name(&self) -> String {
        format!("{}, {}", self.text("name"), self.text("covariance"))
    }

    fn text(&self, key: &str) -> &str {
        self.value[key].as_str().unwrap()
    }

    fn number(&self, key: &str) -> f64 {
        self.value[key].as_f64().unwrap()
    }

    fn numbers(&self, key: &str) -> Vec<f64> {
        numbers(&self.value[key])
    }

    fn mixture(&self) -> GaussianMixture {
        let covariance = self.text("covariance").parse().unwrap();
        let mixture = GaussianMixture::new(self.numbers("weights").len()).covariance_type(covariance);
        mixture.reg_covar(self.number("reg_covar"))
    }

    /// From the start that scikit-learn had, as many rounds.
    fn given(&self) -> GaussianMixture {
        let start = &self.value["start"];
        let means = matrix(&start["means"]);
        let (k, d) = means.dim();
        let covariances = if self.text("covariance") == "full" {
            Matrices::Full(Array3::from_shape_vec((k, d, d), numbers(&start["covariances"])).unwrap())
        } else {
            Matrices::Diagonal(matrix(&start["covariances"]))
        };
        let init = MixtureInit::Given { weights: numbers(&start["weights"]), means, covariances };
        self.mixture().init(init).tol(0.0).max_iter(self.value["rounds"].as_u64().unwrap() as u32)
    }

    /// The largest distance of a value from its column's mean: what f32 rounds.
    fn radius(&self, column: usize) -> f64 {
        let column = self.rows.column(column);
        let mean = column.mean().unwrap();
        column.iter().fold(0.0, |most, x| most.max((x - mean).abs()))
    }

    /// Whether a component is so narrow, for the distance of the others, that its rows are known to 10⁻⁵ of its deviation only.
    fn is_coarse(&self) -> bool {
        ["narrow and far apart", "a component on one point"].contains(&self.text("name"))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gmm.json")).unwrap();
    let Value::Array(cases) = serde_json::from_str(&text).unwrap() else { panic!("no cases") };
    let cases = cases.into_iter().map(|value| {
        let rows = matrix(&value["rows"]) / value["units"].as_f64().unwrap();
        Case { value, rows }
    });
    cases.collect()
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], allowed: impl Fn(usize) -> f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (off, allowed) = ((found - expected).abs(), allowed(at));
        assert!(off <= allowed, "{what}, {at}: {found} instead of {expected}, off by {off:.1e} of {allowed:.1e}");
    }
}

/// What is compared, and how near it must be: on the CPU sums of 256 rows are in f64, on devices in f32.
fn check(case: &Case, model: &GaussianMixtureModel, name: &str) {
    let on_cpu = name.starts_with("the CPU");
    let what = |part: &str| format!("{}, {name}: {part}", case.name());
    let d = case.rows.ncols();
    let covariances = case.numbers("covariances");
    let full = case.text("covariance") == "full";
    let deviation = |component: usize, i: usize| {
        let at = if full { (component * d + i) * d + i } else { component * d + i };
        covariances[at].sqrt()
    };
    assert_near(model.weights(), &case.numbers("weights"), |_| if on_cpu { 1e-7 } else { 5e-7 }, &what("weights"));
    let means: Vec<f64> = model.means().iter().copied().collect();
    let of_mean = |at: usize| 2e-6 * deviation(at / d, at % d) + 6e-8 * case.radius(at % d);
    assert_near(&means, &case.numbers("means"), of_mean, &what("means"));
    let relative = match (on_cpu, case.is_coarse()) {
        (true, _) => 4e-6,
        (false, false) => 1e-5,
        (false, true) => 1e-4,
    };
    let of_covariance = |at: usize| {
        let (component, i, j) = if full { (at / d / d, at / d % d, at % d) } else { (at / d, at % d, at % d) };
        relative * deviation(component, i) * deviation(component, j)
    };
    assert_near(&values(model.covariances()), &covariances, of_covariance, &what("covariances"));
    let roots = case.numbers("precisions_cholesky");
    // A root of two columns of other sizes is as large as the smaller one makes it.
    let of_root = |at: usize| {
        let component = if full { at / d / d } else { at / d };
        let size = if full { d * d } else { d };
        30.0 * relative * roots[component * size..][..size].iter().fold(0.0_f64, |most, root| most.max(root.abs()))
    };
    assert_near(&values(model.precisions_cholesky()), &roots, of_root, &what("roots of precisions"));
    let bounds: Vec<f64> = model.trace().iter().map(|round| round.lower_bound).collect();
    let known = case.numbers("bounds");
    // Where a component collapses from one round to the next, f32 sums know the little that is left of its variance to some per cent;
    // the round after has it in its own units.
    let of_bound = |_| match (on_cpu, case.is_coarse()) {
        (true, _) => 1e-6,
        (false, false) => 4e-6,
        (false, true) => 0.05,
    };
    assert_near(&bounds, &known, of_bound, &what("lower bounds"));
    let last = if on_cpu { 1e-6 } else { 1e-5 };
    assert_near(&[model.lower_bound()], &known[known.len() - 1..], |_| last, &what("the last lower bound"));
    assert_eq!((model.iterations() as usize, model.converged()), (known.len(), false), "{}", what("rounds"));
    assert!(model.warnings().is_empty(), "{}", what("no tolerance, no warning"));
}

#[test]
fn rounds_from_a_given_start_are_those_of_scikit_learn() {
    on_every_device(|session, name| {
        for case in cases() {
            let mixture = case.given().session(session);
            check(&case, &mixture.fit(&case.rows)?, name);
            check(&case, &mixture.fit(&case.rows.mapv(|value| value as f32))?, &format!("{name}, f32"));
        }
        Ok(())
    });
}

#[test]
fn a_fit_from_k_means_settles_where_scikit_learn_does() {
    on_every_device(|session, name| {
        for case in cases().iter().filter(|case| !case.value["settled"].is_null()) {
            let mixture = case.mixture().tol(1e-6).max_iter(1000).n_init(3).session(session);
            let model = mixture.fit(&case.rows)?;
            let what = format!("{}, {name}", case.name());
            assert!(model.converged() && model.iterations() > 1, "{what}: {} rounds", model.iterations());
            assert!(model.trace().last().unwrap().change.abs() < 1e-6, "{what}");
            assert_near(&[model.score(&case.rows)?], &[case.number("settled")], |_| 1e-5, &what);
        }
        Ok(())
    });
}

#[test]
fn what_is_asked_of_a_model_is_what_scikit_learn_says() -> Result<()> {
    for case in cases() {
        let model = case.given().session(&cpu()).fit(&case.rows)?;
        let first = case.rows.slice(s![..6, ..]);
        let relative = if case.is_coarse() { 1e-3 } else { 2e-5 };
        let what = |part: &str| format!("{}: {part}", case.name());
        let samples = case.numbers("samples");
        let of_sample = |at: usize| relative * (1.0 + samples[at].abs());
        assert_near(&model.score_samples(&first)?.to_vec(), &samples, of_sample, &what("samples"));
        let probabilities: Vec<f64> = model.predict_proba(&first)?.into_iter().collect();
        assert_near(&probabilities, &case.numbers("probabilities"), |_| relative, &what("probabilities"));
        let (score, n) = (case.number("score"), case.rows.nrows() as f64);
        assert_near(&[model.score(&case.rows)?], &[score], |_| relative, &what("score"));
        let of_criterion = |_| 2.0 * n * relative;
        assert_near(&[model.aic(&case.rows)?], &[case.number("aic")], of_criterion, &what("aic"));
        assert_near(&[model.bic(&case.rows)?], &[case.number("bic")], of_criterion, &what("bic"));
        // The exact number of parameters follows from the two criteria.
        let parameters = (case.number("aic") + 2.0 * score * n) / 2.0;
        assert_eq!(model.parameters(), parameters.round() as u64, "{}", what("parameters"));
        let labels = model.predict(&case.rows)?;
        for (row, probabilities) in model.predict_proba(&case.rows)?.outer_iter().enumerate() {
            assert!((probabilities.sum() - 1.0).abs() < 1e-12, "{}", what("probabilities add up to 1"));
            let largest = probabilities.iter().copied().fold(0.0, f64::max);
            assert_eq!(probabilities[labels[row] as usize], largest, "{}, row {row}", what("labels"));
        }
        assert_eq!(model.predict_row(&case.rows.row(3).to_vec())?, labels[3]);
    }
    Ok(())
}
