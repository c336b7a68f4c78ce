//! Graphs as lists of edges: text with a source and a target a line, or any table of numbers.
//!
//! Nodes are named by any words, or by numbers, and are numbered in the order in which they come (`nodes`). Text is taken
//! apart line by line (`lines`); other formats are opened as tables are. Edges are kept by their targets (`sorted`), in memory
//! or in a temporary file.

mod lines;
mod market;
mod nodes;
mod sorted;

pub(crate) use lines::checked_weight;
pub use nodes::Nodes;
pub use sorted::Edges;
pub(crate) use sorted::SortedEdges;

use super::csv::Batches;
use super::inputs::{EXTENSIONS, Input, TEXT, full_extension, inputs};
use super::open::{ReadOptions, open_input};
use super::source::RowSource;
use crate::{Error, Place, Result};
use lines::{Cells, Lines};
use std::path::{Path, PathBuf};

/// Bytes of text that are read at a time.
const BATCH: usize = 1 << 20;

/// Values of a table that are read at a time.
const BLOCK_VALUES: usize = 1 << 16;

/// An edge: its source and its target, as numbers of [`Nodes`], and its weight.
pub type Edge = (u32, u32, f64);

/// The edges of a graph as files have them, and the names of its nodes.
///
/// Text has an edge a line: a source, a target and maybe a weight, between tabs, commas, semicolons, bars or blanks, whichever is found in
/// the first edge. Names are any words, in quotes where they hold what would end them (not between blanks). Empty lines, and
/// lines that begin with `#` or `%`, are left out. A first line of titles is known by the words that are usual there
/// (`source`, `target`, `from`, `to`, `src`, `dst`), or [`ReadOptions::header`] says that it is one; [`ReadOptions::columns`]
/// names the two or three columns where there are others. Compressed text ends in `.gz`.
///
/// Matrix Market files (`.mtx`, known by their first line) of coordinates are read as well: an entry in row i and column j is an edge
/// from node i to node j, of a symmetric matrix also one back, and nodes are numbered as rows are, those without edges too.
///
/// Files of other formats, as [`open`](fn@super::open) reads them, are tables of two or three columns: whole numbers from 0 as names, and
/// weights.
///
/// Names are kept in memory. Edges are as well, as far as half of what they leave of [`ReadOptions::memory`] holds them; where
/// it does not, all go to a temporary file.
#[derive(Debug)]
pub struct EdgeList {
    nodes: Nodes,
    edges: SortedEdges,
    /// Whether edges have weights; `None` before the first.
    weighted: Option<bool>,
    both_ways: bool,
    /// What the list may take of memory, in bytes.
    memory: u64,
}

impl EdgeList {
    /// Reads files, one after the other, as one list; names are those that [`inputs`] takes.
    ///
    /// # Errors
    /// When a file cannot be read; with its place, when a line has no target, other cells than the first, or a weight that is no
    /// finite number of at least 0; when there is no edge, the names take more memory than the options allow, or the temporary
    /// file cannot be written.
    pub fn open(names: &[PathBuf], options: &ReadOptions) -> Result<Self> {
        Self::read(names, options, false)
    }

