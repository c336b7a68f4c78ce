//! Medians found digit by digit: both kernels together against sorting.

use crate::launch::{Launch, on_every_adapter};
use crate::median_digit::Rows;
use superstep::backend::cpu::{MedianState, median_pick};
use superstep::backend::gpu::GpuDevice;

/// Eight rounds of counting and picking; what the last leaves: centroids, shifts, clusters without mass.
fn medians(device: &GpuDevice, rows: &Rows, old: &[f32]) -> (Vec<f32>, Vec<f32>, u32) {
    let cells = rows.clusters * rows.d;
    let mut count = rows.launch(device);
    // What round 0 must not look at is noise.
    let mut pick = Launch::new(device, "median_pick")
        .constant("DIMENSIONS", rows.d as u32)
        .constant("CLUSTERS", rows.clusters as u32)
        .bind("prefix", &vec![0x1234_5678u32; cells])
        .bind("rank", &vec![-5i64; cells])
        .bind("centroids", old)
        .bind("shifts", &vec![f32::NAN; rows.clusters])
        .bind("empty", &[0u32]);
    let mut twin = MedianState { prefix: vec![0x1234_5678; cells], rank: vec![-5; cells] };
    let mut twin_centroids = old.to_vec();
    for round in 0..8u32 {
        count.set("digit", &[round]);
        count.set("prefix", &pick.read::<u32>("prefix"));
        count.set("histogram", &vec![0i64; cells * 16]);
        count.run(rows.workgroups());
        pick.set("digit", &[round]);
        let histogram = count.read::<i64>("histogram");
        pick.set("histogram", &histogram);
        pick.run(rows.clusters);
        median_pick(&histogram, round, &mut twin, &mut twin_centroids).unwrap();
    }
    assert_eq!(pick.read::<f32>("centroids"), twin_centroids, "the twin");
    (pick.read("centroids"), pick.read("shifts"), pick.read("empty")[0])
}

/// The smallest value whose cumulative mass, doubled, reaches the total; `None` without mass.
fn lower_median(rows: &Rows, cluster: usize, column: usize) -> Option<f32> {
    let members = (0..rows.labels.len()).filter(|&row| rows.labels[row] as usize == cluster);
    let mut values: Vec<(f32, i128)> =
        members.map(|row| (rows.points[row * rows.d + column], i128::from(rows.mass(row)))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: i128 = values.iter().map(|(_, mass)| mass).sum();
    let mut cumulative = 0;
    values
        .iter()
        .find(|(_, mass)| {
            cumulative += mass;
            total > 0 && 2 * cumulative >= total
        })
        .map(|(value, _)| *value)
}

#[test]
fn medians_are_the_lower_ones_of_the_sorted_values() {
    let mut equal = Rows::new((60, 3, 2), 1);
    equal.points.fill(-7.25);
    let mut zeros = Rows::new((9, 1, 1), 2);
    zeros.points = vec![-0.0, 0.0, -0.0, 0.0, 0.0, -1.0, 1.0, -0.0, -2.0];
    let mut extreme = Rows::new((8, 1, 1), 3);
    extreme.points = vec![f32::MAX, f32::MIN, 1e-45, -1e-45, 3.0, f32::MAX, f32::MAX, 1e30];
    let mut integers = Rows::new((501, 4, 5), 4);
    integers.points.iter_mut().for_each(|value| *value = (*value * 3.0).round());
    let cases = [
        Rows::new((1, 1, 1), 5),
        Rows::new((2, 1, 1), 6),
        Rows::new((700, 5, 3), 7),
        Rows::new((40, 300, 3), 8),
        Rows::new((3, 2, 9), 9),
        equal,
        zeros,
        extreme,
        integers,
        Rows::new((400, 3, 4), 10).weights(|row| if row % 3 == 0 { 0.0 } else { 0.01 * row as f32 }, 45),
        Rows::new((300, 2, 2), 11).weights(|row| if row == 17 { 1000.0 } else { 0.5 }, 40),
    ];
    on_every_adapter(|device| {
        for (case, rows) in cases.iter().enumerate() {
            let (k, d) = (rows.clusters, rows.d);
            let old: Vec<f32> = (0..k * d).map(|cell| cell as f32 * 0.125).collect();
            let (centroids, shifts, empty) = medians(device, rows, &old);
            let mut without_mass = 0;
            for j in 0..k {
                let mut shift = 0.0;
                for i in 0..d {
                    let expected = lower_median(rows, j, i);
                    let found = centroids[j * d + i];
                    assert_eq!(found, expected.unwrap_or(old[j * d + i]), "case {case}, cluster {j}, column {i}");
                    shift += (f64::from(found) - f64::from(old[j * d + i])).powi(2);
                }
                without_mass += u32::from(lower_median(rows, j, 0).is_none());
                // Squares beyond the range of f32 are infinite.
                let error = (f64::from(shifts[j].min(f32::MAX)) - shift.min(f64::from(f32::MAX))).abs();
                assert!(error <= 1e-5 * shift, "case {case}, cluster {j} moved {shift}, not {}", shifts[j]);
            }
            assert_eq!(empty, without_mass, "case {case}");
        }
    });
}
