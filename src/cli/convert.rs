//! `superstep convert`: a table, or several as one, in another format or type, block by block.

use super::args::ConvertArgs;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::outputs::Outputs;
use super::progress::Reporter;
use super::{Ended, print};
use crate::report::number::{bytes, counted, scaled, seconds};
use std::path::Path;
use std::time::Instant;
use superstep::data::output::{Block, Element, TableSpec, TableWriter};
use superstep::data::{self, RowSource};
use superstep::{Error, Result};

/// Values of a block: 8 MiB of f64.
const BLOCK_VALUES: usize = 1 << 20;

/// The memory allowed, of which half is for the rows of formats that are parsed as a whole; more go to a temporary file.
const MEMORY: u64 = 1 << 30;

/// Runs the job from its arguments to its results.
pub(super) fn run(args: &ConvertArgs) -> Result<Ended, Failure> {
    let begun = Instant::now();
    Outputs { table: Some(&args.output), ..Outputs::default() }.check(&args.input.files)?;
    let reporter = Reporter::new(args.verbosity.quiet);
    let interrupt = Interrupt::catch(args.verbosity.quiet, "a part of the rows is not written")?;
    reporter.show("load", None, args.input.names());
    let options = args.input.options(MEMORY);
    let source = data::open(&args.input.files, &options)?;
    source.notes().iter().for_each(|note| reporter.warn(note));
    let table = TableWriter::create(&args.output, spec(args, &*source)).map_err(Failure::Usage)?;
    let done = copy(&*source, table, &args.output, &reporter, &interrupt)?;
    reporter.finish();
    if !done {
        return Ok(Ended::Interrupted);
    }
    let shape = format!("{} × {}", counted(source.rows(), "row"), counted(source.columns() as u64, "column"));
    let length = args.output.metadata().map_err(|error| Error::io(&args.output, error))?.len();
    let time = seconds(begun.elapsed().as_secs_f64());
    print(&format!("{}: {shape}, {} in {time}\n", args.output.display(), bytes(length)))?;
    Ok(Ended::Done)
}

/// What is written: the type asked for, else f64 where the source has more than an f32 holds; columns under their names,
/// where all have one.
fn spec(args: &ConvertArgs, source: &dyn RowSource) -> TableSpec {
    let element = args.dtype.map_or(if source.is_wide() { Element::F64 } else { Element::F32 }, Element::from);
    let names: Option<Vec<String>> =
        (0..source.columns()).map(|column| source.column_name(column).map(str::to_owned)).collect();
    let spec = TableSpec::matrix(source.rows(), source.columns(), element);
    TableSpec { names: names.unwrap_or_default(), header: true, ..spec }
}

/// Reads and writes all rows; false when interrupted, and then nothing is left.
fn copy(
    source: &dyn RowSource,
    mut table: TableWriter,
    output: &Path,
    reporter: &Reporter,
    interrupt: &Interrupt,
) -> Result<bool> {
    let (rows, columns) = (source.rows(), source.columns());
    let block = (BLOCK_VALUES / columns).max(1) as u64;
    let begun = Instant::now();
    let (mut narrow, mut wide) = (Vec::new(), Vec::new());
    let mut first = 0;
    while first < rows {
        if interrupt.is_set() {
            return Ok(false);
        }
        let count = block.min(rows - first);
        source.will_need(first + count..(first + count).saturating_add(block).min(rows));
        let values = count as usize * columns;
        let block = if source.is_wide() {
            wide.resize(values, 0.0);
            source.read_f64(first, &mut wide)?;
            Block::F64(&wide)
        } else {
            narrow.resize(values, 0.0);
            source.read_f32(first, &[], &mut narrow)?;
            Block::F32(&narrow)
        };
        table.push(block).map_err(|error| at_its_origin(error, source, output))?;
        first += count;
        reporter.show("write", Some((first, rows)), scaled(first as f64 / begun.elapsed().as_secs_f64(), "rows/s"));
    }
    table.finish()?;
    Ok(true)
}

/// The error of a value that cannot be written, under the place it was read from.
fn at_its_origin(error: Error, source: &dyn RowSource, output: &Path) -> Error {
    match error {
        Error::Data { place, message } if place.source == output.display().to_string() => {
            match (place.row, place.column) {
                (Some(row), Some(column)) => Error::data(source.place(row, column as usize), message),
                _ => Error::data(place, message),
            }
        }
        error => error,
    }
}
