//! Models as files.

use crate::support::{assert_same, cpu, from_rows, heaps, narrow};
use superstep::algorithms::ModelKind;
use superstep::{Error, GaussianMixtureModel, KMeansModel, Result};

#[test]
fn a_model_that_was_saved_answers_as_before() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = narrow(&heaps(300, 3, 2, 20.0));
    for full in [true, false] {
        let path = folder.path().join(format!("{full}.safetensors"));
        let model = from_rows(&rows, 3, full).seed(4).max_iter(5).session(&cpu()).fit(&rows)?;
        model.save(&path)?;
        assert_eq!(ModelKind::of(&path)?, ModelKind::GaussianMixture);
        let loaded = GaussianMixtureModel::load(&path)?;
        assert_eq!(loaded.score_samples(&rows)?, model.score_samples(&rows)?);
        assert_eq!(loaded.predict(&rows)?, model.predict(&rows)?);
        assert_eq!((loaded.covariance_type(), loaded.seed(), loaded.rows()), (model.covariance_type(), 4, 300));
        assert_eq!((loaded.lower_bound(), loaded.iterations()), (model.lower_bound(), model.iterations()));
        assert!(loaded.trace().is_empty());
        // The trace aside, all bits are the same.
        let again = tempfile::NamedTempFile::new().expect("a temporary file");
        loaded.save(again.path())?;
        assert_same(&GaussianMixtureModel::load(again.path())?, &loaded, "saved twice");
    }
    Ok(())
}

#[test]
fn a_file_that_is_no_model_is_refused_by_its_name() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    let rows = narrow(&heaps(50, 3, 2, 0.0));
    from_rows(&rows, 2, true).session(&cpu()).fit(&rows)?.save(&path)?;
    let good = std::fs::read(&path).expect("the model is there");
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("the header has it");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let mut no_numbers = good.clone();
    let end = no_numbers.len();
    no_numbers[end - 8..].fill(0xff);
    let cases = [
        ("nothing", Vec::new()),
        ("half a file", good[..good.len() / 2].to_vec()),
        ("another version", replaced(br#""version":"1""#, br#""version":"7""#)),
        ("another format", replaced(b"superstep-gaussian-mixture", b"superstep-gaussian-mixturf")),
        ("another shape", replaced(br#""shape":[2,3,3]"#, br#""shape":[3,3,2]"#)),
        ("another covariance", replaced(br#""covariance":"full""#, br#""covariance":"diag""#)),
        ("no number of rows", replaced(br#""rows":"50""#, br#""rows":"5x""#)),
        ("values that are no numbers", no_numbers),
    ];
    for (case, bytes) in cases {
        std::fs::write(&path, bytes).expect("the file can be written");
        let error = GaussianMixtureModel::load(&path).expect_err(case);
        let message = error.to_string();
        assert!(matches!(error, Error::Data { .. }) && message.contains("model.safetensors"), "{case}: {message}");
        assert!(message.contains("this is no model that `GaussianMixtureModel::save` wrote"), "{case}: {message}");
    }
    assert!(KMeansModel::load(&path).is_err());
    assert!(matches!(GaussianMixtureModel::load(folder.path().join("none")), Err(Error::Io { .. })));
    Ok(())
}