    /// The same, with every edge in both directions; those from a node to itself have one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_undirected(names: &[PathBuf], options: &ReadOptions) -> Result<Self> {
        Self::read(names, options, true)
    }

    fn read(names: &[PathBuf], options: &ReadOptions, both_ways: bool) -> Result<Self> {
        let (nodes, edges) = (Nodes::default(), SortedEdges::default());
        let mut list = Self { nodes, edges, weighted: None, both_ways, memory: options.memory.unwrap_or(u64::MAX) };
        for input in inputs(names)? {
            if is_text(&input.path) {
                list.read_text(&input.path, options)?;
            } else {
                list.read_table(&input, options)?;
            }
        }
        if list.edges.len() == 0 {
            let names: Vec<String> = names.iter().map(|name| name.display().to_string()).collect();
            let message = "there is no edge: give lines of a source and a target";
            return Err(Error::data(Place::of(names.join(", ")), message));
        }
        let left = list.left();
        Ok(Self { edges: list.edges.finish(left / 2)?, ..list })
    }

    /// The nodes, in the order in which they came.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// How many edges there are.
    pub fn len(&self) -> u64 {
        self.edges.len()
    }

    /// Whether there are none, which no list has that was opened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The edges, by target, then by source, then by weight.
    ///
    /// # Errors
    /// When the temporary file cannot be read; so may each edge be.
    pub fn edges(&self) -> Result<Edges<'_>> {
        self.edges.iter()
    }

    /// The edges in their order.
    pub(crate) fn sorted(&self) -> &SortedEdges {
        &self.edges
    }

    /// Whether the files give weights; else each edge has the weight 1.
    pub fn is_weighted(&self) -> bool {
        self.weighted == Some(true)
    }

    /// The nodes alone: the edges are let go.
    pub fn into_nodes(self) -> Nodes {
        self.nodes
    }

    /// The bytes of memory that the list takes.
    pub fn held(&self) -> u64 {
        self.nodes.held() + self.edges.held()
    }

    /// What is left of the memory that the list may take, in bytes.
    pub(crate) fn left(&self) -> u64 {
        self.memory.saturating_sub(self.held())
    }

    fn read_text(&mut self, path: &Path, options: &ReadOptions) -> Result<()> {
        let wanted = "a source, a target and maybe a weight";
        let titles = [&["source", "src", "from"][..], &["target", "dst", "to"], &["weight"]];
        read_lines(path, options, (2..=3, wanted, titles), |cells| {
            let weight = match cells.get(2) {
                Some(_) => Some(cells.weight(2)?),
                None => None,
            };
            let ends = (self.node(cells, 0)?, self.node(cells, 1)?);
            let both_ways = cells.market().is_some_and(|(market, _)| market.is_symmetric());
            self.push(ends, weight, both_ways, &|| cells.place(0))
        })
    }

    fn node(&mut self, cells: &Cells, at: usize) -> Result<u32> {
        let taken = match cells.market() {
            None => self.nodes.take(&cells.name(at)?),
            Some((market, is_first)) => {
                // All nodes are there, in their order, whether they have edges or not.
                for index in (1..=market.nodes()).take_while(|_| is_first && at == 0) {
                    self.nodes.take(&index.to_string()).ok_or_else(|| too_many(cells.place(at)))?;
                    self.check_names()?;
                }
                self.nodes.take(&cells.index(at, market.nodes())?.to_string())
            }
        };
        match taken {
            Some(number) => Ok(number),
            None => Err(too_many(cells.place(at))),
        }
    }

    fn read_table(&mut self, input: &Input, options: &ReadOptions) -> Result<()> {
        let table = open_input(input, options)?;
        let columns = table.columns();
        if !(2..=3).contains(&columns) {
            let message = format!("has {columns} columns; a list of edges has a source, a target and maybe a weight");
            return Err(Error::data(Place::of(input.path.display().to_string()), message));
        }
        let block = (BLOCK_VALUES / columns) as u64;
        let mut values = Vec::new();
        for first in (0..table.rows()).step_by(block as usize) {
            let rows = block.min(table.rows() - first);
            values.resize(rows as usize * columns, 0.0);
            table.read_f64(first, &mut values)?;
            for (row, values) in (first..).zip(values.chunks(columns)) {
                self.push_row(&*table, row, values)?;
            }
        }
        Ok(())
    }

    fn push_row(&mut self, table: &dyn RowSource, row: u64, values: &[f64]) -> Result<()> {
        let mut ends = [0_u32; 2];
        for (column, (end, value)) in ends.iter_mut().zip(values).enumerate() {
            // Beyond 2⁵³ an f64 does not hold every whole number.
            if !(0.0..9.0e15).contains(value) || value.fract() != 0.0 {
                let message = format!("{value} is no name of a node: give a whole number from 0 to 9e15");
                return Err(Error::data(table.place(row, column), message));
            }
            let number = self.nodes.take(&(*value as u64).to_string());
            *end = number.ok_or_else(|| too_many(table.place(row, column)))?;
        }
        let weight = match values.get(2) {
            Some(weight) => Some(checked_weight(*weight).map_err(|why| Error::data(table.place(row, 2), why))?),
            None => None,
        };
        self.push((ends[0], ends[1]), weight, false, &|| table.place(row, 0))
    }

    /// Adds an edge, and the one back where that is asked for.
    fn push(
        &mut self,
        (source, target): (u32, u32),
        weight: Option<f64>,
        both_ways: bool,
        place: &dyn Fn() -> Place,
    ) -> Result<()> {
        let weighted = *self.weighted.get_or_insert(weight.is_some());
        if weighted != weight.is_some() {
            let (this, before) = if weighted { ("no weight", "weights") } else { ("a weight", "none") };
            let message =
                format!("the edge has {this} and the edges of the files before it have {before}: give all or none");
            return Err(Error::data(place(), message));
        }
        let left = self.check_names()?;
        let weight = weight.unwrap_or(1.0);
        self.edges.push((source, target, weight), left / 2)?;
        if (self.both_ways || both_ways) && source != target {
            self.edges.push((target, source, weight), left / 2)?;
        }
        Ok(())
    }

    /// What the names leave of the memory, in bytes, if that is enough for edges.
    fn check_names(&self) -> Result<u64> {
        let names = self.nodes.held();
        let left = self.memory.saturating_sub(names);
        if left >= SortedEdges::LEAST {
            return Ok(left);
        }
        let message = format!(
            "the names of {} nodes take {names} bytes, and {} are there for them and the edges: allow more",
            self.nodes.len(),
            self.memory
        );
        Err(Error::parameter("memory", message))
    }
}

