use std::path::PathBuf;

use superstep::data::{ReadOptions, open};
use superstep::{KMeans, Session};

use crate::npz::{PACKED, PLAIN, zip};
use crate::{Folder, npy_bytes, tensors, vectors};

const ROWS: usize = 200;
const COLUMNS: usize = 3;

/// A `.npy` file of these little-endian values.
fn npy(descr: &str, values: impl Iterator<Item = [u8; 4]>) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({ROWS}, {COLUMNS}), }}");
    npy_bytes(&format!("{dict:<117}\n"), &values.flatten().collect::<Vec<u8>>())
}

#[test]
fn every_binary_format_gives_the_inertia_of_its_npy() {
    let folder = Folder::new();
    // Whole numbers that the narrowest type holds too.
    let values: Vec<f64> = (0..ROWS * COLUMNS).map(|i| f64::from((i * i % 97 + i % 3 * 10) as u8)).collect();
    let array = npy("<f4", values.iter().map(|value| (*value as f32).to_le_bytes()));
    // Integers of 32 bits are more than an f32 holds, and so centred before they are rounded: theirs is another file.
    let integers = folder.file("integers.npy", npy("<i4", values.iter().map(|value| (*value as i32).to_le_bytes())));
    let bytes: Vec<u8> = values.iter().map(|value| *value as u8).collect();
    let header = format!(r#"{{"x":{{"dtype":"U8","shape":[{ROWS},{COLUMNS}],"data_offsets":[0,{}]}}}}"#, bytes.len());
    let mut paths: Vec<PathBuf> = vec![
        folder.file("rows.npy", &array),
        folder.file("stored.npz", zip(&[("x.npy", &array, PLAIN)])),
        folder.file("deflated.npz", zip(&[("x.npy", &array, PACKED)])),
        folder.file("rows.safetensors", tensors::encode(&header, &bytes)),
    ];
    let vectors = vectors::EXTENSIONS
        .map(|extension| folder.file(&format!("rows.{extension}"), vectors::encode(extension, COLUMNS, &values)));
    paths.extend(vectors);
    let session = Session::cpu().unwrap();
    let inertia = |path: &PathBuf| {
        let source = open(std::slice::from_ref(path), &ReadOptions::default()).unwrap();
        KMeans::new(4).seed(3).session(&session).fit(&*source).unwrap().inertia()
    };
    let (narrow, wide) = (inertia(&paths[0]), inertia(&integers));
    assert!(narrow > 0.0 && (narrow - wide).abs() < 1e-6 * narrow);
    for path in &paths {
        let expected = if path.extension().is_some_and(|extension| extension == "ivecs") { wide } else { narrow };
        assert_eq!(inertia(path).to_bits(), expected.to_bits(), "{}", path.display());
    }
}
