//! The text of a file from front to back, in batches of whole rows.

use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use memchr::{memchr, memchr2, memrchr2};

use super::detect;
use super::lines::lines_in;
use crate::data::file::InputFile;
use crate::{Error, Place, Result};

/// The longest row that is believed to be one. A quote that is not closed makes one row of the rest of a file.
pub(super) const LONGEST_ROW: usize = 256 << 20;

/// What is said of one that is longer.
pub(super) const NO_END: &str = "a row that begins here does not end within 256 MiB; close its quote, or end the line";

/// Bytes of a compressed file that are read at a time.
const COMPRESSED: usize = 1 << 20;

/// Whole rows of text, cut into pieces of whole rows.
pub(in crate::data) struct Batch {
    text: Vec<u8>,
    /// Where each piece ends; the last ends with the text.
    ends: Vec<usize>,
}

impl Batch {
    pub(in crate::data) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The pieces, less what lies before byte `start`.
    pub(super) fn pieces(&self, start: usize) -> Vec<&[u8]> {
        let mut start = start;
        let mut pieces = Vec::with_capacity(self.ends.len());
        for end in &self.ends {
            pieces.extend(self.text.get(start..*end).filter(|piece| !piece.is_empty()));
            start = start.max(*end);
        }
        pieces
    }
}

/// Reads batches in order.
pub(in crate::data) struct Batches {
    name: String,
    text: Box<dyn Read + Send>,
    delimiter: u8,
    /// What was read and not yet handed out; it begins with a row.
    carry: Vec<u8>,
    at_end: bool,
    batch: usize,
    piece: usize,
}

/// Why no batch came.
pub(in crate::data) struct Broken {
    error: Error,
    /// How many lines were read past the last batch, where the place is to be told.
    lines: Option<u64>,
}

impl Broken {
    /// The error, where `before` lines come before what was not read as a batch.
    pub(in crate::data) fn after(self, before: u64) -> Error {
        match (self.error, self.lines) {
            (Error::Data { place, message }, Some(lines)) => {
                Error::Data { place: place.row(before + lines + 1), message }
            }
            (error, _) => error,
        }
    }
}

