//! The program: reads its arguments, runs a job of the library, and hands what came of it to `report`.
//!
//! Results go to standard output; progress, warnings and errors to standard error. The exit status says how it ended:
//! 0 done, 1 the job failed, 2 bad usage, 130 interrupted. Under `mpirun` all processes do one job: `ranks`.

mod args;
mod bench;
mod bisect;
mod blobs;
mod convert;
mod device;
mod failure;
mod gmm;
mod info;
mod init;
mod interrupt;
mod job;
mod kmeans;
mod linear;
mod minibatch;
mod online;
mod outputs;
mod pagerank;
mod pca;
mod predict;
mod progress;
mod ranks;
mod scan;
mod sweep;
mod values;
mod window;

use args::{Cli, Command};
use clap::Parser;
use failure::Failure;
use std::cell::OnceCell;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use superstep::Error;

/// How a job ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// All of it was done.
    Done,
    /// It was interrupted, and has written what was asked for as far as there was a result.
    Interrupted,
}

/// Runs the program with the arguments it was started with.
pub(crate) fn main() -> ExitCode {
    // Wrong usage ends here, with clap's own message and status 2; `--help` and `--version` with 0.
    let ranks = OnceCell::new();
    let join = || ranks::join().map(|joined| ranks.get_or_init(|| joined));
    let ended = match Cli::parse().command {
        Command::Kmeans(args) => join().and_then(|ranks| kmeans::run(&args, ranks)),
        Command::Bisect(args) => join().and_then(|ranks| bisect::run(&args, ranks)),
        Command::Minibatch(args) => join().and_then(|ranks| minibatch::run(&args, ranks)),
        Command::Gmm(args) => join().and_then(|ranks| gmm::run(&args, ranks)),
        Command::Online(args) => join().and_then(|ranks| online::run(&args, ranks)),
        Command::Sweep(args) => join().and_then(|ranks| sweep::run(&args, ranks)),
        Command::Pca(args) => join().and_then(|ranks| pca::run(&args, ranks)),
        Command::Pagerank(args) => join().and_then(|ranks| pagerank::run(&args, ranks)),
        Command::Logistic(args) => join().and_then(|ranks| linear::run_logistic(&args, ranks)),
        Command::Linear(args) => join().and_then(|ranks| linear::run_linear(&args, ranks)),
        Command::Predict(args) => ranks::alone("predict").and_then(|()| predict::run(&args)),
        Command::Info(args) => ranks::alone("info").and_then(|()| info::run(&args)),
        Command::Convert(args) => ranks::alone("convert").and_then(|()| convert::run(&args)),
        Command::Devices(args) => ranks::alone("devices").and_then(|()| device::run(&args)),
        Command::Bench(args) => ranks::alone("bench").and_then(|()| bench::run(&args)),
    };
    let status = match ended {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(interrupt::STATUS),
        Err(failure) => {
            say(&failure.to_string());
            ExitCode::from(failure.status())
        }
    };
    // All ranks leave together, once the one that speaks has spoken: a launcher ends the rest when one leaves with a status.
    drop(ranks);
    status
}

/// Writes a sentence to standard error, under the program's name. Where that is closed there is nobody to tell; where
/// there are several processes, the first speaks for all.
fn say(sentence: &str) {
    if !ranks::is_silent() {
        drop(writeln!(std::io::stderr(), "superstep: {sentence}"));
    }
}

/// Writes a result to standard output. A reader that has gone away, as `head` does, is no failure.
fn print(result: &str) -> Result<(), Failure> {
    if ranks::is_silent() {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(result.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("standard output", error).into()),
        _ => Ok(()),
    }
}
