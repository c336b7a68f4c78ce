//! Text taken apart, line by line, into the cells that are wanted.

use super::Wanted;
use super::market::Market;
use crate::data::ReadOptions;
use crate::{Error, Place, Result};
use memchr::memchr2;
use std::borrow::Cow;

/// Delimiters in order of preference; blanks are taken where the first line has none of them.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

/// Lines that say something about the file, and are left out.
const COMMENTS: [char; 2] = ['#', '%'];

/// The lines of one file.
pub(super) struct Lines<'o> {
    file: String,
    options: &'o ReadOptions,
    wanted: Wanted<'o>,
    /// How many were read.
    read: u64,
    /// Known from the first line that is no comment.
    layout: Option<Layout>,
    /// Where the first line says that it is such a file.
    market: Option<Market>,
}

/// How lines are taken apart.
struct Layout {
    delimiter: u8,
    /// How many cells each has.
    count: usize,
    /// Those that are wanted, in the order in which they are.
    picked: Vec<usize>,
}

/// The wanted cells of one line.
pub(super) struct Cells<'l> {
    file: &'l str,
    line: u64,
    cells: Vec<&'l str>,
    picked: &'l [usize],
    market: Option<&'l Market>,
    is_first: bool,
}

impl<'o> Lines<'o> {
    pub(super) fn new(file: String, options: &'o ReadOptions, wanted: Wanted<'o>) -> Self {
        Self { file, options, wanted, read: 0, layout: None, market: None }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it lacks something.
    pub(super) fn finish(&self) -> Result<()> {
        let checked = self.market.as_ref().map_or(Ok(()), Market::check);
        checked.map_err(|message| Error::data(Place::of(&self.file), message))
    }

    /// How many lines were read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Takes whole lines apart, and hands on the cells of each that has some.
    pub(super) fn each(&mut self, mut text: &[u8], each: &mut impl FnMut(&Cells) -> Result<()>) -> Result<()> {
        while !text.is_empty() {
            let end = memchr2(b'\n', b'\r', text).unwrap_or(text.len());
            let (line, rest) = text.split_at(end);
            text = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
            self.read += 1;
            self.line(line, each)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], each: &mut impl FnMut(&Cells) -> Result<()>) -> Result<()> {
        let refuse = |message: String| Error::data(Place::of(&self.file).row(self.read), message);
        let fail = |message: String| Err(refuse(message));
        let Ok(line) = std::str::from_utf8(line) else {
            return fail("the line is no UTF-8 text; save the file as UTF-8".into());
        };
        if let (1, Some(banner)) = (self.read, line.strip_prefix(Market::BANNER)) {
            if !self.wanted.0.contains(&3) {
                return fail(format!("is a Matrix Market file: give lines of {}", self.wanted.1));
            }
            self.market = Some(Market::of(banner).map_err(refuse)?);
            return Ok(());
        }
        if line.trim().is_empty() || line.trim_start().starts_with(COMMENTS) {
            return Ok(());
        }
        if let Some(market) = self.market.as_mut().filter(|market| !market.is_sized()) {
            market.size(line).map_err(refuse)?;
            let count = market.cells();
            self.layout = Some(Layout { delimiter: b' ', count, picked: (0..count).collect() });
            return Ok(());
        }
        let Some(layout) = &self.layout else {
            let (layout, is_titles) = self.layout_by(line)?;
            self.layout = Some(layout);
            return if is_titles { Ok(()) } else { self.line(line.as_bytes(), each) };
        };
        let cells = split(line, layout.delimiter);
        if cells.len() != layout.count {
            return fail(format!(
                "has {}, and the first line has {}: give each {}",
                in_words(cells.len()),
                in_words(layout.count),
                self.wanted.1
            ));
        }
        let is_first = self.market.as_mut().is_some_and(Market::note);
        let (market, picked) = (self.market.as_ref(), layout.picked.as_slice());
        each(&Cells { file: &self.file, line: self.read, cells, picked, market, is_first })
    }

    /// How the lines are taken apart, by the first of them; and whether that has titles.
    fn layout_by(&self, line: &str) -> Result<(Layout, bool)> {
        let (counts, words, titles) = &self.wanted;
        let fail = |message: String| Err(Error::data(Place::of(&self.file).row(self.read), message));
        let found = || DELIMITERS.into_iter().find(|delimiter| line.as_bytes().contains(delimiter)).unwrap_or(b' ');
        let delimiter = self.options.delimiter.unwrap_or_else(found);
        let cells: Vec<Cow<str>> = split(line, delimiter).into_iter().map(unquoted).collect();
        let is_title =
            |(cell, titles): (&Cow<str>, &&[&str])| titles.iter().any(|title| cell.eq_ignore_ascii_case(title));
        let has_titles = self.options.header.unwrap_or_else(|| cells.iter().zip(titles).take(2).all(is_title));
        let picked: Vec<usize> = match &self.options.columns {
            None if counts.contains(&cells.len()) => (0..cells.len()).collect(),
            None => {
                let message = format!(
                    "has {}, and {words} are wanted; where there are other columns, name those that are wanted (columns)",
                    in_words(cells.len())
                );
                return fail(message);
            }
            Some(columns) => {
                let of = |column: &String| {
                    let by_name = has_titles.then(|| cells.iter().position(|cell| *cell == column.as_str())).flatten();
                    let by_number = || column.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < cells.len());
                    by_name.or_else(by_number).ok_or_else(|| column.clone())
                };
                match columns.iter().map(of).collect::<Result<Vec<_>, _>>() {
                    Ok(picked) if counts.contains(&picked.len()) => picked,
                    Ok(picked) => return fail(format!("{} columns are named, and {words} are wanted", picked.len())),
                    Err(column) => return fail(format!("has no column `{column}`; it has {}", cells.join(", "))),
                }
            }
        };
        Ok((Layout { delimiter, count: cells.len(), picked }, has_titles))
    }
}

