//! A device that is lost while a queue runs, or before, does not end the run where the queue says what a round goes on from.

use crate::caller::open_as_caller;
use crate::kernels::{Follow, ROWS, STATE, SUMS, SumColumns, followed};
use crate::support::{gpus, table};
use ndarray::{Array1, Array2};
use std::sync::Mutex;
use superstep::Result;
use superstep::backend::gpu::GpuDevice;
use superstep::queue::{AllReduce, ComContext, IterationListener, IterativeComQueue, Run, Session};

const ROUNDS: u32 = 10;

/// Destroys a device at the end of a round, and hears of all rounds.
struct Destroys<'d> {
    device: &'d GpuDevice,
    at: u32,
    heard: Mutex<Vec<u32>>,
}

impl IterationListener for &Destroys<'_> {
    fn on_round_end(&self, round: u32, _: &ComContext) -> Result<()> {
        let mut heard = self.heard.lock().expect("no test panics here");
        if round == self.at && !heard.contains(&round) {
            self.device.destroy();
        }
        heard.push(round);
        Ok(())
    }
}

fn queue<'q>(session: &Session, data: &'q Array2<f32>) -> IterativeComQueue<'q> {
    IterativeComQueue::new(session)
        .init_with_partitioned_data(ROWS, data)
        .init_with_broadcast_data(STATE, Array1::zeros(data.ncols()))
        .add(SumColumns)
        .add(AllReduce::sum(SUMS))
        .add(Follow)
        .set_max_iter(ROUNDS)
}

fn on(devices: &[&GpuDevice]) -> Result<Session> {
    let builder = devices.iter().fold(Session::builder(), |builder, device| builder.own_device((*device).clone()));
    builder.threads(2).build()
}

/// Runs the queue, and destroys the first of the devices after a round.
fn run(devices: &[&GpuDevice], at: u32) -> Result<(Run<Array1<f32>>, Vec<u32>)> {
    let data = table(300, 5);
    let destroys = Destroys { device: devices[0], at, heard: Mutex::default() };
    let queue = queue(&on(devices)?, &data).goes_on_from(STATE).output(STATE).listen(&destroys);
    let run = queue.close_with(|cx| cx.take(STATE)).run()?;
    // Sums of whole numbers, and halves of them: exact in f32.
    for round in 1..=ROUNDS {
        let (at, state) = run.output(STATE).nth(round as usize - 1).expect("an output of each round");
        assert_eq!((at, state), (&[round][..], &followed(&data, round).mapv(|value| value as f32)));
    }
    assert_eq!(run.output(STATE).count(), ROUNDS as usize);
    assert!(run.results.iter().all(|state| *state == followed(&data, ROUNDS).mapv(|value| value as f32)));
    Ok((run, destroys.heard.into_inner().expect("no test panics here")))
}

#[test]
fn a_device_that_is_lost_is_opened_again() -> Result<()> {
    for gpu in gpus() {
        let (run, heard) = run(&[&GpuDevice::open(gpu)?], 4)?;
        assert_eq!(run.warnings.len(), 1, "{:?}", run.warnings);
        assert!(run.warnings[0].contains("lost, and opened again while the queue ran"), "{:?}", run.warnings);
        assert_eq!(heard, [1, 2, 3, 4].into_iter().chain(1..=ROUNDS).collect::<Vec<_>>(), "rounds are done again");
    }
    Ok(())
}

#[test]
fn without_a_device_the_others_go_on_and_in_the_end_the_processor() -> Result<()> {
    for gpu in gpus() {
        let Some((device, raw)) = open_as_caller() else { continue };
        let (run, _) = run(&[&GpuDevice::from_wgpu(device, raw), &GpuDevice::open(gpu)?], 3)?;
        assert!(run.warnings[0].contains("lost, and the other devices took its rows"), "{:?}", run.warnings);
        assert_eq!((run.warnings.len(), run.results.len()), (1, 1));
    }
    if let Some((device, raw)) = open_as_caller() {
        let (run, _) = run(&[&GpuDevice::from_wgpu(device, raw)], 3)?;
        assert!(run.warnings[0].contains("lost, and the processor took its rows"), "{:?}", run.warnings);
    }
    Ok(())
}

#[test]
fn a_queue_begins_with_the_devices_that_are_left() -> Result<()> {
    for gpu in gpus() {
        let device = GpuDevice::open(gpu)?;
        let (session, data) = (on(&[&device])?, table(300, 5));
        device.destroy();
        let run = queue(&session, &data).close_with(|cx| cx.take(STATE)).run()?;
        assert_eq!(run.results, [followed(&data, ROUNDS).mapv(|value| value as f32)]);
        assert!(run.warnings[0].ends_with("was lost, and opened again"), "{:?}", run.warnings);
    }
    Ok(())
}

#[test]
fn where_nothing_is_said_of_what_a_round_goes_on_from_the_loss_is_an_error() -> Result<()> {
    for gpu in gpus() {
        let (device, data) = (GpuDevice::open(gpu)?, table(300, 5));
        let destroys = Destroys { device: &device, at: 2, heard: Mutex::default() };
        let error = queue(&on(&[&device])?, &data).listen(&destroys).run().err().expect("the device is lost");
        assert!(error.to_string().contains("lost"), "{error}");
    }
    Ok(())
}
