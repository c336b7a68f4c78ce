//! The kernels of one search, and what they take from each other.

use crate::assign_small::{Found, Given, launch};
use crate::launch::Launch;
use crate::oracle::{Metric, distance};
use superstep::backend::gpu::GpuDevice;

/// Centroids in a group, and groups.
pub(crate) const WIDTH: usize = 128;

pub(crate) fn groups(k: usize) -> usize {
    k.div_ceil(WIDTH)
}

/// From the bounds of a row to those of the next: one for each group, and the upper one.
pub(crate) fn bounds(k: usize) -> usize {
    (groups(k) + 1).next_multiple_of(4)
}

/// Centroids there is room for, and columns in half precision.
pub(crate) fn room(k: usize) -> usize {
    k.next_multiple_of(128)
}

pub(crate) fn padded(d: usize) -> usize {
    d.next_multiple_of(if d <= 128 { 16 } else { 64 })
}

/// The power of two that brings the largest value near 2¹⁴.
pub(crate) fn scale(points: &[f32]) -> f64 {
    let largest = points.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest > 0.0 { 2f64.powi((13 - largest.log2().floor() as i32).clamp(-40, 40)) } else { 1.0 }
}

/// Another kernel on the same buffers, with the constants that all kernels know.
pub(crate) fn sized<'d>(launch: Launch<'d>, stem: &'static str, (k, d): (usize, usize)) -> Launch<'d> {
    launch.kernel(stem).constant("CLUSTERS", k as u32).constant("DIMENSIONS", d as u32)
}

/// What finds the smallest values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Product {
    /// Tiles in f32, of so many threads along centroids and rows.
    Tiles(usize, usize),
    /// Matrix units.
    Halves,
    /// Tiles in f32, and all else as around matrix units, which few adapters have.
    HalvesByTiles,
}

/// The shape of a search, and the scale of its halves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    pub(crate) n: usize,
    pub(crate) d: usize,
    pub(crate) k: usize,
    pub(crate) scale: f64,
    pub(crate) product: Product,
}

impl Search {
    pub(crate) fn new((points, centroids, d): Given, product: Product) -> Self {
        Self { n: points.len() / d, d, k: centroids.len() / d, scale: scale(points), product }
    }

