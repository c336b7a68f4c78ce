//! `.csv` files, one row a line.

use std::fmt::{Display, LowerExp};
use std::io::{self, Write};

use half::f16;
use rayon::prelude::*;

use super::pending::PendingFile;
use super::table::{Block, Element, Encoder, TableSpec};
use crate::Result;
use crate::data::arrays::Real;

/// Values that a thread prints at a time.
const CHUNK: usize = 1 << 14;

/// Chunks whose text is held in memory at a time: some tens of MB.
const PARALLEL: usize = 128;

/// Writes numbers in the shortest digits that read back as the same.
pub(super) struct CsvEncoder {
    file: PendingFile,
    columns: usize,
    element: Element,
}

impl CsvEncoder {
    pub(super) fn new(mut file: PendingFile, spec: &TableSpec) -> Result<Self> {
        if spec.header && !spec.names.is_empty() {
            let cells: Vec<String> = spec.names.iter().map(|name| quoted(name)).collect();
            writeln!(file, "{}", cells.join(",")).map_err(|error| file.failed(error))?;
        }
        Ok(Self { file, columns: spec.columns, element: spec.element })
    }

    /// Writes values that f64 holds exactly.
    fn put<T: Copy + Into<f64> + Sync>(&mut self, values: &[T]) -> io::Result<()> {
        // Printing costs far more than writing, so that it is done on all threads, a bounded part at a time.
        let step = (CHUNK / self.columns).max(1) * self.columns;
        for part in values.chunks(step * PARALLEL) {
            let lines: Vec<Vec<u8>> = part.par_chunks(step).map(|values| self.lines(values)).collect();
            lines.iter().try_for_each(|lines| self.file.write_all(lines))?;
        }
        Ok(())
    }

    /// The text of whole rows.
    fn lines<T: Copy + Into<f64>>(&self, values: &[T]) -> Vec<u8> {
        let values = values.iter().map(|value| (*value).into());
        match self.element {
            Element::I32 => lines(self.columns, values.map(|value: f64| value as i32)),
            Element::F16 => lines(self.columns, values.map(|value| Shortest(f16::from_f64(value).to_f32()))),
            Element::F32 => lines(self.columns, values.map(|value| Shortest(value as f32))),
            Element::F64 => lines(self.columns, values.map(Shortest)),
        }
    }
}

impl Encoder for CsvEncoder {
    fn push(&mut self, block: Block<'_>) -> Result<()> {
        let put = match block {
            Block::I32(values) => self.put(values),
            Block::F32(values) => self.put(values),
            Block::F64(values) => self.put(values),
        };
        put.map_err(|error| self.file.failed(error))
    }

    fn finish(self: Box<Self>) -> Result<PendingFile> {
        Ok(self.file)
    }
}

fn lines(columns: usize, values: impl Iterator<Item = impl Display>) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, value) in values.enumerate() {
        let separator = if at % columns == columns - 1 { '\n' } else { ',' };
        // Writing to memory does not fail.
        let _ = write!(text, "{value}{separator}");
    }
    text
}

/// Writes a line of a name and a number. A name that would begin a comment is in quotes too.
pub(super) fn write_named(to: &mut dyn Write, name: &str, value: f64) -> io::Result<()> {
    let number = Shortest(value);
    if name.starts_with(['#', '%']) && quoted(name) == name {
        return writeln!(to, "\"{name}\",{number}");
    }
    writeln!(to, "{},{number}", quoted(name))
}

/// A name as a cell: in quotes where it holds what would end it.
fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

/// Prints a number in the shortest digits that read back as the same number, with an exponent where that is shorter.
struct Shortest<T>(T);

impl<T: Real + LowerExp> Display for Shortest<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.0.into().abs();
        if size == 0.0 || (1e-5..1e16).contains(&size) { Display::fmt(&self.0, f) } else { LowerExp::fmt(&self.0, f) }
    }
}
