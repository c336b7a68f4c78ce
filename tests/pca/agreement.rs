//! Against NumPy's singular value decomposition: `tests/fixtures/make_pca.py` computes the expected values.

use crate::support::{on_every_device, spread};
use ndarray::{Array2, Axis, s};
use serde_json::Value;
use superstep::{Pca, PcaModel, Session};

struct Case {
    value: Value,
    rows: Array2<f64>,
}

impl Case {
    fn name(&self) -> &str {
        self.value["name"].as_str().unwrap()
    }

    fn numbers(&self, key: &str) -> Vec<f64> {
        numbers(&self.value[key])
    }

    fn matrix(&self, key: &str) -> Array2<f64> {
        matrix(&self.value[key])
    }

    fn groups(&self) -> Vec<Vec<usize>> {
        let groups = self.value["groups"].as_array().unwrap().iter().map(numbers);
        groups.map(|group| group.into_iter().map(|at| at as usize).collect()).collect()
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<_> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pca.json")).unwrap();
    let Value::Array(cases) = serde_json::from_str(&text).unwrap() else { panic!("no cases") };
    let cases = cases.into_iter().map(|value| {
        let rows = matrix(&value["rows"]) / value["units"].as_f64().unwrap();
        Case { value, rows }
    });
    cases.collect()
}

#[track_caller]
fn assert_all_near(found: &[f64], expected: &[f64], allowed: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= allowed, "{what}, {at}: {found} instead of {expected}");
    }
}

