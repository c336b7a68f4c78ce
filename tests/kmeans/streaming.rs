//! Rows that no memory holds: the answer is that of rows that it does, bit for bit, and the budget holds.

use crate::support::{alone, blobs, noise, rows_for};
use ndarray::Array2;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use superstep::data::RowSource;
use superstep::queue::{DeviceChoice, OneDevice, adapters};
use superstep::{Algorithm, Init, KMeans, KMeansModel, KMeansSweep, Metric, Place, Result, Session};

/// A table that must be read, as a file must, and counts how many values were.
struct Stored {
    table: Array2<f32>,
    read: AtomicU64,
}

impl Stored {
    fn new(table: Array2<f32>) -> Self {
        Self { table, read: AtomicU64::new(0) }
    }

    fn passes(&self) -> f64 {
        self.read.swap(0, Ordering::Relaxed) as f64 / self.table.len() as f64
    }
}

impl RowSource for Stored {
    fn rows(&self) -> u64 {
        self.table.nrows() as u64
    }

    fn columns(&self) -> usize {
        self.table.ncols()
    }

    fn in_memory(&self, _: Range<u64>) -> Option<&[f32]> {
        None
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.table.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.read.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.table.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.table.place(row, column)
    }
}

fn host(memory: Option<u64>) -> Session {
    let builder = Session::builder().device(DeviceChoice::These(vec![OneDevice::Cpu])).threads(2);
    let builder = if let Some(bytes) = memory { builder.memory(bytes) } else { builder };
    builder.build().expect("the CPU opens")
}

/// A session on an adapter whose buffers may take so much.
fn device(adapter: usize, memory: Option<u64>) -> Session {
    let builder = Session::builder().device(DeviceChoice::These(vec![OneDevice::Adapter(adapter)])).threads(2);
    let builder = if let Some(bytes) = memory { builder.device_memory(bytes) } else { builder };
    builder.build().expect("the adapter opens")
}

/// Everything a fit says must be equal, to the bit.
fn assert_same(streamed: &KMeansModel, pinned: &KMeansModel, case: &str) {
    assert_eq!(streamed.centroids(), pinned.centroids(), "{case}");
    assert!(streamed.labels() == pinned.labels(), "{case}: labels differ");
    assert_eq!(streamed.inertia().to_bits(), pinned.inertia().to_bits(), "{case}");
    assert_eq!(streamed.cluster_sizes(), pinned.cluster_sizes(), "{case}");
    let trace =
        |model: &KMeansModel| model.trace().iter().map(|round| (round.inertia, round.moved)).collect::<Vec<_>>();
    assert_eq!(trace(streamed), trace(pinned), "{case}");
}

#[test]
fn streamed_and_partly_pinned_rows_give_the_bits_of_pinned_ones() -> Result<()> {
    let rows = Stored::new(blobs(60_000, 5, 9, 3));
    let bytes = 60_000 * 5 * 4;
    for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
        let kmeans = KMeans::new(7).init(init.clone()).seed(5).max_iter(6).n_init(1);
        let pinned = kmeans.clone().session(&host(None)).fit(&rows)?;
        assert!(pinned.streamed().is_none());
        // Labels and distances of all rows take 480,000 bytes.
        for (memory, least) in [(900_000, 1.0), (1_500_000, 0.2)] {
            let session = host(Some(memory));
            let streamed = kmeans.clone().session(&session).fit(&rows)?;
            assert_same(&streamed, &pinned, &format!("{init} in {memory} bytes"));
            let meter = streamed.streamed().expect("not all rows fit");
            assert!(meter.rows as f64 >= least * 0.4 * 60_000.0 && meter.of_rows == 60_000, "{meter:?}");
            assert!(meter.bytes >= bytes / 10, "{meter:?}");
            assert_eq!(session.memory().available(), memory, "all that was taken is given back");
        }
    }
    Ok(())
}

#[test]
fn pinned_rows_are_read_once_and_streamed_ones_in_every_round() -> Result<()> {
    let rows = Stored::new(noise(50_000, 6, 1));
    let start = Array2::from_shape_fn((4, 6), |(row, column)| f64::from(rows.table[(row * 7, column)]));
    let kmeans = |rounds| KMeans::new(4).init(Init::Centroids(start.clone())).max_iter(rounds).tol(0.0);
    let passes = |rounds: u32, memory| -> Result<f64> {
        rows.passes();
        kmeans(rounds).session(&host(memory)).fit(&rows)?;
        Ok(rows.passes())
    };
    let once = passes(1, None)?;
    assert!((passes(9, None)? - once).abs() < 0.01, "pinned rows are not read again");
    // Labels, distances and blocks at work take 800,000 bytes.
    let few = passes(1, Some(900_000))?;
    let many = passes(9, Some(900_000))?;
    assert!((many - few) > 4.0 && (many - few) < 8.1, "{few} and {many} passes");
    Ok(())
}

