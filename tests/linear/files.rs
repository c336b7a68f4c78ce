//! Models as files.

use crate::support::{cpu, table};
use superstep::algorithms::ModelKind;
use superstep::{Error, LinearRegression, LinearRegressionModel, LogisticRegression, LogisticRegressionModel, Result};

#[test]
fn models_that_were_saved_answer_as_before() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    for classes in [2, 4] {
        let (rows, targets, of) = table(200, 5, classes);
        let model = LogisticRegression::new().session(&cpu()).fit(&rows, &of)?;
        model.save(&path)?;
        assert_eq!(ModelKind::of(&path)?, ModelKind::Logistic);
        let loaded = LogisticRegressionModel::load(&path)?;
        assert_eq!(loaded.predict_proba(&rows)?, model.predict_proba(&rows)?);
        assert_eq!((loaded.classes(), loaded.iterations()), (model.classes(), model.iterations()));
        assert_eq!((loaded.converged(), loaded.rows(), loaded.trace().len()), (true, 200, 0));
        assert_eq!(loaded.predict(&rows)?[3], loaded.predict_row(&rows.row(3).mapv(f64::from).to_vec())?);

        let line = LinearRegression::new().session(&cpu()).fit(&rows, &targets)?;
        refuse(LinearRegressionModel::load(&path), "superstep-logistic");
        line.save(&path)?;
        assert_eq!(LinearRegressionModel::load(&path)?.predict(&rows)?, line.predict(&rows)?);
        refuse(LogisticRegressionModel::load(&path), "superstep-linear");
    }
    Ok(())
}

#[test]
fn the_same_model_is_the_same_bytes() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (rows, _, classes) = table(100, 3, 3);
    let written = |name: &str| -> Result<Vec<u8>> {
        let path = folder.path().join(name);
        LogisticRegression::new().session(&cpu()).fit(&rows, &classes)?.save(&path)?;
        Ok(std::fs::read(&path).expect("it was written"))
    };
    let first = written("first")?;
    for name in ["second", "third"] {
        assert!(written(name)? == first, "{name}");
    }
    Ok(())
}

#[track_caller]
fn refuse<T>(result: Result<T>, expected: &str) {
    let Err(error) = result else { panic!("{expected}: no error") };
    let message = error.to_string();
    assert!(matches!(error, Error::Data { .. }) && message.contains(expected), "{message}");
    assert!(message.contains("model.safetensors") && message.contains("this is no model that `L"), "{message}");
}

#[test]
fn a_file_that_is_no_model_is_refused_by_its_name() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    let (rows, _, classes) = table(60, 5, 3);
    LogisticRegression::new().session(&cpu()).fit(&rows, &classes)?.save(&path)?;
    let good = std::fs::read(&path).expect("the model is there");
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("the header has it");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let cases = [
        ("model", good[..good.len() / 2].to_vec()),
        ("its version is 7", replaced(br#""version":"1""#, br#""version":"7""#)),
        ("do not fit", replaced(br#""shape":[3,5]"#, br#""shape":[5,3]"#)),
        ("metadata", replaced(br#""rows":"60""#, br#""rows":"6x""#)),
        ("in order", replaced(&2.0_f64.to_le_bytes(), &f64::NAN.to_le_bytes())),
    ];
    for (expected, bytes) in cases {
        std::fs::write(&path, bytes).expect("the file can be written");
        refuse(LogisticRegressionModel::load(&path), expected);
    }
    Ok(())
}
