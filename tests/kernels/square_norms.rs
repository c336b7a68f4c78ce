//! The squared lengths of centroids.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;

#[test]
fn measures_each_centroid_and_empties_the_list() {
    on_every_adapter(|device| {
        for (k, d) in [(1, 1), (63, 33), (64, 16), (65, 100), (1000, 3)] {
            let centroids = Noise(k as u64).values(k * d);
            let launch = Launch::new(device, "square_norms")
                .constant("DIMENSIONS", d as u32)
                .constant("CLUSTERS", k as u32)
                .bind("centroids", &centroids)
                .bind("norms", &vec![f32::NAN; k])
                .bind("doubtful_count", &[9_u32]);
            launch.run(k.div_ceil(64));
            for (centroid, norm) in centroids.chunks(d).zip(launch.read::<f32>("norms")) {
                let expected: f64 = centroid.iter().map(|&c| f64::from(c) * f64::from(c)).sum();
                assert!((f64::from(norm) - expected).abs() <= 1e-6 * expected, "{norm}, not {expected}");
            }
            assert_eq!(launch.read::<u32>("doubtful_count"), [0]);
        }
    });
}