#[test]
fn weights_and_every_metric_stream_alike() -> Result<()> {
    for metric in [Metric::Euclidean, Metric::Cosine, Metric::CityBlock, Metric::Haversine] {
        let rows = Stored::new(rows_for(metric, 20_000, 6, 11));
        let weights: Vec<f32> = (0..20_000).map(|row| (row % 5) as f32 / 2.0).collect();
        let kmeans = KMeans::new(5).metric(metric).seed(2).max_iter(3);
        let fit = |memory| -> Result<KMeansModel> {
            let kmeans = kmeans.clone().session(&host(memory));
            kmeans.fit_dataset(&kmeans.dataset(&rows)?.with_weights(&weights)?)
        };
        let (pinned, streamed) = (fit(None)?, fit(Some(if metric == Metric::Haversine { 420_000 } else { 600_000 }))?);
        assert!(streamed.streamed().is_some_and(|meter| meter.rows > 0), "{metric}");
        assert_same(&streamed, &pinned, metric.as_str());
    }
    Ok(())
}

#[test]
fn empty_clusters_move_to_far_rows_wherever_these_live() -> Result<()> {
    let rows = Stored::new(blobs(30_000, 4, 3, 8));
    // All but one centroid lie where no row is.
    let start = Array2::from_shape_fn((6, 4), |(row, column)| if row == 0 { 0.0 } else { 1e3 * (row + column) as f64 });
    let kmeans = KMeans::new(6).init(Init::Centroids(start)).max_iter(5);
    let pinned = kmeans.clone().session(&host(None)).fit(&rows)?;
    let streamed = kmeans.session(&host(Some(550_000))).fit(&rows)?;
    assert_same(&streamed, &pinned, "relocation");
    Ok(())
}

#[test]
fn a_device_never_takes_more_than_it_may() -> Result<()> {
    let rows = Stored::new(blobs(40_000, 8, 6, 4));
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let kmeans = KMeans::new(5).init(Init::Random).seed(1).max_iter(3).n_init(1);
        let pinned = kmeans.clone().session(&device(adapter, None)).fit(&rows)?;
        assert!(pinned.streamed().is_none(), "gpu:{adapter}");
        // The rows take 1,280,000 bytes, labels 160,000.
        for memory in [400_000, 900_000] {
            let session = device(adapter, Some(memory));
            let streamed = kmeans.clone().session(&session).fit(&rows)?;
            assert_same(&streamed, &pinned, &format!("gpu:{adapter} in {memory} bytes"));
            let meter = streamed.streamed().expect("not all rows fit");
            assert!(meter.rows > 0 && meter.rows < 40_001, "{meter:?}");
            #[cfg(feature = "gpu")]
            if let superstep::queue::Device::Gpu(gpu) = &session.devices()[0] {
                let (_, peak) = gpu.memory_taken();
                assert!(peak <= memory && peak > memory / 4, "gpu:{adapter}: {peak} of {memory}");
            }
        }
    }
    Ok(())
}

/// Bounds stay with their rows while these come and go.
#[cfg(feature = "gpu")]
#[test]
fn streamed_rows_keep_their_bounds() -> Result<()> {
    let rows = Stored::new(blobs(8_000, 40, 9, 4));
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let kmeans = KMeans::new(9).init(Init::Random).seed(1).max_iter(9).tol(0.0).n_init(1);
        let pinned = kmeans.clone().session(&device(adapter, None)).fit(&rows)?;
        let streamed = kmeans.clone().session(&device(adapter, Some(1_000_000))).fit(&rows)?;
        assert!(streamed.streamed().is_some_and(|meter| meter.rows > 0), "gpu:{adapter}");
        assert_same(&streamed, &pinned, &format!("gpu:{adapter}"));
        let lloyd = kmeans.algorithm(Algorithm::Lloyd).session(&device(adapter, None)).fit(&rows)?;
        assert_same(&streamed, &lloyd, &format!("gpu:{adapter}, lloyd"));
    }
    Ok(())
}

