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
