//! `superstep info`: what a table is, before anything is computed on it.

use super::args::InfoArgs;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::progress::Reporter;
use super::scan::Scan;
use super::{Ended, print};
use crate::report::number::scaled;
use crate::report::{ColumnInfo, FileInfo, Found, info_json, info_text};
use std::time::Instant;
use superstep::Error;
use superstep::data::{self, Input, ReadOptions, RowSource};

/// The memory allowed, of which half is for the rows of formats that are parsed as a whole; more go to a temporary file.
const MEMORY: u64 = 1 << 30;

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &InfoArgs) -> Result<Ended, Failure> {
    let reporter = Reporter::new(args.verbosity.quiet);
    let interrupt = Interrupt::catch(args.verbosity.quiet, "what was found so far is not told")?;
    let options = args.input.options(MEMORY);
    let inputs = data::inputs(&args.input.files)?;
    let mut files = Vec::with_capacity(inputs.len());
    for (at, input) in inputs.iter().enumerate() {
        let Some(file) = file_info(input, &options, &reporter, &interrupt, (at, inputs.len()))? else {
            return Ok(Ended::Interrupted);
        };
        files.push(file);
    }
    reporter.finish();
    let text = if args.json { format!("{}\n", info_json(&files)) } else { info_text(&args.input.names(), &files) };
    print(&text)?;
    Ok(Ended::Done)
}

/// What one file is; `None` when interrupted.
fn file_info(
    input: &Input,
    options: &ReadOptions,
    reporter: &Reporter,
    interrupt: &Interrupt,
    (at, of): (usize, usize),
) -> Result<Option<FileInfo>, Failure> {
    let bytes = input.path.metadata().map_err(|error| Error::io(&input.path, error))?.len();
    let source = data::open_input(input, options)?;
    let begun = Instant::now();
    let rows = source.rows();
    let progress = |done: u64| {
        let speed = scaled(done as f64 / begun.elapsed().as_secs_f64(), "rows/s");
        // Of many files the number is told, of one the rows.
        let steps = if of > 1 { (at as u64 + 1, of as u64) } else { (done, rows) };
        reporter.show("scan", Some(steps), speed);
    };
    Ok(Scan::of(&*source, interrupt, progress)?.map(|scan| described(input, &*source, &scan, bytes)))
}

fn described(input: &Input, source: &dyn RowSource, scan: &Scan, bytes: u64) -> FileInfo {
    let found = |counts: &[u64], first: Option<(u64, usize)>| Found {
        count: counts.iter().sum(),
        first: first.map(|(row, column)| source.place(row, column)),
    };
    let column = |column: usize| {
        let finite = scan.min[column] <= scan.max[column];
        ColumnInfo {
            name: source.column_name(column).map(str::to_owned),
            range: finite.then(|| (scan.min[column], scan.max[column])),
            nan: scan.nan[column],
            infinite: scan.infinite[column],
        }
    };
    let member = input.member.as_ref().map(|member| format!(":{member}")).unwrap_or_default();
    FileInfo {
        name: format!("{}{member}", input.path.display()),
        rows: source.rows(),
        element: source.element_type().into_owned(),
        bytes,
        columns: (0..source.columns()).map(column).collect(),
        nan: found(&scan.nan, scan.first_nan),
        infinite: found(&scan.infinite, scan.first_infinite),
    }
}
