//! The iteration engine: items, contexts, all-reduce, criterion, listeners. Knows the devices, the collective and
//! sources of data; knows no algorithm.
//!
//! The words are those of Alink's communication queue and of Flink ML's iteration library:
//!
//! | Alink | Flink ML / FLIP-176 | here |
//! | --- | --- | --- |
//! | `IterativeComQueue` | `BoundedIteration`, `Iterations.iterateBoundedStreamsUntilTermination` | [`IterativeComQueue`] |
//! | `ComQueue` | – | [`IterativeComQueue::once`] |
//! | `initWithPartitionedData(name, data)` | `bindConstant` over partitioned data | [`init_with_partitioned_data`](IterativeComQueue::init_with_partitioned_data) |
//! | `initWithBroadcastData(name, data)` | `bindVariable`, broadcast constant | [`init_with_broadcast_data`](IterativeComQueue::init_with_broadcast_data) |
//! | `add(ComputeFunction)` | operator in the iteration body | [`add`](IterativeComQueue::add) of an `impl` [`ComputeFunction`] |
//! | `add(new AllReduce(name[, length][, op]))` | reduce and feedback edge | `add` of [`AllReduce::sum`], [`max`](AllReduce::max), [`min`](AllReduce::min), [`by`](AllReduce::by) a custom operation, a [`prefix`](AllReduce::prefix) |
//! | `Bcast`, `Gather`, `ReduceScatter` | – | [`Bcast`], [`Gather`], [`ReduceScatter`] |
//! | `setCompareCriterionOfNode0(f)` | `until(ConvergenceCriterion)` | [`set_compare_criterion`](IterativeComQueue::set_compare_criterion) |
//! | `setMaxIter(n)` | `fixRound(n)`, `TerminateOnMaxIter` | [`set_max_iter`](IterativeComQueue::set_max_iter) |
//! | `closeWith(CompleteResultFunction)` | `onIterationTerminated`, output stream | [`close_with`](IterativeComQueue::close_with), [`exec`](IterativeComQueue::exec), [`run`](IterativeComQueue::run) |
//! | `ComContext`: `getObj`, `putObj`, `removeObj`, `getStepNo`, `getTaskId`, `getNumTask` | `getRound`, `getVariableValues`, `getLastRoundVariableValues` | [`ComContext`]: `get`, `put`, `remove`, `step_no`, `task_id`, `num_task`, `round`, `previous` |
//! | shared objects of a session | per-round and all-round lifecycle | [`Lifetime`], [`Key::per_round`] |
//! | – | `withOutput` | [`output`](IterativeComQueue::output), [`output_to`](IterativeComQueue::output_to) |
//! | – | `forEachRound` | [`for_each_round`](IterativeComQueue::for_each_round) |
//! | – | `onRoundStart`, `onRoundEnd`, `onIterationTerminated` | [`listen`](IterativeComQueue::listen), [`IterationListener`] |
//! | – | a feedback stream that runs dry; Flink's delta iteration | [`feedback`](IterativeComQueue::feedback) |
//! | – | nested iterations, `getRound` | a queue that is [added](IterativeComQueue::add) to a queue; [`ComContext::round`] |
//! | (stream operators) | unbounded iteration | [`init_with_unbounded_data`](IterativeComQueue::init_with_unbounded_data) |
//! | – | Flink's checkpoints | [`checkpoint`](IterativeComQueue::checkpoint), [`Checkpoint`] |
//! | `MLEnvironment` | execution environment | [`Session`] |
//!
//! A run passes through the files of this folder in this order: `iterative` (the builder) and `body` (what it builds), `launch`, `plan` and
//! `bindings` (every check before round 1), `place`, `needs` and `memory` (which rows go where, and what is pinned), `rounds` (the loop,
//! and those of queues inside), `ahead` (that of a queue that looks ahead), `relay` and `balance` (going on elsewhere), `exec` (running items), `stream` (where not all rows are pinned), `device` (their WGSL), `communicate` (between tasks), `context`, `stored` and `rows` (what a task holds, and where).

#![cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "shaders are kept, and run only where there are devices"))]

#[cfg(feature = "gpu")]
mod ahead;
mod balance;
#[cfg(feature = "gpu")]
mod bindings;
mod body;
mod checkpoint;
mod choice;
mod communicate;
mod context;
mod declare;
#[cfg(feature = "gpu")]
mod device;
mod exec;
mod feed;
mod fold;
mod gather;
mod item;
mod iterative;
mod key;
mod launch;
mod listener;
mod memory;
mod needs;
mod object;
#[cfg(feature = "gpu")]
mod pace;
mod place;
mod plan;
mod profile;
mod ranks;
mod readable;
mod relay;
mod rounds;
mod rows;
mod run;
mod session;
mod shader;
mod stored;
mod stream;
#[cfg(feature = "gpu")]
mod tune;

pub use checkpoint::{Checkpoint, Every, Saved};
pub use choice::{DeviceChoice, OneDevice};
pub use communicate::{AllReduce, Reduce};
pub use context::ComContext;
pub use declare::{Objects, ShapeRule};
pub use gather::{Bcast, Gather, Gathered, ReduceScatter};
pub use item::{Compute, ComputeFunction};
pub use iterative::{IterativeComQueue, QueueItem};
pub use key::{Key, Keys, Lifetime, Rows, Value};
pub use listener::{IterationListener, Stop};
pub use memory::{Memory, Reservation};
pub use object::{Object, Shape};
pub use profile::ItemTime;
pub use readable::Readable;
pub use rows::TaskRows;
pub use run::{Run, Streamed};
pub use session::{Device, Session, SessionBuilder, adapters};
pub use shader::Shader;
