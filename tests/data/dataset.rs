use ndarray::{Array2, array};
use superstep::Error;
use superstep::data::{Dataset, Statistics, Weights};

/// Numbers in -1..1 from a small generator, so that tests need no more than a seed.
fn noise(rows: usize, columns: usize, mut seed: u64) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

/// Two plain passes over each column, less a first guess at its mean.
fn naive(data: &Array2<f64>) -> Statistics {
    let rows = data.nrows() as f64;
    let columns: Vec<_> = data.columns().into_iter().map(|column| column.to_vec()).collect();
    let per_column = |f: &dyn Fn(Vec<f64>) -> f64| columns.iter().cloned().map(f).collect();
    let mean_of = |values: &[f64]| values[0] + values.iter().map(|value| value - values[0]).sum::<f64>() / rows;
    Statistics {
        mean: per_column(&|values| mean_of(&values)),
        variance: per_column(&|values| {
            let mean = mean_of(&values);
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows
        }),
        min: per_column(&|values| values.into_iter().fold(f64::INFINITY, f64::min)),
        max: per_column(&|values| values.into_iter().fold(f64::NEG_INFINITY, f64::max)),
    }
}

#[test]
fn statistics_match_two_plain_passes() {
    for (rows, columns) in [(1, 1), (2, 3), (7, 2), (4096, 1), (4097, 5), (9000, 31), (20_000, 2), (3, 9000)] {
        for offset in [0.0, 1e4, -1e8] {
            let data = noise(rows, columns, 3) + offset;
            let expected = naive(&data);
            let dataset = Dataset::new(&data).unwrap();
            let got = dataset.statistics();
            let case = format!("{rows} × {columns} about {offset}");
            for column in 0..columns {
                let (mean, variance) = (expected.mean[column], expected.variance[column]);
                // Two ulps of the offset; the same, times a standard deviation, is what rounded means shift squares by.
                let ulps = offset.abs() * 4e-16;
                assert!((got.mean[column] - mean).abs() <= ulps + 1e-14, "{case}: mean");
                let slack = 1e-13 * variance + ulps * variance.sqrt() + ulps * ulps;
                assert!((got.variance[column] - variance).abs() <= slack, "{case}: variance");
            }
            assert_eq!((&got.min, &got.max), (&expected.min, &expected.max), "{case}");
        }
    }
}

#[test]
fn statistics_have_the_same_bits_for_any_number_of_threads() {
    let data = noise(50_001, 3, 5) + 1e8;
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let statistics = pool.install(|| Dataset::new(&data).unwrap().statistics().clone());
        let Statistics { mean, variance, min, max } = statistics;
        [mean, variance, min, max].concat().into_iter().map(f64::to_bits).collect::<Vec<_>>()
    };
    let one = bits(1);
    assert_eq!(one, bits(2));
    assert_eq!(one, bits(3));
}

#[test]
fn the_first_value_that_is_no_f32_is_named() {
    for (bad, expected) in [
        (f64::NAN, "not a number"),
        (f64::INFINITY, "infinite"),
        (f64::NEG_INFINITY, "infinite"),
        (1e39, "range of f32"),
        (-1e300, "range of f32"),
    ] {
        for (row, column) in [(0, 0), (1, 2), (4096, 1), (9999, 2)] {
            let mut data = noise(10_000, 3, 1);
            data[[row, column]] = bad;
            data[[9999, 2]] = bad;
            let error = Dataset::new(&data).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            let Error::Data { place, .. } = error else { panic!("{bad}") };
            assert_eq!((place.row, place.column), (Some(row as u64), Some(column as u64)), "{bad}");
        }
    }
    assert!(Dataset::new(array![[f32::NAN]]).is_err());
    assert!(Dataset::new(array![[f32::MAX, -f32::MAX], [-f32::MAX, f32::MAX]]).is_ok());
}

