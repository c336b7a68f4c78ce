//! The kernels of k-means and a whole iteration, on the CPU and on the first adapter there is.
//!
//! Throughput is in values of the rows. Shapes are small enough for two cores; a software adapter gets smaller ones, and
//! its name says that it is none to compare with.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use std::hint::black_box;
use superstep::backend::cpu::{Distance, FixedPoint, Isa, Nearest, Partials, Rows, Scratch};
use superstep::data::Philox;
use superstep::{Init, KMeans, Session};

/// Rows in heaps around k points.
fn blobs(n: usize, d: usize, k: usize) -> Array2<f32> {
    let philox = Philox::new(1);
    Array2::from_shape_fn((n, d), |(row, column)| {
        let centre = philox.uniform(0, (row % k) as u64, column as u32) * 20.0;
        (centre + philox.uniform(1, row as u64, column as u32)) as f32
    })
}

const SHAPES: [(usize, usize, usize); 4] = [(100_000, 3, 8), (50_000, 16, 64), (10_000, 128, 256), (5_000, 768, 64)];

fn assign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("assign");
    for (n, d, k) in SHAPES {
        let rows = blobs(n, d, k);
        let values = rows.as_slice().expect("an array that was just made is contiguous");
        for isa in Isa::available() {
            let centroids = rows.slice(ndarray::s![..k, ..]);
            let nearest = Nearest::new(centroids, Distance::SquaredEuclidean, isa).expect("the centroids are finite");
            let (mut labels, mut scratch) = (vec![0; n], Scratch::default());
            group.throughput(Throughput::Elements((n * d) as u64));
            group.bench_function(BenchmarkId::new(isa.as_str(), format!("{n}x{d},{k}")), |bencher| {
                bencher.iter(|| nearest.assign(black_box(values), &mut scratch, &mut labels));
            });
        }
    }
}

fn update(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sum_by_label");
    for (n, d, k) in SHAPES {
        let rows = blobs(n, d, k);
        let values = rows.as_slice().expect("an array that was just made is contiguous");
        let labels: Vec<u32> = (0..n).map(|row| (row * 7 % k) as u32).collect();
        let fixed = FixedPoint::plan(n as u64, &vec![32.0; d], None, 1e6).expect("the bounds are finite");
        let mut sums = Partials::new(&fixed, k).expect("the sums fit in memory");
        let block = Rows { values, weights: None, labels: &labels, previous: &labels, distances: &vec![1.0; n] };
        group.throughput(Throughput::Bytes((n * d * size_of::<f32>()) as u64));
        group.bench_function(format!("{n}x{d},{k}"), |bencher| bencher.iter(|| sums.add_rows(black_box(&block))));
    }
}

fn iteration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ten iterations");
    group.sample_size(10);
    let cpu = Session::cpu().expect("the processor is always there");
    let mut sessions = vec![("cpu".to_owned(), cpu, 1)];
    if let Ok(gpu) = Session::gpu() {
        let info = gpu.devices()[0].info().clone();
        let smaller = if info.kind.is_hardware_gpu() { 1 } else { 50 };
        sessions.push((format!("{} ({})", info.name, info.kind), gpu, smaller));
    }
    for (name, session, smaller) in &sessions {
        for (n, d, k) in SHAPES {
            let rows = blobs(n / smaller, d, k);
            let start = rows.slice(ndarray::s![..k, ..]).mapv(f64::from);
            let kmeans = KMeans::new(k).init(Init::Centroids(start)).max_iter(10).tol(0.0).session(session);
            group.throughput(Throughput::Elements(rows.len() as u64));
            group.bench_function(BenchmarkId::new(name, format!("{}x{d},{k}", rows.nrows())), |bencher| {
                bencher.iter(|| kmeans.fit(black_box(&rows)));
            });
        }
    }
}

criterion_group!(benches, assign, update, iteration);
criterion_main!(benches);
