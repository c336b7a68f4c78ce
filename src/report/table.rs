//! Tables of aligned columns.

/// A table whose columns are as wide as their widest cell, two blanks apart.
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// The side on which the cells of a column meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

impl Table {
    /// A table without rows, of columns with these titles.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(title, align)| ((*title).to_owned(), *align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; missing cells at its end stay empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines of the table, its titles first, each behind `indent`.
    pub(crate) fn render(&self, indent: &str) -> String {
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| title.clone()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&titles).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| lines.iter().filter_map(|line| line.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        lines.iter().map(|line| format!("{indent}{}\n", self.line(line, &widths))).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut text = String::new();
        for ((cell, wanted), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            let gap = if text.is_empty() { "" } else { "  " };
            let padding = " ".repeat(wanted - width(cell));
            text += &match align {
                Align::Left => format!("{gap}{cell}{padding}"),
                Align::Right => format!("{gap}{padding}{cell}"),
            };
        }
        text.trim_end().to_owned()
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_blanks() {
        let mut table = Table::new(&[("device", Align::Left), ("s", Align::Right), ("note", Align::Left)]);
        table.row(vec!["cpu".into(), "1.5 µs".into(), "ok".into()]);
        table.row(vec!["gpu:0".into(), "20".into()]);
        assert_eq!(table.render("  "), "  device       s  note\n  cpu     1.5 µs  ok\n  gpu:0       20\n");
    }
}
