//! The behaviours that Alink's own queue tests hold.

use crate::support::{everywhere, item};
use ndarray::{Array1, Array2, Axis, array, s};
use superstep::Result;
use superstep::queue::{AllReduce, Bcast, ComContext, ComputeFunction, IterativeComQueue, Key, Objects, Rows, Stop};

const HITS: Key<Vec<u32>> = Key::new("hits");
const SAMPLES: Key<Rows> = Key::new("samples");
const COEFFICIENTS: Key<Array1<f64>> = Key::new("coefficients");
const GRADIENT: Key<Array1<f64>> = Key::new("gradient");
const COUNT: Key<f64> = Key::new("count");
const STEP: Key<f64> = Key::new("step");
const ONES: Key<Vec<f64>> = Key::new("ones");
const MODEL: Key<Array1<f32>> = Key::new("model");

/// A point in the unit square that depends on the throw and the task alone (Weyl's sequences).
fn dart(throw: u32, task: usize) -> (f64, f64) {
    let number = f64::from(throw) + 1000.0 * task as f64;
    ((number * 0.754_877_666_246_692_8).fract(), (number * 0.569_840_290_998_053_3).fract())
}

/// Throws a hundred darts; the counter is put in round 1 and changed in place from then on.
struct ThrowDarts;

impl ComputeFunction for ThrowDarts {
    fn objects(&self) -> Objects {
        Objects::none().updates(HITS)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        if cx.step_no() == 1 {
            assert!(!cx.contains(HITS), "an object of an earlier exec is still there");
            cx.put(HITS, vec![0])?;
        }
        let (throws, task) = ((cx.step_no() - 1) * 100..cx.step_no() * 100, cx.task_id());
        let inside = throws.map(|throw| dart(throw, task)).filter(|(x, y)| x * x + y * y < 1.0).count();
        cx.get_mut(HITS)?[0] += inside as u32;
        Ok(())
    }
}

#[test]
fn pi_by_throwing_darts() -> Result<()> {
    for on in everywhere() {
        for exec in 0..2 {
            let queue = IterativeComQueue::new(&on.session).add(ThrowDarts).set_max_iter(30);
            let run = queue.close_with(|cx| Ok(4.0 * f64::from(cx.get(HITS)?[0]) / 3000.0)).run()?;
            assert_eq!((run.rounds, run.stop), (30, Stop::MaxIter));
            assert_eq!(run.results.len(), on.partitions, "{}", on.name);
            for pi in run.results {
                assert!((pi - std::f64::consts::PI).abs() < 0.05, "{}, exec {exec}: {pi}", on.name);
            }
        }
    }
    Ok(())
}

/// Rows `(x₁, x₂, x₃, 1, y)` with `y = x₁ + x₂ + x₃`.
fn samples(rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 5), |(row, column)| {
        let feature = |column: usize| ((row * (column + 3) * 37 + column) % 101) as f32 / 101.0;
        match column {
            3 => 1.0,
            4 => (0..3).map(feature).sum(),
            _ => feature(column),
        }
    })
}

/// The sum over a task's rows of `(y − x·c) x`.
struct Gradient;

impl ComputeFunction for Gradient {
    fn objects(&self) -> Objects {
        Objects::reads((SAMPLES, COEFFICIENTS)).writes(GRADIENT)
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        let (rows, coefficients) = (cx.get(SAMPLES)?.mapv(f64::from), cx.get(COEFFICIENTS)?);
        let (x, y) = (rows.slice(s![.., ..4]), rows.index_axis(Axis(1), 4));
        let gradient = x.t().dot(&(&y - &x.dot(coefficients)));
        cx.put(GRADIENT, gradient)
    }
}

/// Gradient descent in plain loops: the coefficients after this many rounds.
fn descend(samples: &Array2<f32>, rounds: u32, step: impl Fn(u32) -> f64) -> Vec<f64> {
    let mut coefficients = vec![0.0; 4];
    for round in 1..=rounds {
        let mut gradient = [0.0; 4];
        for row in samples.rows() {
            let predicted: f64 = (0..4).map(|at| f64::from(row[at]) * coefficients[at]).sum();
            for at in 0..4 {
                gradient[at] += (f64::from(row[4]) - predicted) * f64::from(row[at]);
            }
        }
        for at in 0..4 {
            coefficients[at] += step(round) * gradient[at] / samples.nrows() as f64;
        }
    }
    coefficients
}

#[test]
fn linear_regression_by_gradient_descent() -> Result<()> {
    let data = samples(1000);
    let expected = descend(&data, 100, |_| 1.0);
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session)
            .init_with_partitioned_data(SAMPLES, &data)
            .init_with_broadcast_data(COEFFICIENTS, Array1::zeros(4))
            .init_with_broadcast_data(COUNT, data.nrows() as f64)
            .add(Gradient)
            .add(AllReduce::sum(GRADIENT))
            .add(item("descend", Objects::reads((GRADIENT, COUNT)).updates(COEFFICIENTS), |cx| {
                let change = cx.get(GRADIENT)? / *cx.get(COUNT)?;
                *cx.get_mut(COEFFICIENTS)? += &change;
                Ok(())
            }))
            .set_max_iter(100)
            .close_with(|cx| cx.take(COEFFICIENTS))
            .run()?;
        assert_eq!(run.rounds, 100);
        for coefficients in run.results {
            for (found, expected) in coefficients.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-9, "{}: {found} is not {expected}", on.name);
            }
        }
    }
    Ok(())
}

