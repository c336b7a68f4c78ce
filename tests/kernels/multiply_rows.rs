//! Rows times a small matrix: to within the rounding of its sums, for every shape of a workgroup.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;
use ndarray::ArrayView2;
use superstep::backend::cpu::Multiplier;

/// Rows, columns, outputs.
const SHAPES: [(usize, usize, usize); 10] = [
    (1, 1, 1),
    (3, 2, 1),
    (257, 5, 3),
    (64, 16, 16),
    (65, 17, 17),
    (256, 8, 64),
    (130, 33, 70),
    (300, 7, 129),
    (1000, 1, 5),
    (5, 600, 9),
];

/// Threads along outputs and rows.
const WORKGROUPS: [(usize, usize); 3] = [(4, 32), (8, 16), (16, 8)];

/// Each value, and the sum of the magnitudes that it is made of.
fn oracle(points: &[f32], d: usize, matrix: &[f32], bias: &[f32]) -> Vec<(f64, f64)> {
    let m = bias.len();
    let value = |row: &[f32], output: usize| {
        let terms = row.iter().enumerate().map(|(i, x)| f64::from(*x) * f64::from(matrix[i * m + output]));
        let all: Vec<f64> = terms.chain([f64::from(bias[output])]).collect();
        (all.iter().sum(), all.iter().map(|term| term.abs()).sum())
    };
    points.chunks(d).flat_map(|row| (0..m).map(move |output| value(row, output))).collect()
}

fn check(case: &str, found: &[f32], expected: &[(f64, f64)], relative: f64) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (at, (found, (expected, magnitude))) in found.iter().zip(expected).enumerate() {
        let allowed = relative * magnitude + 6e-8 * expected.abs() + f64::from(f32::MIN_POSITIVE);
        assert!((f64::from(*found) - expected).abs() <= allowed, "{case}: {found} is not {expected} at {at}");
    }
}

#[test]
fn equals_the_product_in_f64_for_every_shape() {
    on_every_adapter(|device| {
        for (case, (n, d, m)) in SHAPES.into_iter().enumerate() {
            let mut noise = Noise(case as u64);
            // The last case but one lies far from zero; of the first column of each the values are of another size.
            let offset = if case == 8 { 1e4 } else { 0.0 };
            let mut points: Vec<f32> = noise.values(n * d).into_iter().map(|value| value + offset).collect();
            points.iter_mut().step_by(d).for_each(|value| *value *= 1e6);
            let (matrix, bias) = (noise.values(d * m), noise.values(m));
            let expected = oracle(&points, d, &matrix, &bias);

            let mut twin = vec![0.0; n * m];
            let multiplier = Multiplier::new(&ArrayView2::from_shape((d, m), &matrix).unwrap(), &bias).unwrap();
            multiplier.multiply(&points, &mut twin).unwrap();
            // The twin adds in f64, in this order, on every instruction set.
            let rounded: Vec<f32> = expected.iter().map(|(value, _)| *value as f32).collect();
            assert_eq!(twin, rounded, "{n} × {d} × {m}, the twin");

            let rounding = (d + 2) as f64 * 2f64.powi(-24);
            for (across, down) in WORKGROUPS {
                let launch = Launch::new(device, "multiply_rows")
                    .constant("DIMENSIONS", d as u32)
                    .constant("OUTPUTS", m as u32)
                    .constant("ACROSS", across as u32)
                    .constant("DOWN", down as u32)
                    .bind("points", &points)
                    .shape("points_shape", n, d)
                    .bind("matrix", &matrix)
                    .bind("bias", &bias)
                    .bind("values", &vec![f32::NAN; n * m]);
                launch.run(n.div_ceil(8 * down));
                let case = format!("{n} × {d} × {m}, {across} × {down} threads");
                check(&case, &launch.read::<f32>("values"), &expected, rounding);
            }
        }
    });
}

#[test]
fn the_twin_refuses_what_does_not_fit() {
    let matrix = ndarray::array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
    assert!(Multiplier::new(&matrix, &[0.0]).is_err());
    assert!(Multiplier::new(&matrix.slice(ndarray::s![..0, ..]), &[0.0, 0.0]).is_err());
    let multiplier = Multiplier::new(&matrix, &[0.0, 0.0]).unwrap();
    for (rows, values) in [(3, 1), (4, 2), (6, 2), (3, 3)] {
        assert!(multiplier.multiply(&vec![0.0; rows], &mut vec![0.0; values]).is_err(), "{rows}, {values}");
    }
}
