//! `.csv` files, one row a line.

use std::fmt::{Display, LowerExp};
use std::io::{self, Write};

use half::f16;

use super::pending::PendingFile;
use super::table::{Block, Element, Encoder, TableSpec};
use crate::Result;
use crate::data::arrays::Real;

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

    fn put(&mut self, block: Block<'_>) -> io::Result<()> {
        match (self.element, block) {
            (Element::I32, Block::I32(values)) => lines(&mut self.file, self.columns, values.iter().copied()),
            (Element::F32, Block::F32(values)) => {
                lines(&mut self.file, self.columns, values.iter().copied().map(Shortest))
            }
            (Element::F64, Block::F64(values)) => {
                lines(&mut self.file, self.columns, values.iter().copied().map(Shortest))
            }
            (Element::I32, block) => lines(&mut self.file, self.columns, block.iter().map(|value| value as i32)),
            (Element::F16, block) => {
                let values = block.iter().map(|value| Shortest(f16::from_f64(value).to_f32()));
                lines(&mut self.file, self.columns, values)
            }
            (Element::F32, block) => {
                lines(&mut self.file, self.columns, block.iter().map(|value| Shortest(value as f32)))
            }
            (Element::F64, block) => lines(&mut self.file, self.columns, block.iter().map(Shortest)),
        }
    }
}

impl Encoder for CsvEncoder {
    fn push(&mut self, block: Block<'_>) -> Result<()> {
        self.put(block).map_err(|error| self.file.failed(error))
    }

    fn finish(self: Box<Self>) -> Result<PendingFile> {
        Ok(self.file)
    }
}

fn lines(to: &mut dyn Write, columns: usize, values: impl Iterator<Item = impl Display>) -> io::Result<()> {
    for (at, value) in values.enumerate() {
        let separator = if at % columns == columns - 1 { '\n' } else { ',' };
        write!(to, "{value}{separator}")?;
    }
    Ok(())
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
