//! K-means as a textbook has it, in f64 and plain loops, in the order of scikit-learn's `_kmeans_single_lloyd`.

use ndarray::{Array2, ArrayView1, Axis};
use superstep::{EmptyClusters, Metric};

const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A metric's distance of two rows of the data's own space.
pub(crate) fn distance(metric: Metric, x: ArrayView1<f64>, c: ArrayView1<f64>) -> f64 {
    let differences = x.iter().zip(c).map(|(x, c)| x - c);
    match metric {
        Metric::Euclidean => differences.map(|difference| difference * difference).sum::<f64>().sqrt(),
        Metric::CityBlock => differences.map(f64::abs).sum(),
        Metric::Cosine => 1.0 - x.dot(&c) / (x.dot(&x).sqrt() * c.dot(&c).sqrt()),
        Metric::Haversine => {
            let [x, c] = [x, c].map(|place| [place[0].to_radians(), place[1].to_radians()]);
            let square = |angle: f64| (angle / 2.0).sin().powi(2);
            let half_chord = square(x[0] - c[0]) + x[0].cos() * c[0].cos() * square(x[1] - c[1]);
            2.0 * EARTH_RADIUS_KM * half_chord.min(1.0).sqrt().asin()
        }
    }
}

/// What a row adds to the inertia.
pub(crate) fn loss(metric: Metric, x: ArrayView1<f64>, c: ArrayView1<f64>) -> f64 {
    let distance = distance(metric, x, c);
    match metric {
        Metric::Euclidean | Metric::Haversine => distance * distance,
        Metric::CityBlock | Metric::Cosine => distance,
    }
}

/// The inertia of labels.
pub(crate) fn inertia(
    metric: Metric,
    points: &Array2<f64>,
    weights: &[f64],
    centroids: &Array2<f64>,
    labels: &[u32],
) -> f64 {
    let losses = (0..points.nrows())
        .map(|row| weights[row] * loss(metric, points.row(row), centroids.row(labels[row] as usize)));
    losses.sum()
}

/// The nearest centroid of each row, the lowest index on ties.
pub(crate) fn assign(metric: Metric, points: &Array2<f64>, centroids: &Array2<f64>) -> Vec<u32> {
    points.outer_iter().map(|row| nearest(metric, row, centroids).0).collect()
}

/// The nearest centroid of a row, and by what part of its distance the next one that lies elsewhere is farther.
fn nearest(metric: Metric, row: ArrayView1<f64>, centroids: &Array2<f64>) -> (u32, f64) {
    let distances: Vec<f64> = centroids.outer_iter().map(|centroid| distance(metric, row, centroid)).collect();
    let best = (0..distances.len()).fold(0, |best, at| if distances[at] < distances[best] { at } else { best });
    let elsewhere = (0..distances.len()).filter(|&at| centroids.row(at) != centroids.row(best));
    let margins = elsewhere.map(|at| (distances[at] - distances[best]) / distances[at]);
    (best as u32, margins.fold(f64::INFINITY, f64::min))
}

/// The settings of a run.
pub(crate) struct Lloyd<'a> {
    pub(crate) points: &'a Array2<f64>,
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) metric: Metric,
    pub(crate) empty: EmptyClusters,
    pub(crate) max_iter: u32,
}

/// What a run comes to.
pub(crate) struct Fit {
    pub(crate) centroids: Array2<f64>,
    pub(crate) labels: Vec<u32>,
    pub(crate) inertia: f64,
    pub(crate) iterations: u32,
    /// Whether some row was, in some round, so near to the border of two clusters that rounding to f32 may have sent it
    /// to the other one.
    pub(crate) ambiguous: bool,
}

impl<'a> Lloyd<'a> {
    pub(crate) fn new(points: &'a Array2<f64>, metric: Metric, max_iter: u32) -> Self {
        Self { points, weights: None, metric, empty: EmptyClusters::Relocate, max_iter }
    }

    /// Runs from a start to strict convergence, or to the maximum of rounds.
    pub(crate) fn run(&self, start: &Array2<f64>) -> Fit {
        let mut centroids = start.clone();
        let mut labels: Vec<u32> = Vec::new();
        let (mut iterations, mut ambiguous) = (0, false);
        while iterations < self.max_iter {
            iterations += 1;
            ambiguous |= self.is_ambiguous(&centroids);
            let assigned = assign(self.metric, self.points, &centroids);
            if assigned == labels {
                break;
            }
            labels = assigned;
            let moved = self.update(&centroids, &labels);
            let still = moved == centroids;
            centroids = moved;
            if still {
                break;
            }
        }
        ambiguous |= self.is_ambiguous(&centroids);
        let labels = assign(self.metric, self.points, &centroids);
        let ones = vec![1.0; self.points.nrows()];
        let inertia = inertia(self.metric, self.points, self.weights.unwrap_or(&ones), &centroids, &labels);
        Fit { centroids, labels, inertia, iterations, ambiguous }
    }

