//! Few dimensions: a thread keeps two rows in registers.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::{Metric, Noise, check_nearest, distance};
use ndarray::ArrayView2;
use superstep::backend::cpu::{Distance, Isa, Nearest, Scratch};
use superstep::backend::gpu::GpuDevice;

/// Points, centroids, and their columns.
pub(crate) type Given<'g> = (&'g [f32], &'g [f32], usize);

/// Labels and distances.
pub(crate) type Found = (Vec<u32>, Vec<f32>);

/// A kernel with what all assignments take, and nothing found yet.
pub(crate) fn launch<'d>(
    device: &'d GpuDevice,
    stem: &'static str,
    metric: Metric,
    (points, centroids, d): Given,
) -> Launch<'d> {
    let (n, k) = (points.len() / d, centroids.len() / d);
    Launch::new(device, stem)
        .constant("DIMENSIONS", d as u32)
        .constant("CLUSTERS", k as u32)
        .constant("CITYBLOCK", u8::from(metric == Metric::CityBlock))
        .bind("points", points)
        .shape("points_shape", n, d)
        .bind("centroids", centroids)
        .bind("nearest", &vec![u32::MAX; n])
        .bind("distances", &vec![f32::NAN; n])
}

pub(crate) fn assign_small(device: &GpuDevice, metric: Metric, given: Given) -> Found {
    let launch = launch(device, "assign_small", metric, given);
    launch.run((given.0.len() / given.2).div_ceil(512));
    (launch.read("nearest"), launch.read("distances"))
}

/// Checks that the twin on the processor gives the same labels, but for rows with two centroids within 1e-5.
fn check_twin(case: &str, metric: Metric, (points, centroids, d): Given, found: &[u32]) {
    let kind = if metric == Metric::CityBlock { Distance::CityBlock } else { Distance::SquaredEuclidean };
    let view = ArrayView2::from_shape((centroids.len() / d, d), centroids).unwrap();
    let mut labels = vec![0; found.len()];
    let nearest = Nearest::new(view, kind, Isa::detect()).unwrap();
    nearest.assign(points, &mut Scratch::default(), &mut labels).unwrap();
    for (row, (&twin, &label)) in labels.iter().zip(found).enumerate() {
        let to = |j: u32| distance(metric, &points[row * d..][..d], &centroids[j as usize * d..][..d]);
        assert!(twin == label || to(label) - to(twin) <= 1e-5 * to(twin), "{case}: row {row}: {label}, twin {twin}");
    }
}

/// Checks a kernel on noise of every shape, in both metrics.
pub(crate) fn check_shapes(
    assign: impl Fn(&GpuDevice, Metric, Given) -> Found,
    metrics: &[Metric],
    shapes: &[(usize, usize, usize)],
) {
    on_every_adapter(|device| {
        for &(n, d, k) in shapes {
            for &metric in metrics {
                let mut noise = Noise((n * 31 + d * 7 + k) as u64);
                let (points, centroids) = (noise.values(n * d), noise.values(k * d));
                let (labels, distances) = assign(device, metric, (&points, &centroids, d));
                let case = format!("{n} × {d}, k = {k}, {metric:?}");
                check_nearest(&case, metric, &points, &centroids, d, (&labels, &distances));
                check_twin(&case, metric, (&points, &centroids, d), &labels);
            }
        }
    });
}

/// Checks a kernel on inputs that trip up careless arithmetic.
pub(crate) fn check_hostile(assign: impl Fn(&GpuDevice, Metric, Given) -> Found, metrics: &[Metric], d: usize) {
    let (n, k) = (130, 9);
    let mut noise = Noise(5);
    let scaled = |noise: &mut Noise, count: usize, offset: f32, scale: f32| -> Vec<f32> {
        noise.values(count * d).into_iter().map(|v| offset + scale * v).collect()
    };
    let same = vec![0.25; n * d];
    let repeated: Vec<f32> = scaled(&mut noise, 3, 0.0, 1.0).repeat(3);
    let cases = [
        ("all points equal", same.clone(), scaled(&mut noise, k, 0.0, 1.0)),
        ("all points and centroids equal", same, vec![0.25; k * d]),
        ("centroids that repeat", scaled(&mut noise, n, 0.0, 1.0), repeated),
        ("offset 1e4", scaled(&mut noise, n, 1e4, 1.0), scaled(&mut noise, k, 1e4, 1.0)),
        ("offset 1e6", scaled(&mut noise, n, 1e6, 1e3), scaled(&mut noise, k, 1e6, 1e3)),
        ("values of 1e17", scaled(&mut noise, n, 0.0, 1e17), scaled(&mut noise, k, 0.0, 1e17)),
        ("values of 1e-15", scaled(&mut noise, n, 0.0, 1e-15), scaled(&mut noise, k, 0.0, 1e-15)),
    ];
    on_every_adapter(|device| {
        for (case, points, centroids) in &cases {
            for &metric in metrics {
                let (labels, distances) = assign(device, metric, (points, centroids, d));
                check_nearest(case, metric, points, centroids, d, (&labels, &distances));
            }
        }
    });
}

pub(crate) const BOTH: &[Metric] = &[Metric::SquaredEuclidean, Metric::CityBlock];

#[test]
fn finds_the_nearest_centroid_for_shapes_on_and_off_its_tiles() {
    check_shapes(
        assign_small,
        BOTH,
        &[
            (1, 1, 1),
            (3, 2, 513),
            (257, 3, 2),
            (511, 4, 5),
            (512, 5, 64),
            (513, 8, 257),
            (1300, 13, 10),
            (700, 16, 129),
            (300, 17, 33),
            (100, 31, 65),
            (1025, 32, 130),
        ],
    );
}

#[test]
fn breaks_ties_downwards_and_keeps_offsets_apart() {
    check_hostile(assign_small, BOTH, 6);
    check_hostile(assign_small, BOTH, 30);
}
