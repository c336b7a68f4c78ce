//! Data larger than one binding of a device.
#![cfg(feature = "gpu")]

use ndarray::{Array2, array};
use superstep::queue::adapters;
use superstep::{Init, KMeans, Session};

/// The most that is set aside for this test; adapters with larger bindings are passed over with a word.
const MOST: u64 = 256 << 20;

#[test]
fn rows_beyond_one_binding_are_cut_and_counted_exactly() {
    let small: Vec<usize> = (0..adapters().len()).filter(|&at| adapters()[at].max_binding_bytes < MOST).collect();
    if small.is_empty() {
        let required = std::env::var_os("SUPERSTEP_REQUIRE_GPU").is_some() && adapters().is_empty();
        assert!(!required, "no adapter, and SUPERSTEP_REQUIRE_GPU is set");
        println!("skipped: no adapter whose bindings are below {MOST} bytes");
        return;
    }
    for at in small {
        let limit = adapters()[at].max_binding_bytes / 4;
        let n = limit as usize + 1000;
        // One row in 1024 is 3, the others are 0 or 1 in turn: far more than 2²⁴ rows fall into one cluster.
        let rows = Array2::from_shape_fn((n, 1), |(row, _)| if row % 1024 == 5 { 3.0 } else { (row % 2) as f32 });
        let threes = n.saturating_sub(5).div_ceil(1024) as u64;
        let session = Session::builder()
            .device(format!("gpu:{at}").parse().expect("it names a device"))
            .build()
            .expect("the adapter opens");
        let start = Init::Centroids(array![[0.5], [3.0]]);
        let kmeans = KMeans::new(2).init(start).max_iter(1).tol(0.0).session(&session);
        let model = kmeans.fit(&rows).expect("the rows are cut to the binding's size");
        assert_eq!(model.cluster_sizes(), [n as u64 - threes, threes]);
        let ones = (0..n).filter(|row| row % 2 == 1 && row % 1024 != 5).count() as f64;
        let mean = ones / (n as u64 - threes) as f64;
        assert_eq!(model.centroids()[[0, 0]], f64::from(mean as f32));
        assert_eq!(model.centroids()[[1, 0]], 3.0);
    }
}
