//! The example of FLIP-176: two inputs, a variable that is fed back, five rounds, an output stream, and a reducer that emits
//! at the end of each round.
//!
//! ```sh
//! cargo run --example flip_176
//! ```
//!
//! In the words of the FLIP, beside ours:
//!
//! ```text
//! Iterations.iterateBoundedStreamsUntilTermination(      IterativeComQueue::new(&session)
//!     DataStreamList.of(model),                              .init_with_broadcast_data(MODEL, …)
//!     ReplayableDataStreamList.replay(samples),              .init_with_partitioned_data(SAMPLES, …)
//!     (variables, data) -> {
//!         update = data.get(0).connect(variables.get(0))     .add(Gradients)
//!             .process(new Gradients())
//!         reduced = forEachRound(update,                     .for_each_round(Reducer::new)
//!             it -> it.reduce(new Reducer()))                .add(AllReduce::sum(GRADIENT))
//!         next = reduced.map(new Step())                     .add(Step)
//!         return new IterationBodyResult(
//!             DataStreamList.of(next),        // feedback    .feedback(MODEL)
//!             DataStreamList.of(loss),        // output      .output(LOSS)
//!             terminateOnMaxIter(5)) })                      .set_max_iter(5)
//! ```

use ndarray::{Array2, array};
use std::sync::{Mutex, PoisonError};
use superstep::queue::{AllReduce, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Rows};
use superstep::{Result, Session};

/// Samples `(x, y)`: the constant input, replayed in every round.
const SAMPLES: Key<Rows> = Key::new("samples");
/// Slope and offset: the variable input, fed back.
const MODEL: Key<Vec<f64>> = Key::new("model");
/// What the map emits and the reducer takes in: gradients with their loss, gone with their round.
const UPDATES: Key<Vec<f64>> = Key::new("updates").per_round();
const GRADIENT: Key<Vec<f64>> = Key::new("gradient").per_round();
/// The output stream.
const LOSS: Key<f64> = Key::new("loss").per_round();

/// The map: of each sample the gradient of its squared error.
struct Gradients;

impl ComputeFunction for Gradients {
    fn objects(&self) -> Objects {
        Objects::reads((SAMPLES, MODEL)).writes(UPDATES)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let model = cx.get(MODEL)?;
        let of_sample = |(x, y): (f64, f64)| {
            let error = model[0] * x + model[1] - y;
            [error * x, error, error * error, 1.0]
        };
        let samples = cx.get(SAMPLES)?;
        let samples = samples.outer_iter().map(|row| (f64::from(row[0]), f64::from(row[1])));
        let updates = samples.flat_map(of_sample).collect();
        cx.put(UPDATES, updates)
    }
}

/// The reducer. It is made anew for each round, so it begins with nothing, and it emits when it has seen all of the round.
struct Reducer(Mutex<[f64; 4]>);

impl Reducer {
    fn new() -> Self {
        Self(Mutex::default())
    }
}

impl ComputeFunction for Reducer {
    fn objects(&self) -> Objects {
        Objects::reads(UPDATES).writes(GRADIENT)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let mut total = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for update in cx.get(UPDATES)?.chunks_exact(4) {
            total.iter_mut().zip(update).for_each(|(total, value)| *total += value);
        }
        cx.put(GRADIENT, total.to_vec())
    }
}

/// The next model, and the loss of the one before it.
struct Step;

impl ComputeFunction for Step {
    fn objects(&self) -> Objects {
        Objects::reads((GRADIENT, MODEL)).writes((MODEL, LOSS)).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (gradient, model) = (cx.get(GRADIENT)?, cx.get(MODEL)?);
        let samples = gradient[3];
        let (next, loss) = (
            vec![model[0] - 0.5 * gradient[0] / samples, model[1] - 0.5 * gradient[1] / samples],
            gradient[2] / samples,
        );
        cx.put(LOSS, loss)?;
        cx.put(MODEL, next)
    }
}

fn main() -> Result<()> {
    // y = 2x − 1, x from −1 to 1.
    let samples = Array2::from_shape_fn((400, 2), |(row, column)| {
        let x = row as f32 / 200.0 - 1.0;
        if column == 0 { x } else { 2.0 * x - 1.0 }
    });
    let session = Session::builder().device("cpu".parse()?).partitions(3).build()?;
    let run = IterativeComQueue::new(&session)
        .init_with_broadcast_data(MODEL, array![0.0, 0.0].to_vec())
        .init_with_partitioned_data(SAMPLES, &samples)
        .add(Gradients)
        .for_each_round(Reducer::new)
        .add(AllReduce::sum(GRADIENT))
        .add(Step)
        .feedback(MODEL)
        .output(LOSS)
        .set_max_iter(5)
        .close_with(|cx| cx.take(MODEL))
        .run()?;
    for (round, loss) in run.output(LOSS) {
        println!("round {}: loss {loss:.4}", round[0]);
    }
    let model = &run.results[0];
    println!("y = {:.3}x + {:.3} after {} rounds", model[0], model[1], run.rounds);
    Ok(())
}