/// Another program's buffers leave less of a device than it says: nobody can ask, so it is found by trying.
#[cfg(feature = "gpu")]
#[test]
fn a_device_that_runs_out_of_memory_is_tried_again_with_half() -> Result<()> {
    let rows = Stored::new(blobs(40_000, 8, 6, 4));
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let kmeans = KMeans::new(5).init(Init::Random).seed(1).max_iter(2).n_init(1);
        let pinned = kmeans.clone().session(&device(adapter, None)).fit(&rows)?;
        // What is wanted, 1,440,000 bytes and more, is allowed; but 900,000 of it are taken.
        let session = device(adapter, Some(2_000_000));
        let superstep::queue::Device::Gpu(gpu) = &session.devices()[0] else { panic!("an adapter is a GPU device") };
        let other = gpu.create_zeroed("another's", 900_000)?;
        let streamed = kmeans.clone().session(&session).fit(&rows)?;
        assert_same(&streamed, &pinned, &format!("gpu:{adapter}"));
        assert!(streamed.streamed().is_some_and(|meter| meter.rows > 0), "gpu:{adapter}");
        drop(other);
        let again = kmeans.clone().session(&session).fit(&rows)?;
        assert!(again.streamed().is_none(), "gpu:{adapter}: there is room now");
    }
    Ok(())
}

#[test]
fn what_cannot_even_be_streamed_is_refused_with_what_it_takes() {
    let rows = noise(10_000, 3, 2);
    let error = KMeans::new(2).session(&host(Some(50_000))).fit(&rows).expect_err("labels alone take more");
    let message = error.to_string();
    assert!(message.contains("memory: labels and sums take") && message.contains("50000"), "{message}");
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let error = KMeans::new(2).init(Init::Random).session(&device(adapter, Some(20_000))).fit(&rows);
        let message = error.expect_err("labels alone take more").to_string();
        assert!(message.contains("out of memory") && message.contains("20000"), "{message}");
    }
}

#[test]
fn a_sample_to_start_from_is_read_in_one_pass_and_starts_well() -> Result<()> {
    let rows = Stored::new(blobs(30_000, 4, 8, 21));
    let all = KMeans::new(8).seed(3).session(&host(None)).fit(&rows)?;
    rows.passes();
    let kmeans = KMeans::new(8).seed(3).init_sample(2000);
    let session = host(Some(750_000));
    let sampled = kmeans.clone().max_iter(1).session(&session).fit(&rows)?;
    // The draw reads 2000 rows; then the first assignment, one update, and the inertia.
    assert!(rows.passes() < 4.5, "the start does not pass over the rows");
    assert_same(&sampled, &kmeans.clone().max_iter(1).session(&host(None)).fit(&rows)?, "the same sample");
    let sampled = kmeans.clone().session(&session).fit(&rows)?;
    assert!(sampled.inertia() < 1.05 * all.inertia(), "{} against {}", sampled.inertia(), all.inertia());
    let error = kmeans.init_sample(7).fit(&rows).expect_err("7 rows for 8 centroids");
    assert!(error.to_string().contains("sample of 7 rows"), "{error}");
    Ok(())
}

/// A queue inside another streams as any: each of its rounds reads what is not pinned.
#[test]
fn sweeps_over_streamed_rows_have_the_bits_of_pinned_ones() -> Result<()> {
    let rows = Stored::new(blobs(60_000, 5, 9, 3));
    let sweep = |session: &Session| {
        let like = KMeans::new(1).init(Init::Random).seed(5).max_iter(4).session(session);
        KMeansSweep::new([3, 7]).restarts(2).template(like).fit(&rows)
    };
    let pinned = sweep(&host(None))?;
    let session = host(Some(1_500_000));
    rows.passes();
    let streamed = sweep(&session)?;
    let passes = rows.passes();
    for (streamed, pinned) in streamed.models().iter().zip(pinned.models()) {
        assert_same(streamed, pinned, &format!("k {}", pinned.k()));
    }
    assert!(passes > 10.0, "{passes} passes: rows were streamed");
    assert_eq!(session.memory().available(), 1_500_000, "all that was taken is given back");
    let error = sweep(&host(Some(300_000))).map(drop).expect_err("labels of two ks take 480,000 bytes");
    assert!(error.to_string().contains("labels of each k"), "{error}");
    for adapter in 0..adapters().len() {
        let _alone = alone();
        let pinned = sweep(&device(adapter, None))?;
        let streamed = sweep(&device(adapter, Some(2_500_000)))?;
        for (streamed, pinned) in streamed.models().iter().zip(pinned.models()) {
            assert_same(streamed, pinned, &format!("gpu:{adapter}, k {}", pinned.k()));
        }
    }
    Ok(())
}
