//! Which line of a text file each row stands on.

/// The line of every row, kept as the rows where the count jumps: most files have one such row, the first.
#[derive(Default)]
pub(super) struct Lines {
    rows: u64,
    /// Rows whose line does not follow the line of the row before, with their line; ascending.
    jumps: Vec<(u64, u64)>,
}

impl Lines {
    /// Adds a row that stands on `line`.
    pub(super) fn push(&mut self, line: u64) {
        if self.rows == 0 || self.line(self.rows - 1) + 1 != line {
            self.jumps.push((self.rows, line));
        }
        self.rows += 1;
    }

    /// Adds the rows of a piece of text, whose first line is the `before + 1`th of the whole.
    pub(super) fn append(&mut self, piece: &Self, before: u64) {
        let mut jumps = piece.jumps.iter().map(|(row, line)| (self.rows + row, before + line));
        let goes_on = |(_, line): &(u64, u64)| self.rows > 0 && self.line(self.rows - 1) + 1 == *line;
        let first = jumps.next().filter(|first| !goes_on(first));
        let jumps: Vec<(u64, u64)> = first.into_iter().chain(jumps).collect();
        self.jumps.extend(jumps);
        self.rows += piece.rows;
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The line of a row, counted from 1; past the last row, the line it would stand on.
    pub(super) fn line(&self, row: u64) -> u64 {
        let after = self.jumps.partition_point(|(jump, _)| *jump <= row);
        match after.checked_sub(1).and_then(|index| self.jumps.get(index)) {
            Some((jump, line)) => line + (row - jump),
            None => row + 1,
        }
    }
}

/// How many lines end in a text.
pub(super) fn lines_in(text: &[u8]) -> u64 {
    Counter::new(text).line_at(text.len()) - 1
}

/// Counts lines up to ascending places of a text.
pub(super) struct Counter<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Counter<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line, from 1, of the first byte at or after `start` that is no line end. (The parser's own count is that of
    /// `start`, which is before the `\n` of a `\r\n` and before blank lines.)
    pub(super) fn line_at(&mut self, start: usize) -> u64 {
        let rest = self.text.get(start..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let place = (start + blank).clamp(self.at, self.text.len());
        let ends_line = |at: &usize| match self.text[*at] {
            b'\n' => true,
            b'\r' => self.text.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        self.line += (self.at..place).filter(ends_line).count() as u64;
        self.at = place;
        self.line
    }
}