impl Batches {
    /// Opens a text file, `.gz` as compressed, to be read in batches of about `batch` bytes and pieces of about `piece`.
    ///
    /// # Errors
    /// When it cannot be read, is no gzip file, or is text of another encoding.
    pub(in crate::data) fn open(path: &Path, delimiter: Option<u8>, batch: usize, piece: usize) -> Result<Self> {
        let file = InputFile::open(path)?;
        let name = file.name();
        let file = file.into_reader();
        let text: Box<dyn Read + Send> = if crate::data::open::extension(path) == "gz" {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED, file)))
        } else {
            Box::new(file)
        };
        let mut batches = Self { name, text, delimiter: b',', carry: Vec::new(), at_end: false, batch, piece };
        batches.fill(batch).map_err(|broken| broken.after(0))?;
        let carry = &mut batches.carry;
        if carry.starts_with(b"\xff\xfe") || carry.starts_with(b"\xfe\xff") {
            return Err(Error::data(Place::of(&batches.name), "is UTF-16 text; save it as UTF-8"));
        }
        if carry.starts_with(b"\xef\xbb\xbf") {
            carry.drain(..3);
        }
        batches.delimiter = delimiter.unwrap_or_else(|| batches.detect());
        Ok(batches)
    }

    /// What separates cells.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn detect(&self) -> u8 {
        // A line that was read in part would look as if it had fewer cells.
        let whole = if self.at_end { None } else { memrchr2(b'\n', b'\r', &self.carry) };
        detect::delimiter(whole.and_then(|end| self.carry.get(..end)).unwrap_or(&self.carry))
    }

    /// The next batch; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read, its compressed data are damaged, or no row ends within [`LONGEST_ROW`].
    pub(in crate::data) fn next(&mut self) -> Result<Option<Batch>, Broken> {
        let mut wanted = self.batch;
        loop {
            self.fill(wanted)?;
            if self.carry.is_empty() {
                return Ok(None);
            }
            let mut ends = row_ends(&self.carry, self.delimiter, self.piece);
            if self.at_end {
                if ends.last() != Some(&self.carry.len()) {
                    ends.push(self.carry.len());
                }
                return Ok(Some(Batch { text: std::mem::take(&mut self.carry), ends }));
            }
            if let Some(end) = ends.last() {
                let rest = self.carry.split_off(*end);
                return Ok(Some(Batch { text: std::mem::replace(&mut self.carry, rest), ends }));
            }
            if self.carry.len() >= LONGEST_ROW {
                return Err(Broken { error: Error::data(Place::of(&self.name), NO_END), lines: Some(0) });
            }
            wanted = self.carry.len().saturating_mul(2);
        }
    }

    /// Reads on until so many bytes are at hand, or the text ends.
    fn fill(&mut self, wanted: usize) -> Result<(), Broken> {
        let missing = wanted.saturating_sub(self.carry.len());
        if self.at_end || missing == 0 {
            return Ok(());
        }
        self.carry.reserve_exact(missing);
        match self.text.by_ref().take(missing as u64).read_to_end(&mut self.carry) {
            Ok(read) => {
                self.at_end = read < missing;
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    fn broken(&self, error: io::Error) -> Broken {
        let error = match error.downcast::<Error>() {
            Ok(error) => return Broken { error, lines: None },
            Err(error) => error,
        };
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "end too early: the file was cut short".to_owned(),
            _ => format!("are damaged ({error})"),
        };
        let message = format!("about here the gzip data {why}; fetch or write it again");
        Broken { error: Error::data(Place::of(&self.name), message), lines: Some(lines_in(&self.carry)) }
    }
}

/// Where rows end in a text that begins with one: about every `step` bytes, and the last end there is. A line end
/// within quotes is none.
pub(super) fn row_ends(text: &[u8], delimiter: u8, step: usize) -> Vec<usize> {
    if memchr(b'"', text).is_some() { quoted_row_ends(text, delimiter, step) } else { plain_row_ends(text, step) }
}

fn plain_row_ends(text: &[u8], step: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(end) = text.get(at + step..).and_then(|rest| memchr2(b'\n', b'\r', rest)) {
        at += step + end + 1;
        at += usize::from(text[at - 1] == b'\r' && text.get(at) == Some(&b'\n'));
        ends.push(at);
    }
    // What follows a \r at the very end is not known; it may be its \n.
    let last = text.strip_suffix(b"\r").unwrap_or(text);
    if let Some(end) = memrchr2(b'\n', b'\r', last) {
        ends.pop_if(|at| *at > end);
        ends.push(end + 1);
    } else {
        ends.clear();
    }
    ends
}

/// Follows the text as the parser of crate `csv` does: a quote opens a cell only where the cell begins, and closes it
/// where no second one follows.
fn quoted_row_ends(text: &[u8], delimiter: u8, step: usize) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Start,
        Cell,
        Quoted,
        QuoteInQuoted,
    }
    let (mut ends, mut last, mut at) = (Vec::new(), 0, At::Start);
    for (index, byte) in text.iter().enumerate() {
        at = match (at, *byte) {
            (At::Quoted, b'"') => At::QuoteInQuoted,
            (At::Quoted, _) | (At::Start | At::QuoteInQuoted, b'"') => At::Quoted,
            (_, b'\n' | b'\r') => {
                let is_whole = *byte == b'\n' || text.get(index + 1).is_some_and(|next| *next != b'\n');
                if is_whole {
                    last = index + 1;
                    if last >= ends.last().copied().unwrap_or(0) + step {
                        ends.push(last);
                    }
                }
                At::Start
            }
            (_, byte) if byte == delimiter => At::Start,
            _ => At::Cell,
        };
    }
    if last > ends.last().copied().unwrap_or(0) {
        ends.push(last);
    }
    ends
}
