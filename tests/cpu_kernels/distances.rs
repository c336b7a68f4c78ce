use superstep::backend::cpu::{Distance, Isa, distances_to_all};

use crate::oracle::Numbers;

#[test]
fn distances_to_every_point_are_those_of_f64_and_equal_on_every_instruction_set() {
    for (seed, (n, m, d)) in
        [(1, 1, 1), (15, 3, 2), (16, 1, 16), (17, 6, 17), (33, 5, 40), (50, 2, 300)].into_iter().enumerate()
    {
        let mut numbers = Numbers::new(seed as u64);
        let rows: Vec<f32> = (0..n * d).map(|_| numbers.unit()).collect();
        let points: Vec<f32> = (0..m * d).map(|_| numbers.unit()).collect();
        for distance in [Distance::SquaredEuclidean, Distance::CityBlock] {
            let measure = |isa| {
                let mut out = vec![f32::NAN; n * m];
                distances_to_all(&rows, &points, d, distance, isa, &mut out).unwrap();
                out
            };
            let found = measure(Isa::Portable);
            for (row, found) in rows.chunks(d).zip(found.chunks(m)) {
                for (point, found) in points.chunks(d).zip(found) {
                    let terms = row.iter().zip(point).map(|(x, c)| f64::from(*x) - f64::from(*c));
                    let expected: f64 = match distance {
                        Distance::SquaredEuclidean => terms.map(|term| term * term).sum(),
                        Distance::CityBlock => terms.map(f64::abs).sum(),
                    };
                    assert!(
                        (f64::from(*found) - expected).abs() <= 1e-5 * expected,
                        "{n} × {d}, {m}: {found} {expected}"
                    );
                }
            }
            for isa in Isa::available() {
                assert_eq!(measure(isa), found, "{isa}, {n} × {d}, {m}");
            }
        }
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let measure = |rows: &[f32], d, out: &mut [f32]| {
        distances_to_all(rows, &[1.0, 2.0], d, Distance::CityBlock, Isa::Portable, out)
    };
    assert!(measure(&[1.0, 2.0], 2, &mut [0.0]).is_ok());
    assert!(measure(&[1.0, 2.0], 0, &mut [0.0]).is_err());
    assert!(measure(&[1.0, 2.0, 3.0], 2, &mut [0.0]).is_err());
    assert!(measure(&[1.0, 2.0], 2, &mut [0.0; 2]).is_err());
}