#[test]
fn a_step_size_that_decays_by_step_no() -> Result<()> {
    let data = samples(300);
    let decayed = |round: u32| 0.8_f64.powi((round / 5) as i32);
    let expected = descend(&data, 40, decayed);
    for on in everywhere() {
        let run = IterativeComQueue::new(&on.session)
            .init_with_partitioned_data(SAMPLES, data.view())
            .init_with_broadcast_data(COEFFICIENTS, Array1::zeros(4))
            .add(item("decay", Objects::none().updates(STEP), |cx| {
                if cx.step_no() == 1 {
                    cx.put(STEP, 1.0)
                } else if cx.step_no().is_multiple_of(5) {
                    *cx.get_mut(STEP)? *= 0.8;
                    Ok(())
                } else {
                    Ok(())
                }
            }))
            .add(Gradient)
            .add(AllReduce::sum(GRADIENT))
            .add(item("descend", Objects::reads((GRADIENT, STEP, COEFFICIENTS)).writes(COEFFICIENTS), |cx| {
                let change = cx.get(GRADIENT)? * (*cx.get(STEP)? / 300.0);
                let coefficients = cx.get(COEFFICIENTS)? + &change;
                cx.put(COEFFICIENTS, coefficients)
            }))
            .set_max_iter(40)
            .close_with(|cx| Ok((*cx.get(STEP)?, cx.take(COEFFICIENTS)?)))
            .run()?;
        for (step, coefficients) in run.results {
            assert!((step - decayed(40)).abs() < 1e-12, "{}: {step}", on.name);
            for (found, expected) in coefficients.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-9, "{}: {found} is not {expected}", on.name);
            }
        }
    }
    Ok(())
}

#[test]
fn an_all_reduce_of_ones_gives_the_number_of_tasks_everywhere() -> Result<()> {
    for on in everywhere() {
        let expected = vec![on.partitions as f64; 3];
        let run = IterativeComQueue::once(&on.session)
            .add(item("put ones", Objects::none().writes(ONES), |cx| cx.put(ONES, vec![1.0; 3])))
            .add(AllReduce::sum(ONES))
            .add(item("look", Objects::reads(ONES), |cx| {
                assert_eq!(cx.get(ONES)?, &vec![cx.num_task() as f64; 3]);
                Ok(())
            }))
            .close_with(|cx| cx.take(ONES))
            .run()?;
        assert_eq!(run.results, vec![expected; on.partitions], "{}", on.name);
        assert_eq!(run.rounds, 1);
    }
    Ok(())
}

#[test]
fn a_model_that_only_task_0_emits() -> Result<()> {
    for on in everywhere() {
        let queue = || {
            IterativeComQueue::once(&on.session)
                .add(item("fit", Objects::none().writes(MODEL), |cx| match cx.task_id() {
                    0 => cx.put(MODEL, array![1.0, 2.0]),
                    _ => Ok(()),
                }))
                .close_with(|cx| if cx.task_id() == 0 { cx.take(MODEL).map(Some) } else { Ok(None) })
        };
        assert_eq!(queue().exec()?, Some(array![1.0, 2.0]), "{}", on.name);
        let emitted = queue().run()?.results;
        assert_eq!(emitted.iter().flatten().count(), 1, "{}", on.name);
        let everywhere = queue().add(Bcast::from_task(0, MODEL)).close_with(|cx| cx.take(MODEL)).run()?.results;
        assert_eq!(everywhere, vec![array![1.0, 2.0]; on.partitions], "{}", on.name);
    }
    Ok(())
}

#[test]
fn without_a_criterion_the_maximum_of_rounds_runs() -> Result<()> {
    for on in everywhere() {
        let queue = IterativeComQueue::new(&on.session).add(ThrowDarts);
        let run = queue.set_max_iter(7).close_with(|cx| Ok(cx.step_no())).run()?;
        assert_eq!((run.rounds, run.stop, run.results), (7, Stop::MaxIter, vec![7; on.partitions]), "{}", on.name);
    }
    Ok(())
}

#[test]
fn a_criterion_met_in_a_round_ends_after_it_on_every_partition() -> Result<()> {
    for on in everywhere() {
        for (met_in, maximum, rounds, stop) in [
            (1, 10, 1, Stop::Criterion),
            (4, 10, 4, Stop::Criterion),
            (10, 10, 10, Stop::Criterion),
            (11, 10, 10, Stop::MaxIter),
        ] {
            let run = IterativeComQueue::new(&on.session)
                .add(ThrowDarts)
                .set_compare_criterion(move |cx| {
                    assert_eq!(cx.task_id(), 0, "the criterion is decided on task 0");
                    Ok(cx.step_no() >= met_in)
                })
                .set_max_iter(maximum)
                .close_with(|cx| Ok(cx.step_no()))
                .run()?;
            let case = format!("{}, met in round {met_in}", on.name);
            assert_eq!((run.rounds, run.stop, run.results), (rounds, stop, vec![rounds; on.partitions]), "{case}");
        }
    }
    Ok(())
}

#[test]
fn a_criterion_alone_is_enough() -> Result<()> {
    for on in everywhere() {
        let queue = IterativeComQueue::new(&on.session).add(ThrowDarts);
        let run = queue.set_compare_criterion(|cx| Ok(cx.get(HITS)?[0] > 500)).run()?;
        assert!((6..=8).contains(&run.rounds), "{}: {} rounds", on.name, run.rounds);
    }
    Ok(())
}
