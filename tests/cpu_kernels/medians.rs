use superstep::backend::cpu::FixedPoint;
use superstep::backend::cpu::median_digit::{DIGITS, ROUNDS, from_order_key, median_digit, median_pick, order_key};

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

/// The medians by the kernel, rows cut into blocks.
fn medians(rows: &[f32], weights: Option<&[f32]>, labels: &[u32], fixed: &FixedPoint, k: usize) -> Vec<f32> {
    let d = fixed.columns();
    let mut masses = vec![0; k];
    for (i, &label) in labels.iter().enumerate() {
        masses[label as usize] += fixed.mass_units(weights.map(|weights| weights[i]));
    }
    let (mut below, mut prefixes) = (vec![0; k * d], vec![0; k * d]);
    for round in 0..ROUNDS {
        let mut counts = vec![0; k * d * DIGITS];
        for first in (0..labels.len()).step_by(7) {
            let block = first..(first + 7).min(labels.len());
            let values = &rows[block.start * d..block.end * d];
            let weights = weights.map(|weights| &weights[block.clone()]);
            median_digit(round, values, weights, &labels[block], fixed, &prefixes, &mut counts).unwrap();
        }
        median_pick(&counts, &masses, &mut below, &mut prefixes).unwrap();
    }
    prefixes.into_iter().map(from_order_key).collect()
}

#[test]
fn keys_sort_as_the_values_do() {
    let values = [
        f32::MIN,
        -2.0,
        -1.0,
        -f32::MIN_POSITIVE,
        -f32::from_bits(1),
        0.0,
        f32::from_bits(1),
        f32::MIN_POSITIVE,
        1.0,
        1.0f32.next_up(),
        f32::MAX,
    ];
    assert!(values.windows(2).all(|pair| order_key(pair[0]) < order_key(pair[1])));
    assert_eq!(order_key(-0.0), order_key(0.0));
    for value in values {
        assert_eq!(from_order_key(order_key(value)), value);
    }
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
fn counts_that_do_not_fit_are_refused() {
    let fixed = FixedPoint::plan(4, &[1.0], None, 1.0).unwrap();
    let mut counts = vec![0; DIGITS];
    for (what, result) in [
        ("round", median_digit(ROUNDS, &[1.0], None, &[0], &fixed, &[0], &mut counts)),
        ("rows", median_digit(0, &[1.0, 2.0], None, &[0], &fixed, &[0], &mut counts)),
        ("rows", median_digit(0, &[1.0], Some(&[]), &[0], &fixed, &[0], &mut counts)),
        ("labels", median_digit(0, &[1.0], None, &[1], &fixed, &[0], &mut counts)),
        ("counts", median_digit(0, &[1.0], None, &[0], &fixed, &[0, 0], &mut counts)),
        ("counts", median_pick(&counts, &[1], &mut [0, 0], &mut [0])),
        ("counts", median_pick(&counts, &[], &mut [], &mut [0])),
    ] {
        assert!(result.unwrap_err().to_string().starts_with(what));
    }
    assert_eq!(counts, [0; DIGITS]);
}