    fn is_ambiguous(&self, centroids: &Array2<f64>) -> bool {
        self.points.outer_iter().any(|row| nearest(self.metric, row, centroids).1 < 1e-5)
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// The middles of the clusters, after the farthest rows have been given to empty ones.
    fn update(&self, old: &Array2<f64>, labels: &[u32]) -> Array2<f64> {
        let mut of = labels.to_vec();
        let k = old.nrows() as u32;
        let holds_mass = |cluster| (0..of.len()).any(|row| labels[row] == cluster && self.weight(row) > 0.0);
        let empty: Vec<u32> = (0..k).filter(|&cluster| !holds_mass(cluster)).collect();
        let mut seats = Vec::new();
        if self.empty == EmptyClusters::Relocate {
            let to = |row: usize| distance(self.metric, self.points.row(row), old.row(labels[row] as usize));
            let mut far: Vec<usize> = (0..of.len()).filter(|&row| self.weight(row) > 0.0).collect();
            far.sort_by(|&a, &b| to(b).total_cmp(&to(a)).then(a.cmp(&b)));
            if to(far[0]) > 0.0 {
                seats = empty.into_iter().zip(far).collect();
            }
        }
        // Medians are not sums that a row can be taken out of: there the row is in both.
        if self.metric != Metric::CityBlock {
            seats.iter().for_each(|&(cluster, row)| of[row] = cluster);
        }
        let mut centroids = old.clone();
        for cluster in 0..k {
            let rows: Vec<usize> = (0..of.len()).filter(|&row| of[row] == cluster && self.weight(row) > 0.0).collect();
            let middle = match seats.iter().find(|&&(seat, _)| seat == cluster) {
                Some(&(_, row)) if self.metric == Metric::CityBlock => Some(self.points.row(row).to_vec()),
                _ => self.middle(&rows),
            };
            if let Some(middle) = middle {
                centroids.row_mut(cluster as usize).assign(&ArrayView1::from(&middle));
            }
        }
        centroids
    }

    /// The point that a metric takes for the middle of some rows; none where there is none.
    fn middle(&self, rows: &[usize]) -> Option<Vec<f64>> {
        if rows.is_empty() {
            return None;
        }
        let total: f64 = rows.iter().map(|&row| self.weight(row)).sum();
        match self.metric {
            Metric::Euclidean => Some(self.sum(rows, |x| x.to_vec()).iter().map(|sum| sum / total).collect()),
            Metric::CityBlock => {
                Some((0..self.points.len_of(Axis(1))).map(|column| self.lower_median(rows, column, total)).collect())
            }
            Metric::Cosine => direction(&self.sum(rows, |x| direction(&x.to_vec()).unwrap_or_default())),
            Metric::Haversine => {
                let mean = self.sum(rows, |place| {
                    let (latitude, longitude) = (place[0].to_radians(), place[1].to_radians());
                    vec![latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
                });
                let [x, y, z] = [mean[0], mean[1], mean[2]];
                Some(vec![z.atan2((x * x + y * y).sqrt()).to_degrees(), y.atan2(x).to_degrees()])
            }
        }
    }

    fn sum(&self, rows: &[usize], of: impl Fn(ArrayView1<f64>) -> Vec<f64>) -> Vec<f64> {
        rows.iter().fold(Vec::new(), |mut sum, &row| {
            let values = of(self.points.row(row));
            sum.resize(values.len(), 0.0);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += self.weight(row) * value);
            sum
        })
    }

    /// The smallest value that, with all below it, has half of the mass.
    fn lower_median(&self, rows: &[usize], column: usize, total: f64) -> f64 {
        let mut values: Vec<(f64, f64)> =
            rows.iter().map(|&row| (self.points[(row, column)], self.weight(row))).collect();
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut mass = 0.0;
        let half = values.iter().find(|(_, weight)| {
            mass += weight;
            2.0 * mass >= total
        });
        half.map_or(f64::NAN, |(value, _)| *value)
    }
}

fn direction(vector: &[f64]) -> Option<Vec<f64>> {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length > 0.0).then(|| vector.iter().map(|value| value / length).collect())
}
