//! `superstep pca`.

use super::{Folder, parse_npy};
use serde_json::Value;

/// A long flat cloud: most of it along (3, 4, 0) / 5.
fn folder() -> Folder {
    let folder = Folder::new();
    let row = |row: usize| {
        // Every value of each with every value of the others.
        let (along, across, up) = ((row % 100) as f64 - 49.5, (row / 100 % 10) as f64 - 4.5, (row / 1000) as f64 - 2.0);
        format!("{},{},{}\n", 0.6 * along - 0.8 * across, 0.8 * along + 0.6 * across, 1000.0 + up)
    };
    folder.write("rows.csv", (0..5000).map(row).collect::<String>());
    folder
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|value| value.as_f64().expect("a number")).collect()
}

#[test]
fn components_variances_and_transformed_rows_are_written() {
    let folder = folder();
    let line = "pca rows.csv --components 2 --device cpu --components-out c.npy --transformed t.npy --model m.bin";
    let json = folder.json(line);
    let variance = numbers(&json["explained_variance"]);
    // Of 0 to 99, and of 0 to 9, each alike often; divided by n − 1.
    let expected = [(100.0_f64.powi(2) - 1.0) / 12.0, (10.0_f64.powi(2) - 1.0) / 12.0].map(|v| v * 5000.0 / 4999.0);
    for (found, expected) in variance.iter().zip(expected) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
    }
    assert_eq!(
        (json["n"].as_u64(), json["components"].as_u64(), json["converged"].as_bool()),
        (Some(5000), Some(2), Some(true))
    );
    let total: f64 = variance.iter().sum::<f64>() + 2.0 * 5000.0 / 4999.0;
    assert!((numbers(&json["explained_variance_ratio"])[0] - variance[0] / total).abs() < 1e-6);
    let (header, bytes) = parse_npy(&folder.path("c.npy"));
    let components: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    assert!(header.contains("'<f8'") && header.contains("(2, 3)"), "{header}");
    for (found, expected) in components.iter().zip([0.6, 0.8, 0.0]) {
        assert!((found - expected).abs() < 1e-6, "{components:?}");
    }
    let (header, bytes) = parse_npy(&folder.path("t.npy"));
    assert!(header.contains("(5000, 2)"), "{header}");
    let first = f64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    assert!((first + 49.5).abs() < 1e-4, "{first}");
    let told = folder.done("pca rows.csv --components 2 --whiten --device cpu");
    for text in ["2 components", "whitened", "explained", "together"] {
        assert!(told.stdout.contains(text), "{text}: {}", told.stdout);
    }
    assert!(told.stderr.contains("residual"), "{}", told.stderr);
}

#[test]
fn mistakes_are_told() {
    let folder = folder();
    folder.done("pca rows.csv --components 1 --device cpu --model m.bin --quiet");
    for (line, status, words) in [
        ("pca rows.csv", 2, "--components"),
        ("pca rows.csv --components 4 --device cpu", 1, "--components: n_components=4"),
        ("pca rows.csv --components 0", 2, "1 or more"),
        ("pca rows.csv --components 1 --transformed rows.csv --device cpu", 2, "rows.csv"),
        ("predict m.bin rows.csv --labels l.csv", 1, "labels no rows"),
    ] {
        let ran = folder.run(line);
        assert_eq!(ran.status, Some(status), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
    }
}
