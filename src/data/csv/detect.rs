//! Which character separates the cells of a text table.

/// In order of preference. A comma comes late, since it may be a decimal sign between semicolons, and a space last, since
/// it may pad cells between any others.
const CANDIDATES: [u8; 5] = [b'\t', b';', b'|', b',', b' '];

/// How many lines are looked at.
const LINES: usize = 32;

/// The first candidate that splits each of the first lines into the same number of cells, above one; else the first that
/// the first line contains; else a comma, for a table of one column.
pub(super) fn delimiter(text: &[u8]) -> u8 {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).take(LINES).collect();
    let Some(first) = lines.first() else {
        return b',';
    };
    let splits_evenly = |candidate: &u8| {
        let cells = cells(first, *candidate);
        cells > 1 && lines.iter().all(|line| self::cells(line, *candidate) == cells)
    };
    let splits_first = |candidate: &u8| cells(first, *candidate) > 1;
    let even = CANDIDATES.into_iter().find(splits_evenly);
    even.or_else(|| CANDIDATES.into_iter().find(splits_first)).unwrap_or(b',')
}

/// How many cells a delimiter splits a line into; quoted text is not looked into, and a run of spaces is one delimiter.
fn cells(line: &[u8], delimiter: u8) -> usize {
    let (mut count, mut quoted, mut before) = (1, false, 0);
    for byte in line {
        quoted ^= *byte == b'"';
        if *byte == delimiter && !quoted && (delimiter != b' ' || before != b' ') {
            count += 1;
        }
        before = *byte;
    }
    count
}