fn largest_gap(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    a.iter().zip(b).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// What projects onto the span of some rows.
fn projector(rows: &Array2<f64>, group: &[usize]) -> Array2<f64> {
    let rows = rows.select(Axis(0), group);
    rows.t().dot(&rows)
}

/// Tight, so that what is compared is the arithmetic and not when it stopped.
fn pca(components: usize, session: &Session) -> Pca {
    Pca::new(components).oversample(2).tol(2e-7).max_iter(400).session(session)
}

fn check(case: &Case, model: &PcaModel, name: &str) {
    let what = |part: &str| format!("{}, {name}: {part}", case.name());
    let variances = case.numbers("explained_variance");
    let scale = variances[0];
    assert!(model.converged(), "{}: {:?}", what("converged"), model.trace().last());
    assert_all_near(model.explained_variance(), &variances, 3e-7 * scale, &what("variance"));
    assert_all_near(
        model.explained_variance_ratio(),
        &case.numbers("explained_variance_ratio"),
        3e-7,
        &what("variance ratio"),
    );
    let noise = case.value["noise_variance"].as_f64().unwrap();
    assert_all_near(&[model.noise_variance()], &[noise], 1e-6 * scale, &what("noise"));
    let largest = case.rows.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    assert_all_near(model.mean(), &case.numbers("mean"), 1e-14 * largest, &what("mean"));
    // A zero variance may come out as 3e-7 of the largest, and its root as more.
    assert_all_near(
        &model.singular_values(),
        &case.numbers("singular_values"),
        6e-4 * case.numbers("singular_values")[0],
        &what("singular values"),
    );
    let gram = model.components().dot(&model.components().t());
    assert!(largest_gap(&gram, &Array2::eye(variances.len())) < 1e-12, "{}", what("right angles"));
    let expected = case.matrix("components");
    for group in case.groups() {
        let (found, known) = (projector(model.components(), &group), projector(&expected, &group));
        let gap = largest_gap(&found, &known);
        assert!(gap < 2e-5, "{}, {group:?} is off by {gap}", what("components"));
        if let [one] = group[..] {
            let gap = largest_gap(
                &model.components().slice(s![one..=one, ..]).to_owned(),
                &expected.slice(s![one..=one, ..]).to_owned(),
            );
            assert!(gap < 2e-5, "{}, {one} is off by {gap}", what("signs"));
        }
    }
    for component in model.components().outer_iter() {
        let largest = component.iter().fold(0.0_f64, |most, x| if x.abs() > most.abs() { *x } else { most });
        assert!(largest > 0.0, "{}", what("signs"));
    }
}

#[test]
fn components_and_variances_are_those_of_numpy() {
    on_every_device(|session, name| {
        for case in cases() {
            let components = case.numbers("explained_variance").len();
            let pca = pca(components, session);
            check(&case, &pca.fit(&case.rows)?, name);
            check(&case, &pca.fit(&case.rows.mapv(|value| value as f32))?, &format!("{name}, f32"));
        }
        Ok(())
    });
}

#[test]
fn what_rows_are_transformed_to_is_that_of_numpy_and_back() -> superstep::Result<()> {
    let session = crate::support::cpu();
    for case in cases() {
        let (expected, whitened) = (case.matrix("transformed"), case.matrix("whitened"));
        let groups = case.groups();
        let alone: Vec<usize> = groups.iter().filter(|group| group.len() == 1).map(|group| group[0]).collect();
        let first = case.rows.slice(s![..expected.nrows(), ..]);
        let scale = case.numbers("singular_values")[0];
        let pca = pca(expected.ncols(), &session);
        let model = pca.fit(&case.rows)?;
        let found = model.transform(&first)?.select(Axis(1), &alone);
        let gap = largest_gap(&found, &expected.select(Axis(1), &alone));
        assert!(gap < 3e-5 * scale, "{}: off by {gap} of {scale}", case.name());
        assert_eq!(model.transform_row(&first.row(0).to_vec())?, model.transform(&first)?.row(0).to_vec());
        let white = pca.whiten(true).fit(&case.rows)?;
        let found = white.transform(&first)?.select(Axis(1), &alone);
        for (at, &column) in alone.iter().enumerate() {
            // An error of a variance counts by how small that is.
            let smaller = case.numbers("explained_variance")[0] / case.numbers("explained_variance")[column];
            let (found, known) = (found.column(at), whitened.column(column));
            let gap = found.iter().zip(known).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
            assert!(gap < 1e-4 * smaller.sqrt(), "{}, {column}: off by {gap}", case.name());
        }
        // All that varies comes back, where all components are kept.
        if case.value["noise_variance"].as_f64() == Some(0.0) {
            let largest = case.rows.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            for model in [&model, &white] {
                let back = model.inverse_transform(&model.transform(&case.rows)?)?;
                assert!(largest_gap(&back, &case.rows) < 1e-7 * largest, "{}: back", case.name());
            }
        }
    }
    Ok(())
}

/// Defaults, on rows of more columns than directions are followed: few directions, few rows, many directions.
#[test]
fn the_default_tolerance_leaves_the_residual_that_it_allows() {
    for (n, d, components) in [(2500, 60, 6), (30, 1500, 3), (400, 90, 70)] {
        let rows = spread(n, d, if n < d { 0.7 } else { 0.9 }, 3.0);
        let centred = &rows - &rows.mean_axis(Axis(0)).unwrap();
        on_every_device(|session, name| {
            let name = format!("{n} × {d}, {components} components, {name}");
            let model = Pca::new(components).session(session).fit(&rows)?;
            assert!(model.converged() && model.iterations() > 1, "{name}: {} rounds", model.iterations());
            for (component, variance) in model.components().outer_iter().zip(model.explained_variance()) {
                let product = centred.t().dot(&centred.dot(&component)) / (n - 1) as f64;
                let residual = product - &component * *variance;
                let off = residual.dot(&residual).sqrt() / model.explained_variance()[0];
                assert!(off < 1.2e-5, "{name}: {off}");
            }
            let trace = model.trace();
            assert!(trace.windows(2).all(|pair| pair[1].explained_variance > 0.999_999 * pair[0].explained_variance));
            assert!(trace[0].residual > 1e-3 && trace[trace.len() - 1].residual <= 1e-5, "{name}: {trace:?}");
            Ok(())
        });
    }
}
