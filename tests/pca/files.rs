//! Models as files.

use crate::support::{assert_same, cpu, spread};
use superstep::{Error, Pca, PcaModel, Result};

#[test]
fn a_model_that_was_saved_answers_as_before() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = spread(300, 7, 0.8, 20.0);
    for whiten in [false, true] {
        let path = folder.path().join(format!("{whiten}.safetensors"));
        let model = Pca::new(3).whiten(whiten).seed(4).session(&cpu()).fit(&rows)?;
        model.save(&path)?;
        let loaded = PcaModel::load(&path)?;
        assert_eq!(loaded.transform(&rows)?, model.transform(&rows)?);
        assert_eq!((loaded.whiten(), loaded.seed(), loaded.iterations()), (whiten, 4, model.iterations()));
        assert_eq!(loaded.explained_variance_ratio(), model.explained_variance_ratio());
        assert!(loaded.trace().is_empty());
        // The trace aside, all bits are the same.
        let again = tempfile::NamedTempFile::new().expect("a temporary file");
        loaded.save(again.path())?;
        assert_same(&PcaModel::load(again.path())?, &loaded, "saved twice");
    }
    Ok(())
}

#[test]
fn a_file_that_is_no_model_is_refused_by_its_name() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    Pca::new(2).session(&cpu()).fit(&spread(50, 5, 0.8, 0.0))?.save(&path)?;
    let good = std::fs::read(&path).expect("the model is there");
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("the header has it");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let mut negative = good.clone();
    let end = negative.len();
    negative[end - 8..].fill(0xff);
    let cases = [
        ("nothing", Vec::new()),
        ("half a file", good[..good.len() / 2].to_vec()),
        ("another version", replaced(br#""version":"1""#, br#""version":"7""#)),
        ("another format", replaced(b"superstep-pca", b"superstep-pcb")),
        ("another shape", replaced(br#""shape":[2,5]"#, br#""shape":[5,2]"#)),
        ("no number of rows", replaced(br#""rows":"50""#, br#""rows":"5x""#)),
        ("values that are no numbers", negative),
    ];
    for (case, bytes) in cases {
        std::fs::write(&path, bytes).expect("the file can be written");
        let error = PcaModel::load(&path).expect_err(case);
        let message = error.to_string();
        assert!(matches!(error, Error::Data { .. }) && message.contains("model.safetensors"), "{case}: {message}");
        assert!(message.contains("this is no model that `PcaModel::save` wrote"), "{case}: {message}");
    }
    assert!(matches!(PcaModel::load(folder.path().join("none")), Err(Error::Io { .. })));
    Ok(())
}
