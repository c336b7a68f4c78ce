//! The kernels of k-means and a whole iteration, on the CPU and on the first adapter there is.
//!
//! Throughput is in values of the rows. Shapes are small enough for two cores; a software adapter gets smaller ones, and
//! its name says that it is none to compare with.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use std::hint::black_box;
use superstep::backend::cpu::{
    BoundScratch, Bounds, Closer, Distance, FixedPoint, Guide, Isa, Nearest, Partials, Rows, Scratch, distances_to_all,
};
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

/// A round with bounds: centroids have moved by a thousandth, and what that leaves open is measured.
fn bounded(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bounded");
    for (n, d, k) in SHAPES.into_iter().filter(|(_, d, k)| d * k > 2048) {
        let rows = blobs(n, d, k);
        let values = rows.as_slice().expect("an array that was just made is contiguous");
        let start = rows.slice(ndarray::s![..k, ..]).to_owned();
        let sample = &values[..1000 * d];
        for isa in Isa::available() {
            let guide = Guide::new(start.view(), start.view(), Distance::SquaredEuclidean, isa, sample);
            let mut guide = guide.expect("the centroids are finite");
            let (mut bounds, mut scratch) = (Bounds::new(n, n, &guide), BoundScratch::default());
            let (mut labels, mut round) = (vec![u32::MAX; n], 0_i32);
            let mut block = bounds.blocks().remove(0);
            guide.seed(values, &mut block, &mut scratch, &mut labels).expect("the lengths fit");
            group.throughput(Throughput::Elements((n * d) as u64));
            group.bench_function(BenchmarkId::new(isa.as_str(), format!("{n}x{d},{k}")), |bencher| {
                bencher.iter(|| {
                    round += 1;
                    let centroids = start.mapv(|c| c * (1.0 + 1e-3 * (round % 7) as f32));
                    guide = guide.moved(centroids.view()).expect("the shape is the same");
                    if guide.doubts(&mut block, &mut scratch, &labels).expect("the lengths fit") {
                        guide.reassign(values, &mut block, &mut scratch, &mut labels).expect("the lengths fit");
                    }
                });
            });
        }
    }
}

/// The screen of k-means++, and the exact distances that it saves.
fn candidates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("candidates");
    for (n, d, _) in SHAPES.into_iter().filter(|(_, d, _)| *d >= 16) {
        let rows = blobs(n, d, 50);
        let values = rows.as_slice().expect("an array that was just made is contiguous");
        let points = &values[..9 * d];
        for isa in Isa::available() {
            let closer = Closer::new(points, d, isa).expect("there are nine points");
            let (mut squares, mut masks, mut out) = (vec![0.0; n], vec![0; n], vec![0.0; 9 * n]);
            closer.squared_lengths(values, &mut squares).expect("the lengths fit");
            group.throughput(Throughput::Bytes((n * d * size_of::<f32>()) as u64));
            group.bench_function(BenchmarkId::new(format!("screen, {isa}"), format!("{n}x{d}")), |bencher| {
                bencher.iter(|| closer.screen(black_box(values), &squares, &squares, &mut masks));
            });
            group.bench_function(BenchmarkId::new(format!("distances, {isa}"), format!("{n}x{d}")), |bencher| {
                bencher
                    .iter(|| distances_to_all(black_box(values), points, d, Distance::SquaredEuclidean, isa, &mut out));
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

criterion_group!(benches, assign, bounded, candidates, update, iteration);
criterion_main!(benches);
