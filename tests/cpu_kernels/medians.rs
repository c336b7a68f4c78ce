use superstep::backend::cpu::{DIGITS, FixedPoint, MedianState, VALUES, median_digit, median_pick};

use crate::oracle::Numbers;

/// The smallest value with at least half of the mass up to it, by sorting.
fn lower_median(mut values: Vec<(f32, i64)>) -> f32 {
    values.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
    let total: i64 = values.iter().map(|value| value.1).sum();
    let mut mass = 0;
    for (value, more) in values {
        mass += more;
        if 2 * mass >= total {
            return value;
        }
    }
    panic!("no values");
}

/// The medians by the kernels, rows cut into blocks; where a cluster has no mass, −7.
fn medians(rows: &[f32], weights: Option<&[f32]>, labels: &[u32], fixed: &FixedPoint, k: usize) -> Vec<f32> {
    let d = fixed.columns();
    let mut state = MedianState { prefix: vec![0; k * d], rank: vec![0; k * d] };
    let mut medians = vec![-7.0; k * d];
    for digit in 0..DIGITS {
        let mut histogram = vec![0; k * d * VALUES];
        for first in (0..labels.len()).step_by(7) {
            let block = first..(first + 7).min(labels.len());
            let values = &rows[block.start * d..block.end * d];
            let weights = weights.map(|weights| &weights[block.clone()]);
            median_digit(values, weights, &labels[block], digit, &state.prefix, fixed, &mut histogram).unwrap();
        }
        median_pick(&histogram, digit, &mut state, &mut medians).unwrap();
    }
    medians
}

#[test]
fn values_of_every_kind_are_found_in_their_order() {
    let values = [
        f32::MIN,
        -2.0,
        -f32::MIN_POSITIVE,
        -f32::from_bits(1),
        -0.0,
        f32::from_bits(1),
        f32::MIN_POSITIVE,
        1.0,
        1.0f32.next_up(),
        f32::MAX,
    ];
    let fixed = FixedPoint::plan(3, &[f64::from(f32::MAX)], None, 1.0).unwrap();
    for three in values.windows(3) {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let rows = order.map(|i| three[i]);
            assert_eq!(medians(&rows, None, &[0; 3], &fixed, 1), [three[1]], "{rows:?}");
        }
    }
}

#[test]
fn a_cluster_without_mass_keeps_its_centroid() {
    let fixed = FixedPoint::plan(2, &[1.0], Some(1.0), 1.0).unwrap();
    assert_eq!(medians(&[0.5, 0.25], Some(&[1.0, 0.0]), &[1, 2], &fixed, 3), [-7.0, 0.5, -7.0]);
}

#[test]
fn digits_lead_to_the_lower_median() {
    for (seed, (n, d, k)) in [(1, 1, 1), (2, 1, 1), (40, 3, 1), (41, 1, 3), (500, 4, 7)].into_iter().enumerate() {
        for weighted in [false, true] {
            let mut numbers = Numbers::new(seed as u64);
            // Half of the values are repeated ones, with zeros of both signs.
            let rows: Vec<f32> = (0..n * d)
                .map(|_| if numbers.below(2) == 0 { [-1.5, -0.0, 0.0, 2.0][numbers.below(4)] } else { numbers.unit() })
                .collect();
            let labels: Vec<u32> = (0..n).map(|i| (i % k) as u32).collect();
            let weights: Vec<f32> = (0..n).map(|i| (numbers.below(4) + usize::from(i < k)) as f32 / 4.0).collect();
            let weights = weighted.then_some(&weights[..]);
            let fixed = FixedPoint::plan(n as u64, &vec![2.0; d], weighted.then_some(1.0), 1.0).unwrap();
            let found = medians(&rows, weights, &labels, &fixed, k);
            for cluster in 0..k {
                for column in 0..d {
                    let own = (0..n).filter(|i| labels[*i] as usize == cluster);
                    let values = own.map(|i| (rows[i * d + column], weights.map_or(1, |w| (w[i] * 4.0) as i64)));
                    let expected = lower_median(values.collect());
                    assert_eq!(found[cluster * d + column], expected, "n {n}, cluster {cluster}, column {column}");
                }
            }
        }
    }
}

#[test]
fn an_even_number_of_rows_gives_the_lower_of_the_middle_two() {
    let fixed = FixedPoint::plan(4, &[9.0], None, 1.0).unwrap();
    assert_eq!(medians(&[9.0, 1.0, 3.0, 2.0], None, &[0; 4], &fixed, 1), [2.0]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let fixed = FixedPoint::plan(4, &[1.0], None, 1.0).unwrap();
    let mut cells = vec![0; VALUES];
    let mut state = MedianState { prefix: vec![0; 2], rank: vec![0; 2] };
    for (what, result) in [
        ("digit", median_digit(&[1.0], None, &[0], DIGITS, &[0], &fixed, &mut cells)),
        ("rows", median_digit(&[1.0, 2.0], None, &[0], 0, &[0], &fixed, &mut cells)),
        ("weights", median_digit(&[1.0], Some(&[]), &[0], 0, &[0], &fixed, &mut cells)),
        ("prefixes", median_digit(&[1.0], None, &[0], 0, &[0, 0], &fixed, &mut cells)),
        ("histogram", median_pick(&cells, 0, &mut state, &mut [0.0; 2])),
        ("centroids", median_pick(&[0; 2 * VALUES], 0, &mut state, &mut [0.0])),
        ("digit to pick", median_pick(&[0; 2 * VALUES], DIGITS, &mut state, &mut [0.0; 2])),
    ] {
        assert!(result.is_err(), "{what}");
    }
    assert_eq!(cells, [0; VALUES]);
}
