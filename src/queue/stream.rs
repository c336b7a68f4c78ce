//! Running a chain on a device whose rows are not all pinned.
//!
//! Task after task runs the whole chain while its rows are there, and what the all-reduce behind the chain will merge is
//! merged as the tasks end: memory holds the rows of a few tasks and two partial results, however many tasks there are.

use super::communicate::Communicate;
use super::context::ComContext;
use super::exec::{Ready, in_round, run_item, run_on_each};
use crate::Result;

/// Merges an object of many tasks one after the other, in their order.
pub(crate) trait Folding {
    /// Takes the object out of a task and merges it with those before.
    ///
    /// # Errors
    /// When it is missing on this task alone, or has another shape than the first.
    fn add(&mut self, task: &mut ComContext) -> Result<()>;

    /// Gives memory that [`add`](Self::add) took from a task to another, to be used again.
    fn reuse(&mut self, task: &mut ComContext) {
        let _ = task;
    }

    /// Puts the merged object into the first task; false where no task had put it.
    ///
    /// # Errors
    /// When a result does not fit its type.
    fn finish(self: Box<Self>, leader: &mut ComContext) -> Result<bool>;
}

/// Runs a chain on the tasks of one device, `together` of them at once on the host. Items that run once for the device
/// divide the chain: rows are read by what stands between them.
pub(super) fn run_chain(
    chain: &[Ready],
    next: Option<&dyn Communicate>,
    group: &mut [ComContext],
    together: usize,
    round: u32,
) -> Result<()> {
    let mut rest = chain;
    while let Some(first) = rest.first() {
        if first.is_once() {
            run_item(first, group).map_err(|error| in_round(error, round, &first.item.name))?;
            rest = &rest[1..];
            continue;
        }
        let end = rest.iter().position(Ready::is_once).unwrap_or(rest.len());
        let (segment, after) = rest.split_at(end);
        let folding = next.filter(|_| after.is_empty()).and_then(Communicate::fold);
        run_segment(segment, folding, group, together, round)?;
        rest = after;
    }
    Ok(())
}

fn run_segment(
    segment: &[Ready],
    mut folding: Option<Box<dyn Folding + '_>>,
    group: &mut [ComContext],
    together: usize,
    round: u32,
) -> Result<()> {
    let item = |ready: &Ready, task: &mut ComContext| {
        ready.run(task).map_err(|error| in_round(error, round, &ready.item.name))
    };
    let (count, together) = (group.len(), together.max(1));
    for first in (0..count).step_by(together) {
        let end = (first + together).min(count);
        let next = end..(end + together).min(count);
        group[next.clone()].iter().flat_map(|task| task.rows.values()).for_each(|slot| slot.will_need());
        run_on_each(&mut group[first..end], |task| segment.iter().try_for_each(|ready| item(ready, task)))?;
        for at in first..end {
            if let Some(folding) = &mut folding {
                folding.add(&mut group[at])?;
                if let Some(task) = group.get_mut(at + 1) {
                    folding.reuse(task);
                }
            }
            leave(group, at)?;
        }
    }
    if let Some(folding) = folding
        && let Some((leader, others)) = group.split_first_mut()
        && folding.finish(leader)?
    {
        others.iter_mut().for_each(|task| task.is_folded = true);
    }
    Ok(())
}

/// Lets the rows of a task go, and hands its scratch memory to the next one.
fn leave(group: &mut [ComContext], at: usize) -> Result<()> {
    let task = &mut group[at];
    task.rows.values_mut().for_each(|slot| slot.release());
    #[cfg(feature = "gpu")]
    if let Some(gpu) = task.place.gpu.clone() {
        super::device::leave(task);
        let scratch = task.private.take_scratch();
        let next = (at + 1) % group.len();
        group[next].private.take_over(scratch);
        gpu.submit()?;
    }
    Ok(())
}
