//! The names of a graph's nodes, and their numbers.

use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};

/// The names of nodes, each with its number from 0, in the order in which they came.
///
/// ```
/// use superstep::data::Nodes;
///
/// let mut nodes = Nodes::default();
/// assert_eq!((nodes.take("b"), nodes.take("a"), nodes.take("b")), (Some(0), Some(1), Some(0)));
/// assert_eq!((nodes.len(), nodes.name(1), nodes.number("c")), (2, Some("a"), None));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    names: Names,
    /// Numbers by the hashes of their names.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

/// All names, one behind the other, and where each ends: a name takes no memory but its own and 8 bytes.
#[derive(Debug, Clone, Default)]
struct Names {
    text: String,
    ends: Vec<usize>,
}

impl Names {
    fn get(&self, number: u32) -> Option<&str> {
        let at = number as usize;
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(start..*self.ends.get(at)?)
    }

    fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }
}

impl Nodes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a node; `None` where there is no such number.
    pub fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number)
    }

    /// The names of all nodes, in the order of their numbers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).filter_map(|number| self.name(number))
    }

    /// The number of a node; `None` where there is none of this name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.find(self.hasher.hash_one(name), name)
    }

    /// The number of a node, which is a new one if there is none of this name yet; `None` where there are 2³² − 1 already.
    pub fn take(&mut self, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let found = self.find(hash, name);
        if found.is_some() {
            return found;
        }
        let number = u32::try_from(self.len()).ok().filter(|number| *number < u32::MAX)?;
        let Self { names, numbers, hasher } = self;
        names.push(name);
        numbers.insert_unique(hash, number, |number| hasher.hash_one(names.get(*number).unwrap_or_default()));
        Some(number)
    }

    /// The bytes of memory that the names take.
    pub fn held(&self) -> u64 {
        let Names { text, ends } = &self.names;
        (text.len() + size_of_val(ends.as_slice()) + self.numbers.allocation_size()) as u64
    }

    fn find(&self, hash: u64, name: &str) -> Option<u32> {
        self.numbers.find(hash, |number| self.name(*number) == Some(name)).copied()
    }
}
