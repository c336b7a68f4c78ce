//! Mean directions of rows of length 1.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;
use superstep::backend::cpu::{FixedPoint, Partials};
use superstep::backend::gpu::GpuDevice;

fn update(
    device: &GpuDevice,
    unseen: u32,
    sums: &[i64],
    masses: &[i64],
    exponents: &[i32],
    old: &[f32],
) -> (Vec<f32>, Vec<f32>, u32) {
    let partials: Vec<i64> = sums.iter().chain(masses).chain(&[7, 7, 7]).copied().collect();
    let columns: Vec<i32> = exponents.iter().chain(&[99, 99]).copied().collect();
    let launch = Launch::new(device, "update_direction").bind("summary", &[0_u32; 8]).bind("unseen", &[unseen]);
    let launch = launch
        .constant("DIMENSIONS", exponents.len() as u32)
        .constant("CLUSTERS", masses.len() as u32)
        .bind("partials", &partials)
        .bind("exponents", &columns)
        .bind("centroids", old)
        .bind("shifts", &vec![f32::NAN; masses.len()])
        .bind("empty", &[0u32]);
    launch.run(masses.len());
    (launch.read("centroids"), launch.read("shifts"), launch.read("empty")[0])
}

/// The directions by the twin on the processor; `None` where the sum is zero.
fn twin(sums: &[i64], masses: &[i64], exponents: &[i32]) -> Vec<Option<Vec<f32>>> {
    let columns = exponents.iter().copied().chain([0, 0]).collect();
    let fixed = FixedPoint::from_exponents(50, 1, false, columns).unwrap();
    let values = sums.iter().chain(masses).chain(&[7, 7, 7]).copied().collect();
    let partials = Partials::from_values(&fixed, masses.len(), values).unwrap();
    (0..masses.len()).map(|cluster| partials.direction(cluster)).collect()
}

#[test]
fn centroids_have_length_1_and_point_along_the_sum() {
    // Columns, clusters, bits of the sums, and the first exponents, repeated: unit vectors have about 50.
    let table: [(usize, usize, u32, &[i32]); 6] = [
        (1, 1, 62, &[50]),
        (2, 3, 40, &[50]),
        (3, 70, 62, &[45, 46, 47]),
        (300, 4, 55, &[48]),
        (17, 2, 62, &[190, 190, 190, 199]),
        (17, 2, 62, &[-70, -71, -72]),
    ];
    on_every_adapter(|device| {
        for (d, k, bits, first) in table {
            let mut noise = Noise((d + k) as u64);
            let sums: Vec<i64> =
                (0..k * d).map(|_| (noise.bits() >> (64 - bits)) as i64 * [1, -1][noise.below(2)]).collect();
            let exponents: Vec<i32> = first.iter().copied().cycle().take(d).collect();
            let old = noise.values(k * d);
            let (centroids, shifts, empty) = update(device, 0, &sums, &vec![5; k], &exponents, &old);
            assert_eq!(empty, 0);
            let twins = twin(&sums, &vec![5; k], &exponents);
            for j in 0..k {
                let span = j * d..(j + 1) * d;
                for (found, twin) in centroids[span.clone()].iter().zip(twins[j].as_ref().unwrap()) {
                    assert!((found - twin).abs() <= 1e-6, "{d} columns, cluster {j}: {found}, the twin's {twin}");
                }
                let s: Vec<f64> =
                    sums[span.clone()].iter().zip(&exponents).map(|(&sum, &e)| sum as f64 * 2f64.powi(-e)).collect();
                let length = s.iter().map(|v| v * v).sum::<f64>().sqrt();
                for (found, expected) in centroids[span.clone()].iter().zip(&s) {
                    let error = (f64::from(*found) - expected / length).abs();
                    assert!(error <= 1e-6, "{d} columns, cluster {j}: {found}, not {}", expected / length);
                }
                let pairs = s.iter().zip(&old[span]);
                let shift: f64 = pairs.map(|(new, &old)| (new / length - f64::from(old)).powi(2)).sum();
                assert!((f64::from(shifts[j]) - shift).abs() <= 1e-5 * shift, "{d} columns, cluster {j}: the shift");
            }
        }
    });
}

#[test]
fn sums_of_zero_keep_the_old_centroid() {
    on_every_adapter(|device| {
        // Of three clusters one has no rows, one has rows that cancel.
        let old = [0.6, 0.8, 0.0, -1.0, 1.0, 0.0];
        let (centroids, shifts, empty) = update(device, 0, &[0, 0, 0, 0, 0, -9], &[0, 2, 1], &[50, 50], &old);
        assert_eq!(centroids, [0.6, 0.8, 0.0, -1.0, 0.0, -1.0]);
        assert_eq!(shifts, [0.0, 0.0, 2.0]);
        assert_eq!(empty, 1);
        // No row has moved in the round before: one begun unseen leaves all as it was.
        let (centroids, shifts, empty) = update(device, 1, &[0, 0, 0, 0, 0, -9], &[0, 2, 1], &[50, 50], &old);
        assert_eq!((&centroids[..], &shifts[..], empty), (&old[..], &[0.0; 3][..], 1));
    });
}
