//! A graph as PageRank sees it: for each node the edges that come in, and what goes out in all.

use crate::data::{Edge, EdgeList, Entry, RowSource, SortedEdges, SparseRows, checked_weight};
use crate::{Error, Place, Result};

/// A directed graph of n nodes, numbered from 0, whose edges may have weights.
///
/// Edges between the same two nodes add up, as those of NetworkX's `MultiDiGraph` do; an edge of a node to itself counts as any
/// other. An edge of weight 0 is as if there were none.
///
/// ```
/// use superstep::algorithms::pagerank::Graph;
///
/// let graph = Graph::new(3, [(0, 1), (1, 2), (0, 2)])?;
/// assert_eq!((graph.nodes(), graph.edges(), graph.dangling()), (3, 3, 1)); // no edge leads from node 2
/// let weighted = Graph::weighted(2, [(0, 1, 0.5), (0, 0, 1.5)])?;
/// assert_eq!(weighted.edges(), 2);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Graph {
    matrix: SparseRows,
    edges: u64,
    out: Vec<f64>,
    dangling: usize,
}

impl Graph {
    /// A graph of so many nodes and these edges, each from its first node to its second.
    ///
    /// Takes 8 bytes an edge and 16 a node; while it is made, 16 to 32 more an edge.
    ///
    /// # Errors
    /// When there are no nodes or more than 2³² − 2, or an edge names a node that is not there; rows of the place count edges.
    pub fn new(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Result<Self> {
        Self::weighted(nodes, edges.into_iter().map(|(from, to)| (from, to, 1.0)))
    }

    /// The same, of edges that have weights: a surfer takes an edge in proportion to its weight. Of a weight 24 bits are kept.
    ///
    /// # Errors
    /// As [`new`](Self::new); when a weight is negative or not finite.
    pub fn weighted(nodes: usize, edges: impl IntoIterator<Item = (u32, u32, f64)>) -> Result<Self> {
        let count = checked_count(nodes)?;
        let mut sorted = SortedEdges::default();
        for (at, edge) in edges.into_iter().enumerate() {
            check_edge(edge, count).map_err(|message| Error::data(Place::of("the edges").row(at as u64), message))?;
            sorted.push(edge, u64::MAX)?;
        }
        Self::of_sorted(count, &sorted.finish(u64::MAX)?, u64::MAX)
    }

    /// The graph of a list of edges.
    ///
    /// What the list leaves of the memory that it was opened with is for the graph: edges that do not fit lie in a temporary file,
    /// and are streamed from there in each round. Besides, 20 bytes a node are taken.
    ///
    /// ```
    /// use superstep::algorithms::pagerank::Graph;
    /// use superstep::data::{EdgeList, ReadOptions};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("edges.txt");
    /// # std::fs::write(&file, "a b\nb c\na c\n").expect("a file");
    /// let list = EdgeList::open(&[file], &ReadOptions { memory: Some(1 << 30), ..ReadOptions::default() })?;
    /// let graph = Graph::of_list(&list)?;
    /// assert_eq!((graph.nodes(), graph.edges()), (3, 3));
    /// # Ok::<(), superstep::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are too many nodes, or a temporary file cannot be written or read.
    pub fn of_list(list: &EdgeList) -> Result<Self> {
        let nodes = checked_count(list.nodes().len())?;
        Self::of_sorted(nodes, list.sorted(), list.left().saturating_sub(20 * u64::from(nodes)))
    }

    /// The graph of edges whose nodes are there and whose weights are some; packs take so many bytes of memory.
    fn of_sorted(nodes: u32, edges: &SortedEdges, memory: u64) -> Result<Self> {
        let mut largest = vec![0.0_f64; nodes as usize];
        for edge in edges.iter()? {
            let (from, _, weight) = edge?;
            if let Some(largest) = largest.get_mut(from as usize) {
                *largest = largest.max(weight);
            }
        }
        let of_node = |largest: &[f64], node: u32| largest.get(node as usize).copied().unwrap_or(1.0);
        // Sums of floats: edges come in one order, whatever that of the files is.
        let mut out = vec![0.0_f64; nodes as usize];
        for edge in edges.iter()? {
            let (from, _, weight) = edge?;
            if let Some(all) = out.get_mut(from as usize).filter(|_| weight > 0.0) {
                *all += f64::from(in_units_of(of_node(&largest, from), weight));
            }
        }
        let scales: Vec<f32> = out.iter().map(|all| 2.0_f32.powi(-exponent(all.max(1.0)))).collect();
        let scale = |node: u32| scales.get(node as usize).copied().unwrap_or(1.0);
        let entry = |(from, to, weight): Edge| Entry {
            row: to,
            column: from,
            value: in_units_of(of_node(&largest, from), weight) * scale(from),
        };
        let (mut count, mut dangling) = (0, 0);
        let entries = edges.iter()?.filter(|edge| !matches!(edge, Ok((_, _, 0.0)))).map(|edge| edge.map(entry));
        let entries = entries.inspect(|_| count += 1);
        let lost = (0..nodes).filter(|node| out.get(*node as usize) == Some(&0.0)).inspect(|_| dangling += 1);
        let lost = lost.map(|node| Ok(Entry { row: nodes, column: node, value: 1.0 }));
        let matrix = SparseRows::of_sorted((nodes + 1, nodes), entries.chain(lost), memory)?;
        out.iter_mut().zip(&scales).for_each(|(all, scale)| *all *= f64::from(*scale));
        Ok(Self { matrix, edges: count, out, dangling })
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.out.len()
    }

    /// How many edges there are, those of weight 0 not counted.
    pub fn edges(&self) -> u64 {
        self.edges
    }

    /// How many nodes are dangling: no edge leads away from them.
    pub fn dangling(&self) -> usize {
        self.dangling
    }

    /// What a person should be told of how the edges are kept, one sentence each: that they do not fit the memory, say.
    pub fn notes(&self) -> Vec<String> {
        self.matrix.notes()
    }

    /// The matrix whose rows have the edges that lead to a node: the weight of each, in units of the node that it comes from. A last
    /// row, of no node, has an edge of the weight 1 from each dangling node: what these have is what it gets.
    pub(super) fn matrix(&self) -> &SparseRows {
        &self.matrix
    }

    /// For each node, what the weights of the edges from it add up to, in units of its own, from 1 to 2; 0 where it is
    /// dangling.
    pub(super) fn out(&self) -> &[f64] {
        &self.out
    }
}

/// The number of nodes, if a graph may have so many.
fn checked_count(nodes: usize) -> Result<u32> {
    let most = u32::MAX - 1;
    let count = u32::try_from(nodes).ok().filter(|count| (1..=most).contains(count));
    count.ok_or_else(|| Error::parameter("nodes", format!("{nodes} nodes: give a graph of 1 to {most} nodes")))
}

/// Checks that an edge's nodes are there and that its weight is one.
fn check_edge((from, to, weight): Edge, nodes: u32) -> Result<(), String> {
    checked_weight(weight)?;
    match [from, to].into_iter().find(|node| *node >= nodes) {
        None => Ok(()),
        Some(node) => Err(format!("node {node} is not there: the graph has {nodes} nodes, numbered from 0")),
    }
}

/// The exponent of the largest power of two that a number, which is positive and normal, is not below.
fn exponent(value: f64) -> i32 {
    i32::from((value.to_bits() >> 52) as u16 & 0x7ff) - 1023
}

/// A weight in units of the power of two that is at most the largest weight of its node, so that the largest is in [1, 2): f32 keeps the
/// digits of weights however large or small they are.
fn in_units_of(largest: f64, weight: f64) -> f32 {
    let is_subnormal = largest < f64::MIN_POSITIVE;
    let exponent = if is_subnormal { exponent(largest * 2.0_f64.powi(64)) - 64 } else { exponent(largest) };
    // In two steps: the whole power of two may be beyond what an f64 holds.
    let half = exponent / 2;
    (weight * 2.0_f64.powi(-half) * 2.0_f64.powi(half - exponent)) as f32
}
