//! What `superstep info` prints.

use super::number::{bytes, count, counted, value};
use super::table::{Align, Table};
use serde_json::{Value, json};
use superstep::Place;

/// Up to this many columns, each is listed.
const LISTED_COLUMNS: usize = 64;

/// What was found in a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileInfo {
    /// The file, and the table of it that was chosen.
    pub(crate) name: String,
    pub(crate) rows: u64,
    /// The type values are stored in.
    pub(crate) element: String,
    /// The length of the file.
    pub(crate) bytes: u64,
    pub(crate) columns: Vec<ColumnInfo>,
    pub(crate) nan: Found,
    pub(crate) infinite: Found,
}

/// What was found in a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnInfo {
    pub(crate) name: Option<String>,
    /// The least and the greatest finite value, where there is one.
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) nan: u64,
    pub(crate) infinite: u64,
}

/// How many values there are of a kind, and where the first is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) count: u64,
    pub(crate) first: Option<Place>,
}

/// All files together.
struct Whole {
    rows: u64,
    /// `None` where files differ in width: then they cannot be read as one table.
    columns: Option<Vec<ColumnInfo>>,
    bytes: u64,
    /// As f32.
    memory: u128,
    elements: String,
    nan: Found,
    infinite: Found,
}

impl Whole {
    fn of(files: &[FileInfo]) -> Self {
        let mut elements: Vec<&str> = Vec::new();
        for file in files {
            if !elements.contains(&file.element.as_str()) {
                elements.push(&file.element);
            }
        }
        let together = |of: fn(&FileInfo) -> &Found| Found {
            count: files.iter().map(|file| of(file).count).sum(),
            first: files.iter().find_map(|file| of(file).first.clone()),
        };
        Self {
            rows: files.iter().map(|file| file.rows).sum(),
            columns: columns_of(files),
            bytes: files.iter().map(|file| file.bytes).sum(),
            memory: files.iter().map(|file| u128::from(file.rows) * file.columns.len() as u128 * 4).sum(),
            elements: elements.join(", "),
            nan: together(|file| &file.nan),
            infinite: together(|file| &file.infinite),
        }
    }
}

fn columns_of(files: &[FileInfo]) -> Option<Vec<ColumnInfo>> {
    let (first, others) = files.split_first()?;
    let mut columns = first.columns.clone();
    for file in others {
        if file.columns.len() != columns.len() {
            return None;
        }
        for (column, more) in columns.iter_mut().zip(&file.columns) {
            column.range = joined(column.range, more.range);
            column.nan += more.nan;
            column.infinite += more.infinite;
        }
    }
    Some(columns)
}

