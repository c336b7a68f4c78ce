//! Rounds that begin on a device before the one before them was looked at.

use crate::shaders::sessions;
use crate::support::{assert_says, error_of, item};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use superstep::Result;
use superstep::queue::{
    ComContext, ComputeFunction, DeviceChoice, IterationListener, IterativeComQueue, Key, Objects, OneDevice, Session,
    Shader, ShapeRule, Stop,
};

/// What a round has come to, and the rounds that devices have run.
const VALUE: Key<Vec<u32>> = Key::new("value");
const SUMMARY: Key<Vec<u32>> = Key::new("summary");
const RUNS: Key<Vec<u32>> = Key::new("runs");

/// The host must see a round that comes to a multiple of this.
const SEEN: u32 = 5;

/// Counts on; but not in a round begun unseen, where the one before it had to be seen or was the last.
struct Count {
    last: u32,
}

impl ComputeFunction for Count {
    fn objects(&self) -> Objects {
        Objects::none().updates((VALUE, RUNS)).writes(SUMMARY).shape(SUMMARY, ShapeRule::fixed([1])).once_per_device()
    }

    fn calc(&self, cx: &mut ComContext) -> Result<()> {
        cx.get_mut(RUNS)?[0] += 1;
        cx.get_mut(VALUE)?[0] += 1;
        let value = cx.get(VALUE)?.clone();
        cx.put(SUMMARY, value)
    }

    fn shader(&self) -> Option<Shader> {
        let source = "
            override LAST: u32;
            override SEEN: u32;
            @group(0) @binding(0) var<storage, read_write> value: array<u32>;
            @group(0) @binding(1) var<storage, read_write> summary: array<u32>;
            @group(0) @binding(2) var<storage, read_write> runs: array<u32>;
            @group(0) @binding(3) var<uniform> unseen: u32;
            @compute @workgroup_size(1) fn main() {
                let before = value[0];
                runs[0] += 1u;
                if (unseen == 0u || (before < LAST && before % SEEN != 0u)) { value[0] = before + 1u; }
                summary[0] = value[0];
            }";
        let shader = Shader::wgsl(source).named("count").workgroups(1);
        Some(shader.constant("LAST", f64::from(self.last)).constant("SEEN", f64::from(SEEN)))
    }
}

/// Notes what it is told, and in which order.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl IterationListener for Notes {
    fn on_round_start(&self, round: u32, cx: &ComContext) -> Result<()> {
        assert_eq!(cx.step_no(), round);
        self.0.lock().unwrap().push(format!("starts {round}"));
        Ok(())
    }

    fn on_round_end(&self, round: u32, cx: &ComContext) -> Result<()> {
        assert_eq!(cx.step_no(), round);
        self.0.lock().unwrap().push(format!("ends {round} with {}", cx.get(SUMMARY)?[0]));
        Ok(())
    }
}

fn queue(session: &Session, last: u32) -> IterativeComQueue<'_> {
    let queue = IterativeComQueue::new(session).init_with_broadcast_data(VALUE, vec![0]);
    queue.init_with_broadcast_data(RUNS, vec![0]).add(Count { last })
}

fn looks_ahead(queue: IterativeComQueue<'_>, last: u32, within: Duration) -> IterativeComQueue<'_> {
    queue.look_ahead(SUMMARY, within, move |value: &Vec<u32>| Ok(value[0] < last && !value[0].is_multiple_of(SEEN)))
}

/// The result, listeners and criterion are those of a queue that waits; rounds begun unseen that prove vain leave nothing behind.
#[test]
fn a_queue_that_looks_ahead_ends_as_one_that_waits() -> Result<()> {
    for last in [1_u32, 2, 3, 5, 6, 7, 12] {
        let told: Vec<String> =
            (1..=last).flat_map(|round| [format!("starts {round}"), format!("ends {round} with {round}")]).collect();
        // Rounds in vain: after each that had to be seen, if the one before it had not, and after the last; from the third on.
        let held = (2..last).filter(|round: &u32| round.is_multiple_of(SEEN)).count() as u32;
        let is_after_held = last > 1 && (last - 1).is_multiple_of(SEEN);
        let in_vain = held + u32::from(last >= 2 && !is_after_held);
        let cpu = Session::builder().device(DeviceChoice::These(vec![OneDevice::Cpu])).build()?;
        let on_devices = sessions().map(|(name, _, session)| (name, session, in_vain));
        for (name, session, in_vain) in on_devices.chain([("cpu".to_owned(), cpu, 0)]) {
            for within in [Duration::MAX, Duration::ZERO] {
                let (notes, seen) = (Arc::new(Notes::default()), AtomicU32::new(0));
                let run = looks_ahead(queue(&session, last), last, within)
                    .add(item("see", Objects::none().once_per_device().only_when_seen(), |_| {
                        seen.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    }))
                    .set_compare_criterion(move |cx| Ok(cx.get(SUMMARY)?[0] >= last))
                    .listen(notes.clone())
                    .close_with(|cx| Ok((cx.step_no(), cx.take(VALUE)?[0], cx.take(RUNS)?[0])))
                    .run()?;
                let case = format!("{last} on {name} within {within:?}");
                let in_vain = if within.is_zero() { 0 } else { in_vain };
                assert_eq!((run.rounds, run.stop), (last, Stop::Criterion), "{case}");
                assert_eq!(run.results[0], (last, last, last + in_vain), "{case}: round, value, rounds run");
                assert_eq!(*notes.0.lock().unwrap(), told, "{case}");
                let seen = seen.into_inner();
                let all_seen = in_vain == 0 || last < 3;
                assert!(seen <= last && all_seen == (seen == last), "{case}: {seen} rounds begun seen");
            }
        }
    }
    Ok(())
}

/// The maximum of rounds is not passed, and an interruption ends after a whole round.
#[test]
fn it_ends_at_the_maximum_and_when_interrupted() -> Result<()> {
    for (name, _, session) in sessions() {
        let run = looks_ahead(queue(&session, 100), 100, Duration::MAX)
            .set_max_iter(8)
            .close_with(|cx| Ok((cx.take(VALUE)?[0], cx.take(RUNS)?[0])))
            .run()?;
        // One in vain after round 5.
        assert_eq!((run.rounds, run.stop, run.results[0]), (8, Stop::MaxIter, (8, 9)), "{name}");
    }
    for adapter in crate::support::gpus() {
        let flag = Arc::new(AtomicBool::new(false));
        let choice = DeviceChoice::These(vec![OneDevice::Adapter(adapter)]);
        let session = Session::builder().device(choice).interrupt_flag(flag.clone()).build()?;
        let run = looks_ahead(queue(&session, 100), 100, Duration::MAX)
            .set_compare_criterion(|cx| {
                if cx.get(SUMMARY)?[0] == 3 {
                    flag.store(true, Ordering::Relaxed);
                }
                Ok(false)
            })
            .close_with(|cx| Ok(cx.take(VALUE)?[0]))
            .run()?;
        assert_eq!((run.rounds, run.stop, run.results[0]), (4, Stop::Interrupted, 4), "gpu:{adapter}: 4 had begun");
    }
    Ok(())
}

/// What the next round may have changed is not to be looked at.
#[test]
fn a_criterion_that_looks_at_something_else_is_told_so() {
    for (name, _, session) in sessions() {
        let run = looks_ahead(queue(&session, 9), 9, Duration::MAX)
            .set_compare_criterion(|cx| Ok(cx.step_no() > 2 && cx.get(VALUE)?[0] >= 9))
            .run();
        assert_says(&error_of(run, &name), &["criterion", "value", "the next round runs already", "`summary`"]);
    }
}
