//! At the edges: nothing that varies, huge and tiny values, rounds that end early.

use crate::support::{cpu, narrow, on_every_device, spread};
use ndarray::{Array2, array};
use superstep::{Pca, Result};

#[test]
fn rows_that_are_all_equal_have_no_variance_and_components_all_the_same() {
    let rows = Array2::from_elem((700, 5), 0.1_f32);
    on_every_device(|session, name| {
        let model = Pca::new(3).session(session).fit(&rows)?;
        assert!(model.converged(), "{name}");
        assert_eq!(model.explained_variance(), [0.0; 3], "{name}");
        assert_eq!((model.explained_variance_ratio(), model.noise_variance()), (&[0.0; 3][..], 0.0), "{name}");
        let gram = model.components().dot(&model.components().t());
        assert!((gram - Array2::<f64>::eye(3)).iter().all(|off| off.abs() < 1e-12), "{name}");
        let white = Pca::new(2).whiten(true).session(session).fit(&rows)?;
        assert!(white.transform(&rows)?.iter().all(|value| value.is_finite()), "{name}");
        Ok(())
    });
}

#[test]
fn a_scale_changes_variances_and_nothing_else() {
    let rows = spread(600, 20, 0.8, 0.5);
    on_every_device(|session, name| {
        let pca = Pca::new(4).session(session);
        let expected = pca.fit(&narrow(&rows))?;
        // Products of such values are beyond what an f32 holds.
        for exponent in [100, -90] {
            let scale = 2f64.powi(exponent);
            let model = pca.fit(&narrow(&(&rows * scale)))?;
            assert_eq!(model.components(), expected.components(), "{name}, 2^{exponent}");
            let variances: Vec<f64> =
                model.explained_variance().iter().map(|variance| variance / scale / scale).collect();
            assert_eq!(variances, expected.explained_variance(), "{name}, 2^{exponent}");
        }
        Ok(())
    });
}

#[test]
fn the_whole_range_of_f32_is_accepted() -> Result<()> {
    let most = f32::MAX;
    let model = Pca::new(1).session(&cpu()).fit(&array![[most, 0.0], [-most, 0.0], [most, 1.0], [-most, 1.0]])?;
    assert!((model.explained_variance_ratio()[0] - 1.0).abs() < 1e-7);
    assert!((model.singular_values()[0] / f64::from(most) - 2.0).abs() < 1e-6);
    Ok(())
}

#[test]
fn rounds_that_end_early_say_so() -> Result<()> {
    let rows = spread(400, 30, 0.97, 0.0);
    let model = Pca::new(3).oversample(0).max_iter(2).session(&cpu()).fit(&rows)?;
    assert!(!model.converged() && !model.interrupted());
    assert_eq!((model.iterations(), model.trace().len()), (2, 2));
    assert!(model.warnings()[0].contains("not converged in 2 rounds"), "{:?}", model.warnings());
    // Asked for no tolerance, all rounds are run, and that is what was asked for.
    let model = Pca::new(3).tol(0.0).max_iter(3).session(&cpu()).fit(&rows)?;
    assert!(model.warnings().is_empty() && model.iterations() == 3 && !model.converged());
    Ok(())
}

#[test]
fn progress_is_told_of_every_round() -> Result<()> {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let pca = Pca::new(2).oversample(1).session(&cpu()).progress({
        let told = told.clone();
        move |round| told.lock().unwrap().push(round)
    });
    let model = pca.fit(&spread(300, 12, 0.8, 0.0))?;
    assert!(model.iterations() > 1);
    assert_eq!(*told.lock().unwrap(), model.trace());
    Ok(())
}

#[test]
fn seeds_change_the_start_and_not_the_answer() -> Result<()> {
    let rows = spread(500, 25, 0.7, 0.0);
    let fit = |seed| Pca::new(3).seed(seed).session(&cpu()).fit(&rows);
    let (one, two) = (fit(1)?, fit(2)?);
    assert_ne!(one.trace()[0], two.trace()[0]);
    for (a, b) in one.components().iter().zip(two.components()) {
        assert!((a - b).abs() < 1e-4, "{a} and {b}");
    }
    Ok(())
}

#[test]
fn a_block_of_all_directions_needs_one_round() {
    let rows = spread(300, 9, 0.8, 2.0);
    on_every_device(|session, name| {
        let model = Pca::new(3).session(session).fit(&rows)?;
        assert!(model.converged() && model.iterations() == 1, "{name}: {:?}", model.trace());
        Ok(())
    });
}
