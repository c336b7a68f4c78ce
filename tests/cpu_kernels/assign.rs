use ndarray::{Array2, array};
use superstep::backend::cpu::{Distance, Isa, Nearest, Scratch, nearest_row};

use crate::oracle::{self, Numbers, cases};

const DISTANCES: [Distance; 2] = [Distance::SquaredEuclidean, Distance::CityBlock];

fn assign(rows: &Array2<f32>, centroids: &Array2<f32>, distance: Distance, isa: Isa) -> Vec<u32> {
    let nearest = Nearest::new(centroids.view(), distance, isa).unwrap();
    let mut labels = vec![u32::MAX; rows.nrows()];
    nearest.assign(rows.as_slice().unwrap(), &mut Scratch::default(), &mut labels).unwrap();
    labels
}

#[test]
fn every_instruction_set_gives_the_labels_of_the_f64_definition() {
    for case in cases() {
        for distance in DISTANCES {
            let expected: Vec<u32> = case
                .rows
                .outer_iter()
                .map(|row| oracle::nearest(distance, row.as_slice().unwrap(), &case.centroids))
                .collect();
            for isa in Isa::available() {
                let labels = assign(&case.rows, &case.centroids, distance, isa);
                assert_eq!(labels, expected, "{isa}, {distance:?}, {}", case.name);
            }
        }
    }
}

#[test]
fn a_single_row_is_labelled_as_in_a_block() {
    for case in cases() {
        for distance in DISTANCES {
            let labels = assign(&case.rows, &case.centroids, distance, Isa::detect());
            for (row, label) in case.rows.outer_iter().zip(labels) {
                let found = nearest_row(case.centroids.view(), row.as_slice().unwrap(), distance).unwrap();
                assert_eq!(found, label, "{distance:?}, {}", case.name);
            }
        }
    }
}

#[test]
fn centroids_may_be_a_transposed_view() {
    let stored = array![[0.0f32, 5.0, 9.0], [0.0, 5.0, 9.0]];
    assert_eq!(nearest_row(stored.t(), &[6.0, 6.0], Distance::SquaredEuclidean).unwrap(), 1);
    let nearest = Nearest::new(stored.t(), Distance::CityBlock, Isa::detect()).unwrap();
    let mut labels = [0; 2];
    nearest.assign(&[8.0, 8.0, 1.0, 1.0], &mut Scratch::default(), &mut labels).unwrap();
    assert_eq!(labels, [2, 0]);
}

#[test]
fn labels_do_not_depend_on_how_rows_are_cut_into_blocks() {
    let mut numbers = Numbers::new(3);
    let rows = Array2::from_shape_fn((203, 20), |_| numbers.unit());
    let centroids = Array2::from_shape_fn((70, 20), |_| numbers.unit());
    for isa in Isa::available() {
        let whole = assign(&rows, &centroids, Distance::SquaredEuclidean, isa);
        let nearest = Nearest::new(centroids.view(), Distance::SquaredEuclidean, isa).unwrap();
        for size in [1, 5, 96, 97] {
            let (mut labels, mut scratch) = (vec![0; 203], Scratch::default());
            for (rows, labels) in rows.as_slice().unwrap().chunks(size * 20).zip(labels.chunks_mut(size)) {
                nearest.assign(rows, &mut scratch, labels).unwrap();
            }
            assert_eq!(labels, whole, "{isa}, blocks of {size}");
        }
    }
}

/// Rows halfway between two centroids but for the last bit of one value: f32 sums cannot tell them apart, f64 can.
#[test]
fn rows_that_f32_cannot_decide_are_decided_in_f64() {
    for d in [2, 8, 9, 40, 300] {
        let mut numbers = Numbers::new(d as u64);
        // Pairs, far from each other along the first column.
        let centroids = Array2::from_shape_fn((38, d), |(j, column)| {
            let pair = (j / 2) as f32;
            if column == 0 { 16.0 * pair } else { numbers.unit() }
        });
        let rows = Array2::from_shape_fn((100, d), |(i, column)| {
            let pair = i % 19 * 2;
            let middle = (centroids[[pair, column]] + centroids[[pair + 1, column]]) / 2.0;
            match i % 3 {
                0 if column == d - 1 => middle.next_up(),
                1 if column == d - 1 => middle.next_down(),
                _ => middle,
            }
        });
        for distance in DISTANCES {
            let expected: Vec<u32> =
                rows.outer_iter().map(|row| oracle::nearest(distance, row.as_slice().unwrap(), &centroids)).collect();
            for isa in Isa::available() {
                let nearest = Nearest::new(centroids.view(), distance, isa).unwrap();
                let (mut labels, mut scratch) = (vec![0; 100], Scratch::default());
                nearest.assign(rows.as_slice().unwrap(), &mut scratch, &mut labels).unwrap();
                assert_eq!(labels, expected, "{isa}, {distance:?}, d {d}");
                assert!(scratch.rescued() > 0, "{isa}, {distance:?}, d {d}: the case is too easy");
            }
        }
    }
}

