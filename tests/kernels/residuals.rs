//! Derivatives and losses of rows, against their definitions in f64.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;
use superstep::backend::cpu::{RowLoss, residuals};

const LOSSES: [(u32, RowLoss); 3] = [(0, RowLoss::Squared), (1, RowLoss::Logistic), (2, RowLoss::Softmax)];

struct Case {
    outputs: usize,
    values: Vec<f32>,
    targets: Vec<f32>,
}

impl Case {
    /// Outputs up to `size` in magnitude; every third row weighs nothing or more than 1.
    fn new(loss: RowLoss, rows: usize, outputs: usize, size: f32) -> Self {
        let mut noise = Noise(rows as u64 * 31 + outputs as u64);
        let values = noise.values(rows * (outputs + 1)).into_iter().map(|value| value * size).collect();
        let classes = if loss == RowLoss::Logistic { 2 } else { outputs };
        let targets = (0..rows).flat_map(|row| {
            let class = (row * 7 % classes) as f32;
            let weight = [1.0, 1.0, if row % 2 == 0 { 0.0 } else { 2.5 }][row % 3];
            [if loss == RowLoss::Squared { class * 0.7 - 0.3 } else { class }, weight]
        });
        Self { outputs, values, targets: targets.collect() }
    }

    /// By the definitions, as they are written. What is exact of them is only to 1e-13, enough for f32.
    fn oracle(&self, loss: RowLoss, scales: [f32; 2]) -> Vec<f64> {
        let rows = self.values.chunks(self.outputs + 1).zip(self.targets.chunks(2));
        let row = |(values, target): (&[f32], &[f32])| {
            let z: Vec<f64> = values[..self.outputs].iter().map(|value| f64::from(*value)).collect();
            let (y, weight) = (f64::from(target[0]), f64::from(target[1]));
            let (derivatives, lost) = match loss {
                RowLoss::Squared => (vec![z[0] - y], (z[0] - y).powi(2) / 2.0),
                RowLoss::Logistic => (vec![1.0 / (1.0 + (-z[0]).exp()) - y], (1.0 + z[0].exp()).ln() - y * z[0]),
                RowLoss::Softmax => {
                    let all: f64 = z.iter().map(|z| z.exp()).sum();
                    let part = |(at, z): (usize, &f64)| z.exp() / all - if at == y as usize { 1.0 } else { 0.0 };
                    (z.iter().enumerate().map(part).collect(), all.ln() - z[y as usize])
                }
            };
            let scaled = derivatives.into_iter().map(|d| d * weight * f64::from(scales[0]));
            scaled.chain([lost * weight * f64::from(scales[1])]).collect::<Vec<_>>()
        };
        rows.flat_map(row).collect()
    }
}

/// f32 may round z by a part of 6e-8 on its way through the exponential, and devices' logarithms be off by 2⁻²¹.
fn check(what: &str, found: &[f32], expected: &[f64], allowed: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - expected).abs();
        assert!(off <= allowed * (1.0 + expected.abs()), "{what}: {found} is not {expected} at {at}");
    }
}

#[test]
fn derivatives_and_losses_are_those_of_the_definitions() {
    for (number, loss) in LOSSES {
        let widths: &[usize] = if loss == RowLoss::Softmax { &[1, 2, 3, 17, 130] } else { &[1] };
        for &outputs in widths {
            for (rows, size) in [(1, 1.0), (257, 3.0), (700, 20.0)] {
                let case = Case::new(loss, rows, outputs, size);
                let scales = [0.25, 0.0625];
                let expected = case.oracle(loss, scales);
                let what = format!("{loss:?}, {rows} rows, {outputs} outputs");
                let mut twin = case.values.clone();
                residuals(loss, outputs, &mut twin, &case.targets, scales).unwrap();
                check(&format!("{what}, the twin"), &twin, &expected, 1e-7);
                on_every_adapter(|device| {
                    let launch = Launch::new(device, "residuals")
                        .constant("OUTPUTS", outputs as u32 + 1)
                        .constant("LOSS", number)
                        .bind("targets", &case.targets)
                        .shape("targets_shape", rows, 2)
                        .bind("scales", &scales)
                        .bind("values", &case.values);
                    launch.run(rows.div_ceil(128));
                    check(&what, &launch.read::<f32>("values"), &expected, 3e-6);
                });
            }
        }
    }
}

#[test]
fn rows_that_lie_far_on_their_side_keep_small_derivatives_and_losses() {
    // e^-30 is 9e-14: 1 less the probability would be 0 in f32.
    let (z, small) = (30.0_f32, (-30.0_f64).exp());
    let near = |found: f32, expected: f64| assert!((f64::from(found) / expected - 1.0).abs() < 1e-5, "{found}");
    let cases = [(RowLoss::Logistic, 1, vec![z, 0.0], 1.0), (RowLoss::Softmax, 2, vec![0.0, z, 0.0], 1.0)];
    for (loss, outputs, values, y) in cases {
        on_every_adapter(|device| {
            let launch = Launch::new(device, "residuals")
                .constant("OUTPUTS", outputs as u32 + 1)
                .constant("LOSS", if loss == RowLoss::Logistic { 1_u32 } else { 2 })
                .bind("targets", &[y, 1.0_f32])
                .shape("targets_shape", 1, 2)
                .bind("scales", &[1.0_f32, 1.0])
                .bind("values", &values);
            launch.run(1);
            let found = launch.read::<f32>("values");
            near(found[outputs - 1], -small);
            near(found[outputs], small);
        });
    }
    let mut twin = [z, 0.0];
    residuals(RowLoss::Logistic, 1, &mut twin, &[1.0, 1.0], [1.0, 1.0]).unwrap();
    near(twin[0], -small);
    near(twin[1], small);
}

#[test]
fn the_twin_refuses_what_does_not_fit() {
    for (loss, outputs, values, targets) in [
        (RowLoss::Squared, 2, 3, 2),
        (RowLoss::Logistic, 1, 3, 2),
        (RowLoss::Softmax, 3, 4, 3),
        (RowLoss::Softmax, 0, 1, 2),
    ] {
        let refused = residuals(loss, outputs, &mut vec![0.0; values], &vec![0.0; targets], [1.0, 1.0]);
        assert!(refused.is_err(), "{loss:?}, {outputs}, {values}, {targets}");
    }
}