impl<'l> Cells<'l> {
    /// The wanted cell at a place.
    pub(super) fn get(&self, at: usize) -> Option<&'l str> {
        self.cells.get(*self.picked.get(at)?).copied()
    }

    /// Where it stands; lines and cells count from 1.
    pub(super) fn place(&self, at: usize) -> Place {
        let cell = self.picked.get(at).copied().unwrap_or(at);
        Place::of(self.file).row(self.line).column(cell as u64 + 1)
    }

    /// What the file says before its entries, where it is a Matrix Market file, and whether this is the first of them.
    pub(super) fn market(&self) -> Option<(&'l Market, bool)> {
        self.market.map(|market| (market, self.is_first))
    }

    /// The number of a row or a column, of so many.
    pub(super) fn index(&self, at: usize, count: u64) -> Result<u64> {
        let text = self.get(at).unwrap_or_default();
        let index = text.parse().ok().filter(|index| (1..=count).contains(index));
        index.ok_or_else(|| Error::data(self.place(at), format!("`{text}` is no number from 1 to {count}")))
    }

    /// The name of a node.
    pub(super) fn name(&self, at: usize) -> Result<Cow<'l, str>> {
        let name = unquoted(self.get(at).unwrap_or_default());
        if name.is_empty() {
            return Err(Error::data(self.place(at), "the name of a node is missing"));
        }
        Ok(name)
    }

    /// A weight.
    pub(super) fn weight(&self, at: usize) -> Result<f64> {
        let text = unquoted(self.get(at).unwrap_or_default());
        let weight = fast_float2::parse::<f64, _>(text.as_bytes());
        let weight =
            weight.map_err(|_| format!("`{text}` is no number: give a weight, or name the columns that are wanted"));
        weight.and_then(checked_weight).map_err(|message| Error::data(self.place(at), message))
    }
}

/// A weight, if it is one.
pub(crate) fn checked_weight(weight: f64) -> Result<f64, String> {
    if weight.is_finite() && weight >= 0.0 {
        return Ok(weight);
    }
    Err(format!("the weight {weight} is none: give a finite number that is not negative"))
}

fn in_words(cells: usize) -> String {
    if cells == 1 { "1 cell".to_owned() } else { format!("{cells} cells") }
}

/// The cells of a line, without the blanks around them. A delimiter in quotes is none.
fn split(line: &str, delimiter: u8) -> Vec<&str> {
    if delimiter == b' ' {
        return line.split_ascii_whitespace().collect();
    }
    let (mut cells, mut start, mut in_quotes) = (Vec::new(), 0, false);
    for (at, byte) in line.bytes().enumerate() {
        if byte == b'"' && (in_quotes || line.get(start..at).is_some_and(|before| before.trim().is_empty())) {
            in_quotes = !in_quotes;
        } else if byte == delimiter && !in_quotes {
            cells.push(line.get(start..at).unwrap_or_default().trim());
            start = at + 1;
        }
    }
    cells.push(line.get(start..).unwrap_or_default().trim());
    cells
}

/// A cell without the quotes around it.
fn unquoted(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(inner) if inner.contains("\"\"") => Cow::Owned(inner.replace("\"\"", "\"")),
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(cell),
    }
}