#[test]
fn rows_well_apart_are_settled_without_f64() {
    let mut numbers = Numbers::new(5);
    let centroids = Array2::from_shape_fn((40, 30), |_| numbers.unit());
    let rows = Array2::from_shape_fn((200, 30), |(i, j)| centroids[[i % 40, j]] + 0.1 * numbers.unit());
    for isa in Isa::available() {
        let nearest = Nearest::new(centroids.view(), Distance::SquaredEuclidean, isa).unwrap();
        let (mut labels, mut scratch) = (vec![0; 200], Scratch::default());
        nearest.assign(rows.as_slice().unwrap(), &mut scratch, &mut labels).unwrap();
        assert_eq!(scratch.rescued(), 0, "{isa}");
    }
}

#[test]
fn distances_are_those_of_f64_with_the_same_bits_on_every_instruction_set() {
    for case in cases() {
        let (rows, k) = (case.rows.as_slice().unwrap(), case.centroids.nrows());
        let labels: Vec<u32> = (0..case.rows.nrows()).map(|i| (i * 7 % k) as u32).collect();
        for distance in DISTANCES {
            let mut first: Option<Vec<u32>> = None;
            for isa in Isa::available() {
                let nearest = Nearest::new(case.centroids.view(), distance, isa).unwrap();
                let mut found = vec![f32::NAN; labels.len()];
                nearest.distances(rows, &labels, &mut found).unwrap();
                for ((row, &label), &found) in case.rows.outer_iter().zip(&labels).zip(&found) {
                    let centroid = case.centroids.row(label as usize).to_vec();
                    let expected = oracle::distance(distance, row.as_slice().unwrap(), &centroid) as f32;
                    let apart = found.to_bits().abs_diff(expected.to_bits());
                    assert!(apart <= 1, "{isa}, {distance:?}, {}: {found} is not {expected}", case.name);
                }
                let bits: Vec<u32> = found.iter().map(|distance| distance.to_bits()).collect();
                assert_eq!(first.get_or_insert_with(|| bits.clone()), &bits, "{isa}, {distance:?}, {}", case.name);
            }
        }
    }
}

#[test]
fn rows_that_are_not_finite_get_a_label_and_harm_no_other() {
    let centroids = Array2::from_shape_fn((20, 10), |(i, j)| (i + j) as f32);
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut rows = Array2::from_shape_fn((30, 10), |(i, j)| (i % 20 + j) as f32);
        rows[[7, 3]] = poison;
        for distance in DISTANCES {
            for isa in Isa::available() {
                let labels = assign(&rows, &centroids, distance, isa);
                for (i, &label) in labels.iter().enumerate() {
                    assert_eq!(label as usize, if i == 7 { 0 } else { i % 20 }, "{isa}, {distance:?}, {poison}");
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let centroids = array![[1.0f32, 2.0], [3.0, 4.0]];
    let nearest = Nearest::new(centroids.view(), Distance::SquaredEuclidean, Isa::detect()).unwrap();
    let mut scratch = Scratch::default();
    let euclidean = Distance::SquaredEuclidean;
    for (message, result) in [
        ("rows: 3 values are not 2 rows of 2 columns", nearest.assign(&[0.0; 3], &mut scratch, &mut [0; 2])),
        ("rows: 2 values are not 0 rows of 2 columns", nearest.assign(&[0.0; 2], &mut scratch, &mut [])),
        ("labels: label 2", nearest.distances(&[0.0; 2], &[2], &mut [0.0])),
        ("out: room for 0", nearest.distances(&[0.0; 2], &[1], &mut [])),
        ("row: has 1 values", nearest_row(centroids.view(), &[0.0], euclidean).map(drop)),
        ("centroids: 0", nearest_row(Array2::zeros((0, 1)).view(), &[0.0], euclidean).map(drop)),
        ("centroids: 0", Nearest::new(Array2::zeros((0, 1)).view(), euclidean, Isa::detect()).map(drop)),
        ("centroids: 1 × 0", Nearest::new(Array2::zeros((1, 0)).view(), euclidean, Isa::detect()).map(drop)),
        (
            "centroids, row 1, column 0: NaN",
            Nearest::new(array![[0.0], [f32::NAN]].view(), euclidean, Isa::detect()).map(drop),
        ),
    ] {
        let found = result.unwrap_err().to_string();
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn an_instruction_set_that_the_machine_lacks_is_replaced() {
    let rows = array![[1.0f32, 2.0], [9.0, 9.0]];
    for isa in [Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512] {
        assert_eq!(assign(&rows, &rows, Distance::SquaredEuclidean, isa), [0, 1], "{isa}");
    }
}

/// The choice is made once per process, so each is tried in a process of its own: this very test.
#[test]
fn the_environment_chooses_the_instruction_set() {
    const EXPECTED: &str = "SUPERSTEP_TEST_EXPECTED_ISA";
    if let Ok(expected) = std::env::var(EXPECTED) {
        assert_eq!(Isa::detect().as_str(), expected);
        return;
    }
    let fastest = *Isa::available().last().unwrap();
    let mut choices: Vec<(&str, Isa)> = Isa::available().iter().map(|isa| (isa.as_str(), *isa)).collect();
    choices.extend([("nonsense", fastest), ("", fastest)]);
    for (asked, expected) in choices {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "assign::the_environment_chooses_the_instruction_set"])
            .envs([("SUPERSTEP_ISA", asked), (EXPECTED, expected.as_str())])
            .output()
            .unwrap()
            .status;
        assert!(status.success(), "asked for `{asked}`, expected {expected}");
    }
}