/// Reads a weight for each of some nodes from a text file: lines of a node and its weight, otherwise as those of an [`EdgeList`]; nodes
/// that are not there have the weight 0.
///
/// # Errors
/// When the file cannot be read; with its place, when a line has other than two cells, its node is not one of these or comes again, or its
/// weight is no finite number of at least 0.
pub fn read_node_weights(path: &Path, nodes: &Nodes, options: &ReadOptions) -> Result<Vec<f64>> {
    let mut weights = vec![None; nodes.len()];
    let titles = [&["node", "name"][..], &["weight", "rank", "value"], &[]];
    read_lines(path, options, (2..=2, "a node and a weight", titles), |cells| {
        let name = cells.name(0)?;
        let weight = cells.weight(1)?;
        let Some(slot) = nodes.number(&name).and_then(|number| weights.get_mut(number as usize)) else {
            let message = format!("node `{name}` is not in the graph; leave it out, or correct its name");
            return Err(Error::data(cells.place(0), message));
        };
        match slot.replace(weight) {
            None => Ok(()),
            Some(before) => {
                let message = format!("node `{name}` has a weight already, {before}; give one for each");
                Err(Error::data(cells.place(0), message))
            }
        }
    })?;
    Ok(weights.into_iter().map(Option::unwrap_or_default).collect())
}

/// What lines are to have: how many cells, these in words, and the titles by which a line of titles is known.
type Wanted<'w> = (std::ops::RangeInclusive<usize>, &'w str, [&'w [&'w str]; 3]);

/// Hands on the cells of each line of a text file.
fn read_lines(
    path: &Path,
    options: &ReadOptions,
    wanted: Wanted,
    mut each: impl FnMut(&Cells) -> Result<()>,
) -> Result<()> {
    // The delimiter only tells where a quoted cell may begin: lines are found again below.
    let mut batches = Batches::open(path, Some(options.delimiter.unwrap_or(b',')), BATCH, BATCH)?;
    let mut lines = Lines::new(path.display().to_string(), options, wanted);
    while let Some(batch) = batches.next().map_err(|broken| broken.after(lines.read()))? {
        lines.each(batch.text(), &mut each)?;
    }
    lines.finish()
}

/// Whether a file is taken for text: what is no table of another format.
fn is_text(path: &Path) -> bool {
    let extension = full_extension(path);
    TEXT.contains(&extension.as_str()) || !EXTENSIONS.contains(&extension.as_str())
}

fn too_many(place: Place) -> Error {
    Error::data(place, format!("there are more than {} nodes: give a smaller graph", u32::MAX - 1))
}
