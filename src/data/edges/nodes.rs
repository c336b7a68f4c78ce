//! The names of a graph's nodes, and their numbers.

use std::hash::{BuildHasher, RandomState};

/// Marks a slot of the table that is free.
const FREE: u32 = u32::MAX;

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
    /// All names, one behind the other, and where each ends.
    text: String,
    ends: Vec<usize>,
    /// Numbers by the hashes of their names: a power of two of slots, of which half or more are free.
    slots: Vec<u32>,
    hasher: RandomState,
}

impl Nodes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The name of a node; `None` where there is no such number.
    pub fn name(&self, number: u32) -> Option<&str> {
        let at = number as usize;
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(start..*self.ends.get(at)?)
    }

    /// The names of all nodes, in the order of their numbers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).filter_map(|number| self.name(number))
    }

    /// The number of a node; `None` where there is none of this name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.find(name).1
    }

    /// The number of a node, which is a new one if there is none of this name yet; `None` where there are 2³² − 1 already.
    pub fn take(&mut self, name: &str) -> Option<u32> {
        if 2 * (self.len() + 1) > self.slots.len() {
            self.grow();
        }
        let (slot, found) = self.find(name);
        if found.is_some() {
            return found;
        }
        let number = u32::try_from(self.len()).ok().filter(|number| *number != FREE)?;
        self.text.push_str(name);
        self.ends.push(self.text.len());
        *self.slots.get_mut(slot)? = number;
        Some(number)
    }

    /// The bytes of memory that the names take.
    pub fn held(&self) -> u64 {
        (self.text.len() + size_of_val(self.ends.as_slice()) + size_of_val(self.slots.as_slice())) as u64
    }

    /// The slot of a name, and its number where it has one.
    fn find(&self, name: &str) -> (usize, Option<u32>) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = self.hasher.hash_one(name) as usize & mask;
        loop {
            match self.slots.get(slot) {
                None | Some(&FREE) => return (slot, None),
                Some(&number) if self.name(number) == Some(name) => return (slot, Some(number)),
                Some(_) => slot = (slot + 1) & mask,
            }
        }
    }

    /// Twice as many slots.
    fn grow(&mut self) {
        let count = (2 * self.slots.len()).max(16);
        self.slots.clear();
        self.slots.resize(count, FREE);
        for number in 0..self.len() as u32 {
            let slot = self.name(number).map(|name| self.find(name).0);
            if let Some(slot) = slot.and_then(|slot| self.slots.get_mut(slot)) {
                *slot = number;
            }
        }
    }
}
