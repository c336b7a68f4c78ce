//! Rows as the components of a diagonal mixture see them.

use crate::launch::on_every_adapter;
use crate::mixtures::{SHAPES, launch, shape};
use crate::oracle::Noise;
use ndarray::Array2;
use superstep::backend::cpu::{MixtureShape, scale_rows};

const FAR: f64 = 137_438_953_472.0;

fn oracle(points: &[f32], matrix: &Array2<f32>, shape: MixtureShape) -> Vec<f64> {
    let (d, m) = (shape.dimensions, shape.outputs());
    let value = |row: &[f32], output: usize| match (output + 1 == m, output % (d + 1)) {
        (true, _) => 0.0,
        (false, column) if column == d => 1.0,
        (false, column) => {
            let less = f64::from(row[column]) - f64::from(matrix[(0, output)]);
            (less * f64::from(matrix[(1, output)])).clamp(-FAR, FAR)
        }
    };
    points.chunks(d).flat_map(|row| (0..m).map(move |output| value(row, output))).collect()
}

#[test]
fn equals_the_differences_in_f64_for_every_shape_and_size() {
    on_every_adapter(|device| {
        for (at, case) in SHAPES.into_iter().enumerate() {
            let (n, d, shape) = (case.0, case.1, shape(case));
            let mut noise = Noise(at as u64);
            let points = noise.values(n * d);
            let mut matrix = Array2::from_shape_vec((2, shape.outputs()), noise.values(2 * shape.outputs())).unwrap();
            // Deviations of all sizes, some so small that a row lies beyond what counts.
            matrix.row_mut(1).iter_mut().enumerate().for_each(|(at, scale)| *scale *= [1.0, 1e3, 1e-4, 1e20][at % 4]);
            let expected = oracle(&points, &matrix, shape);

            let mut twin = vec![f32::NAN; n * shape.outputs()];
            scale_rows(shape, &points, &matrix, &mut twin).unwrap();
            let rounded: Vec<f32> = expected.iter().map(|value| *value as f32).collect();
            assert_eq!(twin, rounded, "{case:?}, the twin");

            let launch = launch(device, "scale_rows", n, shape)
                .bind("points", &points)
                .bind("matrix", matrix.as_slice().unwrap())
                .bind("values", &vec![f32::NAN; n * shape.outputs()]);
            launch.run(n.div_ceil(16));
            for (at, (found, expected)) in launch.read::<f32>("values").into_iter().zip(expected).enumerate() {
                let off = (f64::from(found) - expected).abs();
                assert!(off <= 2e-7 * expected.abs(), "{case:?}: {found} is not {expected} at {at}");
            }
        }
    });
}

#[test]
fn the_twin_refuses_what_does_not_fit() {
    let shape = MixtureShape { components: 2, dimensions: 1 };
    let matrix = Array2::zeros((2, 5));
    for (rows, values) in [(1, 4), (2, 5), (1, 6)] {
        assert!(scale_rows(shape, &vec![0.0; rows], &matrix, &mut vec![0.0; values]).is_err(), "{rows}, {values}");
    }
    assert!(scale_rows(shape, &[0.0], &Array2::zeros((2, 4)), &mut [0.0; 5]).is_err());
}
