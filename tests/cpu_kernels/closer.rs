//! The screen of k-means++ leaves out only what is not closer.

use crate::oracle::{Numbers, cases};
use superstep::backend::cpu::{Closer, Distance, Isa, distances_to_all};

#[test]
fn what_the_screen_leaves_out_is_not_closer_and_what_it_keeps_has_the_same_bits() {
    for case in cases() {
        let (d, rows) = (case.rows.ncols(), case.rows.as_slice().unwrap());
        let mut numbers = Numbers::new(d as u64);
        for isa in Isa::available() {
            let count = case.centroids.nrows().min(1 + numbers.below(32));
            let points = &case.centroids.as_slice().unwrap()[..count * d];
            let mut distances = vec![0.0; case.rows.nrows() * count];
            distances_to_all(rows, points, d, Distance::SquaredEuclidean, isa, &mut distances).unwrap();
            let closer = Closer::new(points, d, isa).unwrap();
            let (mut squares, mut masks) = (vec![0.0; case.rows.nrows()], vec![0; case.rows.nrows()]);
            closer.squared_lengths(rows, &mut squares).unwrap();
            // The nearest so far: one of the very distances, a little more or less, or nothing.
            let closest: Vec<f32> = (0..case.rows.nrows())
                .map(|row| match numbers.below(4) {
                    0 => distances[row * count + numbers.below(count)],
                    1 => distances[row * count + numbers.below(count)].next_down().max(0.0),
                    2 => distances[row * count + numbers.below(count)].next_up(),
                    _ => f32::INFINITY,
                })
                .collect();
            closer.screen(rows, &squares, &closest, &mut masks).unwrap();
            for (row, (&mask, &closest)) in masks.iter().zip(&closest).enumerate() {
                for point in 0..count {
                    let distance = distances[row * count + point];
                    let kept = mask >> point & 1 == 1;
                    assert!(
                        kept || distance >= closest || distance.is_nan(),
                        "{isa}, {}, row {row}, {point}",
                        case.name
                    );
                    let alone = closer.distance(&rows[row * d..][..d], point);
                    assert_eq!(alone.to_bits(), distance.to_bits(), "{isa}, {}, row {row}, {point}", case.name);
                }
                assert_eq!(u64::from(mask) >> count, 0, "{isa}, {}: a bit of no point", case.name);
            }
        }
    }
}

#[test]
fn most_rows_are_left_out_where_points_are_far() {
    let mut numbers = Numbers::new(3);
    let d = 40;
    let rows: Vec<f32> = (0..200 * d).map(|_| numbers.unit()).collect();
    let points: Vec<f32> = (0..9 * d).map(|_| 5.0 + numbers.unit()).collect();
    for isa in Isa::available() {
        let closer = Closer::new(&points, d, isa).unwrap();
        let (mut squares, mut masks) = (vec![0.0; 200], vec![0; 200]);
        closer.squared_lengths(&rows, &mut squares).unwrap();
        closer.screen(&rows, &squares, &[30.0; 200], &mut masks).unwrap();
        assert_eq!(masks, [0; 200], "{isa}");
    }
}

#[test]
fn too_many_points_and_other_lengths_are_refused() {
    assert!(Closer::new(&[], 3, Isa::detect()).is_err());
    assert!(Closer::new(&[0.0; 33], 1, Isa::detect()).is_err());
    assert!(Closer::new(&[0.0; 7], 2, Isa::detect()).is_err());
    let closer = Closer::new(&[0.0; 6], 2, Isa::detect()).unwrap();
    assert!(closer.screen(&[0.0; 4], &[0.0; 2], &[0.0; 1], &mut [0; 2]).is_err());
    assert_eq!(closer.distance(&[0.0; 2], 3), f32::INFINITY);
}
