//! Rows that move between devices while a fit runs change nothing of its answer.

use crate::support::{alone, blobs, gpus, noise, session};
use ndarray::Array2;
use std::time::Duration;
use superstep::data::RowSource;
use superstep::queue::{DeviceChoice, OneDevice};
use superstep::{Algorithm, KMeans, KMeansModel, Place, Result, Session};

/// Rows of a file, of which the first half takes long to read.
struct Uneven(Array2<f32>);

impl RowSource for Uneven {
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    fn columns(&self) -> usize {
        self.0.columns()
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.0.read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        let last = first + (out.len() / self.columns()) as u64;
        let slow = last.min(self.rows() / 2).saturating_sub(first);
        std::thread::sleep(slow as u32 * Duration::from_micros(50));
        self.0.read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        self.0.place(row, column)
    }
}

/// The trace may differ by `near` of itself: squared lengths of rows are rounded by their device.
fn assert_same(found: &KMeansModel, expected: &KMeansModel, near: f64, case: &str) {
    assert_eq!(found.labels(), expected.labels(), "{case}: labels");
    assert_eq!(found.centroids(), expected.centroids(), "{case}: centroids");
    assert_eq!(found.inertia().to_bits(), expected.inertia().to_bits(), "{case}: inertia");
    assert_eq!(found.trace().len(), expected.trace().len(), "{case}: rounds");
    for (found, expected) in found.trace().iter().zip(expected.trace()) {
        assert_eq!((found.iteration, found.moved), (expected.iteration, expected.moved), "{case}");
        let off = (found.inertia - expected.inertia).abs() / expected.inertia;
        assert!(off <= near, "{case}, iteration {}: the inertia is off by {off:e}", found.iteration);
    }
}

fn kmeans() -> KMeans {
    KMeans::new(12).seed(3).tol(0.0).max_iter(25)
}

#[test]
fn rows_that_move_to_another_processor_have_the_same_bits() -> Result<()> {
    let points = noise(4000, 64, 5);
    let kmeans = kmeans().max_iter(8);
    let expected = kmeans.clone().session(&session(&[OneDevice::Cpu])).fit(&points)?;
    // Room for labels and sums, and too little for the rows: these are read in every round, the first half slowly.
    let two = Session::builder().device(DeviceChoice::These(vec![OneDevice::Cpu; 2])).threads(2);
    let found = kmeans.session(&two.memory(4_700_000).build()?).fit(&Uneven(points.clone()))?;
    assert!(found.streamed().is_some() && found.moves() > 0, "{:?}, {} moves", found.streamed(), found.moves());
    assert_same(&found, &expected, 0.0, &format!("after {} moves", found.moves()));
    Ok(())
}

/// Shares begin equal, and a software adapter is slower than the processor: whether that is enough to move rows is not said.
#[test]
fn teams_of_processors_and_adapters_have_the_same_bits_whatever_moves() -> Result<()> {
    let points = blobs(30_000, 20, 40, 6);
    let _alone = alone();
    let expected = kmeans().session(&session(&[OneDevice::Cpu])).fit(&points)?;
    for gpu in (0..gpus().len()).map(OneDevice::Adapter) {
        for team in [vec![OneDevice::Cpu, gpu], vec![gpu, OneDevice::Cpu, gpu]] {
            let session =
                Session::builder().device(DeviceChoice::These(team.clone())).threads(2).tune(false).build()?;
            let found = kmeans().session(&session).fit(&points)?;
            println!("{team:?}: {} moves", found.moves());
            assert_same(&found, &expected, 1e-14, &format!("{team:?}, after {} moves", found.moves()));
        }
    }
    Ok(())
}

/// A fit that has lost its device goes on with the same bits, and says so.
#[cfg(feature = "gpu")]
#[test]
fn a_fit_that_loses_its_device_has_the_same_bits() -> Result<()> {
    use superstep::algorithms::kmeans::Progress;
    use superstep::backend::gpu::GpuDevice;

    let _alone = alone();
    let shapes = [(20, 40, Algorithm::Auto), (64, 150, Algorithm::Auto), (64, 150, Algorithm::Lloyd)];
    for ((d, k, algorithm), profile) in shapes.into_iter().flat_map(|shape| [(shape, false), (shape, true)]) {
        let points = noise(1500, d, 6);
        let kmeans = KMeans::new(k).seed(3).tol(0.0).max_iter(8).algorithm(algorithm).profile(profile);
        for gpu in 0..gpus().len() {
            let expected = kmeans.clone().session(&gpus()[gpu]).fit(&points)?;
            let device = GpuDevice::open(gpu)?;
            let session = Session::builder().own_device(device.clone()).threads(2).build()?;
            let destroy = move |told: Progress| {
                if matches!(told, Progress::Round { round, .. } if round.iteration == 3) {
                    device.destroy();
                }
            };
            let found = kmeans.clone().session(&session).progress(destroy).fit(&points)?;
            assert_same(&found, &expected, 0.0, &format!("gpu:{gpu}, {d} columns, {algorithm}, profile {profile}"));
            let lost: Vec<_> = found.warnings().iter().filter(|warning| warning.contains("was lost")).collect();
            assert_eq!(lost.len(), 1, "{:?}", found.warnings());
            assert!(expected.iterations() > 4, "{} iterations", expected.iterations());
        }
    }
    Ok(())
}

/// A device that is lost while a start is chosen: it is chosen again, and alike.
#[cfg(feature = "gpu")]
#[test]
fn a_start_whose_device_is_lost_is_chosen_again() -> Result<()> {
    use superstep::Init;
    use superstep::algorithms::kmeans::Progress;
    use superstep::backend::gpu::GpuDevice;

    let _alone = alone();
    let points = noise(1500, 20, 7);
    for init in [Init::KMeansPlusPlus, Init::KMeansParallel] {
        let kmeans = KMeans::new(20).init(init.clone()).seed(4).tol(0.0).max_iter(4).n_init(2);
        for gpu in 0..gpus().len() {
            let expected = kmeans.clone().session(&gpus()[gpu]).fit(&points)?;
            let device = GpuDevice::open(gpu)?;
            let session = Session::builder().own_device(device.clone()).threads(2).build()?;
            let destroy = move |told: Progress| {
                if matches!(told, Progress::Init { .. }) {
                    device.destroy();
                }
            };
            let found = kmeans.clone().session(&session).progress(destroy).fit(&points)?;
            assert_same(&found, &expected, 0.0, &format!("gpu:{gpu}, {init}"));
        }
    }
    Ok(())
}