#[test]
fn no_rows_and_no_columns_are_refused() {
    for shape in [(0, 3), (3, 0), (0, 0)] {
        let error = Dataset::new(Array2::<f32>::zeros(shape)).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{shape:?}: {error}");
    }
}

#[test]
fn wide_data_are_centred_before_they_are_rounded() {
    let data = noise(100, 2, 9) + 1e8;
    let dataset = Dataset::new(&data).unwrap();
    assert!(dataset.is_wide() && dataset.in_memory(0..dataset.rows()).is_none());
    assert_eq!(dataset.origin(), dataset.statistics().mean);
    let mut block = vec![0.0f32; 20];
    dataset.read(50, &mut block).unwrap();
    for (index, value) in block.iter().enumerate() {
        let exact = data[[50 + index / 2, index % 2]] - dataset.origin()[index % 2];
        assert_eq!(*value, exact as f32);
    }
}

#[test]
fn f32_data_are_centred_only_where_they_lie_far_off() {
    let near = noise(100, 2, 9).mapv(|value| value as f32);
    let dataset = Dataset::new(&near).unwrap();
    assert!(dataset.origin().is_empty());
    assert_eq!(dataset.in_memory(0..dataset.rows()), near.as_slice());

    let far = near.mapv(|value| value + 1e4);
    let dataset = Dataset::new(&far).unwrap();
    assert!(dataset.in_memory(0..dataset.rows()).is_none());
    for (origin, mean) in dataset.origin().iter().zip(&dataset.statistics().mean) {
        assert_eq!(*origin, f64::from(*mean as f32));
    }
    let dataset = Dataset::uncentred(&far).unwrap();
    assert_eq!((dataset.origin().len(), dataset.in_memory(0..dataset.rows())), (0, far.as_slice()));
}

#[test]
fn what_is_read_is_finite_however_far_a_column_reaches() {
    let data = array![[-3.4e38, 1.0], [3.4e38, 2.0], [3.4e38, 3.0], [3.4e38, 3.0]];
    let dataset = Dataset::new(&data).unwrap();
    let mut block = [0.0; 8];
    dataset.read(0, &mut block).unwrap();
    assert!(block.iter().all(|value| value.is_finite()), "{block:?}");
}

#[test]
fn good_weights_are_kept() {
    let data = array![[1.0f32], [2.0], [3.0]];
    let dataset = Dataset::new(&data).unwrap();
    assert!(dataset.weights().is_none());
    let dataset = dataset.with_weights(vec![1.0f32, 0.0, 2.5]).unwrap();
    assert_eq!(dataset.weights().map(Weights::held), Some(&[1.0, 0.0, 2.5][..]));
    let wide = Dataset::new(&data).unwrap().with_weights(array![[0.1f64], [0.2], [0.3]]).unwrap();
    assert_eq!(wide.weights().map(Weights::held), Some(&[0.1, 0.2, 0.3][..]));
}

#[test]
fn bad_weights_are_refused_by_row() {
    let data = array![[1.0f32], [2.0], [3.0]];
    let cases: [(Vec<f64>, Option<u64>); 7] = [
        (vec![1.0, 2.0], None),
        (vec![1.0, 2.0, 3.0, 4.0], None),
        (vec![], None),
        (vec![0.0, 0.0, 0.0], None),
        (vec![1.0, -1.0, f64::NAN], Some(1)),
        (vec![1.0, 1.0, f64::NAN], Some(2)),
        (vec![1e39, 1.0, 1.0], Some(0)),
    ];
    for (weights, row) in cases {
        let error = Dataset::new(&data).unwrap().with_weights(weights.clone()).unwrap_err();
        assert!(error.to_string().contains("weights"), "{error}");
        let Error::Data { place, .. } = error else { panic!("{weights:?}") };
        assert_eq!(place.row, row, "{weights:?}");
    }
    assert!(Dataset::new(&data).unwrap().with_weights(array![[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]).is_err());
}
