//! Text tables: `.csv`, `.tsv` and `.txt` files of numbers.

mod detect;
mod lines;

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use ::csv::{ByteRecord, ReaderBuilder};
use lines::Lines;
use memmap2::Mmap;

use super::collect::{Block, Collected, Collector, Room};
use super::open::ReadOptions;
use super::source::RowSource;
use crate::{Error, Place, Result};

/// A text table of numbers, parsed as a whole when it is opened.
///
/// The delimiter is found (comma, semicolon, tab, space or pipe) unless it is given, and so is whether the first row
/// names the columns: it does if none of its cells is a number. Cells may be quoted and padded with blanks; runs of
/// spaces are one delimiter; a byte-order mark, `\r\n` and blank lines are fine. Numbers are read as f64 and kept as f32
/// if every one of them is exactly an f32. `nan` and `inf` are read as such, for [`Dataset`](super::Dataset) to refuse.
///
/// Places count lines and columns from 1, as editors do.
pub struct CsvFile {
    name: String,
    values: Collected,
    lines: Lines,
}

impl CsvFile {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or mapped; [`Error::Data`] when it is empty or holds only a header,
    /// a cell is no number, or a row has more or fewer cells than the first; both with the line, and the column.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self> {
        Self::open_within(path.as_ref(), options, &Room::new(options.memory))
    }

    /// As [`open`](Self::open), in what is left of the memory allowed.
    pub(super) fn open_within(path: &Path, options: &ReadOptions, room: &Room) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        // SAFETY: the map is read-only, lives for this call alone, and its bytes are only read as text that may hold
        // anything. A process that cuts the file short meanwhile would stop us with a SIGBUS; reading into memory
        // instead would hold a second copy of what may be most of it.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
        let name = path.display().to_string();
        let text = map.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&map);
        if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
            return Err(Error::data(Place::of(name), "is UTF-16 text; save it as UTF-8"));
        }
        let mut table = Table::new(&name);
        table.parse(text, options)?;
        let Table { numbers, columns, lines, .. } = table;
        let mut values = Collector::new(&name, columns, room);
        values.push(numbers)?;
        let values = values.finish();
        Ok(Self { name, values, lines })
    }

    /// The source that everything but [`place`](RowSource::place) is passed on to.
    fn values(&self) -> &Collected {
        &self.values
    }
}

impl RowSource for CsvFile {
    fn rows(&self) -> u64 {
        self.values().rows()
    }

    fn columns(&self) -> usize {
        self.values().columns()
    }

    fn in_memory(&self, rows: Range<u64>) -> Option<&[f32]> {
        self.values().in_memory(rows)
    }

    fn is_wide(&self) -> bool {
        self.values().is_wide()
    }

    fn notes(&self) -> Vec<String> {
        self.values().notes()
    }

    fn will_need(&self, rows: Range<u64>) {
        self.values().will_need(rows);
    }

    fn read_f64(&self, first: u64, out: &mut [f64]) -> Result<()> {
        self.values().read_f64(first, out)
    }

    fn read_f32(&self, first: u64, origin: &[f64], out: &mut [f32]) -> Result<()> {
        self.values().read_f32(first, origin, out)
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Place::of(&self.name).row(self.lines.line(row)).column(column as u64 + 1)
    }
}

/// A table while it is parsed.
struct Table<'a> {
    name: &'a str,
    header: Option<Vec<String>>,
    columns: usize,
    numbers: Block,
    lines: Lines,
}

impl<'a> Table<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, header: None, columns: 0, numbers: Block::default(), lines: Lines::default() }
    }

    fn parse(&mut self, text: &[u8], options: &ReadOptions) -> Result<()> {
        let delimiter = options.delimiter.unwrap_or_else(|| detect::delimiter(text));
        let mut reader = ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
        let mut record = ByteRecord::new();
        let mut counter = lines::Counter::new(text);
        let mut is_first = true;
        while reader.read_byte_record(&mut record).map_err(|e| Error::data(Place::of(self.name), e.to_string()))? {
            let line = counter.line_at(record.position().map_or(0, ::csv::Position::byte) as usize);
            // Aligned tables pad with runs of spaces, which are no empty cells.
            let cells = record.iter().map(<[u8]>::trim_ascii).filter(|cell| delimiter != b' ' || !cell.is_empty());
            let cells: Vec<&[u8]> = cells.collect();
            if delimiter == b' ' && cells.is_empty() {
                continue;
            }
            if std::mem::take(&mut is_first) {
                self.columns = cells.len();
                if options.header.unwrap_or_else(|| cells.iter().all(|cell| number(cell).is_none())) {
                    self.header = Some(cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect());
                    continue;
                }
            }
            self.push(line, &cells)?;
        }
        match (self.lines.rows(), is_first) {
            (0, true) => Err(Error::data(Place::of(self.name), "is empty; there are no rows to compute on")),
            (0, false) => Err(Error::data(Place::of(self.name), "has a header and no rows below it")),
            _ => Ok(()),
        }
    }

    fn push(&mut self, line: u64, cells: &[&[u8]]) -> Result<()> {
        if cells.len() != self.columns {
            let message = format!(
                "{} cells where the first row has {}; every row must have the same number, separated alike",
                cells.len(),
                self.columns
            );
            return Err(Error::data(Place::of(self.name).row(line), message));
        }
        for (column, cell) in cells.iter().enumerate() {
            let value = number(cell).ok_or_else(|| self.bad_cell(line, column, cell))?;
            self.numbers.push(value);
        }
        self.lines.push(line);
        Ok(())
    }

    /// The error for a cell that is no number, with the column's name where the file tells it.
    fn bad_cell(&self, line: u64, column: usize, cell: &[u8]) -> Error {
        let text = String::from_utf8_lossy(cell);
        let shown: String = text.chars().take(40).collect();
        let what = match &*text {
            "" => "the cell is empty".to_string(),
            _ => format!("`{}` is not a number", shown.escape_debug()),
        };
        let named = self.header.as_ref().and_then(|names| names.get(column)).filter(|name| !name.is_empty());
        let named = named.map(|name| format!(" (column `{name}`)")).unwrap_or_default();
        let advice = if number(text.replacen(',', ".", 1).as_bytes()).is_some() {
            "write decimals with a point"
        } else if self.lines.rows() == 0 && self.header.is_none() {
            "correct it, or leave the column out; if this row names the columns, say that there is a header"
        } else {
            "correct it, or leave the row or the column out"
        };
        Error::data(Place::of(self.name).row(line).column(column as u64 + 1), format!("{what}{named}; {advice}"))
    }
}

fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}
