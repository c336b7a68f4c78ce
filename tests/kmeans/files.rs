//! Models as files.

use crate::support::{METRICS, cpu, error_of, rows_for, wide};
use std::path::Path;
use superstep::{Error, KMeans, KMeansModel, Metric, Result};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn saved(path: &Path) -> Result<KMeansModel> {
    let points = rows_for(Metric::Euclidean, 100, 3, 71);
    let model = KMeans::new(4).seed(9).session(cpu()).fit(&points)?;
    model.save(path)?;
    Ok(model)
}

#[test]
fn a_model_that_was_saved_answers_as_before() -> Result<()> {
    let folder = folder();
    for metric in METRICS {
        let path = folder.path().join(format!("{metric}.safetensors"));
        let points = wide(&rows_for(metric, 200, 3, 72)) + if metric == Metric::Haversine { 0.0 } else { 20.0 };
        let model = KMeans::new(6).metric(metric).seed(3).session(cpu()).fit(&points)?;
        model.save(&path)?;
        let loaded = KMeansModel::load(&path)?;
        assert_eq!(loaded.predict(&points)?, model.labels(), "{metric}");
        assert_eq!(loaded.transform(&points)?, model.transform(&points)?, "{metric}");
        assert_eq!(loaded.centroids(), model.centroids(), "{metric}");
        assert_eq!(loaded.cluster_sizes(), model.cluster_sizes(), "{metric}");
        assert_eq!(loaded.inertia().to_bits(), model.inertia().to_bits(), "{metric}");
        let facts =
            |model: &KMeansModel| (model.metric(), model.iterations(), model.converged(), model.seed(), model.rows());
        assert_eq!(facts(&loaded), facts(&model), "{metric}");
        assert!(loaded.labels().is_empty() && loaded.trace().is_empty(), "{metric}");
    }
    Ok(())
}

#[test]
fn a_file_that_is_no_model_is_refused_by_its_name() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    saved(&path)?;
    let good = std::fs::read(&path).expect("the model is there");
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("the header has it");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4 * 8 - 100..].fill(0xff);
    let cases = [
        ("nothing", Vec::new()),
        ("noise", (0..5000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("a header that promises more than there is", good[..good.len() - 1].to_vec()),
        ("half a header", good[..40].to_vec()),
        ("another version", replaced(br#""version":"1""#, br#""version":"7""#)),
        ("another format", replaced(b"superstep-kmeans", b"superstep-kmodes")),
        ("an unknown metric", replaced(b"euclidean", b"minkowski")),
        ("a metric of other columns", replaced(b"euclidean", b"haversine")),
        ("rows that are no number", replaced(br#""rows":"100""#, br#""rows":"1x0""#)),
        ("values that are not finite", nan),
    ];
    for (case, bytes) in cases {
        let path = folder.path().join("damaged.safetensors");
        std::fs::write(&path, bytes).expect("the folder is writable");
        let error = error_of(KMeansModel::load(&path), case);
        assert!(matches!(error, Error::Data { .. }), "{case}: {error:?}");
        assert!(error.to_string().contains("damaged.safetensors"), "{case}: {error}");
        if case == "another version" {
            assert!(error.to_string().contains("version is 7, this program reads 1"), "{error}");
        }
    }
    Ok(())
}

#[test]
fn no_cut_of_a_model_file_is_taken_for_a_model() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    saved(&path)?;
    let good = std::fs::read(&path).expect("the model is there");
    for length in (0..good.len()).step_by(7) {
        std::fs::write(&path, &good[..length]).expect("the folder is writable");
        error_of(KMeansModel::load(&path), &format!("the first {length} of {} bytes", good.len()));
    }
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_an_error_of_the_system() {
    let folder = folder();
    let error = error_of(KMeansModel::load(folder.path().join("absent")), "absent");
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    let nowhere = folder.path().join("no folder").join("model");
    let model = saved(&folder.path().join("model")).expect("it fits");
    let error = error_of(model.save(&nowhere), "no folder");
    assert!(error.to_string().contains("no folder"), "{error}");
}
