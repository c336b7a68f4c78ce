//! Bounds change no label: every round is compared with the definition, on data made to break them.

use crate::oracle::{self, Case, Numbers, cases};
use ndarray::Array2;
use superstep::backend::cpu::{BoundScratch, Bounds, Distance, Guide, Isa};

const DISTANCES: [Distance; 2] = [Distance::SquaredEuclidean, Distance::CityBlock];

/// Rows a block: so few that there are several, and a shorter last one.
const BLOCK: usize = 40;

/// How the centroids of a round come from those of the round before.
type Motion = fn(&mut Numbers, &Array2<f32>, &Array2<f32>) -> Array2<f32>;

const MOTIONS: [(&str, Motion); 5] = [
    ("nothing moves", |_, centroids, _| centroids.clone()),
    ("all move a little", |numbers, centroids, _| centroids.mapv(|c| c + 1e-3 * c * numbers.unit())),
    ("one jumps onto a row", |numbers, centroids, rows| {
        let (mut moved, row) = (centroids.clone(), numbers.below(rows.nrows()));
        moved.row_mut(numbers.below(centroids.nrows())).assign(&rows.row(row));
        moved
    }),
    ("two trade places", |numbers, centroids, _| {
        let (mut moved, a, b) = (centroids.clone(), numbers.below(centroids.nrows()), numbers.below(centroids.nrows()));
        moved.row_mut(a).assign(&centroids.row(b));
        moved.row_mut(b).assign(&centroids.row(a));
        moved
    }),
    ("all jump onto rows", |numbers, centroids, rows| {
        let mut moved = centroids.clone();
        for mut centroid in moved.outer_iter_mut() {
            centroid.assign(&rows.row(numbers.below(rows.nrows())));
        }
        moved
    }),
];

struct Run<'a> {
    rows: &'a Array2<f32>,
    guide: Guide,
    bounds: Bounds,
    scratch: BoundScratch,
    labels: Vec<u32>,
}

impl<'a> Run<'a> {
    fn seeded(case: &'a Case, distance: Distance, isa: Isa, sample: &[f32], labels: Vec<u32>) -> Self {
        let (centroids, before) = (case.centroids.view(), Array2::zeros(case.centroids.dim()));
        let guide = Guide::new(centroids, before.view(), distance, isa, sample).unwrap();
        let bounds = Bounds::new(case.rows.nrows(), BLOCK, &guide);
        let mut run = Self { rows: &case.rows, guide, bounds, scratch: BoundScratch::default(), labels };
        run.each_block(|guide, values, bounds, scratch, labels| guide.seed(values, bounds, scratch, labels).unwrap());
        run
    }

    fn round(&mut self, centroids: &Array2<f32>) {
        self.guide = self.guide.moved(centroids.view()).unwrap();
        self.each_block(|guide, values, bounds, scratch, labels| {
            if guide.doubts(bounds, scratch, labels).unwrap() {
                guide.reassign(values, bounds, scratch, labels).unwrap();
            }
        });
    }

    fn each_block(
        &mut self,
        act: impl Fn(&Guide, &[f32], &mut superstep::backend::cpu::BlockBounds, &mut BoundScratch, &mut [u32]),
    ) {
        let d = self.rows.ncols();
        let blocks = self.rows.as_slice().unwrap().chunks(BLOCK * d).zip(self.labels.chunks_mut(BLOCK));
        for ((values, labels), mut bounds) in blocks.zip(self.bounds.blocks()) {
            act(&self.guide, values, &mut bounds, &mut self.scratch, labels);
        }
    }
}

fn expected(rows: &Array2<f32>, centroids: &Array2<f32>, distance: Distance) -> Vec<u32> {
    rows.outer_iter().map(|row| oracle::nearest(distance, &row.to_vec(), centroids)).collect()
}

/// Seeds, then moves the centroids in every way, twice, and compares each round with the definition.
fn compare(case: &Case, distance: Distance, isa: Isa, sample: &[f32], labels: Vec<u32>) -> Guide {
    let mut numbers = Numbers::new(7);
    let mut run = Run::seeded(case, distance, isa, sample, labels);
    assert_eq!(run.labels, expected(&case.rows, &case.centroids, distance), "{isa}, {distance:?}, {}: seed", case.name);
    let mut centroids = case.centroids.clone();
    for (motion, step) in MOTIONS.iter().chain(&MOTIONS) {
        let moved = step(&mut numbers, &centroids, &case.rows);
        // Sums of large values may overflow: the library's centroids are finite, these stay so too.
        centroids = moved.mapv(|c| c.clamp(-f32::MAX, f32::MAX));
        run.round(&centroids);
        let expected = expected(&case.rows, &centroids, distance);
        assert_eq!(run.labels, expected, "{isa}, {distance:?}, {}: {motion}", case.name);
    }
    run.guide
}

#[test]
fn every_round_has_the_labels_of_the_f64_definition() {
    for case in cases() {
        for distance in DISTANCES {
            for isa in Isa::available() {
                compare(&case, distance, isa, &[], vec![u32::MAX; case.rows.nrows()]);
            }
        }
    }
}