    /// A kernel with the constants that it knows of these.
    pub(crate) fn kernel<'d>(&self, launch: Launch<'d>, stem: &'static str, names: &[&'static str]) -> Launch<'d> {
        let value = |name: &str| match name {
            "CLUSTERS" => self.k as f64,
            "DIMENSIONS" => self.d as f64,
            "ROOM" => room(self.k) as f64,
            "PADDED" => padded(self.d) as f64,
            "SCALE" => self.scale,
            "GROUPS" => groups(self.k) as f64,
            "WIDTH" => WIDTH as f64,
            // More than half of them.
            "ALL_FROM" => (groups(self.k) / 2 + 1) as f64,
            _ => panic!("{name}"),
        };
        names.iter().fold(launch.kernel(stem), |launch, name| launch.constant(name, value(name)))
    }

    /// All buffers, and what is known of centroids and rows; no row has a cluster or a bound.
    pub(crate) fn begin<'d>(&self, device: &'d GpuDevice, given: Given) -> Launch<'d> {
        let (n, d, k, groups) = (self.n, self.d, self.k, groups(self.k));
        // No row has been looked at, as a search before would leave it.
        let mut counts = vec![u32::MAX; 5 + groups];
        counts[4 + groups] = 0;
        let launch = launch(device, "survey_centroids", Metric::SquaredEuclidean, given)
            .bind("before", &vec![0.0_f32; k * d])
            .bind("norms", &vec![0.0_f32; 2 * room(k)])
            .bind("drifts", &vec![f32::NAN; k])
            .bind("extremes", &vec![f32::NAN; 5 * groups])
            .bind("labels", &vec![u32::MAX; n])
            .bind("lower", &vec![f32::NAN; n * bounds(k)])
            .bind("open", &vec![u32::MAX; 4 * n])
            .bind("lists", &vec![u32::MAX; (1 + groups) * n])
            .bind("entries", &vec![u32::MAX; 4 * n * groups])
            .bind("undecided", &vec![u32::MAX; 3 * n])
            .bind("counts", &counts)
            .bind("parts", &vec![u32::MAX; 2 * n * k.div_ceil(64)])
            .bind("lengths", &vec![f32::NAN; 2 * n])
            .bind("row_halves", &vec![u32::MAX; n * padded(d) / 2])
            .bind("centroid_halves", &vec![u32::MAX; room(k) * padded(d) / 2]);
        self.survey(self.measure(launch))
    }

    /// What follows from the rows.
    pub(crate) fn measure<'d>(&self, launch: Launch<'d>) -> Launch<'d> {
        let launch = match self.product {
            Product::Tiles(..) => self.kernel(launch, "measure_rows", &["DIMENSIONS"]),
            Product::Halves | Product::HalvesByTiles => {
                self.kernel(launch, "halve_rows", &["DIMENSIONS", "PADDED", "SCALE"])
            }
        };
        launch.run(self.n.div_ceil(64));
        launch
    }

    /// What is known of the centroids, as against those before.
    pub(crate) fn survey<'d>(&self, launch: Launch<'d>) -> Launch<'d> {
        let launch = self.kernel(launch, "survey_centroids", &["CLUSTERS", "DIMENSIONS", "ROOM"]);
        launch.run(room(self.k));
        let launch = match self.product {
            Product::Tiles(..) => launch,
            Product::Halves | Product::HalvesByTiles => {
                let names = ["CLUSTERS", "DIMENSIONS", "PADDED", "ROOM", "SCALE"];
                let launch = self.kernel(launch, "halve_centroids", &names);
                launch.run(room(self.k));
                launch
            }
        };
        let launch = self.kernel(launch, "survey_extremes", &["CLUSTERS", "DIMENSIONS", "ROOM", "WIDTH"]);
        launch.run(groups(self.k));
        launch
    }

    /// The rows that must be searched.
    pub(crate) fn list<'d>(&self, launch: Launch<'d>) -> Launch<'d> {
        let launch = self.kernel(launch, "loosen_bounds", &["CLUSTERS", "DIMENSIONS", "GROUPS"]);
        launch.run(self.n.div_ceil(256));
        let launch = self.own(launch);
        let launch = self.kernel(launch, "skip_settled", &["CLUSTERS", "DIMENSIONS", "GROUPS", "ALL_FROM"]);
        launch.run(self.n.div_ceil(256));
        launch
    }

    /// The distances of rows whose bounds leave something open.
    pub(crate) fn own<'d>(&self, launch: Launch<'d>) -> Launch<'d> {
        let launch = match self.product {
            Product::Tiles(..) => {
                self.kernel(launch, "own_distance", &["CLUSTERS", "DIMENSIONS", "GROUPS"]).constant("LISTED", 1)
            }
            Product::Halves | Product::HalvesByTiles => {
                let names = ["CLUSTERS", "DIMENSIONS", "GROUPS", "ROOM", "PADDED", "SCALE"];
                self.kernel(launch, "own_halves", &names)
            }
        };
        launch.run(self.n.div_ceil(64));
        launch
    }

    /// What the product finds of them, by fewer workgroups than there are blocks.
    pub(crate) fn multiply<'d>(&self, launch: Launch<'d>) -> Launch<'d> {
        let tiles = if let Product::Tiles(across, down) = self.product { (across, down) } else { (8, 8) };
        let (launch, rows) = match self.product {
            Product::Tiles(..) | Product::HalvesByTiles => {
                let (across, down) = tiles;
                let launch = self.kernel(launch, "assign_tiled", &["CLUSTERS", "DIMENSIONS", "GROUPS", "WIDTH"]);
                (launch.constant("ACROSS", across as u32).constant("DOWN", down as u32), 8 * down)
            }
            Product::Halves => {
                let (stem, rows) = if self.d <= 128 { ("assign_halves", 256) } else { ("assign_halves_wide", 128) };
                (self.kernel(launch, stem, &["CLUSTERS", "GROUPS", "WIDTH", "PADDED", "SCALE"]), rows)
            }
        };
        launch.run(self.n.div_ceil(2 * rows));
        launch
    }

    /// Labels and bounds where they are clear.
    pub(crate) fn settle<'d>(&self, launch: Launch<'d>) -> Launch<'d> {
        let rounding = match self.product {
            Product::Tiles(..) | Product::HalvesByTiles => 2f64.powi(-24),
            Product::Halves => 2f64.powi(-22),
        };
        let launch = self.kernel(launch, "settle_rows", &["CLUSTERS", "DIMENSIONS", "GROUPS", "WIDTH"]);
        let own_halves = !matches!(self.product, Product::Tiles(..));
        let launch = launch.constant("ROUNDING", rounding).constant("OWN_HALVES", u8::from(own_halves));
        launch.run(self.n.div_ceil(256));
        launch
    }

    /// The first round up to there.
    pub(crate) fn settled<'d>(&self, device: &'d GpuDevice, given: Given) -> Launch<'d> {
        self.settle(self.multiply(self.list(self.begin(device, given))))
    }

    /// What is left: pairs and rows in doubt by their distances, these in parts where they are up to `few`; then the distances of
    /// all rows.
    pub(crate) fn decide<'d>(&self, launch: Launch<'d>, few: usize) -> Launch<'d> {
        let launch = self.kernel(launch, "decide_pairs", &["DIMENSIONS", "GROUPS", "WIDTH"]);
        launch.run(self.n.div_ceil(16));
        let launch = self.doubts(launch, few);
        let launch = self.kernel(launch, "own_distance", &["CLUSTERS", "DIMENSIONS", "GROUPS"]);
        launch.run(self.n.div_ceil(64));
        launch
    }

    /// The rows in doubt.
    pub(crate) fn doubts<'d>(&self, launch: Launch<'d>, few: usize) -> Launch<'d> {
        let chunks = self.k.div_ceil(64);
        let launch = self.kernel(launch, "assign_exact", &["CLUSTERS", "DIMENSIONS"]).constant("LISTED", 1);
        let launch = launch.constant("FEW", few as u32).constant("CHUNK", 64).constant("CHUNKS", chunks as u32);
        launch.run(self.n.div_ceil(2 * 64));
        let launch = launch.kernel("decide_rows").constant("FEW", few as u32).constant("CHUNKS", chunks as u32);
        launch.run(few.div_ceil(64));
        launch
    }

    /// All of a first round: labels, and distances to their centroids.
    pub(crate) fn all(&self, device: &GpuDevice, given: Given) -> Found {
        let launch = self.decide(self.settled(device, given), self.n / 3);
        (launch.read("nearest"), launch.read("distances"))
    }
}

/// Checks that bounds hold for these labels, the lower ones and the upper one, for the rows of a step.
pub(crate) fn check_bounds(case: &str, (points, centroids, d): Given, labels: &[u32], lower: &[f32], step: usize) {
    let k = centroids.len() / d;
    for row in (0..labels.len()).step_by(step) {
        let to = |j: usize| distance(Metric::SquaredEuclidean, &points[row * d..][..d], &centroids[j * d..][..d]);
        let (own, upper) = (to(labels[row] as usize).sqrt(), f64::from(lower[row * bounds(k) + groups(k)]));
        assert!(upper >= own, "{case}: row {row}, its own centroid: {upper} for {own}");
        for group in 0..groups(k) {
            let others = (group * WIDTH..((group + 1) * WIDTH).min(k)).filter(|&j| j != labels[row] as usize);
            let truth = others.map(to).fold(f64::INFINITY, f64::min).sqrt();
            let bound = f64::from(lower[row * bounds(k) + group]);
            assert!(bound <= truth, "{case}: row {row}, group {group}: {bound} for {truth}");
        }
    }
}
