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

/// The medians by the kernels, rows cut into blocks.
fn medians(rows: &[f32], weights: Option<&[f32]>, labels: &[u32], fixed: &FixedPoint, k: usize) -> Vec<f32> {
    let d = fixed.columns();
    let mut state = MedianState { prefix: vec![0; k * d], rank: vec![0; k * d] };
    let mut centroids = vec![f32::NAN; k * d];
    for digit in 0..DIGITS {
        let mut histogram = vec![0; k * d * VALUES];
        for first in (0..labels.len()).step_by(7) {
            let block = first..(first + 7).min(labels.len());
            let values = &rows[block.start * d..block.end * d];
            let weights = weights.map(|weights| &weights[block.clone()]);
            median_digit(values, weights, &labels[block], digit, &state.prefix, fixed, &mut histogram).unwrap();
        }
        median_pick(&histogram, digit, &mut state, &mut centroids).unwrap();
    }
    centroids
}

#[test]
fn extremes_subnormals_and_zeros_of_both_signs_are_told_apart_as_numbers_are() {
    let sorted = [f32::MIN, -2.0, -f32::MIN_POSITIVE, -f32::from_bits(1), -0.0, f32::from_bits(1), 1.0, f32::MAX];
    let fixed = FixedPoint::plan(8, &[f32::MAX.into()], None, 1.0).unwrap();
    for count in 1..=sorted.len() {
        let rows: Vec<f32> = sorted[..count].iter().rev().copied().collect();
        let expected = sorted[(count - 1) / 2];
        assert_eq!(medians(&rows, None, &vec![0; count], &fixed, 1), [expected], "of the first {count}");
    }
}

#[test]
fn rows_without_a_cluster_are_passed_over_and_clusters_without_mass_keep_their_centroid() {
    let fixed = FixedPoint::plan(3, &[9.0], Some(1.0), 1.0).unwrap();
    let found = medians(&[5.0, 7.0, 9.0], Some(&[1.0, 1.0, 0.0]), &[0, u32::MAX, 1], &fixed, 2);
    assert_eq!(found[0], 5.0);
    assert!(found[1].is_nan());
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
fn histograms_that_do_not_fit_are_refused() {
    let fixed = FixedPoint::plan(4, &[1.0], None, 1.0).unwrap();
    let mut histogram = vec![0; VALUES];
    let mut one = MedianState { prefix: vec![0], rank: vec![0] };
    let mut two = MedianState { prefix: vec![0; 2], rank: vec![0] };
    for (what, result) in [
        ("rows", median_digit(&[1.0], None, &[0], DIGITS, &[0], &fixed, &mut histogram)),
        ("rows", median_digit(&[1.0, 2.0], None, &[0], 0, &[0], &fixed, &mut histogram)),
        ("rows", median_digit(&[1.0], Some(&[]), &[0], 0, &[0], &fixed, &mut histogram)),
        ("rows", median_digit(&[1.0], None, &[0], 0, &[0, 0], &fixed, &mut histogram)),
        ("histogram", median_pick(&histogram, DIGITS, &mut one, &mut [0.0])),
        ("histogram", median_pick(&histogram, 0, &mut two, &mut [0.0, 0.0])),
        ("histogram", median_pick(&histogram, 0, &mut one, &mut [])),
    ] {
        assert!(result.unwrap_err().to_string().starts_with(what));
    }
    assert_eq!(histogram, [0; VALUES]);
}