/// Long rows near a surface of few dimensions: most of their length is in a basis of few vectors.
fn near_a_surface(n: usize, d: usize, k: usize, make: impl Fn(f32) -> f32) -> Case {
    let mut numbers = Numbers::new(d as u64);
    let plane = Array2::from_shape_fn((6, d), |_| numbers.unit());
    let mut points = |count| {
        let flat = Array2::from_shape_fn((count, 6), |_| numbers.unit());
        let noise = Array2::from_shape_fn((count, d), |_| 0.05 * numbers.unit());
        (flat.dot(&plane) + noise).mapv(&make)
    };
    let rows = points(n);
    let mut centroids = points(k);
    centroids.row_mut(k - 1).assign(&rows.row(0));
    let copy = centroids.row(k - 1).to_owned();
    centroids.row_mut(0).assign(&copy);
    Case { name: format!("a surface, n {n}, d {d}, k {k}"), rows, centroids }
}

/// What becomes of a value.
type Way = fn(f32) -> f32;

#[test]
fn bounds_in_fewer_columns_change_no_label() {
    let ways: [(&str, Way); 5] = [
        ("as they are", |x| x),
        ("offset 1e4", |x| x + 1e4),
        ("tiny", |x| x * 1e-38),
        ("huge", |x| x * 1e17),
        ("in steps, full of ties", |x| x.round()),
    ];
    for (n, d, k) in [(300, 200, 70), (123, 256, 33), (90, 784, 10)] {
        for (way, make) in ways {
            let case = near_a_surface(n, d, k, make);
            let sample = case.rows.as_slice().unwrap();
            for isa in Isa::available() {
                let known = expected(&case.rows, &case.centroids.mapv(|c| c * 0.9), Distance::SquaredEuclidean);
                for labels in [vec![u32::MAX; n], known] {
                    let guide = compare(&case, Distance::SquaredEuclidean, isa, sample, labels);
                    let plain = way == "as they are";
                    assert!(guide.is_reduced() || !plain, "{isa}, {}: no basis was found", case.name);
                }
            }
        }
    }
}

#[test]
fn a_basis_is_not_taken_where_it_would_tell_nothing_apart() {
    let mut numbers = Numbers::new(4);
    let rows = Array2::from_shape_fn((400, 256), |_| numbers.unit());
    let centroids = rows.slice(ndarray::s![..64, ..]).to_owned();
    let before = Array2::zeros((64, 256));
    let sample = rows.as_slice().unwrap();
    let guide = Guide::new(centroids.view(), before.view(), Distance::SquaredEuclidean, Isa::detect(), sample).unwrap();
    assert!(!guide.is_reduced());
}

#[test]
fn rows_that_are_settled_are_not_measured() {
    let mut numbers = Numbers::new(5);
    for (d, k) in [(4, 40), (16, 64), (24, 3), (40, 100)] {
        let centroids =
            Array2::from_shape_fn((k, d), |(j, column)| if j % d == column { 9.0 * (j + 1) as f32 } else { 0.0 });
        let rows = Array2::from_shape_fn((300, d), |(i, column)| centroids[[i % k, column]] + 0.1 * numbers.unit());
        let case = Case { name: "heaps".into(), rows, centroids: centroids.clone() };
        let mut run = Run::seeded(&case, Distance::SquaredEuclidean, Isa::detect(), &[], vec![u32::MAX; 300]);
        let seeded = run.scratch.counts().0;
        run.round(&centroids.mapv(|c| c + 0.01));
        assert_eq!(run.scratch.counts().0, seeded, "d {d}, k {k}");
    }
}

#[test]
fn a_row_takes_at_most_a_quarter_of_itself_and_24_bytes() {
    for isa in Isa::available() {
        for d in [1, 2, 3, 8, 16, 100, 192, 784, 4096] {
            for k in [1, 2, 10, 64, 1000, 100_000] {
                assert!(Guide::bytes_a_row(k, d, isa) <= d + 24, "{isa}, d {d}, k {k}");
            }
        }
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let centroids = Array2::from_shape_fn((3, 4), |(i, j)| (i * j) as f32);
    let isa = Isa::detect();
    let new = |before: &Array2<f32>, sample: &[f32]| {
        Guide::new(centroids.view(), before.view(), Distance::SquaredEuclidean, isa, sample)
    };
    assert!(new(&Array2::zeros((2, 4)), &[]).is_err());
    assert!(new(&centroids, &[1.0; 7]).is_err());
    let guide = new(&centroids, &[]).unwrap();
    assert!(guide.moved(Array2::zeros((3, 5)).view()).is_err());
    let (mut bounds, mut scratch) = (Bounds::new(10, 10, &guide), BoundScratch::default());
    let mut block = bounds.blocks().remove(0);
    assert!(guide.seed(&[0.0; 40], &mut block, &mut scratch, &mut [0; 9]).is_err());
    assert!(guide.seed(&[0.0; 39], &mut block, &mut scratch, &mut [0; 10]).is_err());
    assert!(guide.doubts(&mut block, &mut scratch, &[0; 11]).is_err());
    assert!(guide.doubts(&mut block, &mut scratch, &[3; 10]).is_err(), "a label that is no cluster");
}