fn joined(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

fn range_of(columns: &[ColumnInfo]) -> Option<(f64, f64)> {
    columns.iter().fold(None, |range, column| joined(range, column.range))
}

/// The lines for a person; `names` are the files as they were given.
pub(crate) fn info_text(names: &str, files: &[FileInfo]) -> String {
    let whole = Whole::of(files);
    let mut text = String::new();
    let mut line = |name: &str, what: &str| text += &format!("{name:<10}{what}\n");
    let width = match &whole.columns {
        Some(columns) => counted(columns.len() as u64, "column"),
        None => "files of different widths, which are no one table".to_owned(),
    };
    line("data", &format!("{names}: {} × {width}", counted(whole.rows, "row")));
    line("type", &whole.elements);
    line("on disk", &bytes(whole.bytes));
    line("in memory", &format!("{} as f32", bytes(u64::try_from(whole.memory).unwrap_or(u64::MAX))));
    let range = range_of(whole.columns.as_deref().unwrap_or(&[]));
    line("values", &range.map_or_else(|| "-".to_owned(), |(min, max)| format!("{} to {}", value(min), value(max))));
    line("NaN", &found_in_words(&whole.nan));
    line("infinite", &found_in_words(&whole.infinite));
    if let Some(columns) = whole.columns.filter(|columns| columns.len() <= LISTED_COLUMNS) {
        text += &format!("\n{}", columns_table(&columns));
    }
    if files.len() > 1 {
        text += &format!("\n{}", files_table(files));
    }
    text
}

fn found_in_words(found: &Found) -> String {
    match &found.first {
        Some(first) => format!("{}, first at {first}", count(found.count)),
        None => "none".to_owned(),
    }
}

fn columns_table(columns: &[ColumnInfo]) -> String {
    use Align::{Left, Right};
    let named = columns.iter().any(|column| column.name.is_some());
    let titles =
        [("column", Right), ("name", Left), ("min", Right), ("max", Right), ("NaN", Right), ("infinite", Right)];
    let mut table =
        Table::new(&titles.iter().copied().filter(|(title, _)| named || *title != "name").collect::<Vec<_>>());
    for (at, column) in columns.iter().enumerate() {
        let end = |pick: fn((f64, f64)) -> f64| column.range.map_or_else(|| "-".to_owned(), |range| value(pick(range)));
        let mut cells = vec![at.to_string()];
        if named {
            cells.push(column.name.clone().unwrap_or_default());
        }
        cells.extend([end(|range| range.0), end(|range| range.1), count(column.nan), count(column.infinite)]);
        table.row(cells);
    }
    table.render("")
}

fn files_table(files: &[FileInfo]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("file", Left),
        ("rows", Right),
        ("columns", Right),
        ("type", Left),
        ("on disk", Right),
        ("min", Right),
        ("max", Right),
        ("NaN", Right),
        ("infinite", Right),
    ]);
    for file in files {
        let range = range_of(&file.columns);
        let end = |pick: fn((f64, f64)) -> f64| range.map_or_else(|| "-".to_owned(), |range| value(pick(range)));
        table.row(vec![
            file.name.clone(),
            count(file.rows),
            count(file.columns.len() as u64),
            file.element.clone(),
            bytes(file.bytes),
            end(|range| range.0),
            end(|range| range.1),
            count(file.nan.count),
            count(file.infinite.count),
        ]);
    }
    table.render("")
}

/// The object of `superstep info --json`. `columns` is `null` where files differ in width, `ranges` where there are more
/// than 64 columns as well; `min` and `max` where no value is finite.
pub(crate) fn info_json(files: &[FileInfo]) -> Value {
    let whole = Whole::of(files);
    let range = range_of(whole.columns.as_deref().unwrap_or(&[]));
    let listed = whole.columns.as_ref().filter(|columns| columns.len() <= LISTED_COLUMNS);
    json!({
        "rows": whole.rows,
        "columns": whole.columns.as_ref().map(Vec::len),
        "type": whole.elements,
        "bytes": whole.bytes,
        "memory_bytes": u64::try_from(whole.memory).unwrap_or(u64::MAX),
        "min": range.map(|range| range.0),
        "max": range.map(|range| range.1),
        "nan": found_json(&whole.nan),
        "infinite": found_json(&whole.infinite),
        "ranges": listed.map(|columns| columns.iter().enumerate().map(column_json).collect::<Vec<_>>()),
        "files": files.iter().map(file_json).collect::<Vec<_>>(),
    })
}

fn file_json(file: &FileInfo) -> Value {
    let range = range_of(&file.columns);
    json!({
        "file": file.name,
        "rows": file.rows,
        "columns": file.columns.len(),
        "type": file.element,
        "bytes": file.bytes,
        "min": range.map(|range| range.0),
        "max": range.map(|range| range.1),
        "nan": found_json(&file.nan),
        "infinite": found_json(&file.infinite),
    })
}

fn column_json((at, column): (usize, &ColumnInfo)) -> Value {
    json!({
        "column": at,
        "name": column.name,
        "min": column.range.map(|range| range.0),
        "max": column.range.map(|range| range.1),
        "nan": column.nan,
        "infinite": column.infinite,
    })
}

fn found_json(found: &Found) -> Value {
    let first =
        found.first.as_ref().map(|first| json!({"file": first.source, "row": first.row, "column": first.column}));
    json!({ "count": found.count, "first": first })
}
