//! What is refused, and in which words.

use crate::support::{cpu, spread};
use ndarray::{Array2, array};
use superstep::data::Dataset;
use superstep::{Pca, PcaModel, Result};

fn message(result: Result<PcaModel>, case: &str) -> String {
    match result {
        Ok(_) => panic!("{case}: no error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn settings_that_cannot_be_obeyed_are_refused() {
    let rows = spread(9, 6, 0.7, 0.0);
    let pca = |components| Pca::new(components).session(&cpu());
    let cases = [
        (pca(0), "n_components=0 must be between 1 and min(n_samples, n_features)=6"),
        (pca(7), "n_components=7 must be between 1"),
        (pca(2).tol(-1.0), "tol"),
        (pca(2).tol(f64::NAN), "tol"),
        (pca(2).max_iter(0), "max_iter"),
    ];
    for (pca, expected) in cases {
        let message = message(pca.fit(&rows), expected);
        assert!(message.contains(expected), "{message}");
    }
    let few = message(pca(4).fit(&rows.slice(ndarray::s![..3, ..])), "three rows");
    assert!(few.contains("min(n_samples, n_features)=3"), "{few}");
    let one = message(pca(1).fit(&rows.slice(ndarray::s![..1, ..])), "one row");
    assert!(one.contains("2 rows or more"), "{one}");
}

#[test]
fn values_that_are_no_numbers_are_named_by_their_place() -> Result<()> {
    for value in [f64::NAN, f64::INFINITY] {
        let mut rows = spread(20, 4, 0.7, 0.0);
        rows[(17, 2)] = value;
        let message = message(Pca::new(2).session(&cpu()).fit(&rows), "a value");
        assert!(message.contains("row 17, column 2"), "{message}");
        let model = Pca::new(2).session(&cpu()).fit(&spread(20, 4, 0.7, 0.0))?;
        let message = model.transform(&rows).expect_err("a value").to_string();
        assert!(message.contains("row 17, column 2"), "{message}");
    }
    let nothing = message(Pca::new(1).session(&cpu()).fit(&Array2::<f32>::zeros((0, 3))), "no rows");
    assert!(nothing.contains("row"), "{nothing}");
    Ok(())
}

#[test]
fn weights_and_tables_of_another_width_are_refused() -> Result<()> {
    let rows = spread(20, 4, 0.7, 0.0);
    let pca = Pca::new(2).session(&cpu());
    let weighted = Dataset::new(&rows)?.with_weights(vec![1.0_f32; 20])?;
    let told = message(pca.fit_dataset(&weighted), "weights");
    assert!(told.contains("weights"), "{told}");
    let model = pca.fit(&rows)?;
    for columns in [3, 5] {
        let told = model.transform(&Array2::<f32>::zeros((2, columns))).expect_err("another width").to_string();
        assert!(told.contains(&format!("{columns} columns")) && told.contains("expecting 4"), "{told}");
    }
    assert!(model.inverse_transform(&array![[1.0, 2.0, 3.0]]).is_err());
    assert!(model.transform_row(&[1.0]).is_err());
    Ok(())
}

#[test]
fn memory_that_does_not_hold_the_sums_is_refused_before_the_work() -> Result<()> {
    let session = superstep::Session::builder().device("cpu".parse()?).memory(1000).build()?;
    let told = message(Pca::new(3).session(&session).fit(&spread(50, 40, 0.7, 0.0)), "1000 bytes");
    assert!(told.contains("sums take"), "{told}");
    Ok(())
}
