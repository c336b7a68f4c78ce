//! Matrix Market files (R. Boisvert, R. Pozo and K. Remington, "The Matrix Market exchange formats", NISTIR 5935, 1996) as
//! graphs: an entry in row i and column j of a square matrix is an edge from node i to node j.

/// What the lines before the entries say.
#[derive(Debug)]
pub(super) struct Market {
    /// Whether entries have a value.
    weighted: bool,
    /// Whether entries beside the diagonal stand for two.
    symmetric: bool,
    /// How many nodes and entries there are; `None` before the line that says it.
    sizes: Option<(u64, u64)>,
    /// How many entries were read.
    read: u64,
}

impl Market {
    /// How the first line begins.
    pub(super) const BANNER: &'static str = "%%MatrixMarket";

    /// The file whose first line goes on like this.
    ///
    /// # Errors
    /// Why it is no graph.
    pub(super) fn of(banner: &str) -> Result<Self, String> {
        let banner = banner.to_ascii_lowercase();
        let words: Vec<&str> = banner.split_ascii_whitespace().collect();
        let ["matrix", "coordinate", field, symmetry] = words[..] else {
            return Err(
                "is a Matrix Market file of another kind than `matrix coordinate`: give its entries alone".into()
            );
        };
        let weighted = match field {
            "pattern" => false,
            "real" | "double" | "integer" => true,
            other => return Err(format!("its values are {other}: a weight is a real number that is not negative")),
        };
        let symmetric = match symmetry {
            "general" => false,
            "symmetric" => true,
            other => return Err(format!("is {other}: edges come from general and symmetric matrices")),
        };
        Ok(Self { weighted, symmetric, sizes: None, read: 0 })
    }

    /// Whether the sizes are known.
    pub(super) fn is_sized(&self) -> bool {
        self.sizes.is_some()
    }

    /// Takes the line that says the sizes.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn size(&mut self, line: &str) -> Result<(), String> {
        let sizes: Vec<Option<u64>> = line.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
        let [Some(rows), Some(columns), Some(entries)] = sizes[..] else {
            return Err("does not say how many rows, columns and entries there are: give three whole numbers".into());
        };
        if rows != columns {
            return Err(format!("{rows} rows and {columns} columns: a graph has as many rows as columns"));
        }
        self.sizes = Some((rows, entries));
        Ok(())
    }

    /// How many cells an entry has.
    pub(super) fn cells(&self) -> usize {
        if self.weighted { 3 } else { 2 }
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> u64 {
        self.sizes.map_or(0, |(nodes, _)| nodes)
    }

    /// Whether entries beside the diagonal stand for two edges.
    pub(super) fn is_symmetric(&self) -> bool {
        self.symmetric
    }

    /// Notes that an entry was read; true for the first.
    pub(super) fn note(&mut self) -> bool {
        self.read += 1;
        self.read == 1
    }

    /// Checks, at the end, that all entries were there.
    ///
    /// # Errors
    /// How many are missing or too many.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.sizes {
            None => Err("ends before it says how many rows, columns and entries there are".into()),
            Some((_, entries)) if entries != self.read => {
                Err(format!("has {} entries and says that there are {entries}: is it whole?", self.read))
            }
            Some(_) => Ok(()),
        }
    }
}
